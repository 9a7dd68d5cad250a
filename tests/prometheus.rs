//! A real Prometheus reads the daemon's page, and its alert rings when backups stop.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use support::{Daemon, Prometheus, World, expect, plan, text, until};

#[test]
fn prometheus_reads_the_page_and_rings_when_backups_stop_until_they_go_on() {
    let mut world = World::with_postgres(15);
    world.psql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    plan(&world.strongroom, "*/2 * * * * *", "", "");
    world.strongroom.edit("depositor", |text| text.replace("recovery_point = \"30m\"", "recovery_point = \"8s\""));
    let daemon = Daemon::start(&world.strongroom);
    world.strongroom.until_ended("app", 1);
    let folder = world.scratch.path().join("prometheus");
    let prometheus = Prometheus::start(&folder, "strongroom.rules.yml", &[("strongroom", daemon.address())]);
    expect("target that is up", || prometheus.value("up").is_some_and(|(up, _)| up == 1.0));
    let (good, labels) = until("series", || prometheus.value("strongroom_last_good_timestamp_seconds"));
    assert!(good > 1_700_000_000.0, "{good}");
    assert_eq!(
        (&labels["source"], &labels["vault"], &labels["job"]),
        (&"app".into(), &"local".into(), &"strongroom".into())
    );
    expect("quiet", || prometheus.firing().is_empty());

    world.postgres.stop();
    let overdue = until("StrongroomOverdue", || prometheus.rings("StrongroomOverdue"));
    assert_eq!((&overdue["labels"]["source"], &overdue["labels"]["severity"]), (&"app".into(), &"critical".into()));
    let summary = text(&overdue, "/annotations/summary");
    assert!(summary.starts_with("The last good backup of app is ") && summary.ends_with("more than its objective"));
    until("StrongroomRunsFail", || prometheus.rings("StrongroomRunsFail"));
    assert_eq!(daemon.health("/sources/0/state"), "overdue");

    world.postgres.start_again();
    expect("quiet", || prometheus.firing().is_empty());
    drop(daemon);
    until("StrongroomDown", || prometheus.rings("StrongroomDown"));
}
