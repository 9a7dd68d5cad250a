//! chain: whether sealed backups follow one another as one depositor with one memory seals them: rules on plain values.

use super::Seen;
use crate::{
    clock::{SignedDuration, Timestamp, spoken},
    digest::Blake3,
    finding::{Finding, FindingKind},
    layout::{self, BackupId, SourceName},
    manifest::Chain,
    role::SAME_MOMENT,
    term::Term,
};
use std::collections::{BTreeMap, BTreeSet};

/// A seal follows the last row at once, or after a vault that was away for a while.
const SEALED_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// Servers refuse requests whose clock is further from theirs than this.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(15);

/// A sealed backup's place among the others.
#[derive(Clone, Debug)]
pub struct Link {
    pub backup: BackupId,
    pub manifest: Blake3,
    pub chain: Chain,
    pub snapshot_at: Timestamp,
    pub completed_at: Timestamp,
    pub sealed_at: Timestamp,
    /// Its data was taken long before its seal was put.
    pub back_dated: bool,
    pub lapsed: bool,
}

/// What the rules need to know beside the links.
pub struct Circumstances<'a> {
    pub source: &'a SourceName,
    /// Backups that are there and whose place is not known: they could not be read, or are damaged, which is said
    /// elsewhere.
    pub unread: &'a BTreeSet<BackupId>,
    pub seen: &'a [Seen],
    pub term: Term,
    /// For so long after its lock has ended a backup is not removed by anybody who is entitled to.
    pub grace: SignedDuration,
    pub now: Timestamp,
}

/// What is odd among `links`. Backups whose locks have lapsed are there to be named by others, and are not judged.
pub fn judge(links: &[Link], around: &Circumstances) -> Vec<Finding> {
    let by_id: BTreeMap<&BackupId, &Link> = links.iter().map(|link| (&link.backup, link)).collect();
    let families = families(links, &by_id);
    let mut found = Vec::new();
    for link in links.iter().filter(|link| !link.lapsed) {
        let object = around.object(&link.backup);
        let odd = [
            (FindingKind::SequenceGap, gap(link, &by_id, around)),
            (FindingKind::ChainRestarted, restarted(link, links, &families)),
            (FindingKind::BackDated, back_dated(link)),
        ];
        found.extend(odd.into_iter().filter_map(|(kind, what)| Some(Finding::new(kind, object.clone(), what?))));
    }
    found.extend(forks(links, &by_id, &families, around));
    found.extend(out_of_order(links, &by_id, around));
    found.extend(around.seen.iter().filter_map(|seen| vanished(seen, &by_id, around)));
    found
}

impl Circumstances<'_> {
    fn object(&self, backup: &BackupId) -> String {
        layout::manifest(self.source, backup).to_string()
    }

    /// May a backup of this name have been removed by now, its lock over?
    fn may_have_lapsed(&self, backup: &BackupId) -> bool {
        layout::begun_at(backup).is_none_or(|begun| self.term.ends(begun) + self.grace <= self.now)
    }
}

/// What is missing before `link`.
fn gap(link: &Link, by_id: &BTreeMap<&BackupId, &Link>, around: &Circumstances) -> Option<String> {
    let number = link.chain.sequence;
    let before = match &link.chain.previous {
        None => 0,
        Some(previous) => match by_id.get(&previous.backup) {
            Some(before) if before.manifest != previous.manifest => {
                return Some(format!("follows {}, which is there with another manifest", previous.backup));
            }
            Some(before) => before.chain.sequence,
            None if around.unread.contains(&previous.backup) || around.may_have_lapsed(&previous.backup) => {
                return None;
            }
            None => return Some(format!("follows {}, which is not sealed here", previous.backup)),
        },
    };
    let explained = before + 1 + link.chain.unsure.len() as u64;
    let after = link.chain.previous.as_ref().map_or("the beginning".to_owned(), |previous| previous.backup.to_string());
    (number != explained).then(|| format!("has number {number}, and {explained} is next after {after}"))
}

/// Why `link` begins a chain although there were backups before.
fn restarted(link: &Link, links: &[Link], families: &BTreeMap<&BackupId, Option<&BackupId>>) -> Option<String> {
    let before = |other: &&Link| {
        (other.sealed_at, &other.backup) < (link.sealed_at, &link.backup)
            && families[&other.backup] != Some(&link.backup)
            && !link.chain.unsure.contains(&other.backup)
    };
    let older = links.iter().filter(before).count();
    if link.chain.previous.is_some() || older == 0 {
        return None;
    }
    let why = link.chain.restarted.as_deref().unwrap_or("it does not say why");
    Some(format!("begins a chain although {older} sealed backups lie before it: {why}"))
}

fn back_dated(link: &Link) -> Option<String> {
    let (late, ahead) =
        (link.sealed_at.duration_since(link.completed_at), link.snapshot_at.duration_since(link.sealed_at));
    if late > SEALED_WITHIN {
        Some(format!("was sealed {} after it says that it was complete", spoken(late)))
    } else if link.back_dated {
        let held = link.sealed_at.duration_since(link.snapshot_at);
        Some(format!("was sealed {} after the time that it claims to hold", spoken(held)))
    } else {
        (ahead > AHEAD_MAX).then(|| format!("claims a time {} ahead of the server that sealed it", spoken(ahead)))
    }
}

