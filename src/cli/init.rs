//! init: a folder with a configuration for each role, fresh keys, policies, and what to do next.
//!
//! Nothing that exists is ever overwritten: a key that is lost takes every backup made with it along.

mod answers;
mod configuration;
mod folder;
mod policy;
mod questions;
mod steps;

use self::{
    answers::{Answers, BadAnswer},
    folder::{Folder, NewFile},
};
use crate::{
    config::{BLANK, Place, Role},
    failure::{Explain, Kind},
    keyring::NewKeys,
    secret::Secret,
    term::Term,
};
use std::{io, path::PathBuf};

/// Not a role: the drill host's second credential, which puts drill reports beside the backups and does nothing else.
const REPORTER: &str = "reporter";

/// Make a folder with configurations, keys and policies to begin with
#[derive(Debug, clap::Args)]
pub struct InitOptions {
    /// The folder to make
    pub dir: PathBuf,
    /// A database to back up: app=postgres://user@host/database
    #[arg(long = "source", value_name = "NAME=URL")]
    pub sources: Vec<String>,
    /// Where backups go: offsite=s3://bucket/prefix or local=file:///path
    #[arg(long = "vault", value_name = "NAME=URL")]
    pub vaults: Vec<String>,
    /// The S3 server, where it is not AWS
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// The S3 region
    #[arg(long)]
    pub region: Option<String>,
    /// How long each backup is locked; 35d unless said otherwise
    #[arg(long)]
    pub term: Option<Term>,
    /// Ask nothing
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("there is no terminal to ask at")]
    NoTerminal,
    #[error("nobody answered")]
    NotAnswered(#[source] inquire::InquireError),
    #[error("{what} is not given")]
    NotGiven { what: &'static str },
    #[error(transparent)]
    BadAnswer(#[from] BadAnswer),
    #[error("{dir} already holds {}", existing.join(", "))]
    Exists { dir: PathBuf, existing: Vec<&'static str> },
    #[error("cannot make {path}")]
    NotMade { path: PathBuf, source: io::Error },
}

impl Explain for InitError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotMade { .. } => Kind::Failed,
            Self::NotAnswered(_) => Kind::Interrupted,
            _ => Kind::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoTerminal => Some("Add --yes, and say all with --source, --vault and --term.".to_owned()),
            Self::NotGiven { what } => Some(format!("Add {what}, or leave --yes out to be asked.")),
            Self::BadAnswer(error) => error.hint(),
            Self::Exists { .. } => {
                Some("Nothing was changed. Choose another folder: keys are never overwritten.".to_owned())
            }
            Self::NotAnswered(_) | Self::NotMade { .. } => None,
        }
    }
}

/// Makes the folder and returns the next steps, as a text to show. `random` becomes the digest key.
pub fn run(options: &InitOptions, random: [u8; 32], on_terminal: bool) -> Result<String, InitError> {
    let folder = Folder::new(&options.dir)?;
    let answers = Answers::gather(options, on_terminal)?;
    let files = files(&answers, NewKeys::generate(random));
    for vault in &answers.vaults {
        if let Place::Directory(path) = &vault.place {
            folder::make_directory(path)?;
        }
    }
    folder.fill(files)?;
    Ok(steps::text(&options.dir, &answers))
}

fn files(answers: &Answers, keys: NewKeys) -> Vec<NewFile> {
    let mut files = vec![
        NewFile::secret("keys/recovery.key", keys.recovery_identity),
        NewFile::secret("keys/drill.key", keys.drill_identity),
        NewFile::secret("keys/signing.key", keys.signing),
        NewFile::secret("keys/digest.key", keys.digest),
        NewFile::public("keys/signing.pub", keys.verifying),
        NewFile::public("keys/recipients.txt", keys.recipients),
        NewFile::secret("keys/report.key", keys.report),
        NewFile::public("keys/report.pub", keys.reports),
    ];
    for source in answers.sources.iter().filter(|source| source.over_tcp()) {
        files.push(NewFile::secret(source.password_file(), Secret::new(format!("{BLANK}\n").into_bytes())));
    }
    for role in Role::ALL {
        files.push(NewFile::public(format!("{role}.toml"), configuration::text(role, answers)));
        for vault in answers.buckets() {
            files.push(NewFile::secret(answers.credentials_file(role.name(), vault), blank(role.name())));
        }
        if answers.buckets().next().is_some() {
            files.push(NewFile::public(format!("policies/{role}.json"), policy::json(role, answers)));
        }
    }
    for vault in answers.buckets() {
        files.push(NewFile::secret(answers.credentials_file(REPORTER, vault), blank(REPORTER)));
    }
    if answers.buckets().next().is_some() {
        files.push(NewFile::public(format!("policies/{REPORTER}.json"), policy::reporter(answers)));
        files.push(NewFile::program("policies/custodian.sh", policy::custodian(answers)));
    }
    files
}

/// A credentials file that its owner fills in.
fn blank(holder: &str) -> Secret {
    let text = format!(
        "# S3 access key of the {holder}, with policies/{holder}.json and nothing else\n\
         access_key_id = \"{BLANK}\"\nsecret_access_key = \"{BLANK}\"\n"
    );
    Secret::new(text.into_bytes())
}

#[cfg(test)]
mod tests;
