//! watch: the inspector's daemon, and the restorer's beside it: confirms and drills on a schedule, and judges every
//! source by what the vault holds, never by what the depositor's daemon says of itself.
//!
//! The loop decides by [`agenda`] and [`rota`], looks into each vault by a task of its own, and keeps nothing that the
//! catalog does not know, or will not know as soon as it can be written.

mod agenda;
mod books;
mod drilling;
mod facts;
mod filing;
mod look;
mod memory;
mod orders;
mod proofs;
mod pulse;
mod quick;
mod rota;

pub use agenda::Timing;
pub use orders::{Charge, DrillOrders, Orders, PlaceOrder, Reports, Sight};
pub use quick::health;
pub use rota::{DrillTiming, When};

use crate::{
    catalog::{Catalog, CatalogError},
    clock::{Clock, Timestamp},
    failure::{Explain, Kind},
    layout::{DrillId, SourceName},
    monitor::{Board, Courier},
    service::{self, Alone, Asked, Pages, ROUND, ServiceError, Signals, Supervisor, TELL_WITHIN, Teller},
};
use agenda::{Agenda, Key};
use drilling::Drilled;
use look::Looked;
use memory::Memory;
use pulse::Pulse;
use rota::Rota;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::{Id, JoinSet};

/// A look or a drill is dropped when we are stopped; a scratch server needs a moment to go.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// After a restart nothing is told before every vault was looked into, or this has passed: what was remembered is old.
const FIRST_LOOK_WITHIN: Duration = Duration::from_secs(60);

/// Reads the configuration again: the orders, or in words what is wrong with it.
pub type Reread = service::Reread<Orders>;

#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Explain for WatchError {
    fn kind(&self) -> Kind {
        match self {
            Self::Catalog(error) => error.kind(),
            Self::Service(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Catalog(error) => error.hint(),
            Self::Service(error) => error.hint(),
        }
    }
}

struct Watcher {
    clock: Clock,
    state_dir: PathBuf,
    random: fn() -> [u8; 4],
    host: String,
    sight: Arc<Sight>,
    charges: BTreeMap<SourceName, Arc<Charge>>,
    drills: Option<Arc<DrillOrders>>,
    agenda: Agenda,
    rota: Option<Rota>,
    /// Of each place, under the address that it was loaded for.
    memories: BTreeMap<Key, (String, Memory)>,
    first_seen: BTreeMap<SourceName, Timestamp>,
    /// The newest first.
    reports: BTreeMap<SourceName, Vec<crate::proof::DrillReport>>,
    /// Reports that are signed and fit no backup that we know; said once.
    strangers: BTreeSet<DrillId>,
    catalog: Option<Catalog>,
    unwritten: books::Unwritten,
    /// When they are read from the catalog again.
    stories_until: Timestamp,
    looks: JoinSet<Looked>,
    /// Which place a task looks into, should it panic.
    looking: BTreeMap<Id, Key>,
    /// Places that were looked into since we began.
    looked: BTreeSet<Key>,
    drill: JoinSet<Drilled>,
    board: Board,
    courier: Courier,
    teller: Teller,
    pulse: Pulse,
    pages: Pages,
    supervisor: Supervisor,
    began: Instant,
    _alone: Alone,
}

/// Runs until SIGTERM or SIGINT. SIGHUP reads the configuration again.
pub async fn run(orders: Orders, reread: Reread, clock: Clock) -> Result<(), WatchError> {
    let mut signals = Signals::listen()?;
    let mut watcher = Watcher::new(orders, clock).await?;
    watcher.supervisor.ready();
    loop {
        watcher.round().await;
        let pause = watcher.pause();
        tokio::select! {
            Some(looked) = watcher.looks.join_next_with_id() => watcher.take_home(looked),
            Some(drilled) = watcher.drill.join_next() => watcher.take_drill(drilled),
            () = tokio::time::sleep(pause) => {}
            asked = signals.asked() => match asked {
                Asked::Reload => watcher.reload(&reread).await,
                Asked::End => break,
            },
        }
    }
    watcher.end().await;
    Ok(())
}