/// Who is of one line with whom: every link's oldest ancestor that is there. Those whose ancestors are gone are all of
/// one family: nobody knows better.
fn families<'a>(
    links: &'a [Link],
    by_id: &BTreeMap<&'a BackupId, &'a Link>,
) -> BTreeMap<&'a BackupId, Option<&'a BackupId>> {
    let mut families = BTreeMap::new();
    let mut ordered: Vec<&Link> = links.iter().collect();
    ordered.sort_by_key(|link| link.chain.sequence);
    for link in ordered {
        let family = match &link.chain.previous {
            None => Some(&link.backup),
            // A link to a higher number is no line of descent.
            Some(previous) => {
                let above = by_id.get(&previous.backup).filter(|above| above.chain.sequence < link.chain.sequence);
                above.and_then(|above| families.get(&above.backup).copied().flatten())
            }
        };
        families.insert(&link.backup, family);
    }
    families
}

/// Two with one predecessor, unless one of them says that it does not know whether the other was sealed; and two of one
/// family with one number, unless they only go on two branches that have forked before.
fn forks(
    links: &[Link],
    by_id: &BTreeMap<&BackupId, &Link>,
    families: &BTreeMap<&BackupId, Option<&BackupId>>,
    around: &Circumstances,
) -> Vec<Finding> {
    let mut ordered: Vec<&Link> = links.iter().filter(|link| !link.lapsed).collect();
    ordered.sort_by(|a, b| (a.sealed_at, &a.backup).cmp(&(b.sealed_at, &b.backup)));
    let mut after: BTreeMap<&BackupId, Vec<&Link>> = BTreeMap::new();
    let mut numbered: BTreeMap<(Option<&BackupId>, u64), &Link> = BTreeMap::new();
    let mut found = Vec::new();
    for link in ordered {
        let number = link.chain.sequence;
        let mut what = None;
        if let Some(previous) = &link.chain.previous {
            let siblings = after.entry(&previous.backup).or_default();
            let explained =
                |other: &Link| link.chain.unsure.contains(&other.backup) || other.chain.unsure.contains(&link.backup);
            if let Some(other) = siblings.iter().find(|other| !explained(other)) {
                what = Some(format!("follows {}, and so does {}", previous.backup, other.backup));
            }
            siblings.push(link);
        }
        let twin = *numbered.entry((families[&link.backup], number)).or_insert(link);
        if what.is_none() && twin.backup != link.backup && !is_old_fork(link, twin, by_id) {
            what = Some(format!("has number {number}, and so has {}", twin.backup));
        }
        found.extend(what.map(|what| Finding::new(FindingKind::Fork, around.object(&link.backup), what)));
    }
    found
}

/// Do the two go on after two others of one number?
fn is_old_fork(one: &Link, other: &Link, by_id: &BTreeMap<&BackupId, &Link>) -> bool {
    let before = |link: &Link| Some(by_id.get(&link.chain.previous.as_ref()?.backup)?.chain.sequence);
    before(one).is_some_and(|number| before(other) == Some(number))
}

/// Those that were put after one that follows them.
fn out_of_order(links: &[Link], by_id: &BTreeMap<&BackupId, &Link>, around: &Circumstances) -> Vec<Finding> {
    let mut ordered: Vec<&Link> = links.iter().filter(|link| !link.lapsed).collect();
    ordered.sort_by_key(|link| std::cmp::Reverse(link.chain.sequence));
    // The earliest of all that follow a backup, near or far.
    let mut following: BTreeMap<&BackupId, &Link> = BTreeMap::new();
    let mut found = Vec::new();
    for link in ordered {
        let mut earliest = link;
        if let Some(after) = following.get(&link.backup) {
            if after.sealed_at + SAME_MOMENT < link.sealed_at {
                let later = spoken(link.sealed_at.duration_since(after.sealed_at));
                let what = format!(
                    "has number {}, and was put {later} after {}, which has number {}",
                    link.chain.sequence, after.backup, after.chain.sequence
                );
                found.push(Finding::new(FindingKind::OutOfOrder, around.object(&link.backup), what));
            }
            if after.sealed_at < link.sealed_at {
                earliest = after;
            }
        }
        let above = link.chain.previous.as_ref().and_then(|previous| by_id.get(&previous.backup));
        if let Some(above) = above.filter(|above| above.chain.sequence < link.chain.sequence) {
            let first = following.entry(&above.backup).or_insert(earliest);
            if earliest.sealed_at < first.sealed_at {
                *first = earliest;
            }
        }
    }
    found
}

fn vanished(seen: &Seen, by_id: &BTreeMap<&BackupId, &Link>, around: &Circumstances) -> Option<Finding> {
    let lapsed = seen.locked_until.map_or_else(|| around.may_have_lapsed(&seen.backup), |until| until <= around.now);
    if lapsed || around.unread.contains(&seen.backup) {
        return None;
    }
    let what = match by_id.get(&seen.backup) {
        Some(link) if link.manifest == seen.manifest => return None,
        Some(_) => "is another than was seen here before",
        None => "was sealed here, and is not any more",
    };
    Some(Finding::new(FindingKind::Vanished, around.object(&seen.backup), what))
}

#[cfg(test)]
mod tests;
