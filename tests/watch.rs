//! The watch on real servers: it sees what the vault holds, whatever the depositor says or does not say, and alarms.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/rgw.rs"]
mod rgw;
mod support;

use aws_sdk_s3::types::ObjectLockRetentionMode as Mode;
use jiff::Timestamp;
use rgw::{Bucket, Rgw};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};
use support::{
    Daemon, Ear, World, confirmed, expect, files_below, flag, heard, metric, plan, problems, start, text, told_to,
    until, watches,
};

fn world() -> World {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n, repeat('word ', 20) AS said;");
    world
}

#[test]
fn a_watch_confirms_a_backup_and_sees_by_itself_that_no_more_come() {
    let world = world();
    plan(&world.strongroom, "*/2 * * * * *", "", "");
    watches(&world.strongroom, "inspector", "recovery_point = \"8s\"", "");
    let watch = start(&world.strongroom, "inspector");
    assert_eq!(watch.health("/sources/0/state"), "waiting");
    let depositor = Daemon::start(&world.strongroom);
    expect("good source", || watch.health("/sources/0/state") == "good");
    expect("confirmed backup", || {
        metric(&watch, "strongroom_last_confirmed_timestamp_seconds{source='app',vault='local'}") > 0.0
    });
    assert_eq!(metric(&watch, "strongroom_confirm_success{source='app',vault='local'}"), 1.0);
    assert_eq!(metric(&watch, "strongroom_watch_role{role='inspector'}"), 1.0);
    assert_eq!(metric(&watch, "strongroom_tamper_findings{source='app',vault='local'}"), 0.0);
    assert_eq!(metric(&watch, "strongroom_recovery_point_objective_seconds{source='app'}"), 8.0);
    let (_, page) = watch.get("/metrics");
    assert!(!page.contains("strongroom_last_run") && !page.contains("strongroom_runs"), "{page}");
    assert_eq!(watch.get("/healthz").0, 200);

    // The depositor goes. Nobody tells the watch; the age of what the vault holds does.
    depositor.kill();
    let point: Timestamp = text(&watch.health("/sources/0"), "/recovery_point").parse().unwrap();
    until("overdue source", || (watch.health("/sources/0/state") == "overdue").then_some(()));
    let age = Timestamp::now().duration_since(point).as_secs_f64();
    assert!((8.0..12.0).contains(&age), "red after {age} s of an objective of 8 s");
    assert_eq!(problems(&watch), ["overdue"]);
    let status = world.strongroom.run("inspector", &["status"]).exits(1);
    assert!(status.stdout.contains("LADDER") && status.stdout.contains("confirmed"), "{}", status.stdout);
    watch.expect_log("event=\"overdue\"");
    watch.stop();
}

#[test]
fn findings_alarm_once_and_those_that_were_explained_do_not() {
    let world = world();
    let backup = world.backup();
    let ear = Ear::open();
    watches(&world.strongroom, "inspector", "recovery_point = \"1h\"", "");
    told_to(&world.strongroom, "inspector", &ear);
    let watch = start(&world.strongroom, "inspector");
    expect("confirmed backup", || watch.health("/sources/0/vaults/0/watched/confirmed_at").is_string());
    assert_eq!((problems(&watch), heard(&ear)), (vec![], vec![]));

    let stranger = world.vault().join(format!("v1/app/backups/{backup}/readme.txt"));
    fs::write(&stranger, "pay").unwrap();
    expect("problem", || problems(&watch) == ["tampered"]);
    expect("alert", || !heard(&ear).is_empty());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(heard(&ear), ["tampering: tampered"], "told once, however often it is seen");
    assert_eq!(metric(&watch, "strongroom_findings{source='app',vault='local',kind='unknown-object'}"), 1.0);
    let finding = watch.health("/sources/0/vaults/0/watched/findings/0");
    let named = format!("{} {}", text(&finding, "/kind"), text(&finding, "/object"));

    let every = "confirm_every = \"1s\"\n";
    let accepted = format!("{every}accepted = [\"{named}\"]\n");
    world.strongroom.edit("inspector", |text| text.replace(every, &accepted));
    watch.reload();
    watch.expect_log("the configuration was read again and is in force");
    expect("end of the problem", || problems(&watch).is_empty());
    expect("word that it is over", || heard(&ear).len() == 2);
    assert_eq!(heard(&ear)[1], "recovered: ");
    assert_eq!(watch.health("/sources/0/vaults/0/watched/accepted/0/kind"), "unknown-object");
    assert_eq!(metric(&watch, "strongroom_tamper_findings{source='app',vault='local'}"), 0.0);

    world.strongroom.edit("inspector", |text| text.replace("confirm_every = \"1s\"", "confirm_every = \"soon\""));
    watch.reload();
    watch.expect_log("is NOT in force; the old one is");
    assert_eq!(metric(&watch, "strongroom_config_reload_success"), 0.0);
    watch.stop();
}

