//! The drill host's watch restores by itself, says so where others look, and the inspector believes what is signed; a
//! backup that does not restore alarms, and nothing is left of a drill, however it ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/rgw.rs"]
mod rgw;
mod support;

use aws_sdk_s3::types::ObjectLockRetentionMode as Mode;
use jiff::Timestamp;
use rgw::{Bucket, Rgw, Thief};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};
use support::{
    Attack, Daemon, Ear, Installation, World, confirmed, expect, files_below, flag, heard, key_of, metric, problems,
    segment_of, start, text, told_to, watches,
};

const OBJECTIVES: &str = "recovery_point = \"1h\", proven_within = \"26h\"";

fn world() -> World {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n, repeat('word ', 20) AS said;");
    world
}

/// Drills of the newest backup alone.
fn drills(installation: &Installation, every: &str) {
    installation.edit("restorer", |text| {
        let drill = text.lines().map(|line| match line {
            _ if line.starts_with("every = ") => format!("every = \"{every}\"\nsample = 0"),
            _ if line.starts_with("sample = ") => String::new(),
            _ => line.to_owned(),
        });
        drill.collect::<Vec<_>>().join("\n") + "\n"
    });
}

fn watched(installation: &Installation) {
    drills(installation, "1d");
    for role in ["inspector", "restorer"] {
        watches(installation, role, OBJECTIVES, "");
    }
}

fn last_proven(watch: &Daemon) -> f64 {
    metric(watch, "strongroom_last_proven_timestamp_seconds{source='app'}")
}

fn outcome(watch: &Daemon, outcome: &str) -> bool {
    metric(watch, &format!("strongroom_last_drill_outcome{{source='app',outcome='{outcome}'}}")) == 1.0
}

/// The backup that a rung of the source's ladder names.
fn rung(watch: &Daemon, rung: &str) -> Value {
    watch.health("/sources/0/rung").pointer(&format!("/{rung}/backup")).cloned().unwrap_or_default()
}

/// The last drill's id.
fn drill(watch: &Daemon) -> String {
    text(&watch.health("/sources/0/drills"), "/last/drill")
}

/// How many drills a watch has begun.
fn begun(log: &str) -> usize {
    log.matches("drill begins").count()
}

/// What is left of scratch servers: nothing, unless one runs.
fn leftovers(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.strongroom.scratch_dir()).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

#[test]
fn a_backup_is_proven_by_itself_and_whoever_looks_knows() {
    let world = world();
    let backup = world.backup();
    watched(&world.strongroom);
    let inspector = start(&world.strongroom, "inspector");
    expect("confirmed backup", || confirmed(&inspector).as_ref() == Some(&backup));
    assert_eq!((last_proven(&inspector), rung(&inspector, "proven")), (0.0, Value::Null));
    let restorer = start(&world.strongroom, "restorer");
    let began = Instant::now();
    expect("drill that passed", || outcome(&restorer, "passed"));
    eprintln!("proven after {:.1} s", began.elapsed().as_secs_f64());

    // On the drill host: metrics, the page, the files, and what `status` reads from the catalog.
    let snapshot: Timestamp = text(&restorer.health("/sources/0"), "/recovery_point").parse().unwrap();
    let snapshot = snapshot.as_duration().as_secs_f64();
    assert_eq!((rung(&restorer, "proven"), problems(&restorer)), (backup.clone().into(), vec![]));
    assert!((last_proven(&restorer) - snapshot).abs() < 0.001);
    let of_source = |name: &str| metric(&restorer, &format!("strongroom_{name}{{source='app'}}"));
    assert!(of_source("drill_restore_seconds") > 0.0);
    let age = Timestamp::now().as_duration().as_secs_f64() - of_source("last_drill_timestamp_seconds");
    assert!((0.0..20.0).contains(&age), "{age}");
    assert!(of_source("drill_disk_needed_bytes") > 0.0 && metric(&restorer, "strongroom_drill_disk_free_bytes") > 0.0);
    let id = drill(&restorer);
    let (status, page) = restorer.get("/");
    assert_eq!(status, 200);
    for words in ["Last drill", "passed", &id, &backup] {
        assert!(page.contains(words), "no `{words}` in\n{page}");
    }
    let kept = world.strongroom.path(&format!("state-restorer/reports/app/{id}"));
    let names = ["report.html", "report.html.minisig", "report.json", "report.json.minisig"];
    assert_eq!(files_below(&kept), names.map(|name| kept.join(name)));
    for name in names {
        let deposited = world.object(&format!("v1/app/drills/{id}/{name}"));
        assert_eq!(fs::read(deposited).unwrap(), fs::read(kept.join(name)).unwrap(), "{name}");
    }
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new());

    // Elsewhere: the inspector has read it in the vault.
    expect("proof at the inspector's", || rung(&inspector, "proven") == *backup);
    assert!((last_proven(&inspector) - snapshot).abs() < 0.001);
    assert!(outcome(&inspector, "passed"));
    assert_eq!((drill(&inspector), problems(&inspector)), (id.clone(), vec![]));
    for role in ["inspector", "restorer"] {
        let ran = world.strongroom.run(role, &["status", "--json"]).exits(0);
        assert_eq!(text(&ran.json(), "/sources/0/drills/last/drill"), id, "{role}");
        assert_eq!(text(&ran.json(), "/sources/0/rung/proven/backup"), backup, "{role}");
        world.strongroom.run(role, &["status"]).exits(0).says("LADDER").says("proven").says("passed, ");
    }

    // A restart knows that the next one is due tomorrow.
    restorer.stop();
    let restorer = start(&world.strongroom, "restorer");
    expect("look", || metric(&restorer, "strongroom_confirm_success{source='app',vault='local'}") == 1.0);
    std::thread::sleep(Duration::from_secs(3));
    let next = metric(&restorer, "strongroom_next_drill_timestamp_seconds{source='app'}");
    let tomorrow = Timestamp::now().as_duration().as_secs_f64() + 86_400.0;
    assert!((tomorrow - 60.0..tomorrow).contains(&next), "{next} is not {tomorrow}");
    assert_eq!((rung(&restorer, "proven"), begun(&restorer.stop())), (backup.into(), 0));
    inspector.stop();
}

