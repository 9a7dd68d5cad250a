//! reading: the verbs of inspectors and restorers: list, show, restore, fetch.

use super::{Door, VerbError, chosen, proving};
use crate::cli::{
    Failure,
    arguments::{FetchOptions, ListOptions, RestoreOptions, ShowOptions},
    bar, show,
};
use crate::{
    config::{Keys, Plan, Role, SourcePlan},
    failure::Kind,
    fetch,
    keyring::{Identities, SigningKey, VerifyingKey},
    layout::{BackupId, SourceName},
    progress::Progress,
    restore::{self, Order},
    role::{Inspector, Restorer, RoleError, Sealed, Select, Standing, VaultSettings},
    secret::{self, Secret},
    source::postgres::{Address, Ownership},
};
use std::{path::Path, sync::Arc};

impl Door {
    pub async fn list(&self, plan: Plan, options: &ListOptions) -> Result<u8, Failure> {
        let inspectors = self.inspectors(&plan, "list", options.vault.as_deref())?;
        let wanted: Vec<SourceName> = options.source.iter().cloned().collect();
        let (mut shelves, mut unread) = (Vec::new(), Vec::new());
        for inspector in &inspectors {
            for source in chosen(&plan.sources, &wanted)? {
                match listed(inspector, source, options.limit).await {
                    Ok(listed) => shelves.push(listed),
                    // The other vaults have theirs to show.
                    Err(error) => unread.push(error),
                }
            }
        }
        if !shelves.is_empty() {
            show::list(&shelves, self.clock.now(), self.json)?;
        }
        let some_failed = !shelves.is_empty() && !unread.is_empty();
        let mut unread = unread.into_iter();
        let last = unread.next_back();
        unread.for_each(|error| show::failure(&error.into(), self.json));
        match last {
            Some(error) if some_failed => {
                show::failure(&error.into(), self.json);
                return Ok(Kind::SomeFailed as u8);
            }
            Some(error) => return Err(error.into()),
            None => {}
        }
        let damaged = shelves
            .iter()
            .flat_map(|listed| &listed.backups)
            .any(|(_, standing)| matches!(standing, Standing::Damaged { .. }));
        Ok(if damaged { Kind::Mismatch as u8 } else { 0 })
    }

    pub async fn show(&self, plan: Plan, options: &ShowOptions) -> Result<u8, Failure> {
        let vault = options.vault.as_deref();
        if plan.role() == Role::Inspector && options.identity.is_none() {
            let inspectors = self.inspectors(&plan, "show", vault)?;
            for inspector in &inspectors {
                if let Some(sealed) = find(inspector, &plan.sources, &options.backup).await? {
                    show::backup(inspector.vault(), &sealed, None, self.json)?;
                    return Ok(0);
                }
            }
            return Err(VerbError::NoSuchBackup(options.backup.clone()).into());
        }
        let (restorer, sealed) =
            self.find_to_open(plan, "show", vault, options.identity.as_deref(), &options.backup).await?;
        let opened = restorer.open_closed(sealed)?;
        show::backup(restorer.inspector().vault(), &opened.sealed, Some(&opened.closed), self.json)?;
        Ok(0)
    }

    pub async fn restore(&self, plan: Plan, options: &RestoreOptions) -> Result<u8, Failure> {
        let source = chosen(&plan.sources, std::slice::from_ref(&options.source))?;
        let source = source.first().ok_or_else(|| VerbError::NoSuchSource(options.source.clone()))?;
        let at_vault = plan.vaults[vault_index(&plan.vaults, source, options.vault.as_deref())?].clone();
        let select = self.select_of(&plan, &at_vault, options).await?;
        let order = Order {
            source: options.source.clone(),
            select,
            to: address(&options.to, options.password_file.as_deref())?,
            tables: options.tables.clone(),
            jobs: jobs(options.jobs)?,
            ownership: Ownership {
                no_owner: options.no_owner,
                no_privileges: options.no_privileges,
                role: options.role.clone(),
            },
            globals: options.globals,
            client_path: source.client_path.clone(),
            clients: None,
            in_place: false,
            checks: source.checks.clone(),
        };
        let restorer = self.restorer(plan, "restore", &at_vault, options.identity.as_deref())?;
        let prepared = restore::prepare(&restorer, &order).await?;
        if options.plan {
            show::restore(&prepared.plan(&order), self.json)?;
            return Ok(0);
        }
        let progress = Arc::new(Progress::default());
        let title = format!("restore {}", options.source);
        let restoring = restore::restore(&restorer, &order, &prepared, &progress, self.clock);
        let report = bar::watch(&title, &progress, self.json, restoring).await?;
        show::restore(&report, self.json)?;
        Ok(0)
    }

    async fn select_of(&self, plan: &Plan, vault: &VaultSettings, options: &RestoreOptions) -> Result<Select, Failure> {
        let reports = match &plan.keys {
            Keys::Restorer { report, .. } => report.as_ref().map(SigningKey::verifying),
            Keys::Inspector { reports, .. } => reports.clone(),
            Keys::Depositor(_) => None,
        };
        let inspector = self.inspectors(plan, "restore", Some(&vault.name))?;
        proving::select(&options.at, &inspector[0], &options.source, reports.as_ref(), &plan.state_dir).await
    }

