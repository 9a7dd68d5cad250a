//! finding: something in a vault that is not as it was left: what it is, what it means, and what to do about it.
//!
//! A finding is data, not an error: it is shown by `list` and `confirm`, counted by metrics, and alarms the watcher.

use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::fmt;

/// How much a finding weighs; each outweighs the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gravity {
    /// Worth knowing; nothing is lost and nobody need have done anything.
    Note,
    /// Somebody wrote where only the depositor writes, or the chain does not continue: nothing need be lost.
    Tampering,
    /// A lock, or the vault itself, holds less than was promised.
    Weakness,
    /// A backup cannot be restored from this vault as it was sealed.
    Loss,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// A delete marker over an object whose lock has not lapsed.
    Marker,
    /// A later version of a key of ours.
    Overwritten,
    /// An object under our prefix that no backup refers to and whose key we never write.
    UnknownObject,
    /// A version that a sealed manifest lists is gone.
    MissingVersion,
    /// A listed size other than the receipt's.
    WrongSize,
    /// A listed ETag, or the bytes themselves, other than the receipt's.
    WrongDigest,
    /// A lock of a weaker mode, or with an earlier end, than promised.
    LockShort,
    /// An authentic seal whose manifest is gone or is not what it signs.
    Damaged,
    /// A seal that is not ours.
    Forged,
    /// A manifest without a seal: a run that ended before its last deposit, or a seal that was removed.
    Unsealed,
    /// A sequence number, or the backup that a manifest says came before it, is missing.
    SequenceGap,
    /// Two sealed backups with one sequence number or one predecessor.
    Fork,
    /// The server's order of seals is not the order of their sequence numbers: one was put again, or later.
    OutOfOrder,
    /// Sealed long after the time that it claims to hold.
    BackDated,
    /// A chain that begins although sealed backups lie before it.
    ChainRestarted,
    /// A backup that was seen here, whose lock has not lapsed, and that is gone altogether.
    Vanished,
    /// Versioning, Object Lock or the default retention is not what makes a vault.
    VaultWeakened,
    /// The lifecycle rules are not those of a vault.
    Lifecycle,
    /// An object lies in a storage class from which it cannot be read at once.
    StorageClass,
}

impl FindingKind {
    pub const ALL: [Self; 19] = [
        Self::Marker,
        Self::Overwritten,
        Self::UnknownObject,
        Self::MissingVersion,
        Self::WrongSize,
        Self::WrongDigest,
        Self::LockShort,
        Self::Damaged,
        Self::Forged,
        Self::Unsealed,
        Self::SequenceGap,
        Self::Fork,
        Self::OutOfOrder,
        Self::BackDated,
        Self::ChainRestarted,
        Self::Vanished,
        Self::VaultWeakened,
        Self::Lifecycle,
        Self::StorageClass,
    ];