#[test]
fn a_vault_that_is_away_is_said_at_once_and_is_overdue_in_time() {
    let world = world();
    world.backup();
    watches(&world.strongroom, "inspector", "recovery_point = \"12s\"", "");
    let watch = start(&world.strongroom, "inspector");
    expect("confirmed backup", || watch.health("/sources/0/vaults/0/watched/confirmed_at").is_string());
    let point: Timestamp = text(&watch.health("/sources/0"), "/recovery_point").parse().unwrap();
    let away = world.scratch.path().join("away");
    flag("-i", &world.objects());
    fs::rename(world.vault(), &away).unwrap();
    expect("problem", || problems(&watch).contains(&"unconfirmed".to_owned()));
    assert_eq!(metric(&watch, "strongroom_confirm_success{source='app',vault='local'}"), 0.0);
    assert!(watch.health("/sources/0/vaults/0/last_good").is_object(), "what was known is kept, and grows old");
    until("overdue source", || (watch.health("/sources/0/state") == "overdue").then_some(()));
    let age = Timestamp::now().duration_since(point).as_secs_f64();
    assert!((12.0..18.0).contains(&age), "red after {age} s of an objective of 12 s");

    fs::rename(&away, world.vault()).unwrap();
    flag("+i", &world.objects());
    expect("look that is whole again", || {
        metric(&watch, "strongroom_confirm_success{source='app',vault='local'}") == 1.0
    });
    world.backup();
    expect("good source", || watch.health("/sources/0/state") == "good");
    watch.stop();
}

#[test]
fn a_restart_remembers_what_it_saw_and_misses_what_vanished_meanwhile() {
    let world = world();
    let (gone, stays) = (world.backup(), world.backup());
    let ear = Ear::open();
    watches(&world.strongroom, "inspector", "recovery_point = \"1h\"", "");
    told_to(&world.strongroom, "inspector", &ear);
    let watch = start(&world.strongroom, "inspector");
    expect("two backups", || confirmed(&watch).as_ref() == Some(&stays));
    watch.stop();

    let folder = world.vault().join("v1/app/backups").join(&gone);
    flag("-i", &files_below(&folder));
    fs::remove_dir_all(&folder).unwrap();
    let status = world.strongroom.run("inspector", &["status", "--json"]).exits(1).json();
    assert_eq!(text(&status, "/sources/0/problems/0/problem"), "loss", "{status:#}");

    let watch = start(&world.strongroom, "inspector");
    expect("problem", || problems(&watch).contains(&"loss".to_owned()));
    assert_eq!(watch.health("/sources/0/state"), "unprotected");
    expect("alert", || !heard(&ear).is_empty());
    assert!(heard(&ear)[0].starts_with("tampering: loss"), "{:?}", heard(&ear));
    let told = heard(&ear).len();
    watch.kill();
    let watch = start(&world.strongroom, "inspector");
    expect("first look", || watch.health("/sources/0/vaults/0/watched/confirmed_at").is_string());
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((problems(&watch)[0].as_str(), heard(&ear).len()), ("loss", told), "told before, and not again");
    watch.stop();
}

#[test]
fn status_asks_the_vault_and_leaves_nothing_behind() {
    let world = world();
    let backup = world.backup();
    let status = world.strongroom.run("inspector", &["status", "--json"]).exits(0).json();
    assert_eq!(text(&status, "/sources/0/rung/sealed/backup"), backup);
    assert!(status.pointer("/sources/0/rung/confirmed").unwrap().is_null(), "a listing confirms nothing");
    world.strongroom.run("restorer", &["status"]).exits(0).says("good");
    for role in ["inspector", "restorer"] {
        assert!(!world.strongroom.path(&format!("state-{role}")).exists(), "{role}");
    }
    world.strongroom.run("depositor", &["watch"]).exits(2).says("watch is done by the inspector or restorer");
}

#[test]
fn one_watch_for_each_state_dir() {
    let world = world();
    watches(&world.strongroom, "inspector", "recovery_point = \"1h\"", "");
    let watch = start(&world.strongroom, "inspector");
    world.strongroom.run("inspector", &["watch"]).exits(1).says("another daemon runs on");
    world
        .strongroom
        .edit("restorer", |text| text.replacen("[[source]]\n", "[watch]\nlisten = \"127.0.0.1:0\"\n\n[[source]]\n", 1));
    let other = Daemon::start_as(&world.strongroom.command("restorer", &["watch"]));
    assert_eq!(metric(&other, "strongroom_watch_role{role='restorer'}"), 1.0);
    other.stop();
    watch.stop();
}