    pub async fn fetch(&self, plan: Plan, options: &FetchOptions) -> Result<u8, Failure> {
        let (vault, identity) = (options.vault.as_deref(), options.identity.as_deref());
        let (restorer, sealed) = self.find_to_open(plan, "fetch", vault, identity, &options.backup).await?;
        let opened = restorer.open_closed(sealed)?;
        let progress = Arc::new(Progress::default());
        let fetching = fetch::fetch(&restorer, &opened, &options.output, &progress);
        bar::watch("fetch", &progress, self.json, fetching).await?;
        show::fetched(&options.output, &opened, self.json)?;
        Ok(0)
    }

    /// The vault and the sealed backup with this id, ready to be opened.
    async fn find_to_open(
        &self,
        plan: Plan,
        verb: &'static str,
        vault: Option<&str>,
        identity: Option<&Path>,
        backup: &BackupId,
    ) -> Result<(Restorer, Sealed), Failure> {
        let mut found = None;
        for inspector in self.inspectors(&plan, verb, vault)? {
            if let Some(sealed) = find(&inspector, &plan.sources, backup).await? {
                found = Some((inspector.vault().to_owned(), sealed));
                break;
            }
        }
        let (vault, sealed) = found.ok_or_else(|| VerbError::NoSuchBackup(backup.clone()))?;
        let settings = named_vault(&plan.vaults, &vault)?.clone();
        Ok((self.restorer(plan, verb, &settings, identity)?, sealed))
    }

    pub(super) fn inspectors(
        &self,
        plan: &Plan,
        verb: &'static str,
        vault: Option<&str>,
    ) -> Result<Vec<Inspector>, Failure> {
        let verifying: &VerifyingKey = match &plan.keys {
            Keys::Inspector { verifying, .. } | Keys::Restorer { verifying, .. } => verifying,
            Keys::Depositor(_) => {
                return Err(VerbError::WrongRole { verb, found: plan.role(), wanted: "inspector or restorer" }.into());
            }
        };
        let vaults = match vault {
            Some(name) => vec![named_vault(&plan.vaults, name)?],
            None => plan.vaults.iter().collect(),
        };
        let open = |settings| Inspector::open(settings, verifying.clone(), self.clock).map_err(Failure::from);
        vaults.into_iter().map(open).collect()
    }

    fn restorer(
        &self,
        plan: Plan,
        verb: &'static str,
        vault: &VaultSettings,
        identity: Option<&Path>,
    ) -> Result<Restorer, Failure> {
        let found = plan.role();
        let (verifying, configured) = match plan.keys {
            Keys::Restorer { verifying, identities, .. } => (verifying, Some(identities)),
            Keys::Inspector { verifying, .. } => (verifying, None),
            Keys::Depositor(_) => return Err(VerbError::WrongRole { verb, found, wanted: "restorer" }.into()),
        };
        let given = identity.map(read_identity).transpose()?;
        let identities = given.or(configured).ok_or(VerbError::WrongRole { verb, found, wanted: "restorer" })?;
        Ok(Restorer::open(vault, verifying, Arc::new(identities), self.clock)?)
    }
}

pub(super) fn read_identity(path: &Path) -> Result<Identities, VerbError> {
    let failed = |why| VerbError::Identity { path: path.display().to_string(), why };
    let secret = secret::read_closed(path).map_err(|error| failed(error.into()))?;
    Identities::parse(&secret).map_err(failed)
}

fn named_vault<'a>(vaults: &'a [VaultSettings], name: &str) -> Result<&'a VaultSettings, VerbError> {
    vaults.iter().find(|vault| vault.name == name).ok_or_else(|| VerbError::NoSuchVault(name.to_owned()))
}

/// The named vault, or the first of the source's.
pub(super) fn vault_index(
    vaults: &[VaultSettings],
    source: &SourcePlan,
    name: Option<&str>,
) -> Result<usize, VerbError> {
    let Some(name) = name else { return Ok(source.deposits[0].vault) };
    let named = vaults.iter().position(|vault| vault.name == name);
    named.ok_or_else(|| VerbError::NoSuchVault(name.to_owned()))
}

async fn listed(inspector: &Inspector, source: &SourcePlan, limit: usize) -> Result<show::Listed, RoleError> {
    let shelf = inspector.shelf(&source.name).await?;
    let backups = inspector.judge_all(&source.name, &shelf, limit).await?;
    Ok(show::Listed {
        vault: inspector.vault().to_owned(),
        source: source.name.clone(),
        more: shelf.len() - backups.len(),
        backups,
        findings: shelf.findings,
    })
}

async fn find(inspector: &Inspector, sources: &[SourcePlan], backup: &BackupId) -> Result<Option<Sealed>, RoleError> {
    for source in sources {
        let shelf = inspector.shelf(&source.name).await?;
        match inspector.select(&source.name, &shelf, &Select::Id(backup.clone())).await {
            Ok((sealed, _)) => return Ok(Some(sealed)),
            Err(RoleError::NoBackup { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

pub(super) fn address(to: &str, password_file: Option<&Path>) -> Result<Address, VerbError> {
    let mut address = Address::parse(to).map_err(VerbError::To)?;
    address.password = match password_file {
        Some(path) => Some(secret::read_closed(path).map_err(VerbError::Password)?),
        None => std::env::var("PGPASSWORD").ok().map(|password| Secret::new(password.into_bytes())),
    };
    Ok(address)
}

pub(super) fn jobs(wanted: Option<usize>) -> Result<usize, VerbError> {
    let jobs = wanted.unwrap_or_else(|| crate::cli::world().cores.min(8));
    if (1..=64).contains(&jobs) { Ok(jobs) } else { Err(VerbError::Jobs) }
}
