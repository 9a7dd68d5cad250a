//! What a vault holds already is not sent again, and only where its lock, read back, covers the new backup's promise.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/rgw.rs"]
mod rgw;
mod support;

use aws_sdk_s3::{Client, primitives::ByteStream, types::ObjectLockRetentionMode as Mode};
use jiff::{SignedDuration, Timestamp};
use rgw::{Bucket, Rgw};
use serde_json::{Value, json};
use sqlx::Connection;
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use support::{Installation, PRODUCTION, Ran, World, files_below, succeed, text};

/// Some 90 MB of COPY text: two tables that are cut by page ranges, one that is mostly out of line, and many small ones.
const WAREHOUSE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, note text, amount numeric);
    INSERT INTO orders SELECT i, md5(i::text) || md5((-i)::text), i % 1000 FROM generate_series(1, 600000) i;
    CREATE TABLE visits (id bigint, agent text, at timestamptz);
    INSERT INTO visits SELECT i, md5('v' || i / 3), 'epoch'::timestamptz + i * interval '7 s' FROM generate_series(1, 600000) i;
    CREATE TABLE documents (id int PRIMARY KEY, body text);
    ALTER TABLE documents ALTER body SET STORAGE EXTERNAL;
    INSERT INTO documents SELECT i, repeat(md5(i::text), 256) FROM generate_series(1, 1000) i;
    DO $$ BEGIN FOR n IN 1..60 LOOP
        EXECUTE format('CREATE TABLE small_%s AS SELECT i, md5(i::text || %s) AS word FROM generate_series(1, %s) i', n, n, n * n);
    END LOOP; END $$;";

/// A table and a few others, for what does not depend on size.
const CORNER: &str = "
    CREATE TABLE stock (id int PRIMARY KEY, name text);
    INSERT INTO stock SELECT i, md5(i::text) FROM generate_series(1, 30000) i;
    CREATE TABLE shelves AS SELECT i FROM generate_series(1, 500) i;
    CREATE SEQUENCE tickets;";

/// One backup: what the run said of itself, and what its manifest says.
struct Taken {
    id: String,
    report: Value,
    manifest: Value,
}

impl Taken {
    fn new(strongroom: &Installation) -> Self {
        Self::read(strongroom, &strongroom.run("depositor", &["backup", "--json"]).exits(0))
    }

    /// A backup that finds the vault without what it had locked: everything is sent anew, and it says so.
    fn after_a_broken_promise(strongroom: &Installation) -> Self {
        let ran = strongroom.run("depositor", &["backup", "--json"]).exits(15);
        let ran = ran.says("is not held as promised, and is sent anew");
        let taken = Self::read(strongroom, &ran);
        assert!(
            text(&taken.report, "/vaults/0/breach").contains("that it had locked for longer"),
            "{:#}",
            taken.report
        );
        let status = strongroom.run("depositor", &["status", "--json"]).exits(1).json();
        assert_eq!(text(&status, "/sources/0/problems/0/problem"), "not-protected", "{status:#}");
        taken
    }

    fn read(strongroom: &Installation, ran: &Ran) -> Self {
        let report = ran.json()["sources"][0].take();
        let id = text(&report, "/backup");
        let shown = strongroom.run("inspector", &["show", &id, "--json"]).exits(0).json();
        Self { id, report, manifest: shown["manifest"].clone() }
    }

    fn bytes(&self, what: &str) -> u64 {
        self.report[format!("{what}_bytes")].as_u64().unwrap_or_else(|| panic!("no {what} in {:#}", self.report))
    }

    fn receipts(&self) -> &Vec<Value> {
        self.manifest["segments"].as_array().unwrap()
    }

    fn data(&self) -> impl Iterator<Item = &Value> {
        self.receipts().iter().filter(|receipt| receipt["stream"] == "data")
    }

    /// Segments as versions: what is sent anew has another one.
    fn versions(&self) -> BTreeSet<(String, String)> {
        self.receipts().iter().map(|receipt| (text(receipt, "/key"), text(receipt, "/version"))).collect()
    }

