//! lane: one vault's share of a run; it succeeds or fails on its own.

use super::{BackupError, Destination, Job, Outcome, VaultOutcome};
use crate::{
    catalog::{Catalog, ChainRecord, Held, Place, Sealed},
    clock::{Clock, Timestamp},
    digest::SegmentId,
    failure::{Explain, with_causes},
    health::{SealedFacts, VaultFacts},
    layout::{BackupId, SourceName},
    manifest::{DumpComplete, Header, ManifestDraft, Receipt},
    progress::Progress,
    role::{Depositor, Earlier, RoleError},
    segment::PackedSegment,
    term,
};
use futures_util::future::join_all;
use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

pub struct Lane<'a> {
    depositor: &'a Depositor,
    progress: &'a Progress,
    record: ChainRecord,
    /// What the new manifest's segments must be locked until, at least.
    promised: Timestamp,
    patience: Duration,
    /// Segments that the vault had promised to hold for longer, and does not.
    breached: AtomicU64,
    /// Its period has a suspect backup already, and takes no second one.
    holds_suspect: bool,
    /// What this run has deposited, where it may refer to nothing else.
    anew: Option<Mutex<BTreeSet<SegmentId>>>,
    notes: Vec<String>,
    clock_skew_secs: Option<i64>,
    sent: AtomicU64,
    reused: AtomicU64,
    /// The draft that receipts are recorded in, until something fails.
    draft: Mutex<Result<ManifestDraft, BackupError>>,
}

/// A lane for every vault where a backup is due, and the outcome of those where none is.
pub async fn open_lanes<'a>(
    job: &'a Job,
    catalog: &Catalog,
    progress: &'a Progress,
    backup: &BackupId,
    now: Timestamp,
) -> Result<(Vec<Lane<'a>>, Vec<VaultOutcome>), BackupError> {
    let mut lanes = Vec::new();
    let mut others = Vec::new();
    let probing = job
        .destinations
        .iter()
        .map(|Destination { depositor, .. }| in_time(PROBE_WITHIN, depositor, depositor.insist_protected()));
    let probed = join_all(probing).await;
    for (Destination { depositor, every }, protected) in job.destinations.iter().zip(probed) {
        let address = depositor.describe();
        let place = Place { vault: depositor.vault(), source: &job.source, address: &address };
        let VaultFacts { last_good, last_sealed, .. } = catalog.vault_facts(place, *every).await?;
        // A seal of a time to come is a clock's that was ahead: nobody waits for it.
        let at = |sealed: Option<SealedFacts>| sealed.map(|sealed| sealed.sealed_at).filter(|at| *at <= now);
        // A suspect backup is none that a period could rest upon.
        if !term::due(*every, at(last_good), now) {
            others.push(VaultOutcome::not_due(depositor.vault()));
            continue;
        }
        let record = catalog.chain(place).await?;
        let header = Header {
            source: job.source.clone(),
            backup: backup.clone(),
            chain: record.next(),
            strongroom: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now,
            term: depositor.term(),
            recipients: job.packer.recipients().names(),
        };
        let clock_skew_secs = protected.as_ref().ok().and_then(|skew| *skew);
        let draft = protected.map(|_skew| ManifestDraft::begin(header)).map_err(BackupError::from);
        lanes.push(Lane {
            depositor,
            progress,
            notes: record.restarted().iter().map(|why| format!("a new chain begins: {why}")).collect(),
            record,
            promised: depositor.promised(now),
            patience: patience(job),
            breached: AtomicU64::new(0),
            holds_suspect: !term::due(*every, at(last_sealed), now),
            anew: job.anew.then(Mutex::default),
            clock_skew_secs,
            sent: AtomicU64::new(0),
            reused: AtomicU64::new(0),
            draft: Mutex::new(draft),
        });
    }
    Ok((lanes, others))
}

/// How long a vault may take to say what its settings are.
const PROBE_WITHIN: Duration = Duration::from_secs(60);

/// A vault that does not answer is given up in time for the others: before the run as a whole counts as stalled.
fn patience(job: &Job) -> Duration {
    let (least, most) = (Duration::from_secs(30), Duration::from_secs(300));
    (job.limits.stalled_after.unsigned_abs() / 2).clamp(least, most)
}

async fn in_time<T>(
    patience: Duration,
    depositor: &Depositor,
    work: impl Future<Output = Result<T, RoleError>>,
) -> Result<T, RoleError> {
    let done = tokio::time::timeout(patience, work).await;
    done.unwrap_or_else(|_elapsed| Err(depositor.silent(patience)))
}

