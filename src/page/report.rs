//! report: one drill's report as a page of its own, for an auditor, a phone or a printer: the same facts as its JSON.

use super::{
    element::{Tone, fact, grouped, name, outcome, prose, time},
    frame::Frame,
    proof::{compared, confinement, restore_time, why},
};
use crate::{
    clock::{SignedDuration, spoken},
    proof::{Compared, DrillOutcome, DrillReport},
};
use bytesize::ByteSize;
use maud::{Markup, html};

pub fn drill_report(report: &DrillReport) -> String {
    let outcome_words = report.outcome.word().replace('-', " ");
    let title = format!("Drill of {}: {outcome_words} · Strongroom", report.source);
    let tone = Tone::from(report.outcome);
    let ran = report.outcome != DrillOutcome::CouldNotRun;
    let subject = if ran { "What was restored" } else { "What was to be restored" };
    let content = html! {
        header.top {
            p.brand { "Strongroom drill report" }
            h1 { "Drill of " (report.source) }
            p.fine { (time(report.started_at)) ", on " bdi { (report.host) } }
        }
        main.report {
            section class={ "verdict tone " (tone.class()) } aria-label="Outcome" {
                p.outcome { (outcome(report.outcome)) }
                p { (meaning(report.outcome)) }
                (why(report, usize::MAX))
                @if !report.suspect.is_empty() {
                    p {
                        "Its data looked wiped when it was taken. A drill tells whether a backup restores, not whether \
                         its data is as it should be."
                    }
                }
            }
            @if let Some(took) = report.restore_seconds {
                section {
                    h2 { "Restore time" }
                    (restore_time(report))
                    p.fine { (took) " s, from the first byte fetched to the last comparison" }
                }
            }
            section { h2 { (subject) } (restored(report)) }
            section { h2 { "What was compared" } (comparison(&report.compared, report.outcome)) }
            section { h2 { "How it was done" } (done(report)) }
            @if !report.notes.is_empty() {
                section { h2 { "Notes" } ul { @for note in &report.notes { li { bdi { (prose(note)) } } } } }
            }
        }
        footer {
            p {
                "Report " (name(report.drill.as_str())) ", format " (report.format) ", by Strongroom "
                (report.strongroom)
                ". All times are UTC. The same facts for programs are in " code { "report.json" }
                " beside this page. Where the page is signed, its signature is " code { "report.html.minisig" }
                ", with the trusted comment " code { "strongroom drill 1 " (report.source) " " (report.drill) } "."
            }
        }
    };
    Frame { title: &title, tone, refresh_secs: None }.around(&content)
}

/// What the outcome says, and what it does not.
fn meaning(outcome: DrillOutcome) -> &'static str {
    match outcome {
        DrillOutcome::Passed => {
            "This backup was restored into a scratch database, and everything that was compared is equal to what its \
             signed manifest says of the moment of the backup. It is proven."
        }
        DrillOutcome::Failed => {
            "This backup does not restore, or not to what was backed up. It must not be counted on. These are the \
             differences from its signed manifest:"
        }
        DrillOutcome::CouldNotRun => {
            "Something other than the backup was in the way, so nothing is known of the backup: it has neither passed \
             nor failed."
        }
    }
}

fn restored(report: &DrillReport) -> Markup {
    html! {
        dl.facts {
            (fact("Source", &html! { (report.source) }))
            (fact("Vault", &html! { (report.vault) }))
            (fact("Backup", &html! {
                @match &report.backup {
                    Some(backup) => (name(backup.as_str())),
                    None => "none was found or opened",
                }
            }))
            @if let Some(sequence) = report.sequence { (fact("Sequence number", &html! { (sequence) })) }
            @if let Some(manifest) = report.manifest { (fact("Manifest", &html! { code { (manifest) } " (BLAKE3)" })) }
            @if let Some(at) = report.snapshot_at { (fact("Data of", &time(at))) }
            @if let Some(at) = report.sealed_at { (fact("Sealed", &time(at))) }
            @if let Some(seconds) = report.recovery_point_age_seconds {
                (fact("Age of the data", &html! {
                    (spoken(SignedDuration::from_secs(seconds))) " when the drill began (" (seconds) " s)"
                }))
            }
            @if let Some(bytes) = report.packed_bytes {
                (fact("Packed size", &html! { (ByteSize(bytes)) " (" (grouped(bytes)) " bytes)" }))
            }
            (fact("Suspect", &html! {
                @if report.suspect.is_empty() { "no: its data did not look wiped when it was taken" } @else {
                    "yes, its data looked wiped when it was taken:"
                    ul { @for reason in &report.suspect { li { bdi { (prose(reason)) } } } }
                }
            }))
        }
    }
}

/// Every number, zeros too: an auditor asks what was not compared.
fn comparison(counts: &Compared, outcome: DrillOutcome) -> Markup {
    let Compared { tables, rows, sequences, large_objects, extensions, roles, definitions, checks } = *counts;
    let lines = [
        ("Tables, each by row count and fingerprint", tables),
        ("Rows in them", rows),
        ("Sequences, by value", sequences),
        ("Large objects, by their number", large_objects),
        ("Extensions, by name", extensions),
        ("Roles, by name", roles),
        ("Definitions of the schema, as text", definitions),
        ("Checks of the owner, as SQL", checks),
    ];
    html! {
        @if outcome == DrillOutcome::CouldNotRun && *counts == Compared::default() {
            p.none { (compared(counts)) }
        } @else {
            table.counts {
                thead { tr { th scope="col" { "Compared with the manifest" } th.number scope="col" { "Number" } } }
                tbody {
                    @for (what, count) in lines { tr { th scope="row" { (what) } td.number { (grouped(count)) } } }
                }
            }
        }
    }
}

fn done(report: &DrillReport) -> Markup {
    html! {
        dl.facts {
            (fact("Began", &time(report.started_at)))
            (fact("Ended", &html! { (time(report.ended_at)) ", after " (spoken(report.took())) }))
            (fact("Allowed", &html! {
                @match report.recovery_time_objective_seconds {
                    Some(seconds) => { (spoken(SignedDuration::from_secs(seconds))) " for a restore (" (seconds) " s)" }
                    None => "any time: there is no objective for a restore",
                }
            }))
            (fact("Scratch server", &html! {
                @match &report.server {
                    Some(server) => bdi { (server) },
                    None => "none was started",
                }
            }))
            (fact("Confinement", &html! {
                @match report.confinement {
                    Some(kept) => (confinement(kept)),
                    None => "none was needed: nothing was started",
                }
            }))
            (fact("Host", &html! { bdi { (report.host) } }))
            (fact("Strongroom", &html! { (report.strongroom) }))
        }
    }
}
