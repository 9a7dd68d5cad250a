//! agenda: what happened last to a source, and what happens next.

use super::{
    super::element::{Tone, age, counted, fact, relative, time, told},
    Teller,
};
use crate::{
    clock::{Timestamp, spoken},
    health::SourceHealth,
};
use bytesize::ByteSize;
use maud::{Markup, html};

pub fn agenda(source: &SourceHealth, told_by: Teller, now: Timestamp) -> Markup {
    let ours = told_by == Teller::Depositor;
    html! {
        h3 { "Times" }
        dl.facts {
            (fact("Recovery point", &html! {
                @match source.recovery_point {
                    Some(point) => { (relative(point.min(now), now)) ", " (time(point)) }
                    None => "none",
                }
                "; current in " (counted(source.holding as u64, "vault", "vaults")) ", " (source.needed) " needed"
            }))
            @if ours || source.last_run.is_some() { (fact("Last run", &last_run(source, now))) }
            @if let Some(since) = source.running_since {
                (fact("Running", &html! { "since " (time(since)) ", for " (spoken(age(since, now))) }))
            }
            @if ours || source.next_run_at.is_some() { (fact("Next run", &next(source.next_run_at, now))) }
            @if let Some(drills) = &source.drills {
                @if let Some(since) = drills.running_since {
                    (fact("Drill running", &html! { "since " (time(since)) ", for " (spoken(age(since, now))) }))
                }
                (fact("Next drill", &next(drills.next_at, now)))
                @if let Some(disk) = drills.disk {
                    (fact("Room for it", &html! {
                        (ByteSize(disk.needed_bytes)) " needed, " (ByteSize(disk.free_bytes)) " free"
                        @if disk.free_bytes < disk.needed_bytes { ": " (told(Tone::Warn, "failing", "too little")) }
                    }))
                }
            }
            @if source.recovery_point.is_none() {
                (fact("Expected", &html! { "backups, since " (time(source.expected_since)) }))
            }
        }
    }
}

fn last_run(source: &SourceHealth, now: Timestamp) -> Markup {
    let ended = source.last_run.as_ref().and_then(|run| Some((run, run.ended.as_ref()?)));
    html! {
        @match ended {
            None => "none yet",
            Some((run, end)) => {
                (end.outcome.word().replace('-', " ")) ", " (relative(end.at.min(now), now)) ", " (time(end.at))
                @if let Some(took) = run.took() { "; took " (spoken(took)) }
                @if end.bytes.packed > 0 {
                    "; " (ByteSize(end.bytes.packed)) " packed, " (ByteSize(end.bytes.sent)) " sent"
                }
            }
        }
    }
}

fn next(at: Option<Timestamp>, now: Timestamp) -> Markup {
    html! { @match at { Some(at) => { (relative(at, now)) ", " (time(at)) } None => "when asked" } }
}
