//! In whichever way backups are stopped or spoilt, a real Prometheus that asks the inspector's watch rings in time, and
//! is quiet before: nothing here asks the depositor how it is.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/rgw.rs"]
mod rgw;
mod support;

use aws_sdk_s3::types::ObjectLockRetentionMode as Mode;
use jiff::Timestamp;
use rgw::{Bucket, Rgw};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use support::{
    Daemon, Ear, Installation, Prometheus, World, expect, flag, metric, plan, problems, segment_of, start, text,
    told_to, until, watches,
};

/// How old the recovery point may become, in seconds.
const OBJECTIVE: f64 = 8.0;
/// A scrape, an evaluation, one second that the alert has to last, and a machine that has much else to do.
const SLACK: f64 = 4.0;
/// Rings all the time where nobody drills.
const NO_DRILL_HOST: &str = "StrongroomDrillHostAbsent";

fn world() -> World {
    let world = World::with_postgres(15);
    world.psql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n, repeat('word ', 20) AS said;");
    world
}

/// An inspector's watch, and a Prometheus that asks it.
struct Alarms {
    watch: Daemon,
    prometheus: Prometheus,
}

impl Alarms {
    fn over(installation: &Installation, folder: &Path) -> Self {
        let watch = start(installation, "inspector");
        let target = ("strongroom-watch", watch.address());
        let prometheus = Prometheus::start(folder, "strongroom-watch.rules.yml", &[target]);
        Self { watch, prometheus }
    }

    /// What rings, but for that nobody drills.
    fn ringing(&self) -> BTreeSet<String> {
        let mut ringing = self.prometheus.ringing();
        ringing.remove(NO_DRILL_HOST);
        ringing
    }

    /// Prometheus has asked, and nothing rings.
    #[track_caller]
    fn quiet(&self) {
        expect("quiet", || self.prometheus.rings(NO_DRILL_HOST).is_some() && self.ringing().is_empty());
    }