    fn names(&self) -> BTreeSet<String> {
        self.data().map(|receipt| text(receipt, "/id")).collect()
    }

    fn time(&self, field: &str) -> Timestamp {
        text(&self.manifest, field).parse().unwrap()
    }

    /// Data segments that `before` has not, and the bytes of them.
    fn new_since(&self, before: &Self) -> (usize, u64) {
        let known = before.names();
        let new = self.data().filter(|receipt| !known.contains(&text(receipt, "/id")));
        let sizes: Vec<u64> = new.map(|receipt| receipt["size"].as_u64().unwrap()).collect();
        (sizes.len(), sizes.iter().sum())
    }

    #[track_caller]
    fn sends_everything(&self) {
        assert_eq!(self.bytes("reused"), 0, "{:#}", self.report);
        assert!(self.bytes("sent") >= self.bytes("packed"), "{:#}", self.report);
    }

    /// Everything but what is another one in each run: the archive, which holds the time, the globals and the manifest.
    #[track_caller]
    fn reuses_all_data(&self, before: &Self) {
        assert_eq!(self.names(), before.names());
        let data: u64 = self.data().map(|receipt| receipt["size"].as_u64().unwrap()).sum();
        assert!(self.bytes("reused") >= data, "{data} bytes of data: {:#}", self.report);
        assert!(before.versions().is_superset(&self.data().map(|r| (text(r, "/key"), text(r, "/version"))).collect()));
    }
}

fn world(script: &str) -> World {
    let world = World::with_postgres(15);
    world.psql(script);
    world
}

/// Restores backup `id` and insists that pg_dump sees no difference to the database as it is now.
#[track_caller]
fn comes_back(world: &World, id: &str) {
    world.restore("recovered", &["--at", id]).exits(0);
    let whole: &[&str] = &["--create"];
    world.postgres.dump(PRODUCTION, whole).assert_equal(&world.postgres.dump("recovered", whole));
    world.postgres.psql("postgres", "DROP DATABASE recovered");
}

/// A second later: ids and locks are as fine as that.
fn wait(seconds: u64) {
    std::thread::sleep(Duration::from_millis(1000 * seconds + 100));
}

fn set_slack(strongroom: &Installation, slack: &str) {
    strongroom.edit("depositor", |text| {
        let lines = text.lines().filter(|line| !line.starts_with("slack = "));
        let with = |line: &str| {
            if line.starts_with("term = ") { format!("{line}\nslack = \"{slack}\"\n") } else { format!("{line}\n") }
        };
        lines.map(with).collect()
    });
}

/// Runs `statement` in the depositor's catalog, as somebody would who can write on its host.
async fn tamper(strongroom: &Installation, statement: &str) -> u64 {
    let catalog = format!("sqlite://{}", strongroom.path("state/catalog.db").display());
    let mut catalog = sqlx::SqliteConnection::connect(&catalog).await.unwrap();
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    let changed = sqlx::query(statement).execute(&mut catalog).await.unwrap().rows_affected();
    catalog.close().await.unwrap();
    changed
}

/// The server itself says until when each segment of the manifest is held.
async fn locks_cover_the_promise(client: &Client, bucket: &str, taken: &Taken, slack: SignedDuration) {
    let promised = taken.time("/started_at") + SignedDuration::from_hours(35 * 24) - slack;
    for receipt in taken.receipts() {
        let (key, version) = (format!("prod/{}", text(receipt, "/key")), text(receipt, "/version"));
        let asked = client.get_object_retention().bucket(bucket).key(&key).version_id(&version).send().await.unwrap();
        let retention = asked.retention().unwrap();
        assert_eq!(retention.mode(), Some(&Mode::Compliance), "{key}");
        let until = Timestamp::from_second(retention.retain_until_date().unwrap().secs()).unwrap();
        assert!(until >= promised, "{key} is held until {until}, and {promised} was promised");
        let told: Timestamp = text(receipt, "/locked_until").parse().unwrap();
        assert_eq!(told.as_second(), until.as_second(), "{key}");
    }
    let first_end = taken.receipts().iter().map(|receipt| text(receipt, "/locked_until")).min().unwrap();
    assert_eq!(text(&taken.manifest, "/locked_until"), first_end);
}

