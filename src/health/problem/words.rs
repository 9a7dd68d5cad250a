//! words: what a problem says to people, and what they can do.

use super::Problem;
use crate::clock::{SignedDuration, spoken, whole_second};
use bytesize::ByteSize;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::fmt;

impl Problem {
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NeverBackedUp { .. } | Self::Overdue { .. } => {
                "On the backup host `strongroom check` finds what is in its way, and `strongroom history` says what became of \
                 each run."
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
            Self::Unconfirmed { .. } => "`strongroom check` with this configuration asks the vault what is in the way.",
            Self::Tampered { .. } => {
                "`strongroom confirm` says what each finding means and what to do; nothing need be lost. Once explained, \
                 name it in `accepted` of [watch]."
            }
            Self::LockShort { .. } => {
                "Take a backup now: it is deposited under a whole lock. `strongroom confirm` names every object."
            }
            Self::VaultWeakened { .. } => {
                "The custodian mends it now: versioning, Object Lock, COMPLIANCE default retention."
            }
            Self::Loss { .. } => {
                "Take a new backup with `strongroom backup --anew`. `strongroom confirm` names what is lost; \
                 `strongroom list` what another vault holds."
            }
            Self::NeverProven { .. } | Self::Unproven { .. } => {
                "See that the restorer's daemon runs: `strongroom drill` proves the newest backup now."
            }
            Self::DrillFailed { .. } => {
                "Read the drill's report; `strongroom drill --at` with an older backup finds one that restores, and \
                 `strongroom backup --anew` makes one that shares nothing with it."
            }
            Self::DrillCouldNotRun { .. } => "Its report says what to mend; until then nothing new is proven.",
            Self::TooSlow { .. } => {
                "A restore takes longer than its objective: a faster host, more jobs, or a longer objective."
            }
            Self::ClockSkew { .. } => "Let both follow NTP: locks end by the vault's clock, ages are told by ours.",
            Self::CredentialExpires { .. } => {
                "Let the custodian make a new one, and write it with its expires_at into the credentials file."
            }
            Self::DiskShort { .. } => "Make room in scratch_dir, or move it to a larger disk.",
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
            Self::Unconfirmed { vault, age, confirmed, why, .. } => {
                let age = spoken(*age);
                let seen =
                    if *confirmed { format!("was seen whole {age} ago") } else { "was never seen whole".to_owned() };
                let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
                write!(f, "vault `{vault}` cannot be confirmed, and {seen}{why}")
            }
            Self::Tampered { vault, findings } => {
                write!(f, "vault `{vault}` was tampered with: {}", shortened(findings))
            }
            Self::LockShort { vault, objects } => {
                write!(f, "vault `{vault}` holds objects for less than was promised: {}", shortened(objects))
            }
            Self::VaultWeakened { vault, findings } => {
                write!(f, "vault `{vault}` does not protect as it did: {}", shortened(findings))
            }
            Self::Loss { vault, findings } => {
                write!(f, "vault `{vault}` has lost what it promised to hold: {}", shortened(findings))
            }
            Self::NeverProven { expected_since } => {
                write!(f, "no backup is proven to restore, and one is expected since {}", whole_second(*expected_since))
            }
            Self::Unproven { age, objective } => {
                write!(
                    f,
                    "the newest data proven to restore is {} old, and {} is allowed",
                    spoken(*age),
                    spoken(*objective)
                )
            }
            Self::DrillFailed { backup, differences } => {
                let backup = backup.as_ref().map_or("the backup", |backup| backup.as_str());
                write!(f, "{backup} failed its drill: {}", shortened(differences))
            }
            Self::DrillCouldNotRun { why, since } => {
                write!(f, "no drill could run since {}: {why}", whole_second(*since))
            }
            Self::TooSlow { took, objective } => {
                write!(f, "a restore takes {}, and {} is allowed", spoken(*took), spoken(*objective))
            }
            Self::ClockSkew { vault, secs } => {
                let (apart, way) = (spoken(SignedDuration::from_secs(secs.saturating_abs())), ahead_or_behind(*secs));
                write!(f, "the clock of vault `{vault}` is {apart} {way} ours")
            }
            Self::CredentialExpires { vault, left } if left.is_zero() => {
                write!(f, "the credential for vault `{vault}` has expired")
            }
            Self::CredentialExpires { vault, left } => {
                write!(f, "the credential for vault `{vault}` expires in {}", spoken(*left))
            }
            Self::DiskShort { free, needed } => {
                let (free, needed) = (ByteSize(*free), ByteSize(*needed));
                write!(f, "the next drill needs about {needed} of disk, and {free} are free")
            }
        }
    }
}

fn ahead_or_behind(secs: i64) -> &'static str {
    if secs < 0 { "behind" } else { "ahead of" }
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
