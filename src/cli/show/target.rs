//! target: what became of a restore's target, or of a folder of fetched files.

use super::{print, print_json};
use crate::cli::Failure;
use crate::{
    clock::{spoken, whole_second},
    restore::{self},
    role::Opened,
};
use bytesize::ByteSize;
use owo_colors::OwoColorize;
use serde_json::json;
use std::path::Path;

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
    text.extend(report.findings.iter().map(|finding| format!("{} {finding}\n", "finding:".yellow())));
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
