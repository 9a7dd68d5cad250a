//! status: the page that says of every source, on one sheet, whether its backups can be counted on, and why not.

mod agenda;
mod drill;
mod findings;
mod ladder;
mod vaults;

use super::{
    element::{self, Tone, counted, prose, relative, time},
    frame::Frame,
    picture,
};
use crate::{
    clock::{Timestamp, spoken},
    health::{Health, Problem, SourceHealth, State, Story},
    layout::SourceName,
};
use maud::{Markup, html};
use std::{cmp::Reverse, collections::BTreeMap};

/// A page that is left open is never older.
const REFRESH_SECS: u32 = 60;

/// Whose daemon shows the page: each can know only so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// It makes the backups, and cannot read a vault.
    Depositor,
    /// It looks into the vaults from elsewhere.
    Inspector,
    /// It restores.
    Restorer,
}

impl Teller {
    fn words(self) -> &'static str {
        match self {
            Self::Depositor => "told by the depositor's daemon, which makes the backups and cannot read them",
            Self::Inspector => "told by the inspector's watcher, from what the vaults hold",
            Self::Restorer => "told by the restorer's watcher, from what the vaults hold and the drills prove",
        }
    }

    /// Whose watch it is, in one word; `None` for the depositor's daemon, which has runs to show.
    pub fn watcher(self) -> Option<&'static str> {
        match self {
            Self::Depositor => None,
            Self::Inspector => Some("inspector"),
            Self::Restorer => Some("restorer"),
        }
    }

    /// Why nothing is said of what only a watcher can know.
    fn unknown(self) -> &'static str {
        match self {
            Self::Depositor => "not watched here: see the watcher",
            Self::Inspector | Self::Restorer => "not known to this watcher",
        }
    }
}

/// All that is on the page.
pub struct Status<'a> {
    pub health: &'a Health,
    pub stories: &'a BTreeMap<SourceName, Story>,
    pub told_by: Teller,
    /// The teller has not looked at everything yet.
    pub beginning: bool,
    /// What is wrong with the teller itself, each as a sentence.
    pub warnings: Vec<String>,
    /// What else is worth knowing of it.
    pub remarks: Vec<String>,
}

pub fn status(status: &Status) -> String {
    let mut sources: Vec<&SourceHealth> = status.health.sources.iter().collect();
    sources.sort_by_key(|source| Reverse(source.state));
    let headline = headline(&sources, status.beginning);
    let worst = sources.first().map_or(State::Waiting, |source| source.state);
    let tone = if status.warnings.is_empty() { worst.into() } else { Tone::Warn };
    let content = html! {
        header.top {
            p.brand { "Strongroom" }
            h1 { (headline) }
            p.fine { (time(status.health.at)) ", " (status.told_by.words()) "." }
        }
        main {
            @if !status.warnings.is_empty() {
                section.notices aria-label="The daemon itself" {
                    @for warning in &status.warnings {
                        p.tone.warn { (element::told(Tone::Warn, "failing", "daemon")) " " (prose(warning)) }
                    }
                }
            }
            @if sources.len() > 1 { (overview(&sources, status.health.at)) }
            @if sources.is_empty() { p.nothing { (nothing(status.beginning)) } }
            @for source in &sources { (section(source, status)) }
        }
        footer {
            @for remark in &status.remarks { p { (prose(remark)) } }
            p {
                "Strongroom " (env!("CARGO_PKG_VERSION")) ". All times are UTC. This page changes nothing, and is made \
                 anew every minute."
            }
        }
    };
    let title = format!("{headline} · Strongroom");
    Frame { title: &title, tone, refresh_secs: Some(REFRESH_SECS) }.around(&content)
}

/// The whole page in one line, also for the browser's list of pages.
fn headline(sources: &[&SourceHealth], beginning: bool) -> String {
    let loud = sources.iter().filter(|source| !source.state.is_quiet()).count();
    let waiting = sources.iter().filter(|source| source.state == State::Waiting).count();
    match (sources, loud) {
        ([], _) if beginning => "Nothing is known yet".to_owned(),
        ([], _) => "There is no source".to_owned(),
        ([one], _) => format!("{} is {}", one.source, one.state.word()),
        (all, 0) if waiting == 0 => format!("All {} sources are good", all.len()),
        (all, 0) if waiting == 1 => format!("Nothing is wrong; 1 of {} sources waits for a first backup", all.len()),
        (all, 0) => format!("Nothing is wrong; {waiting} of {} sources wait for a first backup", all.len()),
        (all, 1) => format!("1 of {} sources needs a look", all.len()),
        (all, loud) => format!("{loud} of {} sources need a look", all.len()),
    }
}

fn nothing(beginning: bool) -> &'static str {
    if beginning {
        "The daemon has begun a moment ago and is still looking. This page asks again in a minute."
    } else {
        "The configuration names no source, so there is nothing to tell."
    }
}

fn overview(sources: &[&SourceHealth], now: Timestamp) -> Markup {
    html! {
        nav.overview aria-label="All sources, the worst first" {
            ul {
                @for source in sources {
                    li {
                        (element::state(source.state))
                        a href={ "#source-" (source.source) } { (source.source) }
                        span.gist { (gist(source, now)) }
                    }
                }
            }
        }
    }
}

/// The one thing that matters most of a source.
fn gist(source: &SourceHealth, now: Timestamp) -> Markup {
    let others = source.problems.len().saturating_sub(1);
    html! {
        @match source.problems.first() {
            Some(problem) => {
                span.says { (prose(&problem.to_string())) }
                @if others > 0 { ", and " (counted(others as u64, "more problem", "more problems")) }
            }
            None => span.says { (calm(source, now)) }
        }
    }
}

/// What there is to say where nothing is wrong.
fn calm(source: &SourceHealth, now: Timestamp) -> String {
    let Some(age) = source.age else { return "waits for its first backup".to_owned() };
    let holding = if source.holding == 1 { "1 vault holds" } else { &format!("{} vaults hold", source.holding) };
    let sealed = format!("data of {} ago is sealed, and {holding} what is expected", spoken(age));
    let drills = source.drills.as_ref().and_then(|drills| drills.last_passed.as_ref());
    match drills.and_then(|passed| passed.snapshot_at) {
        Some(at) => format!("{sealed}; data of {} was restored in a drill", relative(at.min(now), now)),
        None => sealed,
    }
}

fn section(source: &SourceHealth, status: &Status) -> Markup {
    let name = &source.source;
    let (now, told_by) = (status.health.at, status.told_by);
    let story = status.stories.get(name);
    html! {
        section.source id={ "source-" (name) } aria-labelledby={ "name-" (name) } {
            header {
                h2 id={ "name-" (name) } { (name) }
                (element::state(source.state))
                @if source.is_suspect() && source.state != State::Suspect { (element::state(State::Suspect)) }
            }
            @if source.problems.is_empty() {
                p.calm.says { (calm(source, now)) "." }
            } @else {
                (problems(&source.problems))
            }
            (ladder::ladder(source, told_by, now))
            @if let Some(story) = story { (picture::climb(story, now)) }
            (vaults::vaults(source, told_by, now))
            (findings::findings(source))
            (drill::last(source, told_by, now))
            @if let Some(story) = story { (picture::measures(story, &source.objectives, now)) }
            (agenda::agenda(source, told_by, now))
        }
    }
}

fn problems(problems: &[Problem]) -> Markup {
    html! {
        ul.problems {
            @for problem in problems {
                li class={ "tone " (Tone::from(problem.state()).class()) } {
                    p.says { (prose(&problem.to_string())) }
                    p.hint { (prose(problem.hint())) }
                }
            }
        }
    }
}
