//! history: what the catalog is told of a run that has ended. A run is not undone because its end cannot be noted.

use super::{BackupError, Job, Outcome, Report, VaultOutcome};
use crate::{
    catalog::{Catalog, CatalogError, RunId, Share, VaultEnded},
    failure,
    run::{self, Bytes},
};

pub(super) async fn note(job: &Job<'_>, catalog: &Catalog, run: RunId, ended: &Result<Report, BackupError>) {
    if let Err(error) = try_note(job, catalog, run, ended).await {
        let error = failure::with_causes(&error);
        tracing::warn!(source = %job.source, error, "the end of this run could not be noted in the catalog");
    }
}

async fn try_note(
    job: &Job<'_>,
    catalog: &Catalog,
    run: RunId,
    ended: &Result<Report, BackupError>,
) -> Result<(), CatalogError> {
    let at = job.clock.now();
    let end = match ended {
        Ok(report) => {
            for vault in &report.vaults {
                note_vault(catalog, run, vault, report.packed_bytes).await?;
            }
            end_of(report, at)
        }
        Err(error) => {
            let why = Some(failure::with_causes(error));
            let outcome = run::Outcome::Failed;
            run::End { at, outcome, why, bytes: Bytes::default(), rows: 0, tables: 0, segments: 0 }
        }
    };
    catalog.end_run(run, &end).await
}

async fn note_vault(catalog: &Catalog, run: RunId, vault: &VaultOutcome, packed: u64) -> Result<(), CatalogError> {
    let why;
    let (share, sent) = match &vault.outcome {
        Outcome::Sealed { sequence, locked_until, .. } => {
            (Share::Sealed { sequence: *sequence, locked_until: *locked_until }, packed)
        }
        Outcome::NotDue => (Share::NotDue, 0),
        Outcome::Failed(error) => {
            why = failure::with_causes(error);
            (Share::Failed(&why), 0)
        }
    };
    catalog.vault_ended(run, VaultEnded { vault: &vault.vault, share, sent, reused: 0 }).await
}

fn end_of(report: &Report, at: crate::clock::Timestamp) -> run::End {
    let failures: Vec<String> =
        report.failures().map(|(vault, error)| format!("vault `{vault}`: {}", failure::with_causes(error))).collect();
    let outcome = match failures.len() {
        0 => run::Outcome::Sealed,
        _ if report.holding() >= report.needed => run::Outcome::SomeFailed,
        _ => run::Outcome::Failed,
    };
    let sealed = report.vaults.iter().filter(|vault| matches!(vault.outcome, Outcome::Sealed { .. })).count();
    let packed = report.packed_bytes;
    run::End {
        at,
        outcome,
        why: (!failures.is_empty()).then(|| failures.join("; ")),
        bytes: Bytes { read: report.raw_bytes, packed, sent: packed * sealed as u64, reused: 0 },
        rows: report.rows,
        tables: report.tables as u64,
        segments: report.segments as u64,
    }
}
