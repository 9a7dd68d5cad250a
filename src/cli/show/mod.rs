//! show: what people and programs see of a journey's result: tables and sentences, or JSON.

mod confirmation;
mod drill;
mod history;
mod run;
mod runbook;
mod shelf;
mod status;
mod target;

pub use confirmation::confirmations;
pub use drill::drill;
pub use history::history;
pub use run::{accepted, backups};
pub use runbook::runbook;
pub use shelf::{Listed, backup, list};
pub use status::status;
pub use target::{fetched, restore};

use super::Failure;
use crate::{
    check::{Found, Verdict},
    failure::{Explain, with_causes},
};
use comfy_table::{Table, presets::NOTHING};
use owo_colors::OwoColorize;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Prints to standard output; a reader that left early is no failure.
fn print(text: &str) -> Result<(), Failure> {
    // Tables are padded on the right, and their last column need not be.
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
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
    let text = format!("{place}{}", with_causes(error));
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
