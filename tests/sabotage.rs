//! Sabotage: whatever is done to vault, manifest, segment, key or scratch server, nothing that looks at it says that
//! all is well. Each row of the table names what was done, what `confirm` says, and what `drill` says.
//!
//! On a bucket, where versions cannot be changed, tests/confirm_s3.rs has markers, newer versions, shortened locks and
//! removed settings; servers and hosts that fail a drill are in tests/drill_stops.rs.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use support::{Attack, Installation, Loot, Ran, World, forge, hold, put, segment_of, text};

/// Two backups; rows, definitions and roles of the newer are its own.
struct Sabotaged {
    world: World,
    older: String,
    newer: String,
}

/// An age file's payload begins with a nonce of 16 bytes after the header, and each chunk is 64 KiB and a tag of 16.
const CHUNK: u64 = (64 << 10) + 16;

impl Sabotaged {
    fn new() -> Self {
        let world = World::with_postgres(15);
        world.psql(
            "CREATE TABLE precious (i int PRIMARY KEY, t text); CREATE ROLE app; ALTER TABLE precious OWNER TO app",
        );
        world.psql("INSERT INTO precious VALUES (1, 'one')");
        let older = world.backup();
        world.psql("CREATE ROLE clerk; GRANT SELECT ON precious TO clerk; COMMENT ON TABLE precious IS 'more rows'");
        // Enough that does not compress for an age file of several chunks.
        world.psql("INSERT INTO precious SELECT i, md5(i::text) || md5((-i)::text) FROM generate_series(2, 6000) i");
        let newer = world.backup();
        Self { world, older, newer }
    }

    fn manifest(&self, backup: &str) -> PathBuf {
        self.world.object(&format!("{backup}/manifest.json"))
    }

    fn seal(&self, backup: &str) -> PathBuf {
        self.world.object(&format!("{backup}/manifest.json.minisig"))
    }

    fn segment(&self, stream: &str) -> PathBuf {
        segment_of(&self.world, &self.newer, stream)
    }

    fn confirm(&self) -> Ran {
        self.world.strongroom.run("inspector", &["confirm", "--json"])
    }

    fn deep(&self) -> Ran {
        self.world.strongroom.run("restorer", &["confirm", "--deep", "--json"])
    }

    fn drill(&self, options: &[&str]) -> Ran {
        self.world.strongroom.run("restorer", &[&["drill", "app", "--json"], options].concat())
    }

    /// What `look` says after `attack` on `object`, which is undone.
    fn under<T>(&self, object: &Path, attack: &Attack, look: impl FnOnce(&Self) -> T) -> T {
        let before = fs::read(object).unwrap();
        attack.strike(object);
        hold(object);
        let said = look(self);
        put(object, &before);
        hold(object);
        said
    }
}

fn kinds(ran: &Ran) -> BTreeSet<String> {
    let findings = ran.json()["confirmations"][0]["findings"].clone();
    findings.as_array().unwrap().iter().map(|found| text(found, "/kind")).collect()
}

fn outcome(ran: &Ran) -> (i32, String) {
    (ran.code, text(&ran.json(), "/outcome"))
}

const FAILED: (i32, &str) = (14, "failed");
const COULD_NOT_RUN: (i32, &str) = (16, "could-not-run");

/// Which object of the newer backup is struck.
#[derive(Clone, Copy, Debug)]
enum On {
    Manifest,
    Seal,
    Archive,
    Data,
    Globals,
}

/// What is done to it; places are found in the object.
#[derive(Clone, Copy, Debug)]
enum Deed {
    FlipFirst,
    FlipMiddle,
    FlipLast,
    /// At the end of a chunk of the age file.
    CutAtChunk,
    CutInsideChunk,
    CutByOne,
    Empty,
    Extend,
    SwapWithOlder,
    SwapWithArchive,
    Remove,
}

