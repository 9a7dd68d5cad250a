//! credentials: an S3 access key, from a small TOML file of its own or from AWS's chain.

use super::{mistake::position, origin::Origins, table::Found};
use crate::{
    failure::{Explain, Kind},
    secret::{Secret, SecretError},
    vault::S3Credentials,
};
use toml::de::{DeTable, DeValue};

/// Facts about the file that do not repeat any of it.
#[derive(Debug, thiserror::Error)]
enum BadCredentials {
    #[error(transparent)]
    Unreadable(#[from] SecretError),
    #[error("line {line} is not TOML")]
    NotToml { line: usize },
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` is empty")]
    Empty(&'static str),
    #[error("`{0}` is not a string")]
    NotText(&'static str),
    #[error("`expires_at` is not a time")]
    NotATime,
    #[error("line {line} holds an unknown key")]
    UnknownKey { line: usize },
}

impl Explain for BadCredentials {
    fn kind(&self) -> Kind {
        Kind::Settings
    }

    fn hint(&self) -> Option<String> {
        let form = "It holds access_key_id = \"...\" and secret_access_key = \"...\", a line each, and session_token and \
                    expires_at = \"2027-01-01T00:00:00Z\" where there is one.";
        Some(form.to_owned())
    }
}

/// `credentials = { file = ".." }` (or another origin), or `credentials = "aws-chain"`.
pub fn read(found: Found<DeValue>, origins: Origins) -> Option<S3Credentials> {
    if found.value.as_str() == Some("aws-chain") {
        return Some(S3Credentials::AwsChain);
    }
    origins.secret(found)?.parse(parse)
}

fn parse(secret: &Secret) -> Result<S3Credentials, BadCredentials> {
    let text = secret.reveal_text()?;
    let line_of = |at: usize| position(text, at).0;
    let table = DeTable::parse(text)
        .map_err(|error| BadCredentials::NotToml { line: line_of(error.span().map_or(0, |span| span.start)) })?;
    let mut table = table.into_inner();
    let access_key_id = take(&mut table, "access_key_id")?.ok_or(BadCredentials::Missing("access_key_id"))?;
    let secret_access_key =
        take(&mut table, "secret_access_key")?.ok_or(BadCredentials::Missing("secret_access_key"))?;
    let session_token = take(&mut table, "session_token")?;
    let expires_at =
        take(&mut table, "expires_at")?.map(|text| text.parse().map_err(|_not_one| BadCredentials::NotATime));
    if let Some(unknown) = table.keys().next() {
        return Err(BadCredentials::UnknownKey { line: line_of(unknown.span().start) });
    }
    Ok(S3Credentials::Keys {
        access_key_id,
        secret_access_key: Secret::new(secret_access_key.into_bytes()),
        session_token: session_token.map(|token| Secret::new(token.into_bytes())),
        expires_at: expires_at.transpose()?,
    })
}

fn take(table: &mut DeTable, key: &'static str) -> Result<Option<String>, BadCredentials> {
    match table.remove(key).map(toml::Spanned::into_inner) {
        Some(DeValue::String(text)) if text.trim().is_empty() => Err(BadCredentials::Empty(key)),
        Some(DeValue::String(text)) => Ok(Some(text.into_owned())),
        Some(_) => Err(BadCredentials::NotText(key)),
        None => Ok(None),
    }
}
