//! deploy/ does what it says: units on a booted systemd, alerts through promtool, manifests and the dashboard against
//! their schemas, and the image through buildah and podman.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

#[path = "deploy/alerts.rs"]
mod alerts;
#[path = "deploy/container.rs"]
mod container;
#[path = "deploy/daemon.rs"]
mod daemon;
#[path = "deploy/dashboard.rs"]
mod dashboard;
#[path = "deploy/manifests.rs"]
mod manifests;
#[path = "deploy/systemd.rs"]
mod systemd;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn deployed(name: &str) -> PathBuf {
    checkout().join("deploy").join(name)
}

/// The block of deploy/README.md that begins with the line "```sh NAME".
fn readme_block(name: &str) -> String {
    let text = fs::read_to_string(deployed("README.md")).unwrap();
    let opening = format!("```sh {name}\n");
    let (_, block) = text.split_once(&opening).unwrap_or_else(|| panic!("deploy/README.md has no block {name}"));
    block.split_once("```").unwrap().0.to_owned()
}

/// Replaces `from`, which must be there.
#[track_caller]
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no `{from}` in\n{text}");
    text.replace(from, to)
}

/// What a command said, standard output first.
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Runs `command` and insists that it succeeds; gives all that it said.
#[track_caller]
fn passes(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: `make test` sets it up"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, said(&output));
    said(&output)
}

/// Runs `command` and insists that it fails; gives all that it said.
#[track_caller]
fn is_refused(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: `make test` sets it up"));
    assert!(!output.status.success(), "{command:?} passes:\n{}", said(&output));
    said(&output)
}

/// Says what could not be tested here. Written past the test harness, which hides what a passing test prints.
fn not_run(what: &str, why: &str) {
    let words = format!("\n*** NOT RUN: {what}\n*** {}\n\n", why.trim().replace('\n', "\n*** "));
    std::io::stderr().write_all(words.as_bytes()).unwrap();
}
