//! drill: a backup is restored into a scratch database, compared with what its manifest says of it, and the outcome
//! becomes a report. A backup that passed is proven.
//!
//! A drill always gives a report: what kept it from running is an outcome, never an error that somebody might lose.

mod keep;
mod place;
mod sample;
mod verdict;

pub use crate::source::sandbox::Sandbox;
pub use keep::{Keeping, Kept, keep};
pub use sample::sample;

use crate::{
    clock::{Clock, SignedDuration, Timestamp},
    layout::{DrillId, SourceName},
    manifest::Closed,
    progress::Progress,
    proof::{self, Compared, Confinement, DrillOutcome, DrillReport},
    restore,
    role::{Opened, Restorer, Select},
    source::postgres::{Address, Target},
};
use place::Place;
use std::{path::PathBuf, time::Instant};
use tokio::time::timeout;
use verdict::Stop;

/// What is to be proven, and where.
#[derive(Clone, Debug)]
pub struct Order {
    pub source: SourceName,
    pub select: Select,
    /// A server that is there for it; `None`: one of the backup's own major version is started for the drill alone.
    pub to: Option<Address>,
    pub jobs: usize,
    /// Where PostgreSQL's programs are looked for before the usual places.
    pub client_path: Vec<PathBuf>,
    /// SQL whose first column must be true in the restored database.
    pub checks: Vec<String>,
    /// How long a restore may take.
    pub recovery_time: Option<SignedDuration>,
    pub limits: Limits,
    /// Who we are, for readers of several reports.
    pub host: String,
}

/// What a scratch server may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Where it is made, in a folder of its own that goes with it.
    pub scratch_dir: PathBuf,
    /// `None`: what is free there.
    pub disk_bytes_max: Option<u64>,
    pub deadline: SignedDuration,
    pub sandbox: Sandbox,
}

/// Runs one drill to its end, whatever that is. `id` names it. Dropped before, it leaves nothing behind but, on a server
/// that was given, the drill's own database.
pub async fn drill(restorer: &Restorer, order: &Order, id: DrillId, progress: &Progress, clock: Clock) -> DrillReport {
    let mut report = begun(restorer, order, id, clock.now());
    let ended = prove(restorer, order, progress, clock, &mut report).await;
    report.ended_at = clock.now();
    match ended {
        Ok(()) => report.outcome = DrillOutcome::Passed,
        Err(Stop::Failed(differences)) => {
            report.outcome = DrillOutcome::Failed;
            report.differences = differences;
        }
        Err(Stop::CouldNotRun { reason, hint }) => {
            report.outcome = DrillOutcome::CouldNotRun;
            (report.reason, report.hint) = (Some(reason), hint);
        }
    }
    report
}

/// A report that says nothing yet, and so is no pass.
fn begun(restorer: &Restorer, order: &Order, drill: DrillId, now: Timestamp) -> DrillReport {
    DrillReport {
        format: proof::FORMAT,
        drill,
        source: order.source.clone(),
        vault: restorer.inspector().vault().to_owned(),
        outcome: DrillOutcome::CouldNotRun,
        differences: Vec::new(),
        reason: None,
        hint: None,
        backup: None,
        manifest: None,
        sequence: None,
        snapshot_at: None,
        sealed_at: None,
        suspect: Vec::new(),
        started_at: now,
        ended_at: now,
        restore_seconds: None,
        recovery_time_objective_seconds: order.recovery_time.map(|allowed| allowed.as_secs()),
        recovery_point_age_seconds: None,
        packed_bytes: None,
        compared: Compared::default(),
        confinement: None,
        server: None,
        notes: Vec::new(),
        strongroom: env!("CARGO_PKG_VERSION").to_owned(),
        host: order.host.clone(),
    }
}

async fn prove(
    restorer: &Restorer,
    order: &Order,
    progress: &Progress,
    clock: Clock,
    report: &mut DrillReport,
) -> Result<(), Stop> {
    let (began, deadline) = (Instant::now(), order.limits.deadline.unsigned_abs());
    let left = || deadline.saturating_sub(began.elapsed());
    let late = |_elapsed| Stop::deadline(deadline);
    let opened = timeout(left(), open(restorer, order, report)).await.map_err(late)??;
    let place = timeout(left(), Place::take(order, &opened, &report.drill)).await.map_err(late)??;
    report.confinement = Some(place.confinement());
    report.server = Some(place.version().to_owned());
    if !matches!(place.confinement(), Confinement::Bubblewrap | Confinement::GivenServer) {
        tracing::warn!(source = %order.source, "this drill is {}", place.confinement().words());
    }
    let proving = restore_and_compare(restorer, order, &place, opened, progress, clock, report);
    let ended = tokio::select! {
        ended = timeout(left(), proving) => ended.map_err(late).flatten(),
        stop = place.interrupted() => Err(stop),
    };
    let ended = match ended {
        Err(stop) => Err(place.explain(stop).await),
        Ok(()) => Ok(()),
    };
    if let Some(left) = place.close().await {
        tracing::error!(source = %order.source, left, "what a drill restored could NOT be removed: it is plain text");
        report.notes.push(format!("NOT REMOVED: {left}"));
    }
    ended
}

