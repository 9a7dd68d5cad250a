//! Tests of the page as a scraper reads it.

use super::{super::board::Board, *};
use crate::{
    clock::SignedDuration,
    finding::{Finding, FindingKind},
    health::{DiskFacts, DrillFacts, Facts, Objectives, VaultFacts, VaultWatched},
    layout::BackupId,
    manifest::LockMode,
    run::{Phase, Record, Trigger},
};

fn at(text: &str) -> Timestamp {
    format!("2026-11-21T{text}Z").parse().unwrap()
}

fn facts(source: &str) -> Facts {
    let vault = |name: &str| VaultFacts {
        vault: name.to_owned(),
        every: None,
        last_sealed: None,
        last_good: None,
        failing: None,
        watched: None,
    };
    Facts {
        source: source.parse().unwrap(),
        objectives: Objectives::default(),
        needed: 2,
        expected_since: at("11:59:00"),
        vaults: vec![vault("east"), vault("west")],
        last_run: None,
        running_since: None,
        next_run_at: None,
        suspicions: Vec::new(),
        drills: None,
    }
}

fn sealed(snapshot_at: &str) -> Option<SealedFacts> {
    let snapshot_at = at(snapshot_at);
    Some(SealedFacts {
        backup: BackupId::new(snapshot_at, [0; 4]),
        snapshot_at,
        sealed_at: snapshot_at + SignedDuration::from_millis(90_500),
        lock: LockMode::Compliance,
        locked_until: Some(at("23:00:00")),
        packed_bytes: 5,
    })
}

fn run() -> Record {
    Record {
        source: "app".parse().unwrap(),
        backup: None,
        trigger: Trigger::First,
        started_at: at("11:50:00"),
        phase: Phase::Sealing,
        ended: Some(End {
            at: at("11:50:02"),
            outcome: Outcome::SomeFailed,
            why: None,
            bytes: Bytes { read: 4_000_000_000_000, packed: 3, sent: 2, reused: 1 },
            rows: 7,
            tables: 1,
            segments: 1,
        }),
    }
}

fn shown(write: impl FnOnce(&mut Shown)) -> Shown {
    let board = Board::new(at("10:00:00"));
    board.update(write);
    board.shown()
}

/// The page's samples, sorted.
fn samples(shown: &Shown) -> Vec<String> {
    let page = page(at("12:00:00"), shown);
    let mut samples: Vec<String> = page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    samples.sort();
    samples
}

#[test]
fn a_new_source_has_every_series_from_the_beginning() {
    let samples = samples(&shown(|shown| shown.facts = vec![facts("app")]));
    let mut expected = vec![
        format!("strongroom_build_info{{version=\"{}\"}} 1.0", env!("CARGO_PKG_VERSION")),
        "strongroom_config_loaded_timestamp_seconds 1795255200.0".to_owned(),
        "strongroom_config_reload_success 1.0".to_owned(),
        "strongroom_protected{source=\"app\"} 0.0".to_owned(),
        "strongroom_vaults_needed{source=\"app\"} 2.0".to_owned(),
    ];
    for name in
        ["last_sealed_timestamp_seconds", "last_good_timestamp_seconds", "lock_end_timestamp_seconds", "vault_failing"]
    {
        expected
            .extend(["east", "west"].map(|vault| format!("strongroom_{name}{{source=\"app\",vault=\"{vault}\"}} 0.0")));
    }
    for name in [
        "recovery_point_timestamp_seconds",
        "last_run_timestamp_seconds",
        "last_run_success",
        "last_run_duration_seconds",
        "last_run_rows",
        "suspect",
        "vaults_holding",
        "running",
    ] {
        expected.push(format!("strongroom_{name}{{source=\"app\"}} 0.0"));
    }
    for kind in ["read", "packed", "sent", "reused"] {
        expected.push(format!("strongroom_last_run_bytes{{source=\"app\",kind=\"{kind}\"}} 0.0"));
    }
    for outcome in Outcome::ALL {
        expected.push(format!("strongroom_runs_total{{source=\"app\",outcome=\"{outcome}\"}} 0"));
    }
    expected.sort();
    assert_eq!(samples, expected);
}