    /// As written in JSON, metrics and `accepted`; never changes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Marker => "marker",
            Self::Overwritten => "overwritten",
            Self::UnknownObject => "unknown-object",
            Self::MissingVersion => "missing-version",
            Self::WrongSize => "wrong-size",
            Self::WrongDigest => "wrong-digest",
            Self::LockShort => "lock-short",
            Self::Damaged => "damaged",
            Self::Forged => "forged",
            Self::Unsealed => "unsealed",
            Self::SequenceGap => "sequence-gap",
            Self::Fork => "fork",
            Self::OutOfOrder => "out-of-order",
            Self::BackDated => "back-dated",
            Self::ChainRestarted => "chain-restarted",
            Self::Vanished => "vanished",
            Self::VaultWeakened => "vault-weakened",
            Self::Lifecycle => "lifecycle",
            Self::StorageClass => "storage-class",
        }
    }

    pub fn gravity(self) -> Gravity {
        match self {
            Self::Unsealed | Self::Lifecycle => Gravity::Note,
            Self::Marker
            | Self::Overwritten
            | Self::UnknownObject
            | Self::Forged
            | Self::SequenceGap
            | Self::Fork
            | Self::OutOfOrder
            | Self::BackDated
            | Self::ChainRestarted => Gravity::Tampering,
            Self::LockShort | Self::VaultWeakened | Self::StorageClass => Gravity::Weakness,
            Self::MissingVersion | Self::WrongSize | Self::WrongDigest | Self::Damaged | Self::Vanished => {
                Gravity::Loss
            }
        }
    }

    /// What it means, as a sentence.
    pub fn means(self) -> &'static str {
        match self {
            Self::Marker => "Somebody deleted it without a version: it is hidden, not gone, and restores all the same.",
            Self::Overwritten => "Somebody wrote over it: the earlier version still counts, and is what is restored.",
            Self::UnknownObject => "Somebody other than Strongroom writes into the vault.",
            Self::MissingVersion => {
                "A version that a sealed backup needs is gone: that backup cannot be restored here."
            }
            Self::WrongSize | Self::WrongDigest => "The vault holds other bytes than were deposited.",
            Self::LockShort => "Whoever may delete there can delete it sooner than was promised.",
            Self::Damaged => "The backup was sealed, and its manifest is not what the seal signs any more.",
            Self::Forged => "Somebody without the signing key put a backup there; no restore takes it.",
            Self::Unsealed => "A run ended before its last deposit, or its seal was removed: no restore takes it.",
            Self::SequenceGap => "A backup that was sealed between two others is not there.",
            Self::Fork => {
                "Two depositors share one signing key, an old catalog was put back, or a thief seals backups of his own."
            }
            Self::OutOfOrder => "A backup was put into the vault later than its place in the chain says.",
            Self::BackDated => "It was sealed long after the time whose data it claims to hold.",
            Self::ChainRestarted => {
                "The depositor lost its memory of the backups before, or somebody with its signing key began a chain."
            }
            Self::Vanished => "A sealed backup that was seen here, and is still locked, is not there any more.",
            Self::VaultWeakened => "What is deposited from now on is not locked as promised; what lies there still is.",
            Self::Lifecycle => "Backups may be hidden too early, or stay and cost after their lock has lapsed.",
            Self::StorageClass => "It must be thawed before it can be read: a restore waits for hours.",
        }
    }

    /// What to do about it, as a sentence.
    pub fn mend(self) -> &'static str {
        match self {
            Self::Marker | Self::Overwritten | Self::UnknownObject | Self::Forged => {
                "Find out whose credential wrote it and revoke that; nothing need be restored differently."
            }
            Self::MissingVersion | Self::WrongSize | Self::WrongDigest | Self::Damaged | Self::Vanished => {
                "Take a new backup with `strongroom backup --anew`, restore from another vault or backup, and ask the \
                 storage operator how a locked version could change."
            }
            Self::LockShort => "Take a backup now: it is deposited anew under a whole lock; then mend the vault.",
            Self::Unsealed => "`strongroom history` on the backup host says what became of that run.",
            Self::SequenceGap => "Look for it in the other vaults, and ask the storage operator how it could go.",
            Self::Fork | Self::OutOfOrder | Self::BackDated | Self::ChainRestarted => {
                "See whether the backup host was set up anew; if not, replace the signing key. Once explained, name it \
                 in `accepted` of [watch]."
            }
            Self::VaultWeakened => "The custodian mends it now: versioning, Object Lock, COMPLIANCE default retention.",
            Self::Lifecycle => "The custodian sets the rules that `init` wrote.",
            Self::StorageClass => "The custodian takes the rule away that moves objects.",
        }
    }
}

/// One thing found, of one object or of the vault itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub kind: FindingKind,
    /// A key relative to the vault's address, or the vault's own address.
    pub object: String,
    /// What was found, as words that go on after the object's name.
    pub what: String,
}

impl Finding {
    pub fn new(kind: FindingKind, object: impl Into<String>, what: impl Into<String>) -> Self {
        Self { kind, object: object.into(), what: what.into() }
    }

    pub fn gravity(&self) -> Gravity {
        self.kind.gravity()
    }

    /// How a configuration names one that was explained: `kind object`.
    pub fn name(&self) -> String {
        format!("{} {}", self.kind.word(), self.object)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.object, self.what)
    }
}

impl Serialize for FindingKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = serializer.serialize_struct("Finding", 6)?;
        written.serialize_field("kind", self.kind.word())?;
        written.serialize_field("gravity", &self.gravity())?;
        written.serialize_field("object", &self.object)?;
        written.serialize_field("what", &self.what)?;
        written.serialize_field("means", self.kind.means())?;
        written.serialize_field("mend", self.kind.mend())?;
        written.end()
    }
}
