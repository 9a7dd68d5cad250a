//! Tests of when is looked, and how far.

use super::*;

fn at(secs: i64) -> Timestamp {
    "2026-11-21T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(secs)
}

const TIMING: Timing = Timing { every: SignedDuration::from_secs(300), all_every: SignedDuration::from_hours(24) };

fn key(source: &str, vault: &str) -> Key {
    (source.parse().unwrap(), vault.to_owned())
}

fn agenda(places: &[(&str, &str)], all_at: Option<Timestamp>) -> Agenda {
    let mut agenda = Agenda::new(TIMING);
    let places = places.iter().map(|(source, vault)| (key(source, vault), all_at)).collect();
    agenda.expect(places, TIMING, at(0));
    agenda
}

/// `app/east newest`, sorted.
fn told(steps: &[Step]) -> Vec<String> {
    let mut told: Vec<_> =
        steps.iter().map(|step| format!("{}/{} {:?}", step.key.0, step.key.1, step.depth).to_lowercase()).collect();
    told.sort();
    told
}

#[test]
fn a_new_place_is_looked_at_quickly_then_wholly_then_on_time() {
    let mut agenda = agenda(&[("app", "east")], None);
    assert_eq!(told(&agenda.tick(at(0))), ["app/east newest"]);
    assert_eq!(told(&agenda.tick(at(1))), [""; 0], "never two at once");
    agenda.ended(&key("app", "east"), true, at(2));
    assert_eq!(told(&agenda.tick(at(2))), ["app/east all"]);
    agenda.ended(&key("app", "east"), true, at(60));
    assert_eq!((told(&agenda.tick(at(301))), agenda.wake_at(at(301))), (vec![], at(302)));
    assert_eq!(told(&agenda.tick(at(302))), ["app/east newest"]);
    agenda.ended(&key("app", "east"), true, at(303));
    assert_eq!(told(&agenda.tick(at(86_402))), ["app/east all"], "a day after it began");
}

#[test]
fn who_was_wholly_looked_at_lately_is_looked_at_quickly() {
    let mut agenda = agenda(&[("app", "east")], Some(at(-3_600)));
    assert_eq!(told(&agenda.tick(at(0))), ["app/east newest"]);
    agenda.ended(&key("app", "east"), true, at(2));
    assert_eq!(told(&agenda.tick(at(299))), [""; 0]);
    assert_eq!(told(&agenda.tick(at(300))), ["app/east newest"], "counted from when it began");
}

#[test]
fn a_look_that_failed_comes_again_soon_and_then_as_usual() {
    let mut agenda = agenda(&[("app", "east")], Some(at(0)));
    let mut now = at(0);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        assert_eq!(agenda.tick(now).len(), 1, "{now}");
        agenda.ended(&key("app", "east"), false, now);
        let next = agenda.wake_at(now);
        pauses.push(next.duration_since(now).as_secs());
        now = next;
    }
    assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
}

#[test]
fn everything_at_once_that_fails_does_not_keep_the_newest_from_being_looked_at() {
    let mut agenda = agenda(&[("app", "east")], None);
    agenda.tick(at(0));
    agenda.ended(&key("app", "east"), true, at(1));
    assert_eq!(told(&agenda.tick(at(1))), ["app/east all"]);
    agenda.ended(&key("app", "east"), false, at(1801));
    assert_eq!(told(&agenda.tick(at(1816))), ["app/east newest"]);
    agenda.ended(&key("app", "east"), true, at(1817));
    assert_eq!(told(&agenda.tick(at(2116))), ["app/east newest"]);
    agenda.ended(&key("app", "east"), true, at(2117));
    assert_eq!(told(&agenda.tick(at(1 + 6 * 3600))), ["app/east all"], "a quarter of its period later");
}

#[test]
fn a_stuck_vault_holds_up_no_other() {
    let places: Vec<_> = ["a", "b", "c", "d", "e", "f"].iter().flat_map(|s| [(*s, "east"), (*s, "west")]).collect();
    let mut agenda = agenda(&places, Some(at(0)));
    let steps = agenda.tick(at(0));
    let of = |vault: &str| steps.iter().filter(|step| step.key.1 == vault).count();
    assert_eq!((of("east"), of("west")), (4, 4));
    // West is quick, and goes on; east never answers.
    for step in steps.iter().filter(|step| step.key.1 == "west") {
        agenda.ended(&step.key, true, at(1));
    }
    let next = told(&agenda.tick(at(2)));
    assert_eq!(next, ["e/west newest", "f/west newest"]);
}

#[test]
fn deadlines_grow_with_what_looks_took() {
    let mut agenda = agenda(&[("app", "east")], Some(at(0)));
    let minutes = |steps: Vec<Step>| steps[0].deadline.as_mins();
    assert_eq!(minutes(agenda.tick(at(0))), 10);
    agenda.ended(&key("app", "east"), true, at(480));
    assert_eq!(minutes(agenda.tick(at(480))), 24);
}

#[test]
fn what_is_not_configured_any_more_is_not_looked_at_again() {
    let mut agenda = agenda(&[("app", "east"), ("old", "east")], Some(at(0)));
    assert_eq!(agenda.tick(at(0)).len(), 2);
    agenda.expect(vec![(key("app", "east"), None)], TIMING, at(5));
    assert_eq!(agenda.tick(at(5)).len(), 0, "the look that is under way goes on");
    agenda.ended(&key("old", "east"), true, at(6));
    agenda.ended(&key("app", "east"), true, at(6));
    assert_eq!(told(&agenda.tick(at(1000))), ["app/east newest"]);
}

#[test]
fn a_clock_that_went_back_costs_one_period_at_most() {
    let mut agenda = agenda(&[("app", "east")], Some(at(0)));
    agenda.tick(at(0));
    agenda.ended(&key("app", "east"), true, at(1));
    assert_eq!(agenda.tick(at(-100_000)).len(), 0);
    assert_eq!(agenda.tick(at(-100_000 + 300)).len(), 1);
}