/// A report of a drill of `backup` that ended `outcome`, and its signature by `key`.
fn report(key: &minisign::SecretKey, drill: &str, backup: &str, manifest: &[u8], outcome: &str) -> (String, String) {
    let now = Timestamp::now();
    let told: Value = serde_json::from_slice(manifest).unwrap_or_default();
    let snapshot_at = told.get("snapshot_at").cloned().unwrap_or_else(|| serde_json::json!(now));
    let report = serde_json::json!({
        "format": 1, "drill": drill, "source": "app", "vault": "local", "outcome": outcome,
        "differences": if outcome == "failed" { vec!["table `public.t` has 1 row less"] } else { vec![] },
        "backup": backup, "manifest": blake3::hash(manifest).to_string(), "snapshot_at": snapshot_at, "suspect": [],
        "started_at": now, "ended_at": now, "restore_seconds": 1.5, "compared": {
            "tables": 1, "rows": 1000, "sequences": 0, "large_objects": 0, "extensions": 0, "roles": 0,
            "definitions": 1, "checks": 0,
        },
        "notes": [], "strongroom": "0.1.0", "host": "drills",
    });
    let report = report.to_string();
    let comment = format!("strongroom drill 1 app {drill}");
    let signature = minisign::sign(None, key, report.as_bytes(), Some(&comment), None).unwrap();
    (report, signature.into_string())
}

/// The same, signed by the reporter, and of data that nobody has yet.
fn ahead(key: &minisign::SecretKey, (report, _): (String, String)) -> (String, String) {
    let mut report: Value = serde_json::from_str(&report).unwrap();
    report["snapshot_at"] = "2099-01-01T00:00:00Z".into();
    let comment = format!("strongroom drill 1 app {}", text(&report, "/drill"));
    let report = report.to_string();
    let signature = minisign::sign(None, key, report.as_bytes(), Some(&comment), None).unwrap();
    (report, signature.into_string())
}

/// A version that is newer than all others.
const LATER: &str = "@20990101T000000000Z-20990201T000000Z";

fn put(folder: &Path, suffix: &str, (report, signature): (String, String)) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(format!("report.json.minisig{suffix}")), signature).unwrap();
    fs::write(folder.join(format!("report.json{suffix}")), report).unwrap();
}

#[test]
fn a_report_proves_a_backup_only_where_the_reporter_signed_it_for_that_very_drill() {
    let world = world();
    let backup = world.backup();
    let object = world.object(&format!("{backup}/manifest.json"));
    let manifest = fs::read(&object).unwrap();
    let stamp = format!("@{}", object.to_str().unwrap().rsplit_once('@').unwrap().1);
    let [ours, theirs] = [(); 2].map(|()| minisign::KeyPair::generate_unencrypted_keypair().unwrap());
    fs::write(world.strongroom.path("keys/report.pub"), ours.pk.to_box().unwrap().to_string()).unwrap();
    let ear = Ear::open();
    watches(
        &world.strongroom,
        "inspector",
        "recovery_point = \"1h\", proven_within = \"1h\"",
        "reports_dir = \"reports\"",
    );
    told_to(&world.strongroom, "inspector", &ear);
    let (in_folder, in_vault) = (world.strongroom.path("reports"), world.vault().join("v1/app/drills"));
    fs::create_dir(&in_folder).unwrap();
    let ids = [1, 2, 3, 4, 5].map(|n| format!("20261121T12000{n}Z-0000000{n}"));
    let (passes, of_none) = (|key, id| report(key, id, &backup, &manifest, "passed"), b"no manifest of ours");
    put(&in_vault.join(&ids[0]), &stamp, passes(&theirs.sk, &ids[0]));
    put(&in_vault.join(&ids[1]), &stamp, passes(&ours.sk, &ids[4])); // ours, under another drill's name
    put(&in_vault.join(&ids[2]), &stamp, report(&ours.sk, &ids[2], &backup, of_none, "passed"));
    put(&in_folder.join("forged"), "", passes(&theirs.sk, &ids[3]));
    put(&in_folder.join("lying"), "", ahead(&ours.sk, passes(&ours.sk, "20261121T120009Z-00000009")));
    // More junk than there are reports to be read, put after them.
    for number in 10..40 {
        let junk = ("{}".to_owned(), "no signature".to_owned());
        put(&in_vault.join(format!("20261121T1201{number}Z-000000{number}")), LATER, junk);
    }
    let watch = start(&world.strongroom, "inspector");
    watch.expect_log("is signed, and is of no backup that was seen, or of another time: it does not count");
    watch.expect_log("is not signed with the key in `reports`: it does not count");
    expect("confirmed backup", || confirmed(&watch).as_ref() == Some(&backup));
    assert_eq!(metric(&watch, "strongroom_last_proven_timestamp_seconds{source='app'}"), 0.0);

    put(&in_vault.join(&ids[3]), &stamp, passes(&ours.sk, &ids[3]));
    expect("proven backup", || metric(&watch, "strongroom_last_proven_timestamp_seconds{source='app'}") > 0.0);
    assert_eq!(watch.health("/sources/0/rung/proven/backup"), *backup);
    assert_eq!(metric(&watch, "strongroom_last_drill_outcome{source='app',outcome='passed'}"), 1.0);
    assert_eq!((metric(&watch, "strongroom_drill_restore_seconds{source='app'}"), problems(&watch)), (1.5, vec![]));

    put(&in_folder.join(&ids[4]), "", report(&ours.sk, &ids[4], &backup, &manifest, "failed"));
    expect("problem", || problems(&watch) == ["drill-failed"]);
    assert_eq!(watch.health("/sources/0/state"), "unprotected");
    expect("alert", || heard(&ear) == ["unproven: drill-failed"]);
    world.strongroom.run("inspector", &["status"]).exits(1).says("proven").says("1 row less");
    watch.stop();
}

