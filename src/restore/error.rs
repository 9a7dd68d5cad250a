//! error: why a restore did not begin, or what it left unfinished.

use crate::{
    failure::{Explain, Kind},
    health::shortened,
    layout::BackupId,
    role::RoleError,
    source::postgres::PostgresError,
};
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Vault(#[from] RoleError),
    #[error(transparent)]
    Target(#[from] PostgresError),
    #[error("the backup {backup} is suspect: {}", shortened(.suspicions))]
    Suspect { backup: BackupId, suspicions: Vec<String>, good: Option<BackupId> },
    #[error("database `{database}` is INCOMPLETE: restoring {step} failed")]
    Incomplete { database: String, step: &'static str, source: Box<RestoreError> },
    #[error("database `{database}` is INCOMPLETE: it differs from the backup: {}", .differences.join("; "))]
    Differs { database: String, differences: Vec<String> },
    #[error("{step}")]
    Machine { step: &'static str, source: io::Error },
}

impl Explain for RestoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::Vault(error) => error.kind(),
            Self::Target(error) => error.kind(),
            Self::Incomplete { source, .. } => source.kind(),
            Self::Suspect { .. } => Kind::Suspect,
            Self::Differs { .. } => Kind::Mismatch,
            Self::Machine { .. } => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Vault(error) => error.hint(),
            Self::Target(error) => error.hint(),
            Self::Incomplete { source, .. } => {
                let drop_it = "Drop the database before the next try; nothing in the vault was changed.";
                Some(source.hint().map_or(drop_it.to_owned(), |hint| format!("{hint} {drop_it}")))
            }
            Self::Suspect { backup, good: Some(good), .. } => Some(format!(
                "Nothing was changed. Restore the last good one with `--at {good}`, or this one all the same with \
                 `--at {backup}`."
            )),
            Self::Suspect { backup, good: None, .. } => {
                Some(format!("Nothing was changed, and there is no good one before it. `--at {backup}` restores it."))
            }
            Self::Differs { .. } => {
                Some("Do not use this database as it is: restore again, or restore another backup.".into())
            }
            Self::Machine { .. } => None,
        }
    }
}
