//! facts: what the watcher knows of a source, as health is judged by.

use super::{
    Charge, PlaceOrder, Sight,
    memory::{Memory, sealed_facts},
};
use crate::{
    clock::{Timestamp, spoken, whole_second},
    health::{DiskFacts, DrillFacts, Facts, Unverified, VaultFacts, VaultWatched},
    proof::{DrillOutcome, DrillReport},
};

/// Everything that is remembered of one source.
pub struct Known<'k> {
    pub first_seen_at: Timestamp,
    /// Beside the charge's places, in their order.
    pub memories: Vec<&'k Memory>,
    /// `None` where nobody looks after drills.
    pub drills: Option<DrillsKnown<'k>>,
}

pub struct DrillsKnown<'k> {
    /// The newest first.
    pub reports: &'k [DrillReport],
    pub running_since: Option<Timestamp>,
    pub next_at: Option<Timestamp>,
    pub disk: Option<DiskFacts>,
}

pub fn facts(charge: &Charge, known: Known<'_>, sight: &Sight, now: Timestamp) -> Facts {
    let Known { first_seen_at, memories, drills } = known;
    let places = charge.places.iter().zip(&memories);
    let vaults = places.map(|(place, memory)| vault(charge, place, memory, first_seen_at, sight, now)).collect();
    let newest = memories.iter().filter_map(|memory| memory.last_sealed());
    let newest = newest.max_by_key(|known| (known.sighting.sealed_at, known.sighting.sequence));
    Facts {
        source: charge.source.clone(),
        objectives: charge.objectives,
        needed: charge.needed,
        expected_since: first_seen_at,
        vaults,
        last_run: None,
        running_since: None,
        next_run_at: None,
        suspicions: newest.map(|known| known.suspicions.clone()).unwrap_or_default(),
        drills: drills.map(|drills| drill_facts(first_seen_at, drills)),
    }
}

fn vault(
    charge: &Charge,
    place: &PlaceOrder,
    memory: &Memory,
    first_seen_at: Timestamp,
    sight: &Sight,
    now: Timestamp,
) -> VaultFacts {
    let round = &memory.round;
    let explained = |finding: &&_| sight.accepted.contains(&crate::finding::Finding::name(finding));
    let (accepted, findings) = round.findings.iter().partition::<Vec<_>, _>(explained);
    let three_rounds = sight.timing.every * 3;
    VaultFacts {
        vault: place.vault.clone(),
        every: place.every,
        last_sealed: memory.last_sealed().map(sealed_facts),
        last_good: memory.last_good().map(sealed_facts),
        failing: None,
        watched: Some(VaultWatched {
            last_confirmed: memory.last_confirmed().map(sealed_facts),
            confirmed_at: round.confirmed_at,
            unverified: round.unverified.clone().or_else(|| not_all(memory, first_seen_at, sight, now)),
            confirmed_within: Some(charge.objectives.recovery_point.map_or(three_rounds, |o| o.max(three_rounds))),
            findings: findings.into_iter().cloned().collect(),
            accepted: accepted.into_iter().cloned().collect(),
            clock_skew_secs: round.clock_skew_secs,
            credential_expires_at: place.credential_expires_at,
        }),
    }
}

/// The newest are confirmed, and nobody has managed to read all locks for long.
fn not_all(memory: &Memory, first_seen_at: Timestamp, sight: &Sight, now: Timestamp) -> Option<Unverified> {
    let since = memory.round.all_confirmed_at.unwrap_or(first_seen_at);
    let age = now.duration_since(since);
    (age > sight.timing.all_every * 3).then(|| Unverified {
        since,
        why: format!("the locks of all backups were not read for {}, since {}", spoken(age), whole_second(since)),
    })
}

fn drill_facts(expected_since: Timestamp, known: DrillsKnown<'_>) -> DrillFacts {
    let reports = known.reports;
    let passed = |report: &&DrillReport| report.outcome == DrillOutcome::Passed && report.suspect.is_empty();
    let stuck = reports.iter().take_while(|report| report.outcome == DrillOutcome::CouldNotRun);
    DrillFacts {
        expected_since,
        last: reports.first().cloned(),
        last_passed: reports.iter().filter(passed).max_by_key(|report| (report.snapshot_at, report.ended_at)).cloned(),
        failed: standing_failure(reports).cloned(),
        stuck_since: stuck.last().map(|report| report.started_at),
        running_since: known.running_since,
        next_at: known.next_at,
        disk: known.disk,
    }
}

/// The newest that failed, unless a later one of a backup at least as new has passed.
fn standing_failure(reports: &[DrillReport]) -> Option<&DrillReport> {
    let failed = reports.iter().find(|report| report.outcome == DrillOutcome::Failed)?;
    let outlives = |later: &DrillReport| {
        later.outcome == DrillOutcome::Passed
            && later.ended_at > failed.ended_at
            && later.snapshot_at >= failed.snapshot_at
    };
    (!reports.iter().any(outlives)).then_some(failed)
}

#[cfg(test)]
mod tests;
