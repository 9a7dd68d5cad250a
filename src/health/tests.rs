//! Tests of the judgement: each case is a table of facts and the one line that it is judged to be.

mod watched;

use super::*;
use crate::{
    clock::whole_second,
    run::{Bytes, End, Outcome, Phase, Record, Trigger},
};

const NOW: &str = "2026-11-21T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ago(text: &str) -> Timestamp {
    at(NOW) - crate::term::parse_span(text).unwrap()
}

fn sealed(snapshot_at: Timestamp, term_days: i64) -> SealedFacts {
    let sealed_at = snapshot_at + SignedDuration::from_mins(5);
    SealedFacts {
        backup: BackupId::new(snapshot_at, [1, 2, 3, 4]),
        snapshot_at,
        sealed_at,
        lock: LockMode::Compliance,
        locked_until: Some(sealed_at + SignedDuration::from_hours(24 * term_days)),
        packed_bytes: 1_000,
    }
}

fn vault(name: &str, age: Option<&str>) -> VaultFacts {
    let last = age.map(|age| sealed(ago(age), 35));
    VaultFacts {
        vault: name.to_owned(),
        every: None,
        last_sealed: last.clone(),
        last_good: last,
        failing: None,
        watched: None,
    }
}

fn ran(age: &str, outcome: Outcome, why: Option<&str>) -> Option<Record> {
    let started_at = ago(age);
    let end = End {
        at: started_at + SignedDuration::from_mins(5),
        outcome,
        why: why.map(str::to_owned),
        bytes: Bytes { read: 400, packed: 100, sent: 90, reused: 10 },
        rows: 7,
        tables: 2,
        segments: 3,
    };
    let source = "app".parse().unwrap();
    let ended = Some(end);
    Some(Record { source, backup: None, trigger: Trigger::Asked, started_at, phase: Phase::Sealing, ended })
}

/// A source with two vaults, both of which are needed, and a backup of 10 minutes ago in each.
fn well() -> Facts {
    Facts {
        source: "app".parse().unwrap(),
        objectives: Objectives { recovery_point: Some(SignedDuration::from_mins(30)), ..Objectives::default() },
        needed: 2,
        expected_since: ago("100d"),
        vaults: vec![vault("east", Some("10m")), vault("west", Some("10m"))],
        last_run: ran("10m", Outcome::Sealed, None),
        running_since: None,
        next_run_at: Some(at(NOW) + SignedDuration::from_mins(5)),
        suspicions: Vec::new(),
        drills: None,
    }
}

fn new_source() -> Facts {
    let vaults = vec![vault("east", None), vault("west", None)];
    Facts { vaults, last_run: None, expected_since: ago("20m"), ..well() }
}

fn judged(facts: Facts) -> SourceHealth {
    judge(at(NOW), &[facts]).sources.remove(0)
}

/// `state age holding/needed: word of each problem`, the problems with their vaults.
fn line(facts: Facts) -> String {
    let health = judged(facts);
    let age = health.age.map_or("-".to_owned(), crate::clock::spoken);
    let named = |problem: &Problem| {
        problem.vault().map_or(problem.word().to_owned(), |vault| format!("{}({vault})", problem.word()))
    };
    let problems: Vec<String> = health.problems.iter().map(named).collect();
    format!("{} {age} {}/{}: {}", health.state.word(), health.holding, health.needed, problems.join(" "))
}

#[test]
fn a_source_whose_vaults_all_hold_a_recent_backup_is_good() {
    assert_eq!(line(well()), "good 10m 0s 2/2: ");
    assert_eq!(judged(well()).recovery_point, Some(ago("10m")));
}

#[test]
fn a_new_source_waits_until_its_objective_has_passed() {
    assert_eq!(line(new_source()), "waiting - 0/2: ");
    let late = Facts { expected_since: ago("31m"), ..new_source() };
    assert_eq!(line(late), "unprotected - 0/2: never-backed-up");
    let tried = Facts { last_run: ran("5m", Outcome::Failed, Some("denied")), ..new_source() };
    assert_eq!(line(tried), "failing - 0/2: failing");
}

