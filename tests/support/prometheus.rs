//! prometheus: a real Prometheus that asks our daemons every second, with the rules that we ship.

use super::{cache, get, text, until};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

pub struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Asks each of `targets`, a job and an address. The rules of deploy/prometheus/`rules` are in force as they are, but
    /// that nothing has to last for long.
    pub fn start(folder: &Path, rules: &str, targets: &[(&str, SocketAddr)]) -> Self {
        fs::create_dir(folder).unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus").join(rules);
        let hasty =
            |line: &str| if line.trim().starts_with("for: ") { "        for: 1s".to_owned() } else { line.to_owned() };
        let shipped = fs::read_to_string(shipped).unwrap();
        fs::write(folder.join("rules.yml"), shipped.lines().map(hasty).collect::<Vec<_>>().join("\n")).unwrap();
        let job = |(job, target): &(&str, SocketAddr)| {
            format!("- {{ job_name: {job}, static_configs: [{{ targets: [\"{target}\"] }}] }}\n")
        };
        let configuration = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [rules.yml]\nscrape_configs:\n{}",
            targets.iter().map(job).collect::<String>()
        );
        fs::write(folder.join("prometheus.yml"), configuration).unwrap();
        let program = cache().join("prometheus/prometheus");
        assert!(program.is_file(), "no {}: `make test` sets it up", program.display());
        let log = folder.join("log");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL", "--"]).arg(program).arg("--config.file=prometheus.yml");
        command.args(["--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"]).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let mut prometheus = Self { child: command.spawn().unwrap(), address: targets[0].1 };
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
    pub fn value(&self, metric: &str) -> Option<(f64, Value)> {
        let found = self.ask(&format!("/api/v1/query?query={metric}"))?;
        let series = found.pointer("/result/0")?;
        Some((text(series, "/value/1").parse().unwrap(), series["metric"].clone()))
    }

    pub fn firing(&self) -> Vec<Value> {
        let Some(Value::Array(mut alerts)) = self.ask("/api/v1/alerts").map(|mut data| data["alerts"].take()) else {
            return Vec::new();
        };
        alerts.retain(|alert| alert["state"] == "firing");
        alerts
    }

    /// The names of all that fires.
    pub fn ringing(&self) -> BTreeSet<String> {
        self.firing().iter().map(|alert| text(alert, "/labels/alertname")).collect()
    }

    pub fn rings(&self, name: &str) -> Option<Value> {
        self.firing().into_iter().find(|alert| alert["labels"]["alertname"] == name)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
