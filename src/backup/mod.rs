//! backup: one dump of one source, deposited in every vault where it is due, and sealed where all of it is held.

mod lane;
mod limits;
mod report;

use lane::Lane;
pub use limits::Limits;
pub use report::{Outcome, Report, VaultOutcome};

use crate::{
    catalog::{Begun, Catalog, CatalogError, RunId, Share, VaultEnded},
    clock::{Clock, SignedDuration},
    failure::{Explain, Kind, with_causes},
    layout::{BackupId, SourceName},
    manifest::{DraftError, DumpComplete},
    progress::Progress,
    role::{Depositor, RoleError},
    run::{self, Phase, Trigger},
    segment::{PackedSegment, Packer},
    source::postgres::{self, Dumped, PostgresError, PostgresSettings},
    suspect::{self, Portrait, Suspicion, Thresholds},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use limits::Reached;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A dump that a migration disturbed is begun anew so many times.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// One source, and everything that backing it up needs.
pub struct Job {
    pub source: SourceName,
    pub postgres: PostgresSettings,
    pub destinations: Vec<Destination>,
    /// How many vaults must hold a backup for the source to be protected.
    pub needed: usize,
    pub thresholds: Thresholds,
    pub limits: Limits,
    pub packer: Packer,
    pub state_dir: PathBuf,
    /// Refer to nothing that a vault holds from earlier runs.
    pub anew: bool,
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
    #[error("the run was not done after {after}, and was ended")]
    Overrun { after: String },
    #[error("nothing moved for {after} after {raw_bytes} bytes, and the run was ended")]
    Stalled { after: String, raw_bytes: u64 },
    #[error("interrupted: nothing of this run is sealed")]
    Stopped,
}

impl BackupError {
    /// Does somebody else run this source right now?
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Source(PostgresError::Busy { .. }) | Self::Catalog(CatalogError::Busy(_)))
    }
}

impl Explain for BackupError {
    fn kind(&self) -> Kind {
        match self {
            Self::Source(error) => error.kind(),
            Self::Vault(error) => error.kind(),
            Self::Catalog(error) => error.kind(),
            Self::Stopped => Kind::Interrupted,
            Self::Draft(_) | Self::Closed(_) | Self::NoVaultLeft | Self::Overrun { .. } | Self::Stalled { .. } => {
                Kind::Failed
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Vault(error) => error.hint(),
            Self::Catalog(error) => error.hint(),
            Self::Overrun { .. } => Some("Raise the source's `deadline`, or its `workers`.".into()),
            Self::Stalled { .. } => {
                Some("Database, network or vault hangs; the source's `stalled_after` says how long is too long.".into())
            }
            Self::Draft(_) | Self::Closed(_) | Self::NoVaultLeft | Self::Stopped => None,
        }
    }

    fn may_pass(&self) -> bool {
        match self {
            Self::Source(error) => error.may_pass(),
            Self::Vault(error) => error.may_pass(),
            Self::Catalog(error) => error.may_pass(),
            Self::Overrun { .. } | Self::Stalled { .. } | Self::Stopped => true,
            Self::Draft(_) | Self::Closed(_) | Self::NoVaultLeft => false,
        }
    }
}

/// A run under way.
struct Attempt<'a> {
    job: &'a Job,
    catalog: &'a Catalog,
    run: RunId,
    progress: &'a Arc<Progress>,
    reached: Reached,
    stop: &'a CancellationToken,
}

/// Takes one backup. `stop` ends it in good order: the deposits under way are finished, and a seal that has begun is
/// made whole. Whatever happens, the catalog is told how the run ended.
pub async fn backup(
    job: &Job,
    trigger: Trigger,
    progress: &Arc<Progress>,
    stop: &CancellationToken,
) -> Result<Report, BackupError> {
    let now = job.clock.now();
    let catalog = Catalog::open(&job.state_dir, now).await?;
    let one_run = catalog.lock(&job.source)?;
    catalog.first_seen(&job.source, now).await?;
    let run = catalog.begin_run(&one_run, Begun { trigger, started_at: now, pid: std::process::id() }).await?;
    let reached = Arc::new(Mutex::new(Phase::Preparing));
    let attempt = Attempt { job, catalog: &catalog, run, progress, reached: Arc::clone(&reached), stop };
    let ended = tokio::select! {
        ended = attempt.tries() => ended,
        overrun = limits::overrun(job.limits, progress, &reached) => Err(overrun),
    };
    let recorded = match &ended {
        // Another host's run is that run's to record.
        Err(error) if error.is_busy() => catalog.drop_run(run).await,
        ended => catalog.end_run(run, &end(job, progress, ended)).await,
    };
    match (ended, recorded) {
        (Ok(mut report), Ok(())) => {
            report.warnings.extend(catalog.set_aside().map(|why| format!("the catalog begins anew: {why}")));
            Ok(report)
        }
        (Err(error), Ok(())) => Err(error),
        (Ok(mut report), Err(error)) => {
            report.warnings.push(format!("the catalog does not know how this run ended: {}", with_causes(&error)));
            Ok(report)
        }
        (Err(first), Err(_the_catalog_too)) => Err(first),
    }
}

