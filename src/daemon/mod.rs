//! daemon: the depositor's: begins what is due, tells how it ended, and never holds two runs of one source.
//!
//! The loop decides by [`agenda`], runs each backup as a task of its own, and keeps nothing that the catalog does not
//! know: killed at any moment, the next daemon goes on from there.

mod agenda;
mod decision;
mod ledger;
#[cfg(test)]
mod simulation;
mod supervisor;

pub use decision::{Timing, expected_within};

use crate::{
    backup::{self, BackupError, Job, Report},
    catalog::{Catalog, CatalogError},
    clock::{Clock, Timestamp, spoken},
    failure::{Explain, Kind, with_causes},
    health::{self, Health, Objectives},
    layout::SourceName,
    monitor::{
        self, AlertSettings, Alerts, Board, Courier, CourierError, Ping, PingSettings, Pings, Reload, ServeError, Told,
    },
    progress::Progress,
    run::{Absence, Trigger},
};
use agenda::{Agenda, Ending, Expected, Step};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use supervisor::Supervisor;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::{Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// The loop comes round at least so often: a clock that was set is noticed, and an age becomes an alarm.
const ROUND: Duration = Duration::from_secs(5);
/// `/healthz` is unwell when it has not come round for so long.
const ROUND_MAX: Duration = Duration::from_secs(60);
/// A deposit under way is finished when we are stopped, but not waited for longer.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// What was to be told when we are stopped, or when others are to be told from now on, is told within this.
const TELL_WITHIN: Duration = Duration::from_secs(10);

/// Everything that a configuration asks of the daemon.
pub struct Orders {
    pub state_dir: PathBuf,
    pub charges: Vec<Charge>,
    pub runs_at_once: usize,
    pub listen: Option<SocketAddr>,
    pub alerts: Vec<AlertSettings>,
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

/// Reads the configuration again: the orders, or in words what is wrong with it.
pub type Reread = Arc<dyn Fn() -> Result<Orders, String> + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Courier(#[from] CourierError),
    #[error("cannot listen for signals")]
    Signals(#[from] std::io::Error),
    #[error("no source has a `schedule`")]
    NothingToDo,
}

impl Explain for DaemonError {
    fn kind(&self) -> Kind {
        match self {
            Self::Catalog(error) => error.kind(),
            Self::Serve(error) => error.kind(),
            Self::Courier(error) => error.kind(),
            Self::Signals(_) => Kind::Failed,
            Self::NothingToDo => Kind::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Catalog(error) => error.hint(),
            Self::Serve(error) => error.hint(),
            Self::Courier(error) => error.hint(),
            Self::Signals(_) => None,
            Self::NothingToDo => {
                Some("Give a source one, such as schedule = \"*/15 * * * *\", or call `backup` from cron.".into())
            }
        }
    }
}

/// What a task brings home.
struct Ended {
    source: SourceName,
    ending: Ending,
    skews: Vec<(String, f64)>,
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
    alerts: Alerts,
    pings: Arc<Pings>,
    told: Told,
    pages: Option<Pages>,
    supervisor: Supervisor,
}

/// The HTTP server, until `stop`.
struct Pages {
    asked: SocketAddr,
    stop: CancellationToken,
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
    let (mut hangup, mut terminate) = (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut daemon = Daemon::new(orders, clock).await?;
    daemon.supervisor.ready();
    loop {
        daemon.round().await;
        let pause = daemon.pause();
        tokio::select! {
            Some(ended) = daemon.runs.join_next_with_id() => daemon.take_home(ended).await,
            () = tokio::time::sleep(pause) => {}
            _ = hangup.recv() => daemon.reload(&reread).await,
            () = either(&mut terminate, &mut interrupt) => break,
        }
    }
    daemon.end().await;
    Ok(())
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

impl Daemon {
    async fn new(orders: Orders, clock: Clock) -> Result<Self, DaemonError> {
        let now = clock.now();
        let catalog = Catalog::open(&orders.state_dir, now).await?;
        for run in catalog.abandon_left_over(now).await? {
            tracing::warn!(source = %run.source, started_at = %run.started_at, "a run was abandoned by its process");
        }
        catalog.forget_lapsed(now).await?;
        catalog.close().await;
        let board = Board::new(now);
        let courier = Courier::new()?;
        let mut daemon = Self {
            clock,
            state_dir: orders.state_dir.clone(),
            charges: BTreeMap::new(),
            agenda: Agenda::new(orders.runs_at_once),
            alerts: Alerts::start(Vec::new(), &courier, &board, String::new()),
            pings: Arc::new(Pings::start([], &courier)),
            courier,
            board,
            runs: JoinSet::new(),
            tasks: BTreeMap::new(),
            stop: CancellationToken::new(),
            told: ledger::read_told(&orders.state_dir),
            pages: None,
            supervisor: Supervisor::new(),
        };
        daemon.take_over(orders).await?;
        daemon.board.update(|shown| shown.ready = true);
        Ok(daemon)
    }

    /// Makes `orders` the ones that are in force, or changes nothing.
    async fn take_over(&mut self, orders: Orders) -> Result<(), DaemonError> {
        if orders.charges.iter().all(|charge| charge.timing.schedule.is_none()) {
            return Err(DaemonError::NothingToDo);
        }
        let now = self.clock.now();
        let catalog = Catalog::open(&self.state_dir, now).await?;
        let mut expected = Vec::new();
        for charge in &orders.charges {
            let remembered = ledger::remembered(&catalog, &charge.job.source, now).await?;
            let (source, timing) = (charge.job.source.clone(), charge.timing.clone());
            expected.push(Expected { source, timing, remembered });
        }
        self.show_pages(orders.listen)?;
        self.agenda.expect(expected, orders.runs_at_once, now);
        self.tell_others(&orders);
        let charges = orders.charges.into_iter().map(|charge| (charge.job.source.clone(), Arc::new(charge)));
        self.charges = charges.collect();
        catalog.close().await;
        self.board.update(|shown| shown.reload = Reload { succeeded: true, loaded_at: now });
        Ok(self.post(now).await?)
    }

    /// From now on; what was to be told to the ones before is told still.
    fn tell_others(&mut self, orders: &Orders) {
        let pinged = orders.charges.iter().filter_map(|charge| Some((charge.job.source.clone(), charge.ping.clone()?)));
        let pings = Arc::new(Pings::start(pinged, &self.courier));
        let alerts = Alerts::start(orders.alerts.clone(), &self.courier, &self.board, orders.host.clone());
        // Runs under way keep the pings that they began with, which end with the last of them.
        self.pings = pings;
        tokio::spawn(std::mem::replace(&mut self.alerts, alerts).close(TELL_WITHIN));
    }

    /// Listens at `asked`; what was listened at before ends only when the new place is ours.
    fn show_pages(&mut self, asked: Option<SocketAddr>) -> Result<(), DaemonError> {
        if self.pages.as_ref().map(|pages| pages.asked) == asked {
            return Ok(());
        }
        let bound = asked.map(monitor::bind).transpose()?;
        if let Some(before) = self.pages.take() {
            before.stop.cancel();
        }
        let Some((asked, bound)) = asked.zip(bound) else { return Ok(()) };
        tracing::info!(address = %bound.address, "metrics and health are shown");
        let stop = CancellationToken::new();
        let serving = monitor::serve(bound, self.board.clone(), self.clock, ROUND_MAX, stop.clone());
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(error = with_causes(&error), "nobody can see metrics and health any more");
            }
        });
        self.pages = Some(Pages { asked, stop });
        Ok(())
    }

    /// Everything that is due now.
    async fn round(&mut self) {
        let now = self.clock.now();
        self.board.beat(now);
        for step in self.agenda.tick(now) {
            match step {
                Step::Start(source, trigger) => self.start(source, trigger, now),
                Step::Absent(absence) => self.note(&absence).await,
            }
        }
        let agenda = &self.agenda;
        self.board.update(|shown| ledger::refresh_times(&mut shown.facts, agenda));
        let health = self.board.health(now);
        self.alarm(&health);
        self.supervisor.beat(&health, self.agenda.running().count());
    }

    fn alarm(&mut self, health: &Health) {
        let (events, told) = monitor::events(&self.told, health);
        for event in events {
            tracing::warn!(source = %event.source, event = event.kind.word(), "{}", event.summary());
            self.alerts.tell(&event);
        }
        if told != self.told {
            ledger::write_told(&self.state_dir, &told);
            self.told = told;
        }
    }

    fn pause(&self) -> Duration {
        let now = self.clock.now();
        self.agenda.wake_at(now).duration_since(now).unsigned_abs().min(ROUND).max(Duration::from_millis(20))
    }

    fn start(&mut self, source: SourceName, trigger: Trigger, now: Timestamp) {
        let Some(charge) = self.charges.get(&source).cloned() else { return };
        tracing::info!(%source, why = decision::told(trigger, now), "backup begins");
        let (stop, pings) = (self.stop.clone(), Arc::clone(&self.pings));
        let task = self.runs.spawn(run_one(charge, trigger, stop, pings));
        self.tasks.insert(task.id(), source);
    }

    /// An absence that the catalog cannot be told of is in the log at least.
    async fn note(&self, absence: &Absence) {
        let Absence { source, first_slot, last_slot, slots, why, .. } = absence;
        tracing::warn!(%source, %first_slot, %last_slot, slots, why, "not backed up");
        let noting = async {
            let catalog = Catalog::open(&self.state_dir, self.clock.now()).await?;
            catalog.absent(absence).await?;
            catalog.close().await;
            Ok::<_, CatalogError>(())
        };
        if let Err(error) = noting.await {
            tracing::error!(error = with_causes(&error), "the catalog does not know of it");
        }
    }

    /// A run has ended, or its task has panicked.
    async fn take_home(&mut self, joined: Result<(Id, Ended), JoinError>) {
        let (id, ended) = match joined {
            Ok((id, ended)) => (id, ended),
            Err(error) => {
                let Some(source) = self.tasks.get(&error.id()).cloned() else { return };
                tracing::error!(%source, %error, "the run broke off by a defect of ours");
                (error.id(), Ended { source, ending: Ending::NeedsMending, skews: Vec::new() })
            }
        };
        self.tasks.remove(&id);
        let now = self.clock.now();
        if let Some(Step::Absent(absence)) = self.agenda.ended(&ended.source, ended.ending, now) {
            self.note(&absence).await;
        }
        self.board.update(|shown| shown.clock_skews.extend(ended.skews));
        if let Err(error) = self.post(now).await {
            tracing::error!(error = with_causes(&error), "what is shown is older than the last run");
        }
    }

    /// Puts what the catalog says on the board.
    async fn post(&self, now: Timestamp) -> Result<(), CatalogError> {
        let catalog = Catalog::open(&self.state_dir, now).await?;
        let facts = ledger::facts(&catalog, &self.charges, Some(&self.agenda), now).await?;
        let totals = ledger::by_source(catalog.totals().await?);
        catalog.close().await;
        self.board.update(|shown| {
            shown.facts = facts;
            shown.totals.runs = totals;
        });
        Ok(())
    }

    /// The new configuration, if nothing is wrong with it; else the old one goes on and says why.
    async fn reload(&mut self, reread: &Reread) {
        let reread = Arc::clone(reread);
        self.supervisor.reloading();
        let read = tokio::task::spawn_blocking(move || reread()).await;
        let read = read.unwrap_or_else(|panic| Err(format!("reading it broke off: {panic}")));
        let taken = match read {
            Ok(orders) if orders.state_dir != self.state_dir => {
                Err("`state_dir` cannot change while we run: restart for that".to_owned())
            }
            Ok(orders) => self.take_over(orders).await.map_err(|error| with_causes(&error)),
            Err(why) => Err(why),
        };
        match taken {
            Ok(()) => tracing::info!(sources = self.charges.len(), "the configuration was read again and is in force"),
            Err(why) => {
                tracing::error!("the configuration was read again and is NOT in force; the old one is: {why}");
                self.board.update(|shown| shown.reload.succeeded = false);
            }
        }
        self.supervisor.ready();
    }

    /// Stops every run in good order and waits for it, within limits.
    async fn end(mut self) {
        tracing::info!(running = self.runs.len(), "stopping: deposits under way are finished, nothing new begins");
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
        self.alerts.close(TELL_WITHIN).await;
        if let Some(pings) = Arc::into_inner(self.pings) {
            pings.close(TELL_WITHIN).await;
        }
        if let Some(pages) = self.pages {
            pages.stop.cancel();
        }
        tracing::info!("stopped");
    }
}

/// One run, from its first ping to its last.
async fn run_one(charge: Arc<Charge>, trigger: Trigger, stop: CancellationToken, pings: Arc<Pings>) -> Ended {
    let Job { source, clock, random, .. } = &charge.job;
    let parts: [[u8; 4]; 4] = std::array::from_fn(|_| random());
    let id: [u8; 16] = parts.concat().try_into().expect("four times four bytes are sixteen");
    pings.send(source, &Ping::begun(id));
    let progress = Arc::new(Progress::default());
    let started_at = clock.now();
    let ended = backup::backup(&charge.job, trigger, &progress, &stop).await;
    let took = clock.now().duration_since(started_at);
    match &ended {
        Ok(report) => say(report),
        Err(error) if error.is_busy() => tracing::warn!(%source, error = with_causes(error), "not backed up"),
        Err(BackupError::Stopped) => tracing::warn!(%source, "the run was stopped; nothing of it is sealed"),
        Err(error) => {
            let hint = error.hint().unwrap_or_default();
            tracing::error!(%source, took = spoken(took), error = with_causes(error), hint, "backup FAILED");
        }
    }
    // Somebody else's run is theirs to tell of.
    if !ended.as_ref().is_err_and(BackupError::is_busy) {
        pings.send(source, &Ping::ended(id, &backup::end(&charge.job, &progress, &ended), took));
    }
    let vaults = ended.iter().flat_map(|report| &report.vaults);
    let skews = vaults.filter_map(|vault| Some((vault.vault.clone(), vault.clock_skew_secs? as f64))).collect();
    Ended { source: source.clone(), ending: ending_of(&ended), skews }
}

fn ending_of(ended: &Result<Report, BackupError>) -> Ending {
    match ended {
        Ok(report) if report.is_protected() => Ending::Done,
        Ok(report) if report.failures().any(|(_, error)| error.may_pass()) => Ending::MayPass,
        Err(error) if error.is_busy() => Ending::NotNow(with_causes(error)),
        Err(error) if error.may_pass() => Ending::MayPass,
        Ok(_) | Err(_) => Ending::NeedsMending,
    }
}

/// One line that is readable alone, and the ones that somebody should look at.
fn say(report: &Report) {
    let (source, backup, bytes) = (&report.source, &report.backup, report.bytes);
    for (vault, error) in report.failures() {
        let hint = error.hint().unwrap_or_default();
        tracing::error!(%source, %backup, vault, error = with_causes(error), hint, "NOT sealed in this vault");
    }
    for (vault, note) in report.vaults.iter().flat_map(|vault| vault.notes.iter().map(|note| (&vault.vault, note))) {
        tracing::warn!(%source, %backup, vault, "{note}");
    }
    for warning in &report.warnings {
        tracing::warn!(%source, %backup, "{warning}");
    }
    for suspicion in &report.suspicions {
        tracing::error!(%source, %backup, suspicion, "SUSPECT: sealed, and not counted as good");
    }
    if report.sealed() > 0 {
        let vaults = report.sealed();
        let locked_until = report.locked_until().map(|until| until.to_string()).unwrap_or_default();
        tracing::info!(
            %source, %backup, vaults, rows = report.rows, read = bytes.read, packed = bytes.packed, sent = bytes.sent,
            reused = bytes.reused, took = spoken(report.took), locked_until, "sealed"
        );
    }
}
