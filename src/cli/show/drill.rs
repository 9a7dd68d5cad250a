//! drill: how a drill ended, for people and, as one line of JSON for each, for programs.

use super::print;
use crate::{
    cli::Failure,
    clock::{SignedDuration, spoken, whole_second},
    drill::Kept,
    proof::{DrillOutcome, DrillReport},
};
use bytesize::ByteSize;
use owo_colors::OwoColorize;

pub fn drill(report: &DrillReport, kept: &Kept, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return print(&serde_json::json!(report).to_string());
    }
    print(&text(report, kept))
}

fn text(report: &DrillReport, kept: &Kept) -> String {
    let DrillReport { source, vault, compared, .. } = report;
    let backup = report.backup.as_ref().map_or("no backup".to_owned(), ToString::to_string);
    let mut text = format!("{} {source} {backup} from {vault}\n", word(report.outcome));
    if let (Some(snapshot_at), Some(age)) = (report.snapshot_at, report.recovery_point_age_seconds) {
        let age = spoken(SignedDuration::from_secs(age));
        let packed = ByteSize(report.packed_bytes.unwrap_or(0));
        text += &format!("  of {}, {age} old, {packed} packed\n", whole_second(snapshot_at));
    }
    if let (Some(server), Some(confinement)) = (&report.server, report.confinement) {
        text += &format!("  into PostgreSQL {server}, {}\n", confinement.words());
    }
    if let Some(took) = report.restore_seconds {
        let allowed = report.recovery_time_objective_seconds.map(|allowed| {
            let slower =
                if report.is_too_slow() == Some(true) { ", TOO SLOW".red().to_string() } else { String::new() };
            format!(" ({} allowed{slower})", spoken(SignedDuration::from_secs(allowed)))
        });
        let took = spoken(SignedDuration::try_from_secs_f64(took).unwrap_or_default());
        text += &format!("  restored and compared in {took}{}\n", allowed.unwrap_or_default());
        text += &format!(
            "  equal: {} tables with {} rows, {} sequences, {} large objects, {} definitions, {} extensions, {} roles, \
             {} checks\n",
            compared.tables,
            compared.rows,
            compared.sequences,
            compared.large_objects,
            compared.definitions,
            compared.extensions,
            compared.roles,
            compared.checks
        );
    }
    text.extend(report.differences.iter().map(|difference| format!("  {} {difference}\n", "differs:".red())));
    text.extend(report.reason.iter().map(|reason| format!("  {reason}\n")));
    text.extend(report.hint.iter().map(|hint| format!("  hint: {hint}\n")));
    text.extend(report.notes.iter().map(|note| format!("  note: {note}\n")));
    let signed = if kept.signed { "signed" } else { "NOT signed" };
    text.extend(kept.folder.iter().map(|folder| format!("  report, {signed}: {}\n", folder.display())));
    text.extend(kept.deposited.iter().map(|(vault, until)| {
        let until = until.map_or("not locked".to_owned(), |until| format!("locked until {}", whole_second(until)));
        format!("  report, {signed}: deposited in {vault}, {until}\n")
    }));
    if kept.folder.is_none() && kept.deposited.is_none() {
        text += "  report: kept nowhere, so nobody else knows; --report DIR writes it, and the vault's `report_credentials` \
                 (`deposit_reports` for a directory) put it beside the backups\n";
    }
    text
}

fn word(outcome: DrillOutcome) -> String {
    match outcome {
        DrillOutcome::Passed => "PASSED".green().bold().to_string(),
        DrillOutcome::Failed => "FAILED".red().bold().to_string(),
        DrillOutcome::CouldNotRun => "COULD NOT RUN".yellow().bold().to_string(),
    }
}
