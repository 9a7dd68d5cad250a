//! ntfy: an event for an ntfy topic: the text as the body, the rest as headers (docs.ntfy.sh/publish).

use super::{
    super::courier::{Hook, Letter, clipped},
    Event, EventKind,
};

/// ntfy makes a file of what is longer than 4,096 bytes.
const BYTES_MAX: usize = 4_000;

pub fn letter(hook: Hook, event: &Event, host: &str) -> Letter {
    let mut letter = Letter::text(event.title(), hook, clipped(&event.text(host), BYTES_MAX));
    // 5 is the loudest there is, 3 the usual.
    let (priority, tags) = match event.kind {
        EventKind::Suspect | EventKind::Tampering => ("5", "rotating_light"),
        EventKind::Failed | EventKind::Overdue | EventKind::Unproven => ("4", "warning"),
        EventKind::Recovered => ("3", "white_check_mark"),
    };
    letter.headers.extend([("title", event.title()), ("priority", priority.to_owned()), ("tags", tags.to_owned())]);
    letter
}
