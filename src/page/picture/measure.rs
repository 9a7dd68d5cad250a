//! measure: sizes and times of backups and restores, each as a small picture of its own.

use super::{
    Backup, Window, backups,
    climb::{dates, days},
};
use crate::{
    clock::{SignedDuration, Timestamp, spoken},
    health::{Objectives, Story},
    page::element::{in_full, outcome, percent, used},
    proof::{DrillOutcome, DrillReport},
};
use bytesize::ByteSize;
use maud::{Markup, html};

const TOP: f64 = 18.0;
const BOTTOM: f64 = 104.0;
const HEIGHT: u32 = 126;
/// More drills than that cannot be told apart.
const DRILLS_MAX: usize = 56;
/// Round numbers of a unit of which the next is 1,024 of it.
const STEPS: [f64; 16] = [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 15.0, 25.0, 40.0, 60.0, 100.0, 150.0, 250.0, 500.0];

pub fn measures(story: &Story, objectives: &Objectives, now: Timestamp) -> Markup {
    let backups = backups(story);
    let size = |bytes: f64| ByteSize(bytes as u64).to_string();
    let took = |backup: &Backup| backup.took.as_secs_f64().max(0.0);
    html! {
        @if !(backups.is_empty() && story.drills.is_empty()) {
            div.measures {
                (curve("Packed size", &backups, |backup| backup.packed_bytes as f64, (bytes_above, &size), now))
                (curve("Time a backup takes", &backups, took, (seconds_above, &said_of), now))
                (drills(&story.drills, objectives, now))
            }
        }
    }
}

/// How a quantity's axis ends, and how a value of it is written.
type Scale<'a> = (fn(f64) -> f64, &'a dyn Fn(f64) -> String);

/// The largest of each column, so that no peak is hidden.
fn curve(
    heading: &str,
    backups: &[Backup],
    value: impl Fn(&Backup) -> f64,
    (above, written): Scale,
    now: Timestamp,
) -> Markup {
    let times: Vec<Timestamp> = backups.iter().map(|backup| backup.sealed_at).collect();
    let window = Window::of(&times, now);
    let columns = window.columns(backups.iter().map(|backup| (backup.sealed_at, backup)));
    let largest = |members: &[&Backup]| members.iter().map(|backup| value(backup)).fold(0.0, f64::max);
    let points: Vec<(f64, f64, bool)> = columns
        .iter()
        .map(|column| {
            (window.along(column.at), largest(&column.members), column.members.iter().any(|backup| backup.suspect))
        })
        .collect();
    let highest = points.iter().map(|(_, value, _)| *value).fold(0.0, f64::max);
    let top = above(highest);
    let mut path = String::new();
    for (at, (x, value, _)) in points.iter().enumerate() {
        let letter = if at == 0 { 'M' } else { 'L' };
        path += &format!("{letter}{x:.2} {:.2}", height(*value, top));
    }
    let newest = backups.last().map(&value).unwrap_or_default();
    html! {
        @if let Some((x, last, _)) = points.last() {
            figure.picture {
                figcaption { h3 { (heading) } p.fine { (written(newest)) " now, " (written(highest)) " at most" } }
                svg role="img" width="100%" height=(HEIGHT) {
                    title { (heading) }
                    desc { (written(newest)) " now, " (written(highest)) " at most in " (days(window)) "." }
                    (axis(&written(top), &window))
                    svg.stretched viewBox="0 0 100 126" preserveAspectRatio="none" width="100%" height=(HEIGHT) {
                        path.curve d=(path) {}
                    }
                    @for (x, value, _) in points.iter().filter(|(.., suspect)| *suspect) {
                        g.odd {
                            (used("suspect", &percent(*x), &format!("{:.1}", height(*value, top)), Some("suspect")))
                        }
                    }
                    circle.last cx=(percent(*x)) cy=(format!("{:.1}", height(*last, top))) r="3" {}
                }
            }
        }
    }
}

