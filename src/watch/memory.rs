//! memory: what is known of a source in one vault, and what a look changes of it: values in, values out.
//!
//! The catalog keeps it over a restart; a catalog that cannot be written keeps nobody from alarming.

use crate::{
    catalog::{Remembered, Round, Seen},
    clock::{SignedDuration, Timestamp},
    confirm::{self, Confirmation, Judged, Verdict},
    digest::Blake3,
    finding::FindingKind,
    health::{SealedFacts, Sighting, Unverified},
    layout::BackupId,
    proof::{DrillOutcome, DrillReport},
};
use std::collections::{BTreeMap, BTreeSet};

/// As many findings are kept, the gravest: a flood is told of, not repeated.
const FINDINGS_MAX: usize = 1_000;

/// How much a look was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Only listings: no lock is read.
    Listing,
    /// The locks of the newest backups.
    Newest,
    /// The locks of all.
    All,
}

/// How many backups are the newest.
pub const NEWEST: usize = 3;

impl Depth {
    pub fn newest(self) -> Option<usize> {
        match self {
            Self::Listing => Some(0),
            Self::Newest => Some(NEWEST),
            Self::All => None,
        }
    }
}

/// One source in one vault.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    pub backups: BTreeMap<BackupId, Remembered>,
    pub round: Round,
}

impl Memory {
    pub fn new(backups: Vec<Remembered>, round: Option<Round>) -> Self {
        let backups = backups.into_iter().map(|known| (known.sighting.backup.clone(), known)).collect();
        Self { backups, round: round.unwrap_or_default() }
    }

    /// Those whose locks have not lapsed; where there are none, those younger than the vault's term.
    pub fn seen(&self, now: Timestamp, term: SignedDuration) -> Vec<confirm::Seen> {
        let held = self.backups.values().filter(|known| is_held(&known.sighting, now, term));
        let seen = held.map(|Remembered { sighting, manifest, .. }| confirm::Seen {
            backup: sighting.backup.clone(),
            manifest: *manifest,
            locked_until: sighting.locked_until,
        });
        seen.collect()
    }

    /// Nothing could be looked at: what is known stays, and grows old.
    pub fn fail(&mut self, at: Timestamp, why: String) {
        let since = self.round.unverified.as_ref().map_or(at, |unverified| unverified.since);
        self.round.unverified = Some(Unverified { since, why });
    }

    /// Takes in what a look brought; gives the backups of which anything is new.
    pub fn take(&mut self, depth: Depth, looked: &Confirmation, term: SignedDuration) -> BTreeSet<BackupId> {
        let mut changed = BTreeSet::new();
        for judged in &looked.backups {
            let before = self.backups.get(&judged.backup);
            let after = remember(before, judged, looked);
            if before != Some(&after) {
                changed.insert(judged.backup.clone());
                self.backups.insert(judged.backup.clone(), after);
            }
        }
        changed.extend(self.miss(looked, term));
        let Round { confirmed_at, all_confirmed_at, unverified, findings, clock_skew_secs } = &mut self.round;
        *findings = looked.findings.iter().take(FINDINGS_MAX).cloned().collect();
        *clock_skew_secs = looked.clock_skew_secs.or(*clock_skew_secs);
        if looked.unverified.is_empty() {
            *unverified = None;
            if depth != Depth::Listing {
                *confirmed_at = Some(looked.at);
            }
            if depth == Depth::All {
                *all_confirmed_at = Some(looked.at);
            }
        } else {
            let why = crate::health::shortened(&looked.unverified);
            self.fail(looked.at, why);
        }
        changed
    }

    /// Marks what is not there any more: gone, or lapsed as it should be. A look that could not read everything may
    /// have missed what is there.
    fn miss(&mut self, looked: &Confirmation, term: SignedDuration) -> Vec<BackupId> {
        let there: BTreeSet<&BackupId> = looked.backups.iter().map(|judged| &judged.backup).collect();
        let whole = looked.unverified.is_empty();
        let vanished = |backup: &BackupId| {
            let mut found = looked.findings.iter().filter(|finding| finding.kind == FindingKind::Vanished);
            found.any(|finding| finding.object.contains(backup.as_str()))
        };
        let mut missed = Vec::new();
        for (backup, known) in self.backups.iter_mut().filter(|(backup, _)| !there.contains(backup)) {
            if !whole && !vanished(backup) {
                continue;
            }
            if is_held(&known.sighting, looked.at, term) {
                if known.sighting.gone_at.is_none() {
                    known.sighting.gone_at = Some(looked.at);
                    missed.push(backup.clone());
                }
            } else if known.standing != Seen::Lapsed {
                known.standing = Seen::Lapsed;
                missed.push(backup.clone());
            }
        }
        missed
    }

