//! first: what to do before anything else, and whom to call.

use super::Facts;
use crate::config::Role;

pub fn section(facts: &Facts) -> String {
    let mut revoke = vec![
        "whatever the application, its hosts, its build machines and its agents use: database passwords, cloud tokens"
            .to_owned(),
    ];
    for source in &facts.plan.sources {
        let Some(dump) = &source.dump else { continue };
        let role = &dump.postgres.address.user;
        revoke.push(format!(
            "the database role `{role}` of `{}` (it can only read): `ALTER ROLE {role} NOLOGIN`, if the backup host was broken into",
            source.name
        ));
    }
    revoke.push(credential(facts, Role::Depositor, "only deposits: it can delete nothing"));
    revoke.push(credential(
        facts,
        Role::Restorer,
        "reads ciphertext; you need one like it below, so make a new one first",
    ));
    revoke.push(
        "not the storage account itself: closing or not paying it is the one way in which locked backups end"
            .to_owned(),
    );
    let revoke: String = revoke.into_iter().map(|item| format!("   - {item}\n")).collect();
    format!(
        "## 1. First\n\n\
         1. **Delete nothing, clean nothing up, and let no program do it.** No backup is gone because it is not seen: what \
         is in a vault stays there until its lock ends, whoever deleted it.\n\
         2. **Stop what does the damage**: the agent, the job, the session. Stop the application if it writes nonsense.\n\
         3. **Revoke the credentials that did it**, and those beside them:\n{revoke}\
         4. Write down when it began, in UTC. You will want the last backup before that.\n\
         5. Leave the ruined database as it is, stopped or renamed, for as long as there is room: it is evidence, and may \
         hold what was written after the backup.\n\
         6. **Restore into a new database, never over the old one.** Then look, then switch over.\n\n\
         ### Whom to call (fill in, on paper)\n\n\
         | who | name | telephone |\n|---|---|---|\n\
         | decides, and speaks for us | | |\n\
         | knows the database | | |\n\
         | holds the recovery key (1) | | |\n\
         | holds the recovery key (2) | | |\n\
         | storage provider's support, our account number | | |\n\
         | custodian: may make new storage credentials | | |\n"
    )
}

/// Where a role's access key is, as far as it is known here.
fn credential(facts: &Facts, role: Role, what: &str) -> String {
    let buckets = facts.plan.vaults.iter().filter_map(|vault| {
        let origin = facts.whence.of("vault", &vault.name, "credentials").filter(|_| role == facts.role());
        let by_init = || format!("`keys/{role}*.toml` on its host");
        matches!(vault.address, crate::vault::VaultAddress::S3(_)).then(|| origin.unwrap_or_else(by_init))
    });
    let mut origins: Vec<_> = buckets.collect();
    origins.dedup();
    match origins.is_empty() {
        true => format!("the {role} has no storage credential here: its vaults are folders"),
        false => format!("the {role}'s storage credential, {} ({what})", origins.join(", ")),
    }
}
