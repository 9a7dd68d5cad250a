//! Tests of what a watcher remembers, and of the step that brings an older catalog to it.

use super::World;
use crate::{
    catalog::{Catalog, Remembered, Round, Seen},
    clock::SignedDuration,
    digest::Blake3,
    finding::{Finding, FindingKind},
    health::{Sighting, Unverified},
    layout::DrillId,
    manifest::LockMode,
    proof::{Compared, DrillOutcome, DrillReport, FORMAT},
};
use sqlx::Connection;
use std::fs;

fn remembered(world: &World, number: u8, day: i64) -> Remembered {
    let sighting = Sighting {
        vault: "offsite".to_owned(),
        backup: world.backup(number),
        sequence: u64::from(number),
        snapshot_at: world.day(day),
        sealed_at: world.day(day),
        took: SignedDuration::from_millis(1_234),
        packed_bytes: 99,
        lock: LockMode::Compliance,
        locked_until: Some(world.day(day + 10)),
        suspect: false,
        confirmed_at: Some(world.day(day)),
        proven_at: None,
        gone_at: None,
    };
    Remembered {
        sighting,
        manifest: Blake3([number; 32]),
        suspicions: Vec::new(),
        standing: Seen::Confirmed,
        first_seen_at: world.day(day),
    }
}

fn report(world: &World, number: u8, day: i64, outcome: DrillOutcome) -> DrillReport {
    DrillReport {
        format: FORMAT,
        drill: DrillId::new(world.day(day), [number; 4]),
        source: world.source.clone(),
        vault: "offsite".to_owned(),
        outcome,
        differences: Vec::new(),
        reason: None,
        hint: None,
        backup: Some(world.backup(number)),
        manifest: Some(Blake3([number; 32])),
        sequence: Some(1),
        snapshot_at: Some(world.day(day)),
        sealed_at: Some(world.day(day)),
        suspect: Vec::new(),
        started_at: world.day(day),
        ended_at: world.day(day),
        restore_seconds: Some(1.5),
        recovery_time_objective_seconds: None,
        recovery_point_age_seconds: None,
        packed_bytes: Some(99),
        compared: Compared::default(),
        confinement: None,
        server: None,
        notes: Vec::new(),
        strongroom: "0.1.0".to_owned(),
        host: "drills".to_owned(),
    }
}

#[tokio::test]
async fn what_a_look_brought_comes_back_as_it_was() {
    let world = World::new();
    let catalog = world.open().await;
    assert_eq!(catalog.round(world.place()).await.unwrap(), None);
    let mut suspect = remembered(&world, 2, 1);
    suspect.suspicions = vec!["a table lost rows".to_owned()];
    suspect.sighting.suspect = true;
    suspect.sighting.gone_at = Some(world.day(2));
    suspect.standing = Seen::Failed;
    let first = remembered(&world, 1, 0);
    let round = Round {
        confirmed_at: Some(world.day(1)),
        all_confirmed_at: None,
        unverified: Some(Unverified { since: world.day(2), why: "denied".to_owned() }),
        findings: FindingKind::ALL.map(|kind| Finding::new(kind, "v1/app/x", "is so")).into(),
        clock_skew_secs: Some(-61),
    };
    catalog.remember(world.place(), &round, &[&suspect, &first]).await.unwrap();
    assert_eq!(catalog.round(world.place()).await.unwrap().unwrap(), round);
    assert_eq!(catalog.sightings(world.place(), world.day(0)).await.unwrap(), [first, suspect.clone()]);
    // Said again, the newer word counts, and a round without anything new changes no backup.
    suspect.standing = Seen::Confirmed;
    catalog.remember(world.place(), &Round::default(), &[&suspect]).await.unwrap();
    assert_eq!(catalog.round(world.place()).await.unwrap().unwrap(), Round::default());
    assert_eq!(catalog.sightings(world.place(), world.day(0)).await.unwrap()[1], suspect);
    let sighted = catalog.sighted_since(world.place(), world.day(1)).await.unwrap();
    assert_eq!(sighted, [suspect.sighting.clone()]);
    let elsewhere = super::Place { address: "s3://other", ..world.place() };
    assert_eq!(catalog.sightings(elsewhere, world.day(0)).await.unwrap(), []);
}

