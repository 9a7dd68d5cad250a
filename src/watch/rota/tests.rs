//! Tests of when is drilled, and what.

use super::*;

const DAY: i64 = 24 * 60;

fn at(minutes: i64) -> Timestamp {
    "2026-11-21T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

fn daily(sample: usize) -> DrillTiming {
    DrillTiming { when: When::Every(SignedDuration::from_hours(24)), sample }
}

fn source(name: &str) -> SourceName {
    name.parse().unwrap()
}

fn rota(timing: DrillTiming, last: &[(&str, Option<Timestamp>)]) -> Rota {
    let mut rota = Rota::new(timing.clone());
    rota.expect(last.iter().map(|(name, last)| (source(name), *last)).collect(), timing, at(0));
    rota
}

fn tick(rota: &mut Rota, minutes: i64) -> Option<Pick> {
    rota.tick(at(minutes), |_| true).map(|(_, pick)| pick)
}

const PASSED: Option<DrillOutcome> = Some(DrillOutcome::Passed);
const STUCK: Option<DrillOutcome> = Some(DrillOutcome::CouldNotRun);

#[test]
fn the_newest_is_drilled_then_the_samples_then_the_day_passes() {
    let (mut rota, app) = (rota(daily(2), &[("app", None)]), source("app"));
    for (minutes, pick) in [(0, Pick::Newest), (5, Pick::Sample), (9, Pick::Sample)] {
        assert_eq!(tick(&mut rota, minutes), Some(pick), "{minutes}");
        assert_eq!(tick(&mut rota, minutes), None, "one at a time");
        rota.ended(&app, PASSED, at(minutes + 3));
    }
    assert_eq!((tick(&mut rota, 13), rota.next_at(&app)), (None, Some(at(DAY))));
    assert_eq!(tick(&mut rota, DAY), Some(Pick::Newest));
}

#[test]
fn a_restart_goes_on_where_the_last_drill_was() {
    let mut rota = rota(daily(0), &[("app", Some(at(-60))), ("old", Some(at(-2 * DAY)))]);
    assert_eq!(rota.tick(at(0), |_| true), Some((source("old"), Pick::Newest)));
    rota.ended(&source("old"), PASSED, at(1));
    assert_eq!((tick(&mut rota, 2), rota.wake_at(at(2))), (None, at(DAY - 60)));
}

#[test]
fn a_schedule_is_kept_on_its_own_clock() {
    let schedule = "30 3 * * *".parse().unwrap();
    let when = When::Schedule { schedule, zone: TimeZone::get("Europe/Berlin").unwrap() };
    let mut rota = rota(DrillTiming { when, sample: 0 }, &[("app", Some(at(-60)))]);
    assert_eq!(rota.next_at(&source("app")), Some("2026-11-22T02:30:00Z".parse().unwrap()));
    assert_eq!(tick(&mut rota, 14 * 60 + 30), Some(Pick::Newest));
}

#[test]
fn a_clock_that_was_a_year_ahead_keeps_no_schedule_from_its_next_time() {
    let schedule = "30 3 * * *".parse().unwrap();
    let when = When::Schedule { schedule, zone: TimeZone::UTC };
    let mut rota = rota(DrillTiming { when, sample: 0 }, &[("app", Some(at(365 * DAY)))]);
    assert_eq!(tick(&mut rota, 0), None);
    assert_eq!(rota.next_at(&source("app")), Some("2026-11-22T03:30:00Z".parse().unwrap()));
    assert_eq!(tick(&mut rota, 15 * 60 + 30), Some(Pick::Newest));
}

#[test]
fn without_a_backup_nothing_is_drilled() {
    let mut rota = rota(daily(1), &[("app", None)]);
    assert_eq!(rota.tick(at(0), |_| false), None);
    assert_eq!(tick(&mut rota, 1), Some(Pick::Newest));
}

#[test]
fn what_could_not_run_comes_again_after_growing_pauses_and_goes_on_there() {
    let (mut rota, app) = (rota(daily(1), &[("app", None)]), source("app"));
    let mut minutes = 0;
    let mut pauses = Vec::new();
    for _ in 0..7 {
        assert_eq!(tick(&mut rota, minutes), Some(Pick::Newest), "{minutes}");
        rota.ended(&app, STUCK, at(minutes));
        let next = rota.next_at(&app).unwrap().duration_since(at(minutes)).as_mins();
        pauses.push(next);
        minutes += next;
    }
    assert_eq!(pauses, [15, 30, 60, 120, 240, 360, 360]);
    assert_eq!(tick(&mut rota, minutes), Some(Pick::Newest));
    rota.ended(&app, PASSED, at(minutes));
    assert_eq!(tick(&mut rota, minutes), Some(Pick::Sample), "what was left of the round");
    rota.ended(&app, STUCK, at(minutes));
    assert_eq!((tick(&mut rota, minutes + 14), tick(&mut rota, minutes + 15)), (None, Some(Pick::Sample)));
}

#[test]
fn a_source_that_cannot_be_drilled_holds_up_no_other() {
    let mut rota = rota(daily(0), &[("app", None), ("zoo", None)]);
    assert_eq!(rota.tick(at(0), |_| true).unwrap().0, source("app"));
    rota.ended(&source("app"), STUCK, at(0));
    assert_eq!(rota.tick(at(1), |_| true).unwrap().0, source("zoo"));
}

#[test]
fn retries_that_last_past_the_next_round_drill_what_is_newest_then() {
    let (mut rota, app) = (rota(daily(1), &[("app", None)]), source("app"));
    assert_eq!(tick(&mut rota, 0), Some(Pick::Newest));
    rota.ended(&app, PASSED, at(1));
    assert_eq!(tick(&mut rota, 1), Some(Pick::Sample));
    rota.ended(&app, STUCK, at(2));
    assert_eq!(tick(&mut rota, DAY + 1), Some(Pick::Newest));
}

#[test]
fn where_there_is_no_other_backup_no_sample_is_missed() {
    let (mut rota, app) = (rota(daily(5), &[("app", None)]), source("app"));
    tick(&mut rota, 0);
    rota.ended(&app, PASSED, at(1));
    assert_eq!(tick(&mut rota, 1), Some(Pick::Sample));
    rota.ended(&app, None, at(1));
    assert_eq!(rota.next_at(&app), Some(at(DAY)));
}

#[test]
fn a_reload_tries_again_at_once_what_could_not_run() {
    let (mut rota, app) = (rota(daily(0), &[("app", None)]), source("app"));
    tick(&mut rota, 0);
    rota.ended(&app, STUCK, at(1));
    rota.expect(vec![(app, Some(at(-60)))], daily(0), at(2));
    assert_eq!(tick(&mut rota, 2), Some(Pick::Newest));
}
