//! show: what people and programs see of a journey's result: tables and sentences, or JSON.

use super::Failure;
use crate::{
    backup::{self, Outcome, VaultOutcome},
    check::{Found, Verdict},
    clock::{Timestamp, spoken, whole_second},
    failure::Explain,
    layout::{BackupId, SourceName},
    manifest::Closed,
    restore::{self, table_names},
    role::{Finding, Opened, Sealed, Standing, named},
};
use bytesize::ByteSize;
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use owo_colors::OwoColorize;
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::Path,
};

/// Prints to standard output; a reader that left early is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match writeln!(anstream::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| super::DoorError::from(error).into()),
    }
}

pub fn text(text: &str) -> Result<(), Failure> {
    print(text)
}

fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}"))
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.iter().copied());
    table
}

/// The error, its causes and its hint, on standard error.
pub fn failure(failure: &Failure, as_json: bool) {
    explained("", &**failure, as_json);
}

fn explained(place: &str, error: &dyn Explain, as_json: bool) {
    let mut text = format!("{place}{error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    let mut stderr = anstream::stderr();
    let written = if as_json {
        let error = json!({ "error": text, "exit_code": error.kind() as u8, "hint": error.hint() });
        writeln!(stderr, "{error}")
    } else {
        let hint = error.hint().map_or(String::new(), |hint| format!("\n{} {hint}", "hint:".bold()));
        writeln!(stderr, "{} {text}{hint}", "error:".red().bold())
    };
    // Standard error is gone: the exit code is all that is left to say.
    drop(written);
}

pub fn check(found: &[Found], as_json: bool) -> Result<(), Failure> {
    if as_json {
        return print_json(&json!({ "findings": found }));
    }
    let mut text = String::new();
    for Found { verdict, place, what, hint, .. } in found {
        let word = match verdict {
            Verdict::Ok => "ok   ".green().to_string(),
            Verdict::Note => "note ".yellow().to_string(),
            Verdict::Fault => "FAULT".red().bold().to_string(),
        };
        text += &format!("{word} {place}: {what}\n");
        if let Some(hint) = hint {
            text += &format!("      hint: {hint}\n");
        }
    }
    print(&text)
}

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
        let (raw, packed) = (ByteSize(report.raw_bytes), ByteSize(report.packed_bytes));
        let took = spoken(report.took);
        text += &format!("  {tables} tables, {rows} rows, {raw} packed to {packed} in {segments} segments, {took}\n");
    }
    for VaultOutcome { vault, notes, outcome } in &report.vaults {
        text += &match outcome {
            Outcome::Sealed { lock, locked_until, .. } => {
                let until = locked_until.map_or(String::new(), |until| format!(" until {}", whole_second(until)));
                format!("  {} in {vault}, {}{until}\n", "sealed".green().bold(), named(*lock))
            }
            Outcome::NotDue => format!("  not due in {vault}\n"),
            Outcome::Failed(_) => format!("  {} in {vault}\n", "NOT SEALED".red().bold()),
        };
        text.extend(notes.iter().map(|note| format!("    note: {note}\n")));
    }
    text.extend(report.left_out.iter().map(|left| format!("  left out: {}: {}\n", left.what, left.why)));
    text.extend(report.warnings.iter().map(|warning| format!("  warning: {warning}\n")));
    if report.holding() < report.needed {
        text +=
            &format!("  {}: {} of {} vaults hold it\n", "NOT PROTECTED".red().bold(), report.holding(), report.needed);
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
    let vault = |VaultOutcome { vault, notes, outcome }: &VaultOutcome| match outcome {
        Outcome::Sealed { lock, locked_until, sequence } => json!({
            "vault": vault, "outcome": "sealed", "lock": lock, "locked_until": locked_until, "sequence": sequence, "notes": notes,
        }),
        Outcome::NotDue => json!({ "vault": vault, "outcome": "not-due", "notes": notes }),
        Outcome::Failed(error) => {
            json!({ "vault": vault, "outcome": "failed", "error": error.to_string(), "notes": notes })
        }
    };
    json!({
        "source": source, "backup": report.backup, "snapshot_at": report.snapshot_at, "seconds": report.took.as_secs_f64(),
        "tables": report.tables, "rows": report.rows, "raw_bytes": report.raw_bytes, "packed_bytes": report.packed_bytes,
        "segments": report.segments, "protected": report.holding() >= report.needed,
        "vaults": report.vaults.iter().map(vault).collect::<Vec<_>>(), "left_out": report.left_out, "warnings": report.warnings,
    })
}

