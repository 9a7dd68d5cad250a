//! place: where a version's file is, below the root and nowhere else, and what went wrong there.

use super::{shelf::Shelf, stamp::Stamp};
use crate::{
    layout::ObjectKey,
    vault::{VaultError, VersionId},
};
use rustix::fs::OFlags;
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

impl Shelf {
    pub fn require_root(&self) -> Result<(), VaultError> {
        if self.root.is_dir() {
            return Ok(());
        }
        let place = format!("directory {}", self.root.display());
        Err(VaultError::NoSuchVault { vault: self.vault.clone(), place })
    }

    /// The path of `key`, which must stay below the root: listed keys may come from anybody.
    pub fn path_of(&self, action: &'static str, key: &str) -> Result<PathBuf, VaultError> {
        self.require_root()?;
        if key.split('/').any(|part| matches!(part, "" | "." | "..") || part.contains('\0')) {
            return Err(self.failed(action, key, "the key does not stay below the vault's root".into()));
        }
        Ok(self.root.join(key))
    }

    /// Opens one version's file. A version id that is not a stamp names nothing of ours.
    pub fn open(
        &self,
        action: &'static str,
        key: &ObjectKey,
        version: &VersionId,
    ) -> Result<(File, Stamp), VaultError> {
        let missing = || VaultError::Missing { vault: self.vault.clone(), key: key.clone(), version: version.clone() };
        let mut path = self.path_of(action, key.as_str())?.into_os_string();
        let stamp = Stamp::parse(&version.0).ok_or_else(missing)?;
        path.push(format!("@{}", version.0));
        let path = PathBuf::from(path);
        // A symbolic link in a file's place is not what was put there.
        let opened = OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(&path);
        match opened {
            Ok(file) => Ok((file, stamp)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
            Err(error) => Err(self.trouble(action, key.as_str(), &path, &error)),
        }
    }

    pub fn trouble(&self, action: &'static str, key: &str, path: &Path, error: &io::Error) -> VaultError {
        let why = format!("{}: {error}", path.display());
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                VaultError::Denied { vault: self.vault.clone(), action, key: key.to_owned(), why }
            }
            _ => self.failed(action, key, why),
        }
    }

    pub fn failed(&self, action: &'static str, key: &str, why: String) -> VaultError {
        VaultError::Failed { vault: self.vault.clone(), action, key: key.to_owned(), why }
    }
}
