//! proof: what a drill found: a restore into a scratch database, compared with what the manifest says, as a report.
//!
//! The same facts are printed as JSON, shown as a page, signed, and deposited beside the backups. The report names no
//! table, except those that differ. Its schema is `src/proof.schema.json`.

use crate::{
    clock::{SignedDuration, Timestamp},
    digest::Blake3,
    layout::{BackupId, DrillId, SourceName},
};
use serde::{Deserialize, Serialize};

/// The number of the report's format.
pub const FORMAT: u32 = 1;

/// Three outcomes: what could not run proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillOutcome {
    /// Restored, and equal to the manifest in everything that was compared.
    Passed,
    /// The backup does not restore, or not to what was backed up.
    Failed,
    /// Something other than the backup was in the way: nothing is known.
    CouldNotRun,
}

impl DrillOutcome {
    pub const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::CouldNotRun];

    /// As written in JSON and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::CouldNotRun => "could-not-run",
        }
    }
}

/// What kept a hostile dump from the drill's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confinement {
    /// Namespaces of its own: no network, no file but the server's, no process of others.
    Bubblewrap,
    /// Another user than the one who holds the keys, and nothing more.
    OtherUser,
    /// Nothing: whoever can make a dump run code reads what the drill's user reads.
    None,
    /// A server that was given by its address, and is its owner's to confine.
    GivenServer,
}

impl Confinement {
    pub fn words(self) -> &'static str {
        match self {
            Self::Bubblewrap => "sandboxed by bubblewrap",
            Self::OtherUser => "NOT sandboxed, run as another user",
            Self::None => "NOT SANDBOXED",
            Self::GivenServer => "on the server that was given",
        }
    }
}

/// How much was compared for equality with the manifest's closed part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// Tables, each by row count and fingerprint.
    pub tables: u64,
    pub rows: u64,
    pub sequences: u64,
    pub large_objects: u64,
    pub extensions: u64,
    /// 0 where roles were not restored.
    pub roles: u64,
    /// Definitions of the schema, as text.
    pub definitions: u64,
    /// The source's own checks.
    pub checks: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillReport {
    pub format: u32,
    pub drill: DrillId,
    pub source: SourceName,
    pub vault: String,
    pub outcome: DrillOutcome,
    /// Why it failed; empty unless it did.
    pub differences: Vec<String>,
    /// Why it could not run, and what to do; `None` where it ran.
    pub reason: Option<String>,
    pub hint: Option<String>,
    /// What was restored; `None` where none was found or opened.
    pub backup: Option<BackupId>,
    /// BLAKE3 of the manifest's bytes.
    pub manifest: Option<Blake3>,
    pub sequence: Option<u64>,
    pub snapshot_at: Option<Timestamp>,
    pub sealed_at: Option<Timestamp>,
    /// Why its data looked wiped when it was taken; empty where it did not.
    pub suspect: Vec<String>,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    /// From the first byte fetched to the last comparison: what a restore would take on such a machine.
    pub restore_seconds: Option<f64>,
    /// How long a restore may take, as the configuration says.
    pub recovery_time_objective_seconds: Option<i64>,
    /// How old the restored data was when the drill began.
    pub recovery_point_age_seconds: Option<i64>,
    pub packed_bytes: Option<u64>,
    pub compared: Compared,
    pub confinement: Option<Confinement>,
    /// The scratch server's version.
    pub server: Option<String>,
    /// What is worth knowing and is no difference.
    pub notes: Vec<String>,
    pub strongroom: String,
    pub host: String,
}

impl DrillReport {
    /// Did the restore take longer than its objective allows? `None` where nothing is known or asked.
    pub fn is_too_slow(&self) -> Option<bool> {
        let (took, allowed) = (self.restore_seconds?, self.recovery_time_objective_seconds?);
        Some(took > allowed as f64)
    }

    pub fn took(&self) -> SignedDuration {
        self.ended_at.duration_since(self.started_at)
    }

    /// One sentence of how it ended.
    pub fn summary(&self) -> String {
        match self.outcome {
            DrillOutcome::Passed => "restored, and equal to what was backed up".to_owned(),
            DrillOutcome::Failed => crate::health::shortened(&self.differences),
            DrillOutcome::CouldNotRun => self.reason.clone().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
pub mod specimen;
#[cfg(test)]
mod tests;
