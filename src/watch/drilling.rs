//! drilling: begins the drill that is due, brings its report home, and says whether the next one has room.

use super::{
    Charge, DrillOrders, Watcher,
    filing::{self, Desk},
    memory::Memory,
    rota::Pick,
};
use crate::{
    catalog::Remembered,
    clock::Timestamp,
    drill::{self, Order},
    health::DiskFacts,
    layout::{DrillId, SourceName},
    progress::Progress,
    proof::{DrillOutcome, DrillReport},
    role::{Reporter, Restorer, Select},
};
use std::{path::Path, sync::Arc};
use tokio::task::JoinError;

/// Where nothing better is known: what was packed, unpacked, loaded, indexed, and logged meanwhile.
const DISK_PER_PACKED: u64 = 8;

/// What a task brings home.
pub struct Drilled {
    report: DrillReport,
    /// Where the report could not be kept, and why.
    unfiled: Vec<String>,
}

impl Watcher {
    pub(super) fn begin_drill(&mut self, now: Timestamp) {
        let (Some(rota), Some(drills)) = (&mut self.rota, &self.drills) else { return };
        let (charges, memories) = (&self.charges, &self.memories);
        let memories_of = |source: &SourceName| -> Vec<&Memory> {
            let keys = charges.get(source).into_iter().flat_map(|charge| charge.keys());
            keys.filter_map(|(key, _)| Some(&memories.get(&key)?.1)).collect()
        };
        let ready = |source: &SourceName| memories_of(source).iter().any(|memory| memory.last_good().is_some());
        let Some((source, pick)) = rota.tick(now, ready) else { return };
        let Some(charge) = charges.get(&source) else {
            rota.ended(&source, None, now);
            return;
        };
        let Some((restorer, reporter, select)) = chosen(charge, &memories_of(&source), pick, (self.random)()) else {
            rota.ended(&source, None, now);
            return;
        };
        let order = Order {
            source: source.clone(),
            select,
            to: None,
            jobs: drills.jobs,
            client_path: charge.client_path.clone(),
            checks: charge.checks.clone(),
            recovery_time: charge.objectives.recovery_time,
            limits: drills.limits.clone(),
            host: self.host.clone(),
        };
        let id = DrillId::new(now, (self.random)());
        let wanted = format!("a backup{}", order.select.wanted());
        tracing::info!(%source, drill = %id, wanted, vault = restorer.inspector().vault(), "drill begins");
        let (clock, desk) = (self.clock, Desk { keeping: Arc::clone(&drills.keeping), reporter });
        self.drill.spawn(async move {
            let progress = Progress::default();
            let report = drill::drill(&restorer, &order, id, &progress, clock).await;
            let unfiled = filing::file(&desk, &report).await;
            Drilled { report, unfiled }
        });
    }

    pub(super) fn take_drill(&mut self, joined: Result<Drilled, JoinError>) {
        let now = self.clock.now();
        let Some(rota) = &mut self.rota else { return };
        let running = rota.running().map(|(source, _)| source.clone());
        match joined {
            Ok(Drilled { report, unfiled }) => {
                for why in unfiled {
                    tracing::error!(source = %report.source, drill = %report.drill, why, "the report is not where it should be");
                }
                rota.ended(&report.source, Some(report.outcome), now);
                let charge = self.charges.get(&report.source).cloned();
                self.keep(report);
                if let Some(charge) = charge {
                    self.prove(&charge);
                }
            }
            Err(error) => {
                let Some(source) = running else { return };
                tracing::error!(%source, %error, "the drill broke off by a defect of ours");
                rota.ended(&source, Some(DrillOutcome::CouldNotRun), now);
            }
        }
    }

    /// `None` where the disk cannot be asked, which the drill itself will say.
    pub(super) fn disk(&self, drills: &DrillOrders, charge: &Charge) -> Option<DiskFacts> {
        let memories = charge.keys().filter_map(|(key, _)| self.memories.get(&key)?.1.last_good());
        let packed = memories.map(|known| known.sighting.packed_bytes).max()?;
        let free_bytes = free_bytes(&drills.limits.scratch_dir)?;
        let free_bytes = drills.limits.disk_bytes_max.map_or(free_bytes, |limit| free_bytes.min(limit));
        Some(DiskFacts { free_bytes, needed_bytes: packed.saturating_mul(DISK_PER_PACKED) })
    }
}

/// Of the folder, or of the first above it that is there.
fn free_bytes(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Where to restore from, where the report is deposited, and what is restored.
type Chosen = (Restorer, Option<Arc<Reporter>>, Select);

/// Where to restore from, and what. The newest comes from a vault that gets every backup, samples come from any.
fn chosen(charge: &Charge, memories: &[&Memory], pick: Pick, random: [u8; 4]) -> Option<Chosen> {
    let places = || charge.places.iter().zip(memories.iter().copied());
    match pick {
        Pick::Newest => {
            let held = || places().filter(|(_, memory)| memory.last_good().is_some());
            let (place, _) = held().find(|(place, _)| place.every.is_none()).or_else(|| held().next())?;
            Some((place.restorer.clone()?, place.reporter.clone(), Select::LatestGood))
        }
        Pick::Sample => {
            let older = places().flat_map(|(place, memory)| {
                let newest = memory.last_good().map(|known| &known.sighting.backup);
                let older = memory.good().filter(move |known| Some(&known.sighting.backup) != newest);
                older.map(move |known: &Remembered| (place, known))
            });
            let older: Vec<_> = older.collect();
            let index = u32::from_be_bytes(random) as usize % older.len().max(1);
            let (place, known) = older.get(index)?;
            Some((place.restorer.clone()?, place.reporter.clone(), Select::Id(known.sighting.backup.clone())))
        }
    }
}
