//! README's section "Restore without Strongroom" is true: with stock tools alone, a backup comes back.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::{fs, path::Path, process::Command};
use support::{PRODUCTION, World};

/// The first shell block of the README's section with this heading.
fn block(heading: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, section) =
        text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("README has no `{heading}`"));
    let section = section.split("\n## ").next().unwrap();
    let (_, block) = section.split_once("```sh\n").expect("the section has a block of shell commands");
    block.split("```").next().unwrap().to_owned()
}

/// Runs the README's block on `backup` into the empty database `database`; gives how it ended and all that it said.
fn by_hand(world: &World, backup: &str, database: &str, identity: &str) -> (bool, String) {
    world.postgres.psql("postgres", &format!("CREATE DATABASE {database}"));
    let mut bash = Command::new("bash");
    let path = format!("{}:/usr/bin:/bin", world.postgres.programs.display());
    bash.env_clear().env("PATH", path).env("TMPDIR", world.scratch.path()).envs(world.postgres.environment());
    bash.env("VAULT", world.vault()).env("SOURCE", "app").env("BACKUP", backup).env("DB", database);
    bash.env("IDENTITY", world.strongroom.path(identity)).env("PUBKEY", world.strongroom.path("keys/signing.pub"));
    let output = bash.args(["-c", &block("Restore without Strongroom")]).current_dir("/").output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), said)
}

fn comes_back_by_hand(major: u32) {
    let world = World::with_postgres(major);
    world.postgres.psql("postgres", "ALTER ROLE strongroom SUPERUSER");
    world.psql(include_str!("schemas/nasty.sql"));
    // One table that is cut into several segments.
    world.psql("CREATE TABLE public.wide AS SELECT i, repeat(md5(i::text), 8) AS t FROM generate_series(1, 150000) i");
    let backup = world.backup();
    let (succeeded, said) = by_hand(&world, &backup, "recovered", "keys/recovery.key");
    assert!(succeeded, "{said}");
    world.postgres.dump(PRODUCTION, &[]).assert_equal(&world.postgres.dump("recovered", &[]));
}

#[test]
fn stock_tools_alone_restore_a_backup_of_15() {
    comes_back_by_hand(15);
}

#[test]
fn stock_tools_alone_restore_a_backup_of_17() {
    comes_back_by_hand(17);
}

#[test]
fn stock_tools_alone_restore_a_backup_of_18() {
    comes_back_by_hand(18);
}

#[test]
fn stock_tools_see_through_what_lies_on_top_and_refuse_what_was_changed() {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t AS SELECT i FROM generate_series(1, 1000) i");
    let backup = world.backup();
    let manifest = world.object(&format!("{backup}/manifest.json"));
    let folder = manifest.parent().unwrap();
    for name in ["manifest.json", "manifest.json.minisig"] {
        fs::write(folder.join(format!("{name}@20990101T000000000Z-20990201T000000Z")), "junk").unwrap();
    }
    let (succeeded, said) = by_hand(&world, &backup, "recovered", "keys/drill.key");
    assert!(succeeded, "{said}");
    assert_eq!(world.postgres.psql("recovered", "SELECT sum(i) FROM t"), "500500");

    let text = fs::read_to_string(&manifest).unwrap();
    let cleared = Command::new("chattr").arg("-i").arg(&manifest).output().unwrap();
    assert!(cleared.status.success() || !rustix::process::geteuid().is_root(), "{cleared:?}");
    fs::remove_file(&manifest).unwrap();
    fs::write(&manifest, text.replacen("\"sequence\": 1", "\"sequence\": 2", 1)).unwrap();
    let (succeeded, said) = by_hand(&world, &backup, "changed", "keys/drill.key");
    assert!(!succeeded, "{said}");
    assert_eq!(world.postgres.psql("changed", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
}
