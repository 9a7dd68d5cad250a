//! shelf: the file work of a directory vault: written whole, synced, named once, made immutable.

use super::{
    file,
    stamp::{self, Stamp},
};
use crate::{
    clock::{Clock, Timestamp},
    digest::Md5,
    layout::ObjectKey,
    term::Term,
    vault::{About, Lock, LockMode, Note, ObjectVersion, Placed, Protection, VaultError, VersionId},
};
use bytes::Bytes;
use rustix::{
    fs::ioctl_getflags,
    thread::{CapabilitySet, capabilities},
};
use std::{
    fs::{self, DirEntry, File},
    io::{self, Read},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// The version of a file that we did not name, as S3 calls one from before versioning. It cannot be read by it.
const NO_VERSION: &str = "null";

/// A root folder and the term of what is put there.
pub struct Shelf {
    pub vault: String,
    pub term: Term,
    pub root: PathBuf,
    pub clock: Clock,
}

impl Shelf {
    pub fn put(&self, key: &ObjectKey, body: &[u8], md5: Md5) -> Result<Placed, VaultError> {
        const ACTION: &str = "deposit";
        let target = self.path_of(ACTION, key.as_str())?;
        let found = Md5::of(body);
        if found != md5 {
            return Err(self.failed(ACTION, key.as_str(), format!("the body's MD5 is {found}, not {md5}")));
        }
        let folder = target.parent().unwrap_or(&self.root);
        let stamp = self
            .write_once(folder, &target, body)
            .map_err(|error| self.trouble(ACTION, key.as_str(), folder, &error))?;
        Ok(Placed { version: stamp.version(), server_time: stamp.deposited_at })
    }

    pub fn lock_of(&self, key: &ObjectKey, version: &VersionId) -> Result<Lock, VaultError> {
        const ACTION: &str = "reading the lock";
        let (file, stamp) = self.open(ACTION, key, version)?;
        match file::is_immutable(&file) {
            Ok(true) => Ok(Lock { mode: LockMode::ImmutableFlag, until: Some(stamp.lock_ends_at) }),
            Ok(false) => Ok(Lock::NONE),
            Err(error) => Err(self.trouble(ACTION, key.as_str(), &self.root, &error)),
        }
    }

    pub fn get(&self, key: &ObjectKey, version: &VersionId, limit: u64) -> Result<Bytes, VaultError> {
        const ACTION: &str = "reading";
        let too_large = || VaultError::TooLarge { vault: self.vault.clone(), key: key.clone(), limit };
        let (file, _) = self.open(ACTION, key, version)?;
        let unreadable = |error: io::Error| self.trouble(ACTION, key.as_str(), &self.root, &error);
        let size = file.metadata().map_err(unreadable)?.len();
        if size > limit {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // A file without the flag may grow while we read.
        file.take(limit.saturating_add(1)).read_to_end(&mut body).map_err(unreadable)?;
        if body.len() as u64 > limit { Err(too_large()) } else { Ok(body.into()) }
    }

    pub fn versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>, VaultError> {
        self.require_root()?;
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let start = if folder.is_empty() { self.root.clone() } else { self.path_of("listing", folder)? };
        let mut found = Vec::new();
        let mut folders = vec![start];
        while let Some(folder) = folders.pop() {
            self.list(&folder, prefix, &mut folders, &mut found)
                .map_err(|error| self.trouble("listing", prefix, &folder, &error))?;
        }
        found.sort_by(|a, b| {
            (a.key.as_str(), a.last_modified, &a.version.0).cmp(&(b.key.as_str(), b.last_modified, &b.version.0))
        });
        Ok(found)
    }

    pub fn protection(&self) -> Result<Protection, VaultError> {
        self.require_root()?;
        let root =
            File::open(&self.root).map_err(|error| self.trouble("reading the settings", ".", &self.root, &error))?;
        let may_set = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::LINUX_IMMUTABLE));
        let held = if ioctl_getflags(&root).is_err() {
            "not immutable: the file system has no immutable flag"
        } else if !may_set {
            "not immutable: this process may not set the flag (CAP_LINUX_IMMUTABLE)"
        } else {
            "held by the immutable flag: root on this machine can still remove it"
        };
        let lapsing = "a directory has no lifecycle: lapsed files stay until root removes them";
        let notes = [held, lapsing].map(|text| Note::new(About::Nature, text)).into();
        Ok(Protection { faults: Vec::new(), notes, clock_skew_secs: Some(0) })
    }

    /// One folder's files that match, and its folders for later. Symbolic links are entries, never followed.
    fn list(
        &self,
        folder: &Path,
        prefix: &str,
        folders: &mut Vec<PathBuf>,
        found: &mut Vec<ObjectVersion>,
    ) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()), // nothing was put there
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
                continue;
            }
            found.extend(self.read_entry(&entry, prefix)?);
        }
        Ok(())
    }

    fn read_entry(&self, entry: &DirEntry, prefix: &str) -> io::Result<Option<ObjectVersion>> {
        let path = entry.path();
        let name = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy();
        let unfinished = entry.file_name().as_encoded_bytes().starts_with(file::UNFINISHED.as_bytes());
        if unfinished || !name.starts_with(prefix) {
            return Ok(None);
        }
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None), // lapsed, and just removed
            metadata => metadata?,
        };
        let (key, stamp) = stamp::read_name(&name);
        let (version, last_modified) = match stamp {
            Some(stamp) => (stamp.version(), stamp.deposited_at),
            None => {
                let modified = Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?;
                (VersionId(NO_VERSION.to_owned()), modified)
            }
        };
        Ok(Some(ObjectVersion {
            key,
            version,
            size: metadata.len(),
            last_modified,
            marker: false,
            etag: None,
            storage_class: None,
        }))
    }

    /// A crash before the name leaves a temporary file, one before the flag a version without a lock: both show.
    fn write_once(&self, folder: &Path, target: &Path, body: &[u8]) -> io::Result<Stamp> {
        file::make_folder(folder)?;
        let unnamed = file::write_unnamed(folder, body)?;
        let (file, stamp) = self.name_once(unnamed, target)?;
        file::sync_folder(folder)?;
        file::make_immutable(&file)?;
        Ok(stamp)
    }

    /// Gives a finished file its name; a name that is taken is never written over.
    fn name_once(&self, mut unnamed: NamedTempFile, target: &Path) -> io::Result<(File, Stamp)> {
        let mut stamp = Stamp::new(self.clock.now(), self.term);
        loop {
            let mut name = target.as_os_str().to_owned();
            name.push(format!("@{}", stamp.version().0));
            match unnamed.persist_noclobber(&name) {
                Ok(file) => return Ok((file, stamp)),
                Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                    unnamed = taken.file;
                    stamp = stamp.next(self.term);
                }
                Err(failed) => return Err(failed.error),
            }
        }
    }
}
