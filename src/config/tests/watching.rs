//! Tests of what a daemon is told: where it listens, whom it alerts, how it watches runs.

use super::*;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.put("keys/plain.url", b"http://10.0.0.1/hunter2", 0o600);
    folder.put("keys/two.url", b"https://a.example.com/hunter2\nhttps://b.example.com/hunter2\n", 0o600);
    folder.put("keys/no.url", b"hunter2", 0o600);
    folder.put("keys/here.url", b"http://127.0.0.1:9/hunter2", 0o600);
    folder
}

/// The report on the depositor's file with `lines` at its end; the first of them is line 16.
#[track_caller]
fn says(lines: &str, facts: &[&str]) {
    let report = folder().report(&format!("{DEPOSITOR}{lines}\n"));
    for fact in facts {
        assert!(report.contains(fact), "no `{fact}` in:\n{report}");
    }
    assert!(!report.contains("hunter2"), "{report}");
}

fn alert(lines: &str) -> String {
    format!("[[alert]]\nname = \"team\"\n{lines}\n")
}

#[test]
fn a_daemon_listens_where_it_is_told_or_nowhere() {
    let load = |lines: &str| folder().load(&format!("{DEPOSITOR}{lines}\n")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(load("[daemon]\nlisten = \"off\"").daemon, DaemonPlan { listen: None, runs_at_once: 2 });
    let open = load("[daemon]\nlisten = \"[::]:80\"\nruns_at_once = 64").daemon;
    assert_eq!(open, DaemonPlan { listen: Some("[::]:80".parse().unwrap()), runs_at_once: 64 });
    says(
        "[daemon]\nlisten = \"localhost:7470\"",
        &["17:10: `listen` is not an IP address with a port", "127.0.0.1:7470"],
    );
    says("[daemon]\nruns_at_once = 0", &["17:16: `runs_at_once` must be a whole number from 1 to 64, not 0"]);
    says("[daemon]\nlistne = 5", &["17:1: unknown key `listne`", "Did you mean `listen`?"]);
}

#[test]
fn only_a_depositor_has_a_daemon_and_runs_to_watch() {
    let report = folder().report(&format!("{RESTORER}jitter = \"5s\"\nsuspect = 5\n[daemon]\n"));
    for fact in [
        "13:1: the restorer makes no backups: no `jitter` here",
        "14:1: the restorer makes no backups: no `suspect` here",
        "15:2: only the depositor runs as a daemon: no [daemon] here",
    ] {
        assert!(report.contains(fact), "{report}");
    }
    let told = format!("{}\n{}", inspector(), alert("kind = \"slack\"\nurl = { file = \"keys/here.url\" }"));
    assert_eq!(folder().load(&told).ok().unwrap().alerts[0].form, Form::Slack);
}

#[test]
fn an_alert_is_told_of_all_events_or_of_those_that_it_names() {
    let load = |lines: &str| {
        let text = format!("{DEPOSITOR}{}", alert(lines));
        folder().load(&text).unwrap_or_else(|error| panic!("{error}")).alerts.remove(0).on
    };
    let url = "kind = \"discord\"\nurl = { command = [\"echo\", \"https://d.example.com/a?b=c\"] }\n";
    assert_eq!(load(url), EventKind::ALL.into());
    assert_eq!(load(&format!("{url}on = [\"suspect\"]")), [EventKind::Suspect].into());
    let plain = "kind = \"webhook\"\nallow_plain_http = true\nurl = { file = \"keys/plain.url\" }";
    assert_eq!(load(plain).len(), 6);
}

#[test]
fn an_alert_that_cannot_be_meant_is_refused() {
    let url = "url = { file = \"keys/here.url\" }";
    says(
        &alert("kind = \"slak\"\nurl = \"https://hooks.slack.com/hunter2\"\non = []"),
        &[
            "18:8: `kind` must be \"webhook\", \"slack\", \"discord\" or \"ntfy\"\n  hint: Did you mean `slack`?",
            "19:7: `url` is written into the configuration, where no secret may be",
            "20:6: `on` names no event",
        ],
    );
    says(&alert(url), &["16:1: `kind` is missing in [[alert]]"]);
    says(&alert("kind = \"slack\""), &["`url` is missing in [[alert]]"]);
    says(
        &alert(&format!("kind = \"slack\"\n{url}\ntoken = {{ file = \"keys/team.token\" }}\non = [\"faild\"]")),
        &["20:9: `token` is for webhook and ntfy alerts", "21:7: `faild` is no event", "Did you mean `failed`?"],
    );
    says(&alert(&format!("kind = \"ntfy\"\n{url}\ntoken = \"hunter2\"")), &["20:9: `token` is written into"]);
    let twice = alert(&format!("kind = \"slack\"\n{url}"));
    says(&format!("{twice}{twice}"), &["21:8: two alerts are named `team`"]);
    for (file, fact) in [
        ("plain", "the address is plain http to another host"),
        ("two", "it does not hold an http(s) address alone"),
        ("no", "it does not hold an http(s) address alone"),
    ] {
        says(
            &alert(&format!("kind = \"slack\"\nurl = {{ file = \"keys/{file}.url\" }}")),
            &["19:7: `url`: keys/", fact],
        );
    }
}

#[test]
fn how_runs_are_watched_is_checked() {
    let load = |lines: &str| {
        let plan = folder().load(&format!("{DEPOSITOR}{lines}\n")).unwrap_or_else(|error| panic!("{error}"));
        plan.sources.into_iter().next().unwrap().dump.unwrap()
    };
    let dump = load("jitter = \"0s\"\nstalled_after = \"1s\"\nsuspect = { rows = 100 }");
    assert_eq!((dump.jitter, dump.stalled_after), (SignedDuration::ZERO, SignedDuration::from_secs(1)));
    assert_eq!(dump.suspect, Thresholds { rows_lost_percent: 100, ..Thresholds::default() });
    let ping = load("ping = { kind = \"uptime-kuma\", url = { file = \"keys/here.url\" } }").ping;
    assert_eq!(ping.unwrap().kind, PingKind::UptimeKuma);
    says("deadline = \"0s\"\nstalled_after = \"0m\"", &["16:12: `deadline` must be longer", "17:17: `stalled_after`"]);
    says("jitter = \"soon\"", &["16:10: `jitter`: `soon` is not a number with a unit"]);
    says(
        "suspect = { rows = 0, bytes = 101 }",
        &["16:20: `rows` must be a whole number from 1 to 100", "16:31: `bytes`"],
    );
    says("suspect = { ignore = [\"jobs\"] }", &["16:23: `ignore` holds schema.table or schema.*"]);
    says(
        "ping = { kind = \"cronitor\", url = { file = \"keys/plain.url\" } }",
        &[
            "16:17: `kind` must be \"healthchecks\" or \"uptime-kuma\"",
            "`url`: keys/plain.url: the address is plain http",
        ],
    );
}

#[test]
fn a_vaults_slack_is_shorter_than_its_term() {
    let changed = |slack: &str| DEPOSITOR.replace("term = \"35d\"", &format!("term = \"35d\"\nslack = \"{slack}\""));
    let plan = folder().load(&changed("36h")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plan.vaults[0].slack, SignedDuration::from_hours(36));
    let report = folder().report(&changed("35d"));
    assert!(report.contains("12:9: a slack of 35d 0h is not shorter than the term of 35d"), "{report}");
}

/// The inspector's file with `lines` at its end.
fn inspects(lines: &str) -> String {
    format!("{}\n{lines}\n", inspector())
}

#[test]
fn a_watch_looks_as_it_is_told_or_as_is_usual() {
    let load = |text: &str| folder().load(text).unwrap_or_else(|error| panic!("{error}")).watch;
    assert_eq!(load(&inspects("")), WatchPlan::of(Role::Inspector));
    let listens = |plan: WatchPlan| plan.listen.unwrap().to_string();
    assert_eq!(
        (listens(load(&inspects(""))), listens(load(RESTORER))),
        ("127.0.0.1:7471".into(), "127.0.0.1:7472".into())
    );
    let chain = "chain-restarted v1/app/backups/20261121T120301Z-5f2a9c01/manifest.json";
    let told = format!(
        "[watch]\nlisten = \"off\"\nconfirm_every = \"5m\"\nconfirm_all_every = \"1w\"\naccepted = [\"{chain}\"]\n\
         reports_dir = \"drills\""
    );
    let plan = load(&inspects(&told));
    assert_eq!((plan.listen, plan.confirm_every), (None, Some(SignedDuration::from_mins(5))));
    assert_eq!((plan.confirm_all_every.as_hours(), plan.accepted), (7 * 24, [chain.to_owned()].into()));
    assert!(plan.reports_dir.unwrap().ends_with("drills"));
}

#[test]
fn a_watch_that_cannot_be_meant_is_refused() {
    let report =
        folder().report(&inspects("[watch]\nconfirm_every = \"0s\"\naccepted = [\"chain-restart v1/x\"]\nlistne = 1"));
    for fact in [
        "`confirm_every` must be longer than nothing",
        "`chain-restart v1/x` begins with no kind of finding\n  hint: Did you mean `chain-restarted`?",
        "unknown key `listne`",
    ] {
        assert!(report.contains(fact), "no `{fact}` in:\n{report}");
    }
    let report = folder().report(&inspects("[watch]\naccepted = [\"marker\"]"));
    assert!(report.contains("an accepted finding names its object"), "{report}");
    says("[watch]\n", &["a depositor does not watch itself: no [watch] here"]);
    let report = folder().report(&format!("{RESTORER}[watch]\nreports_dir = \"x\"\n"));
    assert!(report.contains("the restorer makes reports and reads none"), "{report}");
}

#[test]
fn drills_are_daily_and_take_an_older_backup_along_unless_told_otherwise() {
    let load =
        |lines: &str| folder().load(&format!("{RESTORER}{lines}")).unwrap_or_else(|error| panic!("{error}")).drill;
    for lines in ["", "[drill]\n"] {
        let plan = load(lines);
        assert_eq!((plan.every, plan.sample), (Some(SignedDuration::from_hours(24)), 1));
    }
    assert_eq!(load("[drill]\nsample = 0\n").sample, 0);
}

#[test]
fn an_inspector_may_know_who_signs_reports() {
    let keys = |lines: &str| inspector().replace("[keys]", &format!("[keys]\n{lines}"));
    let reports = |text: &str| match folder().load(text).unwrap_or_else(|error| panic!("{error}")).keys {
        Keys::Inspector { reports, .. } => reports.is_some(),
        _ => panic!("an inspector's"),
    };
    assert!(!reports(&keys("")) && reports(&keys("reports = { file = \"keys/signing.pub\" }")));
    let report = folder().report(&keys("reports = { file = \"keys/drill.key\" }"));
    assert!(report.contains("not a minisign public key"), "{report}");
}

#[test]
fn a_credential_may_say_when_it_expires() {
    let folder = folder();
    let file = |line: &str| format!("access_key_id = \"AK\"\nsecret_access_key = \"hunter2\"\n{line}\n");
    let bucket = "url = \"s3://acme/prod\"\ncredentials = { file = \"keys/depositor.toml\" }";
    let text = DEPOSITOR.replace("url = \"file:///srv/vault\"", bucket);
    let expires = |line: &str| {
        folder.put("keys/depositor.toml", file(line).as_bytes(), 0o600);
        folder.load(&text).map(|plan| plan.vaults[0].credential_expires_at())
    };
    assert_eq!(expires("").ok().unwrap(), None);
    assert_eq!(expires("expires_at = \"2027-01-01T00:00:00Z\"").ok().unwrap(), "2027-01-01T00:00:00Z".parse().ok());
    let report = expires("expires_at = \"new year\"").err().unwrap().to_string();
    assert!(report.contains("`expires_at` is not a time") && !report.contains("hunter2"), "{report}");
}
