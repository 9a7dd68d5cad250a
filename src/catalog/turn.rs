//! turn: one process at a time opens the catalog.
//!
//! Else two that find the same unreadable file could set each other's fresh one aside. The lock's file has a second use:
//! once there was a catalog it is not empty any more, so that one that is gone is not taken for one that never was.

use super::{CatalogError, opening::PATIENCE};
use crate::clock::Timestamp;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const FILE: &str = "catalog.lock";
/// The folder of the sources' locks, whose files tell of earlier runs too.
pub(super) const RUNS: &str = "runs";
const PAUSE: Duration = Duration::from_millis(20);

/// The right to open, given up when dropped.
pub(super) struct Turn {
    file: File,
    path: PathBuf,
    runs: PathBuf,
}

impl Turn {
    pub async fn wait(state_dir: &Path) -> Result<Self, CatalogError> {
        let path = state_dir.join(FILE);
        let unusable = |error| CatalogError::io(&path, error);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(unusable)?;
        let began = Instant::now();
        loop {
            match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { file, runs: state_dir.join(RUNS), path }),
                Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(CatalogError::Occupied { path }),
                Err(error) => return Err(unusable(error.into())),
            }
        }
    }

    /// Was there a catalog before? Then it is not a first one that begins now.
    pub fn tells_of_runs(&self) -> Result<bool, CatalogError> {
        let marked = self.is_marked()?;
        match fs::read_dir(&self.runs) {
            Ok(mut locks) => Ok(marked || locks.next().is_some()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(marked),
            Err(error) => Err(CatalogError::io(&self.runs, error)),
        }
    }

    /// From now on there was one.
    pub fn mark(&self, now: Timestamp) -> Result<(), CatalogError> {
        if self.is_marked()? {
            return Ok(());
        }
        let mut file = &self.file;
        let marked = writeln!(file, "a catalog was begun at {now}").and_then(|()| file.sync_all());
        marked.map_err(|error| CatalogError::io(&self.path, error))
    }

    fn is_marked(&self) -> Result<bool, CatalogError> {
        Ok(self.file.metadata().map_err(|error| CatalogError::io(&self.path, error))?.len() > 0)
    }
}
