//! Tests of which reports and findings count.

use super::*;
use crate::{
    clock::SignedDuration,
    digest::Blake3,
    watch::memory::tests::{at, passed},
};

fn report(minutes: i64, snapshot: i64, outcome: DrillOutcome) -> DrillReport {
    let snapshot_at = Some(at(snapshot));
    DrillReport { outcome, snapshot_at, ..passed(Blake3([minutes as u8; 32]), minutes) }
}

/// When the reports ended that count as last, passed and failed, and since when none could run.
fn counted(reports: &[DrillReport]) -> [Option<i64>; 4] {
    let known = DrillsKnown { reports, running_since: None, next_at: None, disk: None };
    let facts = drill_facts(at(0), known);
    let minute = |at_: Timestamp| at_.duration_since(at(0)).as_mins();
    let ended = |report: &Option<DrillReport>| report.as_ref().map(|report| minute(report.ended_at));
    [ended(&facts.last), ended(&facts.last_passed), ended(&facts.failed), facts.stuck_since.map(minute)]
}

#[test]
fn what_is_proven_is_the_newest_data_and_not_the_newest_drill() {
    let (newest, sample) = (report(10, 5, DrillOutcome::Passed), report(20, -500, DrillOutcome::Passed));
    assert_eq!(counted(&[sample, newest]), [Some(20), Some(10), None, None]);
    let wiped = DrillReport { suspect: vec!["rows".into()], ..report(30, 25, DrillOutcome::Passed) };
    assert_eq!(counted(&[wiped, report(10, 5, DrillOutcome::Passed)]), [Some(30), Some(10), None, None]);
}

#[test]
fn a_failure_stands_until_a_backup_at_least_as_new_passes_later() {
    let failed = || report(10, 5, DrillOutcome::Failed);
    assert_eq!(counted(&[report(20, -500, DrillOutcome::Passed), failed()])[2], Some(10), "an older sample passed");
    assert_eq!(counted(&[failed(), report(5, 7, DrillOutcome::Passed)])[2], Some(10), "it had passed before");
    assert_eq!(counted(&[report(20, 5, DrillOutcome::Passed), failed()])[2], None);
    assert_eq!(counted(&[report(20, 15, DrillOutcome::CouldNotRun), failed()])[2], Some(10));
}

#[test]
fn what_could_not_run_is_told_since_the_first_of_its_row() {
    let stuck = |minutes| report(minutes, 0, DrillOutcome::CouldNotRun);
    assert_eq!(counted(&[stuck(40), stuck(30), report(20, 0, DrillOutcome::Passed), stuck(10)])[3], Some(29));
    assert_eq!(counted(&[report(20, 0, DrillOutcome::Passed), stuck(10)])[3], None);
}

#[test]
fn locks_that_nobody_managed_to_read_for_long_are_said_to_be_unverified() {
    let timing =
        super::super::Timing { every: SignedDuration::from_secs(60), all_every: SignedDuration::from_mins(10) };
    let sight = Sight { timing, accepted: Default::default(), reports: None };
    let mut memory = Memory::default();
    assert_eq!(not_all(&memory, at(0), &sight, at(29)), None);
    assert_eq!(not_all(&memory, at(0), &sight, at(31)).unwrap().since, at(0));
    memory.round.all_confirmed_at = Some(at(20));
    assert_eq!(not_all(&memory, at(0), &sight, at(31)), None);
}
