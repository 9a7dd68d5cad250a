//! health: what is known of each source, judged against what its owner expects: a pure function of (now, facts).
//!
//! Metrics, alerts, `status` and every page are views of the same [`Health`], so that they cannot disagree.

mod judge;
mod ladder;
mod problem;
mod story;
mod written;

pub use judge::judge;
pub use ladder::{Ladder, LadderStep};
pub use problem::{Problem, shortened};
pub use story::{Rung, Sighting, Story};

use crate::{
    clock::{SignedDuration, Timestamp},
    finding::Finding,
    layout::{BackupId, SourceName},
    manifest::LockMode,
    proof::DrillReport,
    run,
};
use serde::Serialize;

/// What the owner of a source expects; an absent objective is not judged. In JSON: whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Objectives {
    #[serde(rename = "recovery_point_seconds", serialize_with = "written::seconds")]
    pub recovery_point: Option<SignedDuration>,
    #[serde(rename = "proven_within_seconds", serialize_with = "written::seconds")]
    pub proven_within: Option<SignedDuration>,
    #[serde(rename = "recovery_time_seconds", serialize_with = "written::seconds")]
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
    /// What is known of its drills; `None` where nobody looks after them, as in the depositor's daemon.
    pub drills: Option<DrillFacts>,
}

/// What a watcher knows of a source's drills.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DrillFacts {
    /// Since when drills are expected: a source without any is unproven from then on.
    pub expected_since: Timestamp,
    /// The newest report, however it ended.
    pub last: Option<DrillReport>,
    /// The one that passed whose data is the newest, of those that do not look wiped.
    pub last_passed: Option<DrillReport>,
    /// The newest that failed, until a later one of a backup at least as new passes.
    pub failed: Option<DrillReport>,
    /// Since when none could run; `None` where the newest could.
    pub stuck_since: Option<Timestamp>,
    pub running_since: Option<Timestamp>,
    pub next_at: Option<Timestamp>,
    /// `None` where no drill runs on this host.
    pub disk: Option<DiskFacts>,
}

/// Whether the next drill has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DiskFacts {
    pub free_bytes: u64,
    /// Estimated from the newest backup.
    pub needed_bytes: u64,
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
    /// Why its share of the last run failed; `None` where it did not, or was never asked.
    pub failing: Option<String>,
    /// What was read back out of it; `None` where nobody may look into it, as in the depositor's daemon.
    pub watched: Option<VaultWatched>,
}

/// What a watcher knows of a vault's share of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VaultWatched {
    /// The newest backup of which everything was read back as promised.
    pub last_confirmed: Option<SealedFacts>,
    /// When the newest confirm ended that could look at everything.
    pub confirmed_at: Option<Timestamp>,
    /// Why the newest confirm could not look at everything; `None` where it could.
    pub unverified: Option<Unverified>,
    /// The newest complete confirm may be so old.
    #[serde(rename = "confirmed_within_seconds", serialize_with = "written::seconds")]
    pub confirmed_within: Option<SignedDuration>,
    /// Those of the newest confirm that are not explained, the gravest first.
    pub findings: Vec<Finding>,
    /// Those that the configuration names as explained: shown, and neither counted nor told.
    pub accepted: Vec<Finding>,
    /// The server's clock less ours.
    pub clock_skew_secs: Option<i64>,
    pub credential_expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unverified {
    pub since: Timestamp,
    pub why: String,
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

/// Every source judged, in the order of the facts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    pub at: Timestamp,
    pub sources: Vec<SourceHealth>,
}

/// How a source stands. Each says that less can be counted on than the one before it, so a source is in the worst
/// state that one of its problems puts it in:
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// All that is expected is there.
    Good,
    /// Nothing yet, and nothing is late.
    Waiting,
    /// Backups arrive, and the newest looks wiped: an older one is good, and the database may need a human now.
    Suspect,
    /// The last attempt did not work as it should; what is there is still recent enough.
    Failing,
    /// What is there is older than expected, or its lock is about to end.
    Overdue,
    /// Fewer vaults than needed hold what they should: one loss away from none, or there already.
    Unprotected,
}

impl State {
    /// As written in metrics and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Waiting => "waiting",
            Self::Suspect => "suspect",
            Self::Failing => "failing",
            Self::Overdue => "overdue",
            Self::Unprotected => "unprotected",
        }
    }

    /// Is there nothing that a human should look at?
    pub fn is_quiet(self) -> bool {
        self <= Self::Waiting
    }
}

/// One source judged, with the facts that a view shows beside the judgement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceHealth {
    pub source: SourceName,
    pub state: State,
    /// The worst first.
    pub problems: Vec<Problem>,
    /// Of what time data can be restored, from as many vaults as are needed.
    pub recovery_point: Option<Timestamp>,
    /// The recovery point's; never below zero, see [`Problem::ClockWrong`].
    #[serde(rename = "age_seconds", serialize_with = "written::seconds")]
    pub age: Option<SignedDuration>,
    pub objectives: Objectives,
    /// How many vaults are current.
    pub holding: usize,
    pub needed: usize,
    pub vaults: Vec<VaultHealth>,
    #[serde(serialize_with = "written::last_run")]
    pub last_run: Option<run::Record>,
    pub expected_since: Timestamp,
    pub running_since: Option<Timestamp>,
    pub next_run_at: Option<Timestamp>,
    /// How far up the ladder its newest backups have come.
    pub rung: Ladder,
    /// `None` where nobody looks after its drills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drills: Option<DrillFacts>,
}

impl SourceHealth {
    /// Does the newest backup look wiped?
    pub fn is_suspect(&self) -> bool {
        self.problems.iter().any(|problem| matches!(problem, Problem::Suspect { .. }))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VaultHealth {
    pub vault: String,
    #[serde(rename = "every_seconds", serialize_with = "written::seconds")]
    pub every: Option<SignedDuration>,
    /// It holds what it should by now, good and locked.
    pub current: bool,
    pub failing: Option<String>,
    pub last_sealed: Option<SealedFacts>,
    pub last_good: Option<SealedFacts>,
    /// Until the lock of the last good backup ends: zero once it has ended, `None` where there is no lock.
    #[serde(rename = "lapses_in_seconds", serialize_with = "written::seconds")]
    pub lapses_in: Option<SignedDuration>,
    /// `None` where nobody looks into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched: Option<VaultWatched>,
}

impl VaultHealth {
    /// When the lock of the last good backup ends.
    pub fn locked_until(&self) -> Option<Timestamp> {
        self.last_good.as_ref()?.locked_until
    }
}

#[cfg(test)]
mod tests;
