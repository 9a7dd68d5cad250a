//! ladder: the newest backup on each rung, as views show it.

use super::{Facts, SealedFacts};
use crate::{clock::Timestamp, layout::BackupId, proof::DrillReport};
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