/// One source's backups in one vault.
pub struct Listed {
    pub vault: String,
    pub source: SourceName,
    pub backups: Vec<(BackupId, Standing)>,
    /// How many older ones were not looked at.
    pub more: usize,
    pub findings: Vec<Finding>,
}

pub fn list(shelves: &[Listed], now: Timestamp, as_json: bool) -> Result<(), Failure> {
    if as_json {
        let shelves: Vec<Value> = shelves
            .iter()
            .map(|Listed { vault, source, backups, more, findings }| {
                let backups: Vec<Value> =
                    backups.iter().map(|(backup, standing)| standing_json(backup, standing)).collect();
                json!({ "vault": vault, "source": source, "backups": backups, "more": more, "findings": findings })
            })
            .collect();
        return print_json(&json!({ "shelves": shelves }));
    }
    let mut rows = table(&["SOURCE", "VAULT", "BACKUP", "STATE", "AGE", "PACKED", "LOCK", "LOCKED UNTIL"]);
    let mut text = String::new();
    for Listed { vault, source, backups, more, findings } in shelves {
        for (backup, standing) in backups {
            let [state, age, packed, lock, until] = standing_cells(standing, now);
            rows.add_row([source.as_str(), vault, backup.as_str(), &state, &age, &packed, &lock, &until]);
        }
        if backups.is_empty() {
            text += &format!("no backups of {source} in {vault}\n");
        }
        if *more > 0 {
            text += &format!("{more} older backups of {source} in {vault} not looked at (--limit)\n");
        }
        text.extend(
            findings
                .iter()
                .map(|Finding { object, what }| format!("{} {vault}: {object} {what}\n", "finding:".yellow())),
        );
    }
    if rows.row_count() > 0 {
        text = format!("{rows}\n{text}");
    }
    print(&text)
}

fn standing_cells(standing: &Standing, now: Timestamp) -> [String; 5] {
    let dash = || "-".to_owned();
    match standing {
        Standing::Sealed(sealed) => {
            let manifest = &sealed.manifest;
            let until = manifest.locked_until.map_or_else(dash, |until| whole_second(until).to_string());
            let age = spoken(now.duration_since(manifest.snapshot_at));
            [
                "sealed".to_owned(),
                age,
                ByteSize(manifest.packed_bytes()).to_string(),
                named(manifest.lock).to_owned(),
                until,
            ]
        }
        Standing::Damaged { object, why } => [format!("DAMAGED: {object} {why}"), dash(), dash(), dash(), dash()],
        Standing::Forged { object, .. } => {
            [format!("NOT OURS: {object} is not our signature"), dash(), dash(), dash(), dash()]
        }
        Standing::Unsealed => ["unsealed (a run that did not end)".to_owned(), dash(), dash(), dash(), dash()],
    }
}

fn standing_json(backup: &BackupId, standing: &Standing) -> Value {
    match standing {
        Standing::Sealed(sealed) => {
            let manifest = &sealed.manifest;
            json!({
                "backup": backup, "state": "sealed", "snapshot_at": manifest.snapshot_at, "sealed_at": sealed.sealed_at,
                "sequence": manifest.chain.sequence, "packed_bytes": manifest.packed_bytes(), "segments": manifest.segments.len(),
                "lock": manifest.lock, "locked_until": manifest.locked_until, "engine": manifest.engine,
            })
        }
        Standing::Damaged { object, why } => {
            json!({ "backup": backup, "state": "damaged", "object": object, "why": why })
        }
        Standing::Forged { object, .. } => json!({ "backup": backup, "state": "not-ours", "object": object }),
        Standing::Unsealed => json!({ "backup": backup, "state": "unsealed" }),
    }
}

