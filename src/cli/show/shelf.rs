//! shelf: the backups of a vault, and one of them closely.

use super::{print, print_json, table};
use crate::cli::Failure;
use crate::{
    clock::{Timestamp, spoken, whole_second},
    finding::Finding,
    layout::{BackupId, SourceName},
    manifest::{Closed, LockMode},
    restore::table_names,
    role::{Sealed, Standing, named},
};
use bytesize::ByteSize;
use comfy_table::CellAlignment;
use owo_colors::OwoColorize;
use serde_json::{Value, json};

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
    let mut rows = table(&["SOURCE", "VAULT", "BACKUP", "STATE", "AGE", "PACKED", "SEALED AT", "LOCK", "UNTIL"]);
    let mut text = String::new();
    for Listed { vault, source, backups, more, findings } in shelves {
        for (backup, standing) in backups {
            let [state, age, packed, sealed, lock, until] = standing_cells(standing, now);
            rows.add_row([source.as_str(), vault, backup.as_str(), &state, &age, &packed, &sealed, &lock, &until]);
        }
        if backups.is_empty() {
            text += &format!("no backups of {source} in {vault}\n");
        }
        if *more > 0 {
            text += &format!("{more} older backups of {source} in {vault} not looked at (--limit)\n");
        }
        text.extend(findings.iter().map(|finding| format!("{} {vault}: {finding}\n", "finding:".yellow())));
    }
    if rows.row_count() > 0 {
        text = format!("{rows}\n{text}");
    }
    print(&text)
}

/// State, age, packed size, seal's time by the server, lock and its end as the manifest tells them.
fn standing_cells(standing: &Standing, now: Timestamp) -> [String; 6] {
    let only = |state: String| [state, "-".into(), "-".into(), "-".into(), "-".into(), "-".into()];
    match standing {
        Standing::Sealed(sealed) => {
            let manifest = &sealed.manifest;
            let back_dated = if sealed.is_back_dated() { ", BACK-DATED" } else { "" };
            let suspect = if sealed.is_suspect() {
                format!(", SUSPECT ({})", manifest.suspect.join(", "))
            } else {
                String::new()
            };
            let state = format!("sealed{back_dated}{suspect}");
            let until = manifest.locked_until.map_or("-".to_owned(), |until| whole_second(until).to_string());
            [
                state,
                spoken(now.duration_since(manifest.snapshot_at)),
                ByteSize(manifest.packed_bytes()).to_string(),
                whole_second(sealed.sealed_at).to_string(),
                short(manifest.lock).to_owned(),
                until,
            ]
        }
        Standing::Damaged { object, why } => only(format!("DAMAGED: {object} {why}")),
        Standing::Forged { object, .. } => only(format!("NOT OURS: {object} is not our signature")),
        Standing::Unsealed => only("unsealed (a run that did not end)".to_owned()),
    }
}

/// A lock in a column; `show` says what it is worth in full.
pub(super) fn short(lock: LockMode) -> &'static str {
    match lock {
        LockMode::Compliance => "COMPLIANCE",
        LockMode::ImmutableFlag => "flag (root can undo)",
        LockMode::Governance => "NOT immutable (GOVERNANCE)",
        LockMode::None => "NOT immutable",
    }
}

fn standing_json(backup: &BackupId, standing: &Standing) -> Value {
    match standing {
        Standing::Sealed(sealed) => {
            let manifest = &sealed.manifest;
            json!({
                "backup": backup, "state": "sealed", "back_dated": sealed.is_back_dated(), "snapshot_at": manifest.snapshot_at, "sealed_at": sealed.sealed_at,
                "sequence": manifest.chain.sequence, "suspect": manifest.suspect, "packed_bytes": manifest.packed_bytes(), "segments": manifest.segments.len(),
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
    if let Some(why) = &manifest.chain.restarted {
        text += &format!("restarted  {why}\n");
    }
    if sealed.is_suspect() {
        text += &format!("{}    {}\n", "SUSPECT".red().bold(), manifest.suspect.join(", "));
    }
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
    text.extend(closed.suspicions.iter().map(|suspicion| format!("{}: {suspicion}\n", "suspect".red())));
    text.extend(closed.left_out.iter().map(|left| format!("left out: {}: {}\n", left.what, left.why)));
    text.extend(closed.warnings.iter().map(|warning| format!("warning: {warning}\n")));
    print(&text)
}
