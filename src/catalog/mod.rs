//! catalog: what a role remembers, in a `state_dir/catalog.db` of its own: the depositor its chains, segments, runs and
//! portraits, a watcher what it saw in the vaults and what drills proved.
//!
//! A restore never needs it. Where it is lost or unreadable it is set aside, said so, and begun anew; backups go on,
//! and the first manifest of every chain that begins in the new one says why. Several processes may use one catalog.

mod chains;
mod column;
mod drills;
mod error;
mod facts;
mod history;
mod lapse;
mod opening;
mod portraits;
mod runs;
mod segments;
mod sightings;
mod turn;

pub use chains::{ChainRecord, Sealed};
pub use error::CatalogError;
pub use runs::{Begun, RunId, Share, VaultEnded};
pub use segments::Held;
pub use sightings::{Remembered, Round, Seen};

use crate::{clock::Timestamp, layout::SourceName};
use sqlx::{Sqlite, SqlitePool, Transaction, pool::PoolConnection};
use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

pub struct Catalog {
    store: Store,
    state_dir: PathBuf,
    set_aside: Option<String>,
}

/// Where a source's backups go: a vault by its name, and its address as the vault describes itself. Under another
/// address the same name holds nothing that we know of.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub vault: &'a str,
    pub source: &'a SourceName,
    pub address: &'a str,
}

/// Held while a source is being dumped; the kernel gives it up with the process.
pub struct RunLock {
    source: SourceName,
    #[expect(dead_code, reason = "its life is its work")]
    file: File,
}

impl Catalog {
    /// Opens the catalog, or begins it. What cannot be read is set aside first; see [`Self::set_aside`].
    pub async fn open(state_dir: &Path, now: Timestamp) -> Result<Self, CatalogError> {
        let (store, set_aside) = opening::open(state_dir, now).await?;
        if let Some(why) = &set_aside {
            tracing::warn!(why, "the catalog begins anew, and so does every chain");
        }
        Ok(Self { store, state_dir: state_dir.to_owned(), set_aside })
    }

    /// Opens it only to read, and makes nothing: `None` where there is none that a watcher has written.
    pub async fn open_read_only(state_dir: &Path) -> Result<Option<Self>, CatalogError> {
        let store = opening::open_read_only(state_dir).await?;
        Ok(store.map(|store| Self { store, state_dir: state_dir.to_owned(), set_aside: None }))
    }

    /// Why this opening began a new catalog although there had been one.
    pub fn set_aside(&self) -> Option<&str> {
        self.set_aside.as_deref()
    }

    /// Everything is durable without it; it leaves one file instead of three.
    pub async fn close(self) {
        self.store.pool.close().await;
    }

    /// One run for each source at a time, on this host.
    pub fn lock(&self, source: &SourceName) -> Result<RunLock, CatalogError> {
        let folder = self.state_dir.join(turn::RUNS);
        let path = folder.join(format!("{source}.lock"));
        let unusable = |error| CatalogError::io(&path, error);
        fs::create_dir_all(&folder).map_err(unusable)?;
        let file = File::create(&path).map_err(unusable)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(RunLock { source: source.clone(), file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(CatalogError::Busy(source.clone())),
            Err(error) => Err(unusable(error.into())),
        }
    }
}

/// The open file, and the proof that it is still the one that others open.
#[derive(Clone)]
struct Store {
    pool: SqlitePool,
    path: PathBuf,
    /// Device and inode of what was opened.
    identity: (u64, u64),
}

impl Store {
    fn new(pool: SqlitePool, path: PathBuf) -> Result<Self, CatalogError> {
        let identity = identity(&path)?;
        Ok(Self { pool, path, identity })
    }

    async fn connection(&self) -> Result<PoolConnection<Sqlite>, CatalogError> {
        self.insist_unmoved()?;
        self.pool.acquire().await.map_err(self.failed())
    }

    /// Takes SQLite's write lock first: a transaction that reads and then writes would not wait for others.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, CatalogError> {
        self.insist_unmoved()?;
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(self.failed())
    }

    /// SQLite goes on writing into a file that was renamed or removed; a chain that continues there would fork from
    /// the one in the file that took its place.
    fn insist_unmoved(&self) -> Result<(), CatalogError> {
        let unmoved = identity(&self.path).is_ok_and(|identity| identity == self.identity);
        if unmoved { Ok(()) } else { Err(CatalogError::Replaced { path: self.path.clone() }) }
    }

    fn failed(&self) -> impl Fn(sqlx::Error) -> CatalogError + '_ {
        |error| CatalogError::sqlite(&self.path, error)
    }
}

fn identity(path: &Path) -> Result<(u64, u64), CatalogError> {
    let metadata = fs::metadata(path).map_err(|error| CatalogError::io(path, error))?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests;
