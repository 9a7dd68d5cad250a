//! Tests of what a look changes of what is known.

use super::*;
use crate::{
    finding::Finding,
    layout::{DrillId, SourceName},
    manifest::LockMode,
    proof::{Compared, FORMAT},
};

const TERM: SignedDuration = SignedDuration::from_hours(35 * 24);

pub fn at(minutes: i64) -> Timestamp {
    "2026-11-21T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

fn id(minutes: i64) -> BackupId {
    BackupId::new(at(minutes), [1; 4])
}

/// Taken and sealed at that minute, under a whole lock.
pub fn judged(minutes: i64, verdict: Verdict) -> Judged {
    Judged {
        backup: id(minutes),
        manifest: Blake3([minutes as u8; 32]),
        sequence: 1,
        started_at: at(minutes),
        snapshot_at: at(minutes),
        completed_at: at(minutes),
        sealed_at: at(minutes),
        lock: LockMode::Compliance,
        locked_until: Some(at(minutes) + TERM),
        packed_bytes: 10,
        segments: 1,
        suspect: Vec::new(),
        verdict,
    }
}

pub fn looked(minutes: i64, backups: Vec<Judged>) -> Confirmation {
    let source: SourceName = "app".parse().unwrap();
    let (findings, unverified) = (Vec::new(), Vec::new());
    let accepted = Vec::new();
    Confirmation {
        vault: "east".into(),
        source,
        at: at(minutes),
        backups,
        findings,
        accepted,
        unverified,
        clock_skew_secs: None,
    }
}

fn take(memory: &mut Memory, looked: &Confirmation) -> usize {
    memory.take(Depth::Newest, looked, TERM).len()
}

fn seen(memory: &Memory, minutes: i64) -> Seen {
    memory.backups[&id(minutes)].standing
}

pub fn passed(manifest: Blake3, minutes: i64) -> DrillReport {
    DrillReport {
        format: FORMAT,
        drill: DrillId::new(at(minutes), [2; 4]),
        source: "app".parse().unwrap(),
        vault: "east".into(),
        outcome: DrillOutcome::Passed,
        differences: Vec::new(),
        reason: None,
        hint: None,
        backup: None,
        manifest: Some(manifest),
        sequence: None,
        snapshot_at: Some(at(minutes - 5)),
        sealed_at: None,
        suspect: Vec::new(),
        started_at: at(minutes - 1),
        ended_at: at(minutes),
        restore_seconds: Some(30.0),
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

#[test]
fn a_verdict_stays_until_a_look_can_tell_again() {
    let mut memory = Memory::default();
    for (verdict, standing) in [
        (Verdict::CouldNotVerify, Seen::Unverified),
        (Verdict::Listed, Seen::Listed),
        (Verdict::Confirmed, Seen::Confirmed),
        (Verdict::Listed, Seen::Confirmed),
        (Verdict::CouldNotVerify, Seen::Confirmed),
        (Verdict::Failed, Seen::Failed),
        (Verdict::Listed, Seen::Failed),
        (Verdict::CouldNotVerify, Seen::Failed),
        (Verdict::Confirmed, Seen::Confirmed),
    ] {
        take(&mut memory, &looked(1, vec![judged(0, verdict)]));
        assert_eq!(seen(&memory, 0), standing, "{verdict:?}");
    }
}

#[test]
fn only_what_was_confirmed_or_listed_is_good_and_a_wiped_one_is_not() {
    let mut memory = Memory::default();
    let wiped = Judged { suspect: vec!["rows".into()], ..judged(4, Verdict::Confirmed) };
    let backups = vec![
        wiped,
        judged(3, Verdict::Failed),
        judged(2, Verdict::CouldNotVerify),
        judged(1, Verdict::Listed),
        judged(0, Verdict::Confirmed),
    ];
    take(&mut memory, &looked(5, backups));
    let name = |known: Option<&Remembered>| known.map(|known| known.sighting.backup.clone());
    assert_eq!(name(memory.last_sealed()), Some(id(4)));
    assert_eq!(name(memory.last_good()), Some(id(1)));
    assert_eq!(name(memory.last_confirmed()), Some(id(4)), "a wiped one is held as it was sealed");
}

#[test]
fn a_lock_that_was_read_back_outweighs_what_the_manifest_tells() {
    let mut memory = Memory::default();
    let short = Judged { locked_until: Some(at(60)), ..judged(0, Verdict::Failed) };
    take(&mut memory, &looked(1, vec![short]));
    take(&mut memory, &looked(2, vec![judged(0, Verdict::Listed)]));
    assert_eq!(memory.backups[&id(0)].sighting.locked_until, Some(at(60)));
    take(&mut memory, &looked(3, vec![judged(0, Verdict::Confirmed)]));
    assert_eq!(memory.backups[&id(0)].sighting.locked_until, Some(at(0) + TERM));
}

#[test]
fn a_backup_that_is_gone_under_its_lock_is_remembered_and_asked_for_again() {
    let mut memory = Memory::default();
    take(&mut memory, &looked(1, vec![judged(0, Verdict::Confirmed)]));
    assert_eq!(take(&mut memory, &looked(2, vec![])), 1);
    assert_eq!(take(&mut memory, &looked(3, vec![])), 0);
    assert_eq!(memory.backups[&id(0)].sighting.gone_at, Some(at(2)));
    assert_eq!((memory.last_good(), memory.last_sealed()), (None, None));
    assert_eq!(memory.seen(at(4), TERM).len(), 1);
    take(&mut memory, &looked(5, vec![judged(0, Verdict::Listed)]));
    assert_eq!(memory.backups[&id(0)].sighting.gone_at, None, "it was hidden");
}

#[test]
fn a_look_that_could_not_read_everything_makes_nobody_vanish_unless_it_says_so() {
    let mut memory = Memory::default();
    take(&mut memory, &looked(1, vec![judged(0, Verdict::Confirmed), judged(-5, Verdict::Confirmed)]));
    let vanished = Finding::new(FindingKind::Vanished, format!("v1/app/backups/{}/manifest.json", id(-5)), "is gone");
    let partly = Confirmation { unverified: vec!["denied".into()], findings: vec![vanished], ..looked(2, vec![]) };
    take(&mut memory, &partly);
    let gone = |minutes| memory.backups[&id(minutes)].sighting.gone_at;
    assert_eq!((gone(0), gone(-5)), (None, Some(at(2))));
}

#[test]
fn what_lapsed_and_went_is_let_go_when_the_catalog_knows() {
    let mut memory = Memory::default();
    take(&mut memory, &looked(1, vec![judged(0, Verdict::Confirmed)]));
    let later = TERM.as_mins() + 10;
    assert_eq!(take(&mut memory, &looked(later, vec![])), 1);
    assert_eq!((seen(&memory, 0), memory.backups[&id(0)].sighting.gone_at), (Seen::Lapsed, None));
    assert_eq!((memory.last_sealed(), memory.seen(at(later), TERM).len()), (None, 0));
    memory.let_go(&BTreeSet::new());
    assert_eq!(memory.backups.len(), 1);
    memory.let_go(&[id(0)].into());
    assert_eq!(memory.backups.len(), 0);
}

#[test]
fn what_no_lock_holds_is_expected_for_the_vaults_term() {
    let mut memory = Memory::default();
    take(&mut memory, &looked(1, vec![Judged { locked_until: None, ..judged(0, Verdict::Confirmed) }]));
    assert_eq!(memory.seen(at(TERM.as_mins() - 1), TERM).len(), 1);
    assert_eq!(memory.seen(at(TERM.as_mins() + 1), TERM).len(), 0);
}

#[test]
fn looks_that_fail_are_told_since_the_first_of_them_and_keep_what_is_known() {
    let mut memory = Memory::default();
    take(&mut memory, &looked(1, vec![judged(0, Verdict::Confirmed)]));
    let before = memory.backups.clone();
    memory.fail(at(5), "unreachable".into());
    memory.fail(at(9), "denied".into());
    let unverified = memory.round.unverified.clone().unwrap();
    assert_eq!((unverified.since, unverified.why.as_str(), memory.round.confirmed_at), (at(5), "denied", Some(at(1))));
    assert_eq!(memory.backups, before);
    take(&mut memory, &looked(12, vec![judged(0, Verdict::Confirmed)]));
    assert_eq!((&memory.round.unverified, memory.round.confirmed_at), (&None, Some(at(12))));
}

#[test]
fn a_listing_alone_confirms_nothing() {
    let mut memory = Memory::default();
    memory.take(Depth::Listing, &looked(1, vec![judged(0, Verdict::Listed)]), TERM);
    assert_eq!((memory.round.confirmed_at, memory.round.all_confirmed_at), (None, None));
    memory.take(Depth::All, &looked(2, vec![judged(0, Verdict::Confirmed)]), TERM);
    assert_eq!((memory.round.confirmed_at, memory.round.all_confirmed_at), (Some(at(2)), Some(at(2))));
}

#[test]
fn a_report_proves_the_backup_whose_manifest_it_names_and_no_other() {
    let mut memory = Memory::default();
    take(&mut memory, &looked(9, vec![judged(1, Verdict::Confirmed), judged(0, Verdict::Confirmed)]));
    let failed = DrillReport { outcome: DrillOutcome::Failed, ..passed(Blake3([0; 32]), 20) };
    let reports = [passed(Blake3([1; 32]), 10), passed(Blake3([1; 32]), 8), failed, passed(Blake3([77; 32]), 30)];
    assert_eq!(memory.prove(&reports), [id(1)].into());
    assert_eq!(memory.backups[&id(1)].sighting.proven_at, Some(at(10)));
    assert_eq!(memory.prove(&reports), BTreeSet::new());
}

#[test]
fn a_report_that_says_another_time_or_backup_than_the_manifest_does_not_count() {
    let mut memory = Memory::default();
    take(&mut memory, &looked(9, vec![judged(1, Verdict::Confirmed), judged(0, Verdict::Confirmed)]));
    let of = |manifest: u8, backup: i64, snapshot: i64| DrillReport {
        backup: Some(id(backup)),
        snapshot_at: Some(at(snapshot)),
        ..passed(Blake3([manifest; 32]), 10)
    };
    assert!(memory.fits(&of(1, 1, 1)) && memory.fits(&of(0, 0, 0)));
    for (manifest, backup, snapshot) in [(1, 1, 90_000), (0, 0, 1), (0, 1, 1), (1, 0, 0), (77, 1, 1), (77, 77, 77)] {
        assert!(!memory.fits(&of(manifest, backup, snapshot)), "{manifest} {backup} {snapshot}");
    }
    assert!(!memory.fits(&DrillReport { snapshot_at: None, ..of(1, 1, 1) }));
}