#[test]
fn a_copied_or_forged_or_unsigned_report_proves_nothing() {
    let world = world();
    let proven = world.backup();
    watched(&world.strongroom);
    let restorer = start(&world.strongroom, "restorer");
    expect("drill that passed", || outcome(&restorer, "passed"));
    restorer.stop();
    let newer = world.backup();
    let report = world.object("report.json");
    let stamp = report.to_str().unwrap().rsplit_once('@').unwrap().1.to_owned();
    let (ours, seal) = (fs::read_to_string(&report).unwrap(), fs::read(world.object("report.json.minisig")).unwrap());
    let id = report.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let other = format!("{}-0badc0de", id.split('-').next().unwrap());
    let manifest = fs::read(world.object(&format!("{newer}/manifest.json"))).unwrap();
    // What who drills would have said of the newer backup.
    let lie = |id: &str| {
        let mut report: Value = serde_json::from_str(&ours).unwrap();
        report["manifest"] = blake3::hash(&manifest).to_hex().to_string().into();
        report["snapshot_at"] = serde_json::from_slice::<Value>(&manifest).unwrap()["snapshot_at"].take();
        (report["backup"], report["drill"]) = (newer.clone().into(), id.into());
        report.to_string()
    };
    let forged = lie(&other);
    let thief = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let comment = format!("strongroom drill 1 app {other}");
    let sign = |key: &minisign::SecretKey| {
        minisign::sign(None, key, forged.as_bytes(), Some(&comment), None).unwrap().into_string().into_bytes()
    };
    let put = |drill: &str, name: &str, bytes: &[u8]| {
        let folder = world.vault().join("v1/app/drills").join(drill);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}@{stamp}")), bytes).unwrap();
    };
    let drill = |letter: &str| other.replace("0badc0de", &letter.repeat(8));
    put(&drill("1"), "report.json", lie(&drill("1")).as_bytes()); // unsigned
    put(&drill("2"), "report.json", ours.as_bytes()); // a true one under another name
    put(&drill("2"), "report.json.minisig", &seal);
    put(&drill("3"), "report.json", lie(&drill("3")).as_bytes()); // beside the seal of another
    put(&drill("3"), "report.json.minisig", &seal);
    put(&other, "report.json", forged.as_bytes()); // signed by somebody else
    put(&other, "report.json.minisig", &sign(&thief.sk));

    let inspector = start(&world.strongroom, "inspector");
    expect("proof", || rung(&inspector, "proven") == *proven);
    let looked = || metric(&inspector, "strongroom_last_confirm_timestamp_seconds{source='app',vault='local'}");
    let first = looked();
    expect("more looks", || looked() > first + 2.0);
    assert_eq!((rung(&inspector, "proven"), rung(&inspector, "confirmed")), (proven.into(), newer.clone().into()));
    assert_eq!((problems(&inspector), inspector.log().matches("proven: ").count()), (vec![], 1));

    // The same words count as soon as who drills signs them.
    let key = fs::read_to_string(world.strongroom.path("keys/report.key")).unwrap();
    let key = minisign::SecretKeyBox::from_string(&key).unwrap().into_unencrypted_secret_key().unwrap();
    let later = world.vault().join("v1/app/drills").join(&other);
    fs::write(later.join(format!("report.json.minisig@{stamp}")), sign(&key)).unwrap();
    expect("proof of the newer", || rung(&inspector, "proven") == *newer);
    inspector.stop();
}

