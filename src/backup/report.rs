//! report: what one backup run did, vault by vault.

use super::{BackupError, Job};
use crate::{
    clock::{SignedDuration, Timestamp},
    layout::{BackupId, SourceName},
    manifest::{DumpComplete, LeftOut, LockMode},
    progress::Progress,
};

/// What one run did.
#[derive(Debug)]
pub struct Report {
    pub source: SourceName,
    pub backup: BackupId,
    pub snapshot_at: Timestamp,
    pub took: SignedDuration,
    pub tables: usize,
    pub rows: u64,
    pub raw_bytes: u64,
    pub packed_bytes: u64,
    pub segments: usize,
    pub vaults: Vec<VaultOutcome>,
    pub left_out: Vec<LeftOut>,
    pub warnings: Vec<String>,
    pub needed: usize,
}

#[derive(Debug)]
pub struct VaultOutcome {
    pub vault: String,
    pub notes: Vec<String>,
    pub outcome: Outcome,
}

#[derive(Debug)]
pub enum Outcome {
    Sealed {
        lock: LockMode,
        locked_until: Option<Timestamp>,
        sequence: u64,
    },
    /// Its period holds a backup already.
    NotDue,
    Failed(BackupError),
}

impl Report {
    pub fn failures(&self) -> impl Iterator<Item = (&str, &BackupError)> {
        self.vaults.iter().filter_map(|vault| match &vault.outcome {
            Outcome::Failed(error) => Some((vault.vault.as_str(), error)),
            _ => None,
        })
    }

    /// Vaults that hold this backup, or a recent enough one.
    pub fn holding(&self) -> usize {
        self.vaults.len() - self.failures().count()
    }
}

pub(super) fn of_run(
    job: &Job<'_>,
    backup: BackupId,
    started_at: Timestamp,
    dump: &DumpComplete,
    progress: &Progress,
    vaults: Vec<VaultOutcome>,
) -> Report {
    let closed = dump.closed();
    Report {
        source: job.source.clone(),
        backup,
        snapshot_at: dump.snapshot_at(),
        took: job.clock.now().duration_since(started_at),
        tables: closed.tables.len(),
        rows: closed.tables.iter().map(|table| table.fingerprint.rows).sum(),
        raw_bytes: closed.segments.iter().map(|contents| contents.raw_bytes).sum(),
        packed_bytes: progress.seen().packed_bytes,
        segments: closed.segments.len(),
        vaults,
        left_out: closed.left_out.clone(),
        warnings: closed.warnings.clone(),
        needed: job.needed,
    }
}

/// The report of a run that never read a row, or whose rows no vault would take.
pub(super) fn of_nothing(job: &Job<'_>, backup: BackupId, started_at: Timestamp, vaults: Vec<VaultOutcome>) -> Report {
    Report {
        source: job.source.clone(),
        backup,
        snapshot_at: started_at,
        took: job.clock.now().duration_since(started_at),
        tables: 0,
        rows: 0,
        raw_bytes: 0,
        packed_bytes: 0,
        segments: 0,
        vaults,
        left_out: Vec::new(),
        warnings: Vec::new(),
        needed: job.needed,
    }
}
