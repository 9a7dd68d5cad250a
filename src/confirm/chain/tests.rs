use super::*;
use crate::manifest::Previous;

const SOURCE: &str = "app";

fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// A quarter of an hour for each backup.
fn at(slot: i64) -> Timestamp {
    noon() + SignedDuration::from_mins(15 * slot)
}

fn id(slot: i64) -> BackupId {
    BackupId::new(at(slot), [0; 4])
}

fn digest(backup: &BackupId) -> Blake3 {
    Blake3::of(backup.as_str().as_bytes())
}

/// The backup of a slot, after another, with nothing odd about it.
fn link(slot: i64, sequence: u64, previous: Option<i64>) -> Link {
    let backup = id(slot);
    let previous = previous.map(|slot| Previous { manifest: digest(&id(slot)), backup: id(slot) });
    Link {
        manifest: digest(&backup),
        chain: Chain { sequence, previous, unsure: Vec::new(), restarted: None },
        snapshot_at: at(slot),
        completed_at: at(slot),
        sealed_at: at(slot) + SignedDuration::from_secs(5),
        back_dated: false,
        lapsed: false,
        backup,
    }
}

/// Numbers 1 to `count`, one after the other.
fn chain(count: i64) -> Vec<Link> {
    (1..=count).map(|slot| link(slot, u64::try_from(slot).unwrap(), (slot > 1).then_some(slot - 1))).collect()
}

fn seen(slot: i64) -> Seen {
    Seen {
        backup: id(slot),
        manifest: digest(&id(slot)),
        locked_until: Some(at(slot) + SignedDuration::from_hours(800)),
    }
}

#[derive(Default)]
struct Case {
    links: Vec<Link>,
    unread: Vec<i64>,
    seen: Vec<Seen>,
    days_later: i64,
}

impl Case {
    fn of(links: Vec<Link>) -> Self {
        Self { links, ..Self::default() }
    }

    /// What is found, of which slot's backup.
    fn found(&self) -> Vec<(FindingKind, i64)> {
        self.findings().into_iter().map(|(kind, slot, _)| (kind, slot)).collect()
    }

    fn findings(&self) -> Vec<(FindingKind, i64, String)> {
        let source = SOURCE.parse().unwrap();
        let around = Circumstances {
            source: &source,
            unread: &self.unread.iter().map(|slot| id(*slot)).collect(),
            seen: &self.seen,
            term: "35d".parse().unwrap(),
            grace: SignedDuration::from_hours(48),
            now: noon() + SignedDuration::from_hours(24 * self.days_later) + SignedDuration::from_hours(12),
        };
        let slot = |object: &str| (-20_000..100).find(|slot| object == around.object(&id(*slot))).unwrap();
        let found = judge(&self.links, &around);
        found.into_iter().map(|found| (found.kind, slot(&found.object), found.what)).collect()
    }
}

use FindingKind::{BackDated, ChainRestarted, Fork, OutOfOrder, SequenceGap, Vanished};

#[test]
fn a_whole_chain_has_nothing_odd() {
    assert_eq!(Case::of(Vec::new()).found(), []);
    assert_eq!(Case::of(chain(5)).found(), []);
    assert_eq!(Case { seen: vec![seen(1), seen(5)], ..Case::of(chain(5)) }.found(), []);
}

#[test]
fn one_missing_in_the_middle_or_in_front_is_a_gap() {
    let mut links = chain(5);
    links.remove(2);
    assert_eq!(Case::of(links).found(), [(SequenceGap, 4)]);
    assert_eq!(Case::of(chain(5).split_off(1)).found(), [(SequenceGap, 2)]);
    // The last has no successor that names it: only somebody who remembers can tell.
    assert_eq!(Case::of(chain(5)[..4].to_vec()).found(), []);
    assert_eq!(Case { seen: vec![seen(5)], ..Case::of(chain(5)[..4].to_vec()) }.found(), [(Vanished, 5)]);
}

#[test]
fn what_may_have_lapsed_is_no_gap() {
    let links = || chain(5).split_off(1);
    assert_eq!(Case { days_later: 36, ..Case::of(links()) }.found(), [(SequenceGap, 2)]);
    assert_eq!(Case { days_later: 37, ..Case::of(links()) }.found(), []);
}

#[test]
fn what_could_not_be_read_is_neither_gone_nor_a_gap() {
    let mut links = chain(5);
    links.remove(2);
    assert_eq!(Case { unread: vec![3], seen: vec![seen(3)], ..Case::of(links) }.found(), []);
}

#[test]
fn another_manifest_in_the_place_of_a_predecessor_is_a_gap() {
    let mut links = chain(3);
    links[1].manifest = Blake3::of(b"another");
    assert_eq!(Case::of(links.clone()).found(), [(SequenceGap, 3)]);
    assert_eq!(Case { seen: vec![seen(2)], ..Case::of(links) }.found(), [(SequenceGap, 3), (Vanished, 2)]);
}

