//! webhook: an event as JSON of our own. Fields may be added, and none is taken away:
//!
//! | field | |
//! |---|---|
//! | `event` | `failed`, `suspect`, `overdue`, `unproven`, `tampering`, `recovered` |
//! | `reminder` | true where it was told before and has stayed for a day |
//! | `source` | its name |
//! | `state` | `good`, `waiting`, `suspect`, `failing`, `overdue`, `unprotected` |
//! | `summary` | one sentence |
//! | `problems` | of each: `problem` (a word), `vault` or null, `says`, `hint` |
//! | `age_seconds` | of the recovery point, or null |
//! | `locked_until` | of each vault: when the lock of its last good backup ends, or null |
//! | `at` | RFC 3339, UTC |
//! | `host` | where this Strongroom runs |

use super::{
    super::courier::{Hook, Letter},
    Event,
};
use serde_json::json;

pub fn letter(hook: Hook, event: &Event, host: &str) -> Letter {
    let body = json!({
        "event": event.kind,
        "reminder": event.reminder,
        "source": event.source,
        "state": event.state,
        "summary": event.summary(),
        "problems": event.problems,
        "age_seconds": event.age.map(|age| age.as_secs()),
        "locked_until": event.locked_until,
        "at": event.at,
        "host": host,
    });
    Letter::json(event.title(), hook, &body)
}
