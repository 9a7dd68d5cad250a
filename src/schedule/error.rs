//! error: what is wrong with a schedule, in which field, and what to write instead.

use super::field::Field;
use crate::failure::{Explain, Kind};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    #[error("not five fields as in crontab(5), or six with seconds first, but {0}")]
    FieldCount(usize),
    /// With what to write instead.
    #[error("a shortcut that begins with @ is no schedule here")]
    Shortcut(Option<&'static str>),
    #[error("{field}: {}", unreadable(*.field, text))]
    Unreadable { field: Field, text: String },
    #[error("{field}: `{text}` is not within {} to {}", .field.numbers().start(), .field.numbers().end())]
    OutOfRange { field: Field, text: String },
    #[error("{field}: `{item}` is not of crontab(5)")]
    Foreign { field: Field, item: String },
    #[error("{field}: `{item}` runs backwards")]
    Backwards { field: Field, item: String, low: u32, high: u32 },
    #[error("{field}: `{item}` has a step of 0")]
    StepZero { field: Field, item: String },
    #[error("{field}: `{item}` steps over its whole range and leaves only {low}")]
    StepTooLong { field: Field, item: String, low: u32 },
    #[error("{field}: `{item}` has a step, but no range to step through")]
    StepOfOne { field: Field, item: String },
    #[error("never comes: none of its months has such a day")]
    Never,
}

fn unreadable(field: Field, text: &str) -> String {
    match (text, field.names()) {
        ("", _) => "something is missing beside a `,`, `-` or `/`".to_owned(),
        (_, (&[], _)) => format!("`{text}` is not a number"),
        (_, (names, _)) => format!("`{text}` is neither a number nor a name like {}", names[0]),
    }
}

/// The five fields that `@name` stands for in crontab(5); `None` for what is no time at all, like `@reboot`.
pub fn meaning(name: &str) -> Option<&'static str> {
    match name {
        "yearly" | "annually" => Some("0 0 1 1 *"),
        "monthly" => Some("0 0 1 * *"),
        "weekly" => Some("0 0 * * 0"),
        "daily" | "midnight" => Some("0 0 * * *"),
        "hourly" => Some("0 * * * *"),
        _ => None,
    }
}

impl Explain for BadSchedule {
    fn kind(&self) -> Kind {
        Kind::Settings
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Shortcut(Some(meaning)) => format!("Write \"{meaning}\"."),
            Self::FieldCount(7) => "There is no field for years: leave it out.".to_owned(),
            Self::FieldCount(_) | Self::Shortcut(None) => {
                "Every 15 minutes: \"*/15 * * * *\"; every night at 02:30: \"30 2 * * *\".".to_owned()
            }
            Self::Unreadable { field, .. } => match field.names() {
                (&[], _) => "A field is `*`, numbers, ranges and steps: 5, 1-5, 0,30, */15 or 0-30/10.".to_owned(),
                (names, _) => format!("Names are the first three letters: {}.", names.join(", ")),
            },
            Self::OutOfRange { field: Field::Weekday, .. } => "0 and 7 are Sunday, 1 is Monday.".to_owned(),
            Self::OutOfRange { .. } => {
                "The order is: minute, hour, day of month, month, day of week; seconds before them, if any.".to_owned()
            }
            Self::Foreign { item, .. } if item == "?" => "Write `*`.".to_owned(),
            Self::Foreign { .. } => {
                "Only other schedulers know ?, L, W and #; here are numbers, names, lists, ranges and steps.".to_owned()
            }
            Self::Backwards { field, low, high, .. } => {
                format!("Write {low}-{},{}-{high}.", field.numbers().end(), field.numbers().start())
            }
            Self::StepZero { .. } => "Leave the step out, or make it 1 or more.".to_owned(),
            Self::StepTooLong { low, .. } => {
                format!("Steps begin anew with each hour, day or month. If that is meant, write {low}.")
            }
            Self::StepOfOne { field, item } => {
                let (first, step) = item.split_once('/').unwrap_or((item, "1"));
                format!("Write {first}-{}/{step}.", field.numbers().end())
            }
            Self::Never => "Few months have a day 31, and February has 28 or 29.".to_owned(),
        };
        Some(hint)
    }
}
