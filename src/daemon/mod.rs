//! daemon: the depositor's: begins what is due, tells how it ended, and never holds two runs of one source.
//!
//! The loop decides by [`agenda`], runs each backup as a task of its own, and keeps nothing that the catalog does not
//! know: killed at any moment, the next daemon goes on from there.

mod agenda;
mod attempt;
mod books;
mod decision;
mod ledger;
mod orders;
#[cfg(test)]
mod simulation;

pub use decision::{Timing, expected_within};

use crate::{
    backup::Job,
    catalog::{Catalog, CatalogError},
    clock::{Clock, Timestamp, spoken},
    failure::{Explain, Kind, with_causes},
    health::{self, Health, Objectives},
    layout::SourceName,
    monitor::{AlertSettings, Board, Courier, PingSettings, Pings},
    run::{self, Absence, Trigger},
    service::{
        self, Alone, Asked, CATALOG_WITHIN, Pages, ROUND, ServiceError, Signals, Supervisor, TELL_WITHIN, Teller,
    },
};
use agenda::{Agenda, Ending, Step};
use attempt::Ended;
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// A deposit under way is finished when we are stopped, but not waited for longer.
const STOP_WITHIN: Duration = Duration::from_secs(60);

/// Everything that a configuration asks of the daemon.
pub struct Orders {
    pub state_dir: PathBuf,
    pub charges: Vec<Charge>,
    pub runs_at_once: usize,
    pub listen: Option<SocketAddr>,
    pub alerts: Vec<AlertSettings>,
    /// When each vault's credential expires, where that is known.
    pub credential_expires: BTreeMap<String, Timestamp>,
    /// Who we are, for those who are told by several.
    pub host: String,
}

/// One source to look after.
pub struct Charge {
    pub job: Job,
    pub timing: Timing,
    pub objectives: Objectives,
    pub ping: Option<PingSettings>,
}

pub type Reread = service::Reread<Orders>;

#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("no source has a `schedule`")]
    NothingToDo,
}

impl Explain for DaemonError {
    fn kind(&self) -> Kind {
        match self {
            Self::Catalog(error) => error.kind(),
            Self::Service(error) => error.kind(),
            Self::NothingToDo => Kind::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Catalog(error) => error.hint(),
            Self::Service(error) => error.hint(),
            Self::NothingToDo => {
                Some("Give a source one, such as schedule = \"*/15 * * * *\", or call `backup` from cron.".into())
            }
        }
    }
}

struct Daemon {
    clock: Clock,
    state_dir: PathBuf,
    charges: BTreeMap<SourceName, Arc<Charge>>,
    agenda: Agenda,
    board: Board,
    runs: JoinSet<Ended>,
    /// Which source a task is of, should it panic.
    tasks: BTreeMap<Id, SourceName>,
    stop: CancellationToken,
    courier: Courier,
    teller: Teller,
    pings: Arc<Pings>,
    /// Absences that the catalog could not be told of yet.
    unwritten: Vec<Absence>,
    /// The last run of each source, for when the catalog does not know of it.
    last_runs: BTreeMap<SourceName, run::Record>,
    pages: Pages,
    supervisor: Supervisor,
    _alone: Alone,
}

/// How things are, as the catalog has it, without a daemon.
pub async fn health(orders: Orders, clock: Clock) -> Result<Health, CatalogError> {
    let now = clock.now();
    let catalog = Catalog::open(&orders.state_dir, now).await?;
    let charges = orders.charges.into_iter().map(|charge| (charge.job.source.clone(), Arc::new(charge))).collect();
    let facts = ledger::facts(&catalog, &charges, None, now).await?;
    catalog.close().await;
    Ok(health::judge(now, &facts))
}

/// Runs until SIGTERM or SIGINT. SIGHUP reads the configuration again.
pub async fn run(orders: Orders, reread: Reread, clock: Clock) -> Result<(), DaemonError> {
    let mut signals = Signals::listen()?;
    let mut daemon = Daemon::new(orders, clock).await?;
    daemon.supervisor.ready();
    loop {
        daemon.round().await;
        let pause = daemon.pause();
        tokio::select! {
            Some(ended) = daemon.runs.join_next_with_id() => daemon.take_home(ended).await,
            () = tokio::time::sleep(pause) => {}
            asked = signals.asked() => match asked {
                Asked::Reload => daemon.reload(&reread).await,
                Asked::End => break,
            },
        }
    }
    daemon.end().await;
    Ok(())
}

impl Daemon {
    async fn new(orders: Orders, clock: Clock) -> Result<Self, DaemonError> {
        let now = clock.now();
        let catalog = Catalog::open(&orders.state_dir, now).await?;
        let alone = Alone::in_folder(&orders.state_dir)?;
        for run in catalog.abandon_left_over(now).await? {
            tracing::warn!(source = %run.source, started_at = %run.started_at, "a run was abandoned by its process");
        }
        catalog.forget_lapsed(now).await?;
        catalog.close().await;
        let board = Board::new(now);
        let courier = Courier::new().map_err(ServiceError::from)?;
        let mut daemon = Self {
            clock,
            state_dir: orders.state_dir.clone(),
            charges: BTreeMap::new(),
            agenda: Agenda::new(orders.runs_at_once),
            teller: Teller::new(&orders.state_dir, &courier, &board),
            pings: Arc::new(Pings::start([], &courier)),
            courier,
            board,
            runs: JoinSet::new(),
            tasks: BTreeMap::new(),
            stop: CancellationToken::new(),
            unwritten: Vec::new(),
            last_runs: BTreeMap::new(),
            pages: Pages::default(),
            supervisor: Supervisor::new(),
            _alone: alone,
        };
        daemon.take_over(orders).await?;
        daemon.board.update(|shown| shown.ready = true);
        Ok(daemon)
    }

