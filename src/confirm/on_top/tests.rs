use super::*;
use crate::{finding::FindingKind::*, layout};
use std::collections::BTreeMap;

fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::listed(name)
}

const SEGMENT: &str = "v1/app/segments/abababababababababababababababababababab.zst.age";
const MANIFEST: &str = "v1/app/backups/20261121T120301Z-5f2a9c01/manifest.json";

/// The first of `versions` counts, and is locked for 35 days from noon. Each: hours after noon, size, marker.
struct Case {
    name: &'static str,
    versions: Vec<(i64, u64, bool)>,
    etags: bool,
    complete: bool,
    days_later: i64,
}

impl Case {
    fn of(name: &'static str, versions: &[(i64, u64, bool)]) -> Self {
        Self { name, versions: versions.to_vec(), etags: true, complete: true, days_later: 1 }
    }

    fn found(&self) -> Vec<FindingKind> {
        let version = |(place, (hours, size, marker)): (usize, &(i64, u64, bool))| ObjectVersion {
            key: key(self.name),
            version: VersionId(place.to_string()),
            size: *size,
            last_modified: noon() + SignedDuration::from_hours(*hours),
            marker: *marker,
            etag: (self.etags && !marker).then(|| format!("{size:032x}")),
            storage_class: None,
        };
        let versions: Vec<_> = self.versions.iter().enumerate().map(version).collect();
        let holdings = Holdings {
            shelf: crate::role::Shelf::arrange(&"app".parse().unwrap(), Vec::new()),
            keys: BTreeMap::from([(key(self.name), versions)]),
            strangers: BTreeMap::new(),
        };
        let term: Term = "35d".parse().unwrap();
        let ours = Ours {
            counts: HashMap::from([((key(self.name), VersionId("0".into())), Some(term.ends(noon())))]),
            complete: self.complete,
            term,
            slack: SignedDuration::from_hours(7 * 24),
            now: noon() + SignedDuration::from_hours(24 * self.days_later),
        };
        let is_segment = |key: &ObjectKey| layout::read_segment_key(&"app".parse().unwrap(), key).is_some();
        judge(&holdings, is_segment, &ours).iter().map(|found| found.kind).collect()
    }
}

const BODY: (i64, u64, bool) = (0, 5000, false);

#[test]
fn what_was_left_alone_is_no_finding() {
    for name in [SEGMENT, MANIFEST] {
        assert_eq!(Case::of(name, &[BODY]).found(), []);
    }
}

#[test]
fn a_marker_over_what_is_locked_is_found_and_one_over_what_has_lapsed_is_not() {
    for name in [SEGMENT, MANIFEST] {
        assert_eq!(Case::of(name, &[BODY, (1, 0, true)]).found(), [Marker]);
        // The bucket's own rule, two days after the lock's end.
        assert_eq!(Case { days_later: 38, ..Case::of(name, &[BODY, (37 * 24, 0, true)]) }.found(), []);
        // It was put while the lock held, and that does not change when it ends.
        assert_eq!(Case { days_later: 38, ..Case::of(name, &[BODY, (34 * 24, 0, true)]) }.found(), [Marker]);
        // What it was put over is gone.
        assert_eq!(Case::of(name, &[(37 * 24, 0, true)]).found(), []);
    }
}

#[test]
fn another_version_is_found_unless_it_is_the_same_put_sent_twice() {
    for name in [SEGMENT, MANIFEST] {
        assert_eq!(Case::of(name, &[BODY, (1, 4, false)]).found(), [Overwritten]);
        assert_eq!(Case::of(name, &[BODY, (1, 4, false), (2, 9, false), (3, 0, true)]).found(), [Marker, Overwritten]);
        assert_eq!(Case::of(name, &[BODY, BODY]).found(), []);
        // The same bytes an hour later are a replay.
        assert_eq!(Case::of(name, &[BODY, (1, 5000, false)]).found(), [Overwritten]);
        assert_eq!(Case { etags: false, ..Case::of(name, &[BODY, BODY]) }.found(), [Overwritten]);
        assert_eq!(Case { days_later: 36, ..Case::of(name, &[BODY, (1, 4, false)]) }.found(), []);
    }
}

#[test]
fn a_segment_that_is_sent_anew_when_its_lock_runs_down_is_no_attack() {
    assert_eq!(Case::of(SEGMENT, &[BODY, (8 * 24, 5100, false)]).found(), []);
    assert_eq!(Case::of(SEGMENT, &[BODY, (8 * 24, 9000, false)]).found(), [Overwritten]);
    assert_eq!(Case::of(SEGMENT, &[BODY, (6 * 24, 5100, false)]).found(), [Overwritten]);
    assert_eq!(Case::of(MANIFEST, &[BODY, (8 * 24, 5100, false)]).found(), [Overwritten]);
    // A backup that could not be read may need it.
    assert_eq!(Case { complete: false, ..Case::of(SEGMENT, &[BODY, (1, 4, false)]) }.found(), []);
}
