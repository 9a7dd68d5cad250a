//! Whatever is done to an object of a backup, a restore of that backup fails, names the object, and says 13; and
//! every other way in which a run can be refused has its own exit code.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};
use support::{Attack, Installation, PRODUCTION, World, files_below, key_of, put, remove, segment_of, text};

/// Two backups that differ: the older has one row, the newer two.
struct Attacked {
    world: World,
    older: String,
    newer: String,
    restores: usize,
}

const ROWS: &str = "CREATE TABLE precious (i int PRIMARY KEY, t text); INSERT INTO precious VALUES (1, 'one');";

impl Attacked {
    fn new() -> Self {
        let world = World::with_postgres(15);
        world.psql(ROWS);
        let older = world.backup();
        // The definitions differ, too: equal ones would be one object for both.
        world.psql("INSERT INTO precious VALUES (2, 'two'); COMMENT ON TABLE precious IS 'two rows'");
        let newer = world.backup();
        Self { world, older, newer, restores: 0 }
    }

    fn manifest(&self, backup: &str) -> PathBuf {
        self.world.object(&format!("{backup}/manifest.json"))
    }

    fn seal(&self, backup: &str) -> PathBuf {
        self.world.object(&format!("{backup}/manifest.json.minisig"))
    }

    /// The file of a segment that carries `stream`.
    fn segment(&self, backup: &str, stream: &str) -> PathBuf {
        segment_of(&self.world, backup, stream)
    }

    /// Restores the newest into a fresh database, whose name it gives back.
    fn restore(&mut self, options: &[&str]) -> (String, support::Ran) {
        self.restores += 1;
        let database = format!("recovered_{}", self.restores);
        let ran = self.world.restore(&database, options);
        (database, ran)
    }

    /// After `attack` on `object`, no restore of the newest succeeds, each names the object, and no database passes
    /// for a whole one.
    fn holds_out(&mut self, object: &Path, attack: &Attack) {
        let before = fs::read(object).unwrap();
        attack.strike(object);
        let (database, ran) = self.restore(&[]);
        let ran = ran.exits(13);
        let key = key_of(object.strip_prefix(self.world.vault()).unwrap());
        assert!(ran.stderr.contains(&key), "{attack:?} of {key} does not name it:\n{}", ran.stderr);
        assert_eq!(ran.stdout, "", "{attack:?} of {key}");
        let comment =
            format!("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{database}'");
        let comment = self.world.postgres.psql("postgres", &comment);
        let made = self.world.postgres.databases().contains(&database);
        assert!(!made || comment.contains("INCOMPLETE"), "{attack:?} of {key} leaves a database that says `{comment}`");
        put(object, &before);
    }

    /// Every attack there is on the object that `find` finds in the newest backup, with the older one's of its kind.
    fn holds_out_against_everything(mut self, find: impl Fn(&Self, &str) -> PathBuf) {
        let (object, other) = (find(&self, &self.newer), find(&self, &self.older));
        let length = fs::metadata(&object).unwrap().len();
        for place in [length / 3, length / 2, length * 9 / 10, length - 2] {
            self.holds_out(&object, &Attack::Flip(place));
        }
        // The last byte of a seal is a line feed, which says nothing.
        for kept in [0, length / 2, length - 2] {
            self.holds_out(&object, &Attack::Truncate(kept));
        }
        self.holds_out(&object, &Attack::Swap(other));
        // minisign reads four lines and nothing below them; a seal that is gone has a test of its own.
        if !key_of(&object).ends_with(".minisig") {
            self.holds_out(&object, &Attack::Extend);
            self.holds_out(&object, &Attack::Remove);
        }
        let (database, ran) = self.restore(&[]);
        ran.exits(0).says(&self.newer);
        assert_eq!(
            self.world.postgres.psql(&database, "SELECT string_agg(t, ' ' ORDER BY i) FROM precious"),
            "one two"
        );
    }
}

#[test]
fn a_changed_manifest_is_never_restored_from() {
    Attacked::new().holds_out_against_everything(Attacked::manifest);
}

#[test]
fn a_changed_seal_is_never_restored_from() {
    Attacked::new().holds_out_against_everything(Attacked::seal);
}

#[test]
fn a_changed_data_segment_is_never_restored_from() {
    Attacked::new().holds_out_against_everything(|attacked, backup| attacked.segment(backup, "data"));
}

#[test]
fn a_changed_archive_segment_is_never_restored_from() {
    Attacked::new().holds_out_against_everything(|attacked, backup| attacked.segment(backup, "archive"));
}

