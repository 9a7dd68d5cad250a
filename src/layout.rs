//! layout: the names of things in a vault (manifest.md, "Keys").
//!
//! `<prefix>/v1/<source>/segments/<id>.zst.age` and `<prefix>/v1/<source>/backups/<backup>/manifest.json[.minisig]`.

use crate::{
    clock::{self, Timestamp},
    digest::SegmentId,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A source's name: 1 to 63 of `a-z 0-9 - _`, beginning with a letter or digit, so that it is one path element
/// and one label everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name: use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit")]
pub struct BadName(pub String);

pub fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && text.as_bytes()[0].is_ascii_alphanumeric()
}

impl SourceName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SourceName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        if is_name(&text) { Ok(Self(text)) } else { Err(BadName(text)) }
    }
}

impl FromStr for SourceName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::try_from(text.to_owned())
    }
}

impl From<SourceName> for String {
    fn from(name: SourceName) -> String {
        name.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `20261121T120301Z-5f2a9c01`: when the run began, and 32 random bits against two runs in one second.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupId(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a backup's id (like 20261121T120301Z-5f2a9c01)")]
pub struct BadBackupId(String);

impl BackupId {
    pub fn new(begun_at: Timestamp, random: [u8; 4]) -> Self {
        Self(format!("{}-{:08x}", clock::compact(begun_at), u32::from_be_bytes(random)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BackupId {
    type Err = BadBackupId;

    fn from_str(text: &str) -> Result<Self, BadBackupId> {
        let well_formed = text.split_once('-').is_some_and(|(time, random)| {
            clock::parse_compact(time).is_some()
                && random.len() == 8
                && random.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if well_formed { Ok(Self(text.to_owned())) } else { Err(BadBackupId(text.to_owned())) }
    }
}

impl TryFrom<String> for BackupId {
    type Error = BadBackupId;

    fn try_from(text: String) -> Result<Self, BadBackupId> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> String {
        id.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A drill's id: of the same form as a backup's, and never the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DrillId(BackupId);

impl DrillId {
    pub fn new(begun_at: Timestamp, random: [u8; 4]) -> Self {
        Self(BackupId::new(begun_at, random))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for DrillId {
    type Err = BadBackupId;

    fn from_str(text: &str) -> Result<Self, BadBackupId> {
        text.parse().map(Self)
    }
}

impl fmt::Display for DrillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key inside a vault, relative to the vault's prefix: never empty, never absolute, no `.` or `..` element.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectKey(String);

impl ObjectKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key as a listing gave it, relative to the prefix.
    pub fn listed(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub fn segment(source: &SourceName, id: SegmentId) -> ObjectKey {
    ObjectKey(format!("v1/{source}/segments/{id}.zst.age"))
}

pub fn manifest(source: &SourceName, backup: &BackupId) -> ObjectKey {
    ObjectKey(format!("v1/{source}/backups/{backup}/manifest.json"))
}

pub fn seal(source: &SourceName, backup: &BackupId) -> ObjectKey {
    ObjectKey(format!("v1/{source}/backups/{backup}/manifest.json.minisig"))
}

/// A drill's report: `file` is `report.json` or `report.html`, or its signature with `.minisig` behind.
pub fn drill(source: &SourceName, drill: &DrillId, file: &str) -> ObjectKey {
    ObjectKey(format!("v1/{source}/drills/{drill}/{file}"))
}

/// Every report of a drill of `source` has a key that begins so.
pub fn drills(source: &SourceName) -> String {
    format!("v1/{source}/drills/")
}

/// Everything of `source` has a key that begins so.
pub fn source(source: &SourceName) -> String {
    format!("v1/{source}/")
}

/// Every segment of `source` has a key that begins so.
pub fn segments(source: &SourceName) -> String {
    format!("v1/{source}/segments/")
}

/// What a person needs in an incident, beside the backups; no source's name begins with `_`.
pub fn break_glass(stamp: &BackupId, file: &str) -> ObjectKey {
    ObjectKey(format!("v1/_break-glass/{stamp}/{file}"))
}

/// Every manifest and seal of `source` has a key that begins so.
pub fn backups(source: &SourceName) -> String {
    format!("v1/{source}/backups/")
}

/// Everything of ours has a key that begins so.
pub const ROOT: &str = "v1/";

/// What a key under [`backups`] names.
#[derive(Debug, PartialEq, Eq)]
pub enum Named {
    Manifest(BackupId),
    Seal(BackupId),
}

/// Reads a key under `backups(source)`; `None` for a key that we never write.
pub fn read_backup_key(source: &SourceName, key: &ObjectKey) -> Option<Named> {
    let (id, file) = key.as_str().strip_prefix(&backups(source))?.split_once('/')?;
    let id = id.parse().ok()?;
    match file {
        "manifest.json" => Some(Named::Manifest(id)),
        "manifest.json.minisig" => Some(Named::Seal(id)),
        _ => None,
    }
}

/// Reads a key under `segments(source)`; `None` for a key that we never write.
pub fn read_segment_key(source: &SourceName, key: &ObjectKey) -> Option<SegmentId> {
    let id = key.as_str().strip_prefix(&segments(source))?.strip_suffix(".zst.age")?;
    SegmentId::try_from(id.to_owned()).ok()
}

/// When the run began that named a backup so, as the name tells it.
pub fn begun_at(backup: &BackupId) -> Option<Timestamp> {
    clock::parse_compact(backup.as_str().split('-').next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for wrong in ["", "..", ".", "a/b", "App", "-a", "a b", "ä", &"a".repeat(64)] {
            assert!(wrong.parse::<SourceName>().is_err(), "{wrong}");
        }
        assert_eq!("app-1_x".parse::<SourceName>().unwrap().as_str(), "app-1_x");
    }

    #[test]
    fn backup_keys_read_back_and_strangers_do_not() {
        let source: SourceName = "app".parse().unwrap();
        let id = BackupId::new("2026-11-21T12:03:01Z".parse().unwrap(), [0x5f, 0x2a, 0x9c, 0x01]);
        assert_eq!(id.as_str(), "20261121T120301Z-5f2a9c01");
        assert_eq!(read_backup_key(&source, &manifest(&source, &id)), Some(Named::Manifest(id.clone())));
        assert_eq!(read_backup_key(&source, &seal(&source, &id)), Some(Named::Seal(id)));
        for stranger in ["v1/app/backups/junk", "v1/app/backups/20261121T120301Z-5f2a9c01/x", "v1/b/backups/x/y"] {
            assert_eq!(read_backup_key(&source, &ObjectKey::listed(stranger)), None);
        }
        let id = SegmentId([0xab; 20]);
        assert_eq!(read_segment_key(&source, &segment(&source, id)), Some(id));
        for stranger in ["v1/app/segments/x.zst.age", "v1/app/segments/", "v1/b/segments/x", "v1/app/segments/../x"] {
            assert_eq!(read_segment_key(&source, &ObjectKey::listed(stranger)), None);
        }
    }
}