/// What `confirm` finds by listing: a kind, or nothing where a directory does not list digests (then `--deep` does).
type Row = (On, Deed, &'static str);

const TABLE: [Row; 27] = [
    (On::Manifest, Deed::FlipFirst, "damaged"),
    (On::Manifest, Deed::FlipMiddle, "damaged"),
    (On::Manifest, Deed::FlipLast, "damaged"),
    (On::Manifest, Deed::CutByOne, "damaged"),
    (On::Manifest, Deed::Empty, "damaged"),
    (On::Manifest, Deed::SwapWithOlder, "damaged"),
    (On::Manifest, Deed::Remove, "damaged"),
    (On::Seal, Deed::FlipMiddle, "forged"),
    (On::Seal, Deed::CutInsideChunk, "forged"),
    (On::Seal, Deed::Empty, "forged"),
    (On::Seal, Deed::SwapWithOlder, "forged"),
    (On::Archive, Deed::FlipFirst, ""),
    (On::Archive, Deed::FlipMiddle, ""),
    (On::Archive, Deed::CutByOne, "wrong-size"),
    (On::Archive, Deed::Empty, "wrong-size"),
    (On::Archive, Deed::Remove, "missing-version"),
    (On::Data, Deed::FlipMiddle, ""),
    (On::Data, Deed::FlipLast, ""),
    (On::Data, Deed::CutAtChunk, "wrong-size"),
    (On::Data, Deed::CutInsideChunk, "wrong-size"),
    (On::Data, Deed::Extend, "wrong-size"),
    (On::Data, Deed::SwapWithOlder, "wrong-size"),
    (On::Data, Deed::SwapWithArchive, "wrong-size"),
    (On::Data, Deed::Remove, "missing-version"),
    (On::Globals, Deed::FlipMiddle, ""),
    (On::Globals, Deed::CutByOne, "wrong-size"),
    (On::Globals, Deed::Remove, "missing-version"),
];

impl Sabotaged {
    fn object(&self, on: On) -> PathBuf {
        match on {
            On::Manifest => self.manifest(&self.newer),
            On::Seal => self.seal(&self.newer),
            On::Archive => self.segment("archive"),
            On::Data => self.segment("data"),
            On::Globals => self.segment("globals"),
        }
    }

    fn attack(&self, on: On, deed: Deed) -> Attack {
        let object = self.object(on);
        let length = fs::metadata(&object).unwrap().len();
        let older = || match on {
            On::Manifest => self.manifest(&self.older),
            On::Seal => self.seal(&self.older),
            On::Archive => segment_of(&self.world, &self.older, "archive"),
            On::Data => segment_of(&self.world, &self.older, "data"),
            On::Globals => segment_of(&self.world, &self.older, "globals"),
        };
        // The header of an age file ends with its last line, "--- MAC".
        let payload = || {
            let bytes = fs::read(&object).unwrap();
            let mac = bytes.windows(5).position(|window| window == b"\n--- ").unwrap();
            (mac + 5 + bytes[mac + 5..].iter().position(|byte| *byte == b'\n').unwrap() + 1 + 16) as u64
        };
        match deed {
            Deed::FlipFirst => Attack::Flip(0),
            Deed::FlipMiddle => Attack::Flip(length / 2),
            Deed::FlipLast => Attack::Flip(length - 1),
            Deed::CutAtChunk => {
                let at = payload() + CHUNK;
                assert!(at < length, "{length} bytes are one chunk");
                Attack::Truncate(at)
            }
            Deed::CutInsideChunk => Attack::Truncate(length / 2),
            Deed::CutByOne => Attack::Truncate(length - 1),
            Deed::Empty => Attack::Truncate(0),
            Deed::Extend => Attack::Extend,
            Deed::SwapWithOlder => Attack::Swap(older()),
            Deed::SwapWithArchive => Attack::Swap(self.segment("archive")),
            Deed::Remove => Attack::Remove,
        }
    }

    fn row(&self, (on, deed, kind): Row) {
        let (object, attack) = (self.object(on), self.attack(on, deed));
        let row = format!("{on:?} {deed:?}");
        self.under(&object, &attack, |sabotaged| {
            let confirmed = sabotaged.confirm();
            if kind.is_empty() {
                // A directory lists names and sizes; the bytes are read by whoever may read them.
                let deep = sabotaged.deep();
                assert_eq!((deep.code, kinds(&deep)), (13, ["wrong-digest".to_owned()].into()), "{row}: {deep:?}");
            } else {
                assert!(confirmed.code == 13 && kinds(&confirmed).contains(kind), "{row}: {confirmed:?}");
            }
            let drilled = sabotaged.drill(&[]);
            assert_eq!(outcome(&drilled), (14, "failed".to_owned()), "{row}: {drilled:?}");
        });
    }
}

fn rows(part: usize) {
    let sabotaged = Sabotaged::new();
    outcome(&sabotaged.drill(&[]).exits(0));
    sabotaged.confirm().exits(0);
    TABLE.iter().filter(|(on, ..)| *on as usize % 3 == part).for_each(|row| sabotaged.row(*row));
    // What was undone is as it was: the table told of its rows and of nothing else.
    outcome(&sabotaged.drill(&[]).exits(0));
}

#[test]
fn no_change_of_a_manifest_or_its_data_passes() {
    rows(0);
}

#[test]
fn no_change_of_a_seal_or_of_the_globals_passes() {
    rows(1);
}

#[test]
fn no_change_of_the_archive_passes() {
    rows(2);
}

#[test]
fn a_removed_seal_is_no_newer_backup_and_the_older_one_is_what_is_proven() {
    let sabotaged = Sabotaged::new();
    let seal = sabotaged.seal(&sabotaged.newer);
    sabotaged.under(&seal, &Attack::Remove, |sabotaged| {
        let report = sabotaged.drill(&[]).exits(0).json();
        assert_eq!(text(&report, "/backup"), sabotaged.older);
        assert!(text(&report, "/notes/0").contains(&sabotaged.newer), "{report:#}");
        let named = sabotaged.drill(&["--at", &sabotaged.newer]);
        assert_eq!(outcome(&named), (FAILED.0, FAILED.1.to_owned()), "{named:?}");
    });
}

fn other_id(backup: &str) -> String {
    let last = if backup.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &backup[..backup.len() - 1])
}

