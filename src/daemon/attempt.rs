//! attempt: one run from its first ping to its last, and what it brings home.

use super::{Charge, agenda::Ending};
use crate::{
    backup::{self, BackupError, Job, Report},
    clock::{spoken, whole_second},
    failure::{Explain, with_causes},
    health::shortened,
    layout::SourceName,
    monitor::{Ping, Pings},
    progress::Progress,
    run::{self, Trigger},
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a task brings home.
pub struct Ended {
    pub source: SourceName,
    pub ending: Ending,
    /// As it should stand in the catalog, which may have been unable to take it; `None` where nothing began.
    pub record: Option<run::Record>,
    pub skews: Vec<(String, f64)>,
}

/// One run, from its first ping to its last.
pub async fn attempt(charge: Arc<Charge>, trigger: Trigger, stop: CancellationToken, pings: Arc<Pings>) -> Ended {
    let Job { source, clock, random, .. } = &charge.job;
    let parts: [[u8; 4]; 4] = std::array::from_fn(|_| random());
    let id: [u8; 16] = parts.concat().try_into().expect("four times four bytes are sixteen");
    pings.send(source, &Ping::begun(id));
    let progress = Arc::new(Progress::default());
    let started_at = clock.now();
    let ended = backup::backup(&charge.job, trigger, &progress, &stop).await;
    let end = backup::end(&charge.job, &progress, &ended);
    let took = end.at.duration_since(started_at);
    match &ended {
        Ok(report) => say(report),
        Err(error) if error.is_busy() => tracing::warn!(%source, error = with_causes(error), "not backed up"),
        Err(BackupError::Stopped) => tracing::warn!(%source, "the run was stopped; nothing of it is sealed"),
        Err(error) => {
            let hint = error.hint().unwrap_or_default();
            tracing::error!(%source, took = spoken(took), error = with_causes(error), hint, "backup FAILED");
        }
    }
    // Somebody else's run is theirs to tell of, and one that we stopped is begun again by whoever starts us.
    let ours = !ended.as_ref().is_err_and(BackupError::is_busy);
    if ours && !matches!(ended, Err(BackupError::Stopped)) {
        pings.send(source, &Ping::ended(id, &end, took));
    }
    let backup = ended.as_ref().ok().map(|report| report.backup.clone());
    let phase = run::Phase::Preparing; // how far a failed run came is the catalog's to know
    let record = run::Record { source: source.clone(), backup, trigger, started_at, phase, ended: Some(end) };
    let vaults = ended.iter().flat_map(|report| &report.vaults);
    let skews = vaults.filter_map(|vault| Some((vault.vault.clone(), vault.clock_skew_secs? as f64))).collect();
    Ended { source: source.clone(), ending: ending_of(&ended), record: ours.then_some(record), skews }
}

fn ending_of(ended: &Result<Report, BackupError>) -> Ending {
    match ended {
        Ok(report) if report.is_protected() => Ending::Done,
        Ok(report) if report.failures().any(|(_, error)| error.may_pass()) => Ending::MayPass,
        Err(error) if error.is_busy() => Ending::NotNow(with_causes(error)),
        Err(error) if error.may_pass() => Ending::MayPass,
        Ok(_) | Err(_) => Ending::NeedsMending,
    }
}

/// One line that is readable alone, and the ones that somebody should look at.
fn say(report: &Report) {
    let (source, backup, bytes) = (&report.source, &report.backup, report.bytes);
    for (vault, error) in report.failures() {
        let hint = error.hint().unwrap_or_default();
        tracing::error!(%source, %backup, vault, error = with_causes(error), hint, "NOT sealed in this vault");
    }
    for (vault, note) in report.vaults.iter().flat_map(|vault| vault.notes.iter().map(|note| (&vault.vault, note))) {
        tracing::warn!(%source, %backup, vault, "{note}");
    }
    for warning in &report.warnings {
        tracing::warn!(%source, %backup, "{warning}");
    }
    for (vault, breach) in report.breaches() {
        tracing::error!(%source, %backup, vault, "BROKEN PROMISE: {breach}");
    }
    if !report.suspicions.is_empty() {
        let why = shortened(&report.suspicions);
        tracing::error!(%source, %backup, why, "SUSPECT: sealed, and not counted as good");
    }
    if report.sealed() > 0 {
        let vaults = format!("{} ({} needed)", report.sealed(), report.needed);
        let locked_until = report.locked_until().map(|until| whole_second(until).to_string()).unwrap_or_default();
        tracing::info!(
            %source, %backup, vaults, rows = report.rows, read = bytes.read, packed = bytes.packed, sent = bytes.sent,
            reused = bytes.reused, took = spoken(report.took), locked_until, "sealed"
        );
    }
}