#[tokio::test]
async fn only_what_lapsed_long_ago_is_forgotten_and_never_the_newest() {
    let world = World::new();
    let catalog = world.open().await;
    let all = [remembered(&world, 1, 0), remembered(&world, 2, 1)];
    catalog.remember(world.place(), &Round::default(), &all.each_ref()).await.unwrap();
    for (number, outcome) in [(1, DrillOutcome::Passed), (2, DrillOutcome::Passed), (3, DrillOutcome::Failed)] {
        catalog.keep_drill(&report(&world, number, i64::from(number), outcome)).await.unwrap();
    }
    let left = async |days: i64| {
        catalog.forget_sightings(world.day(days)).await.unwrap();
        let drills = catalog.drills(&world.source, 100).await.unwrap();
        (catalog.sightings(world.place(), world.day(0)).await.unwrap().len(), drills.len())
    };
    assert_eq!(left(400).await, (2, 3));
    assert_eq!(left(411).await, (1, 2), "the first was locked until day 10, and drilled at day 1");
    assert_eq!(left(10_000).await, (1, 2), "the newest stay");
}

#[tokio::test]
async fn the_first_report_of_a_drill_stays_and_the_proven_data_is_the_newest() {
    let world = World::new();
    let catalog = world.open().await;
    let newest = report(&world, 1, 5, DrillOutcome::Passed);
    let sample = DrillReport { snapshot_at: Some(world.day(1)), ..report(&world, 2, 6, DrillOutcome::Passed) };
    let suspect = DrillReport { suspect: vec!["wiped".to_owned()], ..report(&world, 3, 7, DrillOutcome::Passed) };
    for report in [&newest, &sample, &suspect] {
        catalog.keep_drill(report).await.unwrap();
    }
    let other = DrillReport { outcome: DrillOutcome::Failed, ..newest.clone() };
    catalog.keep_drill(&other).await.unwrap();
    assert_eq!(catalog.last_passed_drill(&world.source).await.unwrap(), Some(newest.clone()));
    assert_eq!(catalog.drills(&world.source, 2).await.unwrap(), [suspect, sample]);
}

/// `schema.sql` is what version 1 wrote, to the letter: a step only adds.
#[tokio::test]
async fn a_catalog_of_version_1_is_brought_up_to_date_and_keeps_everything() {
    let world = World::new();
    let address = format!("sqlite://{}?mode=rwc", world.file("catalog.db").display());
    let mut old = sqlx::SqliteConnection::connect(&address).await.unwrap();
    sqlx::raw_sql(include_str!("../schema.sql")).execute(&mut old).await.unwrap();
    let rows = "INSERT INTO origin VALUES (1, '2026-11-01T00:00:00.000000000Z', NULL);
        INSERT INTO sources VALUES ('app', '2026-11-01T00:00:00.000000000Z');
        INSERT INTO chains (chain, vault, source, place, sequence) VALUES (1, 'offsite', 'app', $place, 41);
        INSERT INTO backups VALUES (1, '20261120T120301Z-00000001', 41, $digest, '2026-11-20T12:03:01.000000000Z',
            '2026-11-20T12:04:01.000000000Z', 'compliance', '2026-12-25T12:04:01.000000000Z', 7, '[]');";
    let rows =
        rows.replace("$place", &format!("'{}'", super::HERE)).replace("$digest", &format!("'{}'", "0".repeat(64)));
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows)).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    assert!(Catalog::open_read_only(world.folder.path()).await.unwrap().is_none(), "no watcher wrote it");

    let catalog = world.open().await;
    assert_eq!((catalog.set_aside(), world.aside()), (None, Vec::new()));
    let first_seen = catalog.first_seen(&world.source, world.now).await.unwrap();
    assert_eq!(first_seen, "2026-11-01T00:00:00Z".parse().unwrap());
    let last = catalog.vault_facts(world.place(), None).await.unwrap().last_good.unwrap();
    assert_eq!(last.backup.as_str(), "20261120T120301Z-00000001");
    let next = catalog.chain(world.place()).await.unwrap().next();
    assert_eq!((next.sequence, next.restarted), (42, None));
    catalog.remember(world.place(), &Round::default(), &[&remembered(&world, 1, 0)]).await.unwrap();
    catalog.close().await;
    let again = world.open().await;
    assert_eq!(again.sightings(world.place(), world.day(0)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_only_reads_makes_nothing_and_sees_what_is_being_written() {
    let world = World::new();
    assert!(Catalog::open_read_only(&world.file("none")).await.unwrap().is_none());
    assert!(!world.file("none").exists());
    let catalog = world.open().await;
    catalog.remember(world.place(), &Round::default(), &[&remembered(&world, 1, 0)]).await.unwrap();
    let sees = async || {
        let reading = Catalog::open_read_only(world.folder.path()).await.unwrap().unwrap();
        let seen = reading.sightings(world.place(), world.day(0)).await.unwrap().len();
        reading.close().await;
        seen
    };
    assert_eq!(sees().await, 1, "while it is open");
    catalog.close().await;
    let files = || fs::read_dir(world.folder.path()).unwrap().count();
    let before = files();
    assert_eq!((sees().await, files()), (1, before), "and when it is closed");
}
