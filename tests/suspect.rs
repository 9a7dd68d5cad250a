//! Data that were wiped, or encrypted by somebody else, are backed up, and never taken for a good backup.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use serde_json::{Value, json};
use std::fs;
use support::{PRODUCTION, Ran, World, text};

/// A shop: tables of thousands of rows with prose, one that is partitioned by month, and a few small ones.
const SHOP: &str = "
    CREATE SCHEMA shop;
    CREATE FUNCTION shop.prose(seed bigint, words int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT string_agg((ARRAY['the','of','and','to','order','you','that','was','delivery','have','refund','please',
            'colour','could','first','been','wrong','days','broken','courier','replacement','yesterday','customer',
            'account','password','shipment','tracking','warranty','receipt','unfortunately','chair','lamp'])
            [1 + (hashint8(seed * 1009 + n) & 31)], ' ') FROM generate_series(1, words) n $$;
    CREATE TABLE shop.customers (id int PRIMARY KEY, name text, note text);
    INSERT INTO shop.customers SELECT i, shop.prose(i, 2), shop.prose(-i, 25) FROM generate_series(1, 3000) i;
    CREATE TABLE shop.orders (id int PRIMARY KEY, customer int, status text, total numeric, placed_at timestamptz);
    CREATE INDEX by_customer ON shop.orders (customer);
    INSERT INTO shop.orders SELECT i, 1 + i % 3000, (ARRAY['paid','shipped','delivered'])[1 + i % 3], i % 977 + 0.5,
        '2024-01-01'::timestamptz + i * interval '91 s' FROM generate_series(1, 10000) i;
    CREATE TABLE shop.visits (at date, path text) PARTITION BY RANGE (at);
    DO $$ BEGIN FOR month IN 1..12 LOOP
        EXECUTE format('CREATE TABLE shop.visits_%s PARTITION OF shop.visits FOR VALUES FROM (%L) TO (%L)', month,
            '2024-01-01'::date + (month - 1) * interval '1 month', '2024-01-01'::date + month * interval '1 month');
    END LOOP; END $$;
    INSERT INTO shop.visits SELECT '2024-01-01'::date + i % 366, '/' || shop.prose(i, 3) FROM generate_series(1, 3660) i;
    CREATE TABLE shop.countries AS SELECT i, 'country ' || i AS name FROM generate_series(1, 30) i;
    CREATE TABLE shop.jobs AS SELECT i FROM generate_series(1, 5) i;";

/// As long as what was there, and without any order.
const NOISE: &str = "
    CREATE FUNCTION shop.noise(length int) RETURNS text LANGUAGE sql VOLATILE AS $$
        SELECT left(string_agg(md5(random()::text), ''), length) FROM generate_series(0, length / 32) $$;";

struct Shop {
    world: World,
    /// The last good backup.
    good: String,
}

impl Shop {
    fn open() -> Self {
        let world = World::with_postgres(15);
        world.psql(SHOP);
        let good = world.backup();
        Self { world, good }
    }

    fn run(&self) -> Ran {
        // An id is as fine as a second.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        self.world.strongroom.run("depositor", &["backup", "--json"])
    }

    /// Takes a backup that must look as it should.
    #[track_caller]
    fn is_good(&mut self, what: &str) {
        let report = self.run().exits(0).json()["sources"][0].take();
        assert_eq!((&report["outcome"], &report["suspicions"]), (&json!("sealed"), &json!([])), "{what}: {report:#}");
        self.good = text(&report, "/backup");
    }

    /// Takes a backup that must be found suspect for `word`, in the sentences of those who may read names, by everybody
    /// in a word, and in the state of the source, whose last good backup stays the one before.
    #[track_caller]
    fn is_suspect(&self, what: &str, word: &str, sentence: &str) -> String {
        let report = self.run().exits(5).json()["sources"][0].take();
        let id = text(&report, "/backup");
        assert_eq!(report["outcome"], "suspect", "{what}: {report:#}");
        let says = |suspicion: &Value| suspicion.as_str().is_some_and(|said| said.contains(sentence));
        assert!(report["suspicions"].as_array().unwrap().iter().any(says), "{what}: no `{sentence}` in {report:#}");

        let listed = self.world.strongroom.list("inspector");
        assert_eq!(text(&listed, "/backups/0/backup"), id);
        assert!(listed["backups"][0]["suspect"].as_array().unwrap().contains(&json!(word)), "{what}: {listed:#}");
        assert!(!listed.to_string().contains("shop"), "a name is for those who can decrypt: {listed:#}");
        self.world.strongroom.run("inspector", &["list"]).exits(0).says(", SUSPECT (").says(word);
        let shown = self.world.strongroom.run("restorer", &["show", &id, "--json"]).exits(0).json();
        assert_eq!(shown["closed"]["suspicions"], report["suspicions"]);

        let status = self.status();
        assert_eq!(status["state"], "suspect", "{what}: {status:#}");
        assert_eq!(text(&status, "/vaults/0/last_good/backup"), self.good, "{what}");
        assert_eq!(text(&status, "/vaults/0/last_sealed/backup"), id, "{what}");
        id
    }

    fn status(&self) -> Value {
        self.world.strongroom.run("depositor", &["status", "--json"]).json()["sources"][0].take()
    }

    /// Everything as it was at first.
    fn mend(&self) {
        self.world.psql(&format!("DROP SCHEMA IF EXISTS shop CASCADE; {SHOP}"));
    }

    fn configure(&self, line: &str) {
        let set = |text: String| {
            let others = text.lines().filter(|line| !line.starts_with("suspect = "));
            let text: String = others.map(|line| format!("{line}\n")).collect();
            text.replace("engine = \"postgres\"\n", &format!("engine = \"postgres\"\n{line}\n"))
        };
        self.world.strongroom.edit("depositor", set);
    }

    fn count(&self, database: &str, table: &str) -> String {
        self.world.postgres.psql(database, &format!("SELECT count(*) FROM shop.{table}"))
    }
}

#[test]
fn every_way_to_lose_rows_is_flagged_at_the_next_run() {
    let mut shop = Shop::open();
    let cases = [
        ("DELETE", "DELETE FROM shop.orders", "emptied", "shop.orders has lost all of its 10000 rows"),
        ("TRUNCATE", "TRUNCATE shop.countries", "emptied", "shop.countries has lost all"),
        ("a partitioned table", "DELETE FROM shop.visits", "emptied", "shop.visits has lost all"),
        ("DROP TABLE", "DROP TABLE shop.customers", "table-gone", "shop.customers is gone (3000 rows"),
        ("DROP SCHEMA", "DROP SCHEMA shop CASCADE", "table-gone", "shop.orders is gone"),
        ("most rows", "DELETE FROM shop.orders WHERE id % 10 <> 0", "rows-collapsed", "fell from 10000 rows to 1000"),
        ("most partitions", "DELETE FROM shop.visits WHERE at > '2024-05-01'", "rows-collapsed", "shop.visits fell"),
        ("texts set to ''", "UPDATE shop.customers SET note = ''", "bytes-collapsed", "shop.customers fell from"),
    ];
    for (what, wipe, word, sentence) in cases {
        shop.world.psql(wipe);
        shop.is_suspect(what, word, sentence);
        shop.mend();
        shop.is_good(what);
    }
    let postgres = &shop.world.postgres;
    postgres.psql("postgres", "DROP DATABASE production WITH (FORCE)");
    postgres.psql("postgres", "CREATE DATABASE production");
    shop.is_suspect("an empty database in its place", "table-gone", "shop.orders is gone");
}

#[test]
fn text_that_turns_to_noise_is_flagged_whatever_letters_it_is_written_in() {
    let mut shop = Shop::open();
    let cases = [
        ("hexadecimal", "UPDATE shop.customers SET note = shop.noise(length(note))"),
        (
            "bytea",
            "ALTER TABLE shop.customers ALTER note TYPE bytea USING decode(shop.noise(length(note) / 2 * 2), 'hex')",
        ),
        (
            "base64",
            "UPDATE shop.customers SET note = encode(decode(shop.noise(length(note) / 4 * 6), 'hex'), 'base64')",
        ),
        ("letters", "UPDATE shop.customers SET note = translate(shop.noise(length(note)), '0123456789', 'ghijklmnop')"),
    ];
    for (what, scramble) in cases {
        shop.world.psql(&format!("{NOISE} {scramble}"));
        shop.is_suspect(what, "scrambled", "shop.customers packed to");
        shop.mend();
        shop.is_good(what);
    }
}

#[test]
fn daily_life_is_not_suspect() {
    let mut shop = Shop::open();
    let cases = [
        ("growth", "INSERT INTO shop.orders SELECT i, 7, 'paid', 5, now() FROM generate_series(10001, 30000) i"),
        ("updates", "UPDATE shop.orders SET status = 'returned', total = total + 1 WHERE id % 3 = 0"),
        ("a small purge", "DELETE FROM shop.orders WHERE id <= 9000"),
        ("VACUUM FULL", "VACUUM FULL"),
        ("ADD COLUMN", "ALTER TABLE shop.customers ADD COLUMN vip boolean NOT NULL DEFAULT false"),
        ("DROP COLUMN", "ALTER TABLE shop.customers DROP COLUMN vip"),
        (
            "new tables",
            "CREATE TABLE shop.tokens AS SELECT i, md5(random()::text) AS token FROM generate_series(1, 20000) i",
        ),
        ("a renamed index", "ALTER INDEX shop.by_customer RENAME TO of_customer"),
        ("a queue that was worked off", "DELETE FROM shop.jobs"),
        (
            "the oldest partition dropped and a new one made",
            "DROP TABLE shop.visits_1; CREATE TABLE shop.visits_13 PARTITION OF shop.visits FOR VALUES FROM ('2025-01-01') TO ('2025-02-01')",
        ),
        // What packs well and what does not share segments while they are small.
        (
            "a log beside images",
            "CREATE TABLE shop.log AS SELECT i, shop.prose(i % 100, 90) AS line FROM generate_series(1, 20000) i;
             CREATE TABLE shop.images AS SELECT i, string_agg(md5(random()::text), '') AS hex
             FROM generate_series(1, 300) i, generate_series(1, 100) GROUP BY i",
        ),
        ("the log grows", "INSERT INTO shop.log SELECT l.* FROM shop.log l, generate_series(1, 3)"),
        ("nothing", "SELECT"),
    ];
    for (what, change) in cases {
        shop.world.psql(change);
        shop.is_good(what);
    }
    assert_eq!(shop.status()["state"], "good");
}

#[test]
fn after_a_wipe_the_last_good_backup_is_what_counts_until_somebody_accepts() {
    let mut shop = Shop::open();
    let first = shop.good.clone();
    shop.world.strongroom.run("depositor", &["accept", "app", &first]).exits(1).says("no backup of `app` waits");
    shop.world.psql("DELETE FROM shop.customers WHERE id > 100");
    shop.is_suspect("the wipe", "rows-collapsed", "fell from 3000 rows to 100");
    // Compared with the last good one: the wiped one is no measure.
    let suspect = shop.is_suspect("a day after", "rows-collapsed", "fell from 3000 rows to 100");
    assert_eq!(shop.good, first);

    let now = "2099-01-01T00:00:00Z";
    for at in ["latest", now] {
        let refused = shop.world.restore("recovered", &["--at", at]).exits(5);
        refused.says("is suspect").says("fell from 3000 rows to 100").says(&format!("--at {first}")).says(&suspect);
    }
    assert_eq!(shop.world.postgres.databases(), ["postgres", PRODUCTION]);
    shop.world.restore("as_good", &["--at", "latest-good"]).exits(0).says(&first);
    assert_eq!(shop.count("as_good", "customers"), "3000");
    shop.world.restore("as_wiped", &["--at", &suspect]).exits(0);
    assert_eq!(shop.count("as_wiped", "customers"), "100");

    let another = shop.world.strongroom.run("depositor", &["accept", "app", &first]).exits(1);
    another.says(&format!("{suspect} waits to be accepted")).says("fell from 3000 rows to 100");
    let accepted = shop.world.strongroom.run("depositor", &["accept", "app", &suspect, "--json"]).exits(0).json();
    assert_eq!(text(&accepted, "/accepted"), suspect);
    let status = shop.status();
    assert_eq!(status["state"], "good", "{status:#}");
    assert_eq!(text(&status, "/vaults/0/last_good/backup"), suspect);
    shop.world.strongroom.run("depositor", &["accept", "app", &suspect]).exits(1);
    shop.is_good("as accepted");
    shop.world.restore("recovered", &[]).exits(0).says(&shop.good);
    shop.world.psql("DELETE FROM shop.customers WHERE id > 10");
    shop.is_suspect("another wipe", "rows-collapsed", "fell from 100 rows to 10");

    // Who mends the data need accept nothing.
    shop.mend();
    shop.is_good("mended");
    assert_eq!(shop.status()["state"], "good");
}

#[test]
fn thresholds_and_exceptions_are_those_of_the_configuration() {
    let mut shop = Shop::open();
    shop.configure("suspect = { rows = 10 }");
    shop.world.psql("DELETE FROM shop.orders WHERE id > 8500");
    shop.is_suspect("15 % of the rows", "rows-collapsed", "fell from 10000 rows to 8500");
    shop.configure("suspect = { rows = 95, bytes = 95 }");
    shop.world.psql("DELETE FROM shop.orders WHERE id > 1000");
    shop.is_good("90 % of the rows, where 95 % may go");

    shop.configure("suspect = { ignore = [\"shop.orders\", \"shop.c*\"] }");
    shop.world.psql("TRUNCATE shop.orders; DROP TABLE shop.customers, shop.countries;");
    shop.is_good("tables that come and go by nature");
    shop.world.psql("DROP TABLE shop.visits");
    shop.is_suspect("another table", "table-gone", "shop.visits is gone");
}

#[test]
fn a_vault_that_is_given_one_backup_a_month_is_given_a_good_one() {
    let mut shop = Shop::open();
    let archive = shop.world.scratch.path().join("archive");
    fs::create_dir(&archive).unwrap();
    let block = format!(
        "[[vault]]\nname = \"archive\"\nurl = \"file://{}\"\nterm = \"60d\"\n\n[[source]]\n",
        archive.display()
    );
    shop.world.strongroom.edit("depositor", |text| {
        let deposit =
            "engine = \"postgres\"\ndeposit = [{ vault = \"local\" }, { vault = \"archive\", every = \"1mo\" }]\n";
        text.replacen("[[source]]\n", &block, 1).replace("engine = \"postgres\"\n", deposit)
    });
    let in_archive = |ran: Ran| {
        let report = ran.json()["sources"][0].take();
        let vaults = report["vaults"].as_array().unwrap().clone();
        text(vaults.iter().find(|share| share["vault"] == "archive").unwrap(), "/outcome")
    };
    shop.world.psql("TRUNCATE shop.orders");
    assert_eq!(in_archive(shop.run().exits(5)), "sealed");
    assert_eq!(in_archive(shop.run().exits(5)), "not-due", "one suspect backup is enough for a month");
    let away = shop.world.scratch.path().join("away");
    fs::rename(&archive, &away).unwrap();
    fs::write(&archive, "a file where a folder was").unwrap();
    assert_eq!(in_archive(shop.run()), "failed", "a vault that is gone is not one that is not due");
    fs::remove_file(&archive).unwrap();
    fs::rename(&away, &archive).unwrap();
    shop.mend();
    assert_eq!(in_archive(shop.run().exits(0)), "sealed", "a suspect backup is none that a month could rest upon");
    assert_eq!(in_archive(shop.run().exits(0)), "not-due");
    let status = shop.status();
    assert_eq!((&status["state"], &status["vaults"][1]["current"]), (&"good".into(), &true.into()), "{status:#}");
    shop.good = text(&status, "/vaults/0/last_good/backup");
    shop.world.psql("TRUNCATE shop.orders");
    assert_eq!(in_archive(shop.run().exits(5)), "not-due");
}

#[test]
fn large_objects_that_are_gone_are_a_wipe_too() {
    let mut shop = Shop::open();
    shop.world.psql(
        "DO $$ BEGIN FOR i IN 7001..7012 LOOP
             PERFORM lo_from_bytea(i, 'contract');
             EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO strongroom', i);
         END LOOP; END $$",
    );
    shop.is_good("with contracts");
    shop.world.psql("SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
    shop.is_suspect("without them", "emptied", "(large objects) has lost all of its 12 rows");
}

#[test]
fn a_run_that_no_vault_is_due_for_seals_nothing_and_still_looks_at_its_source() {
    let shop = Shop::open();
    shop.world.strongroom.edit("depositor", |text| {
        let monthly = "engine = \"postgres\"\ndeposit = [{ vault = \"local\", every = \"30d\" }]\n";
        text.replace("engine = \"postgres\"\n", monthly)
    });
    let report = shop.run().exits(0).json()["sources"][0].take();
    assert_eq!((text(&report, "/outcome"), text(&report, "/vaults/0/outcome")), ("not-due".into(), "not-due".into()));
    let newest = shop.world.strongroom.run("depositor", &["history", "--json"]).exits(0).json()["runs"][0].take();
    assert_eq!((text(&newest, "/ended/outcome"), &newest["backup"]), ("not-due".into(), &serde_json::Value::Null));
    assert_eq!(text(&shop.status(), "/state"), "good");
    shop.world.strongroom.edit("depositor", |text| text.replace("/production?", "/no_such_database?"));
    shop.run().exits(2);
}
