//! Tests of what is told and when, on health made by hand.

use super::*;
use crate::health::{Objectives, VaultHealth};

const DAY: i64 = 24;

fn at(hours: i64) -> Timestamp {
    "2026-11-21T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

pub fn source(problems: Vec<Problem>) -> SourceHealth {
    SourceHealth {
        source: "app".parse().unwrap(),
        state: problems.iter().map(Problem::state).max().unwrap_or(State::Good),
        problems,
        recovery_point: Some(at(0)),
        age: Some(SignedDuration::from_mins(10)),
        objectives: Objectives::default(),
        holding: 1,
        needed: 1,
        vaults: Vec::<VaultHealth>::new(),
        last_run: None,
        expected_since: at(-1000),
        running_since: None,
        next_run_at: None,
        drills: None,
    }
}

fn failing() -> Problem {
    Problem::Failing { why: "denied".into() }
}

fn vault_failing(vault: &str) -> Problem {
    Problem::VaultFailing { vault: vault.into(), why: "unreachable".into() }
}

fn suspect() -> Problem {
    Problem::Suspect { reasons: vec!["`public.orders` lost 97 % of its rows".into()] }
}

/// The events of a source's life: at each hour it has these problems. One line for each hour.
fn told(life: &[(i64, Vec<Problem>)]) -> Vec<String> {
    let mut told = Told::default();
    let hours = life.iter().map(|(hour, problems)| {
        let health = Health { at: at(*hour), sources: vec![source(problems.clone())] };
        let (events, telling) = events(&told, &health);
        told = telling;
        let words: Vec<String> = events
            .iter()
            .map(|event| format!("{}{}", event.kind.word(), if event.reminder { " again" } else { "" }))
            .collect();
        words.join(", ")
    });
    hours.collect()
}

#[test]
fn a_series_of_failures_is_told_once_and_its_end() {
    let life = [(0, vec![]), (1, vec![failing()]), (2, vec![failing()]), (3, vec![]), (4, vec![failing()])];
    assert_eq!(told(&life), ["", "failed", "", "recovered", "failed"]);
}

#[test]
fn each_kind_of_problem_is_told_when_it_begins() {
    let overdue = || Problem::Overdue { age: SignedDuration::from_hours(2), objective: SignedDuration::from_hours(1) };
    let life = [
        (0, vec![failing()]),
        (1, vec![failing(), overdue()]),
        (2, vec![overdue()]),
        (3, vec![suspect()]),
        (4, vec![suspect(), vault_failing("east")]),
        (5, vec![suspect(), vault_failing("east"), vault_failing("west")]),
        (6, vec![]),
    ];
    assert_eq!(told(&life), ["failed", "overdue", "", "suspect", "failed", "failed", "recovered"]);
}

#[test]
fn problems_of_one_kind_that_begin_together_are_one_event() {
    let lost = vec![Problem::NotProtected { holding: 1, needed: 2 }, vault_failing("west")];
    assert_eq!(told(&[(0, lost.clone()), (1, lost)]), ["failed", ""]);
}

#[test]
fn what_stays_is_told_again_each_day() {
    let life = [0, 23, DAY, DAY + 1, 2 * DAY - 1, 2 * DAY].map(|hour| (hour, vec![suspect()]));
    assert_eq!(told(&life), ["suspect", "", "suspect again", "", "", "suspect again"]);
    let back = [(5, vec![suspect()]), (0, vec![suspect()]), (1, vec![suspect()])];
    assert_eq!(told(&back), ["suspect", "suspect again", ""], "the clock went back");
}

#[test]
fn what_begins_beside_an_old_problem_is_no_reminder() {
    let life = [(0, vec![vault_failing("east")]), (DAY, vec![vault_failing("east"), vault_failing("west")])];
    assert_eq!(told(&life), ["failed", "failed"]);
}

#[test]
fn a_source_that_begins_well_or_waits_is_not_told_of() {
    let waiting = SourceHealth { state: State::Waiting, ..source(vec![]) };
    let health = Health { at: at(0), sources: vec![waiting] };
    assert_eq!(events(&Told::default(), &health), (vec![], Told::default()));
}

#[test]
fn what_was_told_survives_a_restart() {
    let health = Health { at: at(0), sources: vec![source(vec![failing(), vault_failing("east")])] };
    let (_, told) = events(&Told::default(), &health);
    let kept: Told = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
    assert_eq!(kept, told);
    assert_eq!(events(&kept, &health).0, vec![]);
}

#[test]
fn an_event_says_its_own_problem_first() {
    let health = Health { at: at(0), sources: vec![source(vec![failing(), suspect()])] };
    let events = events(&Told::default(), &health).0;
    assert_eq!(events[0].summary(), "app: the last run failed: denied");
    let wiped = "the newest backup looks wiped: `public.orders` lost 97 % of its rows";
    assert_eq!(events[1].summary(), format!("app: {wiped}"));
    assert_eq!(
        events[1].text("db1"),
        format!(
            "- {wiped}\n- the last run failed: denied\nhint: {}\nThe recovery point is 10m 0s old. Strongroom on db1.",
            suspect().hint()
        )
    );
}
