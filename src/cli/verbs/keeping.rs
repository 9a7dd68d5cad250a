//! keeping: the depositor's verbs: one backup now, the daemon, its health, and the word that a suspect backup is good.

use super::{Door, VerbError, chosen};
use crate::{
    backup::{self, BackupError, Destination, Job, Limits, Report},
    catalog::Catalog,
    cli::{
        Failure,
        arguments::{AcceptOptions, BackupOptions, HistoryOptions},
        bar, show,
    },
    config::{self, DepositorKeys, Keys, Plan, SourcePlan},
    daemon::{self, Charge, Orders, Timing},
    failure::{Explain, Kind, with_causes},
    health::Health,
    keyring::SigningKey,
    layout::SourceName,
    progress::Progress,
    role::Depositor,
    run::{Outcome, Trigger},
    segment::Packer,
    vault::VaultSettings,
};
use std::{path::Path, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

impl Door {
    pub async fn backup(&self, plan: Plan, options: &BackupOptions, stop: &CancellationToken) -> Result<u8, Failure> {
        chosen(&plan.sources, &options.sources)?;
        let wanted = |source: &SourceName| options.sources.is_empty() || options.sources.contains(source);
        let mut orders = self.orders(plan, "backup")?;
        orders.charges.iter_mut().for_each(|charge| charge.job.anew = options.anew);
        let mut ended = Vec::new();
        for Charge { job, .. } in orders.charges.iter().filter(|charge| wanted(&charge.job.source)) {
            let progress = Arc::new(Progress::default());
            let title = format!("backup {}", job.source);
            let backup = backup::backup(job, Trigger::Asked, &progress, stop);
            let report = bar::watch(&title, &progress, self.json, backup).await;
            ended.push((job.source.clone(), report));
            if stop.is_cancelled() {
                break;
            }
        }
        let code = exit_code(&ended);
        let ended: Vec<_> = ended.into_iter().map(|(source, ended)| (source, ended.map_err(Failure::from))).collect();
        show::backups(&ended, self.json)?;
        Ok(code)
    }

    /// The daemon, until it is told to end.
    pub async fn run(self, file: &Path) -> Result<u8, Failure> {
        let orders = self.orders(config::load(file, &crate::cli::world())?, "run")?;
        let file: PathBuf = file.to_owned();
        let clock = self.clock;
        let reread = move || {
            let plan = config::load(&file, &crate::cli::world()).map_err(|error| with_causes(&error))?;
            self.orders(plan, "run").map_err(|failure| with_causes(&*failure))
        };
        daemon::run(orders, Arc::new(reread), clock).await?;
        Ok(0)
    }

    /// What the newest, suspect backup holds is as it should be: later ones are compared with it.
    pub async fn accept(&self, plan: Plan, options: &AcceptOptions) -> Result<u8, Failure> {
        chosen(&plan.sources, std::slice::from_ref(&options.source))?;
        self.depositors_alone(&plan, "accept")?;
        let catalog = Catalog::open(&plan.state_dir, self.clock.now()).await?;
        let waiting = catalog.pending_portrait(&options.source).await?.map(|(backup, _)| backup);
        let suspicions = catalog.suspicions(&options.source).await?;
        match waiting {
            None => return Err(VerbError::NothingSuspect(options.source.clone()).into()),
            Some(backup) if backup != options.backup => {
                let asked = options.backup.clone();
                return Err(VerbError::NotTheSuspect { asked, backup, suspicions }.into());
            }
            Some(_) => {}
        }
        // A run that has ended just now put another one in its place: that one was not shown.
        let accepted = catalog.promote_portrait(&options.source, &options.backup).await?;
        catalog.close().await;
        let Some(backup) = accepted else { return Err(VerbError::NothingSuspect(options.source.clone()).into()) };
        show::accepted(&options.source, &backup, &suspicions, self.json)?;
        Ok(0)
    }

    pub async fn history(&self, plan: Plan, options: &HistoryOptions) -> Result<u8, Failure> {
        chosen(&plan.sources, options.source.as_slice())?;
        self.depositors_alone(&plan, "history")?;
        let catalog = Catalog::open(&plan.state_dir, self.clock.now()).await?;
        let runs = catalog.runs(options.source.as_ref(), options.limit).await?;
        let absences = catalog.absences(options.source.as_ref(), options.limit).await?;
        catalog.close().await;
        show::history(&runs, &absences, self.json)?;
        Ok(0)
    }

    /// Health as the catalog knows it, without asking any vault.
    pub(super) async fn depositors_health(&self, plan: Plan) -> Result<Health, Failure> {
        let orders = self.orders(plan, "status")?;
        Ok(daemon::health(orders, self.clock).await?)
    }

    fn depositors_alone(&self, plan: &Plan, verb: &'static str) -> Result<(), VerbError> {
        match plan.keys {
            Keys::Depositor(_) => Ok(()),
            _ => Err(VerbError::WrongRole { verb, found: plan.role(), wanted: "depositor" }),
        }
    }

    /// A checked configuration as what there is to do.
    fn orders(&self, plan: Plan, verb: &'static str) -> Result<Orders, Failure> {
        self.depositors_alone(&plan, verb)?;
        let Plan { state_dir, keys: Keys::Depositor(keys), vaults, sources, daemon, alerts, .. } = plan else {
            unreachable!("a plan without a depositor's keys was refused above")
        };
        let DepositorKeys { recipients, signing, digest } = *keys;
        let (signing, packer) = (Arc::new(signing), Packer::new(recipients, digest));
        let charge = |source| self.charge(source, &vaults, &signing, &packer, &state_dir);
        let charges = sources.into_iter().filter_map(|source| charge(source).transpose());
        let expires = vaults.iter().filter_map(|vault| Some((vault.name.clone(), vault.credential_expires_at()?)));
        Ok(Orders {
            credential_expires: expires.collect(),
            charges: charges.collect::<Result<_, _>>()?,
            state_dir: state_dir.clone(),
            runs_at_once: daemon.runs_at_once,
            listen: daemon.listen,
            alerts,
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        })
    }

    fn charge(
        &self,
        source: SourcePlan,
        vaults: &[VaultSettings],
        signing: &Arc<SigningKey>,
        packer: &Packer,
        state_dir: &Path,
    ) -> Result<Option<Charge>, Failure> {
        let Some(dump) = source.dump else { return Ok(None) };
        let mut destinations = Vec::new();
        for deposit in &source.deposits {
            let depositor = Depositor::open(&vaults[deposit.vault], Arc::clone(signing), self.clock)?;
            destinations.push(Destination { depositor, every: deposit.every });
        }
        let timing = Timing { schedule: dump.schedule, zone: dump.time_zone, jitter: dump.jitter };
        let mut objectives = source.objectives;
        // Nobody said how old is too old: the schedule says how often was meant.
        objectives.recovery_point =
            objectives.recovery_point.or_else(|| daemon::expected_within(&timing, self.clock.now()));
        let job = Job {
            source: source.name,
            postgres: dump.postgres,
            destinations,
            needed: source.needed,
            thresholds: dump.suspect,
            limits: Limits { deadline: dump.deadline, stalled_after: dump.stalled_after },
            packer: packer.clone(),
            state_dir: state_dir.to_owned(),
            anew: false,
            clock: self.clock,
            random: crate::cli::random,
        };
        Ok(Some(Charge { job, timing, objectives, ping: dump.ping }))
    }
}

/// 0 where every source is sealed in every vault and looks well; the error's own code where there is one source; 3
/// where some failed, else 5 where some are suspect.
fn exit_code(ended: &[(SourceName, Result<Report, BackupError>)]) -> u8 {
    let codes: Vec<u8> = ended.iter().map(|(_, ended)| code(ended)).collect();
    match codes[..] {
        [one] => one,
        _ if codes.iter().all(|code| *code == 0) => 0,
        _ if codes.iter().all(|code| [0, Kind::Suspect as u8].contains(code)) => Kind::Suspect as u8,
        _ => Kind::SomeFailed as u8,
    }
}

fn code(ended: &Result<Report, BackupError>) -> u8 {
    match ended {
        Err(error) => error.kind() as u8,
        Ok(report) if report.breaches().next().is_some() => Kind::NotImmutable as u8,
        Ok(report) => match report.outcome() {
            Outcome::Suspect => Kind::Suspect as u8,
            Outcome::SomeFailed => Kind::SomeFailed as u8,
            Outcome::Failed => report.failures().next().map_or(Kind::Failed as u8, |(_, error)| error.kind() as u8),
            Outcome::Sealed | Outcome::NotDue | Outcome::Interrupted | Outcome::Abandoned => 0,
        },
    }
}