#[test]
fn a_jump_in_numbers_is_a_gap_unless_runs_that_died_explain_it() {
    let died = |sequence, unsure: &[i64]| {
        let mut links = chain(2);
        let mut last = link(5, sequence, Some(2));
        last.chain.unsure = unsure.iter().map(|slot| id(*slot)).collect();
        links.push(last);
        Case::of(links).found()
    };
    assert_eq!(died(3, &[]), []);
    assert_eq!(died(5, &[3, 4]), []);
    assert_eq!(died(5, &[3]), [(SequenceGap, 5)]);
    assert_eq!(died(4, &[]), [(SequenceGap, 5)]);
    let mut first = link(3, 3, None);
    assert_eq!(Case::of(vec![first.clone()]).found(), [(SequenceGap, 3)]);
    first.chain.unsure = vec![id(1), id(2)];
    assert_eq!(Case::of(vec![first]).found(), []);
}

#[test]
fn a_seal_that_arrived_although_nobody_knew_is_no_fork() {
    let mut links = chain(3);
    let mut fourth = link(4, 4, Some(2));
    fourth.chain.unsure = vec![id(3)];
    links.push(fourth);
    assert_eq!(Case::of(links).found(), []);
    let mut first = link(2, 2, None);
    first.chain.unsure = vec![id(1)];
    assert_eq!(Case::of(vec![link(1, 1, None), first]).found(), []);
}

#[test]
fn two_that_follow_one_are_a_fork_and_it_is_told_once() {
    let mut links = chain(3);
    links.push(link(10, 3, Some(2)));
    assert_eq!(Case::of(links.clone()).found(), [(Fork, 10)]);
    // Both branches go on: a daemon each.
    links.extend([link(11, 4, Some(3)), link(12, 4, Some(10)), link(13, 5, Some(11)), link(14, 5, Some(12))]);
    assert_eq!(Case::of(links.clone()).found(), [(Fork, 10)]);
    // Once the fork itself has lapsed, the branches still have equal numbers.
    let branches: Vec<Link> = links.split_off(4);
    let found = Case { days_later: 40, ..Case::of(branches) }.found();
    assert_eq!(found, [(Fork, 12)]);
}

#[test]
fn one_that_goes_on_after_a_copy_that_was_put_back_is_a_fork() {
    // Backed up, state copied aside, backed up twice, state put back, backed up.
    let mut links = chain(3);
    links.push(link(4, 2, Some(1)));
    assert_eq!(Case::of(links).found(), [(Fork, 4)]);
}

#[test]
fn a_chain_that_begins_anew_tells_why_and_is_no_fork() {
    let mut links = chain(3);
    let mut anew = link(4, 1, None);
    anew.chain.restarted = Some("the catalog was lost".into());
    links.extend([anew, link(5, 2, Some(4)), link(6, 3, Some(5)), link(7, 4, Some(6))]);
    let findings = Case::of(links).findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].0, findings[0].1), (ChainRestarted, 4));
    assert!(
        findings[0].2.contains("3 sealed backups") && findings[0].2.contains("the catalog was lost"),
        "{findings:?}"
    );
}

#[test]
fn one_that_was_put_again_later_is_out_of_order() {
    let put_again = |secs| {
        let mut links = chain(4);
        links[1].sealed_at = links[3].sealed_at + SignedDuration::from_secs(secs);
        links[1].completed_at = links[1].sealed_at;
        Case::of(links).found()
    };
    assert_eq!(put_again(600), [(OutOfOrder, 2)]);
    // Two seals of one moment: servers keep whole seconds.
    let mut links = chain(2);
    links[0].sealed_at = links[1].sealed_at + SAME_MOMENT;
    assert_eq!(Case::of(links).found(), []);
}

#[test]
fn a_seal_that_comes_long_after_its_data_is_back_dated() {
    let sealed = |change: fn(&mut Link)| {
        let mut links = chain(2);
        change(&mut links[1]);
        Case::of(links).found()
    };
    assert_eq!(sealed(|link| link.sealed_at = link.completed_at + SignedDuration::from_mins(59)), []);
    assert_eq!(sealed(|link| link.sealed_at = link.completed_at + SignedDuration::from_mins(61)), [(BackDated, 2)]);
    assert_eq!(sealed(|link| link.back_dated = true), [(BackDated, 2)]);
    assert_eq!(sealed(|link| link.snapshot_at = link.sealed_at + SignedDuration::from_mins(14)), []);
    assert_eq!(sealed(|link| link.snapshot_at = link.sealed_at + SignedDuration::from_mins(16)), [(BackDated, 2)]);
}

#[test]
fn what_has_lapsed_is_not_judged_and_may_be_gone() {
    let mut links = chain(4);
    links[0].lapsed = true;
    links[1].lapsed = true;
    links[1].back_dated = true;
    links.push(Link { lapsed: true, ..link(9, 2, Some(1)) });
    assert_eq!(Case::of(links).found(), []);
    let gone = Seen { locked_until: Some(noon()), ..seen(1) };
    assert_eq!(Case { seen: vec![gone], ..Case::default() }.found(), []);
    let unlocked = Seen { locked_until: None, ..seen(1) };
    assert_eq!(Case { seen: vec![unlocked.clone()], ..Case::default() }.found(), [(Vanished, 1)]);
    assert_eq!(Case { seen: vec![unlocked], days_later: 40, ..Case::default() }.found(), []);
}
