//! failure: what every error can say of itself: its kind, which is the exit code, and a hint.

/// The kinds of failure a caller can tell apart; the number is the process's exit code (README lists them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Failed = 1,
    Settings = 2,
    SomeFailed = 3,
    Incomplete = 4,
    /// Sealed, and the data looks wiped or encrypted.
    Suspect = 5,
    Unreachable = 10,
    Denied = 11,
    CannotOpen = 12,
    Mismatch = 13,
    /// A backup was restored, or was to be, and is not what was backed up.
    DrillFailed = 14,
    NotImmutable = 15,
    CouldNotVerify = 16,
    Interrupted = 130,
}

/// An error that knows its kind and what its reader can do next. A hint is a sentence.
pub trait Explain: std::error::Error {
    fn kind(&self) -> Kind;

    fn hint(&self) -> Option<String> {
        None
    }

    /// May the same thing succeed later although nobody mended anything? What may not is not tried again.
    fn may_pass(&self) -> bool {
        false
    }
}

/// An error and its causes in one line; what a cause only repeats is left out.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
