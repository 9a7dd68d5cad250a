//! discord: an event for Discord's webhooks.

use super::{
    super::courier::{Hook, Letter, clipped},
    Event,
};
use serde_json::json;

/// Discord refuses `content` of more than 2,000 characters.
const BYTES_MAX: usize = 2_000;

pub fn letter(hook: Hook, event: &Event, host: &str) -> Letter {
    let content = clipped(&format!("**{}**\n{}", event.title(), event.text(host)), BYTES_MAX);
    // No text of a database's error can call everyone.
    Letter::json(event.title(), hook, &json!({ "content": content, "allowed_mentions": { "parse": [] } }))
}
