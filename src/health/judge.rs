//! judge: facts become states and problems; the rules of DESIGN.md, section 8, as values in and values out.

mod proof;
mod watched;

use super::{Facts, Health, Ladder, Problem, SealedFacts, SourceHealth, State, VaultFacts, VaultHealth};
use crate::{
    clock::{SignedDuration, Timestamp},
    run::Outcome,
    term,
};
use std::cmp::Reverse;

/// How long the first backup may take where no objective says so: a day passes every schedule that people mean.
const FIRST_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// No lapse is announced earlier than a week before.
const LAPSE_SOON_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Clocks of two hosts may differ so much before it is worth a word.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

pub fn judge(now: Timestamp, facts: &[Facts]) -> Health {
    Health { at: now, sources: facts.iter().map(|facts| judge_source(now, facts)).collect() }
}

fn judge_source(now: Timestamp, facts: &Facts) -> SourceHealth {
    let needed = facts.needed.max(1);
    let vaults: Vec<VaultHealth> = facts.vaults.iter().map(|vault| judge_vault(now, facts, vault)).collect();
    let holding = vaults.iter().filter(|vault| vault.current).count();
    let recovery_point = recovery_point(&facts.vaults, needed);
    let mut problems = problems(now, facts, recovery_point, (holding, needed));
    problems.sort_by_key(|problem| Reverse(problem.state()));
    let at_best = if newest_good(&facts.vaults).is_some() { State::Good } else { State::Waiting };
    SourceHealth {
        source: facts.source.clone(),
        state: problems.iter().map(Problem::state).fold(at_best, State::max),
        problems,
        recovery_point,
        age: recovery_point.map(|point| elapsed(point, now)),
        objectives: facts.objectives,
        holding,
        needed,
        vaults,
        last_run: facts.last_run.clone(),
        expected_since: facts.expected_since,
        running_since: facts.running_since,
        next_run_at: facts.next_run_at,
        rung: Ladder::of(facts),
        drills: facts.drills.clone(),
    }
}

fn judge_vault(now: Timestamp, facts: &Facts, vault: &VaultFacts) -> VaultHealth {
    let lock_end = vault.last_good.as_ref().and_then(|good| good.locked_until);
    VaultHealth {
        vault: vault.vault.clone(),
        every: vault.every,
        current: is_current(now, facts, vault),
        failing: vault.failing.clone(),
        last_sealed: vault.last_sealed.clone(),
        last_good: vault.last_good.clone(),
        lapses_in: lock_end.map(|end| elapsed(now, end)),
        watched: vault.watched.clone(),
    }
}

/// Does the vault hold what it should by now? A vault with a period may fall due long before the next run: it is
/// behind only where a run since then has sealed elsewhere, or where a whole period has gone by.
fn is_current(now: Timestamp, facts: &Facts, vault: &VaultFacts) -> bool {
    let (Some(good), None) = (&vault.last_good, &vault.failing) else { return false };
    let lapsed = good.locked_until.is_some_and(|end| end <= now);
    let behind = vault.every.is_some_and(|every| {
        let asked_at = facts.last_run.as_ref().filter(|_| ended_sealed(facts)).map(|run| run.started_at);
        let a_period_ago = now.checked_sub(every).unwrap_or(Timestamp::MIN);
        let looked_at = asked_at.map_or(a_period_ago, |asked_at| asked_at.max(a_period_ago));
        term::due(Some(every), Some(good.sealed_at), looked_at)
    });
    !lapsed && !behind
}

fn outcome(facts: &Facts) -> Option<Outcome> {
    Some(facts.last_run.as_ref()?.ended.as_ref()?.outcome)
}

fn ended_sealed(facts: &Facts) -> bool {
    outcome(facts).is_some_and(|outcome| outcome.is_good() || outcome == Outcome::Suspect)
}

/// The newest time of which as many vaults as are needed hold a good backup, or one newer. Vaults that get a backup
/// only once in a period would always be behind, so they count only where the others give no point.
fn recovery_point(vaults: &[VaultFacts], needed: usize) -> Option<Timestamp> {
    let steady: Vec<&VaultFacts> = vaults.iter().filter(|vault| vault.every.is_none()).collect();
    point_of(&steady, needed).or_else(|| point_of(&vaults.iter().collect::<Vec<_>>(), needed))
}

fn point_of(counted: &[&VaultFacts], needed: usize) -> Option<Timestamp> {
    let mut points: Vec<Timestamp> = counted.iter().filter_map(|vault| Some(good(vault)?.snapshot_at)).collect();
    points.sort_by_key(|point| Reverse(*point));
    points.get(needed.min(counted.len()).checked_sub(1)?).copied()
}

fn good(vault: &VaultFacts) -> Option<&SealedFacts> {
    vault.last_good.as_ref()
}

