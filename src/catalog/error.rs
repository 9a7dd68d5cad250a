//! error: what can be wrong with the catalog, told apart by what its reader can do about it.

use crate::{
    failure::{Explain, Kind},
    layout::SourceName,
};
use std::{
    io,
    path::{Path, PathBuf},
};

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("cannot use {path}")]
    Unusable { path: PathBuf, source: io::Error },
    #[error("cannot use {path}: {why}")]
    Refused { path: PathBuf, why: String },
    #[error("{path} is of version {found}; this strongroom knows version {known}")]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("the disk is full: no room to write {path}")]
    DiskFull { path: PathBuf },
    #[error("other processes kept {path} busy for too long")]
    Occupied { path: PathBuf },
    #[error("{path} was replaced while we had it open")]
    Replaced { path: PathBuf },
    #[error("{path} is damaged: {why}")]
    Damaged { path: PathBuf, why: String },
    #[error("the catalog {path} failed: {why}")]
    Failed { path: PathBuf, why: String },
    #[error("another backup of `{0}` is running")]
    Busy(SourceName),
}

impl CatalogError {
    /// What a system call on `path` said.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Unusable { path, source },
        }
    }

    /// What SQLite said.
    pub(super) fn sqlite(path: &Path, error: sqlx::Error) -> Self {
        let (path, why) = (path.to_owned(), said(&error));
        match Class::of(&error) {
            Class::Full => Self::DiskFull { path },
            Class::Occupied => Self::Occupied { path },
            Class::Refused => Self::Refused { path, why },
            Class::Damaged => Self::Damaged { path, why },
            Class::Other => Self::Failed { path, why },
        }
    }
}

impl Explain for CatalogError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unusable { .. } | Self::Refused { .. } | Self::Newer { .. } => Kind::Settings,
            Self::DiskFull { .. }
            | Self::Occupied { .. }
            | Self::Replaced { .. }
            | Self::Damaged { .. }
            | Self::Failed { .. }
            | Self::Busy(_) => Kind::Failed,
        }
    }

    /// The next run opens the catalog anew, and sets aside what cannot be read.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unusable { .. } | Self::Refused { .. } | Self::Newer { .. } => false,
            Self::DiskFull { .. }
            | Self::Occupied { .. }
            | Self::Replaced { .. }
            | Self::Damaged { .. }
            | Self::Failed { .. }
            | Self::Busy(_) => true,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unusable { .. } | Self::Refused { .. } => {
                "state_dir must be a folder that this user may write, and so must the files in it."
            }
            Self::Newer { .. } => {
                "A newer strongroom wrote it: use that one. It was not touched. With the file moved away, a new catalog \
                 and new chains begin."
            }
            Self::DiskFull { .. } => "Make room on the disk of state_dir; the catalog itself is as it was.",
            Self::Occupied { .. } => "Look for a strongroom that hangs, or a sqlite3 that keeps a transaction open.",
            Self::Replaced { .. } => "Start again: the file that is there now is opened.",
            Self::Damaged { .. } => {
                "The next start sets it aside where SQLite cannot read it; otherwise move it away. Restores do not need it."
            }
            Self::Failed { .. } => "Look at the disk of state_dir; restores do not need the catalog.",
            Self::Busy(_) => "One run for each source at a time: wait for it to end.",
        };
        Some(hint.into())
    }
}

/// SQLite's result codes, by what they mean to us (sqlite.org/rescode.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Full,
    Occupied,
    Refused,
    /// Not a database, or not what one looks like inside.
    Damaged,
    Other,
}

impl Class {
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Occupied,
            // A value that our schema allows and our types do not.
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Damaged,
            sqlx::Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => Self::Full,
            sqlx::Error::Io(_) => Self::Refused,
            sqlx::Error::Database(error) => {
                let code: i32 = error.code().and_then(|code| code.parse().ok()).unwrap_or_default();
                match code & 0xff {
                    13 => Self::Full,
                    // No room for the index of the write-ahead log (IOERR_SHMSIZE).
                    _ if code == 4874 => Self::Full,
                    5 | 6 => Self::Occupied,
                    3 | 8 | 14 | 23 => Self::Refused,
                    11 | 24 | 26 => Self::Damaged,
                    _ => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }
}

/// SQLite's own words, without sqlx's around them.
pub(super) fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}