    /// Longer than an objective: what is overdue would ring.
    #[track_caller]
    fn stays_quiet(&self) {
        self.quiet();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs_f64(OBJECTIVE + SLACK) {
            assert_eq!(self.ringing(), BTreeSet::new());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until `alert` rings, alone; gives it.
    #[track_caller]
    fn rings(&self, alert: &str) -> Value {
        let found = until(alert, || self.prometheus.rings(alert));
        assert_eq!((&found["labels"]["source"], self.ringing()), (&"app".into(), [alert.to_owned()].into()));
        found
    }

    fn recovery_point(&self) -> Timestamp {
        text(&self.watch.health("/sources/0"), "/recovery_point").parse().unwrap()
    }

    /// Nothing rings before the objective has passed, and then it does, within half as much again.
    #[track_caller]
    fn overdue_in_time(&self, stopped_by: &str) {
        let age = until("overdue alarm", || {
            let age = Timestamp::now().duration_since(self.recovery_point()).as_secs_f64();
            let ringing = self.ringing();
            assert!(ringing.is_empty() || age >= OBJECTIVE, "after {age} s of {OBJECTIVE}: {ringing:?}");
            ringing.contains("StrongroomWatchOverdue").then_some(age)
        });
        assert!(age <= OBJECTIVE * 1.5 + SLACK, "{stopped_by}: rings after {age} s of {OBJECTIVE}");
        eprintln!("{stopped_by}: rings after {age:.1} s of {OBJECTIVE}");
        assert_eq!((problems(&self.watch), self.ringing().len()), (vec!["overdue".to_owned()], 1), "{stopped_by}");
        let overdue = self.rings("StrongroomWatchOverdue");
        assert_eq!(overdue["labels"]["severity"], "critical");
        assert!(text(&overdue, "/annotations/summary").starts_with("The vaults hold nothing of app younger than"));
    }

    /// One finding of this kind, and nothing else: what is sent again before its time lies on top of what counts until
    /// a manifest refers to it.
    #[track_caller]
    fn finds(&self, kind: &str) {
        let series = format!("strongroom_findings{{source='app',vault='local',kind='{kind}'}}");
        let all = "strongroom_tamper_findings{source='app',vault='local'}";
        expect(kind, || metric(&self.watch, &series) == 1.0 && metric(&self.watch, all) == 1.0);
    }
}

#[test]
fn a_depositor_that_is_killed_or_deposits_elsewhere_or_forgets_is_noticed() {
    let world = world();
    plan(&world.strongroom, "*/2 * * * * *", "", "");
    watches(&world.strongroom, "inspector", "recovery_point = \"8s\"", "");
    let depositor = Daemon::start(&world.strongroom);
    world.strongroom.until_ended("app", 1);
    let alarms = Alarms::over(&world.strongroom, &world.scratch.path().join("prometheus"));
    alarms.stays_quiet();
    depositor.kill();
    alarms.overdue_in_time("killed");

    let depositor = Daemon::start(&world.strongroom);
    alarms.quiet();
    // Deposits succeed, in a vault that somebody else made.
    let liar = world.scratch.path().join("liar");
    fs::create_dir(&liar).unwrap();
    let (vault, lies) = (world.vault().display().to_string(), liar.display().to_string());
    world.strongroom.edit("depositor", |text| text.replace(&vault, &lies));
    depositor.reload();
    depositor.expect_log("the configuration was read again and is in force");
    alarms.overdue_in_time("pointed elsewhere");
    assert_eq!(depositor.health("/sources/0/state"), "good", "the depositor is content");
    assert!(liar.join("v1/app/backups").read_dir().unwrap().count() > 2);

    // Back again its chain goes on: nobody was at work in the vault.
    world.strongroom.edit("depositor", |text| text.replace(&lies, &vault));
    depositor.reload();
    alarms.quiet();

    // All that it remembers is removed while it runs: it knows nothing of what lies there when it begins the next chain.
    fs::remove_dir_all(world.strongroom.path("state")).unwrap();
    alarms.rings("StrongroomTampering");
    alarms.finds("chain-restarted");
    alarms.watch.stop();
}

#[test]
fn what_is_spoilt_in_the_vault_rings_by_its_name_and_is_quiet_when_mended() {
    let world = world();
    world.backup();
    watches(&world.strongroom, "inspector", "recovery_point = \"1h\"", "");
    let alarms = Alarms::over(&world.strongroom, &world.scratch.path().join("prometheus"));
    alarms.quiet();

    world.psql("CREATE TABLE kept AS TABLE t; TRUNCATE t");
    world.strongroom.run("depositor", &["backup"]).exits(5);
    alarms.rings("StrongroomWatchSuspect");
    assert_eq!(problems(&alarms.watch), ["suspect"]);
    world.psql("INSERT INTO t TABLE kept; DROP TABLE kept");
    let newest = world.backup();
    alarms.quiet();

    // The backup host forgets: whoever deposits now knows nothing of what lies there.
    fs::remove_dir_all(world.strongroom.path("state")).unwrap();
    let restarted = world.backup();
    alarms.rings("StrongroomTampering");
    alarms.finds("chain-restarted");
    assert_eq!(problems(&alarms.watch), ["tampered"]);
    let finding = alarms.watch.health("/sources/0/vaults/0/watched/findings/0");
    assert!(text(&finding, "/object").contains(&restarted) && restarted > newest, "{finding:#}");
    let (every, object) = ("confirm_every = \"1s\"\n", text(&finding, "/object"));
    let accepted = format!("{every}accepted = [\"chain-restarted {object}\"]\n");
    world.strongroom.edit("inspector", |text| text.replace(every, &accepted));
    alarms.watch.reload();
    alarms.quiet();

    let away = world.scratch.path().join("away");
    flag("-i", &world.objects());
    fs::rename(world.vault(), &away).unwrap();
    let fails = alarms.rings("StrongroomConfirmFails");
    assert_eq!(fails["labels"]["vault"], "local");
    assert_eq!(problems(&alarms.watch), ["unconfirmed"]);
    fs::rename(&away, world.vault()).unwrap();
    flag("+i", &world.objects());
    alarms.quiet();

    let segment = segment_of(&world, &restarted, "data");
    let flagged = Command::new("lsattr").arg(&segment).output().unwrap();
    if String::from_utf8_lossy(&flagged.stdout).split(' ').next().unwrap_or_default().contains('i') {
        flag("-i", std::slice::from_ref(&segment));
        let short = alarms.rings("StrongroomLockShort");
        assert!(text(&short, "/annotations/summary").starts_with("1 objects of app in local"), "{short:#}");
        flag("+i", std::slice::from_ref(&segment));
        alarms.quiet();
    } else {
        eprintln!("*** NOT RUN: a lock's flag is taken away: files in {} carry none", segment.display());
    }

    support::remove(&segment);
    alarms.rings("StrongroomTampering");
    alarms.finds("missing-version");
    assert_eq!(problems(&alarms.watch)[0], "loss");
    assert_eq!(alarms.watch.health("/sources/0/state"), "unprotected");
    alarms.watch.stop();
}

#[tokio::test]
async fn a_depositor_whose_key_or_rights_are_gone_is_noticed() {
    let (world, server) = (world(), Rgw::start());
    let root = server.account();
    server.bucket(&root, "acme", Some((Mode::Compliance, 35))).await;
    let bucket = Bucket::new(&world, &server, "acme", &root);
    let user = |role: &str| {
        let policy = fs::read_to_string(bucket.strongroom.path(&format!("policies/{role}.json"))).unwrap();
        let keys = server.user(&root, role, &policy);
        bucket.fill_in(role, &keys);
        keys
    };
    let (stolen, _) = (user("depositor"), user("inspector"));
    plan(&bucket.strongroom, "*/2 * * * * *", "", "");
    watches(&bucket.strongroom, "inspector", "recovery_point = \"8s\"", "");
    let depositor = Daemon::start(&bucket.strongroom);
    bucket.strongroom.until_ended("app", 1);
    let alarms = Alarms::over(&bucket.strongroom, &world.scratch.path().join("prometheus"));
    alarms.stays_quiet();

    server.revoke(&root, "depositor", &stolen);
    alarms.overdue_in_time("key revoked");
    bucket.fill_in("depositor", &server.new_keys(&root, "depositor"));
    depositor.reload();
    alarms.quiet();
    server.forbid_everything(&root, "depositor");
    alarms.overdue_in_time("rights taken away");
    alarms.watch.stop();
}

/// The names that begin as ours do, in what asks: rules without their comments, and a dashboard.
fn names(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let name = |rest: &str| rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap().to_owned();
    code.split("strongroom_").skip(1).map(|rest| format!("strongroom_{}", name(rest))).collect()
}

/// The names of all series of a page.
fn series(daemon: &Daemon) -> BTreeSet<String> {
    let (_, page) = daemon.get("/metrics");
    let ours = page.lines().filter(|line| line.starts_with("strongroom_"));
    ours.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// On the pages of watchers, and of no use to an alarm or a picture.
const FOR_PEOPLE_ALONE: [&str; 3] = [
    "strongroom_alerts_failed_total",
    "strongroom_config_loaded_timestamp_seconds",
    "strongroom_next_drill_timestamp_seconds",
];

#[tokio::test]
async fn what_alerts_and_the_dashboard_ask_for_is_on_the_pages_and_all_of_it_is_asked_for() {
    let (world, server) = (world(), Rgw::start());
    let root = server.account();
    server.bucket(&root, "acme", Some((Mode::Compliance, 35))).await;
    let bucket = Bucket::new(&world, &server, "acme", &root);
    let strongroom = &bucket.strongroom;
    let expires = Timestamp::now() + jiff::SignedDuration::from_hours(24 * 400);
    for role in ["inspector", "restorer"] {
        let file = strongroom.path(&format!("keys/{role}.toml"));
        let keys = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{keys}expires_at = \"{expires}\"\n")).unwrap();
        watches(strongroom, role, "recovery_point = \"1h\", proven_within = \"26h\", recovery_time = \"1h\"", "");
    }
    told_to(strongroom, "inspector", &Ear::open());
    plan(strongroom, "*/2 * * * * *", "", "");
    let depositor = Daemon::start(strongroom);
    strongroom.until_ended("app", 1);
    let (inspector, restorer) = (start(strongroom, "inspector"), start(strongroom, "restorer"));
    expect("drill that passed", || {
        metric(&restorer, "strongroom_last_drill_outcome{source='app',outcome='passed'}") == 1.0
    });
    expect("look by the inspector", || {
        metric(&inspector, "strongroom_confirm_success{source='app',vault='offsite'}") == 1.0
    });
    let (inspected, restored, deposited) = (series(&inspector), series(&restorer), series(&depositor));
    let deploy = |name: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
        names(&fs::read_to_string(file).unwrap())
    };
    let (alerts, dashboard) = (deploy("prometheus/strongroom-watch.rules.yml"), deploy("grafana/strongroom.json"));
    assert!(alerts.len() > 20 && dashboard.len() > 20, "{alerts:?}\n{dashboard:?}");
    let watched: BTreeSet<String> = inspected.union(&restored).cloned().collect();
    let unsaid =
        |asked: &BTreeSet<String>, said: &BTreeSet<String>| asked.difference(said).cloned().collect::<Vec<_>>();
    assert_eq!(unsaid(&alerts, &watched), Vec::<String>::new(), "an alert asks for what no watcher says");
    let everybody: BTreeSet<String> = watched.union(&deposited).cloned().collect();
    assert_eq!(unsaid(&dashboard, &everybody), Vec::<String>::new(), "the dashboard asks for what nobody says");

    let asked: BTreeSet<String> = alerts.union(&dashboard).cloned().collect();
    let asked = asked.union(&deploy("prometheus/strongroom.rules.yml")).cloned().collect();
    assert_eq!(unsaid(&watched, &asked), FOR_PEOPLE_ALONE, "what watchers say and nobody looks at");
    for daemon in [inspector, restorer, depositor] {
        daemon.stop();
    }
}
