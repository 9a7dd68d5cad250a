//! programs: where the server of one major version is.

use super::ScratchError;
use crate::source::postgres::clients::{candidates, version_in};
use std::path::{Path, PathBuf};

/// The folder of initdb and postgres, of exactly one major version: what a newer one reads is not what was backed up.
#[derive(Clone, Debug)]
pub struct Programs {
    pub folder: PathBuf,
    pub major: u32,
}

impl Programs {
    /// Looks in `client_path`, where packages put it, and in `path`.
    pub async fn find(major: u32, client_path: &[PathBuf], path: &[PathBuf]) -> Result<Self, ScratchError> {
        let mut searched: Vec<PathBuf> = Vec::new();
        for folder in client_path.iter().chain(&candidates(major, &[])).chain(path) {
            if searched.contains(folder) {
                continue;
            }
            searched.push(folder.clone());
            if has(folder, major).await? {
                // A sandbox shows folders by the paths that they really have.
                let really = |source| ScratchError::Machine { step: "looking at PostgreSQL's folder".into(), source };
                return Ok(Self { folder: folder.canonicalize().map_err(really)?, major });
            }
        }
        Err(ScratchError::NoServer { major, searched })
    }
}

async fn has(folder: &Path, major: u32) -> Result<bool, ScratchError> {
    if !folder.join("initdb").is_file() {
        return Ok(false);
    }
    Ok(version_in(folder, "postgres").await?.is_some_and(|(found, _)| found == major))
}
