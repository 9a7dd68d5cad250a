//! survey: the inspector looks at many things, a few at a time, and goes on where one of them cannot be read.

use super::{Inspector, RoleError, Shelf, Standing, inspector::VERSIONS_TRIED, shelf::Folder};
use crate::{
    clock::{SignedDuration, Timestamp},
    layout::{BackupId, ObjectKey, SourceName},
    manifest::VersionId,
    term::Term,
    vault::{Lock, VaultError},
};
use futures_util::{FutureExt, StreamExt, stream};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

const AT_ONCE: usize = 16;
const LOCK_WITHIN: Duration = Duration::from_secs(60);
/// A seal, and a manifest of many megabytes.
const JUDGED_WITHIN: Duration = Duration::from_secs(600);
const SETTINGS_WITHIN: Duration = Duration::from_secs(120);
/// A vault that has failed to answer so often is not asked again: it would take hours to say the same.
const SILENCES_MAX: usize = AT_ONCE;
/// Somebody who floods a vault with seals of his own makes us read so many, and then we follow the chain alone.
const DOUBTED_MAX: usize = 500;

impl Inspector {
    pub fn is_directory(&self) -> bool {
        self.vault.is_directory()
    }

    /// Until when everything that a backup begun at `from` refers to must be locked.
    pub fn promised(&self, from: Timestamp) -> Timestamp {
        super::promise::promised(self.vault.term(), self.slack, from)
    }

    /// By how much the lock of what a backup refers to may fall short of a whole term.
    pub fn slack(&self) -> SignedDuration {
        self.slack
    }

    pub fn term(&self) -> Term {
        self.vault.term()
    }

    /// What the vault says of its own settings, and not for ever.
    pub async fn settings(&self) -> Result<super::Protection, RoleError> {
        self.in_time(SETTINGS_WITHIN, self.vault.protection()).await
    }

    /// Judges every backup on the shelf, `first` before the others and those newest first, and hands each to `each`. One
    /// that cannot be read keeps nobody from the next. Gives how many were not looked at, because too many others
    /// turned out not to be ours; what an authentic backup names as its predecessor is looked at even so.
    pub async fn judge_each(
        &self,
        source: &SourceName,
        shelf: &Shelf,
        first: &BTreeSet<BackupId>,
        mut each: impl FnMut(&BackupId, Result<Standing, RoleError>),
    ) -> usize {
        let mut left: BTreeMap<&BackupId, &Folder> =
            shelf.folders.iter().map(|(backup, folder)| (backup, folder)).collect();
        let (known, others): (Vec<_>, Vec<_>) = shelf.folders.iter().partition(|(backup, _)| first.contains(backup));
        let silences = AtomicUsize::new(0);
        let mut doubted = 0;
        let mut links = Vec::new();
        let asked = known.into_iter().chain(others).map(|(backup, folder)| {
            let judging = self.judge_unless_silent(source, backup, folder, &silences);
            async move { (backup, folder, judging.await) }.boxed()
        });
        let mut judging = stream::iter(asked.collect::<Vec<_>>()).buffered(AT_ONCE);
        while doubted <= DOUBTED_MAX {
            let Some((backup, folder, judged)) = judging.next().await else { break };
            left.remove(backup);
            match &judged {
                Ok(Standing::Forged { .. }) => doubted += folder.seals.len().min(VERSIONS_TRIED) + 1,
                Ok(Standing::Sealed(sealed)) => links.extend(sealed.predecessor().cloned()),
                _ => {}
            }
            each(backup, judged);
        }
        drop(judging);
        while let Some(link) = links.pop().filter(|_| !left.is_empty()) {
            let Some((backup, folder)) = left.remove_entry(&link) else { continue };
            let judged = self.judge_unless_silent(source, backup, folder, &silences).await;
            if let Ok(Standing::Sealed(sealed)) = &judged {
                links.extend(sealed.predecessor().cloned());
            }
            each(backup, judged);
        }
        left.len()
    }

    async fn judge_unless_silent(
        &self,
        source: &SourceName,
        backup: &BackupId,
        folder: &Folder,
        silences: &AtomicUsize,
    ) -> Result<Standing, RoleError> {
        let judging = self.in_time(JUDGED_WITHIN, self.judge(source, backup, folder));
        self.unless_silent(silences, judging).await
    }

    /// Reads the locks of versions back, and hands each to `each` as it comes.
    pub async fn read_locks<T: Copy + Send>(
        &self,
        versions: impl IntoIterator<Item = (T, &ObjectKey, &VersionId)>,
        mut each: impl FnMut(T, Result<Lock, RoleError>),
    ) {
        let silences = AtomicUsize::new(0);
        let asked = versions.into_iter().map(|(what, key, version)| {
            let reading = self.in_time(LOCK_WITHIN, self.vault.lock_of(key, version));
            let reading = self.unless_silent(&silences, reading);
            async move { (what, reading.await) }.boxed()
        });
        let mut reading = stream::iter(asked.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
        while let Some((what, lock)) = reading.next().await {
            each(what, lock);
        }
    }

    /// `reading`, unless the vault has failed to answer too often.
    async fn unless_silent<T>(
        &self,
        silences: &AtomicUsize,
        reading: impl Future<Output = Result<T, RoleError>>,
    ) -> Result<T, RoleError> {
        if silences.load(Relaxed) >= SILENCES_MAX {
            return Err(super::silent(&self.vault, "it did not answer before".to_owned()));
        }
        let read = reading.await;
        if let Err(RoleError::Vault(VaultError::Unreachable { .. })) = &read {
            silences.fetch_add(1, Relaxed);
        }
        read
    }

    pub(super) async fn in_time<T, E: Into<RoleError>>(
        &self,
        limit: Duration,
        reading: impl Future<Output = Result<T, E>>,
    ) -> Result<T, RoleError> {
        match tokio::time::timeout(limit, reading).await {
            Ok(read) => read.map_err(Into::into),
            Err(_elapsed) => Err(self.silent_for(limit)),
        }
    }

    /// The error of a vault that has said nothing for so long.
    pub fn silent_for(&self, waited: Duration) -> RoleError {
        super::silent(&self.vault, format!("no answer for {} s", waited.as_secs()))
    }
}