fn newest_good(vaults: &[VaultFacts]) -> Option<Timestamp> {
    vaults.iter().filter_map(good).map(|good| good.snapshot_at).max()
}

fn problems(
    now: Timestamp,
    facts: &Facts,
    recovery_point: Option<Timestamp>,
    (holding, needed): (usize, usize),
) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(lateness(now, facts, recovery_point));
    if holding < needed && newest_good(&facts.vaults).is_some() {
        problems.push(Problem::NotProtected { holding, needed });
    }
    problems.extend(failure(facts));
    problems.extend(facts.vaults.iter().filter_map(|VaultFacts { vault, failing, .. }| {
        Some(Problem::VaultFailing { vault: vault.clone(), why: failing.clone()? })
    }));
    problems.extend(facts.vaults.iter().filter_map(|vault| lapse(now, facts, vault)));
    if !facts.suspicions.is_empty() {
        problems.push(Problem::Suspect { reasons: facts.suspicions.clone() });
    }
    problems.extend(clock_wrong(now, &facts.vaults));
    problems.extend(facts.vaults.iter().flat_map(|vault| watched::problems(now, facts, vault)));
    problems.extend(facts.drills.iter().flat_map(|drills| proof::problems(now, &facts.objectives, drills)));
    problems
}

/// Nothing at all, or nothing recent enough. Where too few vaults hold anything there is no recovery point, and the
/// newest good backup anywhere says how late it is: that too few hold it is a problem of its own.
fn lateness(now: Timestamp, facts: &Facts, recovery_point: Option<Timestamp>) -> Option<Problem> {
    let objective = facts.objectives.recovery_point;
    let Some(newest) = newest_good(&facts.vaults) else {
        let late = elapsed(facts.expected_since, now) > objective.unwrap_or(FIRST_WITHIN);
        return late.then_some(Problem::NeverBackedUp { expected_since: facts.expected_since });
    };
    let age = elapsed(recovery_point.unwrap_or(newest), now);
    objective.filter(|objective| age > *objective).map(|objective| Problem::Overdue { age, objective })
}

fn failure(facts: &Facts) -> Option<Problem> {
    let end = facts.last_run.as_ref()?.ended.as_ref()?;
    let unsaid = match end.outcome {
        Outcome::Sealed | Outcome::NotDue | Outcome::Suspect | Outcome::SomeFailed => return None,
        // Somebody stopped it, and whoever starts the daemon again begins it anew; if nobody does, age will tell.
        Outcome::Interrupted => return None,
        Outcome::Failed => "it did not say why",
        Outcome::Abandoned => "its process was gone before it could say how it ended",
    };
    Some(Problem::Failing { why: end.why.clone().unwrap_or_else(|| unsaid.to_owned()) })
}

/// A lock that ends soon is a problem only where no good backup will come in time. The last week, or the last quarter
/// of a short lock, is soon.
fn lapse(now: Timestamp, facts: &Facts, vault: &VaultFacts) -> Option<Problem> {
    let good = vault.last_good.as_ref()?;
    let ends_at = good.locked_until?;
    if ends_at <= now {
        return Some(Problem::Lapsed { vault: vault.vault.clone(), ended_at: ends_at });
    }
    let left = elapsed(now, ends_at);
    let soon = LAPSE_SOON_MAX.min(elapsed(good.sealed_at, ends_at) / 4);
    let renewed = renewal(now, facts, vault).is_some_and(|renewed_at| renewed_at < ends_at);
    (left < soon && !renewed).then(|| Problem::Lapsing { vault: vault.vault.clone(), left })
}

/// When the vault gets its next good backup, if all goes on as it goes now; `None` where something is wrong already.
fn renewal(now: Timestamp, facts: &Facts, vault: &VaultFacts) -> Option<Timestamp> {
    // A watcher knows of no run: only that a vault with a period is not given anything before the next one.
    if vault.watched.is_some() {
        let last = vault.last_sealed.as_ref()?;
        return vault.every.map(|every| term::next_period(every, last.sealed_at)).filter(|next| *next >= now);
    }
    let well = vault.failing.is_none() && outcome(facts).is_some_and(Outcome::is_good);
    let next = facts.next_run_at.filter(|next| well && *next >= now)?;
    let due_at =
        vault.every.zip(vault.last_sealed.as_ref()).map(|(every, last)| term::next_period(every, last.sealed_at));
    Some(due_at.map_or(next, |due_at| due_at.max(next)))
}

fn clock_wrong(now: Timestamp, vaults: &[VaultFacts]) -> Option<Problem> {
    let ahead = elapsed(now, newest_good(vaults)?);
    (ahead > AHEAD_MAX).then_some(Problem::ClockWrong { ahead })
}

/// From one instant to another; zero where the other came first, because the clock went back.
fn elapsed(from: Timestamp, to: Timestamp) -> SignedDuration {
    to.duration_since(from).max(SignedDuration::ZERO)
}
