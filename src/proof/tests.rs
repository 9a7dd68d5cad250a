//! Tests of the report's form: the schema that is published fits what is written, and nothing else, as another program
//! judges it.

use super::{specimen::*, *};
use serde_json::{Map, Value, json};
use std::{fs, process::Command};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/proof.schema.json");
const CACHE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/cache-dir");

/// What `check-jsonschema` says with these arguments, and whether it is content.
fn checked(arguments: &[&str]) -> (bool, String) {
    let cache = Command::new(CACHE).output().unwrap();
    let python = format!("{}/validators/bin/python", String::from_utf8(cache.stdout).unwrap().trim());
    let output = Command::new(python).args(["-m", "check_jsonschema"]).args(arguments).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Whether each of these reports fits the schema, and all that was said of them.
fn fits(reports: &[Value]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<String> = reports
        .iter()
        .enumerate()
        .map(|(at, report)| {
            let path = folder.path().join(format!("report-{at}.json"));
            fs::write(&path, report.to_string()).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    checked(&[&["--schemafile", SCHEMA], &paths[..]].concat())
}

fn written() -> [Value; 4] {
    [passed(), failed(), could_not_run(), nothing_found()].map(|report| json!(report))
}

fn properties(schema: &Value) -> Vec<&String> {
    schema["properties"].as_object().unwrap().keys().collect()
}

fn fields(object: &Value) -> &Map<String, Value> {
    object.as_object().unwrap()
}

#[test]
fn the_schema_is_one_and_names_every_field_and_no_other() {
    let (valid, said) = checked(&["--check-metaschema", SCHEMA]);
    assert!(valid, "{said}");
    let schema: Value = serde_json::from_str(&fs::read_to_string(SCHEMA).unwrap()).unwrap();
    let report = json!(passed());
    assert_eq!(properties(&schema), fields(&report).keys().collect::<Vec<_>>());
    let compared = &schema["properties"]["compared"];
    assert_eq!(properties(compared), fields(&report["compared"]).keys().collect::<Vec<_>>());
}

#[test]
fn reports_of_every_outcome_fit_the_schema_and_are_read_back() {
    let (fit, said) = fits(&written());
    assert!(fit, "{said}");
    for report in written() {
        let read: DrillReport = serde_json::from_value(report.clone()).unwrap();
        assert_eq!(json!(read), report);
    }
}

/// One call for all that is wrong: each file must be complained of.
#[test]
fn a_report_with_a_field_more_or_less_or_that_contradicts_itself_is_refused() {
    let mut wrong = Vec::new();
    let mut but = |change: &dyn Fn(&mut Map<String, Value>)| {
        let mut report = json!(passed());
        change(report.as_object_mut().unwrap());
        wrong.push(report);
    };
    for name in fields(&json!(passed())).keys() {
        but(&|report| drop(report.remove(name)));
    }
    but(&|report| drop(report["compared"].as_object_mut().unwrap().remove("rows")));
    but(&|report| drop(report.insert("verdict".into(), "passed".into())));
    but(&|report| drop(report["compared"].as_object_mut().unwrap().insert("views".into(), 3.into())));
    for (name, value) in [
        ("format", json!(2)),
        ("outcome", json!("ok")),
        ("outcome", json!("failed")),
        ("outcome", json!("could-not-run")),
        ("differences", json!(["public.orders: missing"])),
        ("reason", json!("no room")),
        ("restore_seconds", json!(-1)),
        ("restore_seconds", json!(null)),
        ("started_at", json!("2026-11-21 03:30:12")),
        ("started_at", json!(null)),
        ("ended_at", json!("2026-11-21T03:30:12+01:00")),
        ("manifest", json!("abc")),
        ("backup", json!("latest")),
        ("sequence", json!(-1)),
        ("packed_bytes", json!(1.5)),
        ("confinement", json!("chroot")),
        ("source", json!("../app")),
    ] {
        but(&|report| drop(report.insert(name.into(), value.clone())));
    }
    let (fit, said) = fits(&wrong);
    assert!(!fit);
    let passed: Vec<usize> = (0..wrong.len()).filter(|at| !said.contains(&format!("report-{at}.json::"))).collect();
    assert!(passed.is_empty(), "{passed:?} fit:\n{said}");
}

#[test]
fn what_is_read_knows_no_other_field() {
    let mut report = json!(passed());
    report["verdict"] = json!("passed");
    assert!(serde_json::from_value::<DrillReport>(report).unwrap_err().to_string().contains("unknown field `verdict`"));
}
