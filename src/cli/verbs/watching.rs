//! watching: the watchers' daemon, and health as it is in the vaults now.

use super::{Door, VerbError, proving, reading};
use crate::{
    cli::{Failure, show},
    clock::SignedDuration,
    config::{self, DrillPlan, Keys, Plan, Role, SourcePlan},
    drill::Keeping,
    failure::{Kind, with_causes},
    health::Health,
    keyring::{Identities, SigningKey, VerifyingKey},
    page::Teller,
    role::{Inspector, Reporter, Restorer, VaultSettings},
    watch::{self, Charge, DrillOrders, DrillTiming, Orders, PlaceOrder, Reports, Sight, Timing, When},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where nobody says how old a recovery point may become: a day, and time for the run.
pub const RECOVERY_POINT_UNASKED: SignedDuration = SignedDuration::from_hours(26);
const DRILL_EVERY_UNASKED: SignedDuration = SignedDuration::from_hours(24);
const CONFIRM_EVERY_MIN: SignedDuration = SignedDuration::from_secs(10);
const CONFIRM_EVERY_MAX: SignedDuration = SignedDuration::from_mins(15);

impl Door {
    /// The daemon, until it is told to end.
    pub async fn watch(self, file: &Path) -> Result<u8, Failure> {
        let orders = self.watch_orders(config::load(file, &crate::cli::world())?, "watch")?;
        let file: PathBuf = file.to_owned();
        let clock = self.clock;
        let reread = move || {
            let plan = config::load(&file, &crate::cli::world()).map_err(|error| with_causes(&error))?;
            self.watch_orders(plan, "watch").map_err(|failure| with_causes(&*failure))
        };
        watch::run(orders, Arc::new(reread), clock).await?;
        Ok(0)
    }

    /// Health: of a depositor as its catalog knows it, of the others as the vaults are now.
    pub async fn status(&self, plan: Plan) -> Result<u8, Failure> {
        let health: Health = match plan.role() {
            Role::Depositor => self.depositors_health(plan).await?,
            Role::Inspector | Role::Restorer => watch::health(&self.watch_orders(plan, "status")?, self.clock).await?,
        };
        show::status(&health, self.json)?;
        Ok(if health.sources.iter().all(|source| source.state.is_quiet()) { 0 } else { Kind::Failed as u8 })
    }

    /// A checked configuration as what there is to watch.
    fn watch_orders(&self, plan: Plan, verb: &'static str) -> Result<Orders, Failure> {
        let role = plan.role();
        let (verifying, reports, identities, signing) = match plan.keys {
            Keys::Inspector { verifying, reports } => (verifying, reports, None, None),
            Keys::Restorer { verifying, identities, report } => (verifying, None, Some(Arc::new(identities)), report),
            Keys::Depositor(_) => {
                return Err(VerbError::WrongRole { verb, found: role, wanted: "inspector or restorer" }.into());
            }
        };
        let drills =
            (role == Role::Restorer).then(|| drill_orders(&plan.drill, &plan.state_dir, signing)).transpose()?;
        let vaults: Vec<_> = plan.vaults.iter().zip(&plan.reporters).collect();
        let charge = |source| self.watched(source, &vaults, &verifying, identities.as_ref());
        let charges: Vec<Charge> = plan.sources.into_iter().map(charge).collect::<Result<_, _>>()?;
        let smallest = charges.iter().filter_map(|charge| charge.objectives.recovery_point).min();
        let unasked = smallest.unwrap_or(RECOVERY_POINT_UNASKED) / 4;
        let every = plan.watch.confirm_every.unwrap_or(unasked.clamp(CONFIRM_EVERY_MIN, CONFIRM_EVERY_MAX));
        let folder = plan.watch.reports_dir;
        Ok(Orders {
            teller: if role == Role::Inspector { Teller::Inspector } else { Teller::Restorer },
            state_dir: plan.state_dir,
            charges,
            sight: Sight {
                timing: Timing { every, all_every: plan.watch.confirm_all_every },
                accepted: plan.watch.accepted,
                reports: reports.map(|key| Reports { key, folder }),
            },
            drills,
            listen: plan.watch.listen,
            alerts: plan.alerts,
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            random: crate::cli::random,
        })
    }

    fn watched(
        &self,
        source: SourcePlan,
        vaults: &[(&VaultSettings, &Option<VaultSettings>)],
        verifying: &VerifyingKey,
        identities: Option<&Arc<Identities>>,
    ) -> Result<Charge, Failure> {
        let mut places = Vec::new();
        for deposit in &source.deposits {
            let (settings, reporter) = vaults[deposit.vault];
            let reporter = reporter.as_ref().map(|reporter| Reporter::open(reporter, self.clock)).transpose()?;
            let inspector = Inspector::open(settings, verifying.clone(), self.clock)?;
            let restorer = match identities {
                Some(identities) => {
                    Some(Restorer::open(settings, verifying.clone(), Arc::clone(identities), self.clock)?)
                }
                None => None,
            };
            places.push(PlaceOrder {
                vault: settings.name.clone(),
                address: inspector.describe(),
                every: deposit.every,
                term: settings.term.span(),
                inspector: Arc::new(inspector),
                restorer,
                reporter: reporter.map(Arc::new),
                credential_expires_at: settings.credential_expires_at(),
            });
        }
        let mut objectives = source.objectives;
        let unasked = objectives.recovery_point.is_none();
        objectives.recovery_point = objectives.recovery_point.or(Some(RECOVERY_POINT_UNASKED));
        Ok(Charge {
            source: source.name,
            objectives,
            unasked,
            needed: source.needed,
            places,
            checks: source.checks,
            client_path: source.client_path,
            ping: source.ping,
        })
    }
}

/// How the configuration has backups proven.
fn drill_orders(settings: &DrillPlan, state_dir: &Path, signing: Option<SigningKey>) -> Result<DrillOrders, VerbError> {
    let when = match &settings.schedule {
        Some(schedule) => When::Schedule { schedule: schedule.clone(), zone: settings.time_zone.clone() },
        None => When::Every(settings.every.unwrap_or(DRILL_EVERY_UNASKED)),
    };
    Ok(DrillOrders {
        timing: DrillTiming { when, sample: settings.sample },
        limits: proving::limits(settings, state_dir),
        jobs: reading::jobs(None)?,
        keeping: Arc::new(Keeping { signing, folder: Some(state_dir.join("reports")) }),
    })
}
