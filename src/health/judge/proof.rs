//! proof: how a source's drills stand, judged: whether what is there restores, how lately that was seen, how fast.

use super::elapsed;
use crate::{
    clock::{SignedDuration, Timestamp},
    health::{DrillFacts, Objectives, Problem},
    proof::{DrillOutcome, DrillReport},
};

/// How long the first drill may take where no objective says so: a week passes every schedule that people mean.
const FIRST_WITHIN: SignedDuration = SignedDuration::from_hours(8 * 24);

pub(super) fn problems(now: Timestamp, objectives: &Objectives, drills: &DrillFacts) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(failed) = &drills.failed {
        let backup = failed.backup.clone();
        problems.push(Problem::DrillFailed { backup, differences: failed.differences.clone() });
    }
    problems.extend(unproven(now, objectives.proven_within, drills));
    problems.extend(drills.last.as_ref().and_then(|last| could_not_run(drills, last)));
    let fast = drills.last_passed.as_ref().and_then(|passed| passed.restore_seconds).zip(objectives.recovery_time);
    if let Some((took, objective)) = fast.filter(|(took, objective)| *took > objective.as_secs_f64()) {
        let took = SignedDuration::try_from_secs_f64(took).unwrap_or(SignedDuration::MAX);
        problems.push(Problem::TooSlow { took, objective });
    }
    if let Some(disk) = drills.disk.filter(|disk| disk.free_bytes < disk.needed_bytes) {
        problems.push(Problem::DiskShort { free: disk.free_bytes, needed: disk.needed_bytes });
    }
    problems
}

/// Age counts from the time of the data, as that of a recovery point does: what was written since is not proven.
fn unproven(now: Timestamp, objective: Option<SignedDuration>, drills: &DrillFacts) -> Option<Problem> {
    let Some(snapshot_at) = drills.last_passed.as_ref().and_then(|passed| passed.snapshot_at) else {
        let late = elapsed(drills.expected_since, now) > objective.unwrap_or(FIRST_WITHIN);
        return late.then_some(Problem::NeverProven { expected_since: drills.expected_since });
    };
    let age = elapsed(snapshot_at, now);
    objective.filter(|objective| age > *objective).map(|objective| Problem::Unproven { age, objective })
}

fn could_not_run(drills: &DrillFacts, last: &DrillReport) -> Option<Problem> {
    let since = drills.stuck_since.unwrap_or(last.started_at);
    let why = last.reason.clone().unwrap_or_else(|| "it did not say why".to_owned());
    (last.outcome == DrillOutcome::CouldNotRun).then_some(Problem::DrillCouldNotRun { why, since })
}
