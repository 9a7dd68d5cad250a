//! health: what is known of each source, judged against what its owner expects: a pure function of (now, facts).
//!
//! Metrics, alerts, `status` and every page are views of the same [`Health`], so that they cannot disagree.

use crate::{
    clock::{SignedDuration, Timestamp},
    layout::{BackupId, SourceName},
    manifest::LockMode,
    run,
};
use serde::Serialize;

/// What the owner of a source expects; an absent objective is not judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Objectives {
    pub recovery_point: Option<SignedDuration>,
    pub proven_within: Option<SignedDuration>,
    pub recovery_time: Option<SignedDuration>,
}

/// What is known of one source, by whoever looks.
#[derive(Clone, Debug)]
pub struct Facts {
    pub source: SourceName,
    pub objectives: Objectives,
    /// How many vaults must hold a backup for the source to be protected.
    pub needed: usize,
    /// Since when backups of it are expected: what has none is overdue from then on.
    pub expected_since: Timestamp,
    pub vaults: Vec<VaultFacts>,
    /// The newest run that has ended.
    pub last_run: Option<run::Record>,
    pub running_since: Option<Timestamp>,
    pub next_run_at: Option<Timestamp>,
    /// Why the newest sealed backup looks wiped; empty where it does not.
    pub suspicions: Vec<String>,
}

/// One vault's share of a source.
#[derive(Clone, Debug)]
pub struct VaultFacts {
    pub vault: String,
    /// At most one backup in each such period; `None`: every backup.
    pub every: Option<SignedDuration>,
    pub last_sealed: Option<SealedFacts>,
    /// The newest that is not suspect.
    pub last_good: Option<SealedFacts>,
    /// Why its share of the last run failed; `None` where it did not.
    pub failing: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SealedFacts {
    pub backup: BackupId,
    pub snapshot_at: Timestamp,
    pub sealed_at: Timestamp,
    pub lock: LockMode,
    /// The earliest end among its objects' locks.
    pub locked_until: Option<Timestamp>,
    pub packed_bytes: u64,
}