    /// Takes in that these backups restore; gives those of which that is new.
    pub fn prove<'a>(&mut self, reports: impl IntoIterator<Item = &'a DrillReport>) -> BTreeSet<BackupId> {
        let passed = reports.into_iter().filter(|report| report.outcome == DrillOutcome::Passed);
        let mut proven: BTreeMap<Blake3, Timestamp> = BTreeMap::new();
        for (manifest, ended_at) in passed.filter_map(|report| Some((report.manifest?, report.ended_at))) {
            let latest = proven.entry(manifest).or_insert(ended_at);
            *latest = (*latest).max(ended_at);
        }
        let mut changed = BTreeSet::new();
        for (backup, known) in &mut self.backups {
            let proven_at = proven.get(&known.manifest).copied().max(known.sighting.proven_at);
            if proven_at != known.sighting.proven_at {
                known.sighting.proven_at = proven_at;
                changed.insert(backup.clone());
            }
        }
        changed
    }

    /// What is lapsed and gone is the catalog's alone to remember.
    pub fn let_go(&mut self, written: &BTreeSet<BackupId>) {
        self.backups.retain(|backup, known| known.standing != Seen::Lapsed || !written.contains(backup));
    }

    fn there(&self) -> impl Iterator<Item = &Remembered> {
        self.backups.values().filter(|known| known.sighting.gone_at.is_none() && known.standing != Seen::Lapsed)
    }

    /// The newest sealed backup, by the server's clock.
    pub fn last_sealed(&self) -> Option<&Remembered> {
        self.there().max_by_key(|known| (known.sighting.sealed_at, known.sighting.sequence))
    }

    /// Backups that can be counted on: there, authentic, not found wanting, and not wiped.
    pub fn good(&self) -> impl Iterator<Item = &Remembered> {
        let stands = |known: &&Remembered| matches!(known.standing, Seen::Listed | Seen::Confirmed);
        self.there().filter(stands).filter(|known| !known.sighting.suspect)
    }

    /// The one whose data is the newest.
    pub fn last_good(&self) -> Option<&Remembered> {
        newest(self.good())
    }

    pub fn last_confirmed(&self) -> Option<&Remembered> {
        newest(self.there().filter(|known| known.standing == Seen::Confirmed))
    }

    /// Is it of a backup that was seen here, and does it say of it what its manifest says? Who signs reports could say
    /// of an old one that its data is of tomorrow, and it would be proven for ever.
    pub fn fits(&self, report: &DrillReport) -> bool {
        let Some(known) = report.backup.as_ref().and_then(|backup| self.backups.get(backup)) else { return false };
        report.manifest == Some(known.manifest) && report.snapshot_at == Some(known.sighting.snapshot_at)
    }
}

fn newest<'m>(backups: impl Iterator<Item = &'m Remembered>) -> Option<&'m Remembered> {
    backups.max_by_key(|known| (known.sighting.snapshot_at, known.sighting.sealed_at))
}

pub fn sealed_facts(known: &Remembered) -> SealedFacts {
    let Sighting { backup, snapshot_at, sealed_at, lock, locked_until, packed_bytes, .. } = known.sighting.clone();
    SealedFacts { backup, snapshot_at, sealed_at, lock, locked_until, packed_bytes }
}

fn is_held(sighting: &Sighting, now: Timestamp, term: SignedDuration) -> bool {
    let ends_at = sighting.locked_until.or_else(|| sighting.sealed_at.checked_add(term).ok());
    ends_at.is_none_or(|ends_at| ends_at > now)
}

fn remember(before: Option<&Remembered>, judged: &Judged, looked: &Confirmation) -> Remembered {
    let known = |field: fn(&Sighting) -> Option<Timestamp>| before.and_then(|known| field(&known.sighting));
    let standing = match (judged.verdict, before.map(|known| known.standing)) {
        (Verdict::Confirmed, _) => Seen::Confirmed,
        (Verdict::Failed, _) => Seen::Failed,
        // What was not read this time is as it was last read; what failed is mended by a whole look alone.
        (_, Some(standing @ (Seen::Confirmed | Seen::Failed | Seen::Listed))) => standing,
        (Verdict::Listed | Verdict::Lapsed, _) => Seen::Listed,
        (Verdict::CouldNotVerify, _) => Seen::Unverified,
    };
    let read_now = matches!(judged.verdict, Verdict::Confirmed | Verdict::Failed);
    let (lock, locked_until) = match before {
        Some(known) if !read_now => (known.sighting.lock, known.sighting.locked_until),
        _ => (judged.lock, judged.locked_until),
    };
    Remembered {
        sighting: Sighting {
            vault: looked.vault.clone(),
            backup: judged.backup.clone(),
            sequence: judged.sequence,
            snapshot_at: judged.snapshot_at,
            sealed_at: judged.sealed_at,
            took: judged.took(),
            packed_bytes: judged.packed_bytes,
            lock,
            locked_until,
            suspect: !judged.suspect.is_empty(),
            confirmed_at: if judged.verdict == Verdict::Confirmed {
                Some(looked.at)
            } else {
                known(|sighting| sighting.confirmed_at)
            },
            proven_at: known(|sighting| sighting.proven_at),
            gone_at: None,
        },
        manifest: judged.manifest,
        suspicions: judged.suspect.clone(),
        standing,
        first_seen_at: before.map_or(looked.at, |known| known.first_seen_at),
    }
}

#[cfg(test)]
pub(super) mod tests;
