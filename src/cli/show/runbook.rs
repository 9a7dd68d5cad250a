//! runbook: the page itself, or where it went.

use super::{explained, print, print_json};
use crate::cli::Failure;
use crate::role::{Held, named};
use serde_json::json;
use std::path::Path;

/// The page goes to standard output where it went nowhere else.
pub fn runbook(
    page: &str,
    output: Option<&Path>,
    deposits: &[(String, Result<Vec<Held>, Failure>)],
    as_json: bool,
) -> Result<(), Failure> {
    let sent = output.is_some() || !deposits.is_empty();
    for (vault, failure) in deposits.iter().filter_map(|(vault, held)| Some((vault, held.as_ref().err()?))) {
        explained(&format!("{vault}: "), &**failure, as_json);
    }
    let held = deposits.iter().filter_map(|(vault, held)| Some((vault, held.as_ref().ok()?)));
    if as_json {
        let held: Vec<_> = held.map(|(vault, objects)| json!({ "vault": vault, "objects": objects })).collect();
        return print_json(&json!({ "output": output, "deposits": held, "page": (!sent).then_some(page) }));
    }
    if !sent {
        return print(page);
    }
    let mut text = output.map_or(String::new(), |path| format!("written to {}\n", path.display()));
    for (vault, objects) in held {
        for Held { key, lock, locked_until } in objects {
            let until = locked_until.map_or(String::new(), |until| format!(" until {until}"));
            text += &format!("{vault}: {key}, {}{until}\n", named(*lock));
        }
    }
    print(&text)
}
