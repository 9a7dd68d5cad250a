//! term: how long a vault locks what it is given, and how often it is given anything.

use crate::clock::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

pub const DAYS_MIN: u32 = 1;
pub const DAYS_MAX: u32 = 3_650;
/// Longer terms need `i_understand_nobody_can_undo_this = true`.
pub const DAYS_UNASKED_MAX: u32 = 400;

/// A retention term in whole days, 1 to 3,650. Written with a unit: `35d`, `8w`, `13mo` (30 days each), `1y` (365).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Term {
    days: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSpan {
    #[error("`{0}` is not whole days with a unit (d, w, mo or y)")]
    Unreadable(String),
    #[error("`{0}` is not a number with a unit (s, m, h, d, w, mo or y)")]
    UnreadableSpan(String),
    #[error("a term of {0} is outside 1 day to 10 years")]
    OutOfRange(String),
}

impl Term {
    pub fn from_days(days: u32) -> Option<Self> {
        (DAYS_MIN..=DAYS_MAX).contains(&days).then_some(Self { days })
    }

    pub fn days(self) -> u32 {
        self.days
    }

    pub fn span(self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.days))
    }

    pub fn ends(self, from: Timestamp) -> Timestamp {
        from + self.span()
    }
}

impl FromStr for Term {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let days = parse_days(text).ok_or_else(|| BadSpan::Unreadable(text.to_owned()))?;
        Self::from_days(days).ok_or_else(|| BadSpan::OutOfRange(text.to_owned()))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.days)
    }
}

impl TryFrom<String> for Term {
    type Error = BadSpan;

    fn try_from(text: String) -> Result<Self, BadSpan> {
        text.parse()
    }
}

impl From<Term> for String {
    fn from(term: Term) -> String {
        term.to_string()
    }
}

fn parse_days(text: &str) -> Option<u32> {
    let (number, unit) = split_unit(text)?;
    let days_each = match unit {
        "d" => 1,
        "w" => 7,
        "mo" => 30,
        "y" => 365,
        _ => return None,
    };
    number.checked_mul(days_each)
}

fn split_unit(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

/// A span with a unit, down to seconds: `30m`, `1h`, `24h`, `7d`, `1mo`. `m` is a minute, `mo` is 30 days.
pub fn parse_span(text: &str) -> Result<SignedDuration, BadSpan> {
    let unreadable = || BadSpan::UnreadableSpan(text.to_owned());
    let (number, unit) = split_unit(text).ok_or_else(unreadable)?;
    let seconds_each = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        "mo" => 2_592_000,
        "y" => 31_536_000,
        _ => return Err(unreadable()),
    };
    Ok(SignedDuration::from_secs(i64::from(number) * seconds_each))
}

/// Is a vault that is given a backup once per `every` due at `now`? Periods are counted from the epoch, so that
/// a late backup does not push the next ones back; without `every`, each backup is due.
pub fn due(every: Option<SignedDuration>, last_sealed_at: Option<Timestamp>, now: Timestamp) -> bool {
    let (Some(every), Some(last)) = (every, last_sealed_at) else { return true };
    let period = |at: Timestamp| at.as_second().div_euclid(every.as_secs().max(1));
    period(last) < period(now)
}

/// When the period after the one that holds `last` begins: from then on [`due`] is true again.
pub fn next_period(every: SignedDuration, last: Timestamp) -> Timestamp {
    let every = every.as_secs().max(1);
    let next = last.as_second().div_euclid(every).saturating_add(1).saturating_mul(every);
    Timestamp::from_second(next).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_carry_units() {
        let days = |text: &str| text.parse::<Term>().map(Term::days);
        assert_eq!(["35d", "8w", "13mo", "1y", "3650d"].map(days), [Ok(35), Ok(56), Ok(390), Ok(365), Ok(3650)]);
        for wrong in ["35", "", "d", "0d", "-1d", "3651d", "11y", "5s", "1h", "35D", "99999999999d", "1.5d"] {
            assert!(wrong.parse::<Term>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_vault_with_a_period_is_due_once_in_it() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let day = Some(SignedDuration::from_hours(24));
        let noon = at("2026-11-21T12:00:00Z");
        assert!(due(None, Some(noon), noon));
        assert!(due(day, None, noon));
        assert!(!due(day, Some(at("2026-11-21T00:00:00Z")), noon));
        assert!(due(day, Some(at("2026-11-20T23:59:59Z")), noon));
        let next = next_period(SignedDuration::from_hours(24), noon);
        assert_eq!(next, at("2026-11-22T00:00:00Z"));
        assert!(due(day, Some(noon), next));
    }
}
