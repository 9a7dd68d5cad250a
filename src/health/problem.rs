//! problem: what is wrong with a source: a word for programs, a sentence and a hint for people.

mod words;

pub use words::shortened;

use super::State;
use crate::{
    clock::{SignedDuration, Timestamp},
    layout::BackupId,
};

#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// No good backup anywhere, for longer than the first one may take.
    NeverBackedUp {
        expected_since: Timestamp,
    },
    /// The recovery point is older than the objective allows.
    Overdue {
        age: SignedDuration,
        objective: SignedDuration,
    },
    /// The last run did not end well.
    Failing {
        why: String,
    },
    /// This vault's share of the last run failed.
    VaultFailing {
        vault: String,
        why: String,
    },
    /// Fewer vaults than needed are current.
    NotProtected {
        holding: usize,
        needed: usize,
    },
    /// The newest backup looks wiped.
    Suspect {
        reasons: Vec<String>,
    },
    /// The lock of the last good backup ends soon, and nothing renews it before.
    Lapsing {
        vault: String,
        left: SignedDuration,
    },
    /// It has ended: whoever may delete there can delete that backup, as the bucket's own lifecycle will.
    Lapsed {
        vault: String,
        ended_at: Timestamp,
    },
    /// A backup of a time to come: its age, and every lock's end, cannot be judged by this clock.
    ClockWrong {
        ahead: SignedDuration,
    },
    /// The newest look into this vault could not see everything, or was too long ago.
    Unconfirmed {
        vault: String,
        age: SignedDuration,
        confirmed: bool,
        why: Option<String>,
        too_old: bool,
    },
    /// Somebody wrote in this vault where only the depositor writes, or the chain does not continue.
    Tampered {
        vault: String,
        findings: Vec<String>,
    },
    /// Locks in this vault end earlier than promised, or are weaker.
    LockShort {
        vault: String,
        objects: Vec<String>,
    },
    /// The vault itself does not lock any more as it did.
    VaultWeakened {
        vault: String,
        findings: Vec<String>,
    },
    /// A backup cannot be restored from this vault as it was sealed.
    Loss {
        vault: String,
        findings: Vec<String>,
    },
    /// No drill has ever passed, for longer than the first one may take.
    NeverProven {
        expected_since: Timestamp,
    },
    /// The newest data that is known to restore is older than the objective allows.
    Unproven {
        age: SignedDuration,
        objective: SignedDuration,
    },
    /// A backup does not restore, or not to what was backed up.
    DrillFailed {
        backup: Option<BackupId>,
        differences: Vec<String>,
    },
    DrillCouldNotRun {
        why: String,
        since: Timestamp,
    },
    /// The last drill that passed took longer than a restore may.
    TooSlow {
        took: SignedDuration,
        objective: SignedDuration,
    },
    /// The vault's clock less ours.
    ClockSkew {
        vault: String,
        secs: i64,
    },
    /// Zero is left where it has expired.
    CredentialExpires {
        vault: String,
        left: SignedDuration,
    },
    /// The next drill has no room.
    DiskShort {
        free: u64,
        needed: u64,
    },
}

impl Problem {
    /// As written in JSON and alerts; never changes.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NeverBackedUp { .. } => "never-backed-up",
            Self::Overdue { .. } => "overdue",
            Self::Failing { .. } => "failing",
            Self::VaultFailing { .. } => "vault-failing",
            Self::NotProtected { .. } => "not-protected",
            Self::Suspect { .. } => "suspect",
            Self::Lapsing { .. } => "lapsing",
            Self::Lapsed { .. } => "lapsed",
            Self::ClockWrong { .. } => "clock-wrong",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Tampered { .. } => "tampered",
            Self::LockShort { .. } => "lock-short",
            Self::VaultWeakened { .. } => "vault-weakened",
            Self::Loss { .. } => "loss",
            Self::NeverProven { .. } => "never-proven",
            Self::Unproven { .. } => "unproven",
            Self::DrillFailed { .. } => "drill-failed",
            Self::DrillCouldNotRun { .. } => "drill-could-not-run",
            Self::TooSlow { .. } => "too-slow",
            Self::ClockSkew { .. } => "clock-skew",
            Self::CredentialExpires { .. } => "credential-expires",
            Self::DiskShort { .. } => "disk-short",
        }
    }

    pub fn vault(&self) -> Option<&str> {
        match self {
            Self::VaultFailing { vault, .. }
            | Self::Lapsing { vault, .. }
            | Self::Lapsed { vault, .. }
            | Self::Unconfirmed { vault, .. }
            | Self::Tampered { vault, .. }
            | Self::LockShort { vault, .. }
            | Self::VaultWeakened { vault, .. }
            | Self::Loss { vault, .. }
            | Self::ClockSkew { vault, .. }
            | Self::CredentialExpires { vault, .. } => Some(vault),
            Self::NeverBackedUp { .. }
            | Self::Overdue { .. }
            | Self::Failing { .. }
            | Self::NotProtected { .. }
            | Self::Suspect { .. }
            | Self::ClockWrong { .. }
            | Self::NeverProven { .. }
            | Self::Unproven { .. }
            | Self::DrillFailed { .. }
            | Self::DrillCouldNotRun { .. }
            | Self::TooSlow { .. }
            | Self::DiskShort { .. } => None,
        }
    }

    /// The state that it puts a source in, at least.
    pub fn state(&self) -> State {
        match self {
            Self::Suspect { .. } => State::Suspect,
            Self::Unconfirmed { too_old: true, .. } => State::Overdue,
            Self::CredentialExpires { left, .. } if left.is_zero() => State::Overdue,
            Self::Failing { .. }
            | Self::VaultFailing { .. }
            | Self::ClockWrong { .. }
            | Self::Unconfirmed { .. }
            | Self::Tampered { .. }
            | Self::DrillCouldNotRun { .. }
            | Self::TooSlow { .. }
            | Self::ClockSkew { .. }
            | Self::CredentialExpires { .. }
            | Self::DiskShort { .. } => State::Failing,
            Self::Overdue { .. }
            | Self::Lapsing { .. }
            | Self::Lapsed { .. }
            | Self::LockShort { .. }
            | Self::VaultWeakened { .. }
            | Self::NeverProven { .. }
            | Self::Unproven { .. } => State::Overdue,
            Self::NeverBackedUp { .. } | Self::NotProtected { .. } | Self::Loss { .. } | Self::DrillFailed { .. } => {
                State::Unprotected
            }
        }
    }

    /// How far the same problem has come: at the next stage it is told again. Findings are told again when they have
    /// become twice as many, so that a flood is not told at every look.
    pub fn stage(&self) -> u32 {
        match self {
            Self::Unconfirmed { too_old, .. } => u32::from(*too_old),
            Self::CredentialExpires { left, .. } => u32::from(left.is_zero()),
            Self::Tampered { findings, .. } | Self::VaultWeakened { findings, .. } | Self::Loss { findings, .. } => {
                findings.len().max(1).ilog2()
            }
            Self::LockShort { objects, .. } => objects.len().max(1).ilog2(),
            _ => 0,
        }
    }
}