/// How a run ended, as the catalog and whoever is pinged are told.
pub fn end(job: &Job, progress: &Progress, ended: &Result<Report, BackupError>) -> run::End {
    let seen = progress.seen();
    match ended {
        Ok(report) => run::End {
            at: job.clock.now(),
            outcome: report.outcome(),
            why: report.why(),
            bytes: report.bytes,
            rows: report.rows,
            tables: report.tables as u64,
            segments: report.segments as u64,
        },
        Err(error) => run::End {
            at: job.clock.now(),
            outcome: if error.kind() == Kind::Interrupted { run::Outcome::Interrupted } else { run::Outcome::Failed },
            why: Some(with_causes(error)),
            bytes: run::Bytes {
                read: seen.raw_bytes,
                packed: seen.packed_bytes,
                sent: seen.sent_bytes,
                reused: seen.reused_bytes,
            },
            rows: seen.rows,
            tables: 0,
            segments: seen.segments,
        },
    }
}

impl Attempt<'_> {
    async fn tries(&self) -> Result<Report, BackupError> {
        let mut tried = 1;
        loop {
            match self.once().await {
                Err(BackupError::Source(error)) if error.is_transient() && tried < TRIES => {
                    tracing::warn!(source = %self.job.source, tried, %error, "the dump was disturbed and begins anew");
                    tokio::time::sleep(PAUSE * tried).await;
                    tried += 1;
                }
                ended => return ended,
            }
        }
    }

    async fn once(&self) -> Result<Report, BackupError> {
        let Self { job, catalog, run, progress, .. } = self;
        let started_at = job.clock.now();
        let backup = BackupId::new(started_at, (job.random)());
        let (mut lanes, mut vaults) = lane::open_lanes(job, catalog, progress, &backup, started_at).await?;
        if lanes.is_empty() {
            // Nothing is wanted of the source today, and its loss would be noticed weeks late.
            postgres::look(&job.postgres).await?;
            return self.report_nothing(backup, started_at, vaults).await;
        }
        catalog.name_run(*run, &backup).await?;
        if lanes.iter().all(|lane| lane.has_failed()) {
            vaults.extend(lanes.into_iter().map(Lane::into_failure));
            return self.report_nothing(backup, started_at, vaults).await;
        }

        self.reach(Phase::Dumping).await?;
        let (segments, packed) = mpsc::channel(1);
        let dumping = async {
            tokio::select! {
                dump = postgres::dump(&job.source, &job.postgres, &job.packer, progress, job.clock, segments) => {
                    dump.map_err(BackupError::from)
                }
                () = self.stop.cancelled() => Err(BackupError::Stopped),
            }
        };
        let (dump, deposited) = tokio::join!(dumping, self.deposit_all(&lanes, packed));
        let (Dumped { complete: mut dump, portrait }, deposited) = match (dump, deposited) {
            // Each vault's own error says why, whether the dump ended because nobody took its segments any more, or had
            // handed the last of them over.
            (Ok(_) | Err(BackupError::Source(PostgresError::NoTaker)), Err(BackupError::NoVaultLeft)) => {
                vaults.extend(lanes.into_iter().map(Lane::into_failure));
                return self.report_nothing(backup, started_at, vaults).await;
            }
            (dump, deposited) => (dump?, deposited?),
        };
        if deposited < dump.closed().segments.len() && self.stop.is_cancelled() {
            return Err(BackupError::Stopped);
        }

        let suspicions = self.judge(&portrait).await?;
        dump.mark_suspect(words(&suspicions), suspicions.iter().map(ToString::to_string).collect());
        self.reach(Phase::Sealing).await?;
        let closed = seal_closed(&job.packer, &dump)?;
        let sealing = lanes.iter_mut().map(|lane| lane.seal(&dump, &closed, job.clock));
        vaults.extend(join_all(sealing).await);
        let report = report::of_run(job, backup, started_at, &dump, progress, vaults);
        self.remember(&report, &portrait).await?;
        Ok(report)
    }

    async fn reach(&self, phase: Phase) -> Result<(), BackupError> {
        *self.reached.lock().expect("no holder panics") = phase;
        Ok(self.catalog.reached(self.run, phase, self.job.clock.now()).await?)
    }

    /// Deposits every segment in every lane that still lives, a few at a time, until the dump has no more or the run is
    /// stopped; gives how many there were.
    async fn deposit_all(
        &self,
        lanes: &[Lane<'_>],
        mut packed: mpsc::Receiver<PackedSegment>,
    ) -> Result<usize, BackupError> {
        let mut deposited = 0;
        let mut under_way = FuturesUnordered::new();
        let mut more = true;
        loop {
            tokio::select! {
                segment = packed.recv(), if more && under_way.len() < self.job.postgres.workers => match segment {
                    Some(segment) => under_way.push(self.deposit_in_each(lanes, segment)),
                    None => more = false,
                },
                () = self.stop.cancelled(), if more => more = false,
                Some(()) = under_way.next() => {
                    deposited += 1;
                    if lanes.iter().all(Lane::has_failed) {
                        return Err(BackupError::NoVaultLeft);
                    }
                }
                else => return Ok(deposited),
            }
        }
    }

    async fn deposit_in_each(&self, lanes: &[Lane<'_>], segment: PackedSegment) {
        join_all(lanes.iter().map(|lane| lane.deposit(&self.job.source, &segment))).await;
        self.progress.moved(segment.bytes.len() as u64);
    }

    /// What looks wiped against the last good backup; nothing where there is none to compare with.
    async fn judge(&self, portrait: &Portrait) -> Result<Vec<Suspicion>, BackupError> {
        let good = self.catalog.portrait(&self.job.source).await?;
        let read = |(backup, json): (BackupId, String)| match serde_json::from_str::<Portrait>(&json) {
            Ok(portrait) => Some(portrait),
            Err(error) => {
                tracing::error!(%backup, %error, "its portrait cannot be read: nothing is there to tell a wipe by");
                None
            }
        };
        let good: Option<Portrait> = good.and_then(read);
        Ok(good.map_or_else(Vec::new, |good| suspect::judge(&good, portrait, &self.job.thresholds)))
    }

    /// Every vault's share, and what the next backup is compared with.
    async fn remember(&self, report: &Report, portrait: &Portrait) -> Result<(), BackupError> {
        for vault in &report.vaults {
            let failed;
            let share = match &vault.outcome {
                Outcome::Sealed { sequence, locked_until, .. } => {
                    let breach = vault.breach.as_deref();
                    Share::Sealed { sequence: *sequence, locked_until: *locked_until, breach }
                }
                Outcome::NotDue => Share::NotDue,
                Outcome::Failed(error) => {
                    let breach = vault.breach.as_ref().map_or(String::new(), |breach| format!("; {breach}"));
                    failed = with_causes(error) + &breach;
                    Share::Failed(&failed)
                }
            };
            let ended = VaultEnded { vault: &vault.vault, share, sent: vault.sent, reused: vault.reused };
            self.catalog.vault_ended(self.run, ended).await?;
        }
        if report.sealed() == 0 {
            return Ok(());
        }
        let json = serde_json::to_string(portrait).map_err(|why| BackupError::Closed(why.into()))?;
        let (source, backup) = (&self.job.source, &report.backup);
        if report.suspicions.is_empty() {
            self.catalog.set_portrait(source, backup, &json).await?;
        } else {
            self.catalog.set_pending_portrait(source, backup, &json).await?;
        }
        Ok(())
    }

    async fn report_nothing(
        &self,
        backup: BackupId,
        started_at: crate::clock::Timestamp,
        vaults: Vec<VaultOutcome>,
    ) -> Result<Report, BackupError> {
        let report = report::of_nothing(self.job, backup, started_at, vaults);
        self.remember(&report, &Portrait::default()).await?;
        Ok(report)
    }
}

/// For everybody: no names, each once.
fn words(suspicions: &[Suspicion]) -> Vec<String> {
    let words: std::collections::BTreeSet<_> = suspicions.iter().map(|suspicion| suspicion.word().to_owned()).collect();
    words.into_iter().collect()
}

fn seal_closed(packer: &Packer, dump: &DumpComplete) -> Result<String, BackupError> {
    let json = serde_json::to_vec(dump.closed()).map_err(|why| BackupError::Closed(why.into()))?;
    Ok(BASE64_STANDARD.encode(packer.pack_whole(&json).map_err(BackupError::Closed)?))
}