/// What a thief with the signing key seals as the newest, and what a drill of it says.
fn forged(sabotaged: &Sabotaged, change: impl FnOnce(&mut Loot)) -> (String, Ran, Ran) {
    let signing = sabotaged.world.strongroom.path("keys/signing.key");
    let id = other_id(&sabotaged.newer);
    let files = forge(&sabotaged.world, &signing, &sabotaged.newer, &id, change);
    let said = (id, sabotaged.confirm(), sabotaged.drill(&[]));
    files.iter().for_each(|file| fs::remove_dir_all(file.parent().unwrap()).unwrap_or_default());
    said
}

#[test]
fn a_thief_with_the_signing_key_proves_nothing_that_is_not_so() {
    let sabotaged = Sabotaged::new();
    type Change = fn(&mut Loot);
    let lies: [(&str, Change, &str); 6] = [
        ("more rows", |loot| loot.closed["tables"][0]["fingerprint"]["rows"] = 7000.into(), "7000 rows in the backup"),
        (
            "other rows",
            |loot| loot.closed["tables"][0]["fingerprint"]["sum"] = Value::from("0".repeat(32)),
            "not the same ones",
        ),
        (
            "a table more",
            |loot| {
                let mut table = loot.closed["tables"][0].clone();
                table["name"] = "nonesuch".into();
                loot.closed["tables"].as_array_mut().unwrap().push(table);
            },
            "missing",
        ),
        (
            "a sequence more",
            |loot| {
                loot.closed["sequences"] =
                    serde_json::json!([{ "name": "public.s", "last_value": 1, "is_called": true }]);
            },
            "public.s",
        ),
        ("large objects", |loot| loot.closed["large_objects"] = 3.into(), "large objects: 3 in the backup, 0 restored"),
        ("a role that is not there", |loot| loot.closed["roles"] = serde_json::json!(["nobody_knows"]), "nobody_knows"),
    ];
    for (lie, change, said) in lies {
        let (id, _, drilled) = forged(&sabotaged, change);
        let report = drilled.json();
        assert_eq!(outcome(&drilled), (FAILED.0, FAILED.1.to_owned()), "{lie}: {report:#}");
        assert_eq!(text(&report, "/backup"), id, "{lie}");
        assert!(text(&report, "/differences").contains(said), "{lie}: {report:#}");
    }
}

#[test]
fn a_forged_chain_is_found_by_its_numbers_and_times() {
    let sabotaged = Sabotaged::new();
    type Change = fn(&mut Loot);
    let lies: [(&str, Change, &str); 4] = [
        ("a number too high", |loot| loot.open["chain"]["sequence"] = 9.into(), "sequence-gap"),
        (
            "a chain of its own",
            |loot| loot.open["chain"] = serde_json::json!({ "sequence": 1, "previous": null, "unsure": [] }),
            "chain-restarted",
        ),
        (
            "back-dated",
            |loot| {
                for time in ["started_at", "snapshot_at", "completed_at"] {
                    loot.open[time] = "2026-01-01T00:00:00Z".into();
                }
            },
            "back-dated",
        ),
        (
            "after another",
            |loot| {
                loot.open["chain"]["previous"]["manifest"] = Value::from("ab".repeat(32));
            },
            "sequence-gap",
        ),
    ];
    for (lie, change, kind) in lies {
        let (_, confirmed, _) = forged(&sabotaged, change);
        assert!(confirmed.code == 13 && kinds(&confirmed).contains(kind), "{lie}: {confirmed:?}");
    }
    // Its own word is not enough for a backup to have lapsed, and so to be judged no more.
    let (_, confirmed, _) = forged(&sabotaged, |loot| {
        loot.open["locked_until"] = "2026-01-01T00:00:00Z".into();
        for receipt in loot.open["segments"].as_array_mut().unwrap() {
            receipt["locked_until"] = "2026-01-01T00:00:00Z".into();
        }
        loot.open["chain"]["sequence"] = 9.into();
    });
    assert!(confirmed.code == 13 && kinds(&confirmed).contains("sequence-gap"), "lapsed: {confirmed:?}");
    // The same key, another number: two that follow one.
    let (_, confirmed, _) = forged(&sabotaged, |loot| {
        loot.open["chain"]["previous"]["backup"] = Value::from(loot.open["backup"].as_str().unwrap());
    });
    assert_eq!(confirmed.code, 13, "{confirmed:?}");
}

