//! The daemon on real servers: it keeps its schedule, ends in good order, goes on after a crash, and never lets two
//! dumps of one source run at once.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::{TcpListener, TcpStream},
    os::unix::fs::FileExt,
    path::PathBuf,
};
use support::{Daemon, Installation, Migration, PARTITIONED, World, expect, files_below, get, plan, text, until};

const EVERY_OTHER_SECOND: &str = "*/2 * * * * *";
/// A slot that no test meets: what is begun is begun for another reason.
const ONCE_A_YEAR: &str = "0 3 29 2 *";

fn world() -> World {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n, repeat('word ', 20) AS said;");
    world
}

fn time(run: &Value, pointer: &str) -> Timestamp {
    text(run, pointer).parse().unwrap()
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

/// Each run's cause and outcome.
fn told(runs: &[Value]) -> Vec<(String, String)> {
    runs.iter().map(|run| (text(run, "/trigger"), text(run, "/ended/outcome"))).collect()
}

#[track_caller]
fn tells(runs: &[Value], expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(cause, outcome)| (cause.to_string(), outcome.to_string())).collect();
    assert_eq!(told(runs), expected, "{runs:#?}");
}

#[test]
fn every_slot_is_backed_up_and_all_that_is_shown_agrees_with_the_history() {
    let world = world();
    plan(&world.strongroom, EVERY_OTHER_SECOND, "", "");
    let daemon = Daemon::start(&world.strongroom);
    world.strongroom.until_ended("app", 4);
    // From here on nothing begins any more, so that everybody can be asked the same.
    world.strongroom.edit("depositor", |text| text.replace(EVERY_OTHER_SECOND, ONCE_A_YEAR));
    daemon.reload();
    daemon.expect_log("the configuration was read again and is in force");
    expect("end of the last run", || daemon.metric("strongroom_running{source=\"app\"}") == 0.0);

    let runs = world.strongroom.ended("app");
    // A daemon that begins at a slot has no need to begin for want of any backup.
    let others = if runs[0]["trigger"] == "first" { &runs[1..] } else { &runs };
    assert_eq!(runs[0]["ended"]["outcome"], "sealed");
    for run in others {
        tells(std::slice::from_ref(run), &[("slot", "sealed")]);
        let late = time(run, "/started_at").duration_since(time(run, "/slot"));
        assert!(!late.is_negative() && late < SignedDuration::from_secs(5), "{run:#}");
        assert_eq!(time(run, "/slot").as_second() % 2, 0);
    }
    let slots: BTreeSet<_> = others.iter().map(|run| text(run, "/slot")).collect();
    assert_eq!(slots.len(), others.len(), "a slot was run twice: {runs:#?}");

    let listed = world.strongroom.list("inspector");
    let state = |backup: &Value| (text(backup, "/backup"), text(backup, "/state"));
    let sealed: BTreeSet<_> = listed["backups"].as_array().unwrap().iter().map(state).collect();
    let recorded: BTreeSet<_> = runs.iter().map(|run| (text(run, "/backup"), "sealed".to_owned())).collect();
    assert_eq!(sealed, recorded);
    world.restore("recovered", &["--at", &text(&runs[1], "/backup")]).exits(0);
    assert_eq!(world.postgres.psql("recovered", "SELECT count(*), sum(n) FROM t"), "1000|500500");

    let last = runs.last().unwrap();
    let number = |series: &str| daemon.metric(&series.replace('\'', "\""));
    assert_eq!(number("strongroom_runs_total{source='app',outcome='sealed'}"), runs.len() as f64);
    assert_eq!(number("strongroom_runs_total{source='app',outcome='failed'}"), 0.0);
    assert_eq!(number("strongroom_last_run_success{source='app'}"), 1.0);
    assert_eq!(number("strongroom_last_run_rows{source='app'}"), 1000.0);
    assert_eq!(number("strongroom_last_run_timestamp_seconds{source='app'}"), seconds(time(last, "/ended/at")));
    for kind in ["read", "packed", "sent", "reused"] {
        let bytes = last.pointer(&format!("/ended/bytes/{kind}")).unwrap().as_f64().unwrap();
        assert_eq!(number(&format!("strongroom_last_run_bytes{{source='app',kind='{kind}'}}")), bytes, "{kind}");
    }
    assert_eq!(number("strongroom_protected{source='app'}"), 1.0);
    assert_eq!(number("strongroom_config_reload_success"), 1.0);
    let status = world.strongroom.run("depositor", &["status", "--json"]).exits(0).json();
    let point = time(&status, "/sources/0/recovery_point");
    assert_eq!(number("strongroom_recovery_point_timestamp_seconds{source='app'}"), seconds(point));
    assert_eq!(number("strongroom_last_good_timestamp_seconds{source='app',vault='local'}"), seconds(point));
    assert!(point > time(last, "/started_at") && point < time(last, "/ended/at"));
    for pointer in ["/sources/0/state", "/sources/0/last_run", "/sources/0/vaults/0/last_good"] {
        assert_eq!(status.pointer(pointer).unwrap(), &daemon.health(pointer), "{pointer}");
    }
    assert_eq!(text(&status, "/sources/0/state"), "good");
    assert_eq!(daemon.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(daemon.get("/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(daemon.get("/else").0, 404);
    daemon.stop();
}

/// Versions in the vault that make a backup one that counts.
fn seals(world: &World) -> Vec<PathBuf> {
    let mut files = files_below(&world.vault());
    files.retain(|file| file.to_str().unwrap().contains("/backups/"));
    files
}

#[test]
fn a_daemon_that_is_told_to_end_leaves_nothing_behind_and_the_next_one_runs_again_at_once() {
    let world = world();
    world.psql(PARTITIONED);
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    let migration = Migration::begin(&world);
    let daemon = Daemon::start(&world.strongroom);
    migration.holds_a_dump(&world);
    assert_ne!(world.sessions(), "0 0 0");
    let log = daemon.stop();
    assert!(log.contains("the run was stopped; nothing of it is sealed") && log.contains("stopped\n"), "{log}");
    tells(&world.strongroom.ended("app"), &[("first", "interrupted")]);
    assert_eq!(seals(&world), Vec::<PathBuf>::new());
    expect("end of every session while the lock is still held", || world.sessions() == "0 0 0");

    migration.end(&world);
    let daemon = Daemon::start(&world.strongroom);
    tells(&world.strongroom.until_ended("app", 2), &[("first", "interrupted"), ("retry", "sealed")]);
    daemon.stop();
    assert_eq!(world.sessions(), "0 0 0");
    world.restore("recovered", &[]).exits(0);
}

#[test]
fn a_daemon_that_is_killed_is_followed_by_one_that_records_it_and_goes_on() {
    let world = world();
    world.psql(PARTITIONED);
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    let migration = Migration::begin(&world);
    let daemon = Daemon::start(&world.strongroom);
    migration.holds_a_dump(&world);
    let pid = daemon.pid();
    daemon.kill();
    assert_eq!(world.strongroom.history()["runs"][0]["ended"], Value::Null);
    expect("end of every session while the lock is still held", || world.sessions() == "0 0 0");
    assert_eq!(seals(&world), Vec::<PathBuf>::new());

    migration.end(&world);
    let daemon = Daemon::start(&world.strongroom);
    daemon.expect_log("a run was abandoned by its process");
    let runs = world.strongroom.until_ended("app", 2);
    tells(&runs, &[("first", "abandoned"), ("retry", "sealed")]);
    let why = text(&runs[0], "/ended/why");
    assert!(why.starts_with(&format!("process {pid} was gone before it ended; it was dumping since ")), "{why}");
    expect("metric", || daemon.metric("strongroom_runs_total{source=\"app\",outcome=\"abandoned\"}") == 1.0);
    daemon.stop();
    assert_eq!(world.sessions(), "0 0 0");
}

#[test]
fn a_wrong_configuration_is_refused_and_a_right_one_taken_while_a_run_goes_on() {
    let world = world();
    world.psql(PARTITIONED);
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    let migration = Migration::begin(&world);
    let daemon = Daemon::start(&world.strongroom);
    migration.holds_a_dump(&world);
    let begun = world.strongroom.history()["runs"][0]["started_at"].clone();
    let loaded_at = daemon.metric("strongroom_config_loaded_timestamp_seconds");

    let right = fs::read_to_string(world.strongroom.path("depositor.toml")).unwrap();
    world.strongroom.edit("depositor", |text| text.replace(ONCE_A_YEAR, "61 * * * *"));
    daemon.reload();
    daemon.expect_log("is NOT in force; the old one is");
    let wrong = fs::read_to_string(world.strongroom.path("depositor.toml")).unwrap();
    let line = 1 + wrong.lines().position(|line| line.contains("61 *")).unwrap();
    assert!(daemon.log().contains(&format!("depositor.toml:{line}")), "line {line}:\n{}", daemon.log());
    expect("metric", || daemon.metric("strongroom_config_reload_success") == 0.0);
    assert_eq!(daemon.metric("strongroom_config_loaded_timestamp_seconds"), loaded_at);

    // One that would leave it with nothing to do is a mistake too, as it is at its start.
    let idle = right.replace(&format!("schedule = \"{ONCE_A_YEAR}\"\n"), "");
    world.strongroom.edit("depositor", |_| idle);
    daemon.reload();
    daemon.expect_log("the old one is: no source has a `schedule`");
    assert_eq!(daemon.metric("strongroom_config_reload_success"), 0.0);

    // The same source anew under another name, and another schedule for the first one.
    let second = right.split_once("[[source]]").unwrap().1.replace("\"app\"", "\"second\"");
    let second = second.replace(ONCE_A_YEAR, EVERY_OTHER_SECOND);
    let second = second.replace("/production?", "/postgres?");
    let both = right.replace(ONCE_A_YEAR, "*/3 * * * * *") + "\n[[source]]" + &second;
    world.strongroom.edit("depositor", |_| both);
    daemon.reload();
    expect("metric", || daemon.metric("strongroom_config_reload_success") == 1.0);
    assert!(daemon.metric("strongroom_config_loaded_timestamp_seconds") > loaded_at);
    let runs = world.strongroom.until_ended("second", 2);
    // A slot may come in the moment of the reload, and is then the first run.
    assert!(["first", "slot"].contains(&runs[0]["trigger"].as_str().unwrap()), "{runs:#?}");
    assert_eq!(text(&runs[0], "/ended/outcome"), "sealed");
    tells(&runs[1..2], &[("slot", "sealed")]);
    assert_eq!(world.strongroom.ended("app"), Vec::<Value>::new());
    migration.end(&world);
    let runs = world.strongroom.until_ended("app", 2);
    assert_eq!(runs[0]["started_at"], begun);
    tells(&runs[..2], &[("first", "sealed"), ("slot", "sealed")]);
    assert_eq!(time(&runs[1], "/slot").as_second() % 3, 0);
    daemon.stop();
}

#[test]
fn one_source_is_never_dumped_from_two_hosts_at_once() {
    let world = world();
    world.psql(PARTITIONED);
    let source = format!("app={}", world.postgres.url("strongroom", support::PRODUCTION));
    let vault = format!("other=file://{}", world.scratch.path().join("other-vault").display());
    let options = ["--source", &source, "--vault", &vault, "--term", "35d"];
    let other = Installation::new(&world.scratch.path().join("other"), &options, &world.postgres.programs);
    plan(&other, EVERY_OTHER_SECOND, "", "");
    let daemon = Daemon::start(&other);
    other.until_ended("app", 1);

    let migration = Migration::begin(&world);
    let mut holder = world.strongroom.command("depositor", &["backup"]).spawn().unwrap();
    let absence = until("absence that names the holder", || {
        let history = other.history();
        let absences = history["absences"].as_array().unwrap().clone();
        absences.into_iter().find(|absence| text(absence, "/why").contains("another run of `app` holds its lock"))
    });
    let why = text(&absence, "/why");
    assert!(why.contains("in the database: strongroom at this server's own socket since 20"), "{why}");
    assert_eq!((&absence["source"], &absence["slots"]), (&"app".into(), &1.into()));
    assert_eq!(daemon.metric("strongroom_last_run_success{source=\"app\"}"), 1.0);
    assert_eq!(daemon.health("/sources/0/state"), "good");
    daemon.stop();
    let refused = other.run("depositor", &["backup"]).exits(1);
    refused.says("another run of `app` holds its lock").says("pg_terminate_backend");
    assert!(other.ended("app").iter().all(|run| run["ended"]["outcome"] == "sealed"));

    migration.end(&world);
    assert!(holder.wait().unwrap().success());
    tells(&world.strongroom.ended("app"), &[("asked", "sealed")]);
    other.backup();
}

/// A library that gives a program another time.
fn faketime() -> PathBuf {
    let folders =
        fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path().join("faketime/libfaketimeMT.so.1"));
    folders.into_iter().find(|path| path.exists()).expect("libfaketime is installed: `make test` sets it up")
}

#[test]
fn slots_at_which_nobody_was_there_are_made_up_for_once_and_counted() {
    let world = world();
    let now = Timestamp::now();
    let half_an_hour_ago = (now - SignedDuration::from_mins(30)).to_zoned(jiff::tz::TimeZone::UTC);
    plan(&world.strongroom, &format!("{} * * * *", half_an_hour_ago.minute()), "", "");
    let mut earlier = world.strongroom.command("depositor", &["run"]);
    earlier.env("LD_PRELOAD", faketime()).env("FAKETIME", "-3h").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let daemon = Daemon::start_as(&earlier);
    tells(&world.strongroom.until_ended("app", 1), &[("first", "sealed")]);
    daemon.stop();

    let daemon = Daemon::start(&world.strongroom);
    let runs = world.strongroom.until_ended("app", 2);
    tells(&runs, &[("first", "sealed"), ("catch-up", "sealed")]);
    let history = world.strongroom.history();
    let absences = history["absences"].as_array().unwrap();
    assert_eq!(absences.len(), 1, "{history:#}");
    assert_eq!(absences[0]["slots"], 2, "{history:#}");
    let hour = SignedDuration::from_hours(1);
    assert_eq!(time(&absences[0], "/last_slot") + hour, time(&runs[1], "/slot"));
    assert_eq!(time(&absences[0], "/first_slot") + hour, time(&absences[0], "/last_slot"));
    assert!(text(&absences[0], "/why").contains("nobody was there to run it: the daemon was down"), "{history:#}");
    daemon.expect_log("backup begins source=app why=\"was due at");
    daemon.stop();

    let daemon = Daemon::start(&world.strongroom);
    expect("plan", || daemon.health("/sources/0/next_run_at").is_string());
    assert_eq!(world.strongroom.history(), history, "a restart runs a slot again");
    daemon.stop();
}

/// Overwrites the beginning of the catalog, as a disk or a stranger may.
fn ruin(world: &World) {
    let catalog = File::options().write(true).open(world.strongroom.path("state/catalog.db")).unwrap();
    catalog.write_all_at(&[0xff; 4096], 0).unwrap();
}

#[test]
fn a_catalog_that_is_ruined_under_a_daemon_is_set_aside_and_the_next_chain_says_why() {
    let world = world();
    plan(&world.strongroom, EVERY_OTHER_SECOND, "", "");
    let daemon = Daemon::start(&world.strongroom);
    world.strongroom.until_ended("app", 2);
    ruin(&world);
    daemon.expect_log("the catalog begins anew, and so does every chain");
    let aside = until("catalog set aside", || {
        let state = files_below(&world.strongroom.path("state"));
        state.into_iter().find(|file| file.to_str().unwrap().contains("catalog.unreadable-"))
    });
    let runs = world.strongroom.until_ended("app", 2);
    daemon.stop();

    let aside = aside.file_name().unwrap().to_str().unwrap();
    let chain = |run: &Value| {
        let shown = world.strongroom.run("inspector", &["show", &text(run, "/backup"), "--json"]).exits(0);
        shown.json().pointer("/manifest/chain").unwrap().clone()
    };
    let sealed: Vec<_> = runs.iter().filter(|run| run["ended"]["outcome"] == "sealed").collect();
    let (first, second) = (chain(sealed[0]), chain(sealed[1]));
    let why = text(&first, "/restarted");
    assert!(why.contains("catalog.db was unreadable") && why.contains(aside), "{why}");
    assert_eq!((&first["sequence"], &first["previous"]), (&1.into(), &Value::Null));
    assert_eq!((&second["sequence"], second.get("restarted")), (&2.into(), None));
    world.restore("recovered", &["--at", &text(sealed[1], "/backup")]).exits(0);
}

#[test]
fn a_catalog_that_is_taken_away_in_the_middle_of_a_run_costs_that_run_alone() {
    let world = world();
    world.psql(PARTITIONED);
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    let migration = Migration::begin(&world);
    let daemon = Daemon::start(&world.strongroom);
    migration.holds_a_dump(&world);
    fs::remove_file(world.strongroom.path("state/catalog.db")).unwrap();
    migration.end(&world);
    daemon.expect_log("backup FAILED");
    daemon.expect_log("the catalog begins anew, and so does every chain");
    // Not at the next slot, which is years away.
    expect("next run within a minute", || {
        let next = daemon.health("/sources/0/next_run_at").as_str().and_then(|at| at.parse::<Timestamp>().ok());
        next.is_some_and(|at| at < Timestamp::now() + SignedDuration::from_mins(1))
    });
    daemon.reload();
    tells(&world.strongroom.until_ended("app", 1), &[("retry", "sealed")]);
    daemon.expect_log("a new chain begins: the catalog began anew at ");
    daemon.stop();
    world.restore("recovered", &[]).exits(0);
}

#[test]
fn what_the_dump_programs_complain_of_is_in_the_log() {
    let world = world();
    // As after an upgrade of the system below the database: every session is told of it.
    world.psql("UPDATE pg_database SET datcollversion = '1' WHERE datname = 'production'");
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    let daemon = Daemon::start(&world.strongroom);
    tells(&world.strongroom.until_ended("app", 1), &[("first", "sealed")]);
    daemon.expect_log("collation version");
    daemon.stop();
}

#[test]
fn a_daemon_that_cannot_begin_says_why_and_how_it_ends() {
    let world = world();
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    world.strongroom.edit("depositor", |text| text.replace("127.0.0.1:0", &address));
    let ran = world.strongroom.run("depositor", &["run"]).exits(1);
    ran.says(&format!("cannot listen on {address}")).says("Another program listens there: choose another port");
    world.strongroom.edit("depositor", |text| text.replace(&format!("schedule = \"{ONCE_A_YEAR}\"\n"), ""));
    world.strongroom.run("depositor", &["run"]).exits(2).says("no source has a `schedule`").says("*/15 * * * *");
    assert_eq!(world.strongroom.history()["runs"], serde_json::json!([]));
}

#[test]
fn the_pages_move_with_the_configuration_or_stay_where_they_are() {
    let world = world();
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    let daemon = Daemon::start(&world.strongroom);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    world.strongroom.edit("depositor", |text| text.replace("127.0.0.1:0", &address.to_string()));
    daemon.reload();
    daemon.expect_log(&format!("is NOT in force; the old one is: cannot listen on {address}"));
    expect("metric", || daemon.metric("strongroom_config_reload_success") == 0.0);
    drop(taken);
    daemon.reload();
    daemon.expect_log("the configuration was read again and is in force");
    assert_eq!(get(address, "/readyz").0, 200);
    expect("end of the old place", || TcpStream::connect(daemon.address()).is_err());
    daemon.stop();
}

#[test]
fn an_interrupt_from_the_keyboard_ends_it_like_a_service_manager_does() {
    let world = world();
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    let daemon = Daemon::start(&world.strongroom);
    world.strongroom.until_ended("app", 1);
    daemon.signal(Signal::INT);
    daemon.expect_log("stopped");
    tells(&world.strongroom.ended("app"), &[("first", "sealed")]);
}
