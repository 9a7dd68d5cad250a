//! catalog: what the depositor remembers between runs: for each vault and source, the last sealed manifest.
//!
//! A restore never needs it. Where it is lost or unreadable it is set aside, said so, and the next manifest begins
//! a new chain; backups go on.

use crate::{
    clock::Timestamp,
    failure::{Explain, Kind},
    layout::{BackupId, SourceName},
    manifest::{Chain, Previous},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

pub struct Catalog {
    state_dir: PathBuf,
}

/// A source's chain in one vault, while this run alone may continue it.
pub struct ChainRecord {
    path: PathBuf,
    state: State,
    /// Why a new chain begins although there was a record.
    pub set_aside: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Of the last manifest that was begun to be sealed.
    sequence: u64,
    last: Option<Previous>,
    last_sealed_at: Option<Timestamp>,
    unsure: Vec<BackupId>,
}

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("cannot use {path}")]
    Unusable { path: PathBuf, source: io::Error },
    #[error("another backup of `{0}` is running")]
    Busy(SourceName),
}

impl Explain for CatalogError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unusable { .. } => Kind::Settings,
            Self::Busy(_) => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unusable { .. } => Some("state_dir must be a folder that this user may write.".into()),
            Self::Busy(_) => Some("One run for each source at a time: wait for it to end.".into()),
        }
    }
}

/// Held while a source is being dumped; the kernel gives it up with the process.
pub struct RunLock(#[expect(dead_code, reason = "its life is its work")] File);

impl Catalog {
    pub fn open(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    /// One run for each source at a time, on this host.
    pub fn lock(&self, source: &SourceName) -> Result<RunLock, CatalogError> {
        let folder = self.state_dir.join("runs");
        let path = folder.join(format!("{source}.lock"));
        let unusable = |source| CatalogError::Unusable { path: path.clone(), source };
        fs::create_dir_all(&folder).map_err(unusable)?;
        let file = File::create(&path).map_err(unusable)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(RunLock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(CatalogError::Busy(source.clone())),
            Err(error) => Err(unusable(error.into())),
        }
    }

    pub fn chain(&self, vault: &str, source: &SourceName, now: Timestamp) -> Result<ChainRecord, CatalogError> {
        let folder = self.state_dir.join("chains").join(vault);
        let path = folder.join(format!("{source}.json"));
        let unusable = |source| CatalogError::Unusable { path: path.clone(), source };
        fs::create_dir_all(&folder).map_err(unusable)?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(ChainRecord { path, state: State::default(), set_aside: None });
            }
            Err(error) => return Err(unusable(error)),
        };
        match serde_json::from_slice(&bytes) {
            Ok(state) => Ok(ChainRecord { path, state, set_aside: None }),
            Err(why) => {
                let aside = path.with_extension(format!("unreadable-{}", crate::clock::compact(now)));
                fs::rename(&path, &aside).map_err(unusable)?;
                let set_aside =
                    Some(format!("{} was unreadable ({why}) and is now {}", path.display(), aside.display()));
                Ok(ChainRecord { path, state: State::default(), set_aside })
            }
        }
    }
}

impl ChainRecord {
    pub fn next(&self) -> Chain {
        let State { sequence, last, unsure, .. } = &self.state;
        Chain { sequence: sequence + 1, previous: last.clone(), unsure: unsure.clone(), restarted: None }
    }

    pub fn last_sealed_at(&self) -> Option<Timestamp> {
        self.state.last_sealed_at
    }

    /// Recorded before the manifest is deposited: should we die now, the next run cannot know whether the seal
    /// arrived, will say so, and will not use the sequence number again.
    pub fn sealing(&mut self, backup: &BackupId) -> Result<(), CatalogError> {
        self.state.sequence += 1;
        self.state.unsure.push(backup.clone());
        self.write()
    }

    pub fn sealed(&mut self, sealed: Previous, at: Timestamp) -> Result<(), CatalogError> {
        self.state.unsure.clear();
        self.state.last = Some(sealed);
        self.state.last_sealed_at = Some(at);
        self.write()
    }

    fn write(&self) -> Result<(), CatalogError> {
        let unusable = |source| CatalogError::Unusable { path: self.path.clone(), source };
        let folder = self.path.parent().expect("a record lies in a folder");
        let json = serde_json::to_vec_pretty(&self.state).map_err(|why| unusable(why.into()))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unusable)?;
        file.write_all(&json).map_err(unusable)?;
        file.as_file().sync_all().map_err(unusable)?;
        file.persist(&self.path).map_err(|error| unusable(error.error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Blake3;

    fn world() -> (tempfile::TempDir, Catalog, SourceName, Timestamp) {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(folder.path());
        (folder, catalog, "app".parse().unwrap(), "2026-11-21T12:03:01Z".parse().unwrap())
    }

    #[test]
    fn a_chain_goes_on_from_the_last_seal() {
        let (_folder, catalog, source, now) = world();
        let backup = BackupId::new(now, [1; 4]);
        let mut record = catalog.chain("offsite", &source, now).unwrap();
        assert_eq!(record.next(), Chain { sequence: 1, previous: None, unsure: vec![], restarted: None });
        record.sealing(&backup).unwrap();
        let sealed = Previous { backup, manifest: Blake3([1; 32]) };
        record.sealed(sealed.clone(), now).unwrap();
        let next = catalog.chain("offsite", &source, now).unwrap().next();
        assert_eq!(next, Chain { sequence: 2, previous: Some(sealed), unsure: vec![], restarted: None });
        assert_eq!(catalog.chain("other", &source, now).unwrap().next().sequence, 1);
    }

    #[test]
    fn a_run_that_died_while_sealing_is_named_and_its_number_is_not_used_again() {
        let (_folder, catalog, source, now) = world();
        let backup = BackupId::new(now, [1; 4]);
        catalog.chain("offsite", &source, now).unwrap().sealing(&backup).unwrap();
        let next = catalog.chain("offsite", &source, now).unwrap().next();
        assert_eq!(next, Chain { sequence: 2, previous: None, unsure: vec![backup], restarted: None });
    }

    #[test]
    fn an_unreadable_record_is_set_aside_and_kept() {
        let (folder, catalog, source, now) = world();
        catalog.chain("offsite", &source, now).unwrap().sealing(&BackupId::new(now, [1; 4])).unwrap();
        fs::write(folder.path().join("chains/offsite/app.json"), "{").unwrap();
        let record = catalog.chain("offsite", &source, now).unwrap();
        assert!(record.set_aside.is_some());
        assert_eq!(record.next().sequence, 1);
        assert!(folder.path().join("chains/offsite/app.unreadable-20261121T120301Z").exists());
    }

    #[test]
    fn two_runs_of_one_source_exclude_each_other() {
        let (_folder, catalog, source, _) = world();
        let first = catalog.lock(&source).unwrap();
        assert!(matches!(catalog.lock(&source), Err(CatalogError::Busy(_))));
        drop(first);
        assert!(catalog.lock(&source).is_ok());
    }
}
