//! Tests of what watchers see: each case is a table of facts and the one line that it is judged to be.

use super::*;
use crate::{
    finding::FindingKind,
    layout::DrillId,
    proof::{Compared, DrillOutcome, FORMAT},
};

/// Both vaults were confirmed a minute ago.
fn confirmed() -> Facts {
    let watched = |vault: VaultFacts| VaultFacts {
        watched: Some(VaultWatched {
            last_confirmed: vault.last_good.clone(),
            confirmed_at: Some(ago("1m")),
            confirmed_within: Some(SignedDuration::from_mins(30)),
            ..VaultWatched::default()
        }),
        ..vault
    };
    let vaults = well().vaults.into_iter().map(watched).collect();
    Facts { vaults, last_run: None, next_run_at: None, ..well() }
}

/// The first vault's, changed.
fn with(change: impl FnOnce(&mut VaultWatched)) -> Facts {
    let mut facts = confirmed();
    change(facts.vaults[0].watched.as_mut().unwrap());
    facts
}

fn found(kinds: &[FindingKind]) -> Facts {
    let finding = |kind: &FindingKind| Finding::new(*kind, "v1/app/x", "is so");
    with(|watched| watched.findings = kinds.iter().map(finding).collect())
}

fn report(age: &str, outcome: DrillOutcome) -> DrillReport {
    DrillReport {
        format: FORMAT,
        drill: DrillId::new(ago(age), [7; 4]),
        source: "app".parse().unwrap(),
        vault: "east".into(),
        outcome,
        differences: vec!["table `t` has 1 row less".into()],
        reason: Some("no room".into()),
        hint: None,
        backup: Some(BackupId::new(ago(age), [1, 2, 3, 4])),
        manifest: None,
        sequence: None,
        snapshot_at: Some(ago(age)),
        sealed_at: None,
        suspect: Vec::new(),
        started_at: ago(age),
        ended_at: ago(age),
        restore_seconds: Some(600.0),
        recovery_time_objective_seconds: None,
        recovery_point_age_seconds: None,
        packed_bytes: None,
        compared: Compared::default(),
        confinement: None,
        server: None,
        notes: Vec::new(),
        strongroom: String::new(),
        host: String::new(),
    }
}

fn drilled(age: &str, expected: &str, change: impl FnOnce(&mut DrillFacts)) -> Facts {
    let passed = Some(report(age, DrillOutcome::Passed));
    let mut drills = DrillFacts {
        expected_since: ago(expected),
        last: passed.clone(),
        last_passed: passed,
        failed: None,
        stuck_since: None,
        running_since: None,
        next_at: None,
        disk: None,
    };
    change(&mut drills);
    let objectives = Objectives {
        proven_within: Some(SignedDuration::from_hours(24)),
        recovery_time: Some(SignedDuration::from_mins(15)),
        ..confirmed().objectives
    };
    Facts { drills: Some(drills), objectives, ..confirmed() }
}

#[test]
fn a_confirmed_and_proven_source_is_good_and_shows_its_ladder() {
    assert_eq!(line(confirmed()), "good 10m 0s 2/2: ");
    let health = judged(drilled("3h", "9d", |_| {}));
    assert_eq!((health.state, health.problems.len()), (State::Good, 0));
    let rung = health.rung;
    assert_eq!(rung.sealed.unwrap().snapshot_at, ago("10m"));
    assert_eq!((rung.confirmed.as_ref().unwrap().snapshot_at, rung.confirmed.unwrap().at), (ago("10m"), ago("1m")));
    assert_eq!(rung.proven.unwrap().snapshot_at, ago("3h"));
    assert_eq!(judged(well()).rung.confirmed, None, "a depositor confirms nothing");
}

