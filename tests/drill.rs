//! A backup that restores passes its drill, into a server of its own or into one that was given; and the report says so.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use support::{Ran, World, text};

const NASTY: &str = include_str!("schemas/nasty.sql");

fn nasty(major: u32) -> World {
    let world = World::with_postgres(major);
    // Subscriptions, user mappings and large objects of others can be read by a superuser only.
    world.postgres.psql("postgres", "ALTER ROLE strongroom SUPERUSER");
    world.psql(NASTY);
    world
}

fn drill(world: &World, options: &[&str]) -> Ran {
    world.strongroom.run("restorer", &[&["drill", "app", "--json"], options].concat())
}

fn passes_on_a_given_server(major: u32) {
    let world = nasty(major);
    let backup = world.backup();
    let report = drill(&world, &["--to", &world.url("postgres")]).exits(0).json();
    assert_eq!((text(&report, "/outcome"), text(&report, "/backup")), ("passed".into(), backup), "{report:#}");
    assert!(report["compared"]["definitions"].as_u64().unwrap() > 100, "{report:#}");
    eprintln!("{report:#}");
    let left = world.postgres.databases();
    assert!(!left.iter().any(|database| database.starts_with("strongroom_drill")), "{left:?}");
}

#[test]
fn everything_odd_passes_on_a_given_server_of_15() {
    passes_on_a_given_server(15);
}

#[test]
fn everything_odd_passes_on_a_given_server_of_17() {
    passes_on_a_given_server(17);
}

#[test]
fn everything_odd_passes_on_a_given_server_of_18() {
    passes_on_a_given_server(18);
}

#[test]
fn a_forged_backup_that_says_other_rows_fails_on_them() {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE precious (i int); INSERT INTO precious VALUES (1), (2); CREATE SEQUENCE s");
    let backup = world.backup();
    let forged = format!("{}{}", &backup[..backup.len() - 1], if backup.ends_with('0') { '1' } else { '0' });
    let signing = world.strongroom.path("keys/signing.key");
    let to = world.url("postgres");
    support::forge(&world, &signing, &backup, &forged, |loot| {
        loot.closed["tables"][0]["fingerprint"]["rows"] = 3.into();
    });
    let report = drill(&world, &["--to", &to]).exits(14).json();
    assert_eq!(text(&report, "/outcome"), "failed", "{report:#}");
    assert_eq!(
        text(&report, "/differences/0"),
        r#""public"."precious": 3 rows in the backup, 2 restored"#,
        "{report:#}"
    );
}