pub fn backup(vault: &str, sealed: &Sealed, closed: Option<&Closed>, as_json: bool) -> Result<(), Failure> {
    let manifest = &sealed.manifest;
    if as_json {
        let open = json!({
            "vault": vault, "state": "sealed", "sealed_at": sealed.sealed_at, "manifest_blake3": sealed.manifest_digest,
            "manifest": manifest, "closed": closed,
        });
        return print_json(&open);
    }
    let until = manifest.locked_until.map_or(String::new(), |until| format!(" until {}", whole_second(until)));
    let previous = manifest
        .chain
        .previous
        .as_ref()
        .map_or("none (the chain begins here)".to_owned(), |previous| previous.backup.to_string());
    let mut text = format!(
        "backup     {} of {} in {vault}: sealed\nsnapshot   {}\nsealed at  {}\nengine     {} {}, {}\nchain      number {}, after {previous}\nlock       {}{until}\nsegments   {} of {}\nrecipients {}\n",
        manifest.backup,
        manifest.source,
        manifest.snapshot_at,
        sealed.sealed_at,
        manifest.engine.name,
        manifest.engine.server,
        manifest.engine.tool,
        manifest.chain.sequence,
        named(manifest.lock),
        manifest.segments.len(),
        ByteSize(manifest.packed_bytes()),
        manifest.recipients.join("\n           "),
    );
    let Some(closed) = closed else {
        return print(&(text + "(names and counts are encrypted: the restorer's configuration shows them)"));
    };
    text += &format!(
        "database   {} ({}, {})\nextensions {}\nroles      {}\nsequences  {}, large objects {}\n\n",
        closed.database.name,
        closed.database.encoding,
        closed.database.collate,
        closed
            .extensions
            .iter()
            .map(|extension| format!("{} {}", extension.name, extension.version))
            .collect::<Vec<_>>()
            .join(", "),
        closed.roles.join(", "),
        closed.sequences.len(),
        closed.large_objects,
    );
    let mut rows = table(&["TABLE", "ROWS", "COPY TEXT", "FINGERPRINT"]);
    for (name, record) in table_names(&closed.tables).zip(&closed.tables) {
        let fingerprint = format!("{:032x}", record.fingerprint.sum);
        rows.add_row([name, record.fingerprint.rows.to_string(), ByteSize(record.raw_bytes).to_string(), fingerprint]);
    }
    for column in [1, 2] {
        rows.column_mut(column).expect("the header has four columns").set_cell_alignment(CellAlignment::Right);
    }
    text += &format!("{rows}\n");
    text.extend(closed.left_out.iter().map(|left| format!("left out: {}: {}\n", left.what, left.why)));
    text.extend(closed.warnings.iter().map(|warning| format!("warning: {warning}\n")));
    print(&text)
}

pub fn restore(report: &restore::Report, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return print_json(&json!({
            "source": report.source, "backup": report.backup, "snapshot_at": report.snapshot_at, "sealed_at": report.sealed_at,
            "database": report.database, "created": report.created, "tables": report.tables, "rows": report.rows,
            "packed_bytes": report.packed_bytes, "seconds": report.took.as_secs_f64(), "compared": report.compared,
            "complete": report.compared, "left_out": report.left_out, "warnings": report.warnings, "findings": report.findings,
        }));
    }
    let (tables, rows, database) = (report.tables, report.rows, &report.database);
    let mut text = String::new();
    text.extend(
        report.findings.iter().map(|Finding { object, what }| format!("{} {object} {what}\n", "finding:".yellow())),
    );
    text += &if report.compared {
        let took = spoken(report.took);
        format!(
            "{} {database} from {}: {tables} tables, {rows} rows, all equal to the snapshot of {}, {took}\n",
            "restored".green().bold(),
            report.backup,
            whole_second(report.snapshot_at)
        )
    } else {
        let how = if report.created { "a new database" } else { "the empty database" };
        let packed = ByteSize(report.packed_bytes);
        format!(
            "would restore {} (snapshot of {}) into {how} {database}: {tables} tables, {rows} rows, from a backup of {packed}; nothing was changed\n",
            report.backup, report.snapshot_at
        )
    };
    text.extend(report.left_out.iter().map(|left_out| format!("  left out: {left_out}\n")));
    text.extend(report.warnings.iter().map(|warning| format!("  warning: {warning}\n")));
    print(&text)
}

pub fn fetched(folder: &Path, opened: &Opened, as_json: bool) -> Result<(), Failure> {
    let backup = &opened.sealed.manifest.backup;
    if as_json {
        return print_json(&json!({ "backup": backup, "folder": folder, "segments": opened.closed.segments.len() }));
    }
    let folder = folder.display();
    print(&format!(
        "{backup} is in {folder}, decrypted; with DB as an empty database's name:\n  psql -d postgres -f {folder}/globals.sql\n  \
         pg_restore -d DB --section=pre-data {folder}/archive.dump\n  cat {folder}/data/*.sql | psql -q -v ON_ERROR_STOP=1 -d DB\n  \
         pg_restore -d DB --section=data {folder}/archive.dump\n  pg_restore -d DB --section=post-data {folder}/archive.dump\n"
    ))
}
