//! verbs: each command from a checked plan to its journey.

mod confirming;
mod keeping;
mod proving;
mod reading;
mod runbook;
mod watching;

use super::{Failure, show};
use crate::{
    check,
    clock::Clock,
    config::{DepositorKeys, Keys, Plan, Role, SourcePlan},
    failure::{Explain, Kind},
    health::shortened,
    keyring::KeyError,
    layout::{BackupId, SourceName},
    role::{Depositor, Inspector},
    secret::{self},
    source::postgres::BadAddress,
};
use std::sync::Arc;

pub struct Door {
    pub clock: Clock,
    pub json: bool,
}

/// What was asked for does not fit the configuration.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    #[error("this is the configuration of the {found}, and {verb} is done by the {wanted}")]
    WrongRole { verb: &'static str, found: Role, wanted: &'static str },
    #[error("no source `{0}` in the configuration")]
    NoSuchSource(SourceName),
    #[error("no vault `{0}` in the configuration")]
    NoSuchVault(String),
    #[error("no backup of `{0}` waits to be accepted")]
    NothingSuspect(SourceName),
    #[error("not {asked}, but {backup} waits to be accepted: {}", shortened(.suspicions))]
    NotTheSuspect { asked: BackupId, backup: BackupId, suspicions: Vec<String> },
    #[error("no report tells of a backup of `{0}` that was proven and is still there")]
    NothingProven(SourceName),
    #[error("no sealed backup {0} in any vault of the configuration")]
    NoSuchBackup(BackupId),
    #[error("{path}: {why}")]
    Identity { path: String, why: KeyError },
    #[error("--to: {0}")]
    To(BadAddress),
    #[error("--password-file: {0}")]
    Password(secret::SecretError),
    #[error("--jobs must be 1 to 64")]
    Jobs,
}

impl Explain for VerbError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoSuchBackup(_) | Self::NothingProven(_) | Self::NothingSuspect(_) | Self::NotTheSuspect { .. } => {
                Kind::Failed
            }
            _ => Kind::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::WrongRole { found, wanted, .. } => {
                let why = if *found == Role::Depositor { " The depositor cannot read, on purpose." } else { "" };
                Some(format!("Give the configuration of the {wanted} with -c: no host needs two.{why}"))
            }
            Self::NothingProven(_) => Some(
                "`strongroom drill` proves one; reports are read out of the vault with `keys.report`, and of this host.".into(),
            ),
            Self::NoSuchBackup(_) => Some("`strongroom list` shows what there is.".into()),
            Self::Identity { why, .. } => why.hint(),
            Self::To(error) => error.hint(),
            Self::Password(error) => error.hint(),
            Self::NotTheSuspect { backup, .. } => {
                Some(format!("Look at the database; if that is as it should be, too, accept {backup}."))
            }
            Self::NothingSuspect(_) => Some("The newest backup is not suspect, or was accepted already.".into()),
            Self::NoSuchSource(_) | Self::NoSuchVault(_) | Self::Jobs => None,
        }
    }
}

impl Door {
    pub async fn check(&self, plan: Plan) -> Result<u8, Failure> {
        let mut found = Vec::new();
        if plan.role() == Role::Restorer {
            found.push(check::drills(plan.drill.sandbox).await);
        }
        let sources: Vec<&SourceName> = plan.sources.iter().map(|source| &source.name).collect();
        match plan.keys {
            Keys::Depositor(keys) => {
                let DepositorKeys { signing, .. } = *keys;
                let signing = Arc::new(signing);
                found.push(check::state_dir(&plan.state_dir));
                for source in &plan.sources {
                    if let Some(dump) = &source.dump {
                        found.extend(check::source(&source.name, &dump.postgres).await);
                        let (schedule, now) = (dump.schedule.as_ref(), self.clock.now());
                        found.extend(check::timing(source.name.as_str(), schedule, &dump.time_zone, now));
                    }
                }
                for vault in &plan.vaults {
                    found.extend(check::credential(&vault.name, vault.credential_expires_at(), self.clock.now()));
                    let depositor = Depositor::open(vault, Arc::clone(&signing), self.clock)?;
                    found.extend(check::deposit(&depositor).await);
                }
            }
            Keys::Inspector { verifying, .. } | Keys::Restorer { verifying, .. } => {
                for source in &plan.sources {
                    let said = source.objectives.recovery_point.is_some();
                    found.extend((!said).then(|| check::unasked(&source.name, watching::RECOVERY_POINT_UNASKED)));
                }
                for vault in &plan.vaults {
                    found.extend(check::credential(&vault.name, vault.credential_expires_at(), self.clock.now()));
                    let inspector = Inspector::open(vault, verifying.clone(), self.clock)?;
                    found.extend(check::reading(&inspector, &sources).await);
                }
            }
        }
        show::check(&found, self.json)?;
        Ok(found.iter().find_map(|found| found.kind).map_or(0, |kind| kind as u8))
    }
}

/// The named sources in the configuration's order, or all.
fn chosen<'a>(sources: &'a [SourcePlan], wanted: &[SourceName]) -> Result<Vec<&'a SourcePlan>, VerbError> {
    if let Some(unknown) = wanted.iter().find(|name| !sources.iter().any(|source| source.name == **name)) {
        return Err(VerbError::NoSuchSource(unknown.clone()));
    }
    Ok(sources.iter().filter(|source| wanted.is_empty() || wanted.contains(&source.name)).collect())
}