#[test]
fn without_an_objective_only_a_first_backup_is_waited_for() {
    let unasked = Facts { objectives: Objectives::default(), ..new_source() };
    assert_eq!(line(Facts { expected_since: ago("23h"), ..unasked.clone() }), "waiting - 0/2: ");
    assert_eq!(line(Facts { expected_since: ago("25h"), ..unasked }), "unprotected - 0/2: never-backed-up");
    let vaults = vec![vault("east", Some("20d")), vault("west", Some("20d"))];
    assert_eq!(line(Facts { objectives: Objectives::default(), vaults, ..well() }), "good 20d 0h 2/2: ");
}

#[test]
fn a_recovery_point_past_its_objective_is_overdue() {
    let vaults = vec![vault("east", Some("31m")), vault("west", Some("3h"))];
    assert_eq!(line(Facts { vaults: vaults.clone(), ..well() }), "overdue 3h 0m 2/2: overdue");
    assert_eq!(line(Facts { vaults, needed: 1, ..well() }), "overdue 31m 0s 2/1: overdue");
}

#[test]
fn a_vault_that_is_down_counts_where_it_is_needed() {
    let down = VaultFacts { failing: Some("unreachable".into()), ..vault("west", Some("20m")) };
    let last_run = ran("10m", Outcome::SomeFailed, None);
    let facts = Facts { vaults: vec![vault("east", Some("10m")), down], last_run, ..well() };
    let needs_both = line(facts.clone());
    assert_eq!(needs_both, "unprotected 20m 0s 1/2: not-protected vault-failing(west)");
    assert_eq!(line(Facts { needed: 1, ..facts }), "failing 10m 0s 1/1: vault-failing(west)");
}

#[test]
fn a_vault_that_never_held_anything_gives_no_recovery_point_where_both_are_needed() {
    let vaults = vec![vault("east", Some("10m")), vault("west", None)];
    assert_eq!(line(Facts { vaults: vaults.clone(), ..well() }), "unprotected - 1/2: not-protected");
    let vaults = vec![vault("east", Some("40m")), vault("west", None)];
    assert_eq!(line(Facts { vaults, ..well() }), "unprotected - 1/2: not-protected overdue");
}

#[test]
fn the_age_counts_from_the_good_backup_and_not_from_a_suspect_one() {
    let both = |age: &str| {
        let vault = |name| VaultFacts { last_good: Some(sealed(ago(age), 35)), ..vault(name, Some("10m")) };
        vec![vault("east"), vault("west")]
    };
    let suspicions = vec!["table `public.orders` lost 97 % of its rows".to_owned()];
    let facts = Facts { suspicions, last_run: ran("10m", Outcome::Suspect, None), ..well() };
    assert_eq!(line(Facts { vaults: both("25m"), ..facts.clone() }), "suspect 25m 0s 2/2: suspect");
    assert_eq!(line(Facts { vaults: both("40m"), ..facts.clone() }), "overdue 40m 0s 2/2: overdue suspect");
    let never_good = well().vaults.into_iter().map(|vault| VaultFacts { last_good: None, ..vault }).collect();
    let facts = Facts { vaults: never_good, ..facts };
    assert_eq!(line(facts), "unprotected - 0/2: never-backed-up suspect");
}

#[test]
fn a_run_that_died_is_failing_and_says_so() {
    for (outcome, why, says) in [
        (Outcome::Failed, Some("the disk is full"), "the last run failed: the disk is full"),
        (Outcome::Abandoned, None, "the last run failed: its process was gone before it could say how it ended"),
    ] {
        let health = judged(Facts { last_run: ran("1m", outcome, why), ..well() });
        assert_eq!((health.state, health.problems[0].to_string().as_str()), (State::Failing, says));
    }
}

