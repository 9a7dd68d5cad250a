//! history: every run, and every slot at which there was none, newest first.

use super::{print, print_json, table};
use crate::{
    cli::Failure,
    clock::{Timestamp, spoken, whole_second},
    run::{Absence, Record},
};
use bytesize::ByteSize;
use serde_json::{Value, json};

pub fn history(runs: &[Record], absences: &[Absence], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let runs: Vec<Value> = runs.iter().map(run_json).collect();
        return print_json(&json!({ "runs": runs, "absences": absences }));
    }
    let mut lines: Vec<(Timestamp, [String; 7])> = runs.iter().map(|run| (run.started_at, run_cells(run))).collect();
    lines.extend(absences.iter().map(|absence| (absence.noted_at, absence_cells(absence))));
    lines.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut rows = table(&["AT", "SOURCE", "WHY", "OUTCOME", "TOOK", "READ / SENT / REUSED", "REMARK"]);
    for (_, cells) in lines {
        rows.add_row(cells);
    }
    print(&rows.to_string())
}

fn run_cells(run: &Record) -> [String; 7] {
    let why = run.trigger.slot().map_or(run.trigger.word().to_owned(), |slot| format!("{} {slot}", run.trigger.word()));
    let at = whole_second(run.started_at).to_string();
    let none = || "-".to_owned();
    let Some(end) = &run.ended else {
        return [at, run.source.to_string(), why, "running".to_owned(), none(), none(), run.phase.word().to_owned()];
    };
    let bytes = [end.bytes.read, end.bytes.sent, end.bytes.reused].map(|bytes| ByteSize(bytes).to_string()).join(" / ");
    let remark = end.why.as_ref().map(|why| clipped(why)).or_else(|| run.backup.as_ref().map(ToString::to_string));
    let took = run.took().map_or_else(none, spoken);
    [at, run.source.to_string(), why, end.outcome.to_string(), took, bytes, remark.unwrap_or_default()]
}

/// As much as fits a line; JSON has all of it.
fn clipped(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    if text.chars().count() <= CHARS_MAX {
        text.to_owned()
    } else {
        text.chars().take(CHARS_MAX).chain(['…']).collect()
    }
}

fn absence_cells(absence: &Absence) -> [String; 7] {
    let Absence { source, first_slot, last_slot, slots, why, noted_at } = absence;
    let which = match slots {
        0 | 1 => format!("slot {first_slot}"),
        more => format!("{more} slots {first_slot} to {last_slot}"),
    };
    let none = || "-".to_owned();
    [whole_second(*noted_at).to_string(), source.to_string(), which, "no run".to_owned(), none(), none(), clipped(why)]
}

fn run_json(run: &Record) -> Value {
    let end = run.ended.as_ref().map(|end| {
        json!({
            "at": end.at, "outcome": end.outcome, "why": end.why, "bytes": end.bytes, "rows": end.rows,
            "tables": end.tables, "segments": end.segments,
        })
    });
    json!({
        "source": run.source, "backup": run.backup, "trigger": run.trigger.word(), "slot": run.trigger.slot(),
        "started_at": run.started_at, "phase": run.phase, "ended": end,
    })
}