#[test]
fn a_backup_that_does_not_restore_alarms_until_a_newer_one_does() {
    let world = world();
    world.backup();
    world.psql("INSERT INTO t VALUES (0, 'newer')");
    let broken = world.backup();
    let (at_drills, at_inspectors) = (Ear::open(), Ear::open());
    watched(&world.strongroom);
    told_to(&world.strongroom, "restorer", &at_drills);
    told_to(&world.strongroom, "inspector", &at_inspectors);
    let segment = segment_of(&world, &broken, "data");
    Attack::Flip(fs::metadata(&segment).unwrap().len() / 2).strike(&segment);
    flag("+i", std::slice::from_ref(&segment));
    let inspector = start(&world.strongroom, "inspector");
    expect("confirmed backup", || confirmed(&inspector).as_ref() == Some(&broken));
    assert_eq!(problems(&inspector), Vec::<String>::new(), "names and sizes are as they were");

    let restorer = start(&world.strongroom, "restorer");
    for (watch, ear) in [(&restorer, &at_drills), (&inspector, &at_inspectors)] {
        expect("alarm", || heard(ear) == ["unproven: drill-failed"]);
        assert!(outcome(watch, "failed") && rung(watch, "proven").is_null());
        assert_eq!(watch.health("/sources/0/state"), "unprotected");
        assert_eq!(watch.health("/sources/0/drills/last/backup"), *broken);
        assert!(watch.get("/").1.contains("failed"));
        let told: Value = serde_json::from_str(&ear.heard("/alert")[0].body).unwrap();
        assert!(told.to_string().contains("is not what was deposited"), "{told:#}");
    }
    for role in ["restorer", "inspector"] {
        world.strongroom.run(role, &["status"]).exits(1).says("failed, ").says("never");
    }

    // The next one refers to the same segment: its lock is whole, and the depositor cannot read.
    let shares = world.backup();
    drills(&world.strongroom, "1s");
    restorer.reload();
    expect("drill of that", || restorer.health("/sources/0/drills/last/backup") == *shares);
    assert!(outcome(&restorer, "failed"));
    world.strongroom.run("depositor", &["backup", "--anew"]).exits(0);
    let whole = text(&world.strongroom.list("inspector"), "/backups/0/backup");
    restorer.reload();
    for (watch, ear) in [(&restorer, &at_drills), (&inspector, &at_inspectors)] {
        expect("proof", || rung(watch, "proven") == *whole);
        expect("word that it is over", || heard(ear).last().unwrap() == "recovered: ");
        assert_eq!(watch.health("/sources/0/state"), "good");
    }
    restorer.stop();
    inspector.stop();
}

/// The newest row sleeps where it is restored, so that there is time to do something meanwhile.
const SLEEPY: &str = "
    CREATE FUNCTION slow(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(6); RETURN true; END';
    CREATE TABLE sleepy (i int); INSERT INTO sleepy VALUES (1);
    CREATE INDEX ON sleepy ((slow(i)));";

/// Every process below `ancestor`, and what it calls itself.
fn below(ancestor: u32) -> BTreeMap<u32, String> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let Ok(pid) = entry.unwrap().file_name().to_str().unwrap().parse::<u32>() else { continue };
        // It may have ended since.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let (_, after) = stat.rsplit_once(") ").unwrap();
        parents.insert(pid, after.split(' ').nth(1).unwrap().parse::<u32>().unwrap());
    }
    let is_below = |pid: u32| {
        let mut line = std::iter::successors(Some(pid), |pid| parents.get(pid).copied()).skip(1);
        line.any(|parent| parent == ancestor)
    };
    let there = parents.keys().filter(|pid| is_below(**pid)).map(|pid| (*pid, command_line(*pid)));
    there.filter(|(_, said)| !said.is_empty()).collect()
}

/// Empty for what has ended.
fn command_line(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")
}

fn builds_index(watch: &Daemon) -> bool {
    below(watch.pid()).values().any(|said| said.contains("CREATE INDEX"))
}