fn drills(drills: &[DrillReport], objectives: &Objectives, now: Timestamp) -> Markup {
    let drills = &drills[drills.len().saturating_sub(DRILLS_MAX)..];
    let times: Vec<Timestamp> = drills.iter().map(|drill| drill.started_at).collect();
    let window = Window::of(&times, now);
    let shown: Vec<&DrillReport> = drills.iter().filter(|drill| window.holds(drill.started_at)).collect();
    let allowed = objectives.recovery_time.map(|allowed| allowed.as_secs_f64());
    let highest = shown.iter().filter_map(|drill| drill.restore_seconds).chain(allowed).fold(0.0, f64::max);
    let top = seconds_above(highest);
    let count = |outcome| shown.iter().filter(|drill| drill.outcome == outcome).count();
    let counts = DrillOutcome::ALL.map(|one| (one, count(one)));
    let said = counts.map(|(one, count)| format!("{count} {}", one.word().replace('-', " "))).join(", ");
    html! {
        @if !shown.is_empty() {
            figure.picture {
                figcaption { h3 { "Time a restore takes" } p.fine { "in drills of " (days(window)) } }
                svg role="img" width="100%" height=(HEIGHT) {
                    title { "How long the drills' restores took" }
                    desc { (said) "." }
                    (axis(&if highest == 0.0 || allowed == Some(top) { String::new() } else { said_of(top) }, &window))
                    @if let Some(allowed) = allowed {
                        @let y = height(allowed, top);
                        line.allowed x1="0" x2="100%" y1=(y) y2=(y) {}
                        text.date x="0" y=(y - 6.0) { (said_of(allowed)) " allowed" }
                    }
                    @for drill in &shown { (restored(drill, &window, top)) }
                }
                ul.legend aria-label="Legend, with how many there are" {
                    @for (one, count) in counts { li { (outcome(one)) " " (count) } }
                }
            }
        }
    }
}

fn said_of(seconds: f64) -> String {
    SignedDuration::try_from_secs_f64(seconds).map_or_else(|_| "?".to_owned(), spoken)
}

/// One drill; one that restored nothing stands on the ground.
fn restored(drill: &DrillReport, window: &Window, top: f64) -> Markup {
    let x = percent(window.along(drill.started_at));
    let y = format!("{:.1}", height(drill.restore_seconds.unwrap_or(0.0), top));
    let (class, mark) = match drill.outcome {
        DrillOutcome::Passed => ("well", "good"),
        DrillOutcome::Failed => ("bad", "unprotected"),
        DrillOutcome::CouldNotRun => ("warn", "unknown"),
    };
    let took = drill.restore_seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    let took = took.map_or(String::new(), |took| format!(", restored in {}", spoken(took)));
    let title = format!("{}: {}{took}", in_full(drill.started_at), drill.outcome.word());
    html! {
        line.stem x1=(x) x2=(x) y1=(BOTTOM) y2=(y) {}
        g class=(class) { (used(mark, &x, &y, Some(&title))) }
    }
}

/// The ground, the line at the top of the scale with its value, and the dates.
fn axis(top: &str, window: &Window) -> Markup {
    html! {
        line.lane x1="0" x2="100%" y1=(TOP) y2=(TOP) {}
        text.lane x="0" y=(TOP - 6.0) { (top) }
        line.lane x1="0" x2="100%" y1=(BOTTOM) y2=(BOTTOM) {}
        (dates(window, HEIGHT - 4))
    }
}

fn height(value: f64, top: f64) -> f64 {
    BOTTOM - (value / top).clamp(0.0, 1.0) * (BOTTOM - TOP)
}

/// The next round size.
fn bytes_above(bytes: f64) -> f64 {
    let units = (0..6).map(|power| 1024_f64.powi(power));
    let steps = units.flat_map(|unit| STEPS.map(|step| step * unit));
    steps.into_iter().find(|step| *step >= bytes).unwrap_or(bytes.max(1.0))
}

/// The next round span.
fn seconds_above(seconds: f64) -> f64 {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 3_600.0;
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0].into_iter();
    let steps = steps.chain([2.0, 5.0, 10.0, 20.0, 30.0].map(|minutes| minutes * MINUTE));
    let steps = steps.chain([1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0].map(|hours| hours * HOUR));
    steps.into_iter().find(|step| *step >= seconds).unwrap_or(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_values() {
        assert_eq!(
            [0.0, 1.0, 1.5, 300.0, 207.5 * 1024.0 * 1024.0]
                .map(|bytes| ByteSize(bytes_above(bytes) as u64).to_string()),
            ["1 B", "1 B", "1 B", "500 B", "250.0 MiB"].map(str::to_owned)
        );
        assert_eq!(
            [0.0, 12.0, 61.0, 3_600.0, 3_601.0, 1e9].map(seconds_above),
            [1.0, 20.0, 120.0, 3_600.0, 7_200.0, 1e9]
        );
    }
}
