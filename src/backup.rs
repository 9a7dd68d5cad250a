//! backup: one dump of one source, deposited in every vault where it is due, and sealed where all of it is held.

use crate::{
    catalog::{Catalog, CatalogError, ChainRecord},
    clock::{Clock, SignedDuration, Timestamp},
    failure::{Explain, Kind},
    layout::{BackupId, SourceName},
    manifest::{DraftError, DumpComplete, Header, LeftOut, LockMode, ManifestDraft, Previous},
    progress::Progress,
    role::{Depositor, RoleError},
    segment::{PackedSegment, Packer},
    source::postgres::{self, PostgresError, PostgresSettings},
    term,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{StreamExt, future::join_all};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;

/// A dump that a migration disturbed is begun anew so many times.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// One source, and everything that backing it up needs.
pub struct Job<'a> {
    pub source: SourceName,
    pub postgres: &'a PostgresSettings,
    pub destinations: Vec<Destination>,
    /// How many vaults must hold a backup for the source to be protected.
    pub needed: usize,
    pub packer: Packer,
    pub state_dir: &'a Path,
    pub clock: Clock,
    pub random: fn() -> [u8; 4],
}

pub struct Destination {
    pub depositor: Depositor,
    /// At most one backup in each such period; `None`: every backup.
    pub every: Option<SignedDuration>,
}

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

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Source(#[from] PostgresError),
    #[error(transparent)]
    Vault(#[from] RoleError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error("the closed part could not be written")]
    Closed(#[source] std::io::Error),
    #[error("no vault is left to deposit in")]
    NoVaultLeft,
}

impl Explain for BackupError {
    fn kind(&self) -> Kind {
        match self {
            Self::Source(error) => error.kind(),
            Self::Vault(error) => error.kind(),
            Self::Catalog(error) => error.kind(),
            Self::Draft(_) | Self::Closed(_) | Self::NoVaultLeft => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Vault(error) => error.hint(),
            Self::Catalog(error) => error.hint(),
            Self::Draft(_) | Self::Closed(_) | Self::NoVaultLeft => None,
        }
    }
}

/// One vault's share of a run: it succeeds or fails on its own.
struct Lane<'a> {
    depositor: &'a Depositor,
    record: ChainRecord,
    notes: Vec<String>,
    /// The draft that receipts are recorded in, until something fails.
    draft: Mutex<Result<ManifestDraft, BackupError>>,
}

pub async fn backup(job: &Job<'_>, progress: &Arc<Progress>) -> Result<Report, BackupError> {
    let catalog = Catalog::open(job.state_dir);
    let _one_run = catalog.lock(&job.source)?;
    let mut tried = 1;
    loop {
        match attempt(job, &catalog, progress).await {
            Err(BackupError::Source(error)) if error.is_transient() && tried < TRIES => {
                tracing::warn!(source = %job.source, tried, %error, "the dump was disturbed and begins anew");
                tokio::time::sleep(PAUSE * tried).await;
                tried += 1;
            }
            ended => return ended,
        }
    }
}

async fn attempt(job: &Job<'_>, catalog: &Catalog, progress: &Arc<Progress>) -> Result<Report, BackupError> {
    let started_at = job.clock.now();
    let backup = BackupId::new(started_at, (job.random)());
    let (mut lanes, mut vaults) = open_lanes(job, catalog, &backup, started_at).await?;
    if lanes.iter().all(|lane| lane.has_failed()) {
        return Ok(nothing_dumped(job, backup, started_at, lanes, vaults));
    }

    let (segments, packed) = mpsc::channel(1);
    let dumping = postgres::dump(job.postgres, &job.packer, progress, job.clock, segments);
    let depositing = deposit_all(&job.source, &lanes, packed, job.postgres.workers, progress);
    let (dump, deposited) = tokio::join!(dumping, depositing);
    let dump = match (dump, deposited) {
        // The dump ended because nobody took its segments any more: each vault's own error says why.
        (Err(PostgresError::NoTaker), Err(BackupError::NoVaultLeft)) => {
            return Ok(nothing_dumped(job, backup, started_at, lanes, vaults));
        }
        (dump, deposited) => {
            let dump = dump?;
            deposited?;
            dump
        }
    };

    let closed = seal_closed(&job.packer, &dump)?;
    for lane in &mut lanes {
        let outcome = match lane.seal(&dump, &closed, job.clock).await {
            Ok(sealed) => sealed,
            Err(error) => Outcome::Failed(error),
        };
        vaults.push(lane.outcome(outcome));
    }
    Ok(report(job, backup, started_at, &dump, progress, vaults))
}

/// A lane for every vault where a backup is due, and the outcome of those where none is.
async fn open_lanes<'a>(
    job: &'a Job<'_>,
    catalog: &Catalog,
    backup: &BackupId,
    now: Timestamp,
) -> Result<(Vec<Lane<'a>>, Vec<VaultOutcome>), BackupError> {
    let mut lanes = Vec::new();
    let mut others = Vec::new();
    for Destination { depositor, every } in &job.destinations {
        let record = catalog.chain(depositor.vault(), &job.source, now)?;
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
        let notes = record.set_aside.iter().map(|why| format!("a new chain begins: {why}")).collect();
        let draft = Mutex::new(protected.map(|()| ManifestDraft::begin(header)));
        lanes.push(Lane { depositor, record, notes, draft });
    }
    Ok((lanes, others))
}