/// Finds the backup, and writes down which it is before anything can go wrong with it.
async fn open(restorer: &Restorer, order: &Order, report: &mut DrillReport) -> Result<Opened, Stop> {
    let inspector = restorer.inspector();
    let shelf = inspector.shelf(&order.source).await?;
    let (sealed, passed_over) = inspector.select(&order.source, &shelf, &order.select).await?;
    report.notes.extend(passed_over.iter().map(ToString::to_string));
    let manifest = &sealed.manifest;
    report.backup = Some(manifest.backup.clone());
    report.manifest = Some(sealed.manifest_digest);
    report.sequence = Some(manifest.chain.sequence);
    report.snapshot_at = Some(manifest.snapshot_at);
    report.sealed_at = Some(sealed.sealed_at);
    report.suspect = manifest.suspect.clone();
    report.packed_bytes = Some(manifest.packed_bytes());
    report.recovery_point_age_seconds = Some(report.started_at.duration_since(manifest.snapshot_at).as_secs());
    Ok(restorer.open_closed(sealed)?)
}

/// The restore of an incident, and then more comparisons than an incident has time for.
async fn restore_and_compare(
    restorer: &Restorer,
    order: &Order,
    place: &Place,
    opened: Opened,
    progress: &Progress,
    clock: Clock,
    report: &mut DrillReport,
) -> Result<(), Stop> {
    let began_at = clock.now();
    let restore_order = place.order(order, &opened).await?;
    let closed = opened.closed.clone();
    if restore_order.ownership.no_owner {
        report.notes.push("owners and rights were not restored: the server does not have the backup's roles".into());
    }
    let prepared = restore::prepare_opened(restorer, &restore_order, opened, Vec::new()).await?;
    insist_on_extensions(prepared.target(), &closed).await?;
    let restored = restore::restore(restorer, &restore_order, &prepared, progress, clock).await?;
    report.notes.extend(restored.left_out.iter().map(|left| format!("left out of the backup: {left}")));
    report.notes.extend(restored.warnings);
    report.compared = Compared {
        tables: closed.tables.len() as u64,
        rows: restored.rows,
        sequences: closed.sequences.len() as u64,
        large_objects: closed.large_objects,
        extensions: closed.extensions.len() as u64,
        roles: if restore_order.ownership.no_owner { 0 } else { closed.roles.len() as u64 },
        definitions: 0,
        checks: order.checks.len() as u64,
    };
    let mut differences = compare_schema(place, &prepared, &closed, report).await?;
    // Whoever restores a wiped database has not got his data back.
    differences.extend(closed.suspicions.iter().map(|suspicion| format!("the backup is suspect: {suspicion}")));
    if !differences.is_empty() {
        return Err(Stop::Failed(differences));
    }
    report.restore_seconds = Some(clock.now().duration_since(began_at).as_secs_f64());
    Ok(())
}

/// A host without an extension's files says nothing of the backup.
async fn insist_on_extensions(target: &Target, closed: &Closed) -> Result<(), Stop> {
    let missing = target.missing_extensions(&closed.extensions).await?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Stop::CouldNotRun {
        reason: format!("the scratch server does not have the extensions {}", missing.join(", ")),
        hint: Some("Install the packages that production has for them on the drill's host.".into()),
    })
}

async fn compare_schema(
    place: &Place,
    prepared: &restore::Prepared,
    closed: &Closed,
    report: &mut DrillReport,
) -> Result<Vec<String>, Stop> {
    let target = prepared.target();
    let extensions = target.compare_extensions(&closed.extensions).await?;
    report.notes.extend(extensions.notes);
    let twin = || place::twin(target, place.twin(&target.address), closed);
    let definitions = target.compare_definitions(prepared.head(), twin).await?;
    report.compared.definitions = definitions.count;
    if definitions.reworded > 0 {
        let reworded = definitions.reworded;
        report.notes.push(format!("{reworded} definitions came back in other words of the same server"));
    }
    Ok([extensions.differences, definitions.differences].concat())
}
