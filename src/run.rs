//! run: what one attempt at backing a source up was for, how far it came, how it ended and what it moved.

use crate::{
    clock::{SignedDuration, Timestamp},
    layout::{BackupId, SourceName},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who asked for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody called `backup`.
    Asked,
    /// The schedule's slot.
    Slot(Timestamp),
    /// The newest of the slots at which nobody was there to run it.
    CatchUp(Timestamp),
    /// The daemon found a source without a backup.
    First,
    /// The same slot again, after a failure that may pass: the second try, the third, ...
    Retry { slot: Timestamp, attempt: u32 },
}

impl Trigger {
    /// The slot that this run accounts for.
    pub fn slot(self) -> Option<Timestamp> {
        match self {
            Self::Slot(slot) | Self::CatchUp(slot) | Self::Retry { slot, .. } => Some(slot),
            Self::Asked | Self::First => None,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Slot(_) => "slot",
            Self::CatchUp(_) => "catch-up",
            Self::First => "first",
            Self::Retry { .. } => "retry",
        }
    }
}

/// How far a run has come. A run that died is found in the phase that it had reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Rights, programs, vaults and locks are looked at.
    Preparing,
    Dumping,
    /// Everything is deposited; manifests and signatures follow.
    Sealing,
}

impl Phase {
    pub fn word(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Dumping => "dumping",
            Self::Sealing => "sealing",
        }
    }
}

/// How a run ended, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Sealed in every vault where it was due.
    Sealed,
    /// No vault was due: each has a backup of its period, and the source answers.
    NotDue,
    /// Sealed, and the data looks wiped or encrypted.
    Suspect,
    /// Sealed in as many vaults as are needed; others failed.
    SomeFailed,
    /// Sealed in fewer vaults than are needed, or nowhere.
    Failed,
    /// Ended by a signal, a deadline or a reader who went away.
    Interrupted,
    /// Its process was gone before it could say how it ended.
    Abandoned,
}

impl Outcome {
    pub const ALL: [Self; 7] =
        [Self::Sealed, Self::NotDue, Self::Suspect, Self::SomeFailed, Self::Failed, Self::Interrupted, Self::Abandoned];

    /// As written in the catalog, in metrics and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::NotDue => "not-due",
            Self::Suspect => "suspect",
            Self::SomeFailed => "some-failed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Abandoned => "abandoned",
        }
    }

    /// Does the source have one more backup that can be counted on?
    pub fn is_good(self) -> bool {
        matches!(self, Self::Sealed | Self::SomeFailed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a run moved, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Plaintext out of the source.
    pub read: u64,
    /// After compression and encryption.
    pub packed: u64,
    /// Put into vaults, over all of them, manifests included.
    pub sent: u64,
    /// Held by vaults already and referred to, over all of them.
    pub reused: u64,
}

/// A run as the catalog remembers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub source: SourceName,
    /// `None` for a run that ended before it had a name.
    pub backup: Option<BackupId>,
    pub trigger: Trigger,
    pub started_at: Timestamp,
    pub phase: Phase,
    /// `None` while it runs.
    pub ended: Option<End>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct End {
    pub at: Timestamp,
    pub outcome: Outcome,
    /// What went wrong, with its causes; `None` where nothing did.
    pub why: Option<String>,
    pub bytes: Bytes,
    pub rows: u64,
    pub tables: u64,
    pub segments: u64,
}

impl Record {
    pub fn took(&self) -> Option<SignedDuration> {
        self.ended.as_ref().map(|end| end.at.duration_since(self.started_at))
    }
}

/// Slots at which no run began, and why: the other half of an honest history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Absence {
    pub source: SourceName,
    pub first_slot: Timestamp,
    pub last_slot: Timestamp,
    pub slots: u64,
    pub why: String,
    pub noted_at: Timestamp,
}
