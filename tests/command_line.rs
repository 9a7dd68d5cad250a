//! The command line: help, mistakes, JSON, and readers that leave early.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
};
use support::{Ran, Scratch, World, strongroom};

const COMMANDS: [&str; 16] = [
    "init", "check", "backup", "run", "watch", "status", "history", "accept", "list", "confirm", "show", "restore",
    "fetch", "drill", "runbook", "demo",
];

#[test]
fn every_command_explains_itself() {
    let all = strongroom(&["--help"]).exits(0);
    for command in COMMANDS {
        assert!(all.stdout.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))), "{}", all.stdout);
        let ran = strongroom(&[command, "--help"]).exits(0);
        assert!(ran.stdout.contains(&format!("Usage: strongroom {command}")), "{}", ran.stdout);
        assert_eq!(ran.stderr, "");
    }
    let listed = all.stdout.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let listed: Vec<_> =
        listed.lines().filter_map(|line| line.split_whitespace().next()).filter(|word| *word != "help").collect();
    assert_eq!(listed, COMMANDS, "a command is missing here");
    strongroom(&["--version"]).exits(0).says(env!("CARGO_PKG_VERSION"));
}

#[test]
fn no_verb_deletes() {
    for verb in ["delete", "prune", "forget", "expire", "unlock", "remove", "gc"] {
        strongroom(&[verb]).exits(2);
    }
}

#[test]
fn usage_mistakes_exit_2() {
    for arguments in
        [&["restore", "app"][..], &["backup", "--fast"], &["list", "--limit", "x"], &[], &["show", "no-id"]]
    {
        let ran = strongroom(arguments).exits(2);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn all_mistakes_of_a_configuration_are_told_together_with_their_lines() {
    let scratch = Scratch::new();
    let path = scratch.path().join("depositor.toml");
    let text = "role = \"depositor\"\n\
                state_dir = 7\n\
                [keys]\n\
                recipients = { file = \"keys/none.txt\" }\n\
                signing = \"untrusted comment: hunter2\"\n\
                [[vault]]\n\
                name = \"local\"\n\
                url = \"file:///srv/vault\"\n\
                term = \"35\"\n\
                speed = \"fast\"\n\
                [[source]]\n\
                name = \"App\"\n\
                engine = \"postgres\"\n\
                url = \"postgres://u:hunter2@h/db\"\n\
                schedule = \"every day\"\n";
    fs::write(&path, text).unwrap();
    let config = path.to_str().unwrap();
    let ran = strongroom(&["-c", config, "backup"]).exits(2);
    assert_eq!(ran.stdout, "");
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    for line in [2, 4, 5, 9, 10, 12, 14, 15] {
        assert!(ran.stderr.contains(&format!("depositor.toml:{line}:")), "line {line} is not named:\n{}", ran.stderr);
    }
    assert!(ran.stderr.contains("`digest` is missing"), "{}", ran.stderr);
    let json = strongroom(&["-c", config, "--json", "backup"]).exits(2);
    let told: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!(told["exit_code"], 2);
    assert!(told["error"].as_str().unwrap().contains("depositor.toml:15:"), "{told:#}");
}

#[test]
fn a_configuration_that_is_not_there_says_so() {
    strongroom(&["-c", "/nonexistent/depositor.toml", "check"])
        .exits(2)
        .says("/nonexistent/depositor.toml")
        .says("hint:");
}

/// A small world with one backup, and its id.
fn world() -> (World, String) {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i");
    let backup = world.backup();
    (world, backup)
}

#[test]
fn json_is_json_for_every_command() {
    let (world, backup) = world();
    let run = |role: &str, arguments: &[&str]| -> Ran {
        let ran = world.strongroom.run(role, &[arguments, &["--json"]].concat());
        assert!(ran.json().is_object(), "{ran:?}");
        assert_eq!(ran.stderr, "", "{ran:?}");
        ran
    };
    for role in ["depositor", "inspector", "restorer"] {
        let checked = run(role, &["check"]).exits(0).json();
        assert!(checked["findings"].as_array().unwrap().iter().all(|found| found["verdict"] != "fault"), "{checked:#}");
    }
    assert_eq!(run("depositor", &["backup", "app"]).exits(0).json()["sources"][0]["rows"], 100);
    assert_eq!(run("inspector", &["list"]).exits(0).json()["shelves"][0]["backups"].as_array().unwrap().len(), 2);
    assert_eq!(run("inspector", &["list", "--limit", "1"]).json()["shelves"][0]["more"], 1);
    let shown = run("inspector", &["show", &backup]).exits(0).json();
    assert!(shown["closed"].is_null() && shown["manifest"]["backup"] == backup, "{shown:#}");
    assert_eq!(run("restorer", &["show", &backup]).exits(0).json()["closed"]["tables"][0]["name"], "t");
    let output = world.scratch.path().join("fetched");
    run("restorer", &["fetch", &backup, "--output", output.to_str().unwrap()]).exits(0);
    assert!(output.join("archive.dump").is_file() && output.join("globals.sql").is_file());
    let to = world.url("recovered");
    assert_eq!(run("restorer", &["restore", "app", "--to", &to, "--plan"]).exits(0).json()["complete"], false);
    assert_eq!(run("restorer", &["restore", "app", "--to", &to]).exits(0).json()["complete"], true);
}

#[test]
fn an_error_in_json_is_one_line_on_standard_error() {
    let (world, _) = world();
    let to = world.url(support::PRODUCTION);
    let ran = world.strongroom.run("restorer", &["restore", "app", "--to", &to, "--json"]).exits(2);
    assert_eq!(ran.stdout, "");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    let told: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(told["exit_code"], 2);
    assert!(told["error"].as_str().unwrap().contains("is not empty"), "{told:#}");
    assert!(told["hint"].is_string(), "{told:#}");
}

/// Runs `command` with a standard output that nobody reads.
fn unread(mut command: Command) -> (Option<i32>, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (child.wait().unwrap().code(), stderr)
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let (world, backup) = world();
    let runs: [(&str, &[&str]); 6] = [
        ("inspector", &["list"]),
        ("inspector", &["list", "--json"]),
        ("restorer", &["show", &backup]),
        ("depositor", &["check"]),
        ("depositor", &["backup"]),
        ("depositor", &["restore", "--help"]),
    ];
    for (role, arguments) in runs {
        let ended = unread(world.strongroom.command(role, arguments));
        assert_eq!(ended, (Some(0), String::new()), "strongroom {}", arguments.join(" "));
    }
    assert_eq!(world.strongroom.list("inspector")["backups"].as_array().unwrap().len(), 2);
}

#[test]
fn check_names_every_fault_and_exits_with_its_kind() {
    let (world, _) = world();
    world.psql("REVOKE pg_read_all_data FROM strongroom");
    let ran = world.strongroom.run("depositor", &["check"]).exits(4);
    assert!(ran.stdout.contains("FAULT") && ran.stdout.contains("GRANT SELECT ON public.t TO strongroom;"), "{ran:?}");
}

#[test]
fn keys_are_never_overwritten() {
    let (world, _) = world();
    let before = support::files_below(&world.strongroom.path("keys"))
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect::<Vec<_>>();
    let folder = world.strongroom.folder.to_str().unwrap();
    strongroom(&["init", folder, "--yes", "--source", "a=postgres://u@h/d", "--vault", "v=file:///nonexistent/vault"])
        .exits(2);
    let after = support::files_below(&world.strongroom.path("keys"))
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect::<Vec<_>>();
    assert!(before == after, "a key was changed");
}
