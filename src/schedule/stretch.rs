//! stretch: the times between two changes of a zone's clocks.

use crate::clock::{SignedDuration, Timestamp};
use jiff::tz::TimeZone;

/// While it lasts, clocks are at one offset. All are seconds: instants since the epoch, and lengths.
pub struct Stretch {
    pub begins: i64,
    pub ends: i64,
    pub offset: i64,
    /// For so long after `begins`, clocks show what they showed before.
    pub repeated: i64,
    /// So much is never shown: clocks jump over it at `ends`.
    pub skipped: i64,
}

/// The stretch before the one that `after` is in, for what it skipped may not be over; that one; all later ones.
pub fn from(zone: &TimeZone, after: Timestamp) -> impl Iterator<Item = Stretch> {
    let tick = SignedDuration::from_nanos(1);
    let latest = zone.preceding(after.checked_add(tick).unwrap_or(after)).next();
    let before_latest = latest.as_ref().and_then(|change| change.timestamp().checked_sub(tick).ok());
    let mut offset = i64::from(zone.to_offset(before_latest.unwrap_or(after)).seconds());
    let mut changes = latest.into_iter().chain(zone.following(after));
    let mut begins = Some((Timestamp::MIN.as_second(), 0));
    std::iter::from_fn(move || {
        let (begin, repeated) = begins?;
        let change = changes.next();
        let end = change.as_ref().map_or(Timestamp::MAX, |change| change.timestamp()).as_second();
        let then = change.as_ref().map_or(offset, |change| i64::from(change.offset().seconds()));
        let stretch = Stretch { begins: begin, ends: end, offset, repeated, skipped: (then - offset).max(0) };
        begins = change.is_some().then_some((end, (offset - then).max(0)));
        offset = then;
        Some(stretch)
    })
}
