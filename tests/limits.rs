//! What goes wrong around a daemon: a server that hangs, is slow or is down, rights that are missing, a vault that is
//! gone. Each is recorded and told, leaves nothing behind, and is over when its cause is.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};
use support::{
    Daemon, Ear, Hung, Installation, Migration, PARTITIONED, Postgres, ROLE, Scratch, World, expect, files_below, plan,
    text, until,
};

/// A slot that no test meets: what is begun is begun for another reason.
const ONCE_A_YEAR: &str = "0 3 29 2 *";

fn world() -> World {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n, repeat('word ', 20) AS said;");
    world
}

/// Each run's cause and outcome.
#[track_caller]
fn tells(runs: &[Value], expected: &[(&str, &str)]) {
    let told: Vec<_> = runs.iter().map(|run| (text(run, "/trigger"), text(run, "/ended/outcome"))).collect();
    let expected: Vec<_> = expected.iter().map(|(cause, outcome)| (cause.to_string(), outcome.to_string())).collect();
    assert_eq!(told, expected, "{runs:#?}");
}

fn change(installation: &Installation, from: &str, to: &str) {
    installation.edit("depositor", |text| {
        assert!(text.contains(from), "no {from} in {text}");
        text.replace(from, to)
    });
}

/// How long after the end of `run` the next one begins.
fn pause_after(daemon: &Daemon, run: &Value) -> SignedDuration {
    let ended_at: Timestamp = text(run, "/ended/at").parse().unwrap();
    let next = until("next run", || {
        let source = daemon.health("/sources/0");
        let seen = source["last_run"]["ended_at"] == run["ended"]["at"];
        source["next_run_at"].as_str().filter(|_| seen).map(str::to_owned)
    });
    next.parse::<Timestamp>().unwrap().duration_since(ended_at)
}

#[track_caller]
fn is_about(found: SignedDuration, expected_secs: i64) {
    assert!((found.as_secs() - expected_secs).abs() <= 2, "{found:?}, not {expected_secs} s");
}

#[test]
fn a_server_that_hangs_is_given_up_and_left_with_nothing_of_ours() {
    let world = world();
    world.psql(
        "CREATE TABLE wide AS SELECT g, md5(g::text) || md5((g + 1)::text) AS said FROM generate_series(1, 600000) g",
    );
    plan(&world.strongroom, ONCE_A_YEAR, "", "stalled_after = \"4s\"");
    let daemon = Daemon::start(&world.strongroom);
    let hung = Hung::copy(&world);
    let runs = world.strongroom.until_ended("app", 1);
    tells(&runs, &[("first", "failed")]);
    let why = text(&runs[0], "/ended/why");
    assert!(
        why.starts_with("nothing moved for 4.0s after ") && why.ends_with(" bytes, and the run was ended"),
        "{why}"
    );
    // The one that hangs keeps what it has; it alone does.
    expect("end of every other session", || world.sessions().starts_with("1 "));
    is_about(pause_after(&daemon, &runs[0]), 30);
    hung.end();
    expect("end of the one that hung", || world.sessions() == "0 0 0");
    daemon.reload();
    tells(&world.strongroom.until_ended("app", 2), &[("first", "failed"), ("retry", "sealed")]);
    daemon.stop();
}

#[test]
fn a_run_that_takes_longer_than_its_deadline_is_ended_and_left_with_nothing_of_ours() {
    let world = world();
    world.psql(PARTITIONED);
    plan(&world.strongroom, ONCE_A_YEAR, "", "deadline = \"3s\"");
    let migration = Migration::begin(&world);
    let daemon = Daemon::start(&world.strongroom);
    let runs = world.strongroom.until_ended("app", 1);
    tells(&runs, &[("first", "failed")]);
    assert_eq!(text(&runs[0], "/ended/why"), "the run was not done after 3.0s, and was ended");
    is_about(pause_after(&daemon, &runs[0]), 30);
    expect("end of every session while the lock is still held", || world.sessions() == "0 0 0");
    daemon.expect_log("Raise the source's `deadline`, or its `workers`.");
    migration.end(&world);
    change(&world.strongroom, "deadline = \"3s\"", "deadline = \"1h\"");
    daemon.reload();
    tells(&world.strongroom.until_ended("app", 2), &[("first", "failed"), ("retry", "sealed")]);
    daemon.stop();
}

