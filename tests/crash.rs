//! A run that is killed at any moment never leaves a sealed backup that does not restore.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::{
    collections::BTreeSet,
    process::{Child, Stdio},
    time::{Duration, Instant},
};
use support::{World, files_below, text};

const KILLS_BY_TIME: u32 = 12;
const PATIENCE: Duration = Duration::from_secs(20);

/// Some 60 MB: the rental of the demo with a long history, which is cut by page ranges.
const HISTORY: &str = "
    CREATE TABLE rental.history AS
    SELECT g AS year, r.*, md5(r.id::text || g) AS note FROM rental.reservations r, generate_series(1, 8) g;
    CREATE TABLE rental.marks (run int);";

struct Crashing {
    world: World,
    runs: u32,
    /// The backups that were there after the last run.
    known: BTreeSet<String>,
}

impl Crashing {
    fn new() -> Self {
        let world = World::with_postgres(15);
        world.psql(include_str!("../src/cli/demo/rental.sql"));
        world.psql(HISTORY);
        Self { world, runs: 0, known: BTreeSet::new() }
    }

    /// Begins a run whose snapshot holds as many marks as there were runs.
    fn begin(&mut self) -> Child {
        self.runs += 1;
        self.world.psql(&format!("INSERT INTO rental.marks VALUES ({})", self.runs));
        let mut backup = self.world.strongroom.command("depositor", &["backup"]);
        backup.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Kills the run, unless it has ended.
    fn kill(&mut self, mut run: Child) {
        run.kill().unwrap();
        run.wait().unwrap();
    }

    /// Everything that is called sealed now and was not there before restores, and equals what the run saw.
    fn what_is_sealed_restores(&mut self) -> usize {
        let listed = self.world.strongroom.list("restorer");
        let mut sealed = 0;
        for backup in listed["backups"].as_array().unwrap() {
            let (id, state) = (text(backup, "/backup"), text(backup, "/state"));
            assert!(["sealed", "unsealed"].contains(&state.as_str()), "after kill {}: {listed:#}", self.runs);
            if state == "unsealed" || !self.known.insert(id.clone()) {
                continue;
            }
            sealed += 1;
            self.world.restore("recovered", &["--at", &id]).exits(0);
            assert_eq!(self.world.postgres.psql("recovered", CONTENT), self.world.psql(CONTENT), "backup {id}");
            let marks = self.world.postgres.psql("recovered", "SELECT max(run) FROM rental.marks");
            assert_eq!(marks, self.runs.to_string(), "backup {id} is of run {}", self.runs);
            self.world.postgres.psql("postgres", "DROP DATABASE recovered");
        }
        assert!(sealed <= 1, "one run sealed {sealed} backups");
        sealed
    }

    /// Waits until `ready` says so, or the run ends.
    fn wait_for(&self, run: &mut Child, ready: impl Fn(&[String]) -> bool) {
        let before: BTreeSet<_> = files_below(&self.world.vault()).into_iter().collect();
        while run.try_wait().unwrap().is_none() {
            let now = files_below(&self.world.vault());
            let new: Vec<String> =
                now.iter().filter(|file| !before.contains(*file)).map(|file| file.display().to_string()).collect();
            if ready(&new) {
                return;
            }
        }
    }
}

/// Every table but the marks, in a few numbers.
const CONTENT: &str = "
    SELECT count(*), sum(hashtextextended(t::text, 0)) FROM rental.history t;
    SELECT count(*), sum(hashtextextended(t::text, 0)) FROM rental.customers t;
    SELECT count(*), sum(hashtextextended(t::text, 0)) FROM rental.vehicles t;
    SELECT count(*), sum(hashtextextended(t::text, 0)) FROM rental.reservations t;
    SELECT count(*), sum(hashtextextended(t::text, 0)) FROM rental.payments t;
    SELECT last_value, is_called FROM rental.invoice_number;";

#[test]
fn a_run_killed_at_any_moment_leaves_nothing_sealed_that_does_not_restore() {
    let mut crashing = Crashing::new();
    let began = Instant::now();
    let mut run = crashing.begin();
    assert!(run.wait().unwrap().success());
    let took = began.elapsed();
    assert_eq!(crashing.what_is_sealed_restores(), 1);

    for kill in 0..KILLS_BY_TIME {
        let run = crashing.begin();
        std::thread::sleep(took * (2 * kill + 1) / (2 * KILLS_BY_TIME));
        crashing.kill(run);
        crashing.what_is_sealed_restores();
    }
    // The moments around the seal are short: they are waited for.
    let moments: [fn(&[String]) -> bool; 3] = [
        |new| new.iter().any(|file| file.contains("/segments/")),
        |new| new.iter().any(|file| file.contains("/backups/")),
        |new| new.iter().any(|file| file.contains("/manifest.json@")),
    ];
    for moment in moments {
        let mut run = crashing.begin();
        crashing.wait_for(&mut run, moment);
        crashing.kill(run);
        crashing.what_is_sealed_restores();
    }

    let mut last = crashing.begin();
    assert!(last.wait().unwrap().success(), "the run after a crash fails");
    assert_eq!(crashing.what_is_sealed_restores(), 1);
    let began = Instant::now();
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'strongroom'";
    while crashing.world.postgres.psql("postgres", sessions) != "0" {
        assert!(began.elapsed() < PATIENCE, "killed runs leave sessions behind");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_restore_that_is_killed_leaves_a_database_that_says_so() {
    let world = World::with_postgres(15);
    world.psql(include_str!("../src/cli/demo/rental.sql"));
    world.psql(HISTORY);
    world.backup();
    let to = world.url("recovered");
    let mut restore = world.strongroom.command("restorer", &["restore", "app", "--to", &to]);
    let mut run = restore.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let rows = "SELECT count(*) FROM pg_tables WHERE schemaname = 'rental'";
    while !world.postgres.try_psql("postgres", "recovered", rows).is_ok_and(|tables| tables != "0") {
        assert!(run.try_wait().unwrap().is_none(), "the restore has ended before it was killed");
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'recovered'";
    assert_eq!(world.postgres.psql("postgres", comment), "strongroom: restore INCOMPLETE, do not use");
    world.restore("recovered", &[]).exits(2).says("is not empty");
    world.postgres.psql("postgres", "DROP DATABASE recovered WITH (FORCE)");
    world.restore("recovered", &[]).exits(0);
    world
        .postgres
        .dump(support::PRODUCTION, &["--create"])
        .assert_equal(&world.postgres.dump("recovered", &["--create"]));
}

#[test]
fn two_runs_of_one_source_do_not_run_at_once() {
    let mut crashing = Crashing::new();
    let mut first = crashing.begin();
    crashing.wait_for(&mut first, |new| !new.is_empty());
    let second = crashing.world.strongroom.run("depositor", &["backup"]);
    assert!(first.try_wait().unwrap().is_none(), "the first run has ended too early for this test");
    second.exits(1).says("another backup of `app` is running");
    assert!(first.wait().unwrap().success());
    assert_eq!(crashing.what_is_sealed_restores(), 1);
}

/// What the manifest in the vault says of its place in the chain.
fn chain_of(world: &World, backup: &str) -> serde_json::Value {
    let manifest = std::fs::read(world.object(&format!("{backup}/manifest.json"))).unwrap();
    serde_json::from_slice::<serde_json::Value>(&manifest).unwrap()["chain"].take()
}

#[test]
fn a_depositor_that_loses_its_memory_goes_on_and_says_so_once() {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t AS SELECT generate_series(1, 100) AS n");
    let before = chain_of(&world, &world.backup());
    assert_eq!(before, serde_json::json!({ "sequence": 1, "previous": null, "unsure": [] }));

    let catalog = world.strongroom.path("state/catalog.db");
    std::fs::write(&catalog, "no catalog").unwrap();
    let ran = world.strongroom.run("depositor", &["backup", "--json"]).exits(0);
    let why = "catalog.db was unreadable (file is not a database) and is now catalog.unreadable-";
    assert!(text(&ran.json(), "/sources/0/vaults/0/notes/0").contains(why), "{ran:?}");
    let chain = chain_of(&world, &text(&ran.json(), "/sources/0/backup"));
    assert_eq!((&chain["sequence"], &chain["previous"]), (&1.into(), &serde_json::Value::Null));
    assert!(text(&chain, "/restarted").contains(why), "{chain:#}");

    let last = world.backup();
    let after = chain_of(&world, &last);
    assert_eq!((&after["sequence"], after.get("restarted")), (&2.into(), None));
    world.restore("recovered", &["--at", &last]).exits(0);
    let listed = world.strongroom.list("inspector");
    assert_eq!(listed["backups"].as_array().unwrap().len(), 3, "{listed:#}");

    std::fs::remove_file(&catalog).unwrap();
    world
        .strongroom
        .run("depositor", &["backup"])
        .exits(0)
        .says("catalog.db was gone, although there were runs before");
}
