//! on_top: what somebody put over or beside what counts: markers, other versions, strangers. Nothing of it is in a
//! restore's way; all of it says that somebody else can write. A lifecycle rule that hides what has lapsed is nobody.

use crate::{
    clock::{SignedDuration, Timestamp, whole_second},
    finding::{Finding, FindingKind},
    layout::ObjectKey,
    manifest::VersionId,
    role::{Holdings, ObjectVersion},
    term::Term,
};
use std::collections::HashMap;

/// A PUT whose answer was lost is sent again within so long, with the same bytes.
const SENT_AGAIN_WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// Two packings of one cut differ in size by what age adds at random: measured, at most some 500 bytes.
const PACKED_ALIKE: u64 = 1024;

/// What decides between somebody else's doing and our own.
pub struct Ours {
    /// The versions that authentic backups are made of, each with the end of its lock where a receipt tells it.
    pub counts: HashMap<(ObjectKey, VersionId), Option<Timestamp>>,
    /// Every backup could be read, so what `counts` does not have is needed by none.
    pub complete: bool,
    pub term: Term,
    pub slack: SignedDuration,
    pub now: Timestamp,
}

pub fn judge(holdings: &Holdings, is_segment: impl Fn(&ObjectKey) -> bool, ours: &Ours) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, versions) in &holdings.keys {
        let (markers, bodies): (Vec<_>, Vec<_>) = versions.iter().partition(|version| version.marker);
        found.extend(hidden(key, &markers, &bodies, ours));
        let others = if is_segment(key) { over_segment(key, &bodies, ours) } else { beside_own(key, &bodies, ours) };
        found.extend(overwritten(key, &others));
    }
    found.extend(holdings.strangers.iter().map(|(key, versions)| {
        let times = if *versions > 1 { format!(" ({versions} versions)") } else { String::new() };
        Finding::new(FindingKind::UnknownObject, key.as_str(), format!("is not an object of ours{times}"))
    }));
    found
}

impl Ours {
    fn counts(&self, key: &ObjectKey, version: &ObjectVersion) -> bool {
        self.counts.contains_key(&(key.clone(), version.version.clone()))
    }

    /// When nothing is promised of `version` any more.
    fn lock_end(&self, key: &ObjectKey, version: &ObjectVersion) -> Timestamp {
        let told = self.counts.get(&(key.clone(), version.version.clone())).copied().flatten();
        told.unwrap_or_else(|| self.term.ends(version.last_modified))
    }
}

/// A marker that was put while what lies under it was locked.
fn hidden(key: &ObjectKey, markers: &[&ObjectVersion], bodies: &[&ObjectVersion], ours: &Ours) -> Option<Finding> {
    let over_locked = |marker: &&&ObjectVersion| {
        let below = bodies.iter().rev().find(|body| body.last_modified <= marker.last_modified);
        below.is_some_and(|body| marker.last_modified < ours.lock_end(key, body))
    };
    let hiding: Vec<_> = markers.iter().filter(over_locked).collect();
    let first = hiding.first()?;
    let more = if hiding.len() > 1 { format!(", and by {} more", hiding.len() - 1) } else { String::new() };
    let what = format!("was hidden by a delete marker at {}{more}", whole_second(first.last_modified));
    Some(Finding::new(FindingKind::Marker, key.as_str(), what))
}

/// Manifests and seals have keys that are used once. What is left of a retry is no attack.
fn beside_own<'v>(key: &ObjectKey, bodies: &[&'v ObjectVersion], ours: &Ours) -> Vec<&'v ObjectVersion> {
    let counted = bodies.iter().position(|body| ours.counts(key, body)).unwrap_or(0);
    let others = bodies.iter().enumerate().filter(|(at, _)| *at != counted).map(|(_, other)| *other);
    others.filter(|other| !is_resent(other, bodies) && ours.lock_end(key, other) > ours.now).collect()
}

/// A segment that the vault holds is sent anew when its lock has run down, and such a copy may belong to a run that died.
fn over_segment<'v>(key: &ObjectKey, bodies: &[&'v ObjectVersion], ours: &Ours) -> Vec<&'v ObjectVersion> {
    let Some(first) = bodies.iter().find(|body| ours.counts(key, body)).filter(|_| ours.complete) else {
        return Vec::new();
    };
    let told = ours.counts.get(&(key.clone(), first.version.clone())).copied().flatten();
    let is_sent_anew = |other: &ObjectVersion| {
        let due = told.is_none() || other.last_modified >= first.last_modified + ours.slack;
        due && other.size.abs_diff(first.size) <= PACKED_ALIKE
    };
    let later = bodies.iter().skip_while(|body| body.version != first.version).skip(1);
    let others = later.filter(|other| {
        !ours.counts(key, other)
            && !is_resent(other, bodies)
            && !is_sent_anew(other)
            && ours.lock_end(key, other) > ours.now
    });
    others.copied().collect()
}

fn is_resent(version: &ObjectVersion, bodies: &[&ObjectVersion]) -> bool {
    let alike = |other: &&&ObjectVersion| {
        other.version != version.version
            && other.size == version.size
            && other.etag.is_some()
            && other.etag == version.etag
            && version.last_modified.duration_since(other.last_modified).abs() <= SENT_AGAIN_WITHIN
    };
    bodies.iter().any(|other| alike(&other))
}

fn overwritten(key: &ObjectKey, others: &[&ObjectVersion]) -> Option<Finding> {
    let last = others.last()?;
    let times = if others.len() > 1 { format!(" {} times, the last", others.len()) } else { String::new() };
    let at = whole_second(last.last_modified);
    let what = format!("was overwritten{times} at {at}; the version that counts is still there");
    Some(Finding::new(FindingKind::Overwritten, key.as_str(), what))
}

#[cfg(test)]
mod tests;
