//! clock: instants, how they are written in names and on screen, and the one way to ask for the present.

pub use jiff::{SignedDuration, Timestamp};

/// Where the present comes from. The door makes the only one; everything below takes it or a `now`.
#[derive(Clone, Copy, Debug)]
pub struct Clock(fn() -> Timestamp);

impl Clock {
    pub const fn new(source: fn() -> Timestamp) -> Self {
        Self(source)
    }

    pub fn now(self) -> Timestamp {
        (self.0)()
    }
}

/// `20261121T120301Z`: UTC to the second, in ISO 8601's basic form, so that names sort by time.
pub fn compact(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The reverse of [`compact`]; `None` for anything else.
pub fn parse_compact(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let at = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    (compact(at) == text).then_some(at)
}

/// The same instant without its fraction of a second: what servers keep.
pub fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("a timestamp's own seconds are in range")
}

/// `3d 4h`, `12m 5s`, `0.8s`: a span as people say it, in its two largest units.
pub fn spoken(span: SignedDuration) -> String {
    let seconds = span.as_secs();
    match seconds.unsigned_abs() {
        0..10 => format!("{:.1}s", span.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_time_reads_back_and_nothing_else_does() {
        let at: Timestamp = "2026-11-21T12:03:01Z".parse().unwrap();
        assert_eq!(compact(at), "20261121T120301Z");
        assert_eq!(parse_compact("20261121T120301Z"), Some(at));
        for wrong in ["20261121T120301", "2026-11-21T12:03:01Z", "20261321T120301Z", "20261121T120301Zx", ""] {
            assert_eq!(parse_compact(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spans_are_spoken_in_two_units() {
        let said: Vec<_> = [0, 9, 59, 61, 3_700, 90_000].map(|s| spoken(SignedDuration::from_secs(s))).into();
        assert_eq!(said, ["0.0s", "9.0s", "59s", "1m 1s", "1h 1m", "1d 1h"]);
    }
}
