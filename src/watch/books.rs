//! books: what the watcher writes into the catalog, and what it puts on the board.

use super::{
    Watcher,
    agenda::Key,
    facts::{self, DrillsKnown, Known},
};
use crate::{
    catalog::{Catalog, CatalogError, Place, Remembered},
    clock::Timestamp,
    failure::with_causes,
    health::Story,
    layout::BackupId,
    proof::DrillReport,
    service::CATALOG_WITHIN,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the catalog could not be told of yet.
#[derive(Default)]
pub struct Unwritten {
    pub backups: BTreeMap<Key, BTreeSet<BackupId>>,
    pub reports: Vec<DrillReport>,
}

impl Unwritten {
    fn is_empty(&self) -> bool {
        self.backups.is_empty() && self.reports.is_empty()
    }
}

impl Watcher {
    /// What cannot be written now is written when it can.
    pub(super) async fn write(&mut self, now: Timestamp) {
        if self.unwritten.is_empty() {
            return;
        }
        let why = match tokio::time::timeout(CATALOG_WITHIN, self.write_all(now)).await {
            Ok(Ok(())) => {
                let written = std::mem::take(&mut self.unwritten);
                for (key, backups) in written.backups {
                    if let Some((_, memory)) = self.memories.get_mut(&key) {
                        memory.let_go(&backups);
                    }
                }
                return;
            }
            Ok(Err(error)) => with_causes(&error),
            Err(_elapsed) => "it does not answer".to_owned(),
        };
        tracing::error!(error = why, "the catalog does not know yet what was seen: a restart would forget it");
        // A file that was replaced, or a disk that was full, is opened anew.
        self.catalog = None;
    }

    async fn write_all(&mut self, now: Timestamp) -> Result<(), CatalogError> {
        if self.catalog.is_none() {
            self.catalog = Some(Catalog::open(&self.state_dir, now).await?);
        }
        let catalog = self.catalog.as_ref().expect("it was opened above");
        for ((source, vault), backups) in &self.unwritten.backups {
            let Some((address, memory)) = self.memories.get(&(source.clone(), vault.clone())) else { continue };
            let changed: Vec<&Remembered> = backups.iter().filter_map(|backup| memory.backups.get(backup)).collect();
            catalog.remember(Place { vault, source, address }, &memory.round, &changed).await?;
        }
        for report in &self.unwritten.reports {
            catalog.keep_drill(report).await?;
        }
        Ok(())
    }

    /// Puts what is known on the board.
    pub(super) fn post(&self, now: Timestamp) {
        let facts = self.charges.values().map(|charge| {
            let memories = charge.keys().filter_map(|(key, _)| self.memories.get(&key));
            let known = Known {
                first_seen_at: self.first_seen.get(&charge.source).copied().unwrap_or(now),
                memories: memories.map(|(_, memory)| memory).collect(),
                drills: self.drills_known(charge),
            };
            facts::facts(charge, known, &self.sight, now)
        });
        let facts: Vec<_> = facts.collect();
        let watched = facts.iter().flat_map(|facts| &facts.vaults);
        let skews =
            watched.filter_map(|vault| Some((vault.vault.clone(), vault.watched.as_ref()?.clock_skew_secs? as f64)));
        let skews: BTreeMap<String, f64> = skews.collect();
        self.board.update(|shown| {
            shown.facts = facts;
            shown.clock_skews = skews;
        });
    }

    /// Puts on the board what became of each source over time: whenever a look or a drill has ended, for it is long.
    pub(super) fn tell_stories(&self) {
        let stories = self.charges.values().map(|charge| {
            let memories = charge.keys().filter_map(|(key, _)| self.memories.get(&key));
            let remembered = memories.flat_map(|(_, memory)| memory.backups.values());
            let mut sightings: Vec<_> = remembered.map(|known| known.sighting.clone()).collect();
            sightings.sort_by(|one, other| (one.sealed_at, one.sequence).cmp(&(other.sealed_at, other.sequence)));
            let reports = self.reports.get(&charge.source).into_iter().flatten();
            let drills = reports.rev().cloned().collect();
            (charge.source.clone(), Story { sightings, drills })
        });
        let stories = Arc::new(stories.collect::<BTreeMap<_, _>>());
        self.board.update(|shown| shown.stories = stories);
    }

    fn drills_known(&self, charge: &super::Charge) -> Option<DrillsKnown<'_>> {
        if self.rota.is_none() && self.sight.reports.is_none() {
            return None;
        }
        let running = self.rota.as_ref().and_then(|rota| rota.running());
        Some(DrillsKnown {
            reports: self.reports.get(&charge.source).map_or(&[], Vec::as_slice),
            running_since: running.filter(|(source, _)| *source == charge.source).map(|(_, since)| *since),
            next_at: self.rota.as_ref().and_then(|rota| rota.next_at(&charge.source)),
            disk: self.drills.as_ref().and_then(|drills| self.disk(drills, charge)),
        })
    }
}