/// What README lets an inspector do, and no more.
#[tokio::test]
async fn a_bucket_is_watched_with_the_inspectors_own_rights() {
    let (world, server) = (world(), Rgw::start());
    let root = server.account();
    server.bucket(&root, "acme", Some((Mode::Compliance, 35))).await;
    let bucket = Bucket::new(&world, &server, "acme", &root);
    for role in ["depositor", "inspector"] {
        let policy = fs::read_to_string(bucket.strongroom.path(&format!("policies/{role}.json"))).unwrap();
        bucket.fill_in(role, &server.user(&root, role, &policy));
    }
    let credentials = bucket.strongroom.path("keys/inspector.toml");
    let text_before = fs::read_to_string(&credentials).unwrap();
    let soon = Timestamp::now() + jiff::SignedDuration::from_hours(48);
    fs::write(&credentials, format!("{text_before}expires_at = \"{soon}\"\n")).unwrap();
    let backup = bucket.strongroom.backup();
    watches(&bucket.strongroom, "inspector", "recovery_point = \"1h\"", "");
    let watch = start(&bucket.strongroom, "inspector");
    expect("confirmed backup", || confirmed(&watch).as_ref() == Some(&backup));
    assert_eq!(problems(&watch), ["credential-expires"]);
    let expires = metric(&watch, "strongroom_credential_expires_timestamp_seconds{vault='offsite'}");
    assert!((expires - soon.as_duration().as_secs_f64()).abs() < 1.0, "{expires}");
    assert!(metric(&watch, "strongroom_lock_end_timestamp_seconds{source='app',vault='offsite'}") > expires);

    let client = server.client(&root);
    let key = format!("prod/v1/app/backups/{backup}/manifest.json");
    client.delete_object().bucket("acme").key(&key).send().await.unwrap();
    expect("problem", || problems(&watch).contains(&"tampered".to_owned()));
    assert_eq!(watch.health("/sources/0/vaults/0/watched/findings/0/kind"), "marker");
    assert_eq!(confirmed(&watch).as_ref(), Some(&backup), "it is hidden, and restores all the same");
    watch.stop();
}

#[test]
fn a_ping_comes_while_the_watch_finds_the_source_well_and_says_so_when_it_does_not() {
    let world = world();
    world.backup();
    let ear = Ear::open();
    let path = world.strongroom.path("keys/ping.url");
    fs::write(&path, ear.url("/ping")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    watches(&world.strongroom, "inspector", "recovery_point = \"1h\"", "");
    world.strongroom.edit("inspector", |text| {
        let ping = "name = \"app\"\nping = { kind = \"healthchecks\", url = { file = \"keys/ping.url\" } }\n";
        text.replace("name = \"app\"\n", ping)
    });
    let watch = start(&world.strongroom, "inspector");
    expect("ping", || !ear.heard("/ping").is_empty());
    let gone = world.scratch.path().join("gone");
    fs::rename(world.vault(), &gone).unwrap();
    expect("ping that fails", || !ear.heard("/ping/fail").is_empty());
    assert!(ear.heard("/ping/fail")[0].body.contains("unconfirmed"), "{:?}", ear.heard("/ping/fail"));
    fs::rename(&gone, world.vault()).unwrap();
    expect("ping that is well again", || ear.heard("/ping?").len() >= 2);
    watch.stop();
}
