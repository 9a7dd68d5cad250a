//! The demo plays to its end, and nothing is lost.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::process::Command;
use support::{Scratch, strongroom};

#[test]
fn the_demo_loses_nothing() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("play");
    let ran = strongroom(&["demo", "--dir", folder.to_str().unwrap()]).exits(0);
    let lost =
        ran.stdout.lines().find(|line| line.trim_start().starts_with("lost ")).expect("the demo says what was lost");
    let numbers: Vec<&str> = lost.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).collect();
    assert!(lost.contains("nothing") && numbers.len() == 2 && numbers[0] == numbers[1], "{lost}");
    assert!(numbers[0].parse::<u64>().unwrap() > 10_000, "{lost}");
    assert!(!ran.stdout.contains("BREACHED") || ran.stdout.contains("NOT immutable here"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");

    // Its server is gone: nothing of it runs any more.
    let said = Command::new("pgrep").args(["-f", folder.to_str().unwrap()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "");
}