#[test]
fn a_run_that_somebody_stopped_is_no_failure() {
    let stopped = ran("1m", Outcome::Interrupted, Some("interrupted: nothing of this run is sealed"));
    assert_eq!(judged(Facts { last_run: stopped, ..well() }).state, State::Good);
}

fn monthly(age: &str) -> VaultFacts {
    let month = SignedDuration::from_hours(30 * 24);
    let last = Some(sealed(ago(age), 390));
    VaultFacts { every: Some(month), last_sealed: last.clone(), last_good: last, ..vault("archive", None) }
}

#[test]
fn a_vault_with_a_period_is_behind_only_when_a_run_passed_it_by() {
    // Periods of 30 days from the epoch: one began on 2026-11-03.
    let facts = |archive: VaultFacts, ran_at: &str| {
        let last_run = ran(ran_at, Outcome::Sealed, None);
        Facts { vaults: vec![vault("east", Some("10m")), archive], last_run, ..well() }
    };
    assert_eq!(line(facts(monthly("16d"), "10m")), "good 10m 0s 2/2: ");
    assert_eq!(line(facts(monthly("20d"), "19d")), "good 10m 0s 2/2: ", "no run yet in this period");
    assert_eq!(line(facts(monthly("20d"), "10m")), "unprotected 10m 0s 1/2: not-protected");
    let unasked = |age| line(Facts { last_run: None, ..facts(monthly(age), "10m") });
    assert_eq!(unasked("48d"), "good 10m 0s 2/2: ");
    assert_eq!(unasked("49d"), "unprotected 10m 0s 1/2: not-protected", "a whole period has gone by");
}

#[test]
fn vaults_with_a_period_make_the_recovery_point_only_where_there_are_no_others() {
    let facts = Facts { objectives: Objectives::default(), vaults: vec![monthly("16d")], needed: 1, ..well() };
    assert_eq!(line(facts), "good 16d 0h 1/1: ");
}

/// Both vaults locked for `term_days` by a backup of `age` ago.
fn held(age: &str, term_days: i64) -> Facts {
    let last = Some(sealed(ago(age), term_days));
    let vault = |name| VaultFacts { last_sealed: last.clone(), last_good: last.clone(), ..vault(name, None) };
    Facts {
        objectives: Objectives::default(),
        vaults: vec![vault("east"), vault("west")],
        last_run: ran("1d", Outcome::Failed, Some("denied")),
        ..well()
    }
}

#[test]
fn a_lock_that_is_about_to_end_is_announced_and_its_end_too() {
    assert_eq!(line(held("27d", 35)), "failing 27d 0h 2/2: failing", "8 days are left");
    assert_eq!(line(held("29d", 35)), "overdue 29d 0h 2/2: lapsing(east) lapsing(west) failing");
    assert_eq!(line(held("5d", 8)), "failing 5d 0h 2/2: failing", "3 of 8 days are more than a quarter");
    assert_eq!(line(held("7d", 8)), "overdue 7d 0h 2/2: lapsing(east) lapsing(west) failing");
    let left = judged(held("29d", 35)).vaults[0].lapses_in;
    assert_eq!(left, Some(SignedDuration::from_hours(6 * 24) + SignedDuration::from_mins(5)));
    let lapsed = held("36d", 35);
    assert_eq!(line(lapsed.clone()), "unprotected 36d 0h 0/2: not-protected lapsed(east) lapsed(west) failing");
    assert_eq!(judged(lapsed).vaults[0].lapses_in, Some(SignedDuration::ZERO));
}

#[test]
fn a_lock_that_the_next_run_renews_in_time_is_no_problem() {
    let weekly = Facts { last_run: ran("7d", Outcome::Sealed, None), ..held("7d", 8) };
    assert_eq!(line(weekly.clone()), "good 7d 0h 2/2: ");
    let too_late = Facts { next_run_at: Some(at(NOW) + SignedDuration::from_hours(36)), ..weekly.clone() };
    assert_eq!(line(too_late), "overdue 7d 0h 2/2: lapsing(east) lapsing(west)");
    let missed = Facts { next_run_at: Some(ago("1h")), ..weekly.clone() };
    assert_eq!(line(missed), "overdue 7d 0h 2/2: lapsing(east) lapsing(west)", "nobody came at that hour");
    let suspect = Facts { last_run: ran("1d", Outcome::Suspect, None), ..weekly };
    assert_eq!(line(suspect), "overdue 7d 0h 2/2: lapsing(east) lapsing(west)", "a suspect backup renews nothing");
}

