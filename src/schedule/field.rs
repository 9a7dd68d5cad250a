//! field: one field of a schedule, from crontab(5)'s text to the values that match.

use super::BadSchedule;
use std::{collections::BTreeSet, fmt, ops::RangeInclusive};

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

/// What a field matches; at least one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    field: Field,
    matching: BTreeSet<u32>,
    /// Its text begins with `*`.
    pub starred: bool,
}

impl Field {
    /// The numbers that may be written; 7 is Sunday too.
    pub fn numbers(self) -> RangeInclusive<u32> {
        match self {
            Self::Second | Self::Minute => 0..=59,
            Self::Hour => 0..=23,
            Self::Day => 1..=31,
            Self::Month => 1..=12,
            Self::Weekday => 0..=7,
        }
    }

    /// The names that may be written, and the number of the first.
    pub fn names(self) -> (&'static [&'static str], u32) {
        match self {
            Self::Month => (&MONTHS, 1),
            Self::Weekday => (&WEEKDAYS, 0),
            _ => (&[], 0),
        }
    }

    fn all(self) -> RangeInclusive<u32> {
        match self {
            Self::Weekday => 0..=6,
            _ => self.numbers(),
        }
    }

    pub fn parse(self, text: &str) -> Result<Values, BadSchedule> {
        let mut matching = BTreeSet::new();
        for item in text.split(',') {
            matching.extend(self.item(item)?);
        }
        Ok(Values { field: self, matching, starred: text.starts_with('*') })
    }

    /// `*`, `7`, `mon`, `1-5`, `*/15`, `10-50/20`.
    fn item(self, item: &str) -> Result<Vec<u32>, BadSchedule> {
        let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
        let (low, high) = match (range, range.split_once('-')) {
            ("*", _) => self.all().into_inner(),
            (_, Some((low, high))) => self.range(item, self.value(low, item)?, self.value(high, item)?)?,
            (_, None) => {
                let value = self.value(range, item)?;
                if step.is_some() {
                    return Err(BadSchedule::StepOfOne { field: self, item: shortened(item) });
                }
                (value, value)
            }
        };
        let step = step.map_or(Ok(1), |step| self.step(step, item, low, high))?;
        let walked = (low..=high).step_by(step);
        Ok(walked.map(|value| if self == Self::Weekday { value % 7 } else { value }).collect())
    }

    /// A range of weekdays may go over the week's end: its upper end is then counted on.
    fn range(self, item: &str, low: u32, high: u32) -> Result<(u32, u32), BadSchedule> {
        match self {
            _ if low <= high => Ok((low, high)),
            Self::Weekday => Ok((low, high + 7)),
            _ => Err(BadSchedule::Backwards { field: self, item: shortened(item), low, high }),
        }
    }

    fn step(self, step: &str, item: &str, low: u32, high: u32) -> Result<usize, BadSchedule> {
        let number = number(step).ok_or_else(|| self.unreadable(step, item))?;
        if number == 0 {
            return Err(BadSchedule::StepZero { field: self, item: shortened(item) });
        }
        if number > high - low {
            return Err(BadSchedule::StepTooLong { field: self, item: shortened(item), low });
        }
        usize::try_from(number).map_err(|_more_than_memory| self.unreadable(step, item))
    }

    fn value(self, text: &str, item: &str) -> Result<u32, BadSchedule> {
        let (names, first) = self.names();
        if let Some((_, value)) = names.iter().zip(first..).find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(value);
        }
        let value = number(text).ok_or_else(|| self.unreadable(text, item))?;
        if !self.numbers().contains(&value) {
            return Err(BadSchedule::OutOfRange { field: self, text: shortened(text) });
        }
        Ok(value)
    }

    /// Why `text`, a part of `item`, has no value: it is another scheduler's way to say things, or nobody's.
    fn unreadable(self, text: &str, item: &str) -> BadSchedule {
        let is_name = |start: &str| self.names().0.iter().any(|name| name.eq_ignore_ascii_case(start));
        let rest = item.split_at_checked(3).filter(|(start, _)| is_name(start)).map_or(item, |(_, rest)| rest);
        let quartz = |c: char| matches!(c, '?' | 'L' | 'l' | 'W' | 'w' | '#');
        if rest.contains(quartz) && rest.chars().all(|c| quartz(c) || c.is_ascii_digit() || matches!(c, '-' | '/')) {
            return BadSchedule::Foreign { field: self, item: shortened(item) };
        }
        BadSchedule::Unreadable { field: self, text: shortened(text) }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of month",
            Self::Month => "month",
            Self::Weekday => "day of week",
        })
    }
}

impl Values {
    pub fn all(field: Field) -> Self {
        Self { field, matching: field.all().collect(), starred: true }
    }

    pub fn is_all(&self) -> bool {
        self.matching.iter().copied().eq(self.field.all())
    }

    /// A list for `cron`; weekdays go by name, for it numbers them from 1.
    pub fn listed(&self) -> String {
        let said = |value: &u32| match (self.field, WEEKDAYS.get(*value as usize)) {
            (Field::Weekday, Some(name)) => (*name).to_owned(),
            _ => value.to_string(),
        };
        self.matching.iter().map(said).collect::<Vec<_>>().join(",")
    }
}

/// Digits only; what no field has room for is simply too large.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// What a message repeats of a text that could be anything, a secret too.
fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 12;
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
