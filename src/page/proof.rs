//! proof: the parts of a drill's report that the status page and the report itself both show.

use super::element::{Tone, counted, gauge, prose, told};
use crate::{
    clock::{SignedDuration, spoken},
    proof::{Compared, Confinement, DrillReport},
};
use maud::{Markup, html};

/// What was found, or what was in the way.
pub fn why(report: &DrillReport, differences_max: usize) -> Markup {
    let (shown, more) = report.differences.split_at(report.differences.len().min(differences_max));
    html! {
        @if !shown.is_empty() {
            ol.differences { @for difference in shown { li { bdi { (prose(difference)) } } } }
        }
        @if !more.is_empty() {
            p { "and " (counted(more.len() as u64, "more difference", "more differences")) ", which the report names" }
        }
        @if let Some(reason) = &report.reason { p.says { (prose(reason)) } }
        @if let Some(hint) = &report.hint { p.hint { (prose(hint)) } }
    }
}

/// How long the restore took, against how long it may.
pub fn restore_time(report: &DrillReport) -> Markup {
    let took = report.restore_seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    let allowed = report.recovery_time_objective_seconds.map(SignedDuration::from_secs);
    html! {
        @if let Some(took) = took {
            div.took {
                p.age { (spoken(took)) " " small { "to restore" } }
                @if let Some(allowed) = allowed {
                    (gauge(took, allowed))
                } @else {
                    p.words { "no time is too long: there is no objective" }
                }
            }
        }
    }
}

/// How much was compared; what there is none of is left out.
pub fn compared(compared: &Compared) -> Markup {
    let Compared { tables, rows, sequences, large_objects, extensions, roles, definitions, checks } = *compared;
    let counts = [
        (tables, "table", "tables"),
        (rows, "row", "rows"),
        (sequences, "sequence", "sequences"),
        (large_objects, "large object", "large objects"),
        (extensions, "extension", "extensions"),
        (roles, "role", "roles"),
        (definitions, "definition", "definitions"),
        (checks, "check of yours", "checks of yours"),
    ];
    let said: Vec<String> =
        counts.iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(*count, one, many)).collect();
    html! { @if said.is_empty() { "nothing" } @else { (said.join(", ")) } }
}

/// What kept the dump from the drill's host; loudly where nothing did.
pub fn confinement(kept: Confinement) -> Markup {
    html! {
        @match kept {
            Confinement::Bubblewrap | Confinement::GivenServer => (kept.words()),
            Confinement::OtherUser | Confinement::None => (told(Tone::Warn, "failing", kept.words())),
        }
    }
}
