//! ladder: the newest backup on each rung, and how a source's drills stand, as views show them.

use super::{DiskFacts, DrillFacts, Facts, SealedFacts, written};
use crate::{
    clock::{SignedDuration, Timestamp},
    layout::BackupId,
    proof::{DrillOutcome, DrillReport},
};
use serde::Serialize;

/// The newest on each rung, in whichever vault; `None` where none has come so far, or nobody looks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ladder {
    pub sealed: Option<LadderStep>,
    pub confirmed: Option<LadderStep>,
    pub proven: Option<LadderStep>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LadderStep {
    pub backup: BackupId,
    /// Of what time its data is.
    pub snapshot_at: Timestamp,
    /// When it was sealed, last seen to be whole, or proven.
    pub at: Timestamp,
}

/// How a source's drills stand.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DrillHealth {
    pub expected_since: Timestamp,
    pub last: Option<LastDrill>,
    /// What is proven, of those that do not look wiped.
    pub last_passed: Option<LastDrill>,
    pub running_since: Option<Timestamp>,
    pub next_at: Option<Timestamp>,
    pub disk: Option<DiskFacts>,
}

/// A report, without what only its own page shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LastDrill {
    pub drill: String,
    pub vault: String,
    pub outcome: DrillOutcome,
    pub backup: Option<BackupId>,
    pub snapshot_at: Option<Timestamp>,
    pub at: Timestamp,
    #[serde(rename = "took_seconds", serialize_with = "written::span")]
    pub took: SignedDuration,
    pub restore_seconds: Option<f64>,
    pub differences: Vec<String>,
    pub reason: Option<String>,
}

/// As many differences as a screen shows; the report has them all.
const DIFFERENCES_SHOWN: usize = 20;

impl From<&DrillReport> for LastDrill {
    fn from(report: &DrillReport) -> Self {
        Self {
            drill: report.drill.to_string(),
            vault: report.vault.clone(),
            outcome: report.outcome,
            backup: report.backup.clone(),
            snapshot_at: report.snapshot_at,
            at: report.ended_at,
            took: report.took(),
            restore_seconds: report.restore_seconds,
            differences: report.differences.iter().take(DIFFERENCES_SHOWN).cloned().collect(),
            reason: report.reason.clone(),
        }
    }
}

impl DrillHealth {
    pub fn of(drills: &DrillFacts) -> Self {
        Self {
            expected_since: drills.expected_since,
            last: drills.last.as_ref().map(LastDrill::from),
            last_passed: drills.last_passed.as_ref().map(LastDrill::from),
            running_since: drills.running_since,
            next_at: drills.next_at,
            disk: drills.disk,
        }
    }
}

impl Ladder {
    pub fn of(facts: &Facts) -> Self {
        let newest = |steps: Vec<LadderStep>| steps.into_iter().max_by_key(|step| step.snapshot_at);
        let step = |sealed: &SealedFacts, at| LadderStep {
            backup: sealed.backup.clone(),
            snapshot_at: sealed.snapshot_at,
            at,
        };
        let sealed = facts.vaults.iter().filter_map(|vault| vault.last_sealed.as_ref());
        let watched = facts.vaults.iter().filter_map(|vault| vault.watched.as_ref());
        let confirmed =
            watched.filter_map(|watched| Some(step(watched.last_confirmed.as_ref()?, watched.confirmed_at?)));
        Self {
            sealed: newest(sealed.map(|sealed| step(sealed, sealed.sealed_at)).collect()),
            confirmed: newest(confirmed.collect()),
            proven: facts.drills.as_ref().and_then(|drills| proven(drills.last_passed.as_ref()?)),
        }
    }
}

fn proven(report: &DrillReport) -> Option<LadderStep> {
    let (backup, snapshot_at) = (report.backup.clone()?, report.snapshot_at?);
    Some(LadderStep { backup, snapshot_at, at: report.ended_at })
}
