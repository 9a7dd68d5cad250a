//! schedule: when a source's backups are due: a crontab(5) expression, read on the clocks of a time zone.
//!
//! `cron` finds the matching times of a calendar without zones; what the clocks of a zone make of them is ours.
//! When clocks jump ahead, a time that they skip comes once, at the jump, and several such times are one slot. When
//! clocks go back, a time that they show twice comes once, the first time. A schedule of every hour keeps its distance
//! in real time instead: it comes in both passes, and what a jump skips comes when it would have come without one,
//! so `*/15 * * * *` is 15 minutes through every change.

mod error;
mod field;
mod stretch;
#[cfg(test)]
mod tests;

pub use error::BadSchedule;

use crate::clock::{SignedDuration, Timestamp};
use field::{Field, Values};
use jiff::tz::TimeZone;
use std::{fmt, str::FromStr};
use xxhash_rust::xxh3::xxh3_64;

/// Slots are counted up to here: ten weeks of a slot each minute.
const COUNTED_MAX: usize = 100_000;

/// Five fields as in crontab(5), or six with seconds first. At least one day of the calendar matches.
#[derive(Clone)]
pub struct Schedule {
    /// As written; equal texts are equal schedules.
    text: String,
    /// A slot is what any of them finds: two where either the day of the month or that of the week is to match.
    calendars: Vec<cron::Schedule>,
    every_hour: bool,
}

/// What was due in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// 100,000 at most.
    pub count: usize,
    /// There were more than `count`.
    pub more: bool,
    /// The last of all, counted or not.
    pub last: Option<Timestamp>,
}

impl Schedule {
    /// The first slot later than `after`; `None` once the calendar of `cron` ends, with the year 2100.
    pub fn next(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let now = after.as_second();
        let mut first: Option<i64> = None;
        // Bounded: no zone has many stretches before 2100, and after it the clock shows no slot.
        for stretch in stretch::from(zone, after) {
            if first.is_some_and(|first| first <= stretch.begins) {
                break;
            }
            let begins = if self.every_hour { stretch.begins } else { stretch.begins + stretch.repeated };
            let slot = self.next_on_clock(now.max(begins - 1) + stretch.offset)? - stretch.offset;
            if slot >= stretch.ends + stretch.skipped {
                continue;
            }
            let slot = if self.every_hour { slot } else { slot.min(stretch.ends) };
            if slot > now {
                first = Some(first.map_or(slot, |first| first.min(slot)));
            }
        }
        Timestamp::from_second(first?).ok()
    }

    /// Every slot later than `after`.
    pub fn upcoming(&self, zone: &TimeZone, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next(zone, after), |slot| self.next(zone, *slot))
    }

    /// What was due later than `after` and no later than `until`.
    pub fn slots(&self, zone: &TimeZone, after: Timestamp, until: Timestamp) -> Slots {
        let mut due = self.upcoming(zone, after).take_while(|slot| *slot <= until);
        let (mut count, mut last) = (0, None);
        for slot in due.by_ref().take(COUNTED_MAX) {
            (count, last) = (count + 1, Some(slot));
        }
        let more = due.next().is_some();
        if more {
            last = last.map(|counted| self.last_until(zone, counted, until));
        }
        Slots { count, more, last }
    }

    /// The last slot no later than `until`, by halving; `slot` is one.
    fn last_until(&self, zone: &TimeZone, slot: Timestamp, until: Timestamp) -> Timestamp {
        let (mut last, mut end) = (slot, until);
        while last < end {
            let middle = last + SignedDuration::from_secs(end.duration_since(last).as_secs() / 2);
            match self.next(zone, middle) {
                Some(slot) if slot <= end => last = slot,
                _ => end = middle,
            }
        }
        last
    }

    /// The first match later than `wall`; both are seconds on the clock, counted as if it showed UTC.
    fn next_on_clock(&self, wall: i64) -> Option<i64> {
        let after = chrono::DateTime::from_timestamp(wall.max(-1), 0)?; // the calendar of `cron` begins with 1970
        self.calendars.iter().filter_map(|calendar| calendar.after(&after).next()).map(|at| at.timestamp()).min()
    }
}

impl FromStr for Schedule {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        if let Some(name) = text.trim_start().strip_prefix('@') {
            return Err(BadSchedule::Shortcut(error::meaning(name.trim_end())));
        }
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let (second, [minute, hour, day, month, weekday]) = match fields[..] {
            [minute, hour, day, month, weekday] => ("0", [minute, hour, day, month, weekday]),
            [second, minute, hour, day, month, weekday] => (second, [minute, hour, day, month, weekday]),
            _ => return Err(BadSchedule::FieldCount(fields.len())),
        };
        let second = Field::Second.parse(second)?;
        let minute = Field::Minute.parse(minute)?;
        let hour = Field::Hour.parse(hour)?;
        let day = Field::Day.parse(day)?;
        let month = Field::Month.parse(month)?;
        let weekday = Field::Weekday.parse(weekday)?;
        // As Vixie's cron, which goes by the first character: `*/2` is a star, `1-31` is not.
        let days = if day.starred || weekday.starred {
            vec![(day, weekday)]
        } else {
            vec![(day, Values::all(Field::Weekday)), (Values::all(Field::Day), weekday)]
        };
        let calendar = |(day, weekday)| calendar([&second, &minute, &hour, &day, &month, &weekday]);
        let calendars = days.into_iter().map(calendar).collect();
        let schedule = Self { text: text.trim().to_owned(), calendars, every_hour: hour.is_all() };
        if schedule.next_on_clock(0).is_none() {
            return Err(BadSchedule::Never);
        }
        Ok(schedule)
    }
}

/// What `cron` makes of checked values.
fn calendar(fields: [&Values; 6]) -> cron::Schedule {
    let text = fields.map(Values::listed).join(" ");
    text.parse().expect("`cron` reads lists of its own values")
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({})", self.text)
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Schedule {}

/// How long after `slot` a source begins, so that sources of one schedule do not begin at once: no longer than
/// `at_most`, nor than a tenth of the time to the `next` slot. The source alone decides which part of that it is,
/// so the backups of an even schedule stay even.
pub fn jitter(source: &str, slot: Timestamp, at_most: SignedDuration, next: Option<Timestamp>) -> SignedDuration {
    let tenth = next.map_or(at_most, |next| next.duration_since(slot) / 10);
    let limit = at_most.min(tenth).max(SignedDuration::ZERO);
    let part = xxh3_64(source.as_bytes()) >> 32;
    let nanos = (limit.as_nanos() * i128::from(part)) >> 32;
    SignedDuration::from_nanos_i128(nanos)
}
