//! watched: what a watcher alone can say: what was confirmed, what was found, and what drills proved.

use super::{Page, of_source, one_if, timestamp, timestamp_or_0};
use crate::{
    finding::{Finding, FindingKind, Gravity},
    health::{Health, LadderStep, SourceHealth, VaultWatched},
    proof::DrillOutcome,
};

pub fn families(page: &mut Page, role: &'static str, health: &Health) {
    let role = vec![("role", role.to_owned())];
    page.gauge("strongroom_watch_role", "Always 1; the label tells whose watch this is", [(role, 1.0)]);
    confirmed(page, health);
    found(page, health);
    page.by_source(
        "strongroom_recovery_time_objective_seconds",
        "How long a restore may take, as the configuration says; absent where it does not",
        health,
        |source| source.objectives.recovery_time.map(|objective| objective.as_secs_f64()),
    );
    page.by_source(
        "strongroom_proven_within_objective_seconds",
        "How old the newest proven data may become, as the configuration says; absent where it does not",
        health,
        |source| source.objectives.proven_within.map(|objective| objective.as_secs_f64()),
    );
    proven(page, health);
    drills(page, health);
}

fn of(watched: Option<&VaultWatched>, value: impl Fn(&VaultWatched) -> f64) -> f64 {
    watched.map_or(0.0, value)
}

fn confirmed(page: &mut Page, health: &Health) {
    page.by_vault(
        "strongroom_last_confirmed_timestamp_seconds",
        "Of what time the data of the newest backup in this vault is of which everything was read back; 0 before the first",
        health,
        |vault| {
            of(vault.watched.as_ref(), |watched| {
                timestamp_or_0(watched.last_confirmed.as_ref().map(|confirmed| confirmed.snapshot_at))
            })
        },
    );
    page.by_vault(
        "strongroom_last_confirm_timestamp_seconds",
        "When the last confirm ended that could look at everything in this vault; 0 before the first",
        health,
        |vault| of(vault.watched.as_ref(), |watched| timestamp_or_0(watched.confirmed_at)),
    );
    page.by_vault(
        "strongroom_confirm_success",
        "1 if the last confirm could look at everything in this vault, else 0; 0 before the first",
        health,
        |vault| {
            of(vault.watched.as_ref(), |watched| one_if(watched.confirmed_at.is_some() && watched.unverified.is_none()))
        },
    );
}

fn found(page: &mut Page, health: &Health) {
    let count = |watched: Option<&VaultWatched>, counts: fn(&Finding) -> bool| {
        of(watched, |watched| watched.findings.iter().filter(|finding| counts(finding)).count() as f64)
    };
    page.by_vault(
        "strongroom_objects_lock_short",
        "Objects in this vault whose locks end earlier than promised, or are weaker",
        health,
        |vault| count(vault.watched.as_ref(), |finding| finding.kind == FindingKind::LockShort),
    );
    page.by_vault(
        "strongroom_tamper_findings",
        "What the last confirm found that somebody did or that is lost, and that nobody has explained",
        health,
        |vault| {
            count(vault.watched.as_ref(), |finding| matches!(finding.gravity(), Gravity::Tampering | Gravity::Loss))
        },
    );
    let kinds = health.sources.iter().flat_map(|source| {
        source.vaults.iter().flat_map(move |vault| {
            FindingKind::ALL.map(|kind| {
                let mut labels = of_source(source);
                labels.extend([("vault", vault.vault.clone()), ("kind", kind.word().to_owned())]);
                let of_kind = |watched: &VaultWatched| {
                    watched.findings.iter().filter(|finding| finding.kind == kind).count() as f64
                };
                (labels, of(vault.watched.as_ref(), of_kind))
            })
        })
    });
    let help = "What the last confirm found in this vault and nobody has explained, by its kind";
    page.gauge("strongroom_findings", help, kinds);
}

fn point(step: Option<&LadderStep>) -> Option<f64> {
    Some(timestamp_or_0(step.map(|step| step.snapshot_at)))
}

/// Only where drills are known of: that nothing is proven where nobody could tell is no alarm.
fn proven(page: &mut Page, health: &Health) {
    let of_drilled = |source: &SourceHealth| source.drills.as_ref().and_then(|_| point(source.rung.proven.as_ref()));
    page.by_source(
        "strongroom_last_proven_timestamp_seconds",
        "Of what time the newest data is that a drill restored and found equal; 0 before the first",
        health,
        of_drilled,
    );
    page.by_source(
        "strongroom_verified_recovery_point_timestamp_seconds",
        "Of what time the data is that is known to restore: that of the newest good backup that is proven; 0 without one",
        health,
        of_drilled,
    );
}

fn drills(page: &mut Page, health: &Health) {
    page.by_source(
        "strongroom_last_drill_timestamp_seconds",
        "When the last drill of this source ended, however it did; 0 before the first",
        health,
        |source| Some(timestamp_or_0(source.drills.as_ref()?.last.as_ref().map(|last| last.ended_at))),
    );
    let outcomes = health.sources.iter().filter_map(|source| Some((source, source.drills.as_ref()?)));
    let outcomes = outcomes.flat_map(|(source, drills)| {
        let last = drills.last.as_ref().map(|last| last.outcome);
        DrillOutcome::ALL.map(|outcome| {
            let mut labels = of_source(source);
            labels.push(("outcome", outcome.word().to_owned()));
            (labels, one_if(last == Some(outcome)))
        })
    });
    let help = "1 for the outcome of the last drill of this source, 0 for the others";
    page.gauge("strongroom_last_drill_outcome", help, outcomes);
    page.by_source(
        "strongroom_drill_restore_seconds",
        "How long the restore took in the last drill that passed; absent before the first",
        health,
        |source| source.drills.as_ref()?.last_passed.as_ref()?.restore_seconds,
    );
    page.by_source(
        "strongroom_next_drill_timestamp_seconds",
        "When the next drill of this source begins; absent where none is planned here",
        health,
        |source| source.drills.as_ref()?.next_at.map(timestamp),
    );
    let disks = || health.sources.iter().filter_map(|source| Some((source, source.drills.as_ref()?.disk?)));
    page.gauge(
        "strongroom_drill_disk_needed_bytes",
        "How much disk the next drill of this source needs, estimated from its newest backup",
        disks().map(|(source, disk)| (of_source(source), disk.needed_bytes as f64)),
    );
    if let Some((_, disk)) = disks().next() {
        page.alone(
            "strongroom_drill_disk_free_bytes",
            "How much disk is free where drills restore",
            disk.free_bytes as f64,
        );
    }
}