#[tokio::test]
async fn a_second_backup_sends_what_changed_and_every_lock_covers_its_promise() {
    let (world, server) = (world(WAREHOUSE), Rgw::start());
    let admin = server.admin();
    let client = server.client(&admin);
    server.bucket(&admin, "acme", Some((Mode::Compliance, 35))).await;
    let bucket = Bucket::new(&world, &server, "acme", &admin);
    let slack = SignedDuration::from_hours(7 * 24);

    let first = Taken::new(&bucket.strongroom);
    first.sends_everything();
    assert!(first.bytes("raw") > 80_000_000 && first.bytes("packed") > 20_000_000, "{:#}", first.report);

    wait(1);
    let second = Taken::new(&bucket.strongroom);
    second.reuses_all_data(&first);
    assert!(second.bytes("sent") * 100 < first.bytes("sent"), "{} of {}", second.bytes("sent"), first.bytes("sent"));
    assert_eq!(second.bytes("raw") / 1000, first.bytes("raw") / 1000, "everything is read, and fingerprinted, anew");
    locks_cover_the_promise(&client, "acme", &second, slack).await;
    let shared_until = first.data().map(|receipt| text(receipt, "/locked_until")).min().unwrap();
    let whole_until = text(&second.manifest, "/locked_until");
    assert_eq!(whole_until, shared_until, "the shared segments' lock is what holds for the whole");

    // Neighbours by id lie on the same pages: theirs are touched, and those at the end, where the new rows are.
    world.psql("UPDATE orders SET note = md5(note) || md5(amount::text) WHERE id <= 6000");
    let third = Taken::new(&bucket.strongroom);
    let (cuts, touched) = third.new_since(&second);
    assert!((1..=2).contains(&cuts), "{cuts} cuts were touched");
    assert!(third.bytes("sent") < 2 * touched, "{} for {touched} bytes of touched cuts", third.bytes("sent"));
    assert!(third.bytes("sent") < touched + first.bytes("sent") / 100, "{:#}", third.report);
    locks_cover_the_promise(&client, "acme", &third, slack).await;

    // Each stands by itself: the first one's manifest is hidden, and something else put on top.
    for object in ["manifest.json", "manifest.json.minisig"] {
        let key = format!("prod/v1/app/backups/{}/{object}", first.id);
        client.put_object().bucket("acme").key(&key).body(ByteStream::from_static(b"junk")).send().await.unwrap();
        client.delete_object().bucket("acme").key(&key).send().await.unwrap();
    }
    bucket.comes_back("recovered");
    bucket.restore("as_before", &["--at", &second.id]).exits(0);
    let unchanged = "SELECT count(*) FROM orders WHERE note = md5(id::text) || md5((-id)::text)";
    assert_eq!(world.postgres.psql("as_before", unchanged), "600000");
}

#[test]
fn a_segment_whose_lock_does_not_cover_the_promise_is_sent_anew() {
    let world = world(CORNER);
    let first = Taken::new(&world.strongroom);
    wait(2);
    set_slack(&world.strongroom, "1s");
    let second = Taken::new(&world.strongroom);
    second.sends_everything();
    assert_eq!(second.names(), first.names(), "the same segments, as other versions");
    assert!(second.versions().is_disjoint(&first.versions()));
    comes_back(&world, &second.id);

    wait(2);
    set_slack(&world.strongroom, "1h");
    Taken::new(&world.strongroom).reuses_all_data(&second);

    // A longer term promises more than any lock of the shorter one holds.
    world.strongroom.edit("depositor", |text| text.replace("term = \"35d\"", "term = \"60d\""));
    let longer = Taken::new(&world.strongroom);
    longer.sends_everything();
    let end = longer.time("/started_at") + SignedDuration::from_hours(60 * 24);
    assert!(longer.time("/locked_until") >= end, "{:#}", longer.manifest);

    // A shorter one promises less, and the longest lock of a segment is the one that is remembered.
    world.strongroom.edit("depositor", |text| text.replace("term = \"60d\"", "term = \"2d\""));
    Taken::new(&world.strongroom).reuses_all_data(&longer);
}

