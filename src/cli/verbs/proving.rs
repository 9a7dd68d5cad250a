//! proving: the restorer's verb that drills: one or several backups, each into a scratch database of its own.

use super::{Door, VerbError, chosen, reading};
use crate::{
    catalog::Catalog,
    cli::{
        Failure,
        arguments::{At, DrillOptions},
        bar, show,
    },
    config::{DrillPlan, Keys, Plan, SourcePlan},
    drill::{self, Keeping, Limits},
    failure::{Explain, Kind},
    keyring::{Identities, SigningKey, VerifyingKey},
    layout::{BackupId, DrillId, SourceName},
    progress::Progress,
    proof::{DrillOutcome, DrillReport},
    role::{Inspector, Reporter, Restorer, RoleError, Select},
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

impl Door {
    /// 0 where every drill passed, 14 where one failed, else 16: what could not run proves nothing.
    pub async fn drill(&self, plan: Plan, options: &DrillOptions) -> Result<u8, Failure> {
        let role = plan.role();
        let Plan { keys, vaults, reporters, sources, drill: settings, state_dir, .. } = plan;
        let wrong = VerbError::WrongRole { verb: "drill", found: role, wanted: "restorer" };
        let Keys::Restorer { verifying, identities, report } = keys else { return Err(wrong.into()) };
        let given = options.identity.as_deref().map(reading::read_identity).transpose()?;
        let identities: Arc<Identities> = Arc::new(given.unwrap_or(identities));
        let to = options.to.as_deref().map(|to| reading::address(to, options.password_file.as_deref())).transpose()?;
        let keeping = Keeping { signing: report, folder: options.report.clone() };
        let jobs = reading::jobs(options.jobs)?;
        let (mut outcomes, mut unkept) = (Vec::new(), None);
        for source in chosen(&sources, options.source.as_slice())? {
            let vault = reading::vault_index(&vaults, source, options.vault.as_deref())?;
            let restorer = Restorer::open(&vaults[vault], verifying.clone(), Arc::clone(&identities), self.clock)?;
            let reporter = reporters[vault].as_ref().map(|settings| Reporter::open(settings, self.clock));
            let reporter = reporter.transpose()?;
            let key = keeping.signing.as_ref().map(SigningKey::verifying);
            let at = select(&options.at, restorer.inspector(), &source.name, key.as_ref(), &state_dir).await?;
            let mut selects = vec![at];
            let now = self.clock.now();
            let sampled =
                drill::sample(restorer.inspector(), &source.name, options.sample, crate::cli::random, now).await?;
            selects.extend(sampled.into_iter().map(Select::Id));
            for select in selects {
                let order = drill::Order { select, to: to.clone(), ..order_for(source, &settings, &state_dir, jobs) };
                let report = self.drill_once(&restorer, &order).await;
                let (kept, failure) = drill::keep(&report, &keeping, reporter.as_ref()).await;
                show::drill(&report, &kept, self.json)?;
                outcomes.push(report.outcome);
                // What is left to drill is drilled, and a backup that does not restore is worse than a report that is lost.
                if let Some(failure) = failure {
                    unkept.get_or_insert(failure.kind() as u8);
                    show::failure(&failure.into(), self.json);
                }
            }
        }
        // What the drill itself came to weighs more than where its report lies.
        let code = exit_code(&outcomes);
        Ok(if code == 0 { unkept.unwrap_or(0) } else { code })
    }

    async fn drill_once(&self, restorer: &Restorer, order: &drill::Order) -> DrillReport {
        let id = DrillId::new(self.clock.now(), crate::cli::random());
        let progress = Arc::new(Progress::default());
        let title = format!("drill {}", order.source);
        let drilling = drill::drill(restorer, order, id, &progress, self.clock);
        bar::watch(&title, &progress, self.json, drilling).await
    }
}

/// How many of the newest reports are looked through for one of a backup that is still there.
const REPORTS_READ: usize = 200;

/// What `--at` asks for, where drills have to be asked which that is.
pub async fn select(
    at: &At,
    inspector: &Inspector,
    source: &SourceName,
    reports: Option<&VerifyingKey>,
    state_dir: &Path,
) -> Result<Select, Failure> {
    if let At::Select(select) = at {
        return Ok(select.clone());
    }
    let mut known = Vec::new();
    if let Some(key) = reports {
        let (reports, _doubtful) = inspector.reports(source, key, &BTreeSet::new(), REPORTS_READ).await?;
        known.extend(reports);
    }
    // Drills of this very host, whose reports need not be in the vault.
    if let Some(catalog) = Catalog::open_read_only(state_dir).await? {
        known.extend(catalog.last_passed_drill(source).await?);
        catalog.close().await;
    }
    let mut proven: Vec<(&DrillReport, &BackupId)> = known
        .iter()
        .filter(|report| report.outcome == DrillOutcome::Passed && report.suspect.is_empty())
        .filter_map(|report| Some((report, report.backup.as_ref()?)))
        .collect();
    proven.sort_by_key(|(report, _)| std::cmp::Reverse(report.snapshot_at));
    let shelf = inspector.shelf(source).await?;
    for (report, backup) in proven {
        let select = Select::Id(backup.clone());
        match inspector.select(source, &shelf, &select).await {
            Ok((sealed, _)) if Some(sealed.manifest_digest) == report.manifest => return Ok(select),
            Ok(_) | Err(RoleError::NoBackup { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(VerbError::NothingProven(source.clone()).into())
}

/// The newest backup of `source`, as the configuration would have it proven.
pub fn order_for(source: &SourcePlan, settings: &DrillPlan, state_dir: &Path, jobs: usize) -> drill::Order {
    drill::Order {
        source: source.name.clone(),
        select: Select::Latest,
        to: None,
        jobs,
        client_path: source.client_path.clone(),
        checks: source.checks.clone(),
        recovery_time: source.objectives.recovery_time,
        limits: limits(settings, state_dir),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
    }
}

/// Root's scratch servers run as another user, who cannot pass through a folder that is root's own.
fn scratch_dir(state_dir: &Path) -> PathBuf {
    if rustix::process::geteuid().is_root() { ROOTS_SCRATCH_DIR.into() } else { state_dir.join("scratch") }
}

const ROOTS_SCRATCH_DIR: &str = "/var/lib/strongroom-drill/scratch";

/// What a scratch server may use, and where it is made.
pub fn limits(settings: &DrillPlan, state_dir: &Path) -> Limits {
    Limits {
        scratch_dir: settings.scratch_dir.clone().unwrap_or_else(|| scratch_dir(state_dir)),
        disk_bytes_max: settings.disk_bytes_max,
        deadline: settings.deadline,
        sandbox: settings.sandbox,
    }
}

fn exit_code(outcomes: &[DrillOutcome]) -> u8 {
    if outcomes.contains(&DrillOutcome::Failed) {
        return Kind::DrillFailed as u8;
    }
    let all_passed = !outcomes.is_empty() && outcomes.iter().all(|outcome| *outcome == DrillOutcome::Passed);
    if all_passed { 0 } else { Kind::CouldNotVerify as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DrillOutcome::{CouldNotRun, Failed, Passed};

    #[test]
    fn one_drill_that_did_not_pass_is_never_hidden_by_others_that_did() {
        assert_eq!(exit_code(&[Passed, Passed]), 0);
        assert_eq!(exit_code(&[Passed, CouldNotRun, Passed]), 16);
        assert_eq!(exit_code(&[Failed, CouldNotRun, Passed]), 14);
        assert_eq!(exit_code(&[]), 16);
    }
}