#[test]
fn a_drill_outlives_a_reload_and_ends_with_its_watch_and_leaves_nothing() {
    let world = world();
    world.psql(SLEEPY);
    let backup = world.backup();
    watched(&world.strongroom);
    let restorer = start(&world.strongroom, "restorer");
    expect("index being built", || builds_index(&restorer));
    restorer.reload();
    restorer.expect_log("the configuration was read again and is in force");
    assert!(builds_index(&restorer));
    assert!(restorer.get("/").1.contains("running"), "{}", restorer.get("/").1);
    expect("drill that passed", || outcome(&restorer, "passed"));
    assert_eq!((begun(&restorer.log()), rung(&restorer, "proven")), (1, backup.into()), "{}", restorer.log());
    assert_eq!((leftovers(&world), below(restorer.pid())), (vec![], BTreeMap::new()));
    let first = drill(&restorer);

    drills(&world.strongroom, "1s");
    restorer.reload();
    expect("index being built", || builds_index(&restorer));
    let (processes, asked) = (below(restorer.pid()), Instant::now());
    assert!(leftovers(&world).len() == 1 && processes.len() > 4, "{processes:#?}");
    let log = restorer.stop();
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(10), "it ended after {took:?}\n{log}");
    eprintln!("a watch that drilled ended after {:.1} s", took.as_secs_f64());
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new(), "{log}");
    // A process that was killed is there until its parent has seen it.
    let alive = |(pid, said): (&u32, &String)| command_line(*pid) == *said;
    expect("end of each process of the drill", || !processes.iter().any(alive));

    // What was cut short said nothing; what is known is what was proven.
    drills(&world.strongroom, "1d");
    let restorer = start(&world.strongroom, "restorer");
    assert_eq!((drill(&restorer), problems(&restorer)), (first, vec![]));
    let reports = files_below(&world.vault().join("v1/app/drills"));
    assert_eq!(reports.iter().filter(|path| key_of(path).ends_with("report.json")).count(), 1, "{reports:?}");
    restorer.stop();
}

#[tokio::test]
async fn a_reporter_deposits_under_the_buckets_lock_and_can_do_nothing_else() {
    let (world, server) = (world(), Rgw::start());
    let root = server.account();
    server.bucket(&root, "acme", Some((Mode::Compliance, 35))).await;
    let bucket = Bucket::new(&world, &server, "acme", &root);
    let mut credentials = BTreeMap::new();
    for role in ["depositor", "inspector", "restorer", "reporter"] {
        let policy = fs::read_to_string(bucket.strongroom.path(&format!("policies/{role}.json"))).unwrap();
        let keys = server.user(&root, role, &policy);
        bucket.fill_in(role, &keys);
        credentials.insert(role, keys);
    }
    let backup = bucket.strongroom.backup();
    watched(&bucket.strongroom);
    let (inspector, restorer) = (start(&bucket.strongroom, "inspector"), start(&bucket.strongroom, "restorer"));
    expect("drill that passed", || outcome(&restorer, "passed"));
    expect("proof at the inspector's", || rung(&inspector, "proven") == *backup);
    assert_eq!((problems(&restorer), problems(&inspector)), (vec![], vec![]));

    let client = server.client(&root);
    let listed = client.list_object_versions().bucket("acme").send().await.unwrap().versions.unwrap_or_default();
    let prefix = format!("prod/v1/app/drills/{}/", drill(&restorer));
    let reports: Vec<_> = listed.iter().filter(|version| version.key().unwrap().starts_with(&prefix)).collect();
    assert_eq!(reports.len(), 4, "{listed:#?}");
    let promised = Timestamp::now() + jiff::SignedDuration::from_hours(35 * 24 - 1);
    for report in &reports {
        let (key, id) = (report.key().unwrap(), report.version_id().unwrap());
        let got = client.get_object_retention().bucket("acme").key(key).version_id(id).send().await.unwrap();
        let retention = got.retention().unwrap();
        assert_eq!(retention.mode(), Some(&Mode::Compliance), "{key}");
        assert!(retention.retain_until_date().unwrap().secs() > promised.as_second(), "{key}");
        let deletes = client.delete_object().bucket("acme").key(key).version_id(id).bypass_governance_retention(true);
        assert!(deletes.send().await.is_err(), "{key} could be deleted");
    }
    // Of what it may do there is a report more at most, beside the others: under the lock, and unsigned.
    let reporter = server.client(&credentials["reporter"]);
    let backups = listed.iter().filter(|version| !version.key().unwrap().contains("/drills/"));
    for version in backups {
        let nothing: [&str; 0] = [];
        assert_eq!(Thief { client: &reporter, bucket: "acme", version }.gets_away_with().await, nothing, "{version:?}");
    }
    assert_eq!(Thief { client: &reporter, bucket: "acme", version: reports[0] }.gets_away_with().await, ["put"]);
    restorer.stop();
    inspector.stop();
}