#[test]
fn a_lock_that_the_vault_does_not_hold_any_more_is_not_believed() {
    let world = world(CORNER);
    let first = Taken::new(&world.strongroom);
    for file in files_below(&world.vault().join("v1/app/segments")) {
        succeed(Command::new("chattr").arg("-i").arg(file));
    }
    let second = Taken::after_a_broken_promise(&world.strongroom);
    second.sends_everything();
    assert!(second.versions().is_disjoint(&first.versions()));
    Taken::new(&world.strongroom).reuses_all_data(&second);
}

#[test]
fn a_lost_catalog_sends_everything_again_and_restores() {
    let world = world(CORNER);
    let first = Taken::new(&world.strongroom);
    fs::remove_file(world.strongroom.path("state/catalog.db")).unwrap();
    let second = Taken::new(&world.strongroom);
    second.sends_everything();
    assert_eq!(second.names(), first.names());
    comes_back(&world, &second.id);
    let third = Taken::new(&world.strongroom);
    third.reuses_all_data(&second);
    comes_back(&world, &third.id);
    comes_back(&world, &first.id);
}

#[tokio::test]
async fn a_tampered_catalog_entry_cannot_make_a_backup_refer_to_what_is_not_there() {
    let world = world(CORNER);
    let first = Taken::new(&world.strongroom);
    let nowhere = "UPDATE segments SET version = '20200101T000000000Z-20991231T000000Z',
                   locked_until = '2099-12-31T00:00:00.000000000Z'";
    assert!(tamper(&world.strongroom, nowhere).await > 0);
    let second = Taken::after_a_broken_promise(&world.strongroom);
    second.sends_everything();
    assert_eq!(second.names(), first.names());
    comes_back(&world, &second.id);

    // What was found out is not asked again.
    let ran = world.strongroom.run("depositor", &["backup", "--json"]).exits(0);
    assert!(!ran.stderr.contains("sent anew"), "{ran:?}");
    Taken::read(&world.strongroom, &ran).reuses_all_data(&second);

    // A lock that ended is not what the catalog says it is.
    let longer = "UPDATE segments SET locked_until = '2099-12-31T00:00:00.000000000Z'";
    assert!(tamper(&world.strongroom, longer).await > 0);
    world.strongroom.edit("depositor", |text| text.replace("term = \"35d\"", "term = \"60d\""));
    let third = Taken::after_a_broken_promise(&world.strongroom);
    third.sends_everything();
    Taken::new(&world.strongroom).reuses_all_data(&third);
}

#[test]
fn a_backup_of_reused_segments_restores_when_the_earlier_ones_manifest_is_forged_or_gone() {
    let world = world(CORNER);
    let first = Taken::new(&world.strongroom);
    wait(1);
    let second = Taken::new(&world.strongroom);
    second.reuses_all_data(&first);
    let folder = world.vault().join("v1/app/backups").join(&first.id);
    for file in files_below(&folder) {
        succeed(Command::new("chattr").arg("-i").arg(&file));
        fs::remove_file(&file).unwrap();
        fs::write(&file, b"{}").unwrap();
    }
    comes_back(&world, &second.id);
    fs::remove_dir_all(&folder).unwrap();
    comes_back(&world, &second.id);
    wait(1);
    let third = Taken::new(&world.strongroom);
    third.reuses_all_data(&second);
    comes_back(&world, &third.id);
}

