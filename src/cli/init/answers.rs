//! answers: what `init` was told, on the command line or when it asked.

use super::{InitError, InitOptions, questions};
use crate::{
    config::{self, BadEndpoint, BadPlace, Place},
    failure::{Explain, Kind},
    layout::{BadName, SourceName},
    source::postgres::{Address, BadAddress},
    term::{BadSpan, DAYS_UNASKED_MAX, Term},
};

/// Five weeks: a month's end, and a week to notice.
pub const TERM_DAYS: u32 = 35;

pub struct Answers {
    /// At least one, names distinct.
    pub sources: Vec<NewSource>,
    /// At least one, names and places distinct.
    pub vaults: Vec<NewVault>,
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub term: Term,
}

#[derive(Clone)]
pub struct NewSource {
    pub name: SourceName,
    /// As it was given; it holds no password.
    pub url: String,
    pub address: Address,
}

#[derive(Clone)]
pub struct NewVault {
    pub name: String,
    pub url: String,
    pub place: Place,
}

/// Never repeats what was answered after a name: people paste passwords.
#[derive(Debug, thiserror::Error)]
pub enum BadAnswer {
    #[error("{0} is not NAME=URL")]
    NotNamed(&'static str),
    #[error(transparent)]
    Name(#[from] BadName),
    #[error(transparent)]
    Address(#[from] BadAddress),
    #[error(transparent)]
    Place(#[from] BadPlace),
    #[error("the endpoint {0}")]
    Endpoint(#[from] BadEndpoint),
    #[error(transparent)]
    Term(#[from] BadSpan),
    #[error("a term of {0} is longer than {DAYS_UNASKED_MAX} days")]
    TermTooLong(Term),
    #[error("`{0}` is given twice")]
    GivenTwice(String),
}

impl Explain for BadAnswer {
    fn kind(&self) -> Kind {
        Kind::Settings
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotNamed(_) => {
                Some("Write app=postgres://user@host/database, or offsite=s3://bucket/prefix.".to_owned())
            }
            Self::Address(BadAddress::PasswordInUrl) => Some(
                "Take it out, and change it: it was on a command line. It goes into keys/NAME.password.".to_owned(),
            ),
            Self::Address(error) => error.hint(),
            Self::Endpoint(error) => error.hint(),
            Self::TermTooLong(_) => Some(
                "Nobody can shorten it: begin with less, and raise it in the configuration once all works.".to_owned(),
            ),
            Self::GivenTwice(_) => Some("Two copies in one place are one copy.".to_owned()),
            Self::Name(_) | Self::Place(_) | Self::Term(_) => None,
        }
    }
}

/// A URL without a name has `=`, too, and perhaps a password before it.
fn split_name<'t>(text: &'t str, flag: &'static str) -> Result<(&'t str, &'t str), BadAnswer> {
    let split = text.split_once('=').filter(|(name, _)| !name.contains([':', '/', '@']));
    split.ok_or(BadAnswer::NotNamed(flag))
}

impl NewSource {
    fn parse(text: &str) -> Result<Self, BadAnswer> {
        let (name, url) = split_name(text, "--source")?;
        Self::new(name, url)
    }

    pub fn new(name: &str, url: &str) -> Result<Self, BadAnswer> {
        Ok(Self { name: name.parse()?, url: url.to_owned(), address: Address::parse(url)? })
    }

    pub fn over_tcp(&self) -> bool {
        !self.address.host.starts_with('/')
    }

    pub fn password_file(&self) -> String {
        format!("keys/{}.password", self.name)
    }
}

impl NewVault {
    fn parse(text: &str) -> Result<Self, BadAnswer> {
        let (name, url) = split_name(text, "--vault")?;
        Self::new(name, url)
    }

    pub fn new(name: &str, url: &str) -> Result<Self, BadAnswer> {
        Ok(Self { name: config::read_vault_name(name)?, url: url.to_owned(), place: url.parse()? })
    }

    fn is_bucket(&self) -> bool {
        matches!(self.place, Place::Bucket { .. })
    }
}

/// A term that `init` may write without being asked twice.
pub fn check_term(term: Term) -> Result<Term, BadAnswer> {
    if term.days() > DAYS_UNASKED_MAX { Err(BadAnswer::TermTooLong(term)) } else { Ok(term) }
}

pub fn check_endpoint(text: &str) -> Result<String, BadAnswer> {
    Ok(config::check_endpoint(text)?)
}

impl Answers {
    pub fn gather(options: &InitOptions, on_terminal: bool) -> Result<Self, InitError> {
        if !options.yes && !on_terminal {
            return Err(InitError::NoTerminal);
        }
        let mut sources = options.sources.iter().map(|text| NewSource::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let mut vaults = options.vaults.iter().map(|text| NewVault::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let mut endpoint = options.endpoint.as_deref().map(check_endpoint).transpose()?;
        let mut term = options.term.map(check_term).transpose()?;
        if !options.yes {
            if sources.is_empty() {
                sources.push(questions::source()?);
            }
            if vaults.is_empty() {
                vaults.push(questions::vault()?);
            }
            if endpoint.is_none() && vaults.iter().any(NewVault::is_bucket) {
                endpoint = questions::endpoint()?;
            }
            if term.is_none() {
                term = Some(questions::term()?);
            }
        }
        if sources.is_empty() {
            return Err(InitError::NotGiven { what: "--source NAME=URL" });
        }
        if vaults.is_empty() {
            return Err(InitError::NotGiven { what: "--vault NAME=URL" });
        }
        let term = term.unwrap_or_else(|| Term::from_days(TERM_DAYS).expect("35 days are a term"));
        let answers = Self { sources, vaults, endpoint, region: options.region.clone(), term };
        answers.refuse_doubles()?;
        Ok(answers)
    }

    fn refuse_doubles(&self) -> Result<(), BadAnswer> {
        for (index, source) in self.sources.iter().enumerate() {
            if self.sources[..index].iter().any(|first| first.name == source.name) {
                return Err(BadAnswer::GivenTwice(source.name.to_string()));
            }
        }
        for (index, vault) in self.vaults.iter().enumerate() {
            if self.vaults[..index].iter().any(|first| first.name == vault.name || first.place == vault.place) {
                return Err(BadAnswer::GivenTwice(vault.name.clone()));
            }
        }
        Ok(())
    }

    pub fn buckets(&self) -> impl Iterator<Item = &NewVault> {
        self.vaults.iter().filter(|vault| vault.is_bucket())
    }

    /// Where `holder` has its access key to `vault`: one file, or one for each where there are several buckets.
    pub fn credentials_file(&self, holder: &str, vault: &NewVault) -> String {
        if self.buckets().count() == 1 {
            format!("keys/{holder}.toml")
        } else {
            format!("keys/{holder}-{}.toml", vault.name)
        }
    }
}