#[test]
fn findings_weigh_what_they_are() {
    use FindingKind::{
        ChainRestarted, Lifecycle, LockShort, Marker, MissingVersion, StorageClass, Unsealed, VaultWeakened,
    };
    let table: [(&[FindingKind], &str); 6] = [
        (&[Unsealed, Lifecycle], "good 10m 0s 2/2: "),
        (&[Marker, ChainRestarted], "failing 10m 0s 2/2: tampered(east)"),
        (&[LockShort], "overdue 10m 0s 2/2: lock-short(east)"),
        (&[VaultWeakened, StorageClass], "overdue 10m 0s 2/2: vault-weakened(east)"),
        (&[MissingVersion], "unprotected 10m 0s 2/2: loss(east)"),
        (&[MissingVersion, LockShort, Marker], "unprotected 10m 0s 2/2: loss(east) lock-short(east) tampered(east)"),
    ];
    for (kinds, expected) in table {
        assert_eq!(line(found(kinds)), expected);
    }
    let accepted = with(|watched| watched.accepted = vec![Finding::new(Marker, "v1/app/x", "is so")]);
    assert_eq!(line(accepted), "good 10m 0s 2/2: ", "an explained finding is shown and no problem");
}

#[test]
fn a_vault_that_cannot_be_looked_at_is_failing_and_then_overdue() {
    let away = |since: &str, confirmed_at: &str| {
        with(|watched| {
            watched.unverified = Some(Unverified { since: ago(since), why: "there is no directory".into() });
            watched.confirmed_at = Some(ago(confirmed_at));
        })
    };
    assert_eq!(line(away("1m", "6m")), "failing 10m 0s 2/2: unconfirmed(east)");
    assert_eq!(line(away("25m", "31m")), "overdue 10m 0s 2/2: unconfirmed(east)");
    let says = judged(away("1m", "6m")).problems[0].to_string();
    assert_eq!(says, "vault `east` cannot be confirmed, and was seen whole 6m 0s ago: there is no directory");
    let silent = with(|watched| watched.confirmed_at = Some(ago("31m")));
    assert_eq!(line(silent), "overdue 10m 0s 2/2: unconfirmed(east)", "nobody has looked");
    let never = Facts { expected_since: ago("20m"), ..with(|watched| watched.confirmed_at = None) };
    assert_eq!(line(never.clone()), "good 10m 0s 2/2: ", "it is yet to be looked at");
    assert_eq!(line(Facts { expected_since: ago("31m"), ..never }), "overdue 10m 0s 2/2: unconfirmed(east)");
}

#[test]
fn a_depositor_that_is_gone_is_seen_by_its_backups_age_alone() {
    let mut facts = confirmed();
    for vault in &mut facts.vaults {
        vault.last_good = Some(sealed(ago("31m"), 35));
    }
    assert_eq!(line(facts), "overdue 31m 0s 2/2: overdue");
}

#[test]
fn a_watcher_expects_a_vault_with_a_period_to_be_renewed_in_the_next_one() {
    // Periods of 30 days from the epoch: one began on 2026-11-03, the next does on 2026-12-03.
    let facts = |age: &str, term: i64| {
        let last = Some(sealed(ago(age), term));
        let watched = confirmed().vaults[0].watched.clone();
        let every = Some(SignedDuration::from_hours(30 * 24));
        let archive =
            VaultFacts { every, last_sealed: last.clone(), last_good: last, watched, ..vault("archive", None) };
        Facts { vaults: vec![confirmed().vaults.remove(0), archive], ..confirmed() }
    };
    assert_eq!(line(facts("17d", 30)), "good 10m 0s 2/2: ", "13 days are left, and the next comes in 12");
    assert_eq!(line(facts("17d", 18)), "overdue 10m 0s 2/2: lapsing(archive)", "it would come too late");
}

#[test]
fn clocks_and_credentials_are_told_before_they_hurt() {
    let skewed = |secs| line(with(|watched| watched.clock_skew_secs = Some(secs)));
    assert_eq!([skewed(60), skewed(-60)], ["good 10m 0s 2/2: "; 2]);
    assert_eq!([skewed(61), skewed(-61)], ["failing 10m 0s 2/2: clock-skew(east)"; 2]);
    let says = judged(with(|watched| watched.clock_skew_secs = Some(-90))).problems[0].to_string();
    assert_eq!(says, "the clock of vault `east` is 1m 30s behind ours");
    let expires =
        |in_: i64| with(|watched| watched.credential_expires_at = Some(at(NOW) + SignedDuration::from_hours(in_)));
    assert_eq!(line(expires(14 * 24)), "good 10m 0s 2/2: ");
    assert_eq!(line(expires(13 * 24)), "failing 10m 0s 2/2: credential-expires(east)");
    assert_eq!(line(expires(-1)), "overdue 10m 0s 2/2: credential-expires(east)");
    assert!(judged(expires(-1)).problems[0].to_string().ends_with("has expired"));
}

