//! ladder: sealed, confirmed, proven: the newest backup that has come so far, and how much of what its owner allows its
//! age has used up.

use super::{
    super::element::{age, gauge, mark, name, rung_mark, time},
    Teller,
};
use crate::{
    clock::{SignedDuration, Timestamp, spoken},
    health::{Rung, SealedFacts, SourceHealth, VaultHealth},
    layout::BackupId,
};
use maud::{Markup, html};

/// One rung, and who stands on it.
struct Step {
    rung: Rung,
    newest: Option<Newest>,
    objective: Option<SignedDuration>,
    /// Why there is none.
    otherwise: &'static str,
    /// Why it does not stand there well, although its age is right.
    flaw: Option<String>,
    note: Option<String>,
}

struct Newest {
    backup: BackupId,
    snapshot_at: Timestamp,
    vaults: Vec<String>,
}

pub fn ladder(source: &SourceHealth, told_by: Teller, now: Timestamp) -> Markup {
    let steps = [sealed(source), confirmed(source, told_by), proven(source, told_by)];
    html! {
        h3 { "Ladder" }
        ol.ladder { @for step in &steps { (rung(step, now)) } }
    }
}

fn rung(step: &Step, now: Timestamp) -> Markup {
    let old = step.newest.as_ref().map(|newest| age(newest.snapshot_at, now));
    let (tone, word) = match (old, step.objective, step.flaw.as_deref()) {
        (None, ..) => ("none", None),
        (Some(old), Some(objective), _) if old > objective => ("bad", Some("late")),
        (Some(_), _, Some(flaw)) => ("bad", Some(flaw)),
        (Some(_), Some(_), None) => ("well", Some("in time")),
        (Some(_), None, None) => ("well", None),
    };
    html! {
        li class={ "rung " (tone) } {
            span.at { (mark(rung_mark(step.rung))) }
            h4 { (step.rung.word()) @if let Some(word) = word { " " span class={ "word " (tone) } { (word) } } }
            @match (&step.newest, old) {
                (Some(newest), Some(old)) => {
                    p.age { (spoken(old)) " " small { "old" } }
                    @if let Some(objective) = step.objective {
                        (gauge(old, objective))
                    } @else {
                        p.words { "no age is too old: there is no objective" }
                    }
                    p.fine { "data of " (time(newest.snapshot_at)) }
                    p.fine { (name(newest.backup.as_str())) " in " (newest.vaults.join(", ")) }
                }
                _ => p.none { (step.otherwise) }
            }
            @if let Some(note) = &step.note { p.fine { (note) } }
        }
    }
}

/// The backup by which the source is judged: the recovery point's, or where too few vaults hold one, the newest.
fn sealed(source: &SourceHealth) -> Step {
    let newest = newest(source, |vault| vault.last_good.as_ref().filter(|good| counts(source, good)));
    Step {
        rung: Rung::Sealed,
        newest,
        objective: source.objectives.recovery_point,
        otherwise: "none yet",
        flaw: (source.holding < source.needed).then(|| format!("in {} of {} vaults", source.holding, source.needed)),
        note: suspect(source).map(|newer| format!("{newer} is newer and suspect: it does not count")),
    }
}

/// The newest backup, where it looks wiped.
fn suspect(source: &SourceHealth) -> Option<&BackupId> {
    let sealed = source.vaults.iter().filter_map(|vault| vault.last_sealed.as_ref());
    sealed.max_by_key(|sealed| sealed.snapshot_at).filter(|_| source.is_suspect()).map(|sealed| &sealed.backup)
}

fn counts(source: &SourceHealth, good: &SealedFacts) -> bool {
    source.recovery_point.is_none_or(|point| good.snapshot_at == point)
}

fn confirmed(source: &SourceHealth, told_by: Teller) -> Step {
    let watched = source.vaults.iter().any(|vault| vault.watched.is_some());
    let newest = newest(source, |vault| vault.watched.as_ref()?.last_confirmed.as_ref());
    let is_suspect = newest.as_ref().is_some_and(|newest| suspect(source) == Some(&newest.backup));
    Step {
        rung: Rung::Confirmed,
        newest,
        objective: source.objectives.recovery_point,
        otherwise: if watched { "none yet" } else { told_by.unknown() },
        flaw: None,
        note: is_suspect.then(|| "this one is suspect".to_owned()),
    }
}

fn proven(source: &SourceHealth, told_by: Teller) -> Step {
    let passed = source.drills.as_ref().and_then(|drills| drills.last_passed.as_ref());
    let newest = passed.and_then(|report| {
        let (backup, snapshot_at) = (report.backup.clone()?, report.snapshot_at?);
        Some(Newest { backup, snapshot_at, vaults: vec![report.vault.clone()] })
    });
    Step {
        rung: Rung::Proven,
        newest,
        objective: source.objectives.proven_within,
        otherwise: if source.drills.is_some() { "none yet" } else { told_by.unknown() },
        flaw: None,
        note: None,
    }
}

/// The newest of what each vault holds, and all vaults that hold it.
fn newest(source: &SourceHealth, of: impl Fn(&VaultHealth) -> Option<&SealedFacts>) -> Option<Newest> {
    let held: Vec<_> = source.vaults.iter().filter_map(|vault| Some((vault, of(vault)?))).collect();
    let (_, top) = held.iter().max_by_key(|(_, sealed)| sealed.snapshot_at)?;
    let vaults = held.iter().filter(|(_, sealed)| sealed.backup == top.backup).map(|(vault, _)| vault.vault.clone());
    Some(Newest { backup: top.backup.clone(), snapshot_at: top.snapshot_at, vaults: vaults.collect() })
}
