//! books: what the watcher writes into the catalog, and what it puts on the board.

use super::{
    Watcher,
    agenda::Key,
    facts::{self, DrillsKnown, Known},
};
use crate::{
    catalog::{Catalog, CatalogError, Place, Remembered},
    clock::{SignedDuration, Timestamp},
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

/// As long as pictures tell of.
const STORIES_OF: SignedDuration = SignedDuration::from_hours(24 * 60);

const STORIES_FOR: SignedDuration = SignedDuration::from_mins(1);

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

    /// What became of each source over the last weeks, for pictures, the oldest first; read from the catalog each minute.
    pub(super) async fn tell_stories(&mut self, now: Timestamp) {
        let fresh = now < self.stories_until && self.stories_until <= now + STORIES_FOR;
        let Some(catalog) = self.catalog.as_ref().filter(|_| !fresh) else { return };
        self.stories_until = now + STORIES_FOR;
        let since = now.checked_sub(STORIES_OF).unwrap_or(Timestamp::MIN);
        let mut stories = BTreeMap::new();
        let reading = async {
            for charge in self.charges.values() {
                let mut story = Story::default();
                for place in &charge.places {
                    let at = Place { vault: &place.vault, source: &charge.source, address: &place.address };
                    story.sightings.extend(catalog.sighted_since(at, since).await?);
                }
                story.sightings.sort_by_key(|sighting| sighting.sealed_at);
                let drills = self.reports.get(&charge.source).into_iter().flatten();
                story.drills = drills.rev().filter(|report| report.ended_at >= since).cloned().collect();
                stories.insert(charge.source.clone(), story);
            }
            Ok::<_, CatalogError>(())
        };
        match tokio::time::timeout(CATALOG_WITHIN, reading).await {
            Ok(Ok(())) => self.board.update(|shown| shown.stories = Arc::new(stories)),
            Ok(Err(error)) => {
                tracing::warn!(error = with_causes(&error), "the catalog cannot tell what became of backups")
            }
            Err(_elapsed) => tracing::warn!("the catalog does not tell what became of backups"),
        }
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
