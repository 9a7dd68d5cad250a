//! questions: what `init` asks at a terminal; an answer that cannot be used is asked for again.

use super::{
    InitError,
    answers::{BadAnswer, NewSource, NewVault, TERM_DAYS, check_endpoint, check_term},
};
use crate::{config, layout::SourceName, term::Term};
use inquire::{Text, validator::Validation};

pub fn source() -> Result<NewSource, InitError> {
    let name: SourceName =
        ask("Name of the database in backups:", "app", "It cannot be changed later.", |text| Ok(text.parse()?))?;
    ask("Its address:", "", "postgres://user@host:5432/database, without the password", move |text| {
        NewSource::new(name.as_str(), text)
    })
}

pub fn vault() -> Result<NewVault, InitError> {
    let name = ask("Name of the vault:", "offsite", "Where backups are locked away.", |text| {
        Ok(config::read_vault_name(text)?)
    })?;
    ask("Its address:", "", "s3://bucket/prefix, or file:///path to try it out", move |text| NewVault::new(&name, text))
}

pub fn endpoint() -> Result<Option<String>, InitError> {
    ask("S3 endpoint:", "", "https://host:port; leave it empty for AWS", |text| {
        if text.trim().is_empty() { Ok(None) } else { check_endpoint(text).map(Some) }
    })
}

pub fn term() -> Result<Term, InitError> {
    let default = format!("{TERM_DAYS}d");
    let help = "Nobody can delete a backup before; nobody can take that back.";
    ask("How long each backup is locked:", &default, help, |text| check_term(text.parse()?))
}

fn ask<T>(
    question: &str,
    default: &str,
    help: &str,
    parse: impl Fn(&str) -> Result<T, BadAnswer> + Clone + 'static,
) -> Result<T, InitError> {
    let judge = parse.clone();
    let validator = move |text: &str| match judge(text) {
        Ok(_) => Ok(Validation::Valid),
        Err(error) => Ok(Validation::Invalid(error.into())),
    };
    let prompt = Text::new(question).with_help_message(help).with_validator(validator);
    let prompt = if default.is_empty() { prompt } else { prompt.with_default(default) };
    let answer = prompt.prompt().map_err(InitError::NotAnswered)?;
    Ok(parse(&answer)?)
}
