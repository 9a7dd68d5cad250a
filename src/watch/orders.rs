//! orders: what a configuration asks of the watch, and how it comes into force: as a whole or not at all.

use super::{
    Reread, WatchError, Watcher,
    agenda::{Key, Timing},
    memory::Memory,
    pulse::Pulse,
    rota::{DrillTiming, Rota},
};
use crate::{
    catalog::{Catalog, Place},
    clock::{SignedDuration, Timestamp, spoken},
    drill::{Keeping, Limits},
    failure::with_causes,
    health::Objectives,
    keyring::VerifyingKey,
    layout::SourceName,
    monitor::{AlertSettings, PingSettings, Reload},
    page::Teller,
    proof::DrillOutcome,
    role::{Inspector, Reporter, Restorer},
    service::{self, ServiceError, TELL_WITHIN},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
};

/// Everything that a configuration asks of the watch.
pub struct Orders {
    /// Whose watch it is: the inspector's or the restorer's.
    pub teller: Teller,
    pub state_dir: PathBuf,
    pub charges: Vec<Charge>,
    pub sight: Sight,
    /// The restorer's alone.
    pub drills: Option<DrillOrders>,
    pub listen: Option<SocketAddr>,
    pub alerts: Vec<AlertSettings>,
    /// Who we are, for those who are told by several.
    pub host: String,
    pub random: fn() -> [u8; 4],
}

/// How is looked, and what is taken for known.
#[derive(Clone)]
pub struct Sight {
    pub timing: Timing,
    /// Findings that were explained, as [`crate::finding::Finding::name`] says them.
    pub accepted: BTreeSet<String>,
    /// Where proofs are read; `None`: they are not known here.
    pub reports: Option<Reports>,
}

/// Whose drill reports count, and where they are besides the vaults.
#[derive(Clone)]
pub struct Reports {
    pub key: VerifyingKey,
    pub folder: Option<PathBuf>,
}

/// One source to look after.
pub struct Charge {
    pub source: SourceName,
    /// Its recovery point objective is always there.
    pub objectives: Objectives,
    /// The configuration does not say how old its recovery point may become.
    pub unasked: bool,
    pub needed: usize,
    /// At least one.
    pub places: Vec<PlaceOrder>,
    /// What a drill asks the restored database.
    pub checks: Vec<String>,
    pub client_path: Vec<PathBuf>,
    pub ping: Option<PingSettings>,
}

/// One vault of a source.
pub struct PlaceOrder {
    pub vault: String,
    /// As the vault describes itself.
    pub address: String,
    pub every: Option<SignedDuration>,
    pub term: SignedDuration,
    pub inspector: Arc<Inspector>,
    /// The restorer's alone.
    pub restorer: Option<Restorer>,
    /// As whom reports of drills are deposited here; `None`: they are not.
    pub reporter: Option<Arc<Reporter>>,
    pub credential_expires_at: Option<Timestamp>,
}

/// How drills are run.
pub struct DrillOrders {
    pub timing: DrillTiming,
    pub limits: Limits,
    pub jobs: usize,
    pub keeping: Arc<Keeping>,
}

/// So many of a source's newest reports are looked through.
pub const REPORTS_KEPT: u32 = 200;

impl Charge {
    pub fn keys(&self) -> impl Iterator<Item = (Key, &PlaceOrder)> {
        self.places.iter().map(|place| ((self.source.clone(), place.vault.clone()), place))
    }
}

impl Watcher {
    /// Makes `orders` the ones that are in force, or changes nothing.
    pub(super) async fn take_over(&mut self, orders: Orders) -> Result<(), WatchError> {
        let now = self.clock.now();
        if self.catalog.is_none() {
            self.catalog = Some(Catalog::open(&self.state_dir, now).await?);
        }
        let catalog = self.catalog.as_ref().expect("it was opened above");
        let (mut memories, mut first_seen, mut reports) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for charge in &orders.charges {
            first_seen.insert(charge.source.clone(), catalog.first_seen(&charge.source, now).await?);
            reports.insert(charge.source.clone(), load_reports(catalog, &charge.source).await?);
            for (key, place) in charge.keys().filter(|(key, place)| !self.remembers(key, &place.address)) {
                let at = Place { vault: &place.vault, source: &charge.source, address: &place.address };
                memories.insert(key, (place.address.clone(), load(catalog, at, now).await?));
            }
        }
        self.pages.show(orders.listen, &self.board, self.clock).map_err(ServiceError::from)?;
        // From here on nothing fails.
        let wanted: BTreeSet<Key> =
            orders.charges.iter().flat_map(|charge| charge.keys().map(|(key, _)| key)).collect();
        self.memories.extend(memories);
        self.memories.retain(|key, _| wanted.contains(key));
        // What the catalog could not be told of is newer than what it says.
        for (source, known) in &mut self.reports {
            let unwritten = self.unwritten.reports.iter().filter(|report| report.source == *source);
            known.retain(|report| unwritten.clone().any(|unwritten| unwritten.drill == report.drill));
        }
        for (source, mut loaded) in reports {
            loaded.extend(self.reports.remove(&source).unwrap_or_default());
            loaded.sort_by(|one, two| (two.ended_at, &two.drill).cmp(&(one.ended_at, &one.drill)));
            self.reports.insert(source, loaded);
        }
        self.reports.retain(|source, _| first_seen.contains_key(source));
        self.first_seen = first_seen;
        self.say(&orders);
        self.expect(&orders, wanted, now);
        let pinged = orders.charges.iter();
        let pinged = pinged.filter_map(|charge| Some((charge.source.clone(), charge.ping.clone()?)));
        let before = std::mem::replace(&mut self.pulse, Pulse::start(pinged, &self.courier));
        tokio::spawn(before.close(TELL_WITHIN));
        self.teller.tell_others(orders.alerts, &self.courier, &self.board, orders.host.clone());
        self.stories_until = now;
        let expiries = orders.charges.iter().flat_map(|charge| &charge.places);
        let expiries = expiries.filter_map(|place| Some((place.vault.clone(), place.credential_expires_at?)));
        let (expiries, teller) = (expiries.collect(), orders.teller);
        self.sight = Arc::new(orders.sight);
        self.host = orders.host;
        self.drills = orders.drills.map(Arc::new);
        self.charges = orders.charges.into_iter().map(|charge| (charge.source.clone(), Arc::new(charge))).collect();
        self.board.update(|shown| {
            shown.reload = Reload { succeeded: true, loaded_at: now };
            shown.told_by = teller;
            shown.credential_expires = expiries;
        });
        self.post(now);
        Ok(())
    }