#[test]
fn a_changed_globals_segment_is_never_restored_from() {
    let mut attacked = Attacked::new();
    let object = attacked.segment(&attacked.newer, "globals");
    let other = attacked.segment(&attacked.older, "globals");
    let length = fs::metadata(&object).unwrap().len();
    for attack in [
        Attack::Flip(length / 2),
        Attack::Truncate(length - 1),
        Attack::Truncate(0),
        Attack::Swap(other),
        Attack::Remove,
    ] {
        let before = fs::read(&object).unwrap();
        attack.strike(&object);
        let (_, ran) = attacked.restore(&["--globals"]);
        let key = key_of(object.strip_prefix(attacked.world.vault()).unwrap());
        ran.exits(13).says(&key);
        put(&object, &before);
    }
    assert_eq!(attacked.world.postgres.databases(), ["postgres", PRODUCTION]);
    attacked.restore(&["--globals"]).1.exits(0);
}

#[test]
fn when_the_newest_is_damaged_an_older_one_is_given_only_where_it_is_asked_for() {
    let mut attacked = Attacked::new();
    let older = attacked.older.clone();
    for object in [attacked.manifest(&attacked.newer), attacked.seal(&attacked.newer)] {
        attacked.holds_out(&object, &Attack::Flip(200));
        let before = fs::read(&object).unwrap();
        Attack::Flip(200).strike(&object);
        let (database, ran) = attacked.restore(&["--at", &older]);
        ran.exits(0).says(&older);
        assert_eq!(attacked.world.postgres.psql(&database, "SELECT count(*) FROM precious"), "1");
        put(&object, &before);
    }
}

/// A removed seal is what a run that died leaves behind: nothing in a folder can tell them apart, so it must be said.
#[test]
fn a_newer_run_without_a_seal_is_named_when_an_older_backup_is_restored() {
    let mut attacked = Attacked::new();
    remove(&attacked.seal(&attacked.newer));
    let (database, ran) = attacked.restore(&[]);
    ran.exits(0).says(&attacked.older).says(&attacked.newer);
    assert_eq!(attacked.world.postgres.psql(&database, "SELECT count(*) FROM precious"), "1");
    let listed = attacked.world.strongroom.list("restorer");
    assert_eq!(text(&listed, "/backups/0/backup"), attacked.newer);
    assert_eq!(text(&listed, "/backups/0/state"), "unsealed");
    let newer = attacked.newer.clone();
    attacked.restore(&["--at", &newer]).1.exits(13).says("manifest.json.minisig");
}

#[test]
fn the_list_shows_a_damaged_backup_and_exits_13() {
    let attacked = Attacked::new();
    Attack::Flip(200).strike(&attacked.manifest(&attacked.newer));
    let ran = attacked.world.strongroom.run("inspector", &["list"]).exits(13);
    assert!(ran.stdout.contains("DAMAGED"), "{ran:?}");
    let listed = attacked.world.strongroom.list("inspector");
    assert_eq!(text(&listed, "/backups/0/state"), "damaged");
    assert_eq!(text(&listed, "/backups/1/state"), "sealed");
}

#[test]
fn what_lies_on_top_is_a_finding_and_changes_nothing() {
    let mut attacked = Attacked::new();
    let objects = [attacked.manifest(&attacked.newer), attacked.seal(&attacked.newer)];
    let backups = objects[0].ancestors().nth(2).unwrap();
    for object in &objects {
        let on_top = format!("{}@20990101T000000000Z-20990201T000000Z", key_of(object));
        fs::write(on_top, "junk").unwrap();
    }
    fs::write(backups.join("README-RANSOM.txt"), "pay").unwrap();
    fs::create_dir(backups.join("20990101T000000Z-00000000")).unwrap();
    fs::write(backups.join("20990101T000000Z-00000000/manifest.json@20990101T000000000Z-20990201T000000Z"), "{}")
        .unwrap();
    let (database, ran) = attacked.restore(&[]);
    let newer = attacked.newer.clone();
    let ran = ran.exits(0).says(&format!("from {newer}")).says("README-RANSOM.txt");
    assert_eq!(ran.stdout.matches("was overwritten").count(), 2, "{ran:?}");
    assert_eq!(attacked.world.postgres.psql(&database, "SELECT count(*) FROM precious"), "2");
    let listed = attacked.world.strongroom.list("inspector");
    assert_eq!(listed["findings"].as_array().unwrap().len(), 3, "{listed:#}");
}

#[test]
fn an_identity_that_cannot_open_says_12_and_the_recovery_key_opens() {
    let mut attacked = Attacked::new();
    let other = attacked.world.scratch.path().join("others");
    let vault = format!("local=file://{}", attacked.world.scratch.path().join("others-vault").display());
    let other =
        Installation::new(&other, &["--source", "app=postgres://u@h/d", "--vault", &vault], Path::new("/usr/bin"));
    let strangers = other.path("keys/drill.key");
    attacked.restore(&["--identity", strangers.to_str().unwrap()]).1.exits(12).says("hint:");
    assert_eq!(attacked.world.postgres.databases(), ["postgres", PRODUCTION]);
    let recovery = attacked.world.strongroom.path("keys/recovery.key");
    attacked.restore(&["--identity", recovery.to_str().unwrap()]).1.exits(0);
}