#[test]
fn what_a_killed_run_deposited_is_reused_by_the_next() {
    let world = world(
        "DO $$ BEGIN FOR n IN 1..20 LOOP EXECUTE format(
            'CREATE TABLE part_%s AS SELECT i, md5(i::text || %s) AS word FROM generate_series(1, 40000) i', n, n); END LOOP; END $$;",
    );
    let segments = world.vault().join("v1/app/segments");
    let mut backup = world.strongroom.command("depositor", &["backup"]);
    let mut run = backup.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deposited = |folder: &Path| if folder.exists() { files_below(folder).len() } else { 0 };
    while deposited(&segments) < 6 {
        assert!(run.try_wait().unwrap().is_none(), "it has ended before it was killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(world.strongroom.list("inspector")["backups"], json!([]));
    let next = Taken::new(&world.strongroom);
    assert!(next.bytes("reused") > 0, "{:#}", next.report);
    assert!(next.bytes("sent") < next.bytes("packed"), "{:#}", next.report);
    comes_back(&world, &next.id);
}

#[test]
fn a_vault_that_moved_holds_nothing() {
    let world = world(CORNER);
    let first = Taken::new(&world.strongroom);
    let elsewhere = world.scratch.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let moved = |text: String| text.replace("/vault\"", "/elsewhere\"");
    for role in ["depositor", "inspector", "restorer"] {
        world.strongroom.edit(role, moved);
    }
    let second = Taken::new(&world.strongroom);
    second.sends_everything();
    assert!(text(&second.report, "/vaults/0/notes/0").contains("a new chain begins: vault `local` was"));
    assert_eq!(second.manifest["chain"]["sequence"], 1);
    assert!(second.versions().is_disjoint(&first.versions()));
    // Nothing is read from the place that it was moved from.
    succeed(Command::new("chattr").args(["-R", "-i"]).arg(world.vault()));
    fs::remove_dir_all(world.vault()).unwrap();
    comes_back(&world, &second.id);
}

#[test]
fn changed_recipients_reuse_nothing() {
    let world = world(CORNER);
    let first = Taken::new(&world.strongroom);
    let recipients = world.strongroom.path("keys/recipients.txt");
    let all = fs::read_to_string(&recipients).unwrap();
    let keys: Vec<&str> = all.lines().filter(|line| line.starts_with("age1")).collect();
    assert_eq!(keys.len(), 2, "{all}");
    let drill = fs::read_to_string(world.strongroom.path("keys/drill.key")).unwrap();
    let kept = keys.iter().find(|key| drill.contains(*key)).unwrap_or(&keys[1]);
    let others = Installation::new(
        &world.scratch.path().join("others"),
        &["--source", "app=postgres://a@/a?host=/tmp", "--vault", "local=file:///tmp", "--term", "35d"],
        Path::new("/"),
    );
    let others = fs::read_to_string(others.path("keys/recipients.txt")).unwrap();
    let new = others.lines().find(|line| line.starts_with("age1")).unwrap();
    fs::write(&recipients, format!("{kept}\n{new}\n")).unwrap();
    let second = Taken::new(&world.strongroom);
    second.sends_everything();
    assert!(second.names().is_disjoint(&first.names()));
    let named: BTreeSet<&str> =
        second.manifest["recipients"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(named, BTreeSet::from([*kept, new]));
    comes_back(&world, &second.id);
    // And back again: what was deposited for both is still there.
    fs::write(&recipients, &all).unwrap();
    Taken::new(&world.strongroom).reuses_all_data(&first);
}

#[test]
fn of_two_vaults_each_is_sent_what_it_lacks() {
    let world = world(CORNER);
    let first = Taken::new(&world.strongroom);
    let second_vault = world.scratch.path().join("second");
    fs::create_dir(&second_vault).unwrap();
    let block = format!(
        "[[vault]]\nname = \"second\"\nurl = \"file://{}\"\nterm = \"35d\"\n\n[[source]]\n",
        second_vault.display()
    );
    world.strongroom.edit("depositor", |text| text.replacen("[[source]]\n", &block, 1));
    let both = Taken::new(&world.strongroom);
    let share = |vault: &str| {
        let vaults = both.report["vaults"].as_array().unwrap();
        let share = vaults.iter().find(|share| share["vault"] == vault).unwrap();
        [&share["sent_bytes"], &share["reused_bytes"]].map(|bytes| bytes.as_u64().unwrap())
    };
    let data: u64 = first.data().map(|receipt| receipt["size"].as_u64().unwrap()).sum();
    let ([to_old, old_reused], [to_new, new_reused]) = (share("local"), share("second"));
    assert!(old_reused >= data && to_old < data / 2, "{:#}", both.report);
    assert!(new_reused == 0 && to_new >= both.bytes("packed"), "{:#}", both.report);
    assert_eq!(both.bytes("sent"), to_old + to_new);
    comes_back(&world, &both.id);
    let vault = fs::canonicalize(second_vault).unwrap();
    world
        .strongroom
        .edit("restorer", |text| text.replace(&world.vault().display().to_string(), vault.to_str().unwrap()));
    comes_back(&world, &both.id);
}

#[test]
fn what_is_not_rows_of_ours_is_reused_wherever_it_lies_in_the_archive() {
    // 30 MB of large objects, which pg_dump writes behind a table of contents that holds the time and the sequences.
    let world = world(
        "ALTER ROLE strongroom SUPERUSER;
         CREATE SEQUENCE tickets;
         SELECT setval('tickets', 99);
         SELECT lo_from_bytea(7000 + i, decode(string_agg(md5(i::text || n), ''), 'hex'))
         FROM generate_series(1, 60) i, generate_series(1, 31000) n GROUP BY i;",
    );
    let first = Taken::new(&world.strongroom);
    first.sends_everything();
    assert!(first.bytes("packed") > 28_000_000, "{:#}", first.report);
    let second = Taken::new(&world.strongroom);
    assert!(second.bytes("sent") * 10 < first.bytes("sent"), "{:#}", second.report);

    world.psql("SELECT nextval('tickets'); CREATE TABLE another AS SELECT 1 AS i; SELECT lo_put(7001, 5, 'changed')");
    let third = Taken::new(&world.strongroom);
    assert!(third.bytes("sent") * 10 < first.bytes("sent") * 9, "{:#}", third.report);
    comes_back(&world, &third.id);
}

#[test]
fn what_moves_no_row_has_nothing_sent_again() {
    let world = world(
        "CREATE TABLE big AS SELECT i, md5(i::text) || md5((-i)::text) AS note FROM generate_series(1, 450000) i;
         DO $$ BEGIN FOR n IN 1..120 LOOP EXECUTE format(
            'CREATE TABLE small_%s AS SELECT i, md5(i::text) AS word FROM generate_series(1, %s) i', n, 20 * n); END LOOP; END $$;
         CREATE TABLE dropped AS SELECT 1 AS i;",
    );
    let first = Taken::new(&world.strongroom);
    let unchanged = |what: &str| {
        let now = Taken::new(&world.strongroom);
        assert_eq!(now.new_since(&first), (0, 0), "{what}: {:#}", now.report);
    };
    // Vacuum makes free space and visibility maps, which count as a table's size.
    world.psql("VACUUM ANALYZE");
    unchanged("vacuum");
    for workers in ["1", "5"] {
        world.strongroom.edit("depositor", |text| {
            let others = text.lines().filter(|line| !line.starts_with("workers = "));
            let text: String = others.map(|line| format!("{line}\n")).collect();
            text.replace("engine = \"postgres\"\n", &format!("engine = \"postgres\"\nworkers = {workers}\n"))
        });
        unchanged("other workers");
    }
    world.psql("CREATE INDEX ON big (i); REINDEX TABLE big; CREATE VIEW seen AS SELECT * FROM big; GRANT SELECT ON big TO PUBLIC");
    unchanged("indexes, views and grants");

    let ignore = "engine = \"postgres\"\nsuspect = { ignore = [\"public.dropped\"] }\n";
    world.strongroom.edit("depositor", |text| text.replace("engine = \"postgres\"\n", ignore));
    world.psql("DROP TABLE dropped; CREATE TABLE new AS SELECT 1 AS i; INSERT INTO small_60 SELECT i, md5(i::text) FROM generate_series(1, 40000) i");
    let other = Taken::new(&world.strongroom);
    let (cuts, _) = other.new_since(&first);
    assert!(cuts <= 4, "{cuts} of {} cuts are new", other.data().count());
    comes_back(&world, &other.id);
}
