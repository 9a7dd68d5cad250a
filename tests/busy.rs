//! Databases do not stand still while they are backed up: a backup is one moment of them, or none at all.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::Read,
    path::PathBuf,
    process::{Child, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};
use support::{PRODUCTION, World, files_below, text};

/// Runs `meanwhile` over and over, on a connection for each time, until `work` is done. Gives how often it ran, and
/// what `work` gave.
fn while_busy<T>(world: &World, meanwhile: impl Fn(usize) -> String + Sync, work: impl FnOnce() -> T) -> (usize, T) {
    let (done, times) = (AtomicBool::new(false), AtomicUsize::new(0));
    let given = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // A statement that loses against a lock or finds its table gone is the life of a database.
                drop(world.postgres.try_psql("postgres", PRODUCTION, &meanwhile(times.load(Ordering::Relaxed))));
                times.fetch_add(1, Ordering::Relaxed);
            }
        });
        let given = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        given
    });
    (times.into_inner(), given.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// Two accounts' books, in tables of their own on both sides of a table that takes a while, and what they must sum to.
const BOOKS: &str = "
    CREATE TABLE a_book (id int PRIMARY KEY, amount bigint); INSERT INTO a_book SELECT i, 1000 FROM generate_series(1, 100) i;
    CREATE TABLE m_wide (i int PRIMARY KEY, t text);
    INSERT INTO m_wide SELECT i, repeat(md5(i::text), 8) AS t FROM generate_series(1, 200000) i;
    CREATE TABLE z_book (id int PRIMARY KEY, amount bigint); INSERT INTO z_book SELECT i, 1000 FROM generate_series(1, 100) i;
    CREATE SEQUENCE moves;";

#[test]
fn a_backup_taken_while_money_moves_is_of_one_moment() {
    let world = World::with_postgres(15);
    world.psql(BOOKS);
    let moves = |time: usize| {
        let one = format!(
            "BEGIN; UPDATE a_book SET amount = amount - 7 WHERE id = {0}; UPDATE m_wide SET t = 'moved' WHERE i = {1};
             UPDATE z_book SET amount = amount + 7 WHERE id = {0}; SELECT nextval('moves'); COMMIT;",
            time % 100 + 1,
            time * 37 % 200_000
        );
        one.repeat(20)
    };
    let (times, _) = while_busy(&world, moves, || {
        let before = world.psql("SELECT count(*) FROM a_book WHERE amount <> 1000");
        world.backup();
        let after = world.psql("SELECT sum(1000 - amount) FROM a_book");
        assert_ne!(before, after);
    });
    assert!(times > 3, "nothing moved during the backup");
    world.restore("recovered", &[]).exits(0);
    let sums = "SELECT (SELECT sum(amount) FROM a_book) + (SELECT sum(amount) FROM z_book)";
    assert_eq!(world.postgres.psql("recovered", sums), "200000");
    assert_eq!(world.postgres.psql("recovered", "SELECT count(DISTINCT i) FROM m_wide"), "200000");
}

#[test]
fn a_backup_taken_while_tables_come_and_go_is_whole_or_is_none() {
    let world = World::with_postgres(15);
    world.psql(BOOKS);
    world.psql("CREATE TABLE kept AS SELECT i FROM generate_series(1, 1000) i");
    let migrate = |time: usize| {
        format!(
            "CREATE TABLE come_{time} AS SELECT {time} AS i; ALTER TABLE kept ADD COLUMN c{time} int DEFAULT {time};
             DROP TABLE IF EXISTS come_{}; SELECT pg_sleep(0.4);",
            time.saturating_sub(2)
        )
    };
    for round in 1..=3 {
        let (_, ran) = while_busy(&world, migrate, || world.strongroom.run("depositor", &["backup"]));
        let listed = world.strongroom.list("inspector");
        let newest = listed["backups"].as_array().unwrap().iter().find(|backup| text(backup, "/state") == "sealed");
        // Tables that were there in the last backup are gone: sealed, and suspect.
        if ![0, 5].contains(&ran.code) {
            assert_eq!(ran.code, 1, "{ran:?}");
            assert!(ran.stderr.contains("LOCK TABLE") || ran.stderr.contains("in a row"), "{ran:?}");
            continue;
        }
        let id = text(newest.unwrap(), "/backup");
        assert!(ran.stdout.contains(&id), "{ran:?}");
        let database = format!("recovered_{round}");
        world.restore(&database, &["--at", &id]).exits(0).says(&id);
        assert_eq!(world.postgres.psql(&database, "SELECT count(*) FROM kept"), "1000");
        world.psql(
            "DO $$ DECLARE t text; BEGIN FOR t IN SELECT relname FROM pg_class WHERE relname LIKE 'come_%' LOOP
                    EXECUTE 'DROP TABLE ' || t; END LOOP; END $$;
                    DROP TABLE kept; CREATE TABLE kept AS SELECT i FROM generate_series(1, 1000) i",
        );
    }
}

/// Holds a table for `seconds` as a migration does, from before this returns.
fn hold(world: &World, seconds: u32) -> Child {
    let mut holder = world.postgres.command("psql", PRODUCTION);
    let script = format!("BEGIN; LOCK TABLE z_book IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT");
    let holder = holder.args(["-X", "-q", "-c", &script]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'z_book'::regclass";
    while world.psql(held) == "0" {
        std::thread::sleep(Duration::from_millis(50));
    }
    holder
}

#[test]
fn a_table_that_is_held_for_a_while_is_waited_for() {
    let world = World::with_postgres(15);
    world.psql(BOOKS);
    let mut holder = hold(&world, 12);
    world.backup();
    assert!(holder.wait().unwrap().success());
}

#[test]
fn a_table_that_is_held_for_good_ends_the_run_and_is_the_reason_given() {
    let world = World::with_postgres(15);
    world.psql(BOOKS);
    let began = Instant::now();
    let mut holder = hold(&world, 600);
    world.strongroom.run("depositor", &["backup"]).exits(1).says("locking tables").says("lock timeout");
    assert!(began.elapsed() < Duration::from_secs(120), "it waited for {:?}", began.elapsed());
    assert_eq!(world.objects(), Vec::<PathBuf>::new(), "something was deposited");
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn an_interrupted_run_says_130_and_seals_nothing() {
    let world = World::with_postgres(15);
    world.psql(BOOKS);
    for signal in [Signal::INT, Signal::TERM] {
        let mut backup = world.strongroom.command("depositor", &["backup"]);
        let mut run = backup.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let before = files_below(&world.vault()).len();
        while files_below(&world.vault()).len() == before {
            assert!(run.try_wait().unwrap().is_none(), "it has ended before it was interrupted");
        }
        kill_process(Pid::from_child(&run), signal).unwrap();
        let mut stderr = String::new();
        run.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(run.wait().unwrap().code(), Some(130), "{stderr}");
        assert!(stderr.contains("interrupted"), "{stderr}");
        assert_eq!(world.strongroom.list("inspector")["backups"], serde_json::json!([]));
    }
    world.backup();
    world.restore("recovered", &[]).exits(0);
}
