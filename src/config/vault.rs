//! vault: reads one `[[vault]]`.

use super::{
    bucket,
    origin::Origins,
    place::Place,
    table::{Found, Table},
};
use crate::{
    clock::{SignedDuration, spoken},
    layout::{BadName, is_name},
    term::{DAYS_UNASKED_MAX, Term, parse_span},
    vault::{VaultAddress, VaultSettings},
};

/// A vault that was read, and where its name and address stand, for what only all vaults together can get wrong.
pub struct Read<'n> {
    pub settings: VaultSettings,
    pub name: Found<'n, ()>,
    pub url: Found<'n, ()>,
}

pub fn read<'n>(mut table: Table<'n, '_>, origins: Origins) -> Option<Read<'n>> {
    for key in ["access_key_id", "secret_access_key", "session_token"] {
        table.forbid(
            key,
            format!("`{key}` is written into the configuration, where no secret may be"),
            "Put access_key_id and secret_access_key into a file that only its owner can read (chmod 600), \
             and write credentials = { file = \"keys/ROLE.toml\" }.",
        );
    }
    let name = table.required("name", Found::text);
    let named = name.as_ref().and_then(|name| name.parse(read_name));
    let url = table.required("url", Found::text);
    let place = url.as_ref().and_then(|url| url.parse(str::parse::<Place>));
    let address = match place {
        Some(Place::Directory(path)) => {
            bucket::refuse(&mut table);
            Some(VaultAddress::Directory(path))
        }
        Some(Place::Bucket { bucket, prefix }) => {
            bucket::read(&mut table, bucket, prefix, origins).map(|settings| VaultAddress::S3(Box::new(settings)))
        }
        None if url.as_ref().is_some_and(|url| url.value.starts_with("file:")) => {
            bucket::refuse(&mut table);
            None
        }
        // The other keys are read for their own mistakes, as those of the usual kind.
        None => bucket::read(&mut table, String::new(), String::new(), origins).and(None),
    };
    let term = read_term(&mut table);
    let slack = table.optional("slack", |found| read_slack(&found.text()?, term));
    table.finish();
    let term = term?;
    let slack = slack?.unwrap_or(term.span() / SLACK_UNASKED);
    let settings = VaultSettings { name: named?, address: address?, term, slack };
    Some(Read { settings, name: name?.place(), url: url?.place() })
}

/// A fifth of the term: unchanged data is sent five times in a term, and a lock is never far from the whole of it.
const SLACK_UNASKED: i32 = 5;

fn read_slack(found: &Found<String>, term: Option<Term>) -> Option<SignedDuration> {
    let slack = found.parse(parse_span)?;
    let term = term?;
    if slack >= term.span() {
        let message = format!("a slack of {} is not shorter than the term of {term}", spoken(slack));
        return found.refuse(&message, "A fifth of the term is the default.");
    }
    Some(slack)
}

pub fn read_name(text: &str) -> Result<String, BadName> {
    if is_name(text) { Ok(text.to_owned()) } else { Err(BadName(text.to_owned())) }
}

fn read_term(table: &mut Table) -> Option<Term> {
    let confirmed = table.optional("i_understand_nobody_can_undo_this", Found::flag);
    let found = table.required("term", Found::text)?;
    let term = found.parse(str::parse::<Term>)?;
    if term.days() > DAYS_UNASKED_MAX && !confirmed?.is_some_and(|confirmed| confirmed.value) {
        let hint = "Nobody, the storage operator's support included, can shorten it. If that is meant, write \
                    i_understand_nobody_can_undo_this = true beside it.";
        found.wrong(format!("a term of {term} is longer than {DAYS_UNASKED_MAX} days"), Some(hint.to_owned()));
        return None;
    }
    Some(term)
}
