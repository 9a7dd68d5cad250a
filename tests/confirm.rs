//! confirm on a directory vault: what is there as it was left is confirmed, and whatever was done to it is found, named
//! for what it is, and has its exit code.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use support::{Attack, Installation, Ran, World, hold, key_of, put, remove, segment_of, text};

/// Three backups with definitions of their own; the last two have the same rows.
struct Confirmed {
    world: World,
    backups: [String; 3],
}

impl Confirmed {
    fn new() -> Self {
        let world = World::with_postgres(15);
        world.psql("CREATE TABLE precious (i int PRIMARY KEY, t text)");
        let backups = [1, 2, 3].map(|number| {
            let row = number.min(2);
            world.psql(&format!("INSERT INTO precious VALUES ({row}, 'row') ON CONFLICT DO NOTHING"));
            world.psql(&format!("COMMENT ON TABLE precious IS '{number}'"));
            world.backup()
        });
        Self { world, backups }
    }

    fn newest(&self) -> &str {
        &self.backups[2]
    }

    fn confirm(&self, options: &[&str]) -> Ran {
        self.world.strongroom.run("inspector", &[&["confirm"], options].concat())
    }

    fn deep(&self) -> Ran {
        self.world.strongroom.run("restorer", &["confirm", "--deep", "--json"])
    }

    /// The exit code and the kinds of what is found.
    fn found(&self) -> (i32, Vec<String>) {
        of(&self.confirm(&["--json"]))
    }

    fn manifest(&self, backup: &str) -> PathBuf {
        self.world.object(&format!("{backup}/manifest.json"))
    }

    fn seal(&self, backup: &str) -> PathBuf {
        self.world.object(&format!("{backup}/manifest.json.minisig"))
    }

    fn key(&self, object: &Path) -> String {
        key_of(object.strip_prefix(self.world.vault()).unwrap())
    }

    /// Does `attack`, gives what `found` says then, and undoes it.
    fn under<T>(&self, object: &Path, attack: &Attack, found: impl FnOnce() -> T) -> T {
        let before = fs::read(object).unwrap();
        attack.strike(object);
        hold(object);
        let said = found();
        put(object, &before);
        hold(object);
        said
    }
}

fn of(ran: &Ran) -> (i32, Vec<String>) {
    let json = ran.json();
    let kinds: BTreeSet<String> =
        json["confirmations"][0]["findings"].as_array().unwrap().iter().map(|found| text(found, "/kind")).collect();
    (ran.code, kinds.into_iter().collect())
}

fn verdicts(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    json["confirmations"][0]["backups"].as_array().unwrap().iter().map(|backup| text(backup, "/verdict")).collect()
}