impl Watcher {
    async fn new(orders: Orders, clock: Clock) -> Result<Self, WatchError> {
        let now = clock.now();
        let catalog = Catalog::open(&orders.state_dir, now).await?;
        let alone = Alone::in_folder(&orders.state_dir)?;
        catalog.forget_sightings(now).await?;
        let board = Board::new(now);
        let courier = Courier::new().map_err(ServiceError::from)?;
        let mut watcher = Self {
            clock,
            state_dir: orders.state_dir.clone(),
            random: orders.random,
            host: orders.host.clone(),
            sight: Arc::new(orders.sight.clone()),
            charges: BTreeMap::new(),
            drills: None,
            agenda: Agenda::new(orders.sight.timing),
            rota: None,
            memories: BTreeMap::new(),
            first_seen: BTreeMap::new(),
            reports: BTreeMap::new(),
            strangers: BTreeSet::new(),
            catalog: Some(catalog),
            unwritten: books::Unwritten::default(),
            stories_until: now,
            looks: JoinSet::new(),
            looking: BTreeMap::new(),
            looked: BTreeSet::new(),
            drill: JoinSet::new(),
            teller: Teller::new(&orders.state_dir, &courier, &board),
            pulse: Pulse::start([], &courier),
            board,
            courier,
            pages: Pages::default(),
            supervisor: Supervisor::new(),
            began: Instant::now(),
            _alone: alone,
        };
        watcher.take_over(orders).await?;
        watcher.board.update(|shown| shown.ready = true);
        Ok(watcher)
    }

    /// Everything that is due now.
    async fn round(&mut self) {
        let now = self.clock.now();
        self.board.beat(now);
        for step in self.agenda.tick(now) {
            self.begin_look(step, now);
        }
        self.begin_drill(now);
        self.write(now).await;
        self.tell_stories(now).await;
        self.post(now);
        let health = self.board.health(now);
        let all_looked = self.memories.keys().all(|place| self.looked.contains(place));
        if all_looked || self.began.elapsed() > FIRST_LOOK_WITHIN {
            self.teller.tell(&health, self.board.undelivered());
        }
        let (looked, charges) = (&self.looked, &self.charges);
        let all_of = |source: &SourceName| {
            charges.get(source).is_some_and(|charge| charge.keys().all(|(key, _)| looked.contains(&key)))
        };
        self.pulse.beat(&health, all_of, self.random);
        self.supervisor.beat(&health, self.drill.len());
    }

    fn pause(&self) -> Duration {
        let now = self.clock.now();
        let drill = self.rota.as_ref().map_or(Timestamp::MAX, |rota| rota.wake_at(now));
        let wake_at = self.agenda.wake_at(now).min(drill);
        wake_at.duration_since(now).unsigned_abs().clamp(Duration::from_millis(20), ROUND)
    }

    /// Drops what is under way and waits until it has gone, within limits.
    async fn end(mut self) {
        tracing::info!(
            looks = self.looks.len(),
            drills = self.drill.len(),
            "stopping: nothing under way leaves anything"
        );
        // What is under way first, then alerts.
        self.supervisor.stopping(STOP_WITHIN + 2 * TELL_WITHIN);
        self.looks.abort_all();
        self.drill.abort_all();
        let gone = async {
            while self.looks.join_next().await.is_some() {}
            while self.drill.join_next().await.is_some() {}
        };
        if tokio::time::timeout(STOP_WITHIN, gone).await.is_err() {
            tracing::warn!("a look or a drill did not let go in time");
        }
        self.write(self.clock.now()).await;
        if let Some(catalog) = self.catalog.take() {
            catalog.close().await;
        }
        self.teller.close().await;
        self.pulse.close(TELL_WITHIN).await;
        self.pages.close();
        tracing::info!("stopped");
    }
}