impl Lane<'_> {
    pub fn has_failed(&self) -> bool {
        self.draft.lock().expect("no holder panics").is_err()
    }

    /// Sees to it that the vault holds `segment` under a lock that covers the promise: by a receipt of what it holds
    /// already, or by a deposit.
    pub async fn deposit(&self, source: &SourceName, segment: &PackedSegment) {
        if self.has_failed() {
            return;
        }
        let receipt = self.receipt(source, segment).await;
        let mut draft = self.draft.lock().expect("no holder panics");
        match (&mut *draft, receipt) {
            (Ok(draft), Ok(receipt)) => draft.record(receipt),
            (Ok(_), Err(error)) => *draft = Err(error),
            // The first error is the one that explains the others.
            (Err(_first), _) => {}
        }
    }

    async fn receipt(&self, source: &SourceName, segment: &PackedSegment) -> Result<Receipt, BackupError> {
        let earlier = self.record.held(segment.id).await?.filter(|_held| self.may_refer(segment.id));
        let mut broken = None;
        if let Some(held) = earlier.filter(|held| held.locked_until.is_some_and(|until| until >= self.promised)) {
            let earlier = Earlier { version: held.version, size: held.size, blake3: held.blake3, md5: held.md5 };
            let referring = self.depositor.refer(source, segment, earlier, self.promised);
            match in_time(self.patience, self.depositor, referring).await {
                Ok(Some(receipt)) => {
                    self.reused.fetch_add(receipt.size, Relaxed);
                    self.progress.reused(receipt.size);
                    return Ok(receipt);
                }
                Ok(None) => broken = Some("its lock is gone or shorter than it was".to_owned()),
                Err(error) if error.may_pass() => return Err(error.into()),
                // A vault that does not know the version any more, or will not say: what is sent anew needs neither.
                Err(error) => broken = Some(with_causes(&error)),
            }
        }
        let receipt = in_time(self.patience, self.depositor, self.depositor.deposit(source, segment)).await?;
        // Only now: a vault that will not tell of any lock has failed, and what it holds is not known to be gone.
        if let Some(why) = broken {
            self.broken(segment, &why);
            self.record.forget(segment.id).await?;
        }
        if let Some(anew) = &self.anew {
            anew.lock().expect("no holder panics").insert(segment.id);
            self.record.forget(segment.id).await?;
        }
        self.sent.fetch_add(receipt.size, Relaxed);
        self.progress.sent(receipt.size);
        let held = Held {
            id: receipt.id,
            version: receipt.version.clone(),
            size: receipt.size,
            blake3: receipt.blake3,
            md5: receipt.md5,
            lock: receipt.lock,
            locked_until: receipt.locked_until,
        };
        self.record.hold(&[held]).await?;
        Ok(receipt)
    }

    fn may_refer(&self, id: SegmentId) -> bool {
        self.anew.as_ref().is_none_or(|anew| anew.lock().expect("no holder panics").contains(&id))
    }

    /// The lock was read back once, and was to hold until today and longer.
    fn broken(&self, segment: &PackedSegment, why: &str) {
        let first = self.breached.fetch_add(1, Relaxed) == 0;
        let (vault, segment) = (self.depositor.vault(), segment.id);
        // Whatever becomes of the run, it has been said once that somebody should look.
        if first {
            tracing::error!(vault, %segment, why, "an earlier deposit is not held as promised, and is sent anew");
        } else {
            tracing::warn!(vault, %segment, why, "an earlier deposit is not held as promised, and is sent anew");
        }
    }

    fn breach(&self) -> Option<String> {
        let breached = self.breached.load(Relaxed);
        (breached > 0).then(|| {
            format!("{breached} segments that it had locked for longer are gone, unlocked or not to be asked about; they were sent anew")
        })
    }

    /// Completes the draft and deposits manifest and seal, or says why this vault has none.
    pub async fn seal(&mut self, dump: &DumpComplete, closed: &str, clock: Clock) -> VaultOutcome {
        if self.holds_suspect && !dump.suspicions().is_empty() && !self.has_failed() {
            return self.outcome(Outcome::NotDue);
        }
        let sealed = self.sealed(dump, closed, clock).await;
        self.outcome(sealed.unwrap_or_else(Outcome::Failed))
    }

    /// The catalog knows of it before the vault does.
    async fn sealed(&mut self, dump: &DumpComplete, closed: &str, clock: Clock) -> Result<Outcome, BackupError> {
        let taken = std::mem::replace(self.draft.get_mut().expect("no holder panics"), Err(BackupError::NoVaultLeft));
        let complete = taken?.complete(dump, closed.to_owned(), clock.now())?;
        let manifest = &complete.manifest;
        self.record.sealing(&manifest.backup).await?;
        let sent = in_time(self.patience, self.depositor, self.depositor.seal(&complete)).await?;
        self.sent.fetch_add(sent, Relaxed);
        self.progress.sent(sent);
        let sealed = Sealed {
            backup: manifest.backup.clone(),
            manifest: complete.seal_comment.manifest,
            snapshot_at: manifest.snapshot_at,
            sealed_at: clock.now(),
            lock: manifest.lock,
            locked_until: manifest.locked_until,
            packed_bytes: manifest.packed_bytes(),
            suspicions: dump.suspicions().to_vec(),
        };
        self.record.sealed(&sealed).await?;
        Ok(Outcome::Sealed {
            lock: manifest.lock,
            locked_until: manifest.locked_until,
            sequence: manifest.chain.sequence,
        })
    }

    fn outcome(&mut self, outcome: Outcome) -> VaultOutcome {
        VaultOutcome {
            vault: self.depositor.vault().to_owned(),
            notes: std::mem::take(&mut self.notes),
            breach: self.breach(),
            outcome,
            sent: *self.sent.get_mut(),
            reused: *self.reused.get_mut(),
            clock_skew_secs: self.clock_skew_secs,
        }
    }

    /// What became of a lane that never got to its seal.
    pub fn into_failure(mut self) -> VaultOutcome {
        let draft = std::mem::replace(self.draft.get_mut().expect("no holder panics"), Err(BackupError::NoVaultLeft));
        let error = draft.err().unwrap_or(BackupError::NoVaultLeft);
        self.outcome(Outcome::Failed(error))
    }
}
