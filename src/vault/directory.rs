//! directory: a folder as a vault: each version a file of its own, immutable where the machine allows it.
//!
//! `root/<key>@<version>`, where the version is `<deposited at>-<lock end>`, so that who restores by hand finds the
//! file and reads its lock. A directory is as safe as this machine's root account, and has no lifecycle: lapsed files
//! stay until root clears the flag and removes them. Nothing here does either.

mod file;
mod place;
mod shelf;
mod stamp;

use self::shelf::Shelf;
use super::{Lock, ObjectVersion, Placed, Protection, VaultError, VersionId};
use crate::{clock::Clock, digest::Md5, layout::ObjectKey, term::Term};
use bytes::Bytes;
use std::{path::Path, sync::Arc};

/// A folder. File work runs on the runtime's blocking threads; the async part only waits for it.
pub struct Directory {
    shelf: Arc<Shelf>,
}

impl Directory {
    pub fn new(vault: &str, term: Term, root: &Path, clock: Clock) -> Self {
        Self { shelf: Arc::new(Shelf { vault: vault.to_owned(), term, root: root.to_owned(), clock }) }
    }

    pub fn describe(&self) -> String {
        format!("file://{}", self.shelf.root.display())
    }

    pub async fn put(&self, key: &ObjectKey, body: Bytes, md5: Md5) -> Result<Placed, VaultError> {
        let key = key.clone();
        self.work("deposit", move |shelf| shelf.put(&key, &body, md5)).await
    }

    pub async fn lock_of(&self, key: &ObjectKey, version: &VersionId) -> Result<Lock, VaultError> {
        let (key, version) = (key.clone(), version.clone());
        self.work("reading the lock", move |shelf| shelf.lock_of(&key, &version)).await
    }

    pub async fn get(&self, key: &ObjectKey, version: &VersionId, limit: u64) -> Result<Bytes, VaultError> {
        let (key, version) = (key.clone(), version.clone());
        self.work("reading", move |shelf| shelf.get(&key, &version, limit)).await
    }

    pub async fn versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>, VaultError> {
        let prefix = prefix.to_owned();
        self.work("listing", move |shelf| shelf.versions(&prefix)).await
    }

    pub async fn protection(&self) -> Result<Protection, VaultError> {
        self.work("reading the settings", Shelf::protection).await
    }

    /// A put that is cancelled still finishes on its thread: a version more, never half of one.
    async fn work<T: Send + 'static>(
        &self,
        action: &'static str,
        job: impl FnOnce(&Shelf) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultError> {
        let shelf = Arc::clone(&self.shelf);
        match tokio::task::spawn_blocking(move || job(&shelf)).await {
            Ok(result) => result,
            Err(stopped) => Err(VaultError::Failed {
                vault: self.shelf.vault.clone(),
                action,
                key: self.describe(),
                why: stopped.to_string(),
            }),
        }
    }
}
