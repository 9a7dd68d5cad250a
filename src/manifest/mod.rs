//! manifest: the list of receipts that makes deposits a backup, once it is sealed (specified in manifest.md).
//!
//! The open part is read without a key; the closed part is encrypted to the recipients. `draft` is the only way
//! to a manifest that can be sealed, and it asks for the proof that the dump completed.

mod closed;
mod draft;

pub use closed::{Closed, Contents, Database, Extension, LeftOut, Piece, Sequence, Setting, Table};
pub use draft::{Complete, DraftError, DumpComplete, Header, ManifestDraft};

use crate::{
    clock::Timestamp,
    digest::{Blake3, Md5, SegmentId},
    layout::{BackupId, SourceName},
    term::Term,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The format number that this program writes.
pub const FORMAT: u32 = 2;
/// The format numbers that it reads. Format 1 has no `suspect`, `chain.restarted` and `suspicions`.
const FORMATS: std::ops::RangeInclusive<u32> = 1..=FORMAT;
/// The number of the seal's comment, which has not changed since.
const SEAL_FORMAT: u32 = 1;

/// What a manifest says to everybody who may read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    pub source: SourceName,
    pub backup: BackupId,
    pub chain: Chain,
    pub strongroom: String,
    pub engine: Engine,
    pub started_at: Timestamp,
    /// The instant whose committed data the backup holds.
    pub snapshot_at: Timestamp,
    pub completed_at: Timestamp,
    pub term: Term,
    /// The weakest lock among the receipts, and the earliest end.
    pub lock: LockMode,
    pub locked_until: Option<Timestamp>,
    /// Why the data looks wiped or encrypted, as words without names; empty where it does not.
    #[serde(default)]
    pub suspect: Vec<String>,
    pub recipients: Vec<String>,
    pub segments: Vec<Receipt>,
    /// base64 of an age file of zstd of the JSON of [`Closed`].
    pub closed: String,
}

/// A backup's place after the one sealed before it in the same vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// 1 for the first; never used twice by one depositor.
    pub sequence: u64,
    /// `None` begins a chain: the first backup, or the depositor lost its memory of the others.
    pub previous: Option<Previous>,
    /// Backups between `previous` and this one of which the depositor does not know whether their seal arrived.
    pub unsure: Vec<BackupId>,
    /// Why the chain begins although there was one before, as the depositor tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    pub backup: BackupId,
    /// BLAKE3 of its manifest's bytes.
    pub manifest: Blake3,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// `postgres`
    pub name: String,
    /// The server's version, as it says it.
    pub server: String,
    /// The tool that wrote the archive, as it says it.
    pub tool: String,
}

/// What a segment carries; segments of one stream, by ordinal, concatenate to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// A `pg_dump -Fc -Z0` archive of everything but the claimed tables' rows.
    Archive,
    /// An SQL script of the cluster's roles and this database's settings.
    Globals,
    /// psql script pieces with rows, each whole in itself, in any order.
    Data,
}

impl Stream {
    /// One of the parameters that a segment's id is made of: a word that never changes (manifest.md).
    pub fn word(self) -> &'static str {
        match self {
            Self::Archive => "Archive",
            Self::Globals => "Globals",
            Self::Data => "Data",
        }
    }
}

/// What a vault answered for one segment, and what was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    pub stream: Stream,
    pub ordinal: u32,
    pub id: SegmentId,
    /// Relative to the vault's address.
    pub key: String,
    pub version: VersionId,
    pub size: u64,
    /// Of the packed bytes.
    pub blake3: Blake3,
    pub md5: Md5,
    pub lock: LockMode,
    pub locked_until: Option<Timestamp>,
}

/// A version's id as its vault gave it: opaque.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(pub String);

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What holds an object's version in place, as read back; from strongest to weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockMode {
    /// S3 Object Lock, COMPLIANCE: nobody can delete or shorten before its end.
    Compliance,
    /// A file with the immutable flag: only this machine's root can remove it.
    ImmutableFlag,
    /// S3 Object Lock, GOVERNANCE: whoever may bypass it can delete.
    Governance,
    /// Nothing holds it.
    None,
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compliance => "COMPLIANCE",
            Self::ImmutableFlag => "immutable flag",
            Self::Governance => "GOVERNANCE",
            Self::None => "none",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("not a manifest that this version can read: {0}")]
    NotAManifest(#[from] serde_json::Error),
    #[error("format {found}; this version reads formats 1 to {FORMAT}")]
    UnknownFormat { found: u32 },
}

impl Manifest {
    /// Reads exact bytes whose signature was verified; unknown formats and fields are refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct FormatOnly {
            format: u32,
        }
        let FormatOnly { format } = serde_json::from_slice(bytes)?;
        if !FORMATS.contains(&format) {
            return Err(Unreadable::UnknownFormat { found: format });
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    pub fn packed_bytes(&self) -> u64 {
        self.segments.iter().map(|receipt| receipt.size).sum()
    }
}

/// The trusted comment of a seal: what it vouches for even when the manifest itself is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealComment {
    pub source: SourceName,
    pub backup: BackupId,
    pub sequence: u64,
    pub manifest: Blake3,
}

impl fmt::Display for SealComment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, backup, sequence, manifest } = self;
        write!(f, "strongroom {SEAL_FORMAT} source={source} backup={backup} sequence={sequence} manifest={manifest}")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not the trusted comment of a seal")]
pub struct NotASeal;

impl FromStr for SealComment {
    type Err = NotASeal;

    fn from_str(text: &str) -> Result<Self, NotASeal> {
        let mut words = text.split(' ');
        let mut field = |name: &str| words.next()?.strip_prefix(name);
        let mut read = || -> Option<Self> {
            field("strongroom")?;
            field("1")?.is_empty().then_some(())?;
            Some(Self {
                source: field("source=")?.parse().ok()?,
                backup: field("backup=")?.parse().ok()?,
                sequence: field("sequence=")?.parse().ok()?,
                manifest: Blake3::try_from(field("manifest=")?.to_owned()).ok()?,
            })
        };
        read().ok_or(NotASeal)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
