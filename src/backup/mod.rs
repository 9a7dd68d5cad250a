//! backup: one dump of one source, deposited in every vault where it is due, and sealed where all of it is held.

mod history;
mod lane;
mod report;

use lane::Lane;
pub use report::{Outcome, Report, VaultOutcome};

use crate::{
    catalog::{Begun, Catalog, CatalogError, RunId},
    clock::{Clock, SignedDuration},
    failure::{Explain, Kind},
    layout::{BackupId, SourceName},
    manifest::{DraftError, DumpComplete},
    progress::Progress,
    role::{Depositor, RoleError},
    run::{Phase, Trigger},
    segment::{PackedSegment, Packer},
    source::postgres::{self, PostgresError, PostgresSettings},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{StreamExt, future::join_all};
use std::{path::Path, sync::Arc, time::Duration};
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

pub async fn backup(job: &Job<'_>, progress: &Arc<Progress>) -> Result<Report, BackupError> {
    let catalog = Catalog::open(job.state_dir, job.clock.now()).await?;
    let ended = one_run(job, &catalog, progress).await;
    catalog.close().await;
    ended
}

async fn one_run(job: &Job<'_>, catalog: &Catalog, progress: &Arc<Progress>) -> Result<Report, BackupError> {
    let only_run = catalog.lock(&job.source)?;
    let begun = Begun { trigger: Trigger::Asked, started_at: job.clock.now(), pid: std::process::id() };
    let run = catalog.begin_run(&only_run, begun).await?;
    let mut tried = 1;
    let ended = loop {
        match attempt(job, catalog, run, progress).await {
            Err(BackupError::Source(error)) if error.is_transient() && tried < TRIES => {
                tracing::warn!(source = %job.source, tried, %error, "the dump was disturbed and begins anew");
                tokio::time::sleep(PAUSE * tried).await;
                tried += 1;
            }
            ended => break ended,
        }
    };
    history::note(job, catalog, run, &ended).await;
    ended
}

async fn attempt(
    job: &Job<'_>,
    catalog: &Catalog,
    run: RunId,
    progress: &Arc<Progress>,
) -> Result<Report, BackupError> {
    let started_at = job.clock.now();
    let backup = BackupId::new(started_at, (job.random)());
    catalog.name_run(run, &backup).await?;
    let (mut lanes, mut vaults) = lane::open_lanes(job, catalog, &backup, started_at).await?;
    if lanes.iter().all(|lane| lane.has_failed()) {
        vaults.extend(lanes.into_iter().map(Lane::into_failure));
        return Ok(report::of_nothing(job, backup, started_at, vaults));
    }

    catalog.reached(run, Phase::Dumping, job.clock.now()).await?;
    let (segments, packed) = mpsc::channel(1);
    let dumping = postgres::dump(&job.source, job.postgres, &job.packer, progress, job.clock, segments);
    let depositing = deposit_all(&job.source, &lanes, packed, job.postgres.workers, progress);
    let (dump, deposited) = tokio::join!(dumping, depositing);
    let dump = match (dump, deposited) {
        // The dump ended because nobody took its segments any more: each vault's own error says why.
        (Err(PostgresError::NoTaker), Err(BackupError::NoVaultLeft)) => {
            vaults.extend(lanes.into_iter().map(Lane::into_failure));
            return Ok(report::of_nothing(job, backup, started_at, vaults));
        }
        (dump, deposited) => {
            let dump = dump?;
            deposited?;
            dump
        }
    };

    catalog.reached(run, Phase::Sealing, job.clock.now()).await?;
    let closed = seal_closed(&job.packer, &dump)?;
    for lane in &mut lanes {
        let outcome = match lane.seal(&dump, &closed, job.clock).await {
            Ok(sealed) => sealed,
            Err(error) => Outcome::Failed(error),
        };
        vaults.push(lane.outcome(outcome));
    }
    Ok(report::of_run(job, backup, started_at, &dump, progress, vaults))
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
