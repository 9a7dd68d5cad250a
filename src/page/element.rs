//! element: the small pieces that pages are made of: times, sentences, states with their marks, bars.

use crate::{
    clock::{SignedDuration, Timestamp, spoken, whole_second},
    finding::Gravity,
    health::{Rung, State},
    proof::DrillOutcome,
};
use maud::{Markup, html};

/// A colour, always beside a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Well,
    Calm,
    Odd,
    Warn,
    Bad,
}

impl Tone {
    pub fn class(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Calm => "calm",
            Self::Odd => "odd",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

impl From<State> for Tone {
    fn from(state: State) -> Self {
        match state {
            State::Good => Self::Well,
            State::Waiting => Self::Calm,
            State::Suspect => Self::Odd,
            State::Failing => Self::Warn,
            State::Overdue | State::Unprotected => Self::Bad,
        }
    }
}

impl From<DrillOutcome> for Tone {
    fn from(outcome: DrillOutcome) -> Self {
        match outcome {
            DrillOutcome::Passed => Self::Well,
            DrillOutcome::Failed => Self::Bad,
            DrillOutcome::CouldNotRun => Self::Warn,
        }
    }
}

impl From<Gravity> for Tone {
    fn from(gravity: Gravity) -> Self {
        match gravity {
            Gravity::Note => Self::Calm,
            Gravity::Tampering => Self::Odd,
            Gravity::Weakness => Self::Warn,
            Gravity::Loss => Self::Bad,
        }
    }
}

/// The mark of that name, a letter high. The word beside it says what it means, so it is hidden from readers aloud.
pub fn mark(name: &str) -> Markup {
    html! {
        svg.mark viewBox="-6.5 -6.5 13 13" aria-hidden="true" focusable="false" { (used(name, "0", "0", None)) }
    }
}

/// The mark of that name inside a picture, around a place in it; `title` is told where it is pointed at.
pub fn used(name: &str, x: &str, y: &str, title: Option<&str>) -> Markup {
    html! { use href={ "#m-" (name) } x=(x) y=(y) { @if let Some(title) = title { title { (title) } } } }
}

pub fn state(state: State) -> Markup {
    told(state.into(), state.word(), state.word())
}

pub fn outcome(outcome: DrillOutcome) -> Markup {
    let mark = match outcome {
        DrillOutcome::Passed => "good",
        DrillOutcome::Failed => "unprotected",
        DrillOutcome::CouldNotRun => "unknown",
    };
    told(outcome.into(), mark, &outcome.word().replace('-', " "))
}

pub fn gravity(gravity: Gravity) -> Markup {
    let (mark, word) = match gravity {
        Gravity::Note => ("waiting", "note"),
        Gravity::Tampering => ("suspect", "tampering"),
        Gravity::Weakness => ("failing", "weakness"),
        Gravity::Loss => ("unprotected", "loss"),
    };
    told(gravity.into(), mark, word)
}

/// A word in its colour, with its mark before it.
pub fn told(tone: Tone, name: &str, word: &str) -> Markup {
    html! { span class={ "told " (tone.class()) } { (mark(name)) (word) } }
}

pub fn rung_mark(rung: Rung) -> &'static str {
    rung.word()
}

/// An instant in full, in UTC; a line may end between its day and its hour, and nowhere else.
pub fn time(at: Timestamp) -> Markup {
    html! {
        time datetime=(whole_second(at)) {
            span { (at.strftime("%Y-%m-%d")) } " " span { (at.strftime("%H:%M:%S UTC")) }
        }
    }
}

pub fn in_full(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `5m 12s ago`, `in 9m 0s`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let ago = now.duration_since(at);
    if ago.is_negative() { format!("in {}", spoken(-ago)) } else { format!("{} ago", spoken(ago)) }
}

/// How old what is of `at` is; zero where it is of a time to come.
pub fn age(at: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(at).max(SignedDuration::ZERO)
}

/// A sentence. What stands in `backticks` is set as it would be typed.
pub fn prose(text: &str) -> Markup {
    let whole = text.matches('`').count().is_multiple_of(2);
    html! {
        @if whole {
            @for (at, part) in text.split('`').enumerate() {
                @if at % 2 == 1 { code { (part) } } @else { (part) }
            }
        } @else { (text) }
    }
}

/// A name that somebody else may have chosen: it is kept apart from the text around it, in which direction it may run.
pub fn name(text: &str) -> Markup {
    html! { bdi { code { (text) } } }
}

/// `101,645`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 table`, `42 tables`
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// How much of what is allowed is used up: a bar, and the words for it.
pub fn gauge(used: SignedDuration, allowed: SignedDuration) -> Markup {
    let share = used.as_secs_f64() / allowed.as_secs_f64().max(f64::MIN_POSITIVE);
    let late = used > allowed;
    let words = if late {
        format!("{} over the {} allowed", spoken(used - allowed), spoken(allowed))
    } else {
        format!("{:.0} % of the {} allowed", (share * 100.0).floor(), spoken(allowed))
    };
    // What is late fills the bar, and a notch says where it should have ended.
    let (filled, notch) = if late { (100.0, Some(100.0 / share)) } else { (share * 100.0, None) };
    html! {
        svg class={ "gauge " (if late { "bad" } else { "well" }) } role="img" width="100%" height="10" {
            title { (words) }
            rect.track width="100%" height="10" rx="2" {}
            rect.used width=(percent(filled)) height="10" rx="2" {}
            @if let Some(notch) = notch { rect.notch x=(percent(notch)) width="2" height="10" {} }
        }
        p.words { (words) }
    }
}

/// `43.21%`
pub fn percent(share: f64) -> String {
    format!("{:.2}%", share.clamp(0.0, 100.0))
}

/// One row of a list of facts.
pub fn fact(term: &str, says: &Markup) -> Markup {
    html! { div { dt { (term) } dd { (says) } } }
}