#[test]
fn a_backup_without_the_signing_key_is_passed_over_and_told() {
    let sabotaged = Sabotaged::new();
    let stranger = Installation::new(
        &sabotaged.world.scratch.path().join("stranger"),
        &[
            "--source",
            "app=postgres://u@h/d",
            "--vault",
            &format!("x=file://{}", sabotaged.world.scratch.path().join("x").display()),
        ],
        Path::new("/usr/bin"),
    );
    let id = other_id(&sabotaged.newer);
    forge(&sabotaged.world, &stranger.path("keys/signing.key"), &sabotaged.newer, &id, |loot| {
        // He does not know the digest of the one before.
        loot.open["chain"]["previous"]["manifest"] = Value::from("ab".repeat(32));
    });
    let confirmed = sabotaged.confirm();
    assert!(confirmed.code == 13 && kinds(&confirmed).contains("forged"), "{confirmed:?}");
    let report = sabotaged.drill(&[]).exits(0).json();
    assert_eq!(text(&report, "/backup"), sabotaged.newer);
    assert!(text(&report, "/notes").contains(&id), "{report:#}");
}

#[test]
fn a_wiped_source_never_passes() {
    let sabotaged = Sabotaged::new();
    sabotaged.world.psql("DELETE FROM precious");
    let suspect =
        text(&sabotaged.world.strongroom.run("depositor", &["backup", "--json"]).exits(5).json(), "/sources/0/backup");
    let drilled = sabotaged.drill(&[]);
    assert_eq!(outcome(&drilled), (FAILED.0, FAILED.1.to_owned()), "{drilled:?}");
    let report = drilled.json();
    assert_eq!(text(&report, "/backup"), suspect);
    assert!(text(&report, "/differences").contains("suspect"), "{report:#}");
    let report = sabotaged.drill(&["--at", "latest-good"]).exits(0).json();
    assert_eq!(text(&report, "/backup"), sabotaged.newer);
}

#[test]
fn checks_that_are_not_true_fail_the_drill() {
    let sabotaged = Sabotaged::new();
    sabotaged.world.strongroom.edit("restorer", |text| {
        text.replace(
            "# checks = [\"SELECT count(*) > 0 FROM customers\"]",
            "checks = [\"SELECT count(*) > 9000 FROM precious\"]",
        )
    });
    let drilled = sabotaged.drill(&[]);
    assert_eq!(outcome(&drilled), (FAILED.0, FAILED.1.to_owned()), "{drilled:?}");
    assert!(text(&drilled.json(), "/differences").contains("9000"), "{drilled:?}");
}

/// What is in the way of a drill, and is not the backup's fault.
#[test]
fn what_keeps_a_drill_from_running_is_neither_passed_nor_failed() {
    let sabotaged = Sabotaged::new();
    let could_not = |drilled: Ran, words: &str| {
        assert_eq!(outcome(&drilled), (COULD_NOT_RUN.0, COULD_NOT_RUN.1.to_owned()), "{words}: {drilled:?}");
        let reason = text(&drilled.json(), "/reason");
        assert!(reason.contains(words), "`{words}` is not in: {reason}");
    };
    let strangers = sabotaged.world.scratch.path().join("strangers");
    let vault = format!("x=file://{}", sabotaged.world.scratch.path().join("x").display());
    let stranger =
        Installation::new(&strangers, &["--source", "app=postgres://u@h/d", "--vault", &vault], Path::new("/usr/bin"));
    let wrong = stranger.path("keys/drill.key");
    could_not(sabotaged.drill(&["--identity", wrong.to_str().unwrap()]), "identit");

    let before = fs::read_to_string(sabotaged.world.strongroom.path("restorer.toml")).unwrap();
    let with = |drill: &str| {
        sabotaged
            .world
            .strongroom
            .edit("restorer", |_| before.replace("every = \"1d\"\n", &format!("every = \"1d\"\n{drill}\n")))
    };
    with("disk = \"20MB\"");
    could_not(sabotaged.drill(&[]), "a scratch server needs");
    with("");
    let (here, gone) = (sabotaged.world.vault(), sabotaged.world.scratch.path().join("gone"));
    fs::rename(&here, &gone).unwrap();
    could_not(sabotaged.drill(&[]), "there is no");
    sabotaged.world.strongroom.run("inspector", &["confirm"]).exits(10);
    fs::rename(&gone, &here).unwrap();
    could_not(sabotaged.drill(&["--to", "postgres://nobody@/postgres?host=/nonexistent"]), "cannot reach PostgreSQL");
    sabotaged.drill(&[]).exits(0);
}
