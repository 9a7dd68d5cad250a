//! slack: an event for Slack's incoming webhooks, in the plainest form, which Mattermost and Rocket.Chat take too.

use super::{
    super::courier::{Hook, Letter, clipped},
    Event,
};
use serde_json::json;

/// Slack shortens what is longer than 4,000 characters.
const BYTES_MAX: usize = 4_000;

pub fn letter(hook: Hook, event: &Event, host: &str) -> Letter {
    let text = clipped(&format!("*{}*\n{}", escaped(&event.title()), escaped(&event.text(host))), BYTES_MAX);
    Letter::json(event.title(), hook, &json!({ "text": text }))
}

/// The three characters with a meaning (Slack's "Formatting text for app surfaces"): without `<`, no text of a
/// database's error can call a whole channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