#[test]
fn what_is_known_is_told_in_base_units() {
    let app: crate::layout::SourceName = "app".parse().unwrap();
    let shown = shown(|shown| {
        let mut known = facts("app");
        known.objectives.recovery_point = Some(SignedDuration::from_mins(30));
        known.vaults[0].last_sealed = sealed("11:50:00");
        known.vaults[0].last_good = sealed("11:40:00");
        known.vaults[1].failing = Some("denied".into());
        known.last_run = Some(run());
        known.running_since = Some(at("11:59:59"));
        known.next_run_at = Some(at("12:15:00"));
        known.suspicions = vec!["gone".into()];
        known.needed = 1;
        shown.facts = vec![known];
        shown.totals.runs.insert((app, Outcome::SomeFailed), 12);
        shown.totals.alerts_failed.insert("team".into(), 3);
        shown.clock_skews.insert("east".into(), -1.5);
        shown.reload.succeeded = false;
    });
    let samples = samples(&shown);
    for line in [
        "strongroom_last_sealed_timestamp_seconds{source=\"app\",vault=\"east\"} 1795261890.5",
        "strongroom_last_good_timestamp_seconds{source=\"app\",vault=\"east\"} 1795261200.0",
        "strongroom_recovery_point_timestamp_seconds{source=\"app\"} 1795261200.0",
        "strongroom_recovery_point_objective_seconds{source=\"app\"} 1800.0",
        "strongroom_lock_end_timestamp_seconds{source=\"app\",vault=\"east\"} 1795302000.0",
        "strongroom_vault_failing{source=\"app\",vault=\"west\"} 1.0",
        "strongroom_last_run_timestamp_seconds{source=\"app\"} 1795261802.0",
        "strongroom_last_run_success{source=\"app\"} 1.0",
        "strongroom_last_run_duration_seconds{source=\"app\"} 2.0",
        "strongroom_last_run_bytes{source=\"app\",kind=\"read\"} 4000000000000.0",
        "strongroom_last_run_rows{source=\"app\"} 7.0",
        "strongroom_runs_total{source=\"app\",outcome=\"some-failed\"} 12",
        "strongroom_suspect{source=\"app\"} 1.0",
        "strongroom_protected{source=\"app\"} 1.0",
        "strongroom_vaults_holding{source=\"app\"} 1.0",
        "strongroom_running{source=\"app\"} 1.0",
        "strongroom_next_run_timestamp_seconds{source=\"app\"} 1795263300.0",
        "strongroom_clock_skew_seconds{vault=\"east\"} -1.5",
        "strongroom_config_reload_success 0.0",
        "strongroom_alerts_failed_total{alert=\"team\"} 3",
    ] {
        assert!(samples.iter().any(|sample| sample == line), "no `{line}` in:\n{}", samples.join("\n"));
    }
}

#[test]
fn a_source_that_is_gone_leaves_no_series() {
    let mut shown = shown(|shown| shown.facts = vec![facts("app"), facts("old")]);
    assert!(samples(&shown).iter().any(|sample| sample.contains("\"old\"")));
    shown.facts.pop();
    assert!(!samples(&shown).iter().any(|sample| sample.contains("\"old\"")));
}

#[test]
fn the_page_is_openmetrics_with_help_for_strangers() {
    let page = page(at("12:00:00"), &shown(|shown| shown.facts = vec![facts("app")]));
    assert!(page.ends_with("\n# EOF\n"));
    assert!(page.contains("# TYPE strongroom_runs counter\n"));
    for line in page.lines().filter(|line| line.starts_with("# HELP")) {
        assert!(line.ends_with('.') && !line.ends_with("..") && !line.contains("  "), "{line}");
    }
    let families = page.lines().filter(|line| line.starts_with("# TYPE")).count();
    assert_eq!(families, page.lines().filter(|line| line.starts_with("# HELP")).count());
}

