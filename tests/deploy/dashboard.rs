//! dashboard: Grafana's own schema knows all of it, and Prometheus reads each of its queries. That what they ask for
//! exists is seen on running daemons, in tests/watch_alarms.rs.

use super::{checkout, deployed, is_refused, passes, replaced};
use crate::support::{Scratch, cache};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

fn read(file: &Path) -> Command {
    let mut command = Command::new(cache().join("validators/bin/python"));
    command.arg(checkout().join("tests/deploy/dashboard.py")).arg(file);
    command
}

#[test]
fn grafanas_schema_knows_every_field_of_the_dashboard_and_its_type() {
    let file = deployed("grafana/strongroom.json");
    passes(&mut read(&file));
    let text = fs::read_to_string(&file).unwrap();
    let scratch = Scratch::new();
    for (from, to) in [
        ("\"legendFormat\"", "\"legendFromat\""),
        ("\"drawStyle\": \"line\"", "\"drawStyle\": \"lines\""),
        ("\"lineWidth\": 1", "\"lineWidth\": \"1\""),
        ("\"graphTooltip\": 1", "\"graphTooltip\": 7"),
    ] {
        let wrong = scratch.path().join("wrong.json");
        fs::write(&wrong, replaced(&text, from, to)).unwrap();
        is_refused(&mut read(&wrong));
    }
}

#[test]
fn prometheus_reads_every_query_of_the_dashboard() {
    let said: Value = serde_json::from_str(&passes(&mut read(&deployed("grafana/strongroom.json")))).unwrap();
    let queries: Vec<String> = serde_json::from_value(said["queries"].clone()).unwrap();
    assert!(queries.len() > 20, "{queries:?}");
    let rule = |(index, query): (usize, &String)| {
        let expression = query.replace("$source", "app");
        assert!(!expression.contains('$'), "{expression}");
        json!({ "record": format!("query:{index}"), "expr": expression })
    };
    let check = |queries: &[String]| {
        let rules: Vec<Value> = queries.iter().enumerate().map(rule).collect();
        let scratch = Scratch::new();
        let file = scratch.path().join("rules.yml"); // JSON is YAML
        fs::write(&file, json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string()).unwrap();
        Command::new(cache().join("prometheus/promtool")).args(["check", "rules"]).arg(&file).output().unwrap()
    };
    let checked = check(&queries);
    assert!(checked.status.success(), "{}", super::said(&checked));
    assert!(!check(&["max by (source (up)".to_owned()]).status.success());
}
