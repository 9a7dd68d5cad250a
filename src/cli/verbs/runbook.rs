//! runbook: writes the incident page of a configuration, and puts it under lock beside the backups.

use super::{Door, VerbError};
use crate::cli::{Failure, arguments::RunbookOptions, runbook, show};
use crate::{
    config::{BadConfig, Keys, Plan, Role, Whence},
    failure::{Explain, Kind},
    keyring::SigningKey,
    layout::BackupId,
    role::{Depositor, Held, RoleError},
    vault::VaultSettings,
};
use bytes::Bytes;
use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What every byte in a vault means.
const FORMAT: &str = include_str!("../../manifest.md");

#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct NotWritten {
    path: PathBuf,
    source: io::Error,
}

impl Explain for NotWritten {
    fn kind(&self) -> Kind {
        if self.source.kind() == io::ErrorKind::AlreadyExists { Kind::Settings } else { Kind::Failed }
    }

    fn hint(&self) -> Option<String> {
        let exists = self.source.kind() == io::ErrorKind::AlreadyExists;
        exists.then(|| "Name a new file: nothing is overwritten.".to_owned())
    }
}

impl Door {
    pub async fn runbook(&self, plan: Plan, config: &Path, options: &RunbookOptions) -> Result<u8, Failure> {
        if options.deposit && plan.role() != Role::Depositor {
            let (verb, found) = ("runbook --deposit", plan.role());
            return Err(VerbError::WrongRole { verb, found, wanted: "depositor" }.into());
        }
        let (verifying, recipients) = match &plan.keys {
            Keys::Depositor(keys) => (keys.signing.verifying(), keys.recipients.names()),
            Keys::Inspector { verifying, .. } => (verifying.clone(), Vec::new()),
            Keys::Restorer { verifying, identities, .. } => (verifying.clone(), identities.recipients()),
        };
        let path = |source| BadConfig::Unreadable { file: config.to_owned(), source };
        let page = runbook::page(&runbook::Facts {
            plan: &plan,
            whence: &Whence::read(config)?,
            config: &config.canonicalize().map_err(path)?,
            verifying: &verifying,
            recipients: &recipients,
            host: &rustix::system::uname().nodename().to_string_lossy(),
            at: self.clock.now(),
        });
        if let Some(path) = &options.output {
            write_new(path, &page).map_err(|source| NotWritten { path: path.clone(), source })?;
        }
        let mut deposits = Vec::new();
        if let (true, Plan { keys: Keys::Depositor(keys), vaults, .. }) = (options.deposit, plan) {
            let stamp = BackupId::new(self.clock.now(), crate::cli::random());
            let names = keys.recipients.names().join("\n") + "\n";
            let files = [
                ("RUNBOOK.md", page.clone()),
                ("FORMAT.md", FORMAT.to_owned()),
                ("recipients.txt", names),
                ("signing.pub", verifying.text()),
            ];
            let signing = Arc::new(keys.signing);
            for vault in &vaults {
                // The other vaults get theirs.
                let held = self.deposit(vault, &signing, &stamp, &files).await;
                deposits.push((vault.name.clone(), held.map_err(Failure::from)));
            }
        }
        show::runbook(&page, options.output.as_deref(), &deposits, self.json)?;
        Ok(exit_code(&deposits))
    }

    /// Puts the files under lock in one vault.
    async fn deposit(
        &self,
        vault: &VaultSettings,
        signing: &Arc<SigningKey>,
        stamp: &BackupId,
        files: &[(&str, String)],
    ) -> Result<Vec<Held>, RoleError> {
        let depositor = Depositor::open(vault, Arc::clone(signing), self.clock)?;
        depositor.insist_protected().await?;
        let mut held = Vec::new();
        for (file, text) in files {
            held.push(depositor.deposit_for_people(stamp, file, Bytes::from(text.clone())).await?);
        }
        Ok(held)
    }
}

/// 0 where every vault took it; the vault's own code where there is one; 3 where some did.
fn exit_code(deposits: &[(String, Result<Vec<Held>, Failure>)]) -> u8 {
    let failed: Vec<_> = deposits.iter().filter_map(|(_, held)| held.as_ref().err()).collect();
    match failed[..] {
        [] => 0,
        [first, ..] if failed.len() == deposits.len() => first.kind() as u8,
        _ => Kind::SomeFailed as u8,
    }
}

fn write_new(path: &Path, page: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(page.as_bytes())?;
    file.sync_all()
}
