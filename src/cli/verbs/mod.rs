//! verbs: each command from a checked plan to its journey.

mod reading;

use super::{Failure, arguments::BackupOptions, bar, show};
use crate::{
    backup::{self, Destination, Job},
    check,
    clock::Clock,
    config::{DepositorKeys, Keys, Plan, Role, SourcePlan},
    failure::{Explain, Kind},
    keyring::KeyError,
    layout::{BackupId, SourceName},
    progress::Progress,
    role::{Depositor, Inspector},
    secret::{self},
    segment::Packer,
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
            Self::NoSuchBackup(_) => Kind::Failed,
            _ => Kind::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::WrongRole { wanted, .. } => Some(format!(
                "Give that one with -c; no host needs both. A depositor cannot read, on purpose ({wanted})."
            )),
            Self::NoSuchBackup(_) => Some("`strongroom list` shows what there is.".into()),
            Self::Identity { why, .. } => why.hint(),
            Self::To(error) => error.hint(),
            Self::Password(error) => error.hint(),
            Self::NoSuchSource(_) | Self::NoSuchVault(_) | Self::Jobs => None,
        }
    }
}

impl Door {
    pub async fn check(&self, plan: Plan) -> Result<u8, Failure> {
        let mut found = Vec::new();
        let sources: Vec<&SourceName> = plan.sources.iter().map(|source| &source.name).collect();
        match plan.keys {
            Keys::Depositor(keys) => {
                let DepositorKeys { signing, .. } = *keys;
                let signing = Arc::new(signing);
                for source in &plan.sources {
                    if let Some(dump) = &source.dump {
                        found.extend(check::source(&source.name, &dump.postgres).await);
                        let (schedule, now) = (dump.schedule.as_ref(), self.clock.now());
                        found.extend(check::timing(source.name.as_str(), schedule, &dump.time_zone, now));
                    }
                }
                for vault in &plan.vaults {
                    let depositor = Depositor::open(vault, Arc::clone(&signing), self.clock)?;
                    found.extend(check::deposit(&depositor).await);
                }
            }
            Keys::Inspector { verifying } | Keys::Restorer { verifying, .. } => {
                for vault in &plan.vaults {
                    let inspector = Inspector::open(vault, verifying.clone(), self.clock)?;
                    found.extend(check::reading(&inspector, &sources).await);
                }
            }
        }
        show::check(&found, self.json)?;
        Ok(found.iter().find_map(|found| found.kind).map_or(0, |kind| kind as u8))
    }

    pub async fn backup(&self, plan: Plan, options: &BackupOptions) -> Result<u8, Failure> {
        let found = plan.role();
        let Keys::Depositor(keys) = plan.keys else {
            return Err(VerbError::WrongRole { verb: "backup", found, wanted: "depositor" }.into());
        };
        let DepositorKeys { recipients, signing, digest } = *keys;
        let signing = Arc::new(signing);
        let packer = Packer::new(recipients, digest);
        let sources = chosen(&plan.sources, &options.sources)?;
        let mut ended = Vec::new();
        for source in sources {
            let Some(dump) = &source.dump else { continue };
            let mut destinations = Vec::new();
            for deposit in &source.deposits {
                let depositor = Depositor::open(&plan.vaults[deposit.vault], Arc::clone(&signing), self.clock)?;
                destinations.push(Destination { depositor, every: deposit.every });
            }
            let job = Job {
                source: source.name.clone(),
                postgres: &dump.postgres,
                destinations,
                needed: source.needed,
                packer: packer.clone(),
                state_dir: &plan.state_dir,
                clock: self.clock,
                random: super::random,
            };
            let progress = Arc::new(Progress::default());
            let title = format!("backup {}", source.name);
            let report = bar::watch(&title, &progress, self.json, backup::backup(&job, &progress)).await;
            let report = report.map_err(Failure::from);
            ended.push((source.name.clone(), report));
        }
        show::backups(&ended, self.json)?;
        Ok(exit_code(&ended))
    }
}

/// The named sources in the configuration's order, or all.
fn chosen<'a>(sources: &'a [SourcePlan], wanted: &[SourceName]) -> Result<Vec<&'a SourcePlan>, VerbError> {
    if let Some(unknown) = wanted.iter().find(|name| !sources.iter().any(|source| source.name == **name)) {
        return Err(VerbError::NoSuchSource(unknown.clone()));
    }
    Ok(sources.iter().filter(|source| wanted.is_empty() || wanted.contains(&source.name)).collect())
}

/// 0 where every source is sealed in every vault; the error's own code where there is one source; 3 where some failed.
fn exit_code(ended: &[(SourceName, Result<backup::Report, Failure>)]) -> u8 {
    let codes: Vec<u8> = ended
        .iter()
        .map(|(_, ended)| match ended {
            Err(failure) => failure.kind() as u8,
            Ok(report) => match report.failures().next() {
                None => 0,
                Some((_, error)) if report.holding() < report.needed => error.kind() as u8,
                Some(_) => Kind::SomeFailed as u8,
            },
        })
        .collect();
    match codes[..] {
        [one] => one,
        _ if codes.iter().all(|code| *code == 0) => 0,
        _ => Kind::SomeFailed as u8,
    }
}