#[test]
fn what_was_never_proven_or_not_lately_is_overdue() {
    let never = |expected| drilled("1h", expected, |drills| (drills.last, drills.last_passed) = (None, None));
    assert_eq!(line(never("23h")), "good 10m 0s 2/2: ");
    assert_eq!(line(never("25h")), "overdue 10m 0s 2/2: never-proven");
    assert_eq!(line(drilled("23h", "9d", |_| {})), "good 10m 0s 2/2: ");
    assert_eq!(line(drilled("25h", "9d", |_| {})), "overdue 10m 0s 2/2: unproven");
    let unasked = |facts: Facts| Facts { objectives: confirmed().objectives, ..facts };
    assert_eq!(line(unasked(never("7d"))), "good 10m 0s 2/2: ");
    assert_eq!(line(unasked(never("9d"))), "overdue 10m 0s 2/2: never-proven");
    assert_eq!(line(unasked(drilled("99d", "200d", |_| {}))), "good 10m 0s 2/2: ", "nobody said how lately");
}

#[test]
fn a_drill_that_failed_leaves_a_source_unprotected_and_says_what_differs() {
    let facts = drilled("3h", "9d", |drills| {
        drills.failed = Some(report("1h", DrillOutcome::Failed));
        drills.last = drills.failed.clone();
    });
    assert_eq!(line(facts.clone()), "unprotected 10m 0s 2/2: drill-failed");
    let says = judged(facts).problems[0].to_string();
    assert!(says.ends_with("-01020304 failed its drill: table `t` has 1 row less"), "{says}");
}

#[test]
fn a_drill_that_could_not_run_is_too_slow_or_has_no_room_is_failing() {
    let stuck = drilled("3h", "9d", |drills| {
        drills.last = Some(report("10m", DrillOutcome::CouldNotRun));
        drills.stuck_since = Some(ago("2h"));
    });
    assert_eq!(line(stuck.clone()), "failing 10m 0s 2/2: drill-could-not-run");
    assert_eq!(judged(stuck).problems[0].to_string(), "no drill could run since 2026-11-21T10:00:00Z: no room");
    let slow = drilled("3h", "9d", |drills| {
        drills.last_passed.as_mut().unwrap().restore_seconds = Some(901.0);
    });
    assert_eq!(line(slow.clone()), "failing 10m 0s 2/2: too-slow");
    assert_eq!(judged(slow).problems[0].to_string(), "a restore takes 15m 1s, and 15m 0s is allowed");
    let disk =
        |free_bytes| drilled("3h", "9d", |drills| drills.disk = Some(DiskFacts { free_bytes, needed_bytes: 100 }));
    assert_eq!([line(disk(100)), line(disk(99))], ["good 10m 0s 2/2: ", "failing 10m 0s 2/2: disk-short"]);
}

#[test]
fn every_problem_of_a_watcher_has_its_word_sentence_and_hint() {
    let facts = found(&[FindingKind::Vanished]);
    let written =
        serde_json::to_value(judge(at(NOW), &[Facts { drills: drilled("3h", "9d", |_| {}).drills, ..facts }]));
    let written = written.unwrap();
    let source = &written["sources"][0];
    assert_eq!(source["problems"][0]["problem"], "loss");
    assert_eq!(source["problems"][0]["vault"], "east");
    assert_eq!(source["problems"][0]["says"], "vault `east` has lost what it promised to hold: v1/app/x is so");
    assert_eq!(source["vaults"][0]["watched"]["findings"][0]["kind"], "vanished");
    assert_eq!(source["vaults"][0]["watched"]["confirmed_within_seconds"], 1800);
    assert_eq!(source["drills"]["last"]["outcome"], "passed");
    assert_eq!(source["rung"]["proven"]["snapshot_at"], ago("3h").to_string());
    assert!(source["problems"][0]["hint"].as_str().unwrap().ends_with('.'));
}
