//! shelf: a source's backups as a listing shows them, what each turned out to be, and which one is wanted.

use crate::{
    clock::{SignedDuration, Timestamp},
    digest::Blake3,
    finding::{Finding, FindingKind},
    layout::{self, BackupId, Named, ObjectKey, SourceName},
    manifest::{Manifest, VersionId},
    vault::ObjectVersion,
};
use std::collections::BTreeMap;

/// What one backup's folder turned out to be.
#[derive(Debug)]
pub enum Standing {
    Sealed(Box<Sealed>),
    /// Its seal is authentic, and its manifest is gone or changed.
    Damaged {
        object: ObjectKey,
        why: &'static str,
    },
    /// It has a seal that is none of ours.
    Forged {
        object: ObjectKey,
        claims: Option<Claims>,
    },
    /// A manifest without a seal: a run that ended before its last deposit.
    Unsealed,
}

/// What an unproven manifest says of itself: worth nothing but a doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub sequence: u64,
    pub snapshot_at: Timestamp,
    pub follows: Option<Blake3>,
}

/// An authentic backup: its manifest is exactly what the seal signs.
#[derive(Clone, Debug)]
pub struct Sealed {
    pub manifest: Manifest,
    pub manifest_digest: Blake3,
    /// The server's clock when the seal was put.
    pub sealed_at: Timestamp,
    /// The very versions that were read: what else lies under their keys is somebody else's.
    pub manifest_version: VersionId,
    pub seal_version: VersionId,
    /// Were the ETags that the vault lists for these two their MD5, as far as it lists any?
    pub listed_by_md5: bool,
}

/// A backup is sealed when its dump has ended. One that was sealed this long after the instant that it claims to hold
/// was written later, by somebody who holds the signing key.
const SEALED_WITHIN: SignedDuration = SignedDuration::from_hours(48);

impl Sealed {
    /// Did its data look wiped, or encrypted, when it was taken?
    pub fn is_suspect(&self) -> bool {
        !self.manifest.suspect.is_empty()
    }

    /// The backup that its manifest names as the one before it.
    pub fn predecessor(&self) -> Option<&BackupId> {
        Some(&self.manifest.chain.previous.as_ref()?.backup)
    }

    /// Does the server's clock contradict what the manifest says of its own time?
    pub fn is_back_dated(&self) -> bool {
        self.sealed_at.duration_since(self.manifest.snapshot_at) > SEALED_WITHIN
    }
}

/// Which backup is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    Latest,
    /// The newest that is not suspect.
    LatestGood,
    /// The newest whose snapshot is not later.
    At(Timestamp),
    Id(BackupId),
}

/// The versions of one backup's manifest and seal, oldest first.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub manifests: Vec<ObjectVersion>,
    pub seals: Vec<ObjectVersion>,
}

/// A source's backups as listed, not yet judged.
#[derive(Debug)]
pub struct Shelf {
    /// Newest first, by the server's clock.
    pub(super) folders: Vec<(BackupId, Folder)>,
    pub findings: Vec<Finding>,
}

impl Folder {
    /// When its first seal was put, or its first manifest where there is no seal.
    pub fn put_at(&self) -> Timestamp {
        let first = |versions: &[ObjectVersion]| versions.iter().map(|version| version.last_modified).min();
        first(&self.seals).or_else(|| first(&self.manifests)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl Shelf {
    /// Groups listed versions (each key's oldest first) by backup, newest backup first by the server's clock.
    pub fn arrange(source: &SourceName, versions: Vec<ObjectVersion>) -> Self {
        let mut folders: BTreeMap<BackupId, Folder> = BTreeMap::new();
        let mut findings = Vec::new();
        for version in versions {
            let finding = |kind, what| Finding::new(kind, version.key.as_str(), what);
            let Some(named) = layout::read_backup_key(source, &version.key) else {
                findings.push(finding(FindingKind::UnknownObject, "is not an object of ours"));
                continue;
            };
            if version.marker {
                findings.push(finding(FindingKind::Marker, "was hidden by a delete marker"));
                continue;
            }
            let versions = match named {
                Named::Manifest(backup) => &mut folders.entry(backup).or_default().manifests,
                Named::Seal(backup) => &mut folders.entry(backup).or_default().seals,
            };
            if versions.len() == 1 {
                findings.push(finding(FindingKind::Overwritten, "was overwritten; the earlier version still counts"));
            }
            versions.push(version);
        }
        let mut folders: Vec<_> = folders.into_iter().collect();
        folders.sort_by(|(one, a), (two, b)| (b.put_at(), two).cmp(&(a.put_at(), one)));
        Self { folders, findings }
    }

    pub fn len(&self) -> usize {
        self.folders.len()
    }
}

impl Select {
    /// Could this id be the wanted backup? An authentic id is not later than its snapshot.
    pub fn may_be(&self, backup: &BackupId) -> bool {
        match self {
            Self::Latest | Self::LatestGood => true,
            Self::Id(wanted) => wanted == backup,
            Self::At(at) => layout::begun_at(backup).is_some_and(|begun| begun <= *at),
        }
    }

    pub fn fits(&self, sealed: &Sealed) -> bool {
        match self {
            Self::Latest | Self::Id(_) => true,
            Self::LatestGood => !sealed.is_suspect(),
            Self::At(at) => sealed.manifest.snapshot_at <= *at && !sealed.is_back_dated(),
        }
    }

    pub fn wanted(&self) -> String {
        match self {
            Self::Latest => String::new(),
            Self::LatestGood => " that is not suspect".to_owned(),
            Self::At(at) => format!(" from {at} or before"),
            Self::Id(id) => format!(" with id {id}"),
        }
    }
}
