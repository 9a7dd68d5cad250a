//! places: what is backed up, how often, and where it lies.

use super::{Facts, row};
use crate::{
    clock::{SignedDuration, spoken},
    config::SourcePlan,
    vault::{LockPolicy, VaultAddress, VaultSettings},
};

pub fn section(facts: &Facts) -> String {
    let sources: String = facts.plan.sources.iter().map(|source| self::source(facts, source)).collect();
    let vaults: String = facts.plan.vaults.iter().map(vault).collect();
    format!(
        "## 2. What there is\n\n\
         | source | database | in | needed | data at most this old | proven within | restored within |\n\
         |---|---|---|---|---|---|---|\n{sources}\n\
         | vault | place | server | each object locked for | the lock |\n|---|---|---|---|---|\n{vaults}\n\
         A backup of a source is the folder `v1/SOURCE/backups/ID/` in its vault; ID is the UTC time at which it began. \
         Rows are in `v1/SOURCE/segments/`, encrypted. Until its lock ends nobody can delete it, the custodian included.\n"
    )
}

fn source(facts: &Facts, source: &SourcePlan) -> String {
    let database = source.dump.as_ref().map_or_else(
        || "see the depositor's configuration".to_owned(),
        |dump| {
            let address = &dump.postgres.address;
            format!("`{}` at `{}:{}`", address.database, address.host, address.port)
        },
    );
    let deposits = source.deposits.iter().map(|deposit| {
        let name = &facts.plan.vaults[deposit.vault].name;
        deposit.every.map_or_else(|| format!("`{name}`"), |every| format!("`{name}` (one every {})", spoken(every)))
    });
    let deposits = deposits.collect::<Vec<_>>().join(", ");
    let objectives = &source.objectives;
    row(&[
        &format!("`{}`", source.name),
        &database,
        &deposits,
        &source.needed.to_string(),
        &said(objectives.recovery_point),
        &said(objectives.proven_within),
        &said(objectives.recovery_time),
    ])
}

fn said(objective: Option<SignedDuration>) -> String {
    objective.map_or_else(|| "not said".to_owned(), spoken)
}

fn vault(vault: &VaultSettings) -> String {
    let term = vault.term.to_string();
    let (place, server, lock) = match &vault.address {
        VaultAddress::S3(s3) => {
            let slash = if s3.prefix.is_empty() { "" } else { "/" };
            let lock = match s3.lock {
                LockPolicy::BucketDefault => "COMPLIANCE, the bucket's default retention",
                LockPolicy::PerObject => "COMPLIANCE, asked for with each object",
            };
            let aws = format!("AWS, {}", s3.region);
            let server = s3.endpoint.as_ref().map_or(aws, |endpoint| format!("{endpoint}, region {}", s3.region));
            (format!("s3://{}{slash}{}", s3.bucket, s3.prefix), server, lock)
        }
        VaultAddress::Directory(path) => (
            format!("file://{}", path.display()),
            "that machine's disk".to_owned(),
            "the immutable flag, which that machine's root can remove",
        ),
    };
    row(&[&format!("`{}`", vault.name), &format!("`{place}`"), &server, &term, lock])
}
