//! What stops a drill on its way: a server that is missing, killed or too slow, an extension that this host has not. It
//! proves nothing then, says why, and leaves nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use serde_json::Value;
use std::{fs, path::PathBuf, process::Command};
use support::{Ran, World, expect, text};

fn outcome(ran: &Ran) -> (i32, String) {
    (ran.code, text(&ran.json(), "/outcome"))
}

const COULD_NOT_RUN: (i32, &str) = (16, "could-not-run");

/// What the tests unpacked is in no usual place.
#[test]
fn a_server_of_that_version_that_is_not_installed_is_asked_for_by_name() {
    let world = World::with_postgres(17);
    world.psql("CREATE TABLE t (i int)");
    world.backup();
    world.strongroom.edit("restorer", |text| {
        text.lines().filter(|line| !line.starts_with("client_path")).collect::<Vec<_>>().join("\n")
    });
    let drilled = world.strongroom.run("restorer", &["drill", "app", "--json"]);
    assert_eq!(outcome(&drilled), (COULD_NOT_RUN.0, COULD_NOT_RUN.1.to_owned()), "{drilled:?}");
    let report = drilled.json();
    assert!(text(&report, "/reason").contains("no PostgreSQL 17 server"), "{report:#}");
    assert!(text(&report, "/hint").contains("postgresql-17"), "{report:#}");
}

/// The newest row sleeps where it is restored, so that there is time to do something to the server.
const SLEEPY: &str = "
    CREATE FUNCTION slow(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(8); RETURN true; END';
    CREATE TABLE sleepy (i int); INSERT INTO sleepy VALUES (1);
    CREATE INDEX ON sleepy ((slow(i)));";

/// Is the index of this world's drill being built? Asked of its own scratch server: there may be others on this host.
fn sleeps(world: &World) -> bool {
    let folders = fs::read_dir(world.strongroom.scratch_dir()).into_iter().flatten().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("run").is_dir()).any(|folder| {
        let mut psql = Command::new(world.postgres.programs.join("psql"));
        psql.args(["-XAt", "-U", "postgres", "-d", "drill", "-h"]).arg(folder.join("run"));
        psql.args([
            "-c",
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND state = 'active'",
        ]);
        psql.output().unwrap().stdout == b"1\n"
    })
}

#[test]
fn a_scratch_server_that_is_killed_proves_nothing_and_leaves_nothing() {
    let world = World::with_postgres(15);
    world.psql(SLEEPY);
    world.backup();
    let mut command = world.strongroom.command("restorer", &["drill", "app", "--json"]);
    let drilling = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let scratch = world.strongroom.scratch_dir();
    let postmaster = || {
        let listed = Command::new("pgrep").args(["-f", &format!("postgres.*{}", scratch.display())]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        listed.lines().filter_map(|pid| pid.parse::<i32>().ok()).collect::<Vec<_>>()
    };
    let sleeps = || sleeps(&world);
    expect("index being built", sleeps);
    for pid in postmaster() {
        drop(Command::new("kill").args(["-KILL", &pid.to_string()]).output().unwrap());
    }
    let output = drilling.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), text(&report, "/outcome")), (Some(16), "could-not-run".to_owned()), "{report:#}");
    assert!(text(&report, "/reason").contains("died"), "{report:#}");
    let left: Vec<_> =
        fs::read_dir(&scratch).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn a_drill_that_is_not_done_by_its_deadline_proves_nothing_and_leaves_nothing() {
    let world = World::with_postgres(15);
    world.psql(SLEEPY);
    world.backup();
    let deadline = |span: &str| {
        let line = format!("every = \"1d\"\ndeadline = \"{span}\"\n");
        world.strongroom.edit("restorer", |text| {
            let kept = text.lines().filter(|line| !line.starts_with("deadline = ")).collect::<Vec<_>>().join("\n");
            kept.replace("every = \"1d\"\n", &line)
        });
        let drilled = world.strongroom.run("restorer", &["drill", "app", "--json"]);
        assert_eq!(outcome(&drilled), (COULD_NOT_RUN.0, COULD_NOT_RUN.1.to_owned()), "{drilled:?}");
        assert!(text(&drilled.json(), "/reason").contains("deadline"), "{drilled:?}");
        let left = fs::read_dir(world.strongroom.scratch_dir()).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(left.filter(|path| path.is_dir()).collect::<Vec<_>>(), Vec::<PathBuf>::new());
    };
    // While the server is being made, and while an index is.
    deadline("1s");
    deadline("7s");
}

#[test]
fn a_drill_that_is_killed_takes_its_server_along_and_the_next_one_clears_up() {
    let world = World::with_postgres(15);
    world.psql(SLEEPY);
    world.backup();
    let mut drilling = world
        .strongroom
        .command("restorer", &["drill", "app", "--json"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let sleeps = || sleeps(&world);
    expect("index being built", sleeps);
    drilling.kill().unwrap();
    drilling.wait().unwrap();
    let server = || {
        let mut pgrep = Command::new("pgrep");
        pgrep.args(["-f", &format!("postgres.*{}", world.strongroom.scratch_dir().display())]).output().unwrap().stdout
    };
    expect("server that is gone", || server().is_empty());
    let scratch = world.strongroom.scratch_dir();
    let folders =
        || fs::read_dir(&scratch).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).count();
    assert_eq!(folders(), 1, "a killed process cannot clear up");
    world.strongroom.run("restorer", &["drill", "app", "--json"]).exits(0);
    assert_eq!(folders(), 0);
}

/// PostgreSQL 18 finds extensions in folders that a setting names: production has one that this host has not.
#[test]
fn an_extension_that_is_not_installed_here_is_named_and_nothing_passes() {
    let world = World::with_postgres(18);
    let folder = world.scratch.path().join("extensions");
    let control = folder.join("extension");
    fs::create_dir_all(&control).unwrap();
    fs::write(control.join("only_there.control"), "default_version = '1.0'\n").unwrap();
    fs::write(
        control.join("only_there--1.0.sql"),
        "CREATE FUNCTION only_there() RETURNS int LANGUAGE sql AS 'SELECT 1';\n",
    )
    .unwrap();
    for path in [&folder, &control, &control.join("only_there.control"), &control.join("only_there--1.0.sql")] {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    world
        .postgres
        .psql("postgres", &format!("ALTER SYSTEM SET extension_control_path = '{}:$system'", folder.display()));
    world.postgres.psql("postgres", "SELECT pg_reload_conf()");
    expect("reload", || world.postgres.psql("postgres", "SHOW extension_control_path").contains("extensions"));
    world.psql("CREATE EXTENSION only_there; CREATE TABLE t (i int)");
    world.backup();
    let drilled = world.strongroom.run("restorer", &["drill", "app", "--json"]);
    assert_eq!(outcome(&drilled), (COULD_NOT_RUN.0, COULD_NOT_RUN.1.to_owned()), "{drilled:?}");
    assert!(text(&drilled.json(), "/reason").contains("only_there"), "{drilled:?}");
}
