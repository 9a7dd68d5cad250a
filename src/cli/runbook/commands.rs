//! commands: getting data back with Strongroom, with the names of this configuration, and what to look at afterwards.

use super::{Facts, shell};
use crate::config::{Role, SourcePlan};

pub fn section(facts: &Facts) -> String {
    let here = match facts.role() {
        Role::Restorer => "on this host".to_owned(),
        role => format!(
            "on the drill host, or on any machine with Strongroom, a restorer's configuration and an identity (this page is \
             the {role}'s; adjust the path)"
        ),
    };
    let blocks: String = facts.plan.sources.iter().map(|source| block(facts, source)).collect();
    format!(
        "## 4. Get it back with Strongroom\n\n\
         The restorer's commands run {here}. Without the drill identity: fetch the recovery key and add \
         `--identity recovery.key` (chmod 600). TARGET is a server that you can make databases on; its password comes from \
         `--password-file FILE`. A restore makes the database, or takes an empty one; it compares every table at its end, \
         and never touches a database that holds anything.\n\n{blocks}{AFTER}"
    )
}

fn block(facts: &Facts, source: &SourcePlan) -> String {
    let name = &source.name;
    let restorer = format!("strongroom -c {}", facts.config_of(Role::Restorer));
    let inspector = format!("strongroom -c {}", facts.config_of(Role::Inspector));
    let depositor = format!("strongroom -c {}", facts.config_of(Role::Depositor));
    let to = shell(&target(source));
    let vaults: Vec<_> = source.deposits.iter().map(|deposit| facts.plan.vaults[deposit.vault].name.as_str()).collect();
    let first = vaults.first().copied().unwrap_or_default();
    let other = vaults.get(1).copied().unwrap_or(first);
    format!(
        "### Source `{name}`\n\n\
         ```sh\n\
         # What is there? `sealed at` is the vault's clock, and cannot be forged; SUSPECT looked wiped when it was taken.\n\
         {restorer} list {name}\n\
         {restorer} show BACKUP                      # its tables, rows, sizes, recipients\n\n\
         # Look first: finds, verifies and opens the backup, looks at the target, changes nothing.\n\
         {restorer} restore {name} --to {to} --plan\n\n\
         # The newest; the newest that does not look wiped; the last before the damage; a certain one.\n\
         {restorer} restore {name} --to {to}\n\
         {restorer} restore {name} --at latest-good --to {to}\n\
         {restorer} restore {name} --at 2026-11-21T11:59:00Z --to {to}\n\
         {restorer} restore {name} --at BACKUP --to {to}\n\n\
         # One table; with the backup's roles made first; without owners and grants; from a certain vault.\n\
         {restorer} restore {name} --table public.TABLE --to {to}\n\
         {restorer} restore {name} --globals --to {to}\n\
         {restorer} restore {name} --no-owner --no-privileges --to {to}\n\
         {restorer} restore {name} --vault {other} --to {to}\n\n\
         # Decrypted files, where the target cannot be reached from here.\n\
         {restorer} fetch BACKUP --output /somewhere/with/room\n\n\
         # Is all that a vault should hold there, as it was left? With the inspector's file, or the restorer's.\n\
         {inspector} confirm {name} --vault {first}\n\
         {inspector} confirm {name} --newest 3\n\n\
         # Does the newest backup restore? Into a scratch server of its own; nothing else is touched.\n\
         {restorer} drill {name}\n\n\
         # On the backup host: what ran, what failed and why; and a backup at once, when all is well again.\n\
         {depositor} status\n\
         {depositor} history {name}\n\
         {depositor} backup {name}\n\
         ```\n\n"
    )
}

/// Where to restore, as far as it is known: the source's own server, another database.
fn target(source: &SourcePlan) -> String {
    match &source.dump {
        Some(dump) if !dump.postgres.address.host.starts_with('/') => {
            let address = &dump.postgres.address;
            format!("postgres://postgres@{}:{}/{}_restored", address.host, address.port, address.database)
        }
        Some(dump) => {
            let address = &dump.postgres.address;
            format!("postgres://postgres@/{}_restored?host={}", address.database, address.host)
        }
        None => format!("postgres://postgres@TARGET/{}_restored", source.name),
    }
}

const AFTER: &str = "\
If the signing key may have been stolen (the backup host was broken into), restore **by id**, and choose one whose
`sealed at` is before the break-in: a thief can seal backups that verify, and cannot turn the vault's clock back.

Exit codes: 0 done and equal · 2 settings · 5 it looks wiped; take another, or this one by its id · 10 vault unreachable ·
11 denied · 12 the identity does not fit · 13 something is not what was sealed: take another backup or vault.

## 5. Afterwards, look

1. The restore ended with `all equal to the snapshot of ...`: every table has its rows. So much is proven.
2. Is it the data that you want? Newest rows, counts that you know by heart, a login in the application.
3. Roles and passwords: roles come with `--globals`, their passwords do not. Extensions are installed?
4. `ANALYZE;` then switch the application over. Keep the old database.
5. Take a backup at once, see it confirmed and drilled, and watch the next slots.
";
