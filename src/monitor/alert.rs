//! alert: whom to tell when a source enters a problem and when it is well again, and how each service wants to be told.

mod discord;
mod event;
mod ntfy;
mod slack;
mod webhook;

pub use event::{Event, EventKind, Told, events};

use super::{
    board::Board,
    courier::{Courier, Hook, Letter, Line, Pauses},
};
use crate::secret::Secret;
use std::{collections::BTreeSet, time::Duration};
use tracing::error;

/// The form in which a service takes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON of our own.
    Webhook,
    /// Also what Mattermost and Rocket.Chat take.
    Slack,
    Discord,
    Ntfy,
}

impl Form {
    pub const ALL: [Self; 4] = [Self::Webhook, Self::Slack, Self::Discord, Self::Ntfy];

    /// As written in a configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Ntfy => "ntfy",
        }
    }

    /// Does the service know a token beside the address?
    pub fn takes_token(self) -> bool {
        matches!(self, Self::Webhook | Self::Ntfy)
    }
}

/// One alert as its configuration says.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// What logs and metrics call it.
    pub name: String,
    pub form: Form,
    pub hook: Hook,
    /// Text, sent as `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// At least one.
    pub on: BTreeSet<EventKind>,
}

impl AlertSettings {
    fn letter(&self, event: &Event, host: &str) -> Letter {
        let mut letter = match self.form {
            Form::Webhook => webhook::letter(self.hook.clone(), event, host),
            Form::Slack => slack::letter(self.hook.clone(), event, host),
            Form::Discord => discord::letter(self.hook.clone(), event, host),
            Form::Ntfy => ntfy::letter(self.hook.clone(), event, host),
        };
        letter.token = self.token.clone();
        letter
    }
}

/// Pauses between the five tries: an outage of a minute or two is outlived.
const PAUSES: Pauses =
    &[Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30), Duration::from_secs(60)];

/// The alerts in force. Each has a queue and a task of its own, so that one that does not answer holds up no other,
/// and no backup.
pub struct Alerts {
    lines: Vec<(AlertSettings, Line)>,
    /// Who writes, for readers who have several.
    host: String,
}

impl Alerts {
    /// Starts their tasks; the board counts what could not be delivered, from zero.
    pub fn start(settings: Vec<AlertSettings>, courier: &Courier, board: &Board, host: String) -> Self {
        Self::start_with(settings, courier, board, host, PAUSES)
    }

    fn start_with(
        settings: Vec<AlertSettings>,
        courier: &Courier,
        board: &Board,
        host: String,
        pauses: Pauses,
    ) -> Self {
        board.count_failures_of(&settings.iter().map(|alert| alert.name.as_str()).collect::<Vec<_>>());
        let lines = settings.into_iter().map(|alert| {
            let (name, board) = (alert.name.clone(), board.clone());
            let line = Line::start(courier.clone(), pauses, move |letter, undelivered| {
                error!(alert = %name, about = %letter.about, reason = %undelivered, "alert not delivered");
                board.alert_failed(&name);
            });
            (alert, line)
        });
        Self { lines: lines.collect(), host }
    }

    /// Never waits.
    pub fn tell(&self, event: &Event) {
        for (alert, line) in &self.lines {
            if alert.on.contains(&event.kind) {
                line.send(alert.letter(event, &self.host));
            }
        }
    }

    /// Delivers what is waiting, as far as that is possible `within`.
    pub async fn close(self, within: Duration) {
        let closing = self.lines.into_iter().map(|(_, line)| line.close(within));
        futures_util::future::join_all(closing).await;
    }
}

#[cfg(test)]
mod tests;