#[test]
fn what_nothing_locks_does_not_lapse() {
    let mut facts = well();
    for vault in &mut facts.vaults {
        let unlocked = vault.last_good.take().map(|good| SealedFacts { locked_until: None, ..good });
        vault.last_good = unlocked;
    }
    assert_eq!(line(facts.clone()), "good 10m 0s 2/2: ");
    assert_eq!(judged(facts).vaults[0].lapses_in, None);
}

#[test]
fn a_clock_that_went_back_is_said_and_never_a_negative_age() {
    let mut facts = well();
    let from_then = Some(sealed(at(NOW) + SignedDuration::from_hours(2), 35));
    for vault in &mut facts.vaults {
        vault.last_sealed = from_then.clone();
        vault.last_good = from_then.clone();
    }
    assert_eq!(line(facts.clone()), "failing 0.0s 2/2: clock-wrong");
    let says = judged(facts.clone()).problems[0].to_string();
    assert_eq!(says, "the newest good backup is of a time 2h 0m from now: a clock was or is wrong");
    facts.vaults[0].last_good = Some(sealed(at(NOW) + SignedDuration::from_mins(2), 35));
    facts.vaults[1].last_good = facts.vaults[0].last_good.clone();
    assert_eq!(line(facts), "good 0.0s 2/2: ", "clocks of two hosts differ a little");
}

#[test]
fn the_ends_of_time_do_not_panic() {
    for now in [Timestamp::MIN, Timestamp::MAX] {
        for snapshot_at in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            let extreme = SealedFacts { snapshot_at, sealed_at: snapshot_at, ..sealed(ago("1d"), 35) };
            let vault = VaultFacts {
                every: Some(SignedDuration::MAX),
                last_sealed: Some(extreme.clone()),
                last_good: Some(extreme),
                ..vault("east", None)
            };
            let facts = Facts { vaults: vec![vault], expected_since: snapshot_at, needed: 5, ..well() };
            assert_eq!(judge(now, &[facts]).sources.len(), 1);
        }
    }
    assert_eq!(judge(at(NOW), &[Facts { vaults: Vec::new(), needed: 0, ..well() }]).sources[0].needed, 1);
}

#[test]
fn health_is_written_with_words_seconds_and_sentences() {
    let down = VaultFacts { failing: Some("unreachable".into()), ..vault("west", Some("40m")) };
    let facts = Facts { vaults: vec![vault("east", Some("10m")), down], ..well() };
    let written = serde_json::to_value(judge(at(NOW), &[facts])).unwrap();
    let source = &written["sources"][0];
    assert_eq!(written["at"], NOW);
    assert_eq!((&source["state"], &source["age_seconds"]), (&"unprotected".into(), &2400.into()));
    assert_eq!(source["objectives"]["recovery_point_seconds"], 1800);
    assert_eq!(source["recovery_point"], whole_second(ago("40m")).to_string());
    assert_eq!(source["problems"][0]["problem"], "not-protected");
    assert_eq!(source["problems"][0]["says"], "1 of the 2 vaults that are needed hold what they should");
    assert_eq!(source["vaults"][1]["failing"], "unreachable");
    assert_eq!(source["vaults"][0]["lapses_in_seconds"], 35 * 86_400 - 300);
    assert_eq!(
        (&source["last_run"]["outcome"], &source["last_run"]["took_seconds"]),
        (&"sealed".into(), &300.0.into())
    );
    assert_eq!(source["last_run"]["bytes"]["sent"], 90);
}