#[test]
fn a_vault_that_fails_at_the_very_last_segment_is_the_reason_that_is_given() {
    let world = world();
    world.psql(PARTITIONED);
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    let migration = Migration::begin(&world);
    let daemon = Daemon::start(&world.strongroom);
    migration.holds_a_dump(&world);
    let segments = || files_below(&world.vault()).iter().filter(|file| file.to_str().unwrap().contains("@2")).count();
    expect("segments of rows and of roles", || segments() == 2);
    let (folder, away) = (world.vault().join("v1"), world.vault().join("away"));
    fs::rename(&folder, &away).unwrap();
    fs::write(&folder, "a file where a folder was").unwrap();
    migration.end(&world);
    let runs = world.strongroom.until_ended("app", 1);
    tells(&runs, &[("first", "failed")]);
    let why = text(&runs[0], "/ended/why");
    assert!(why.starts_with("local: ") && why.contains("Not a directory"), "{why}");
    daemon.expect_log("NOT sealed in this vault");
    fs::remove_file(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    daemon.reload();
    tells(&world.strongroom.until_ended("app", 2), &[("first", "failed"), ("retry", "sealed")]);
    daemon.stop();
}

/// How many seconds each connection that the server has at `port` waits before it asks whether its peer still lives
/// (Linux, Documentation/networking/proc_net_tcp.rst: timer 2, and when it rings in hundredths of a second); `None` while
/// one has no such timer, because it is just being set, or waits for an acknowledgement.
fn keepalives(port: u16) -> Option<Vec<u64>> {
    let connections = fs::read_to_string("/proc/net/tcp").unwrap();
    let ours = connections.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let established = ours.filter(|fields| fields[1].ends_with(&format!(":{port:04X}")) && fields[3] == "01");
    let when = |fields: Vec<&str>| {
        let (timer, when) = fields[5].split_once(':').unwrap();
        (timer == "02").then(|| u64::from_str_radix(when, 16).unwrap() / 100)
    };
    established.map(when).collect()
}

#[test]
fn the_server_notices_within_minutes_that_our_host_is_gone_whichever_session_it_is() {
    let scratch = Scratch::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = ["-c", "listen_addresses=127.0.0.1"];
    let postgres = Postgres::start_with(&scratch.path().join("postgres"), 15, port, &options, |_| {});
    postgres.psql("postgres", &format!("{ROLE} CREATE DATABASE production;"));
    let source = format!("app=postgres://strongroom@127.0.0.1:{port}/production?sslmode=disable");
    let vault = format!("local=file://{}", scratch.path().join("vault").display());
    let options = ["--source", &source, "--vault", &vault, "--term", "35d"];
    let strongroom = Installation::new(&scratch.path().join("strongroom"), &options, &postgres.programs);
    fs::write(strongroom.path("keys/app.password"), "any\n").unwrap();
    let world = World { postgres, strongroom, scratch };
    world.psql(PARTITIONED);
    let migration = Migration::begin(&world);
    let mut backup = world.strongroom.command("depositor", &["backup"]).spawn().unwrap();
    migration.holds_a_dump(&world);
    let watchful = |waits: Vec<u64>| waits.len() >= 3 && waits.iter().all(|wait| *wait <= 60);
    expect("keepalives within a minute on every session", || keepalives(port).is_some_and(watchful));
    migration.end(&world);
    assert!(backup.wait().unwrap().success());
}

/// Has everything told to `ear`: alerts below `/alert`, runs below `/ping`.
fn plan_told(world: &World, ear: &Ear, schedule: &str) {
    for name in ["alert", "ping"] {
        let file = world.strongroom.path(&format!("keys/{name}.url"));
        fs::write(&file, ear.url(&format!("/{name}"))).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let alert = "[[alert]]\nname = \"team\"\nkind = \"webhook\"\nurl = { file = \"keys/alert.url\" }\n";
    let ping = "ping = { kind = \"healthchecks\", url = { file = \"keys/ping.url\" } }";
    plan(&world.strongroom, schedule, alert, ping);
}

fn alerts(ear: &Ear) -> Vec<Value> {
    ear.heard("/alert").iter().map(|heard| serde_json::from_str(&heard.body).unwrap()).collect()
}

fn events(ear: &Ear) -> Vec<String> {
    alerts(ear).iter().map(|alert| text(alert, "/event")).collect()
}

#[test]
fn a_database_that_goes_down_is_told_of_once_and_so_is_its_return() {
    let mut world = world();
    let ear = Ear::open();
    plan_told(&world, &ear, "*/2 * * * * *");
    let daemon = Daemon::start(&world.strongroom);
    world.strongroom.until_ended("app", 1);
    world.postgres.stop();
    let failed = || world.strongroom.ended("app").iter().filter(|run| run["ended"]["outcome"] == "failed").count();
    expect("two runs that failed", || failed() >= 2);
    let status = world.strongroom.run("depositor", &["status", "--json"]).exits(1).json();
    assert_eq!(text(&status, "/sources/0/state"), "failing");
    daemon.stop();
    let daemon = Daemon::start(&world.strongroom);
    let before = failed();
    expect("run that failed after a restart", || failed() > before);
    world.postgres.start_again();
    until("word that all is well", || (events(&ear).last()? == "recovered").then_some(()));
    daemon.stop();

    assert_eq!(events(&ear), ["failed", "recovered"]);
    let alert = &alerts(&ear)[0];
    assert_eq!((&alert["source"], &alert["reminder"]), (&json!("app"), &json!(false)));
    // A run that was under way has other words than one that began too late.
    assert!(text(alert, "/summary").starts_with("app: the last run failed: "), "{alert:#}");
    assert_eq!(alerts(&ear)[1]["problems"], json!([]));

    // Every run said how it began and how it ended, under a name of its own.
    let pings: Vec<_> = ear.heard("/ping").into_iter().map(|ping| (ping.path, ping.body)).collect();
    let runs = world.strongroom.ended("app");
    let mut heard = pings.iter();
    for run in &runs {
        let (begun, _) = heard.next().unwrap_or_else(|| panic!("{pings:#?} {runs:#?}"));
        let name = begun.strip_prefix("/ping/start?rid=").unwrap_or_else(|| panic!("{pings:#?}"));
        let outcome = text(run, "/ended/outcome");
        // Who stops a daemon in the middle of a run is not told that it failed.
        if outcome == "interrupted" {
            continue;
        }
        let (ended, says) = heard.next().unwrap_or_else(|| panic!("{pings:#?} {runs:#?}"));
        let path = if outcome == "sealed" { "/ping?rid=" } else { "/ping/fail?rid=" };
        assert_eq!(ended, &format!("{path}{name}"));
        assert!(says.starts_with(&outcome), "{says}");
    }
    assert_eq!(heard.next(), None, "{pings:#?} {runs:#?}");
}

#[test]
fn what_may_pass_is_tried_again_after_longer_and_longer_pauses() {
    let mut world = world();
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    world.postgres.stop();
    let daemon = Daemon::start(&world.strongroom);
    for (count, pause_secs) in [(1, 30), (2, 60), (3, 120)] {
        let runs = world.strongroom.until_ended("app", count);
        assert!(text(&runs[count - 1], "/ended/why").starts_with("cannot reach PostgreSQL at "), "{runs:#?}");
        is_about(pause_after(&daemon, &runs[count - 1]), pause_secs);
        if count == 3 {
            world.postgres.start_again();
        }
        daemon.reload(); // whoever reloads has mended something: it does not wait
    }
    let expected = [("first", "failed"), ("retry", "failed"), ("retry", "failed"), ("retry", "sealed")];
    tells(&world.strongroom.until_ended("app", 4), &expected);
    daemon.stop();
}

#[test]
fn missing_rights_are_named_and_not_asked_for_again_before_the_next_slot() {
    let world = world();
    world.psql("REVOKE pg_read_all_data FROM strongroom; GRANT USAGE ON SCHEMA public TO strongroom");
    plan(&world.strongroom, ONCE_A_YEAR, "", "");
    let daemon = Daemon::start(&world.strongroom);
    let runs = world.strongroom.until_ended("app", 1);
    tells(&runs, &[("first", "failed")]);
    assert_eq!(text(&runs[0], "/ended/why"), "strongroom may not read table public.t");
    daemon.expect_log("GRANT SELECT ON public.t TO strongroom;");
    assert!(pause_after(&daemon, &runs[0]) > SignedDuration::from_hours(24));
    world.strongroom.run("depositor", &["backup"]).exits(4).says("GRANT SELECT ON public.t TO strongroom;");

    world.psql("GRANT SELECT ON t TO strongroom");
    daemon.reload();
    let runs = world.strongroom.until_ended("app", 3);
    tells(&runs, &[("first", "failed"), ("asked", "failed"), ("retry", "sealed")]);
    daemon.stop();
}

#[test]
fn a_vault_that_is_gone_is_told_of_while_the_others_go_on_and_gets_its_share_when_it_is_back() {
    let world = world();
    let folder = world.scratch.path().join("second");
    let monthly = world.scratch.path().join("monthly");
    let vault = |name: &str, folder: &std::path::Path| {
        fs::create_dir(folder).unwrap();
        format!("[[vault]]\nname = \"{name}\"\nurl = \"file://{}\"\nterm = \"35d\"\n", folder.display())
    };
    let vaults = vault("second", &folder) + "\n" + &vault("monthly", &monthly);
    let deposit = "deposit = [{ vault = \"local\" }, { vault = \"second\" }, { vault = \"monthly\", every = \"30d\" }]";
    plan(&world.strongroom, "*/2 * * * * *", &vaults, &format!("{deposit}\nneeded = 1"));
    let daemon = Daemon::start(&world.strongroom);
    world.strongroom.until_ended("app", 2);
    let away = folder.with_extension("away");
    fs::rename(&folder, &away).unwrap();
    fs::write(&folder, "a file where a folder was").unwrap();
    until("run that says so", || {
        let last = world.strongroom.ended("app").pop()?;
        (last["ended"]["outcome"] == "some-failed").then_some(())
    });
    daemon.expect_log("NOT sealed in this vault");
    let failing = "strongroom_vault_failing{source=\"app\",vault=\"second\"}";
    expect("metric of the vault", || daemon.metric(failing) == 1.0);
    assert_eq!(daemon.metric("strongroom_vault_failing{source=\"app\",vault=\"local\"}"), 0.0);
    assert_eq!(daemon.metric("strongroom_protected{source=\"app\"}"), 1.0);
    let status = world.strongroom.run("depositor", &["status", "--json"]).exits(1).json();
    assert_eq!(text(&status, "/sources/0/state"), "failing");
    let problem = &status["sources"][0]["problems"][0];
    assert_eq!((&problem["problem"], &problem["vault"]), (&json!("vault-failing"), &json!("second")));
    assert!(text(problem, "/says").contains(&format!("directory {}", folder.display())), "{problem:#}");

    fs::remove_file(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    let failed = world.strongroom.ended("app").len();
    let runs = world.strongroom.until_ended("app", failed + 2);
    assert_eq!(text(runs.last().unwrap(), "/ended/outcome"), "sealed");
    expect("metric of the vault", || daemon.metric(failing) == 0.0);
    daemon.stop();
    world.strongroom.run("depositor", &["status"]).exits(0);

    let sealed = |folder: &std::path::Path, run: &Value| {
        let name = format!("{}/manifest.json.minisig", text(run, "/backup"));
        files_below(folder).iter().any(|file| file.to_str().unwrap().contains(&name))
    };
    let runs = world.strongroom.ended("app");
    assert!(runs.iter().any(|run| run["ended"]["outcome"] == "some-failed"));
    for run in &runs {
        assert!(sealed(&world.vault(), run), "{run:#}");
        assert_eq!(sealed(&folder, run), run["ended"]["outcome"] == "sealed", "{run:#}");
    }
    let monthly = runs.iter().filter(|run| sealed(&monthly, run)).count();
    assert_eq!(monthly, 1, "a period has one backup");
}
