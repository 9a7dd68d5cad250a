//! Tests of `init`: what it makes loads, is closed to others, and is never overwritten.

use super::*;
use crate::config::{self, Keys, World};
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path};

const SOURCE: &str = "app=postgres://strongroom@db.internal/app";
const SOCKET: &str = "crm=postgres://strongroom@/crm?host=/var/run/postgresql";

fn options(dir: &Path, sources: &[&str], vaults: &[&str]) -> InitOptions {
    InitOptions {
        dir: dir.to_owned(),
        sources: sources.iter().map(|&source| source.to_owned()).collect(),
        vaults: vaults.iter().map(|&vault| vault.to_owned()).collect(),
        endpoint: None,
        region: None,
        term: None,
        yes: true,
    }
}

fn load(dir: &Path, role: Role) -> Result<config::Plan, config::BadConfig> {
    config::load(&dir.join(format!("{role}.toml")), &World { credentials_directory: None, cores: 2 })
}

/// Every path below `dir` with its mode; directories end with a slash.
fn modes(dir: &Path) -> BTreeMap<String, u32> {
    fn visit(dir: &Path, name: &str, found: &mut BTreeMap<String, u32>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let is_dir = entry.file_type().unwrap().is_dir();
            let name = format!("{name}{}{}", entry.file_name().display(), if is_dir { "/" } else { "" });
            found.insert(name.clone(), entry.metadata().unwrap().permissions().mode() & 0o7777);
            if is_dir {
                visit(&entry.path(), &name, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    visit(dir, "", &mut found);
    found
}

#[test]
fn a_directory_vault_and_a_socket_load_at_once() {
    let world = tempfile::tempdir().unwrap();
    let (dir, vault) = (world.path().join("strongroom"), world.path().join("vault"));
    let steps =
        run(&options(&dir, &[SOCKET], &[&format!("local=file://{}", vault.display())]), [7; 32], false).unwrap();
    for role in Role::ALL {
        let plan = load(&dir, role).unwrap_or_else(|error| panic!("{error}"));
        let state_dir = dir.join(if role == Role::Depositor { "state".to_owned() } else { format!("state-{role}") });
        assert_eq!((plan.role(), plan.state_dir, plan.vaults[0].term.days()), (role, state_dir, 35));
        assert_eq!(plan.sources[0].dump.is_some(), role == Role::Depositor);
    }
    for closed in [&dir, &vault] {
        assert_eq!(fs::metadata(closed).unwrap().permissions().mode() & 0o7777, 0o700);
    }
    assert!(!dir.join("policies").exists());
    for step in ["recovery.key", "CREATE ROLE strongroom LOGIN BYPASSRLS;", "depositor.toml check"] {
        assert!(steps.contains(step), "{steps}");
    }
    assert!(!steps.contains("\\password"), "{steps}");
}

#[test]
fn a_bucket_loads_once_its_blanks_are_filled_in() {
    let world = tempfile::tempdir().unwrap();
    let dir = world.path().join("strongroom");
    run(&options(&dir, &[SOURCE], &["offsite=s3://acme-vault/prod"]), [7; 32], false).unwrap();
    let expected = [
        ("depositor.toml", 0o644),
        ("inspector.toml", 0o644),
        ("restorer.toml", 0o644),
        ("state/", 0o700),
        ("keys/", 0o700),
        ("keys/recovery.key", 0o600),
        ("keys/drill.key", 0o600),
        ("keys/signing.key", 0o600),
        ("keys/digest.key", 0o600),
        ("keys/signing.pub", 0o644),
        ("keys/recipients.txt", 0o644),
        ("keys/report.key", 0o600),
        ("keys/report.pub", 0o644),
        ("keys/app.password", 0o600),
        ("keys/depositor.toml", 0o600),
        ("keys/inspector.toml", 0o600),
        ("keys/restorer.toml", 0o600),
        ("keys/reporter.toml", 0o600),
        ("policies/", 0o700),
        ("policies/depositor.json", 0o644),
        ("policies/inspector.json", 0o644),
        ("policies/restorer.json", 0o644),
        ("policies/reporter.json", 0o644),
        ("policies/custodian.sh", 0o700),
    ];
    assert_eq!(modes(&dir), expected.map(|(name, mode)| (name.to_owned(), mode)).into());

    let blank = load(&dir, Role::Depositor).err().unwrap().to_string();
    assert_eq!(blank.matches("it is not filled in yet").count(), 2, "{blank}");
    for file in ["app.password", "depositor.toml", "inspector.toml", "restorer.toml", "reporter.toml"] {
        let path = dir.join("keys").join(file);
        fs::write(&path, fs::read_to_string(&path).unwrap().replace(BLANK, "filled-in")).unwrap();
    }
    for role in Role::ALL {
        load(&dir, role).unwrap_or_else(|error| panic!("{error}"));
    }
    let Keys::Depositor(keys) = load(&dir, Role::Depositor).ok().unwrap().keys else { panic!("a depositor's keys") };
    let Keys::Restorer { verifying, .. } = load(&dir, Role::Restorer).ok().unwrap().keys else {
        panic!("a restorer's")
    };
    assert!(verifying.verify(b"m", keys.signing.sign(b"m", "c").as_bytes()).is_some());
}

#[test]
fn policies_allow_a_role_its_own_verbs_and_nobody_a_deletion() {
    let world = tempfile::tempdir().unwrap();
    let dir = world.path().join("strongroom");
    let local = format!("local=file://{}", world.path().join("vault").display());
    let vaults = ["offsite=s3://acme-vault/prod", "other=s3://acme-vault/eu", &local];
    let options = InitOptions {
        endpoint: Some("https://s3.example.com/".to_owned()),
        region: Some("it's".to_owned()),
        ..options(&dir, &[SOURCE], &vaults)
    };
    run(&options, [7; 32], false).unwrap();
    let read = |name: &str| fs::read_to_string(dir.join("policies").join(name)).unwrap();
    let depositor: serde_json::Value = serde_json::from_str(&read("depositor.json")).unwrap();
    assert_eq!(depositor["Statement"][0]["Action"], serde_json::json!(["s3:PutObject"]));
    assert_eq!(
        depositor["Statement"][0]["Resource"],
        serde_json::json!(["arn:aws:s3:::acme-vault/prod/v1/*", "arn:aws:s3:::acme-vault/eu/v1/*"])
    );
    assert_eq!(depositor["Statement"][2]["Resource"], serde_json::json!(["arn:aws:s3:::acme-vault"]));
    let allowed = |name: &str| {
        let policy: serde_json::Value = serde_json::from_str(&read(name)).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        statements
            .iter()
            .filter(|statement| statement["Effect"] == "Allow")
            .map(ToString::to_string)
            .collect::<String>()
    };
    assert!(!allowed("depositor.json").contains("List") && !allowed("depositor.json").contains("GetObject\""));
    assert_eq!(depositor["Statement"][3]["Effect"], "Deny", "not even what it owns");
    assert!(read("inspector.json").contains("acme-vault/prod/v1/*/backups/*"));
    assert!(read("inspector.json").contains("acme-vault/prod/v1/*/drills/*"));
    let reporter: serde_json::Value = serde_json::from_str(&read("reporter.json")).unwrap();
    let reports = ["arn:aws:s3:::acme-vault/prod/v1/*/drills/*", "arn:aws:s3:::acme-vault/eu/v1/*/drills/*"];
    for (index, actions) in [(0, ["s3:PutObject"]), (1, ["s3:GetObjectRetention"])] {
        let statement = &reporter["Statement"][index];
        assert_eq!(
            (&statement["Action"], &statement["Resource"]),
            (&serde_json::json!(actions), &serde_json::json!(reports))
        );
    }
    assert_eq!(reporter["Statement"][2], depositor["Statement"][3], "not even what it owns");
    let texts =
        ["depositor.json", "inspector.json", "restorer.json", "reporter.json"].map(|name| (name, allowed(name)));
    for (name, text) in texts.into_iter().chain([("custodian.sh", read("custodian.sh"))]) {
        for nobodys in ["s3:Delete", "Bypass", "s3:PutObjectRetention", "s3:PutBucket", "s3:*"] {
            assert!(!text.contains(nobodys), "{name} allows {nobodys}");
        }
    }
    let script = read("custodian.sh");
    assert_eq!(script.matches("create-bucket").count(), 1, "one bucket of two vaults is made once");
    for part in [r#""Days":35,"Mode":"COMPLIANCE""#, r#""Expiration":{"Days":37}"#, r"--region 'it'\''s'"] {
        assert!(script.contains(part), "{script}");
    }
    let syntax = std::process::Command::new("sh").arg("-n").arg(dir.join("policies/custodian.sh")).status().unwrap();
    assert!(syntax.success());
    assert!(dir.join("keys/inspector-other.toml").exists() && dir.join("keys/reporter-other.toml").exists());
    let configured = |role: &str| fs::read_to_string(dir.join(format!("{role}.toml"))).unwrap();
    assert!(configured("inspector").contains("reports = { file = \"keys/report.pub\" }"));
    for line in [
        "report = { file = \"keys/report.key\" }",
        "[drill]",
        "every = \"1d\"",
        "report_credentials = { file = \"keys/reporter-other.toml\" }",
        "deposit_reports = true",
    ] {
        assert!(configured("restorer").contains(line), "{line}");
    }
    assert!(!configured("depositor").contains("report"));
}

#[test]
fn a_second_init_refuses_and_changes_nothing() {
    let world = tempfile::tempdir().unwrap();
    let dir = world.path().join("strongroom");
    let vault = format!("local=file://{}", world.path().join("vault").display());
    run(&options(&dir, &[SOCKET], &[&vault]), [7; 32], false).unwrap();
    let before = (modes(&dir), fs::read(dir.join("keys/recovery.key")).unwrap());
    let other = format!("local=file://{}", world.path().join("other").display());
    let error = run(&options(&dir, &[SOCKET], &[&other]), [8; 32], false).unwrap_err();
    assert!(
        error.to_string().ends_with("already holds depositor.toml, inspector.toml, restorer.toml, keys"),
        "{error}"
    );
    assert_eq!((modes(&dir), fs::read(dir.join("keys/recovery.key")).unwrap()), before);
    assert!(!world.path().join("other").exists());
}

#[test]
fn what_is_missing_or_wrong_is_said_and_passwords_are_not_repeated() {
    let world = tempfile::tempdir().unwrap();
    let dir = world.path().join("strongroom");
    let said = |options: &InitOptions| {
        let error = run(options, [7; 32], false).unwrap_err();
        format!("{error} ({})", error.hint().unwrap_or_default())
    };
    let vault = "local=file:///nonexistent/vault";
    let no_terminal = InitOptions { yes: false, ..options(&dir, &[SOURCE], &[vault]) };
    assert!(said(&no_terminal).starts_with("there is no terminal to ask at (Add --yes"));
    assert!(said(&options(&dir, &[], &[vault])).starts_with("--source NAME=URL is not given"));
    assert!(said(&options(&dir, &[SOURCE], &[])).starts_with("--vault NAME=URL is not given"));
    assert!(said(&options(&dir, &[SOURCE], &[vault, vault])).starts_with("`local` is given twice"));
    let long = InitOptions { term: Term::from_days(401), ..options(&dir, &[SOURCE], &[vault]) };
    assert!(said(&long).starts_with("a term of 401d is longer than 400 days"));
    for source in ["app=postgres://u:hunter2@h/db", "postgres://u:hunter2@h/db?sslmode=require", "hunter2"] {
        let said = said(&options(&dir, &[source], &[vault]));
        assert!(!said.contains("hunter2"), "{said}");
    }
    assert!(!dir.exists());
}