/// A source that is watched in its first vault, and drilled.
fn watched() -> Facts {
    let mut known = facts("app");
    let last = sealed("11:40:00");
    known.vaults[0].last_good = last.clone();
    known.vaults[0].watched = Some(VaultWatched {
        last_confirmed: last,
        confirmed_at: Some(at("11:59:00")),
        findings: vec![
            Finding::new(FindingKind::LockShort, "v1/app/a", "is short"),
            Finding::new(FindingKind::Marker, "v1/app/b", "was hidden"),
            Finding::new(FindingKind::Vanished, "v1/app/c", "is gone"),
        ],
        accepted: vec![Finding::new(FindingKind::Marker, "v1/app/d", "was hidden")],
        ..VaultWatched::default()
    });
    let disk = Some(DiskFacts { free_bytes: 5, needed_bytes: 40 });
    known.drills = Some(DrillFacts {
        expected_since: at("10:00:00"),
        last: None,
        last_passed: None,
        failed: None,
        stuck_since: None,
        running_since: None,
        next_at: Some(at("12:15:00")),
        disk,
    });
    known
}

#[test]
fn a_watcher_tells_what_it_saw_and_nothing_of_runs() {
    let samples = samples(&shown(|shown| {
        shown.facts = vec![watched()];
        shown.told_by = crate::page::Teller::Inspector;
        shown.credential_expires.insert("east".into(), at("13:00:00"));
    }));
    for line in [
        "strongroom_watch_role{role=\"inspector\"} 1.0",
        "strongroom_last_confirmed_timestamp_seconds{source=\"app\",vault=\"east\"} 1795261200.0",
        "strongroom_last_confirmed_timestamp_seconds{source=\"app\",vault=\"west\"} 0.0",
        "strongroom_last_confirm_timestamp_seconds{source=\"app\",vault=\"east\"} 1795262340.0",
        "strongroom_confirm_success{source=\"app\",vault=\"east\"} 1.0",
        "strongroom_confirm_success{source=\"app\",vault=\"west\"} 0.0",
        "strongroom_objects_lock_short{source=\"app\",vault=\"east\"} 1.0",
        "strongroom_tamper_findings{source=\"app\",vault=\"east\"} 2.0",
        "strongroom_findings{source=\"app\",vault=\"east\",kind=\"marker\"} 1.0",
        "strongroom_findings{source=\"app\",vault=\"east\",kind=\"fork\"} 0.0",
        "strongroom_last_proven_timestamp_seconds{source=\"app\"} 0.0",
        "strongroom_verified_recovery_point_timestamp_seconds{source=\"app\"} 0.0",
        "strongroom_last_drill_timestamp_seconds{source=\"app\"} 0.0",
        "strongroom_last_drill_outcome{source=\"app\",outcome=\"could-not-run\"} 0.0",
        "strongroom_next_drill_timestamp_seconds{source=\"app\"} 1795263300.0",
        "strongroom_drill_disk_free_bytes 5.0",
        "strongroom_drill_disk_needed_bytes{source=\"app\"} 40.0",
        "strongroom_credential_expires_timestamp_seconds{vault=\"east\"} 1795266000.0",
        "strongroom_recovery_point_timestamp_seconds{source=\"app\"} 0.0",
    ] {
        assert!(samples.iter().any(|sample| sample == line), "no `{line}` in:\n{}", samples.join("\n"));
    }
    for name in ["strongroom_last_run", "strongroom_runs_total", "strongroom_running", "strongroom_vault_failing"] {
        assert!(!samples.iter().any(|sample| sample.starts_with(name)), "{name}");
    }
}

#[test]
fn where_nobody_knows_of_drills_nothing_says_that_none_passed() {
    let samples = samples(&shown(|shown| {
        shown.facts = vec![Facts { drills: None, ..watched() }];
        shown.told_by = crate::page::Teller::Inspector;
    }));
    for name in ["strongroom_last_proven", "strongroom_last_drill", "strongroom_verified"] {
        assert!(!samples.iter().any(|sample| sample.starts_with(name)), "{name}");
    }
}
