//! error: why there is no scratch server, or no longer.

use crate::{
    failure::{Explain, Kind},
    source::{postgres::PostgresError, sandbox::CageError},
};
use bytesize::ByteSize;
use std::{io, path::PathBuf, process::ExitStatus};

#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    #[error("no PostgreSQL {major} server is installed here: looked in {}", folders(.searched))]
    NoServer { major: u32, searched: Vec<PathBuf> },
    #[error("a scratch server needs {}, and has {}", ByteSize(*.needed), ByteSize(*.free))]
    NoRoom { needed: u64, free: u64 },
    #[error("{folder} makes the path of a unix socket too long: {bytes} bytes, of at most {max}")]
    PathTooLong { folder: PathBuf, bytes: usize, max: usize },
    #[error("{folder} is not a path in UTF-8")]
    NotText { folder: PathBuf },
    #[error("user `{user}`, whom root runs a scratch server as, cannot pass through {folder}")]
    NotPassable { folder: PathBuf, user: String },
    #[error("{folder} can be changed by every user")]
    OpenToOthers { folder: PathBuf },
    #[error("another drill has held {folder} for {seconds} s")]
    Held { folder: PathBuf, seconds: u64 },
    #[error("the scratch server did not start: {why}{}", said(.log))]
    NotStarted { why: String, log: String },
    #[error(transparent)]
    Cage(#[from] CageError),
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    #[error("{folder} could not be removed: {said}")]
    NotRemoved { folder: PathBuf, said: String },
    #[error("{step}")]
    Machine { step: String, source: io::Error },
}

/// Why a scratch server that was there can do no more.
#[derive(Debug, thiserror::Error)]
pub enum ScratchEnd {
    #[error("the scratch server died with {status}{}", said(.log))]
    Died { status: ExitStatus, log: String },
    #[error("the scratch server filled its disk: {} used, {} free", ByteSize(*.used), ByteSize(*.free))]
    DiskFull { used: u64, free: u64 },
    #[error("the scratch server's folder cannot be measured")]
    Unmeasured { source: io::Error },
}

fn folders(searched: &[PathBuf]) -> String {
    searched.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn said(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!("; its log ends with:\n{log}") }
}

impl Explain for ScratchError {
    fn kind(&self) -> Kind {
        match self {
            Self::Cage(error) => error.kind(),
            Self::Postgres(error) => error.kind(),
            Self::NoServer { .. }
            | Self::PathTooLong { .. }
            | Self::NotText { .. }
            | Self::NotPassable { .. }
            | Self::OpenToOthers { .. } => Kind::Settings,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Cage(error) => return error.hint(),
            Self::Postgres(error) => return error.hint(),
            Self::NoServer { major, .. } => {
                return Some(format!(
                    "Install Debian's package postgresql-{major}, or name the folder of its programs in client_path."
                ));
            }
            Self::NoRoom { .. } => "Make room, raise `disk`, or let scratch_dir be on another disk.",
            Self::PathTooLong { .. } | Self::NotText { .. } => {
                "Let scratch_dir be a short path, such as /var/lib/drill."
            }
            Self::NotPassable { .. } => {
                "Let scratch_dir be where all users may pass through (chmod o+x), or run as another user than root."
            }
            Self::OpenToOthers { .. } => "Let scratch_dir be a folder of this user's own: chmod o-w.",
            Self::Held { .. } => "See which process holds it: `fuser DIR`.",
            Self::NotRemoved { .. } => "Remove it by hand: it holds restored data.",
            Self::NotStarted { .. } | Self::Machine { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

impl Explain for ScratchEnd {
    fn kind(&self) -> Kind {
        Kind::Failed
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::DiskFull { .. } => Some("Make room, raise `disk`, or let scratch_dir be on another disk.".into()),
            _ => None,
        }
    }
}