    /// Everything that is due now.
    async fn round(&mut self) {
        let now = self.clock.now();
        self.board.beat(now);
        for step in self.agenda.tick(now) {
            match step {
                Step::Start(source, trigger) => self.start(source, trigger, now),
                Step::Absent(absence) => self.note(absence),
            }
        }
        self.write_absences().await;
        let agenda = &self.agenda;
        self.board.update(|shown| ledger::refresh_times(&mut shown.facts, agenda));
        let health = self.board.health(now);
        self.teller.tell(&health, self.board.undelivered());
        self.supervisor.beat(&health, self.agenda.running().count());
    }

    fn pause(&self) -> Duration {
        let now = self.clock.now();
        self.agenda.wake_at(now).duration_since(now).unsigned_abs().min(ROUND).max(Duration::from_millis(20))
    }

    fn start(&mut self, source: SourceName, trigger: Trigger, now: Timestamp) {
        let Some(charge) = self.charges.get(&source).cloned() else {
            tracing::error!(%source, "it is due and nobody knows how to back it up");
            drop(self.agenda.ended(&source, Ending::NeedsMending, now)); // nothing began that could be absent
            return;
        };
        tracing::info!(%source, why = decision::told(trigger, now), "backup begins");
        let (stop, pings) = (self.stop.clone(), Arc::clone(&self.pings));
        let task = self.runs.spawn(attempt::attempt(charge, trigger, stop, pings));
        self.tasks.insert(task.id(), source);
    }

    /// A run has ended, or its task has panicked.
    async fn take_home(&mut self, joined: Result<(Id, Ended), JoinError>) {
        let (id, ended) = match joined {
            Ok((id, ended)) => (id, ended),
            Err(error) => {
                let Some(source) = self.tasks.get(&error.id()).cloned() else { return };
                tracing::error!(%source, %error, "the run broke off by a defect of ours");
                (error.id(), Ended { source, ending: Ending::NeedsMending, record: None, skews: Vec::new() })
            }
        };
        self.tasks.remove(&id);
        let now = self.clock.now();
        if let Some(Step::Absent(absence)) = self.agenda.ended(&ended.source, ended.ending, now) {
            self.note(absence);
        }
        self.last_runs.extend(ended.record.map(|record| (ended.source.clone(), record)));
        self.board.update(|shown| shown.clock_skews.extend(ended.skews));
        let posted = tokio::time::timeout(CATALOG_WITHIN, self.post(now)).await;
        if !matches!(posted, Ok(Ok(()))) {
            let error = posted.ok().and_then(Result::err).map_or("no answer".to_owned(), |error| with_causes(&error));
            tracing::error!(error, "the catalog cannot be read: what is shown may be too old");
            self.board.update(|shown| ledger::overlay(&mut shown.facts, &self.last_runs));
        }
        self.count_down(&ended.source, now);
    }

    /// When a source is not well, how long what it has is still locked.
    fn count_down(&self, source: &SourceName, now: Timestamp) {
        let health = self.board.health(now);
        let unwell = health.sources.iter().find(|health| health.source == *source && !health.state.is_quiet());
        for vault in unwell.iter().flat_map(|source| &source.vaults) {
            match vault.lapses_in {
                Some(left) => {
                    let vault = &vault.vault;
                    tracing::info!(%source, vault, "the last good backup stays locked for {}", spoken(left));
                }
                None => tracing::warn!(%source, vault = vault.vault, "there is no good backup under a lock"),
            }
        }
    }

    /// Stops every run in good order and waits for it, within limits.
    async fn end(mut self) {
        tracing::info!(
            running = self.runs.len(),
            "stopping: objects on their way are finished, runs under way end unsealed"
        );
        // Runs first, then alerts, then pings.
        self.supervisor.stopping(STOP_WITHIN + 2 * TELL_WITHIN);
        self.stop.cancel();
        let waiting = async {
            while let Some(ended) = self.runs.join_next_with_id().await {
                if let Ok((id, _)) = &ended {
                    self.tasks.remove(id);
                }
            }
        };
        if tokio::time::timeout(STOP_WITHIN, waiting).await.is_err() {
            tracing::warn!(sources = ?self.tasks.values(), "runs are cut off; nothing of them is sealed by halves");
        }
        self.write_absences().await;
        self.teller.close().await;
        if let Some(pings) = Arc::into_inner(self.pings) {
            pings.close(TELL_WITHIN).await;
        }
        self.pages.close();
        tracing::info!("stopped");
    }
}
