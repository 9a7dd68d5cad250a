//! A backup that restores passes its drill, in a scratch server of its own or on one that was given; the report says
//! so, is signed, and lies beside the backups; and of the scratch server nothing is left.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use support::{PRODUCTION, Ran, World, files_below, strongroom, text};

const NASTY: &str = include_str!("schemas/nasty.sql");

/// A world whose database is full of everything odd that PostgreSQL allows.
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

/// What is left of scratch servers: nothing, ever.
fn leftovers(world: &World) -> Vec<PathBuf> {
    let scratch = world.strongroom.scratch_dir();
    let entries = fs::read_dir(scratch).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

fn everything_odd_passes(major: u32) {
    let world = nasty(major);
    let backup = world.backup();
    let report = drill(&world, &[]).exits(0).json();
    assert_eq!((text(&report, "/outcome"), text(&report, "/backup")), ("passed".into(), backup), "{report:#}");
    assert_eq!(text(&report, "/confinement"), "bubblewrap", "{report:#}");
    for compared in ["tables", "rows", "sequences", "large_objects", "extensions", "roles", "definitions"] {
        assert!(report["compared"][compared].as_u64().unwrap() > 0, "{compared}: {report:#}");
    }
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
    assert!(text(&report, "/server").starts_with(&major.to_string()), "{report:#}");
}

#[test]
fn everything_odd_in_15_passes() {
    everything_odd_passes(15);
}

#[test]
fn everything_odd_in_17_passes() {
    everything_odd_passes(17);
}

#[test]
fn everything_odd_in_18_passes() {
    everything_odd_passes(18);
}

#[test]
fn on_a_given_server_the_drill_has_a_database_of_its_own_and_drops_it() {
    for major in [15, 18] {
        let world = nasty(major);
        world.backup();
        let report = drill(&world, &["--to", &world.url("postgres")]).exits(0).json();
        assert_eq!(text(&report, "/confinement"), "given-server", "{report:#}");
        assert!(report["compared"]["definitions"].as_u64().unwrap() > 100, "{report:#}");
        let roles = report["compared"]["roles"].as_u64().unwrap();
        assert_eq!(world.postgres.databases(), ["postgres", PRODUCTION], "{roles}: {report:#}");
    }
}

/// What every second production schema has: PostgreSQL words such checks differently once they have been through it.
const REWORDED: &str = "
    CREATE TABLE orders (state varchar(9) CHECK (state IN ('new', 'paid')));
    CREATE VIEW open AS SELECT * FROM orders WHERE state IN ('new', 'paid');";

#[test]
fn what_postgresql_itself_words_differently_is_no_difference() {
    let world = World::with_postgres(15);
    world.psql(REWORDED);
    // What a dump has to say of it is worded once more when it has been restored.
    world.backup();
    world.restore("production_2", &[]).exits(0);
    let report = drill(&world, &[]).exits(0).json();
    let notes = report["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains("in other words")), "{report:#}");
}

#[test]
fn older_backups_are_proven_as_a_sample_and_by_name() {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t (i int)");
    let backups = [1, 2, 3].map(|row| {
        world.psql(&format!("INSERT INTO t VALUES ({row})"));
        world.backup()
    });
    let ran = drill(&world, &["--sample", "2"]).exits(0);
    let drilled: Vec<String> =
        ran.stdout.lines().map(|line| text(&serde_json::from_str::<Value>(line).unwrap(), "/backup")).collect();
    assert_eq!((drilled.len(), &drilled[0]), (3, &backups[2]), "{drilled:?}");
    let all = |names: &[String]| names.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(all(&drilled), all(&backups));
    let report = drill(&world, &["--at", &backups[0]]).exits(0).json();
    assert_eq!((text(&report, "/backup"), text(&report, "/compared/rows")), (backups[0].clone(), "1".into()));
}

#[test]
fn a_report_that_is_kept_nowhere_says_so() {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t (i int)");
    world.backup();
    world.strongroom.edit("restorer", |text| text.replace("deposit_reports = true\n", ""));
    let told = "report: kept nowhere";
    world.strongroom.run("restorer", &["drill"]).exits(0).says(told);
    let folder = world.scratch.path().join("reports");
    let ran = world.strongroom.run("restorer", &["drill", "--report", folder.to_str().unwrap()]).exits(0);
    assert!(!ran.stdout.contains(told), "{}", ran.stdout);
}

#[test]
fn the_report_is_signed_lies_beside_the_backups_and_is_the_same_everywhere() {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t (i int)");
    world.backup();
    let folder = world.scratch.path().join("reports");
    let printed = drill(&world, &["--report", folder.to_str().unwrap()]).exits(0).json();
    let pub_key = world.strongroom.path("keys/report.pub");
    let verified = |file: &Path, signature: &Path| {
        let mut minisign = Command::new("minisign");
        minisign.args(["-V", "-p"]).arg(&pub_key).arg("-m").arg(file).arg("-x").arg(signature);
        let output = minisign.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let comment = format!("strongroom drill 1 app {}", text(&printed, "/drill"));
        assert!(said.contains(&comment), "{said}");
    };
    let written: Vec<PathBuf> = files_below(&folder);
    assert_eq!(written.len(), 4, "{written:?}");
    let in_vault = |name: &str| world.object(&format!("drills/{}/{name}", text(&printed, "/drill")));
    for name in ["report.json", "report.html"] {
        let file = written.iter().find(|path| path.ends_with(name)).unwrap();
        verified(file, &file.with_file_name(format!("{name}.minisig")));
        assert_eq!(fs::read(file).unwrap(), fs::read(in_vault(name)).unwrap());
        verified(&in_vault(name), &in_vault(&format!("{name}.minisig")));
    }
    let written: Value = serde_json::from_slice(&fs::read(in_vault("report.json")).unwrap()).unwrap();
    assert_eq!(written, printed);
    let page = fs::read_to_string(in_vault("report.html")).unwrap();
    assert!(page.contains(&text(&printed, "/backup")) && !page.contains("<script"), "{page}");
    // Reports are no strangers in the vault.
    world.strongroom.run("inspector", &["confirm"]).exits(0);
}

#[test]
fn people_are_told_what_was_proven_and_how_long_it_took() {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)");
    let backup = world.backup();
    world.strongroom.edit("restorer", |text| {
        text.replace("proven_within = \"26h\"", "proven_within = \"26h\", recovery_time = \"1s\"")
            .replace("# checks = [\"SELECT count(*) > 0 FROM customers\"]", "checks = [\"SELECT count(*) = 2 FROM t\"]")
    });
    let ran = world.strongroom.run("restorer", &["drill"]).exits(0);
    for said in
        ["PASSED app", &backup, "sandboxed by bubblewrap", "1 tables with 2 rows", "1 checks", "deposited in local"]
    {
        assert!(ran.stdout.contains(said), "no `{said}` in {}", ran.stdout);
    }
}

#[test]
fn a_drill_needs_the_restorers_configuration_and_a_source_that_is_there() {
    let world = World::with_postgres(15);
    for role in ["depositor", "inspector"] {
        world.strongroom.run(role, &["drill"]).exits(2).says(&format!("configuration of the {role}"));
    }
    world.strongroom.run("restorer", &["drill", "nonesuch"]).exits(2).says("no source `nonesuch`");
    strongroom(&["drill", "--at", "yesterday"]).exits(2).says("latest-good");
    // Nothing to prove is no proof.
    let report = drill(&world, &[]).exits(16).json();
    assert_eq!(text(&report, "/outcome"), "could-not-run", "{report:#}");
}

#[test]
fn the_newest_that_a_drill_has_proven_is_restored_by_that_name() {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t (i int); INSERT INTO t VALUES (1)");
    world.restore("recovered", &["--at", "latest-proven"]).exits(1).says("no report tells of a backup");
    let proven = world.backup();
    drill(&world, &[]).exits(0);
    world.psql("INSERT INTO t VALUES (2)");
    world.backup();
    let restored = world.restore("recovered", &["--at", "latest-proven", "--json"]).exits(0).json();
    assert_eq!((text(&restored, "/backup"), text(&restored, "/rows")), (proven, "1".into()));
}

#[test]
fn a_database_of_another_encoding_with_settings_and_tablespaces_passes() {
    let world = World::with_postgres(17);
    // Only the server's own user may make a folder where the server can write.
    let place = world.postgres.socket.join("space");
    world.postgres.psql("postgres", &format!("COPY (SELECT 1) TO PROGRAM 'mkdir {}'", place.display()));
    for statement in [
        "DROP DATABASE production",
        "CREATE DATABASE production TEMPLATE template0 ENCODING 'LATIN9' LC_COLLATE 'C' LC_CTYPE 'C'",
        "ALTER DATABASE production SET search_path = 'odd ''schema', public",
        "CREATE ROLE \"Odd Role\"",
        "GRANT CONNECT ON DATABASE production TO \"Odd Role\"",
        &format!("CREATE TABLESPACE \"odd ; space\" LOCATION '{}'", place.display()),
    ] {
        world.postgres.psql("postgres", statement);
    }
    world.psql(
        "CREATE SCHEMA \"odd 'schema\" AUTHORIZATION \"Odd Role\";
         CREATE TABLE \"odd 'schema\".\"Straße\" (preis text) TABLESPACE \"odd ; space\";
         INSERT INTO \"odd 'schema\".\"Straße\" VALUES ('10 €'), ('ä');
         CREATE MATERIALIZED VIEW teuer AS SELECT * FROM \"odd 'schema\".\"Straße\" WHERE preis LIKE '%€';
         CREATE INDEX ON \"odd 'schema\".\"Straße\" (upper(preis));",
    );
    world.backup();
    let report = drill(&world, &[]).exits(0).json();
    assert_eq!(
        (text(&report, "/outcome"), text(&report, "/compared/rows")),
        ("passed".into(), "2".into()),
        "{report:#}"
    );
}
