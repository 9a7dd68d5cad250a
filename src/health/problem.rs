//! problem: what is wrong with a source: a word for programs, a sentence and a hint for people.

use super::State;
use crate::clock::{SignedDuration, Timestamp, spoken, whole_second};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::fmt;

#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// No good backup anywhere, for longer than the first one may take.
    NeverBackedUp { expected_since: Timestamp },
    /// The recovery point is older than the objective allows.
    Overdue { age: SignedDuration, objective: SignedDuration },
    /// The last run did not end well.
    Failing { why: String },
    /// This vault's share of the last run failed.
    VaultFailing { vault: String, why: String },
    /// Fewer vaults than needed are current.
    NotProtected { holding: usize, needed: usize },
    /// The newest backup looks wiped.
    Suspect { reasons: Vec<String> },
    /// The lock of the last good backup ends soon, and nothing renews it before.
    Lapsing { vault: String, left: SignedDuration },
    /// It has ended: whoever may delete there can delete that backup, as the bucket's own lifecycle will.
    Lapsed { vault: String, ended_at: Timestamp },
    /// A backup of a time to come: its age, and every lock's end, cannot be judged by this clock.
    ClockWrong { ahead: SignedDuration },
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
        }
    }

    pub fn vault(&self) -> Option<&str> {
        match self {
            Self::VaultFailing { vault, .. } | Self::Lapsing { vault, .. } | Self::Lapsed { vault, .. } => Some(vault),
            _ => None,
        }
    }

    /// The state that it puts a source in, at least.
    pub fn state(&self) -> State {
        match self {
            Self::Suspect { .. } => State::Suspect,
            Self::Failing { .. } | Self::VaultFailing { .. } | Self::ClockWrong { .. } => State::Failing,
            Self::Overdue { .. } | Self::Lapsing { .. } | Self::Lapsed { .. } => State::Overdue,
            Self::NeverBackedUp { .. } | Self::NotProtected { .. } => State::Unprotected,
        }
    }

    pub fn hint(&self) -> &'static str {
        match self {
            Self::NeverBackedUp { .. } | Self::Overdue { .. } => {
                "`strongroom check` finds what is in its way; `strongroom history` says what became of each run."
            }
            Self::Failing { .. } => "Mend the cause; `strongroom check` tells whether it is gone.",
            Self::VaultFailing { .. } => "`strongroom check` asks the vault what is wrong.",
            Self::NotProtected { .. } => "Mend the vaults that fail; `needed` says how many must hold a backup.",
            Self::Suspect { .. } => {
                "Look at the database now. Older, good backups stay locked; `strongroom list` shows them."
            }
            Self::Lapsing { .. } => "A good backup in that vault before then renews it: see why none arrives.",
            Self::Lapsed { .. } => "Make a good backup in that vault now, and copy what it still holds.",
            Self::ClockWrong { .. } => "See that this host's clock is kept by NTP.",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverBackedUp { expected_since } => {
                write!(f, "there is no good backup, and one is expected since {}", whole_second(*expected_since))
            }
            Self::Overdue { age, objective } => {
                write!(f, "the recovery point is {} old, and {} is allowed", spoken(*age), spoken(*objective))
            }
            Self::Failing { why } => write!(f, "the last run failed: {why}"),
            Self::VaultFailing { vault, why } => write!(f, "nothing arrives in vault `{vault}`: {why}"),
            Self::NotProtected { holding, needed } => {
                write!(f, "{holding} of the {needed} vaults that are needed hold what they should")
            }
            Self::Suspect { reasons } => write!(f, "the newest backup looks wiped: {}", shortened(reasons)),
            Self::Lapsing { vault, left } => {
                write!(f, "in vault `{vault}` the last good backup is locked for {} only", spoken(*left))
            }
            Self::Lapsed { vault, ended_at } => {
                let ended_at = whole_second(*ended_at);
                write!(f, "in vault `{vault}` nothing good is locked any more: the last lock ended at {ended_at}")
            }
            Self::ClockWrong { ahead } => {
                write!(f, "the newest good backup is of a time {} from now: a clock was or is wrong", spoken(*ahead))
            }
        }
    }
}

/// Three reasons and the number of the others: a wiped schema has one for each table.
pub fn shortened(reasons: &[String]) -> String {
    let shown = reasons.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("; ");
    match reasons.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// The same for every problem: a program switches on the word and shows the sentence.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = serializer.serialize_struct("Problem", 4)?;
        written.serialize_field("problem", self.word())?;
        written.serialize_field("vault", &self.vault())?;
        written.serialize_field("says", &self.to_string())?;
        written.serialize_field("hint", self.hint())?;
        written.end()
    }
}
