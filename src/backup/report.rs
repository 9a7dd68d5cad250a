//! report: what one backup run did, vault by vault.

use super::{BackupError, Job};
use crate::{
    clock::{SignedDuration, Timestamp},
    failure::with_causes,
    health::shortened,
    layout::{BackupId, SourceName},
    manifest::{DumpComplete, LeftOut, LockMode},
    progress::Progress,
    run::{self, Bytes},
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
    pub bytes: Bytes,
    pub segments: usize,
    pub vaults: Vec<VaultOutcome>,
    pub left_out: Vec<LeftOut>,
    pub warnings: Vec<String>,
    /// Why the data looks wiped, against the last good backup; empty where it does not.
    pub suspicions: Vec<String>,
    pub needed: usize,
}

#[derive(Debug)]
pub struct VaultOutcome {
    pub vault: String,
    pub notes: Vec<String>,
    /// What the vault had promised to hold and does not any more.
    pub breach: Option<String>,
    pub outcome: Outcome,
    /// Bytes put into the vault, and bytes that it held already.
    pub sent: u64,
    pub reused: u64,
    /// Server's clock less ours, where the vault has one.
    pub clock_skew_secs: Option<i64>,
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

impl VaultOutcome {
    pub fn not_due(vault: &str) -> Self {
        let (vault, notes) = (vault.to_owned(), Vec::new());
        Self { vault, notes, breach: None, outcome: Outcome::NotDue, sent: 0, reused: 0, clock_skew_secs: None }
    }
}

impl Report {
    pub fn failures(&self) -> impl Iterator<Item = (&str, &BackupError)> {
        self.vaults.iter().filter_map(|vault| match &vault.outcome {
            Outcome::Failed(error) => Some((vault.vault.as_str(), error)),
            _ => None,
        })
    }

    /// The last of the locks that this run's backups have: what stays longest.
    pub fn locked_until(&self) -> Option<Timestamp> {
        let locked_until = |vault: &VaultOutcome| match vault.outcome {
            Outcome::Sealed { locked_until, .. } => locked_until,
            _ => None,
        };
        self.vaults.iter().filter_map(locked_until).max()
    }

    /// Vaults that broke a lock's promise, each with what is gone.
    pub fn breaches(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vaults.iter().filter_map(|vault| Some((vault.vault.as_str(), vault.breach.as_deref()?)))
    }

    pub fn sealed(&self) -> usize {
        self.vaults.iter().filter(|vault| matches!(vault.outcome, Outcome::Sealed { .. })).count()
    }

    pub fn is_protected(&self) -> bool {
        self.holding() >= self.needed
    }

    pub fn outcome(&self) -> run::Outcome {
        match () {
            () if !self.is_protected() => run::Outcome::Failed,
            () if !self.suspicions.is_empty() => run::Outcome::Suspect,
            () if self.sealed() == 0 && self.failures().next().is_none() => run::Outcome::NotDue,
            () if self.failures().next().is_some() => run::Outcome::SomeFailed,
            () => run::Outcome::Sealed,
        }
    }

    /// What went wrong, in one line; `None` where nothing did.
    pub fn why(&self) -> Option<String> {
        let failed = self.failures().map(|(vault, error)| format!("{vault}: {}", with_causes(error)));
        let failed = failed.chain(self.breaches().map(|(vault, breach)| format!("{vault}: {breach}")));
        let suspicions = (!self.suspicions.is_empty()).then(|| shortened(&self.suspicions));
        let all: Vec<_> = failed.chain(suspicions).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Vaults that hold this backup, or a recent enough one.
    pub fn holding(&self) -> usize {
        self.vaults.len() - self.failures().count()
    }
}

pub(super) fn of_run(
    job: &Job,
    backup: BackupId,
    started_at: Timestamp,
    dump: &DumpComplete,
    progress: &Progress,
    vaults: Vec<VaultOutcome>,
) -> Report {
    let closed = dump.closed();
    let nothing = of_nothing(job, backup, started_at, vaults);
    Report {
        snapshot_at: dump.snapshot_at(),
        tables: closed.tables.len(),
        rows: closed.tables.iter().map(|table| table.fingerprint.rows).sum(),
        bytes: Bytes {
            read: closed.segments.iter().map(|contents| contents.raw_bytes).sum(),
            packed: progress.seen().packed_bytes,
            ..nothing.bytes
        },
        segments: closed.segments.len(),
        left_out: closed.left_out.clone(),
        warnings: closed.warnings.clone(),
        suspicions: closed.suspicions.clone(),
        ..nothing
    }
}

/// The report of a run that never read a row, or whose rows no vault would take.
pub(super) fn of_nothing(job: &Job, backup: BackupId, started_at: Timestamp, vaults: Vec<VaultOutcome>) -> Report {
    let total = |bytes: fn(&VaultOutcome) -> u64| vaults.iter().map(bytes).sum();
    Report {
        source: job.source.clone(),
        backup,
        snapshot_at: started_at,
        took: job.clock.now().duration_since(started_at),
        tables: 0,
        rows: 0,
        bytes: Bytes { read: 0, packed: 0, sent: total(|vault| vault.sent), reused: total(|vault| vault.reused) },
        segments: 0,
        vaults,
        left_out: Vec::new(),
        warnings: Vec::new(),
        suspicions: Vec::new(),
        needed: job.needed,
    }
}
