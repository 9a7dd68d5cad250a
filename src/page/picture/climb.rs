//! climb: the ladder over time: each backup as a mark on the rung to which it has come, with suspect and gone ones as
//! marks of their own.

use super::{Backup, Column, Window, backups};
use crate::{
    clock::{Timestamp, spoken, whole_second},
    health::{Rung, Story},
    page::element::{counted, in_full, mark, percent, rung_mark, used},
};
use maud::{Markup, html};

const HEIGHT: u32 = 116;
/// More room, for those that are gone.
const HEIGHT_WITH_GONE: u32 = 144;
const GONE_AT: u32 = 112;

fn lane(rung: Rung) -> u32 {
    match rung {
        Rung::Proven => 10,
        Rung::Confirmed => 46,
        Rung::Sealed => 82,
    }
}

pub fn climb(story: &Story, now: Timestamp) -> Markup {
    let backups = backups(story);
    let times: Vec<Timestamp> = backups.iter().map(|backup| backup.sealed_at).collect();
    let window = Window::of(&times, now);
    let shown: Vec<&Backup> = backups.iter().filter(|backup| window.holds(backup.sealed_at)).collect();
    let columns = window.columns(shown.iter().map(|backup| (backup.sealed_at, *backup)));
    let counts = Counts::of(&shown);
    let height = if counts.gone > 0 { HEIGHT_WITH_GONE } else { HEIGHT };
    html! {
        @if !shown.is_empty() {
            figure.picture.climb {
                figcaption {
                    h3 { "Backups of " (days(window)) }
                    p.fine {
                        @match window.bucket {
                            Some(bucket) => { "A mark stands for all backups of " (spoken(bucket)) "." }
                            None => "A mark stands for one backup.",
                        }
                    }
                }
                div.lanes {
                    svg aria-hidden="true" focusable="false" width="100%" height=(height) {
                        @for rung in Rung::ALL { text.date x="0" y=(lane(rung) + 4) { (rung.word()) } }
                        @if counts.gone > 0 { text.date x="0" y=(GONE_AT + 4) { "gone" } }
                    }
                    svg role="img" width="100%" height=(height) {
                        title { "How far each backup has come: sealed, confirmed, proven" }
                        desc { (counts.said()) "." }
                        @for column in &columns { (stem(column, &window)) }
                        @for rung in Rung::ALL { line.lane x1="0" x2="100%" y1=(lane(rung)) y2=(lane(rung)) {} }
                        @for column in &columns { (marks(column, &window)) }
                        (dates(&window, height - 4))
                    }
                }
                (counts.legend())
            }
        }
    }
}

/// From the lowest rung up to the highest that any of the column has reached.
fn stem(column: &Column<&Backup>, window: &Window) -> Markup {
    let highest = column.members.iter().map(|backup| backup.rung).max().unwrap_or(Rung::Sealed);
    let x = percent(window.along(column.at));
    html! { @if highest > Rung::Sealed { line.stem x1=(x) x2=(x) y1=(lane(Rung::Sealed)) y2=(lane(highest)) {} } }
}

fn marks(column: &Column<&Backup>, window: &Window) -> Markup {
    let x = percent(window.along(column.at));
    let title = title(column);
    let on = |rung: Rung, suspect: bool| {
        column.members.iter().any(|backup| backup.rung == rung && backup.suspect == suspect)
    };
    html! {
        @for rung in Rung::ALL {
            @if on(rung, false) { g.well { (used(rung_mark(rung), &x, &lane(rung).to_string(), Some(&title))) } }
            @if on(rung, true) { g.odd { (used("suspect", &x, &lane(rung).to_string(), Some(&title))) } }
        }
        @if column.members.iter().any(|backup| backup.gone) {
            g.bad { (used("gone", &x, &GONE_AT.to_string(), Some(&title))) }
        }
    }
}

fn title(column: &Column<&Backup>) -> String {
    match &column.members[..] {
        [one] => {
            let suspect = if one.suspect { ", suspect" } else { "" };
            let gone = if one.gone { ", gone" } else { "" };
            format!("{}, sealed {}: {}{suspect}{gone}", one.id, in_full(one.sealed_at), one.rung.word())
        }
        many => format!("around {}: {}", in_full(whole_second(column.at)), Counts::of(many).said()),
    }
}

/// The dates at both ends and in the middle.
pub fn dates(window: &Window, y: u32) -> Markup {
    let form = if window.span().as_hours() <= 72 { "%m-%d %H:%M" } else { "%Y-%m-%d" };
    let middle = window.from + window.span() / 2;
    html! {
        text.date x="0" y=(y) { (window.from.strftime(form)) }
        text.date.middle x="50%" y=(y) { (middle.strftime(form)) }
        text.date.end x="100%" y=(y) { "now" }
    }
}

pub fn days(window: Window) -> String {
    match window.span().as_hours() / 24 {
        1 => "24 hours".to_owned(),
        days => format!("{days} days"),
    }
}

/// How many have come how far; a backup counts for the highest rung alone.
struct Counts {
    rungs: [u64; 3],
    suspect: u64,
    gone: u64,
}

impl Counts {
    fn of(backups: &[&Backup]) -> Self {
        let count = |is: &dyn Fn(&Backup) -> bool| backups.iter().filter(|backup| is(backup)).count() as u64;
        Self {
            rungs: Rung::ALL.map(|rung| count(&|backup| backup.rung == rung)),
            suspect: count(&|backup| backup.suspect),
            gone: count(&|backup| backup.gone),
        }
    }

    fn said(&self) -> String {
        let [sealed, confirmed, proven] = self.rungs;
        let all = counted(sealed + confirmed + proven, "backup", "backups");
        let beside = [(self.suspect, "suspect"), (self.gone, "gone")];
        let beside: String =
            beside.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!(", {count} {word}")).collect();
        format!("{all}: {sealed} sealed only, {confirmed} confirmed, {proven} proven{beside}")
    }

    fn legend(&self) -> Markup {
        let [sealed, confirmed, proven] = self.rungs;
        let entries = [
            ("well", "sealed", "sealed only", sealed),
            ("well", "confirmed", "confirmed", confirmed),
            ("well", "proven", "proven", proven),
            ("odd", "suspect", "suspect", self.suspect),
            ("bad", "gone", "gone", self.gone),
        ];
        html! {
            ul.legend aria-label="Legend, with how many there are" {
                @for (class, shape, word, count) in entries {
                    li { span class={ "told " (class) } { (mark(shape)) (word) } " " (count) }
                }
            }
        }
    }
}