fn kinds(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn what_was_left_alone_is_confirmed() {
    let confirmed = Confirmed::new();
    let ran = confirmed.confirm(&[]).exits(0);
    assert_eq!(ran.stdout.matches(" confirmed ").count(), 3, "{ran:?}");
    assert!(!ran.stdout.contains("hint"), "{ran:?}");
    let ran = confirmed.confirm(&["app", "--vault", "local", "--newest", "1", "--json"]).exits(0);
    assert_eq!(verdicts(&ran), ["confirmed", "listed", "listed"]);
    let backup = &ran.json()["confirmations"][0]["backups"][0];
    assert_eq!(text(backup, "/backup"), confirmed.newest());
    assert_eq!((&backup["sequence"], &backup["suspect"]), (&3.into(), &Value::Array(Vec::new())));
    let ran = confirmed.deep().exits(0);
    assert_eq!((of(&ran).1, verdicts(&ran)), (kinds(&[]), kinds(&["confirmed"; 3])));
}

#[test]
fn whatever_is_done_to_a_segment_is_found() {
    let confirmed = Confirmed::new();
    for stream in ["data", "archive", "globals"] {
        let object = segment_of(&confirmed.world, confirmed.newest(), stream);
        let other = segment_of(&confirmed.world, confirmed.newest(), if stream == "data" { "archive" } else { "data" });
        let length = fs::metadata(&object).unwrap().len();
        for (attack, listed, deep) in [
            // The listing of a directory tells no digest.
            (Attack::Flip(length / 2), &[][..], &["wrong-digest"][..]),
            (Attack::Truncate(length - 1), &["wrong-size"], &["wrong-digest", "wrong-size"]),
            (Attack::Truncate(0), &["wrong-size"], &["wrong-digest", "wrong-size"]),
            (Attack::Extend, &["wrong-size"], &["wrong-digest", "wrong-size"]),
            (Attack::Swap(other), &["wrong-size"], &["wrong-digest", "wrong-size"]),
            (Attack::Remove, &["missing-version"], &["missing-version"]),
        ] {
            let (shallow, below) =
                confirmed.under(&object, &attack, || (confirmed.confirm(&["--json"]), confirmed.deep()));
            assert_eq!(of(&shallow), (if listed.is_empty() { 0 } else { 13 }, kinds(listed)), "{attack:?} of {stream}");
            assert_eq!(of(&below), (13, kinds(deep)), "{attack:?} of {stream}");
            let finding = &below.json()["confirmations"][0]["findings"][0];
            assert_eq!(text(finding, "/object"), confirmed.key(&object));
            assert_eq!(verdicts(&below)[0], "failed");
            // The rows of the last two are equal, and one version serves both.
            let (needed, before) = if stream == "data" { ("by 2 backups", "failed") } else { ("by ", "confirmed") };
            let what = text(finding, "/what");
            assert!(what.contains("needed ") && what.contains(needed), "{attack:?} of {stream}: {what}");
            assert_eq!(verdicts(&below)[1..], [before, "confirmed"], "{attack:?} of {stream}");
        }
    }
    assert_eq!(confirmed.found(), (0, kinds(&[])));
}

#[test]
fn whatever_is_done_to_a_manifest_or_seal_is_found() {
    let confirmed = Confirmed::new();
    let [older, middle, newest] = &confirmed.backups;
    for backup in [newest, middle] {
        let object = confirmed.manifest(backup);
        let length = fs::metadata(&object).unwrap().len();
        for attack in [
            Attack::Flip(length / 2),
            Attack::Truncate(length - 2),
            Attack::Extend,
            Attack::Swap(confirmed.manifest(older)),
            Attack::Remove,
        ] {
            let ran = confirmed.under(&object, &attack, || confirmed.confirm(&["--json"]));
            assert_eq!(of(&ran), (13, kinds(&["damaged"])), "{attack:?}");
            assert_eq!(text(&ran.json(), "/confirmations/0/findings/0/object"), confirmed.key(&object));
        }
    }
    for attack in [Attack::Flip(120), Attack::Truncate(100), Attack::Swap(confirmed.seal(older))] {
        let found = confirmed.under(&confirmed.seal(middle), &attack, || confirmed.found());
        assert_eq!(found, (13, kinds(&["forged", "sequence-gap"])), "{attack:?}");
    }
    // Without its seal a backup is none; the next one says that it was.
    let found = confirmed.under(&confirmed.seal(middle), &Attack::Remove, || confirmed.found());
    assert_eq!(found, (13, kinds(&["sequence-gap"])));
    let found = confirmed.under(&confirmed.seal(older), &Attack::Remove, || confirmed.found());
    assert_eq!(found, (13, kinds(&["sequence-gap"])));
    assert_eq!(confirmed.found(), (0, kinds(&[])));
}

#[test]
fn a_flag_that_receipts_promised_and_that_is_gone_says_15() {
    let confirmed = Confirmed::new();
    let object = segment_of(&confirmed.world, confirmed.newest(), "data");
    let cleared = Command::new("chattr").arg("-i").arg(&object).output().unwrap().status.success();
    let lock = confirmed.confirm(&["--json"]).json();
    if !cleared || text(&lock, "/confirmations/0/backups/0/lock") == "none" && confirmed.found().0 == 0 {
        eprintln!("no right to the immutable flag here: a vault without one promised none");
        return;
    }
    let ran = confirmed.confirm(&[]).exits(15).says("WEAKNESS").says("has no lock").says("FAILED");
    assert!(ran.stdout.contains(&confirmed.key(&object)), "{ran:?}");
    hold(&object);
    for object in [confirmed.manifest(confirmed.newest()), confirmed.seal(confirmed.newest())] {
        assert!(Command::new("chattr").arg("-i").arg(&object).output().unwrap().status.success());
        assert_eq!(confirmed.found(), (15, kinds(&["lock-short"])));
        hold(&object);
    }
}

#[test]
fn what_lies_beside_and_on_top_is_tampering_and_every_backup_is_confirmed_even_so() {
    let confirmed = Confirmed::new();
    let backups = confirmed.manifest(confirmed.newest()).ancestors().nth(2).unwrap().to_owned();
    let source = backups.parent().unwrap();
    fs::write(backups.join("README-RANSOM.txt"), "pay").unwrap();
    fs::create_dir_all(source.join("more")).unwrap();
    for number in 0..150 {
        fs::write(source.join(format!("more/junk-{number}")), "junk").unwrap();
    }
    for object in [
        confirmed.manifest(confirmed.newest()),
        confirmed.seal(confirmed.newest()),
        segment_of(&confirmed.world, confirmed.newest(), "data"),
    ] {
        fs::write(format!("{}@20990101T000000000Z-20990201T000000Z", key_of(&object)), "x".repeat(5000)).unwrap();
    }
    // Reports of drills are no business of a confirm; what else lies among them is.
    fs::create_dir_all(source.join("drills/junk")).unwrap();
    fs::write(source.join("drills/junk/report.json"), "{}").unwrap();
    fs::create_dir_all(source.join("drills/20261121T120301Z-5f2a9c01")).unwrap();
    fs::write(source.join("drills/20261121T120301Z-5f2a9c01/report.json"), "{}").unwrap();
    let ran = confirmed.confirm(&["--json"]);
    assert_eq!(of(&ran), (13, kinds(&["overwritten", "unknown-object"])));
    assert_eq!(verdicts(&ran), ["confirmed"; 3]);
    let findings = ran.json()["confirmations"][0]["findings"].as_array().unwrap().clone();
    assert_eq!(findings.len(), 3 + 101);
    assert_eq!(text(&findings[103], "/what"), "has 52 more objects of which the same is to be said");
    for field in ["kind", "gravity", "object", "what", "means", "mend"] {
        assert!(findings.iter().all(|finding| !text(finding, &format!("/{field}")).is_empty()), "{field}");
    }
}

#[test]
fn a_backup_that_somebody_else_sealed_is_forged() {
    let confirmed = Confirmed::new();
    let (world, folder) = (&confirmed.world, confirmed.world.scratch.path().join("others"));
    let source = format!("app={}", world.postgres.url("strongroom", support::PRODUCTION));
    let vault = format!("local=file://{}", world.scratch.path().join("others-vault").display());
    let other = Installation::new(&folder, &["--source", &source, "--vault", &vault], &world.postgres.programs);
    let forged = other.backup();
    let from = world.scratch.path().join("others-vault/v1/app/backups").join(&forged);
    let to = world.vault().join("v1/app/backups").join(&forged);
    fs::create_dir(&to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    assert_eq!(confirmed.found(), (13, kinds(&["forged"])));
    let ran = confirmed.confirm(&[]).exits(13).says(&forged).says("calls itself number 1").says("TAMPERING");
    assert_eq!(ran.stdout.matches(" confirmed ").count(), 3, "{ran:?}");
    // With their key ours are the forged ones, and theirs lacks its segments here.
    fs::copy(other.path("keys/signing.pub"), world.strongroom.path("keys/signing.pub")).unwrap();
    let json = confirmed.confirm(&["--json"]).exits(13).json();
    let findings = json["confirmations"][0]["findings"].as_array().unwrap();
    assert_eq!(findings.iter().filter(|finding| finding["kind"] == "forged").count(), 3, "{json:#}");
    assert_eq!(text(&json, "/confirmations/0/findings/0/kind"), "missing-version");
}

#[test]
fn a_seal_that_was_taken_away_and_put_again_is_out_of_order() {
    let confirmed = Confirmed::new();
    let [_, middle, _] = &confirmed.backups;
    for object in [confirmed.manifest(middle), confirmed.seal(middle)] {
        let body = fs::read(&object).unwrap();
        remove(&object);
        let later = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(20);
        let until = later + jiff::SignedDuration::from_hours(35 * 24);
        let stamp = format!("{}-{}", later.strftime("%Y%m%dT%H%M%S000Z"), until.strftime("%Y%m%dT%H%M%SZ"));
        let again = PathBuf::from(format!("{}@{stamp}", key_of(&object)));
        put(&again, &body);
        hold(&again);
    }
    assert_eq!(confirmed.found(), (13, kinds(&["out-of-order"])));
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn a_state_that_was_put_back_forks_the_chain_and_one_that_was_lost_restarts_it() {
    let confirmed = Confirmed::new();
    let (world, state) = (&confirmed.world, confirmed.world.strongroom.path("state"));
    let aside = world.scratch.path().join("aside");
    copy(&state, &aside);
    world.backup();
    assert_eq!(confirmed.found(), (0, kinds(&[])));
    fs::remove_dir_all(&state).unwrap();
    copy(&aside, &state);
    let second = world.backup();
    assert_eq!(confirmed.found(), (13, kinds(&["fork"])));
    confirmed.confirm(&[]).exits(13).says(&second).says("fork");

    fs::remove_dir_all(&state).unwrap();
    world.backup();
    assert_eq!(confirmed.found(), (13, kinds(&["chain-restarted", "fork"])));
    confirmed.confirm(&[]).exits(13).says("5 sealed backups lie before it");
}

#[test]
fn what_cannot_be_looked_at_is_no_confirmation() {
    let world = World::with_postgres(15);
    world.strongroom.run("inspector", &["confirm"]).exits(16).says("nothing is confirmed");
    world.backup();
    world.strongroom.run("inspector", &["confirm"]).exits(0);
    world.strongroom.run("inspector", &["confirm", "--deep"]).exits(2).says("restorer");
    world.strongroom.run("depositor", &["confirm"]).exits(2);
    world.strongroom.run("inspector", &["confirm", "other"]).exits(2).says("other");
    world.strongroom.run("inspector", &["confirm", "--vault", "other"]).exits(2).says("other");
    let recovery = world.strongroom.path("keys/recovery.key");
    let with = |identity: &Path| {
        let identity = identity.to_str().unwrap();
        world.strongroom.run("inspector", &["confirm", "--deep", "--identity", identity])
    };
    with(&recovery).exits(0);
    let folder = world.scratch.path().join("others");
    let vault = format!("local=file://{}", world.scratch.path().join("others-vault").display());
    let other =
        Installation::new(&folder, &["--source", "app=postgres://u@h/d", "--vault", &vault], Path::new("/usr/bin"));
    with(&other.path("keys/drill.key")).exits(12);

    fs::rename(world.vault(), world.scratch.path().join("gone")).unwrap();
    world.strongroom.run("inspector", &["confirm"]).exits(10);
    world.strongroom.run("restorer", &["confirm", "--deep"]).exits(10);
}
