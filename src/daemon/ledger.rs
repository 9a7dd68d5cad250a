//! ledger: what the catalog says of the daemon's sources, as facts and as history.

use super::{
    Charge,
    agenda::{Agenda, Remembered},
};
use crate::{
    catalog::{Catalog, CatalogError, Place},
    clock::Timestamp,
    health::Facts,
    layout::SourceName,
    run::{self, Outcome},
};
use std::{collections::BTreeMap, sync::Arc};

/// Where a daemon that begins goes on with `source`.
pub async fn remembered(catalog: &Catalog, source: &SourceName, now: Timestamp) -> Result<Remembered, CatalogError> {
    let first_seen = catalog.first_seen(source, now).await?;
    let last_slot = catalog.last_slot(source).await?;
    let last = catalog.last_ended(source).await?;
    let unfinished = last.as_ref().filter(|run| run.ended.as_ref().is_some_and(|end| fell_short(end.outcome)));
    Ok(Remembered {
        accounted: last_slot.unwrap_or(first_seen),
        ever_ran: last.is_some(),
        unfinished: unfinished.map(|run| run.trigger.slot().unwrap_or(run.started_at)),
    })
}

fn fell_short(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::Interrupted | Outcome::Abandoned)
}

/// Everything that health is judged by; without an agenda, what runs and when the next run is due is told by the
/// catalog and the schedule.
pub async fn facts(
    catalog: &Catalog,
    charges: &BTreeMap<SourceName, Arc<Charge>>,
    agenda: Option<&Agenda>,
    now: Timestamp,
) -> Result<Vec<Facts>, CatalogError> {
    let mut all = Vec::new();
    for Charge { job, objectives, timing, .. } in charges.values().map(|charge| &**charge) {
        let mut vaults = Vec::new();
        for destination in &job.destinations {
            let address = destination.depositor.describe();
            let place = Place { vault: destination.depositor.vault(), source: &job.source, address: &address };
            vaults.push(catalog.vault_facts(place, destination.every).await?);
        }
        all.push(Facts {
            source: job.source.clone(),
            objectives: *objectives,
            needed: job.needed,
            expected_since: catalog.first_seen(&job.source, now).await?,
            vaults,
            last_run: catalog.last_ended(&job.source).await?,
            running_since: running_since(catalog, &job.source).await?,
            next_run_at: timing.schedule.as_ref().and_then(|schedule| schedule.next(&timing.zone, now)),
            suspicions: catalog.suspicions(&job.source).await?,
            drills: None,
        });
    }
    if let Some(agenda) = agenda {
        refresh_times(&mut all, agenda);
    }
    Ok(all)
}

async fn running_since(catalog: &Catalog, source: &SourceName) -> Result<Option<Timestamp>, CatalogError> {
    let newest = catalog.runs(Some(source), 1).await?.into_iter().next();
    Ok(newest.filter(|run| run.ended.is_none()).map(|run| run.started_at))
}

/// A run that the catalog could not be told of is the last one all the same.
pub fn overlay(facts: &mut [Facts], last_runs: &BTreeMap<SourceName, run::Record>) {
    for facts in facts {
        let Some(last) = last_runs.get(&facts.source) else { continue };
        let known = facts.last_run.as_ref().and_then(|run| run.ended.as_ref());
        // The catalog's own record of it ended a moment later, and knows more.
        if known
            .is_none_or(|known| last.ended.as_ref().is_some_and(|end| known.at < last.started_at && known.at < end.at))
        {
            facts.last_run = Some(last.clone());
        }
    }
}

/// What the agenda alone knows.
pub fn refresh_times(facts: &mut [Facts], agenda: &Agenda) {
    let running: BTreeMap<_, _> = agenda.running().collect();
    for facts in facts {
        facts.running_since = running.get(&facts.source).copied();
        facts.next_run_at = agenda.next_run_at(&facts.source);
    }
}

pub fn by_source(totals: Vec<(SourceName, Outcome, u64)>) -> BTreeMap<(SourceName, Outcome), u64> {
    totals.into_iter().map(|(source, outcome, runs)| ((source, outcome), runs)).collect()
}
