//! stamp: a file's version: when it was deposited and when its lock ends, as its name says.

use crate::{
    clock::{self, SignedDuration, Timestamp},
    layout::ObjectKey,
    term::Term,
    vault::{VersionId, round_up},
};

/// `20261121T115801123Z-20261226T115802Z`: the deposit to the millisecond, the lock's end to the second above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub deposited_at: Timestamp,
    pub lock_ends_at: Timestamp,
}

impl Stamp {
    pub fn new(now: Timestamp, term: Term) -> Self {
        let deposited_at = whole_millisecond(now);
        Self { deposited_at, lock_ends_at: round_up(term.ends(deposited_at)) }
    }

    /// The stamp of a deposit a millisecond later: two deposits of one key are two versions.
    pub fn next(self, term: Term) -> Self {
        Self::new(self.deposited_at + SignedDuration::from_millis(1), term)
    }

    pub fn version(self) -> VersionId {
        let seconds = clock::compact(self.deposited_at);
        let milliseconds = self.deposited_at.subsec_millisecond();
        let ends = clock::compact(self.lock_ends_at);
        VersionId(format!("{}{milliseconds:03}Z-{ends}", seconds.trim_end_matches('Z')))
    }

    /// The reverse of [`Stamp::version`]; `None` for anything else, so a version id cannot name another file.
    pub fn parse(version: &str) -> Option<Self> {
        let (deposited, ends) = version.split_once('-')?;
        let (seconds, milliseconds) = deposited.strip_suffix('Z')?.split_at_checked(15)?;
        let milliseconds = SignedDuration::from_millis(milliseconds.parse().ok()?);
        let deposited_at = clock::parse_compact(&format!("{seconds}Z"))? + milliseconds;
        let stamp = Self { deposited_at, lock_ends_at: clock::parse_compact(ends)? };
        (stamp.version().0 == version).then_some(stamp)
    }
}

/// Splits `<key>@<version>`; a name that we never write is a key without a stamp.
pub fn read_name(name: &str) -> (ObjectKey, Option<Stamp>) {
    match name.rsplit_once('@').and_then(|(key, version)| Some((key, Stamp::parse(version)?))) {
        Some((key, stamp)) => (ObjectKey::listed(key), Some(stamp)),
        None => (ObjectKey::listed(name), None),
    }
}

fn whole_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).expect("a timestamp's own milliseconds are in range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_says_when_and_until_when_and_reads_back() {
        let now: Timestamp = "2026-11-21T11:58:01.123456Z".parse().unwrap();
        let stamp = Stamp::new(now, "35d".parse().unwrap());
        assert_eq!(stamp.version().0, "20261121T115801123Z-20261226T115802Z");
        assert_eq!(
            read_name("v1/app@home/x@20261121T115801123Z-20261226T115802Z"),
            (ObjectKey::listed("v1/app@home/x"), Some(stamp))
        );
    }

    #[test]
    fn other_names_are_keys_without_a_stamp() {
        for name in ["x", "x@", "x@20261121T115801123Z", "x@20261121T1158011234Z-20261226T115802Z", "x@ü"] {
            assert_eq!(read_name(name), (ObjectKey::listed(name), None), "{name}");
        }
        assert_eq!(Stamp::parse("20261121T115801+12Z-20261226T115802Z"), None);
    }
}
