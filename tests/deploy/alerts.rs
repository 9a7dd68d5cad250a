//! alerts: the rules are rules, each fires when it should and only then, and no alert is left without such a case.

use super::{deployed, is_refused, passes, replaced};
use crate::support::{Scratch, cache};
use std::{collections::BTreeSet, fs, process::Command};

const RULES: [&str; 3] = ["strongroom.rules.yml", "strongroom-cronjob.rules.yml", "strongroom-watch.rules.yml"];
const TESTS: [&str; 4] = ["tests.yml", "tests-days.yml", "tests-watch.yml", "tests-watch-days.yml"];

fn promtool(arguments: &[&str]) -> Command {
    let mut command = Command::new(cache().join("prometheus/promtool"));
    command.args(arguments).current_dir(deployed("prometheus"));
    command
}

fn text(name: &str) -> String {
    fs::read_to_string(deployed("prometheus").join(name)).unwrap()
}

/// The words that follow `key` in `text`, up to a space or a quotation mark.
fn values<'t>(text: &'t str, key: &str) -> BTreeSet<&'t str> {
    let ends = |c: char| c.is_whitespace() || c == '"';
    text.split(key).skip(1).map(|rest| rest.split(ends).next().unwrap()).collect()
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    passes(&mut promtool(&[&["check", "rules"], &RULES[..]].concat()));
    passes(&mut promtool(&[&["test", "rules"], &TESTS[..]].concat()));

    let rules = RULES.map(text).concat();
    let tests = TESTS.map(text).concat();
    let alerts = values(&rules, "- alert: ");
    assert!(alerts.len() > 35, "{alerts:?}");
    let fired: BTreeSet<_> = values(&tests, "alertname=\"").union(&values(&tests, "alertname: ")).copied().collect();
    assert_eq!(alerts, fired, "an alert has no case in which it fires");
}

#[test]
fn a_rule_that_is_wrong_fails_its_tests() {
    let scratch = Scratch::new();
    for name in RULES.iter().chain(&TESTS) {
        fs::copy(deployed("prometheus").join(name), scratch.path().join(name)).unwrap();
    }
    let changed = replaced(&text(RULES[0]), "expr: strongroom_suspect == 1", "expr: strongroom_suspect == 2");
    fs::write(scratch.path().join(RULES[0]), changed).unwrap();
    is_refused(promtool(&["test", "rules", TESTS[0]]).current_dir(scratch.path()));
}

#[test]
fn every_alert_says_how_urgent_it_is_and_what_to_do() {
    for alert in RULES.map(text).concat().split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap();
        let severe = ["severity: critical", "severity: warning"].iter().any(|severity| alert.contains(severity));
        assert!(severe, "{name} has no severity");
        assert!(alert.contains("summary: ") && alert.contains("description: "), "{name} explains nothing");
        let step = alert.contains('`') || alert.contains("Prometheus'");
        assert!(step, "{name} names no command to begin with");
    }
}

#[test]
fn the_example_for_prometheus_is_read_by_prometheus() {
    passes(&mut promtool(&["check", "config", "prometheus.example.yml"]));
}

/// Every metric of Strongroom that an alert on the depositor's daemon asks for.
pub fn asked() -> BTreeSet<String> {
    let mut asked = names(RULES[0]);
    // What a watcher says under the same name is left out by this.
    assert!(asked.remove("strongroom_watch_role"));
    asked
}

/// Every metric of Strongroom that is named in a file of rules.
fn names(rules: &str) -> BTreeSet<String> {
    let rules = text(rules);
    let code: String = rules.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let names = metrics(&code);
    assert!(names.len() > 10, "{names:?}");
    names
}

/// The names that begin as ours do.
fn metrics(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap().to_owned();
    text.split("strongroom_").skip(1).map(|rest| format!("strongroom_{}", name(rest))).collect()
}
