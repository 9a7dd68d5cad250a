//! ping: dead-man pings: a service elsewhere hears of each run, and alarms when it hears nothing. That is the one
//! alarm that comes when this host is gone.

use super::courier::{Courier, Hook, Letter, Line, Pauses, clipped};
use crate::{
    clock::{SignedDuration, spoken},
    layout::SourceName,
    run::{End, Outcome},
};
use std::{collections::BTreeMap, time::Duration};
use tracing::warn;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingKind {
    /// healthchecks.io, or one's own: hears of the beginning too.
    Healthchecks,
    UptimeKuma,
}

impl PingKind {
    pub const ALL: [Self; 2] = [Self::Healthchecks, Self::UptimeKuma];

    /// As written in a configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthchecks => "healthchecks",
            Self::UptimeKuma => "uptime-kuma",
        }
    }
}

/// A source's ping as its configuration says.
#[derive(Clone, Debug)]
pub struct PingSettings {
    pub kind: PingKind,
    pub hook: Hook,
}

/// What there is to tell of one run, or of one look. Success of a run has no way to be said but through its end.
#[derive(Clone, Debug)]
pub struct Ping {
    /// Random, and the same for a run's beginning and end.
    run: [u8; 16],
    news: News,
}

#[derive(Clone, Debug)]
enum News {
    Begun,
    Ended { good: bool, says: String, took: SignedDuration },
}

impl Ping {
    pub fn begun(run: [u8; 16]) -> Self {
        Self { run, news: News::Begun }
    }

    /// Success is a backup that can be counted on, sealed in enough vaults; one that looks wiped is none.
    pub fn ended(run: [u8; 16], end: &End, took: SignedDuration) -> Self {
        // Names of tables are for those who may read the backup; a ping's address goes through proxies and logs.
        let told = end.why.as_ref().filter(|_| end.outcome != Outcome::Suspect);
        let why = told.map_or(String::new(), |why| format!(": {why}"));
        let says = format!("{}{why} ({} rows, {})", end.outcome, end.rows, spoken(took));
        Self { run, news: News::Ended { good: end.outcome.is_good() || end.outcome == Outcome::NotDue, says, took } }
    }

    /// What a watch found of a source.
    pub fn told(run: [u8; 16], good: bool, says: String) -> Self {
        Self { run, news: News::Ended { good, says, took: SignedDuration::ZERO } }
    }
}

/// Fewer tries than an alert has: the next run pings again.
const PAUSES: Pauses = &[Duration::from_secs(2), Duration::from_secs(10)];
/// Enough for an error and its causes.
const SAYS_BYTES_MAX: usize = 1_000;
/// It travels in the address.
const MESSAGE_BYTES_MAX: usize = 200;

/// The pings of every source that has one. Each has a queue and a task of its own: order is kept, and no backup waits.
pub struct Pings(BTreeMap<SourceName, (PingSettings, Line)>);

impl Pings {
    pub fn start(settings: impl IntoIterator<Item = (SourceName, PingSettings)>, courier: &Courier) -> Self {
        Self::start_with(settings, courier, PAUSES)
    }

    fn start_with(
        settings: impl IntoIterator<Item = (SourceName, PingSettings)>,
        courier: &Courier,
        pauses: Pauses,
    ) -> Self {
        let lines = settings.into_iter().map(|(source, settings)| {
            let name = source.clone();
            let line = Line::start(courier.clone(), pauses, move |letter, undelivered| {
                warn!(source = %name, about = %letter.about, reason = %undelivered, "dead-man ping not delivered");
            });
            (source, (settings, line))
        });
        Self(lines.collect())
    }

    /// Never waits; a source without a ping has nobody to tell.
    pub fn send(&self, source: &SourceName, ping: &Ping) {
        let Some((settings, line)) = self.0.get(source) else { return };
        let letter = match settings.kind {
            PingKind::Healthchecks => Some(healthchecks(&settings.hook, ping)),
            PingKind::UptimeKuma => uptime_kuma(&settings.hook, ping),
        };
        if let Some(letter) = letter {
            line.send(letter);
        }
    }

    /// Delivers what is waiting, as far as that is possible `within`.
    pub async fn close(self, within: Duration) {
        let closing = self.0.into_values().map(|(_, line)| line.close(within));
        futures_util::future::join_all(closing).await;
    }
}

/// POST to the address, `/start` or `/fail` below it, with `rid` so that runs that overlap are told apart
/// (healthchecks.io/docs/http_api).
fn healthchecks(hook: &Hook, ping: &Ping) -> Letter {
    let (step, about, says) = match &ping.news {
        News::Begun => (Some("start"), "begun", String::new()),
        News::Ended { good: true, says, .. } => (None, "success", clipped(says, SAYS_BYTES_MAX)),
        News::Ended { good: false, says, .. } => (Some("fail"), "failure", clipped(says, SAYS_BYTES_MAX)),
    };
    let mut url = hook.reveal().clone();
    if let (Some(step), Ok(mut path)) = (step, url.path_segments_mut()) {
        path.pop_if_empty().push(step);
    }
    let id = uuid(ping.run);
    Letter::text(about.to_owned(), Hook::with_query(url, &[("rid", &id)]), says)
}

/// GET with `status`, `msg` and `ping` (milliseconds), in place of those that the copied address has; it knows no
/// beginning.
fn uptime_kuma(hook: &Hook, ping: &Ping) -> Option<Letter> {
    let News::Ended { good, says, took } = &ping.news else { return None };
    let (status, about) = if *good { ("up", "success") } else { ("down", "failure") };
    let message = clipped(says, MESSAGE_BYTES_MAX);
    let took = took.as_millis().max(0).to_string();
    let query = [("status", status), ("msg", &message), ("ping", &took)];
    Some(Letter::call(about.to_owned(), Hook::with_query(hook.reveal().clone(), &query)))
}

/// Any sixteen bytes as RFC 9562 writes a random UUID (version 4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests;
