//! confirmation: what a vault turned out to hold: backups with their verdicts, findings with what they mean and what
//! to do, and what could not be looked at.

use super::{print, print_json, shelf::short, table};
use crate::{
    cli::Failure,
    clock::{spoken, whole_second},
    confirm::{Confirmation, Judged, Verdict},
    finding::Gravity,
};
use comfy_table::{CellAlignment, Table};
use owo_colors::OwoColorize;
use serde_json::{Value, json};

/// So many of the newest are shown one by one, and every older one that is not as it should be.
const SHOWN: usize = 20;

pub fn confirmations(read: &[Confirmation], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let read: Vec<Value> = read.iter().map(written).collect();
        return print_json(&json!({ "confirmations": read }));
    }
    print(&text(read))
}

fn written(confirmation: &Confirmation) -> Value {
    let backups: Vec<Value> = confirmation.backups.iter().map(judged).collect();
    json!({
        "source": confirmation.source, "vault": confirmation.vault, "at": confirmation.at,
        "clock_skew_seconds": confirmation.clock_skew_secs, "gravest": confirmation.gravest(),
        "backups": backups, "findings": confirmation.findings, "accepted": confirmation.accepted, "unverified": confirmation.unverified,
    })
}

fn judged(judged: &Judged) -> Value {
    json!({
        "backup": judged.backup, "verdict": judged.verdict, "manifest_blake3": judged.manifest,
        "sequence": judged.sequence, "started_at": judged.started_at, "snapshot_at": judged.snapshot_at,
        "completed_at": judged.completed_at, "sealed_at": judged.sealed_at, "lock": judged.lock,
        "locked_until": judged.locked_until, "packed_bytes": judged.packed_bytes, "segments": judged.segments,
        "suspect": judged.suspect,
    })
}

fn text(read: &[Confirmation]) -> String {
    let mut rows = table(&["SOURCE", "VAULT", "BACKUP", "VERDICT", "AGE", "SEGMENTS", "LOCK", "UNTIL"]);
    rows.column_mut(5).expect("the header has eight columns").set_cell_alignment(CellAlignment::Right);
    let mut below = String::new();
    for confirmation in read {
        below += &backups(confirmation, &mut rows);
    }
    for confirmation in read {
        below += &findings(confirmation);
    }
    for Confirmation { unverified, .. } in read {
        below.extend(unverified.iter().map(|what| format!("{} {what}\n", "not verified:".yellow())));
    }
    if rows.row_count() > 0 { format!("{rows}\n{below}") } else { below }
}

/// Adds the rows of a confirmation; gives what is to be said below them.
fn backups(confirmation: &Confirmation, rows: &mut Table) -> String {
    let Confirmation { vault, source, at, backups, .. } = confirmation;
    let mut older = 0;
    for (place, judged) in backups.iter().enumerate() {
        let odd = matches!(judged.verdict, Verdict::Failed | Verdict::CouldNotVerify);
        if place >= SHOWN && !odd {
            older += 1;
            continue;
        }
        let until = judged.locked_until.map_or("-".to_owned(), |until| whole_second(until).to_string());
        let suspect = if judged.suspect.is_empty() { "" } else { ", SUSPECT" };
        rows.add_row([
            source.to_string(),
            vault.clone(),
            judged.backup.to_string(),
            format!("{}{suspect}", verdict(judged.verdict)),
            spoken(at.duration_since(judged.snapshot_at)),
            judged.segments.to_string(),
            short(judged.lock).to_owned(),
            until,
        ]);
    }
    let standing = backups.iter().filter(|judged| judged.verdict != Verdict::Lapsed).count();
    match (standing, older) {
        (0, _) => {
            format!("{vault} holds no sealed backup of {source} whose lock has not lapsed: nothing is confirmed\n")
        }
        (_, 0) => String::new(),
        _ => format!("{older} older backups of {source} in {vault} are not shown: nothing is wrong with them\n"),
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Confirmed => "confirmed",
        Verdict::Failed => "FAILED",
        Verdict::CouldNotVerify => "could not verify",
        Verdict::Listed => "listed",
        Verdict::Lapsed => "lapsed",
    }
}

/// What is the same for all of a kind is said once.
fn findings(confirmation: &Confirmation) -> String {
    let mut text = String::new();
    for of_a_kind in confirmation.findings.chunk_by(|a, b| a.kind == b.kind) {
        for finding in of_a_kind {
            let Confirmation { source, vault, .. } = confirmation;
            // Its name comes whole, as `accepted` wants it.
            text +=
                &format!("{} {source} in {vault}: {} {}\n", gravity(finding.gravity()), finding.name(), finding.what);
        }
        let kind = of_a_kind[0].kind;
        text += &format!("      {}: {}\n      hint: {}\n", kind.word(), kind.means(), kind.mend());
    }
    let accepted = confirmation.accepted.iter();
    text.extend(
        accepted.map(|finding| format!("accepted in {}: {} {}\n", confirmation.vault, finding.name(), finding.what)),
    );
    text
}

fn gravity(gravity: Gravity) -> String {
    match gravity {
        Gravity::Note => "note".yellow().to_string(),
        Gravity::Tampering => "TAMPERING".red().bold().to_string(),
        Gravity::Weakness => "WEAKNESS".red().bold().to_string(),
        Gravity::Loss => "LOSS".red().bold().to_string(),
    }
}
