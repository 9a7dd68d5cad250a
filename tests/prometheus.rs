//! A real Prometheus reads the daemon's page, and its alert rings when backups stop.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use serde_json::Value;
use std::{
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};
use support::{Daemon, World, cache, expect, get, plan, text, until};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/strongroom.rules.yml");

struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Asks `target` every second. Our rules are in force as they are, but that nothing has to last for long.
    fn start(folder: &Path, target: SocketAddr) -> Self {
        fs::create_dir(folder).unwrap();
        let rules = fs::read_to_string(RULES).unwrap();
        let hasty =
            |line: &str| if line.trim().starts_with("for: ") { "        for: 1s".to_owned() } else { line.to_owned() };
        fs::write(folder.join("rules.yml"), rules.lines().map(hasty).collect::<Vec<_>>().join("\n")).unwrap();
        let configuration = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [rules.yml]\nscrape_configs:\n\
             - {{ job_name: strongroom, static_configs: [{{ targets: [\"{target}\"] }}] }}\n"
        );
        fs::write(folder.join("prometheus.yml"), configuration).unwrap();
        let program = cache().join("prometheus/prometheus");
        assert!(program.is_file(), "no {}: `make test` sets it up", program.display());
        let log = folder.join("log");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL", "--"]).arg(program).arg("--config.file=prometheus.yml");
        command.args(["--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"]).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let mut prometheus = Self { child: command.spawn().unwrap(), address: target };
        prometheus.address = until("address of Prometheus", || {
            let said = fs::read_to_string(&log).unwrap();
            assert!(prometheus.child.try_wait().unwrap().is_none(), "{said}");
            let (_, after) = said.split_once("msg=\"Listening on\" address=")?;
            after.split_once('\n')?.0.trim().parse().ok()
        });
        prometheus
    }

    #[track_caller]
    fn ask(&self, path: &str) -> Option<Value> {
        let (status, body) = get(self.address, path);
        (status == 200).then(|| serde_json::from_str::<Value>(&body).unwrap()["data"].take())
    }

    /// The one value of a metric, and its labels.
    fn value(&self, metric: &str) -> Option<(f64, Value)> {
        let found = self.ask(&format!("/api/v1/query?query={metric}"))?;
        let series = found.pointer("/result/0")?;
        Some((text(series, "/value/1").parse().unwrap(), series["metric"].clone()))
    }

    fn firing(&self) -> Vec<Value> {
        let Some(Value::Array(mut alerts)) = self.ask("/api/v1/alerts").map(|mut data| data["alerts"].take()) else {
            return Vec::new();
        };
        alerts.retain(|alert| alert["state"] == "firing");
        alerts
    }

    fn rings(&self, name: &str) -> Option<Value> {
        self.firing().into_iter().find(|alert| alert["labels"]["alertname"] == name)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn prometheus_reads_the_page_and_rings_when_backups_stop_until_they_go_on() {
    let mut world = World::with_postgres(15);
    world.psql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    plan(&world.strongroom, "*/2 * * * * *", "", "");
    world.strongroom.edit("depositor", |text| text.replace("recovery_point = \"30m\"", "recovery_point = \"8s\""));
    let daemon = Daemon::start(&world.strongroom);
    world.strongroom.until_ended("app", 1);
    let prometheus = Prometheus::start(&world.scratch.path().join("prometheus"), daemon.address());
    expect("target that is up", || prometheus.value("up").is_some_and(|(up, _)| up == 1.0));
    let (good, labels) = until("series", || prometheus.value("strongroom_last_good_timestamp_seconds"));
    assert!(good > 1_700_000_000.0, "{good}");
    assert_eq!(
        (&labels["source"], &labels["vault"], &labels["job"]),
        (&"app".into(), &"local".into(), &"strongroom".into())
    );
    expect("quiet", || prometheus.firing().is_empty());

    world.postgres.stop();
    let overdue = until("StrongroomOverdue", || prometheus.rings("StrongroomOverdue"));
    assert_eq!((&overdue["labels"]["source"], &overdue["labels"]["severity"]), (&"app".into(), &"critical".into()));
    let summary = text(&overdue, "/annotations/summary");
    assert!(summary.starts_with("The last good backup of app is ") && summary.ends_with("more than its objective"));
    until("StrongroomRunsFail", || prometheus.rings("StrongroomRunsFail"));
    assert_eq!(daemon.health("/sources/0/state"), "overdue");

    world.postgres.start_again();
    expect("quiet", || prometheus.firing().is_empty());
    drop(daemon);
    until("StrongroomDown", || prometheus.rings("StrongroomDown"));
}
