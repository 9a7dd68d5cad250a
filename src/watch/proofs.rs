//! proofs: drill reports that somebody else made: signed ones, in the vaults and in a folder, that fit a backup which
//! was seen.

use super::{Charge, Reports, Watcher, agenda::Key, orders::REPORTS_KEPT};
use crate::{
    clock::{SignedDuration, spoken},
    failure::with_causes,
    layout::{DrillId, SourceName},
    proof::{DrillOutcome, DrillReport},
    role::{Inspector, verified_report},
};
use std::{
    cmp::Reverse,
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// So many of the newest are looked at: a look comes far more often than a drill.
const NEWEST: usize = 20;
const WITHIN: Duration = Duration::from_secs(60);
/// `REPORTS/SOURCE/DRILL/report.json` is the deepest.
const DEPTH_MAX: usize = 3;
const FILES_MAX: usize = 10_000;
const REPORT_BYTES_MAX: u64 = 16 << 20;
/// Clocks of two hosts may differ so much. What ended later than now would be the last for ever.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(15);

pub async fn in_vault(
    inspector: &Inspector,
    source: &SourceName,
    reports: &Reports,
    known: &BTreeSet<DrillId>,
) -> Result<(Vec<DrillReport>, Vec<DrillId>), String> {
    let reading = inspector.reports(source, &reports.key, known, NEWEST);
    match tokio::time::timeout(WITHIN, reading).await {
        Ok(read) => read.map_err(|error| with_causes(&error)),
        Err(_elapsed) => Err("the vault does not answer".to_owned()),
    }
}

/// Every `NAME.json` with a `NAME.json.minisig` beside it, below the folder; nothing where there is no folder.
pub async fn in_folder(
    source: &SourceName,
    reports: &Reports,
    known: &BTreeSet<DrillId>,
) -> Result<Vec<DrillReport>, String> {
    let Some(folder) = reports.folder.clone() else { return Ok(Vec::new()) };
    let (source, key, known) = (source.clone(), reports.key.clone(), known.clone());
    let read = move || {
        let failed = |error: io::Error| format!("{}: {error}", folder.display());
        let mut files = signed_files(&folder).map_err(failed)?;
        files.sort_by_key(|(changed_at, _)| Reverse(*changed_at));
        let mut found = Vec::new();
        for (_, file) in files.into_iter().take(REPORTS_KEPT as usize) {
            let (report, signature) =
                (fs::read(&file).map_err(failed)?, fs::read(signature_of(&file)).map_err(failed)?);
            let report = verified_report(&key, &source, &report, &signature);
            found.extend(report.filter(|report| !known.contains(&report.drill)));
        }
        Ok(found)
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|panic| Err(format!("reading broke off: {panic}")))
}

fn signature_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

fn signed_files(folder: &Path) -> io::Result<Vec<(std::time::SystemTime, PathBuf)>> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder)?.take(FILES_MAX) {
            let entry = entry?;
            let (path, about) = (entry.path(), entry.metadata()?);
            if about.is_dir() && depth < DEPTH_MAX {
                folders.push((path, depth + 1));
            } else if about.is_file()
                && about.len() <= REPORT_BYTES_MAX
                && path.extension().is_some_and(|extension| extension == "json")
                && signature_of(&path).exists()
            {
                files.push((about.modified()?, path));
            }
        }
    }
    Ok(files)
}

impl Watcher {
    /// Takes in reports that are signed, as far as they speak of a backup that was seen: in the vault `of`, or in any.
    pub(super) fn take_reports(&mut self, charge: &Charge, of: Option<&Key>, reports: Vec<DrillReport>) {
        let now = self.clock.now();
        for report in reports {
            let mut here = self.memories.iter().filter(|(key, _)| of.map_or(key.0 == charge.source, |of| *key == of));
            let known = match &report.manifest {
                Some(_) => here.any(|(_, (_, memory))| memory.fits(&report)),
                None => report.outcome != DrillOutcome::Passed,
            };
            if known && report.ended_at <= now + AHEAD_MAX {
                self.keep(report);
            } else if self.strangers.insert(report.drill.clone()) {
                let (source, drill) = (&report.source, &report.drill);
                tracing::warn!(%source, %drill, "a drill's report is signed, and is of no backup that was seen, or of another time: it does not count");
            }
        }
    }

    /// Says once of each report that somebody signed, and not with the key that was given for reports.
    pub(super) fn doubt(&mut self, (source, vault): &Key, drills: Vec<DrillId>) {
        for drill in drills {
            if self.strangers.insert(drill.clone()) {
                tracing::warn!(%source, vault, %drill, "a drill's report is not signed with the key in `reports`: it does not count");
            }
        }
    }

    /// The first report under a drill's id stays.
    pub(super) fn keep(&mut self, report: DrillReport) {
        let known = self.reports.entry(report.source.clone()).or_default();
        if known.iter().any(|known| known.drill == report.drill) {
            return;
        }
        let (source, drill, outcome) = (&report.source, &report.drill, report.outcome.word());
        let (backup, took) = (report.backup.as_ref().map(ToString::to_string), spoken(report.took()));
        let backup = backup.unwrap_or_default();
        match report.outcome {
            DrillOutcome::Passed => tracing::info!(%source, %drill, backup, took, "proven: {}", report.summary()),
            DrillOutcome::Failed => {
                tracing::error!(%source, %drill, backup, took, "DRILL FAILED: {}", report.summary());
            }
            DrillOutcome::CouldNotRun => {
                let hint = report.hint.clone().unwrap_or_default();
                tracing::error!(%source, %drill, outcome, hint, "no drill: {}", report.summary());
            }
        }
        let at = known.partition_point(|known| known.ended_at > report.ended_at);
        known.insert(at, report.clone());
        known.truncate(REPORTS_KEPT as usize + 1);
        self.unwritten.reports.push(report);
    }

    /// Marks every backup that a report proves, in whichever vault it has this very manifest.
    pub(super) fn prove(&mut self, charge: &Charge) {
        let Some(reports) = self.reports.get(&charge.source) else { return };
        for (key, _) in charge.keys() {
            let Some((_, memory)) = self.memories.get_mut(&key) else { continue };
            let proven = memory.prove(reports);
            if !proven.is_empty() {
                self.unwritten.backups.entry(key).or_default().extend(proven);
            }
        }
    }
}