/// Deposits every segment in every lane that still lives, a few at a time, until the dump has no more.
async fn deposit_all(
    source: &SourceName,
    lanes: &[Lane<'_>],
    packed: mpsc::Receiver<PackedSegment>,
    at_once: usize,
    progress: &Progress,
) -> Result<(), BackupError> {
    let arriving = futures_util::stream::unfold(packed, async |mut packed| Some((packed.recv().await?, packed)));
    let deposits = arriving.map(async |segment| {
        join_all(lanes.iter().map(|lane| lane.deposit(source, &segment))).await;
        progress.moved(segment.bytes.len() as u64);
    });
    let mut deposits = std::pin::pin!(deposits.buffer_unordered(at_once));
    while deposits.next().await.is_some() {
        if lanes.iter().all(Lane::has_failed) {
            return Err(BackupError::NoVaultLeft);
        }
    }
    Ok(())
}

fn seal_closed(packer: &Packer, dump: &DumpComplete) -> Result<String, BackupError> {
    let json = serde_json::to_vec(dump.closed()).map_err(|why| BackupError::Closed(why.into()))?;
    Ok(BASE64_STANDARD.encode(packer.pack_whole(&json).map_err(BackupError::Closed)?))
}

impl Lane<'_> {
    fn has_failed(&self) -> bool {
        self.draft.lock().expect("no holder panics").is_err()
    }

    async fn deposit(&self, source: &SourceName, segment: &PackedSegment) {
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
    async fn seal(&mut self, dump: &DumpComplete, closed: &str, clock: Clock) -> Result<Outcome, BackupError> {
        let taken = std::mem::replace(self.draft.get_mut().expect("no holder panics"), Err(BackupError::NoVaultLeft));
        let complete = taken?.complete(dump, closed.to_owned(), clock.now())?;
        let backup = complete.manifest.backup.clone();
        self.record.sealing(&backup)?;
        self.depositor.seal(&complete).await?;
        let sealed = Previous { backup, manifest: complete.seal_comment.manifest };
        self.record.sealed(sealed, clock.now())?;
        let manifest = &complete.manifest;
        Ok(Outcome::Sealed {
            lock: manifest.lock,
            locked_until: manifest.locked_until,
            sequence: manifest.chain.sequence,
        })
    }

    fn outcome(&mut self, outcome: Outcome) -> VaultOutcome {
        VaultOutcome { vault: self.depositor.vault().to_owned(), notes: std::mem::take(&mut self.notes), outcome }
    }
}

fn report(
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
fn nothing_dumped(
    job: &Job<'_>,
    backup: BackupId,
    started_at: Timestamp,
    lanes: Vec<Lane<'_>>,
    mut vaults: Vec<VaultOutcome>,
) -> Report {
    for mut lane in lanes {
        let draft = std::mem::replace(lane.draft.get_mut().expect("no holder panics"), Err(BackupError::NoVaultLeft));
        let error = draft.err().unwrap_or(BackupError::NoVaultLeft);
        vaults.push(lane.outcome(Outcome::Failed(error)));
    }
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
