//! Tests of whole files: what loads, what is refused, and what no report may repeat.

use super::{
    plan::{DaemonPlan, Deposit},
    *,
};
use crate::{
    clock::SignedDuration,
    failure::Explain as _,
    keyring::NewKeys,
    monitor::{EventKind, Form, PingKind},
    source::postgres::{AcceptedLoss, Tls},
    suspect::Thresholds,
    vault::{LockPolicy, S3Credentials},
};
use std::{collections::BTreeSet, os::unix::fs::PermissionsExt as _};

/// A folder with every key file that configurations name.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let keys = NewKeys::generate([7; 32]);
        folder.put("keys/recipients.txt", keys.recipients.as_bytes(), 0o644);
        folder.put("keys/signing.pub", keys.verifying.as_bytes(), 0o644);
        folder.put("keys/signing.key", keys.signing.reveal(), 0o600);
        folder.put("keys/digest.key", keys.digest.reveal(), 0o600);
        folder.put("keys/drill.key", keys.drill_identity.reveal(), 0o600);
        folder.put("keys/app.password", b"hunter2\n", 0o600);
        folder.put("keys/team.url", b"https://ntfy.example.com/hunter2\n", 0o600);
        folder.put("keys/team.token", b"hunter2\n", 0o600);
        folder.put("keys/app.ping", b"https://hc.example.com/hunter2\n", 0o600);
        folder.put("keys/depositor.toml", b"access_key_id = \"AK\"\nsecret_access_key = \"hunter2\"\n", 0o600);
        folder
    }

    fn put(&self, name: &str, bytes: &[u8], mode: u32) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self, text: &str) -> Result<Plan, BadConfig> {
        self.put("config.toml", text.as_bytes(), 0o644);
        load(&self.0.path().join("config.toml"), &world())
    }

    /// The report on a file that does not load, with the folder's name taken out.
    fn report(&self, text: &str) -> String {
        let error = self.load(text).err().expect("the configuration should not load");
        assert!(matches!(&error, BadConfig::Mistakes { mistakes, .. } if !mistakes.is_empty()));
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn world() -> World {
    World { credentials_directory: None, cores: 16 }
}

const DEPOSITOR: &str = r#"
role = "depositor"
state_dir = "state"
[keys]
recipients = { file = "keys/recipients.txt" }
signing = { file = "keys/signing.key" }
digest = { file = "keys/digest.key" }
[[vault]]
name = "local"
url = "file:///srv/vault"
term = "35d"
[[source]]
name = "app"
engine = "postgres"
url = "postgres://strongroom@db/app"
"#;

const RESTORER: &str = r#"
role = "restorer"
state_dir = "/var/lib/strongroom"
[keys]
verifying = { file = "keys/signing.pub" }
identity = { file = "keys/drill.key" }
[[vault]]
name = "local"
url = "file:///srv/vault"
term = "35d"
[[source]]
name = "app"
"#;

const EXAMPLE: &str = include_str!("../../config/example.toml");

fn inspector() -> String {
    let lines = RESTORER.lines().filter(|line| !line.starts_with("identity"));
    lines.collect::<Vec<_>>().join("\n").replace("restorer", "inspector")
}

#[test]
fn the_example_loads_and_its_values_arrive() {
    let folder = Folder::new();
    let plan = folder.load(EXAMPLE).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((plan.role(), plan.vaults.len(), plan.sources.len()), (Role::Depositor, 2, 1));
    let VaultAddress::S3(bucket) = &plan.vaults[0].address else { panic!("the first vault is a bucket") };
    assert_eq!((bucket.bucket.as_str(), bucket.prefix.as_str()), ("acme-vault-d35", "prod"));
    assert_eq!(
        (bucket.region.as_str(), bucket.path_style, bucket.lock),
        ("eu-central-1", true, LockPolicy::BucketDefault)
    );
    assert!(
        matches!(&bucket.credentials, S3Credentials::Keys { access_key_id, session_token: None, .. } if access_key_id == "AK")
    );
    let source = &plan.sources[0];
    let month = SignedDuration::from_hours(30 * 24);
    assert_eq!(source.deposits, [Deposit { vault: 0, every: None }, Deposit { vault: 1, every: Some(month) }]);
    assert_eq!((source.needed, source.objectives.recovery_point), (1, Some(SignedDuration::from_mins(30))));
    let dump = source.dump.as_ref().unwrap();
    assert_eq!(dump.postgres.address.tls, Tls::VerifyFull { roots: None });
    assert_eq!(dump.postgres.address.password.as_ref().unwrap().reveal_text().unwrap(), "hunter2");
    assert_eq!(dump.postgres.accept_missing, [AcceptedLoss::UserMappings, AcceptedLoss::Subscriptions]);
    assert_eq!((dump.time_zone.iana_name(), dump.postgres.workers), (Some("Europe/Berlin"), 4));
    assert_eq!(dump.schedule, "*/15 * * * *".parse().ok());
}

#[test]
fn the_examples_daemon_alerts_and_watch_arrive() {
    let plan = Folder::new().load(EXAMPLE).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plan.daemon, DaemonPlan { listen: Some("127.0.0.1:7470".parse().unwrap()), runs_at_once: 2 });
    let alert = &plan.alerts[0];
    assert_eq!((alert.name.as_str(), alert.form, alert.on.len()), ("team", Form::Ntfy, 6));
    assert_eq!(alert.token.as_ref().unwrap().reveal_text().unwrap(), "hunter2");
    assert!(!format!("{alert:?}").contains("hunter2"));
    let dump = plan.sources[0].dump.as_ref().unwrap();
    let ignore = vec!["public.jobs".to_owned(), "cache.*".to_owned()];
    assert_eq!(dump.suspect, Thresholds { ignore, ..Thresholds::default() });
    assert_eq!((dump.jitter.as_secs(), dump.deadline.as_hours(), dump.stalled_after.as_mins()), (30, 24, 10));
    assert_eq!(dump.ping.as_ref().unwrap().kind, PingKind::Healthchecks);
    assert_eq!(plan.vaults[0].slack, SignedDuration::from_hours(7 * 24));
}

