//! hook: the address of a webhook or a ping: a secret, as whoever knows it can speak in our name.

use super::{
    origin::Origins,
    place::is_loopback,
    table::{Found, Table},
};
use crate::{
    failure::{Explain, Kind},
    monitor::Hook,
    secret::{Secret, SecretError},
};
use url::Url;

/// Does not repeat the address.
#[derive(Debug, thiserror::Error)]
enum BadHook {
    #[error(transparent)]
    NotText(#[from] SecretError),
    #[error("it does not hold an http(s) address alone")]
    NotHttp,
    #[error("the address is plain http to another host: anybody between here and there reads and changes the traffic")]
    PlainHttp,
}

impl Explain for BadHook {
    fn kind(&self) -> Kind {
        Kind::Settings
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::PlainHttp => "Use https, or allow_plain_http = true beside it if the network itself is protected.",
            Self::NotText(_) | Self::NotHttp => "One line: the whole address as the service shows it, https://...",
        };
        Some(hint.to_owned())
    }
}

/// The keys `url` and `allow_plain_http` of `table`.
pub fn read(table: &mut Table, origins: Origins) -> Option<Hook> {
    let plain_http = table.optional("allow_plain_http", Found::flag);
    let plain_http = plain_http.flatten().is_some_and(|allowed| allowed.value);
    table.required("url", |found| origins.secret(found)?.parse(|secret| parse(secret, plain_http)))
}

fn parse(secret: &Secret, plain_http: bool) -> Result<Hook, BadHook> {
    let text = secret.reveal_text()?.trim();
    let url = Url::parse(text).map_err(|_not_a_url| BadHook::NotHttp)?;
    // The URL standard takes line ends out of an address, and would make one of two lines.
    let one_line = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if !one_line || !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(BadHook::NotHttp);
    }
    if url.scheme() == "http" && !plain_http && !is_loopback(&url) {
        return Err(BadHook::PlainHttp);
    }
    Ok(Hook::new(url))
}
