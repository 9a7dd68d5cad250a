//! lane: one vault's share of a run; it succeeds or fails on its own.

use super::{BackupError, Destination, Job, Outcome, VaultOutcome};
use crate::{
    catalog::{Catalog, ChainRecord, Place, Sealed},
    clock::{Clock, Timestamp},
    layout::{BackupId, SourceName},
    manifest::{DumpComplete, Header, ManifestDraft},
    role::Depositor,
    segment::PackedSegment,
    term,
};
use std::sync::Mutex;

pub struct Lane<'a> {
    depositor: &'a Depositor,
    record: ChainRecord,
    notes: Vec<String>,
    /// The draft that receipts are recorded in, until something fails.
    draft: Mutex<Result<ManifestDraft, BackupError>>,
}

/// A lane for every vault where a backup is due, and the outcome of those where none is.
pub async fn open_lanes<'a>(
    job: &'a Job<'_>,
    catalog: &Catalog,
    backup: &BackupId,
    now: Timestamp,
) -> Result<(Vec<Lane<'a>>, Vec<VaultOutcome>), BackupError> {
    let mut lanes = Vec::new();
    let mut others = Vec::new();
    for Destination { depositor, every } in &job.destinations {
        let place = Place { vault: depositor.vault(), source: &job.source, address: &depositor.describe() };
        let record = catalog.chain(place).await?;
        if !term::due(*every, record.last_sealed_at(), now) {
            others.push(VaultOutcome {
                vault: depositor.vault().to_owned(),
                notes: Vec::new(),
                outcome: Outcome::NotDue,
            });
            continue;
        }
        let header = Header {
            source: job.source.clone(),
            backup: backup.clone(),
            chain: record.next(),
            strongroom: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now,
            term: depositor.term(),
            recipients: job.packer.recipients().names(),
        };
        let protected = depositor.insist_protected().await.map_err(BackupError::from);
        let notes = record.restarted().iter().map(|why| format!("a new chain begins: {why}")).collect();
        let draft = Mutex::new(protected.map(|()| ManifestDraft::begin(header)));
        lanes.push(Lane { depositor, record, notes, draft });
    }
    Ok((lanes, others))
}

impl Lane<'_> {
    pub fn has_failed(&self) -> bool {
        self.draft.lock().expect("no holder panics").is_err()
    }

    pub async fn deposit(&self, source: &SourceName, segment: &PackedSegment) {
        if self.has_failed() {
            return;
        }
        let receipt = self.depositor.deposit(source, segment).await;
        let mut draft = self.draft.lock().expect("no holder panics");
        match (&mut *draft, receipt) {
            (Ok(draft), Ok(receipt)) => draft.record(receipt),
            (Ok(_), Err(error)) => *draft = Err(error.into()),
            // The first error is the one that explains the others.
            (Err(_first), _) => {}
        }
    }

    /// Completes the draft and deposits manifest and seal. The catalog knows of it before the vault does.
    pub async fn seal(&mut self, dump: &DumpComplete, closed: &str, clock: Clock) -> Result<Outcome, BackupError> {
        let taken = std::mem::replace(self.draft.get_mut().expect("no holder panics"), Err(BackupError::NoVaultLeft));
        let complete = taken?.complete(dump, closed.to_owned(), clock.now())?;
        let backup = complete.manifest.backup.clone();
        self.record.sealing(&backup).await?;
        self.depositor.seal(&complete).await?;
        let manifest = &complete.manifest;
        let sealed = Sealed {
            backup,
            manifest: complete.seal_comment.manifest,
            snapshot_at: manifest.snapshot_at,
            sealed_at: clock.now(),
            lock: manifest.lock,
            locked_until: manifest.locked_until,
            packed_bytes: manifest.packed_bytes(),
            suspicions: Vec::new(),
        };
        self.record.sealed(&sealed).await?;
        Ok(Outcome::Sealed {
            lock: manifest.lock,
            locked_until: manifest.locked_until,
            sequence: manifest.chain.sequence,
        })
    }

    pub fn outcome(&mut self, outcome: Outcome) -> VaultOutcome {
        VaultOutcome { vault: self.depositor.vault().to_owned(), notes: std::mem::take(&mut self.notes), outcome }
    }

    /// What became of a lane that never got to its seal.
    pub fn into_failure(mut self) -> VaultOutcome {
        let draft = std::mem::replace(self.draft.get_mut().expect("no holder panics"), Err(BackupError::NoVaultLeft));
        let error = draft.err().unwrap_or(BackupError::NoVaultLeft);
        self.outcome(Outcome::Failed(error))
    }
}
