//! story: what became of a source's backups and drills over time, for pictures: facts as the watcher remembers them.

use crate::{
    clock::{SignedDuration, Timestamp},
    layout::BackupId,
    manifest::LockMode,
    proof::DrillReport,
};
use serde::Serialize;

/// How far up the ladder a backup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// Signed, in the vault.
    Sealed,
    /// Every version, size, digest and lock that it needs was read back by the inspector.
    Confirmed,
    /// Restored into a scratch database and equal.
    Proven,
}

impl Rung {
    pub const ALL: [Self; 3] = [Self::Sealed, Self::Confirmed, Self::Proven];

    pub fn word(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Confirmed => "confirmed",
            Self::Proven => "proven",
        }
    }
}

/// One sealed backup in one vault, as the watcher saw it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sighting {
    pub vault: String,
    pub backup: BackupId,
    pub sequence: u64,
    pub snapshot_at: Timestamp,
    /// The server's clock when the seal was put.
    pub sealed_at: Timestamp,
    /// From the run's beginning to its last row.
    #[serde(rename = "took_seconds", serialize_with = "super::written::span")]
    pub took: SignedDuration,
    pub packed_bytes: u64,
    pub lock: LockMode,
    pub locked_until: Option<Timestamp>,
    pub suspect: bool,
    pub confirmed_at: Option<Timestamp>,
    pub proven_at: Option<Timestamp>,
    /// Since when it is not there any more although its lock has not lapsed.
    pub gone_at: Option<Timestamp>,
}

impl Sighting {
    pub fn rung(&self) -> Rung {
        match (self.proven_at, self.confirmed_at) {
            (Some(_), _) => Rung::Proven,
            (None, Some(_)) => Rung::Confirmed,
            (None, None) => Rung::Sealed,
        }
    }
}

/// A source's past, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Story {
    pub sightings: Vec<Sighting>,
    pub drills: Vec<DrillReport>,
}
