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
    let text = printable(&text);
    match writeln!(anstream::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| super::DoorError::from(error).into()),
    }
}

/// Names of tables, keys in a vault and what a server says are anybody's words: of what a terminal acts upon only
/// colours are left, which are ours too.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let colour = colour_bytes(rest);
        let shown = colour > 0 || !letter.is_control() || matches!(letter, '\n' | '\t');
        let (this, after) = rest.split_at(colour.max(letter.len_utf8()));
        printable.push_str(if shown { this } else { "?" });
        rest = after;
    }
    printable
}

/// The length of the colour that `text` begins with (`ESC [ 31 m`), or 0.
fn colour_bytes(text: &str) -> usize {
    let Some(numbers) = text.strip_prefix("\u{1b}[") else { return 0 };
    let digits = numbers.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if numbers[digits..].starts_with('m') { "\u{1b}[".len() + digits + 1 } else { 0 }
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
    let text = printable(&format!("{place}{}", with_causes(error)));
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

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_a_name_would_have_a_terminal_do_is_not_done_and_colours_are_left() {
        let title = "\u{1b}]0;all is well\u{7}";
        assert_eq!(printable(&format!("{title}\u{1b}[2J\u{9b}1A\r\u{8}")), "?]0;all is well??[2J?1A??");
        let own = "\u{1b}[31;1mFAILED\u{1b}[0m\tä\nb\n";
        assert_eq!(printable(own), own);
        assert_eq!(printable("\u{1b}"), "?");
        assert_eq!(printable("\u{1b}[31"), "?[31");
    }
}
