mod chains;
mod facts;
mod opening;
mod runs;
mod several;
mod watching;

use super::{Catalog, Held, Place, Sealed};
use crate::{
    clock::{SignedDuration, Timestamp},
    digest::{Blake3, Md5, SegmentId},
    layout::{BackupId, SourceName},
    manifest::{LockMode, VersionId},
};
use std::path::PathBuf;

/// A state folder, a source and a moment.
struct World {
    folder: tempfile::TempDir,
    source: SourceName,
    now: Timestamp,
}

const HERE: &str = "s3://acme/prod at https://s3.example.com";

impl World {
    fn new() -> Self {
        let now = "2026-11-21T12:03:01.123456789Z".parse().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), source: "app".parse().unwrap(), now }
    }

    async fn open(&self) -> Catalog {
        Catalog::open(self.folder.path(), self.now).await.unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn place(&self) -> Place<'_> {
        Place { vault: "offsite", source: &self.source, address: HERE }
    }

    fn day(&self, days: i64) -> Timestamp {
        self.now + SignedDuration::from_hours(24 * days)
    }

    fn backup(&self, number: u8) -> BackupId {
        BackupId::new(self.now, [number; 4])
    }

    /// Sealed on that day, and locked for ten days.
    fn sealed(&self, number: u8, day: i64) -> Sealed {
        Sealed {
            backup: self.backup(number),
            manifest: Blake3([number; 32]),
            snapshot_at: self.day(day) - SignedDuration::from_secs(60),
            sealed_at: self.day(day),
            lock: LockMode::Compliance,
            locked_until: Some(self.day(day + 10)),
            packed_bytes: 4_711,
            suspicions: Vec::new(),
        }
    }

    async fn seal(&self, catalog: &Catalog, sealed: &Sealed) {
        let mut record = catalog.chain(self.place()).await.unwrap();
        record.sealing(&sealed.backup).await.unwrap();
        record.sealed(sealed).await.unwrap();
    }

    /// The files of earlier catalogs.
    fn aside(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.starts_with("catalog.unreadable")).collect();
        names.sort();
        names
    }
}

fn held(number: u8, locked_until: Option<Timestamp>) -> Held {
    Held {
        id: SegmentId([number; 20]),
        version: VersionId(format!("version until {locked_until:?}")),
        size: 33_000_000,
        blake3: Blake3([number; 32]),
        md5: Md5([number; 16]),
        lock: LockMode::Compliance,
        locked_until,
    }
}
