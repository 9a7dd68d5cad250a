//! by_hand: getting data back without Strongroom, as one script with the names of this configuration in it, and seeing
//! what delete markers hide.

use super::{Facts, shell};
use crate::vault::{VaultAddress, VaultSettings};

/// Finds and gets a backup's objects into a folder.
const FINDING: &str = include_str!("by_hand.sh");
/// From there into a database: README's steps, word for word.
const RESTORING: &str = include_str!("restore.sh");

pub fn section(facts: &Facts) -> String {
    let script = FINDING.replace("@SETTINGS@", &settings(facts)).replace("@PUBKEY@", facts.verifying.text().trim_end());
    format!(
        "## 6. Get it back without Strongroom\n\n\
         On Debian: `apt-get install jq minisign age zstd postgresql-client awscli`; psql of the server's major version or \
         newer. Needed besides: an identity (`recovery.key` or `drill.key`), and for a bucket a reading credential in \
         `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (`keys/restorer*.toml` on the drill host has one).\n\n\
         Save the script below as `by-hand.sh`. Make an empty database, and be its server's superuser; libpq's `PGHOST`, \
         `PGUSER`, ... say where it is. The archive is plain text in a temporary folder while it runs: `TMPDIR` says where \
         that may be. Then:\n\n\
         ```text\n\
         createdb -T template0 {database}\n\
         IDENTITY=recovery.key SOURCE={source} FROM={vault} DB={database} bash by-hand.sh\n\
         ```\n\n\
         It takes the newest backup that verifies and did not look wiped, and says which it passed over; `BACKUP=ID` takes \
         another. If it fails half way, drop the database, make it again and run it again.\n\n\
         ```sh by-hand\n{script}\n{RESTORING}```\n\n\
         The database's own settings, comment and grants are not restored by this. `FORMAT.md`, beside this page in the \
         vault, says what every byte means.\n",
        source = first_source(facts),
        database = format_args!("{}_restored", first_source(facts)),
        vault = facts.plan.vaults.first().map_or("", |vault| &vault.name),
    )
}

fn first_source(facts: &Facts) -> String {
    facts.plan.sources.first().map(|source| source.name.to_string()).unwrap_or_default()
}

fn settings(facts: &Facts) -> String {
    let vaults = &facts.plan.vaults;
    let names = |names: Vec<&str>| names.join(", ");
    let sources = names(facts.plan.sources.iter().map(|source| source.name.as_str()).collect());
    let places = names(vaults.iter().map(|vault| vault.name.as_str()).collect());
    let cases: String = vaults.iter().map(|vault| format!("  {}) {} ;;\n", vault.name, place(vault))).collect();
    format!(
        "# The sources are: {sources}. The vaults are: {places}.\n\
         : \"${{IDENTITY:?say IDENTITY=recovery.key}}\"\n\
         SOURCE=${{SOURCE:-{}}}\n\
         FROM=${{FROM:-{}}}\n\
         DB=${{DB:-${{SOURCE}}_restored}}\n\
         case $FROM in\n{cases}  *) echo \"no vault $FROM\" >&2; exit 2 ;;\nesac",
        first_source(facts),
        vaults.first().map_or("", |vault| &vault.name),
    )
}

fn place(vault: &VaultSettings) -> String {
    match &vault.address {
        VaultAddress::Directory(path) => format!("BUCKET='' FOLDER={}", shell(&path.display().to_string())),
        VaultAddress::S3(s3) => {
            let prefix = if s3.prefix.is_empty() { String::new() } else { format!("{}/", s3.prefix) };
            let endpoint = s3.endpoint.as_deref().unwrap_or_default();
            format!(
                "BUCKET={} PREFIX={} ENDPOINT={} REGION={}",
                shell(&s3.bucket),
                shell(&prefix),
                shell(endpoint),
                shell(&s3.region)
            )
        }
    }
}

/// Seeing through what was put on top.
pub fn hidden(facts: &Facts) -> String {
    let blocks: String = facts.plan.vaults.iter().map(|vault| versions_of(facts, vault)).collect();
    format!(
        "## 7. If a vault looks empty\n\n\
         Somebody who may delete can put *delete markers* over objects, or junk above them. Both hide, neither removes: \
         each version that is locked is still there, and is read by its version id. Strongroom and the script above always \
         do. To see for yourself (the oldest version of a key is ours; later ones are what somebody put on it):\n\n{blocks}\
         Do not remove the markers in a hurry: nothing needs it, and they show who did what and when.\n"
    )
}

fn versions_of(facts: &Facts, vault: &VaultSettings) -> String {
    let source = first_source(facts);
    match &vault.address {
        VaultAddress::Directory(path) => format!(
            "Vault `{}`, a folder: each file's name ends in `@DEPOSITED-LOCK_END`; the earliest is ours.\n\n\
             ```sh\nfind {} -name '*@*' | sort | grep /{source}/backups/ | tail\n```\n\n",
            vault.name,
            shell(&format!("{}/v1", path.display())),
        ),
        VaultAddress::S3(s3) => {
            let endpoint = s3.endpoint.as_ref().map(|endpoint| format!(" --endpoint-url {}", shell(endpoint)));
            let slash = if s3.prefix.is_empty() { "" } else { "/" };
            let aws = format!("aws{} --region {} s3api", endpoint.unwrap_or_default(), shell(&s3.region));
            let (bucket, prefix) = (shell(&s3.bucket), shell(&format!("{}{slash}v1/{source}/backups/", s3.prefix)));
            format!(
                "Vault `{}`:\n\n```sh\n\
                 {aws} list-object-versions --bucket {bucket} --prefix {prefix} \\\n  \
                 --query 'Versions[].[LastModified,Key,VersionId,Size]' --output text | sort | tail -n 40\n\
                 {aws} list-object-versions --bucket {bucket} --prefix {prefix} \\\n  \
                 --query 'DeleteMarkers[].[LastModified,Key,VersionId]' --output text | sort | tail -n 40\n\
                 {aws} get-object-retention --bucket {bucket} --key=KEY --version-id=VERSION\n\
                 {aws} get-object --bucket {bucket} --key=KEY --version-id=VERSION FILE\n```\n\n",
                vault.name
            )
        }
    }
}
