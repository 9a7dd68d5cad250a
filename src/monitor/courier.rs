//! courier: brings a letter to an address on the web: with limits, with patience, and without ever writing the
//! address anywhere.

mod line;

pub(super) use line::Line;

use crate::{
    failure::{Explain, Kind},
    secret::Secret,
};
use reqwest::{Method, StatusCode, header::RETRY_AFTER};
use std::{error::Error, fmt, time::Duration};
use tracing::debug;
use url::Url;

/// An address that is a secret: whoever knows it can speak in our name.
#[derive(Clone)]
pub struct Hook(Url);

impl Hook {
    pub fn new(url: Url) -> Self {
        Self(url)
    }

    /// `url` with these values in its query, in place of any that it has.
    pub(super) fn with_query(url: Url, values: &[(&str, &str)]) -> Self {
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(key, _)| values.iter().all(|(name, _)| key != name))
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        let mut url = url;
        url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(values);
        Self(url)
    }

    /// The address itself; for a letter alone.
    pub(super) fn reveal(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook(hidden)")
    }
}

/// One request, the same at every try.
pub(super) struct Letter {
    /// What it is about, for a log.
    pub about: String,
    pub method: Method,
    pub to: Hook,
    pub headers: Vec<(&'static str, String)>,
    /// `Authorization: Bearer`.
    pub token: Option<Secret>,
    pub body: Vec<u8>,
}

impl Letter {
    pub fn json(about: String, to: Hook, body: &serde_json::Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { about, method: Method::POST, to, headers, token: None, body: body.to_string().into_bytes() }
    }

    pub fn text(about: String, to: Hook, body: String) -> Self {
        let headers = vec![("content-type", "text/plain; charset=utf-8".to_owned())];
        Self { about, method: Method::POST, to, headers, token: None, body: body.into_bytes() }
    }

    /// A call without a body: all that it says is in the address.
    pub fn call(about: String, to: Hook) -> Self {
        Self { about, method: Method::GET, to, headers: Vec::new(), token: None, body: Vec::new() }
    }
}

/// Why a letter did not arrive. It never repeats the address: not from the settings, not from an answer's body.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undelivered {
    #[error("the answer was {0}")]
    Refused(StatusCode),
    #[error("no answer within {} s", ANSWER_WITHIN.as_secs())]
    TimedOut,
    #[error("{0}")]
    Unreachable(String),
    #[error("too many others are waiting")]
    Crowded,
}

#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    #[error("cannot prepare for TLS: {0}")]
    Tls(String),
}

impl Explain for CourierError {
    fn kind(&self) -> Kind {
        Kind::Settings
    }

    fn hint(&self) -> Option<String> {
        Some("Install the system's certificates (package ca-certificates): alerts and pings need them.".to_owned())
    }
}

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A server that asks for more patience than this gets the next try all the same.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// Pauses before the second try, the third, ...
pub(super) type Pauses = &'static [Duration];

/// Sends letters; clones share connections.
#[derive(Clone, Debug)]
pub struct Courier {
    client: reqwest::Client,
}

impl Courier {
    pub fn new() -> Result<Self, CourierError> {
        // reqwest takes the process's provider of cryptography. Where one is installed already it is the same, as
        // ring is the only one that is linked.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .user_agent(concat!("strongroom/", env!("CARGO_PKG_VERSION")))
            .timeout(ANSWER_WITHIN)
            // A redirect would carry the letter, and perhaps the token, to where nobody asked for.
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(1)
            .build();
        Ok(Self { client: client.map_err(|error| CourierError::Tls(innermost(&error)))? })
    }

    /// Tries until the letter is taken, refused for good, or every pause is over.
    pub(super) async fn deliver(&self, letter: &Letter, pauses: Pauses) -> Result<(), Undelivered> {
        let mut pauses = pauses.iter();
        loop {
            let (undelivered, asked_for) = match self.attempt(letter).await {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            let Some(pause) = pauses.next().filter(|_| undelivered.may_pass()) else { return Err(undelivered) };
            let pause = asked_for.map_or(*pause, |asked_for| asked_for.min(RETRY_AFTER_MAX).max(*pause));
            debug!(reason = %undelivered, pause_secs = pause.as_secs_f64(), "not delivered; trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// One try; a failure comes with the pause that the server asked for.
    async fn attempt(&self, letter: &Letter) -> Result<(), (Undelivered, Option<Duration>)> {
        let mut request = self.client.request(letter.method.clone(), letter.to.reveal().clone());
        for (name, value) in &letter.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = letter.token.as_ref().and_then(|token| token.reveal_text().ok()) {
            request = request.bearer_auth(token);
        }
        let answer = request.body(letter.body.clone()).send().await;
        let answer = answer.map_err(|error| (Undelivered::from(error), None))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let asked_for = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let asked_for = asked_for.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Err((Undelivered::Refused(answer.status()), asked_for))
    }
}

impl Undelivered {
    /// May another try succeed?
    fn may_pass(&self) -> bool {
        match self {
            Self::TimedOut | Self::Unreachable(_) => true,
            Self::Crowded => false,
            Self::Refused(status) => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
        }
    }
}

impl From<reqwest::Error> for Undelivered {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() { Self::TimedOut } else { Self::Unreachable(innermost(&error)) }
    }
}

/// The last cause alone: those before it repeat the address.
fn innermost(error: &dyn Error) -> String {
    let last = std::iter::successors(error.source(), |cause| (*cause).source()).last();
    last.map_or_else(|| "the request could not be made".to_owned(), ToString::to_string)
}

/// The beginning of `text`, in at most `bytes_max`: services refuse, or cut, what is longer.
pub(super) fn clipped(text: &str, bytes_max: usize) -> String {
    const CUT: &str = " ...";
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes_max.saturating_sub(CUT.len()));
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
pub(super) mod tests;