#[test]
fn signatures_of_another_installation_are_not_ours() {
    let mut attacked = Attacked::new();
    let other = attacked.world.scratch.path().join("others");
    let vault = format!("local=file://{}", attacked.world.scratch.path().join("others-vault").display());
    let other =
        Installation::new(&other, &["--source", "app=postgres://u@h/d", "--vault", &vault], Path::new("/usr/bin"));
    fs::copy(other.path("keys/signing.pub"), attacked.world.strongroom.path("keys/signing.pub")).unwrap();
    attacked.restore(&[]).1.exits(13).says("manifest.json.minisig");
    let listed = attacked.world.strongroom.run("inspector", &["list", "--json"]).json();
    assert_eq!(text(&listed, "/shelves/0/backups/0/state"), "not-ours");
}

#[test]
fn a_vault_that_is_not_there_says_10() {
    let world = World::with_postgres(15);
    let (here, gone) = (world.vault(), world.scratch.path().join("gone"));
    fs::rename(here, gone).unwrap();
    world.strongroom.run("depositor", &["backup"]).exits(10);
    world.strongroom.run("inspector", &["list"]).exits(10);
    world.restore("recovered", &[]).exits(10);
    assert!(!world.vault().exists(), "a vault is made by the custodian only");
}

#[test]
fn a_server_that_does_not_answer_says_10() {
    let world = World::with_postgres(15);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = format!("app={}", world.postgres.url("strongroom", PRODUCTION));
    let endpoint = format!("http://127.0.0.1:{port}");
    let options = ["--source", &source, "--vault", "offsite=s3://acme/prod", "--endpoint", &endpoint];
    let strongroom = Installation::new(&world.scratch.path().join("bucket"), &options, &world.postgres.programs);
    for file in
        files_below(&strongroom.path("keys")).iter().filter(|file| file.extension().is_some_and(|e| e == "toml"))
    {
        fs::write(file, "access_key_id = \"a\"\nsecret_access_key = \"b\"\n").unwrap();
    }
    strongroom.run("depositor", &["backup"]).exits(10).says(&endpoint);
    strongroom.run("inspector", &["list"]).exits(10).says(&endpoint);
}

#[test]
fn missing_rights_say_4_and_the_statements_that_are_printed_mend_it() {
    let world = World::with_postgres(15);
    world.psql(
        "REVOKE pg_read_all_data FROM strongroom; ALTER ROLE strongroom NOBYPASSRLS;
         CREATE SCHEMA \"Odd schema\";
         CREATE TABLE \"Odd schema\".\"ta'ble\" (id bigserial, secret text);
         INSERT INTO \"Odd schema\".\"ta'ble\" (secret) VALUES ('x');
         CREATE TABLE filtered AS SELECT 1 AS i;
         ALTER TABLE filtered ENABLE ROW LEVEL SECURITY;
         SELECT lo_from_bytea(4711, 'large');
         CREATE TABLE parent (i int) PARTITION BY LIST (i); CREATE TABLE child PARTITION OF parent DEFAULT;
         INSERT INTO parent VALUES (1);",
    );
    let ran = world.strongroom.run("depositor", &["backup"]).exits(4);
    assert_eq!(world.objects(), Vec::<PathBuf>::new(), "something was deposited");
    let mends: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("  ")).map(str::trim).collect();
    assert!(mends.contains(&"ALTER ROLE strongroom BYPASSRLS;"), "{ran:?}");
    assert!(mends.contains(&"GRANT USAGE ON SCHEMA \"Odd schema\" TO strongroom;"), "{ran:?}");
    world.psql(&mends.join("\n"));
    world.backup();
    world.restore("recovered", &[]).exits(0);
    world.postgres.dump(PRODUCTION, &["--create"]).assert_equal(&world.postgres.dump("recovered", &["--create"]));
}

#[test]
fn a_role_does_only_what_is_its_own() {
    let world = World::with_postgres(15);
    let to = world.url("recovered");
    let id = world.backup();
    for (role, arguments) in [
        ("depositor", &["restore", "app", "--to", &to][..]),
        ("depositor", &["list"]),
        ("depositor", &["show", &id]),
        ("depositor", &["fetch", &id, "--output", "/nonexistent/folder"]),
        ("inspector", &["backup"]),
        ("inspector", &["restore", "app", "--to", &to]),
        ("restorer", &["backup"]),
    ] {
        world.strongroom.run(role, arguments).exits(2).says(&format!("configuration of the {role}"));
    }
    assert_eq!(world.postgres.databases(), ["postgres", PRODUCTION]);
}
