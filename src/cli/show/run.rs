//! run: what a backup run did.

use super::{explained, print, print_json};
use crate::cli::Failure;
use crate::{
    backup::{self, Outcome, VaultOutcome},
    clock::{spoken, whole_second},
    layout::{BackupId, SourceName},
    role::named,
    run::Bytes,
};
use bytesize::ByteSize;
use owo_colors::OwoColorize;
use serde_json::{Value, json};

pub fn backups(ended: &[(SourceName, Result<backup::Report, Failure>)], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let all: Vec<Value> = ended.iter().map(|(source, ended)| backup_json(source, ended)).collect();
        return print_json(&json!({ "sources": all }));
    }
    for (source, ended) in ended {
        let place = format!("source {source}: ");
        match ended {
            Err(error) => explained(&place, &**error, false),
            Ok(report) => {
                print(&backup_text(report))?;
                report.failures().for_each(|(_, error)| explained(&place, error, false));
            }
        }
    }
    Ok(())
}

fn backup_text(report: &backup::Report) -> String {
    let mut text = format!("{} {}\n", report.source, report.backup);
    if report.segments > 0 {
        let (tables, rows, segments) = (report.tables, report.rows, report.segments);
        let Bytes { read, packed, sent, reused } = report.bytes;
        let (read, packed, sent) = (ByteSize(read), ByteSize(packed), ByteSize(sent));
        let took = spoken(report.took);
        text += &format!("  {tables} tables, {rows} rows, {read} packed to {packed} in {segments} segments, {took}\n");
        text += &format!("  {sent} sent, {} held already\n", ByteSize(reused));
    }
    text.extend(report.suspicions.iter().map(|suspicion| format!("  {}: {suspicion}\n", "SUSPECT".red().bold())));
    for VaultOutcome { vault, notes, breach, outcome, .. } in &report.vaults {
        text += &match outcome {
            Outcome::Sealed { lock, locked_until, .. } => {
                let until = locked_until.map_or(String::new(), |until| format!(" until {}", whole_second(until)));
                format!("  {} in {vault}, {}{until}\n", "sealed".green().bold(), named(*lock))
            }
            Outcome::NotDue => format!("  not due in {vault}\n"),
            Outcome::Failed(_) => format!("  {} in {vault}\n", "NOT SEALED".red().bold()),
        };
        text.extend(breach.iter().map(|breach| format!("  {} {vault}: {breach}\n", "BROKEN PROMISE".red().bold())));
        text.extend(notes.iter().map(|note| format!("    note: {note}\n")));
    }
    text.extend(report.left_out.iter().map(|left| format!("  left out: {}: {}\n", left.what, left.why)));
    text.extend(report.warnings.iter().map(|warning| format!("  warning: {warning}\n")));
    if !report.is_protected() {
        text +=
            &format!("  {}: {} of {} vaults hold it\n", "NOT PROTECTED".red().bold(), report.holding(), report.needed);
    }
    if !report.suspicions.is_empty() {
        let (source, backup) = (&report.source, &report.backup);
        text += &format!(
            "  It is sealed, and not counted as good: `restore` takes it by its id alone. If the data is as it should be:\n  strongroom accept {source} {backup}\n"
        );
    }
    text
}

fn backup_json(source: &SourceName, ended: &Result<backup::Report, Failure>) -> Value {
    let report = match ended {
        Err(error) => {
            return json!({ "source": source, "error": error.to_string(), "exit_code": error.kind() as u8, "hint": error.hint() });
        }
        Ok(report) => report,
    };
    let vault = |VaultOutcome { vault, notes, breach, outcome, sent, reused, .. }: &VaultOutcome| match outcome {
        Outcome::Sealed { lock, locked_until, sequence } => json!({
            "vault": vault, "outcome": "sealed", "lock": lock, "locked_until": locked_until, "sequence": sequence, "breach": breach, "sent_bytes": sent,
            "reused_bytes": reused, "notes": notes,
        }),
        Outcome::NotDue => json!({ "vault": vault, "outcome": "not-due", "notes": notes }),
        Outcome::Failed(error) => {
            json!({ "vault": vault, "outcome": "failed", "error": error.to_string(), "breach": breach, "notes": notes })
        }
    };
    let bytes = report.bytes;
    json!({
        "source": source, "backup": report.backup, "snapshot_at": report.snapshot_at, "seconds": report.took.as_secs_f64(),
        "tables": report.tables, "rows": report.rows, "raw_bytes": bytes.read, "packed_bytes": bytes.packed,
        "sent_bytes": bytes.sent, "reused_bytes": bytes.reused, "segments": report.segments, "outcome": report.outcome(),
        "suspicions": report.suspicions, "protected": report.is_protected(),
        "vaults": report.vaults.iter().map(vault).collect::<Vec<_>>(), "left_out": report.left_out, "warnings": report.warnings,
    })
}

pub fn accepted(source: &SourceName, backup: &BackupId, suspicions: &[String], as_json: bool) -> Result<(), Failure> {
    if as_json {
        return print_json(&json!({ "source": source, "accepted": backup, "suspicions": suspicions }));
    }
    let what: String = suspicions.iter().map(|suspicion| format!("accepted: {suspicion}\n")).collect();
    print(&format!(
        "{what}{backup} counts as good: later backups of {source} are compared with it.\nIn the vault it stays marked, so `restore` takes it by its id alone; the next backup is not."
    ))
}