    fn remembers(&self, key: &Key, address: &str) -> bool {
        self.memories.get(key).is_some_and(|(loaded_for, _)| loaded_for == address)
    }

    fn expect(&mut self, orders: &Orders, wanted: BTreeSet<Key>, now: Timestamp) {
        let places = wanted.into_iter().map(|key| {
            let all_at = self.memories.get(&key).and_then(|(_, memory)| memory.round.all_confirmed_at);
            (key, all_at)
        });
        self.agenda.expect(places.collect(), orders.sight.timing, now);
        let Some(drills) = &orders.drills else {
            self.rota = None;
            return;
        };
        let last = |source: &SourceName| {
            let mut ran = self.reports.get(source)?.iter().filter(|report| report.outcome != DrillOutcome::CouldNotRun);
            Some(ran.next()?.started_at)
        };
        let due = orders.charges.iter().map(|charge| (charge.source.clone(), last(&charge.source))).collect();
        let rota = self.rota.get_or_insert_with(|| Rota::new(drills.timing.clone()));
        rota.expect(due, drills.timing.clone(), now);
    }

    fn say(&self, orders: &Orders) {
        for charge in orders.charges.iter().filter(|charge| charge.unasked) {
            let within = charge.objectives.recovery_point.map(spoken).unwrap_or_default();
            tracing::warn!(source = %charge.source, within, "no recovery_point objective is given: this one is taken");
        }
        if orders.teller == Teller::Inspector && orders.sight.reports.is_none() {
            tracing::info!("no `reports` key is given: which backups are proven is not known here");
        }
        let Timing { every, all_every } = orders.sight.timing;
        let (sources, role, version) = (orders.charges.len(), orders.teller.watcher(), env!("CARGO_PKG_VERSION"));
        tracing::info!(version, role, sources, confirm = spoken(every), confirm_all = spoken(all_every), "in force");
    }

    /// The new configuration, if nothing is wrong with it; else the old one goes on and says why.
    pub(super) async fn reload(&mut self, reread: &Reread) {
        self.supervisor.reloading();
        let taken = match service::read_again(reread).await {
            Ok(orders) if orders.state_dir != self.state_dir => {
                Err("`state_dir` cannot change while we run: restart for that".to_owned())
            }
            Ok(orders) => self.take_over(orders).await.map_err(|error| with_causes(&error)),
            Err(why) => Err(why),
        };
        service::reloaded(taken, self.charges.len(), &self.board);
        self.supervisor.ready();
    }
}

/// What lapsed longer ago is not there any more, whatever happens.
const LAPSED_KEPT_FOR: SignedDuration = SignedDuration::from_hours(48);

pub(super) async fn load(catalog: &Catalog, at: Place<'_>, now: Timestamp) -> Result<Memory, WatchError> {
    let backups = catalog.sightings(at, now.checked_sub(LAPSED_KEPT_FOR).unwrap_or(Timestamp::MIN)).await?;
    Ok(Memory::new(backups, catalog.round(at).await?))
}

/// The newest first, the one that proves most among them.
pub(super) async fn load_reports(
    catalog: &Catalog,
    source: &SourceName,
) -> Result<Vec<crate::proof::DrillReport>, WatchError> {
    let mut reports = catalog.drills(source, REPORTS_KEPT).await?;
    let passed = catalog.last_passed_drill(source).await?;
    reports.extend(passed.filter(|passed| !reports.iter().any(|report| report.drill == passed.drill)));
    Ok(reports)
}
