//! drill: how the last drill of a source ended, and what it says of a restore.

use super::{
    super::{
        element::{Tone, fact, name, outcome, relative, time},
        proof::{compared, confinement, restore_time, why},
    },
    Teller,
};
use crate::{
    clock::{Timestamp, spoken},
    health::{DrillFacts, SourceHealth},
    proof::{DrillOutcome, DrillReport},
};
use maud::{Markup, html};

/// The report has them all.
const DIFFERENCES_MAX: usize = 50;

pub fn last(source: &SourceHealth, told_by: Teller, now: Timestamp) -> Markup {
    html! {
        h3 { "Last drill" }
        @match &source.drills {
            None => p.none { (told_by.unknown()) },
            Some(DrillFacts { last: Some(report), last_passed, .. }) => (ended(report, last_passed.as_ref(), now)),
            Some(DrillFacts { expected_since, .. }) => p.none {
                "none yet; drills are expected since " (time(*expected_since))
            },
        }
    }
}

fn ended(report: &DrillReport, last_passed: Option<&DrillReport>, now: Timestamp) -> Markup {
    let passed = last_passed.filter(|_| report.outcome != DrillOutcome::Passed);
    html! {
        div class={ "drill tone " (Tone::from(report.outcome).class()) } {
            p { (outcome(report.outcome)) " " (relative(report.ended_at.min(now), now)) ", " (time(report.ended_at)) }
            (why(report, DIFFERENCES_MAX))
            (restore_time(report))
            dl.facts {
                @if let Some(backup) = &report.backup {
                    (fact("Backup", &html! {
                        (name(backup.as_str())) " from " (report.vault)
                        @if let Some(at) = report.snapshot_at { ", data of " (time(at)) }
                    }))
                }
                @if report.outcome != DrillOutcome::CouldNotRun { (fact("Compared", &compared(&report.compared))) }
                @if let Some(kept) = report.confinement { (fact("Scratch server", &confinement(kept))) }
                (fact("Drill", &html! {
                    (name(report.drill.as_str())) ", " (spoken(report.took())) " on " bdi { (report.host) }
                }))
                @if let Some(passed) = passed {
                    (fact("Last that passed", &html! {
                        (relative(passed.ended_at.min(now), now)) ", " (time(passed.ended_at))
                    }))
                }
            }
        }
    }
}