#[test]
fn the_example_names_every_key_that_the_reader_asks_for() {
    let folder = Folder::new();
    let world = world();
    let asked: BTreeSet<String> = [EXAMPLE, RESTORER, &inspector()]
        .iter()
        .flat_map(|text| {
            let notes = Notes::default();
            drop(read(text, &notes, Origins { folder: folder.0.path(), world: &world })); // only what it asked counts
            notes.keys_asked_for()
        })
        .collect();
    assert!(asked.len() > 35, "{asked:?}");
    let named = |key: &str| {
        let forms = [format!("{key} = "), format!("[{key}]"), format!("[[{key}]]")];
        forms.iter().any(|form| EXAMPLE.contains(form.as_str()))
    };
    let missing: Vec<_> = asked.iter().filter(|asked| !named(asked.rsplit('.').next().unwrap())).collect();
    assert!(missing.is_empty(), "config/example.toml does not name {missing:?}");
}

#[test]
fn each_role_loads_its_own_file_with_defaults() {
    let folder = Folder::new();
    let plan = folder.load(DEPOSITOR).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plan.state_dir, folder.0.path().join("state"));
    let source = &plan.sources[0];
    assert_eq!((source.deposits.as_slice(), source.needed), (&[Deposit { vault: 0, every: None }][..], 1));
    let dump = source.dump.as_ref().unwrap();
    assert_eq!((dump.postgres.workers, &dump.schedule), (8, &None));
    assert_eq!((dump.jitter.as_secs(), dump.deadline.as_hours(), dump.stalled_after.as_mins()), (30, 24, 10));
    assert!(dump.suspect == Thresholds::default() && dump.ping.is_none() && plan.alerts.is_empty());
    assert_eq!((plan.daemon, plan.vaults[0].slack.as_hours()), (DaemonPlan::default(), 7 * 24));
    assert!(matches!(&plan.keys, Keys::Depositor(keys) if keys.recipients.names().len() == 2));

    let plan = folder.load(RESTORER).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(plan.keys, Keys::Restorer { .. }) && plan.sources[0].dump.is_none());
    let placed = "\nneeded = 1\ndeposit = [{ vault = \"local\", every = \"1d\" }]";
    let plan = folder.load(&(inspector() + placed)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((plan.sources[0].needed, plan.sources[0].deposits.len()), (1, 1));
    assert!(matches!(plan.keys, Keys::Inspector { .. }) && plan.role() == Role::Inspector);
}

#[test]
fn a_secret_may_come_from_systemd_or_a_command() {
    let folder = Folder::new();
    let systemd = folder.report(&format!("{DEPOSITOR}password = {{ systemd = \"app\" }}"));
    assert!(systemd.contains("no credentials directory is set\n  hint: Run as a systemd service"), "{systemd}");
    let plan = folder.load(&format!("{DEPOSITOR}password = {{ command = [\"echo\", \"hunter2\"] }}")).ok().unwrap();
    let password = plan.sources[0].dump.as_ref().unwrap().postgres.address.password.as_ref().unwrap();
    assert_eq!(password.reveal_text().unwrap(), "hunter2");
}

#[test]
fn ten_mistakes_are_reported_together_with_their_lines() {
    let report = Folder::new().report(
        r#"role = "depositor"
state_dir = 5
[keys]
recipients = { file = "keys/signing.pub" }
signing = { file = "keys/none.key" }
digest = { file = "keys/digest.key", systemd = "digest" }
[[vault]]
name = "Off site"
url = "https://acme"
credentials = "aws-chain"
[[vault]]
name = "archive"
url = "file:///srv/vault"
term = "5y"
[[source]]
name = "app"
engine = "mariadb"
url = "postgres://db/app?sslmode=prefer"
schedule = "every day"
  evry = "1d"
"#,
    );
    let expected = r#"config.toml:2:13: `state_dir` must be a string, not 5
config.toml:4:14: `recipients`: keys/signing.pub: line 1 is not an age recipient (age1...)
config.toml:5:11: `signing`: cannot read keys/none.key: No such file or directory (os error 2)
config.toml:6:10: `digest` needs exactly one of `file`, `systemd` and `command`
config.toml:7:1: `term` is missing in [[vault]]
config.toml:8:8: `name`: `Off site` is not a name: use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit
config.toml:9:7: `url`: a vault's address is s3://BUCKET/PREFIX or file:///ABSOLUTE/PATH
config.toml:14:8: a term of 1825d is longer than 400 days
  hint: Nobody, the storage operator's support included, can shorten it. If that is meant, write i_understand_nobody_can_undo_this = true beside it.
config.toml:17:10: `mariadb` is not supported yet
  hint: Today there is one engine: "postgres".
config.toml:18:7: `url`: the address names no user
  hint: Write postgres://USER@HOST/DATABASE; no user is taken from the environment.
config.toml:19:12: `schedule`: not five fields as in crontab(5), or six with seconds first, but 2
  hint: Every 15 minutes: "*/15 * * * *"; every night at 02:30: "30 2 * * *".
config.toml:20:3: unknown key `evry`"#;
    assert_eq!(report, expected);
}

mod refusals;
mod watching;
