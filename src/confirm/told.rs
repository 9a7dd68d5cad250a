//! told: findings, and what could not be read, gathered: each once, and of a kind no more than a reader can take in.

use crate::{
    failure::Explain,
    finding::{Finding, FindingKind},
    layout::{self, BackupId, SourceName},
    role::RoleError,
};
use std::{cmp::Reverse, collections::BTreeMap};

/// So many of a kind are told one by one.
const OF_A_KIND_MAX: usize = 100;

/// Findings by kind and object.
#[derive(Default)]
pub struct Findings {
    found: BTreeMap<(FindingKind, String), Found>,
}

struct Found {
    what: String,
    needed_by: usize,
    newest: Option<BackupId>,
}

impl Findings {
    pub fn add(&mut self, finding: Finding) {
        let Finding { kind, object, what } = finding;
        self.found.entry((kind, object)).or_insert(Found { what, needed_by: 0, newest: None });
    }

    /// Of an object that `backup` needs; the newest is told first, and each once for an object.
    pub fn add_needed(&mut self, kind: FindingKind, object: &str, what: &str, backup: &BackupId) {
        let entry = self.found.entry((kind, object.to_owned()));
        let found = entry.or_insert_with(|| Found { what: what.to_owned(), needed_by: 0, newest: None });
        found.needed_by += 1;
        found.newest.get_or_insert_with(|| backup.clone());
    }

    /// Of each kind so many that they can be read, and how many more there are.
    pub fn into_told(self, source: &SourceName) -> Vec<Finding> {
        let mut counts: BTreeMap<FindingKind, usize> = BTreeMap::new();
        let mut told = Vec::new();
        for ((kind, object), found) in self.found {
            let count = counts.entry(kind).or_default();
            *count += 1;
            if *count <= OF_A_KIND_MAX {
                told.push(Finding { kind, object, what: found.said() });
            }
        }
        for (kind, count) in counts.into_iter().filter(|(_, count)| *count > OF_A_KIND_MAX) {
            let what = format!("has {} more objects of which the same is to be said", count - OF_A_KIND_MAX);
            told.push(Finding::new(kind, layout::source(source), what));
        }
        told.sort_by_key(gravest_first);
        told
    }
}

/// Adds what was found later; what is said of an object is said once.
pub fn join(told: &mut Vec<Finding>, later: Vec<Finding>) {
    for finding in later {
        if !told.iter().any(|before| (before.kind, &before.object) == (finding.kind, &finding.object)) {
            told.push(finding);
        }
    }
    told.sort_by_key(gravest_first);
}

fn gravest_first(finding: &Finding) -> impl Ord + use<> {
    (Reverse(finding.gravity()), finding.kind)
}

impl Found {
    fn said(self) -> String {
        match (self.needed_by, self.newest) {
            (1, Some(backup)) => format!("{}; needed by {backup}", self.what),
            (count, Some(newest)) => format!("{}; needed by {count} backups, the newest {newest}", self.what),
            (_, None) => self.what,
        }
    }
}

/// What could not be read, by what was tried and how it failed.
#[derive(Default)]
pub struct Unread {
    tried: BTreeMap<(&'static str, u8), (usize, String)>,
    said: Vec<String>,
}

impl Unread {
    pub fn say(&mut self, what: String) {
        self.said.push(what);
    }

    /// `what` in the plural, as it is told of several.
    pub fn add(&mut self, what: &'static str, error: &RoleError) {
        let first = || (0, crate::failure::with_causes(error));
        self.tried.entry((what, error.kind() as u8)).or_insert_with(first).0 += 1;
    }

    pub fn into_sentences(self) -> Vec<String> {
        let tried = self.tried.into_iter().map(|((what, _), (count, first))| match count {
            1 => first,
            _ => format!("{count} {what} could not be read; the first: {first}"),
        });
        self.said.into_iter().chain(tried).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> SourceName {
        "app".parse().unwrap()
    }

    #[test]
    fn a_flood_is_told_as_a_hundred_and_a_count() {
        let mut findings = Findings::default();
        for number in 0..100_000 {
            findings.add(Finding::new(FindingKind::UnknownObject, format!("v1/app/junk-{number:06}"), "is junk"));
        }
        findings.add(Finding::new(FindingKind::Damaged, "v1/app/backups/x/manifest.json", "is missing"));
        let told = findings.into_told(&source());
        assert_eq!(told.len(), 102);
        assert_eq!(told[0].kind, FindingKind::Damaged, "the gravest comes first");
        assert_eq!(told[101].to_string(), "v1/app/ has 99900 more objects of which the same is to be said");
    }

    #[test]
    fn one_object_is_told_once_with_who_needs_it() {
        let mut findings = Findings::default();
        let ids = ["20261121T120301Z-5f2a9c01", "20261121T110301Z-5f2a9c01"].map(|id| id.parse().unwrap());
        for id in &ids {
            findings.add_needed(FindingKind::MissingVersion, "a", "is gone", id);
        }
        findings.add_needed(FindingKind::MissingVersion, "b", "is gone", &ids[1]);
        let mut told = findings.into_told(&source());
        join(&mut told, vec![Finding::new(FindingKind::MissingVersion, "a", "was found again")]);
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        let expected = [
            "a is gone; needed by 2 backups, the newest 20261121T120301Z-5f2a9c01",
            "b is gone; needed by 20261121T110301Z-5f2a9c01",
        ];
        assert_eq!(told, expected);
    }
}
