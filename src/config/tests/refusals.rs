//! Tests of single refusals: each changes one thing in a file that loads.

use super::*;

/// The report on the depositor's file after `from` became `to`.
fn changed(from: &str, to: &str) -> String {
    assert!(DEPOSITOR.contains(from), "{from}");
    Folder::new().report(&DEPOSITOR.replace(from, to))
}

fn added(lines: &str) -> String {
    Folder::new().report(&format!("{DEPOSITOR}{lines}\n"))
}

const BUCKET: &str = "url = \"s3://acme/prod\"\ncredentials = { file = \"keys/depositor.toml\" }";

#[track_caller]
fn says(report: &str, facts: &[&str]) {
    for fact in facts {
        assert!(report.contains(fact), "no `{fact}` in:\n{report}");
    }
}

#[test]
fn a_role_holds_only_its_own_keys() {
    says(
        &changed("[keys]", "[keys]\nidentity = { file = \"keys/drill.key\" }"),
        &["config.toml:5:1: a depositor must not be able to read what it deposits"],
    );
    let folder = Folder::new();
    let inspector = inspector().replace("[keys]", "[keys]\nsigning = { file = \"keys/signing.key\" }");
    says(&folder.report(&inspector), &["config.toml:5:1: the inspector writes no backups: no `signing` here"]);
    let restorer = RESTORER.to_owned() + "url = \"postgres://u@h/db\"\n";
    says(&folder.report(&restorer), &["config.toml:13:1: the restorer has no way to the database: no `url` here"]);
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_never_repeated() {
    let identity = crate::keyring::NewKeys::generate([7; 32]).recovery_identity;
    let identity = identity.reveal_text().unwrap().lines().last().unwrap().to_owned();
    let cases = [
        ("password = \"hunter2\"".to_owned(), "password = { file = \"keys/password\" }"),
        ("password = 12345".to_owned(), "`password` is written into the configuration"),
        (format!("# {identity}"), "an age identity is written into the configuration"),
        (format!("{identity} = 1"), "an age identity is written into the configuration"),
        (format!("checks = [\"{identity}\", 5]"), "an age identity is written into the configuration"),
        (format!("deposit = [{{ vault = \"{identity}\" }}]"), "there is no vault what is written here"),
        (format!("time_zone = \"{identity}\""), "there is no time zone what is written here"),
        (format!("schedule = \"{identity}\""), "`schedule`: not five fields"),
        (format!("schedule = \"{identity} * * * *\""), "`schedule`: minute: `AGE` is not a number"),
        (format!("broken {identity}"), "an age identity is written into the configuration"),
        (format!("[[source]]\nname = \"{identity}\""), "(not shown)"),
        ("[[vault]]\nsecret_access_key = \"hunter2\"".to_owned(), "credentials = { file = \"keys/ROLE.toml\" }"),
        ("[[vault]]\nurl=\"s3://AK:hunter2@acme/x\"\ncredentials = \"hunter2\"".to_owned(), "a bucket's name is"),
        (
            "[[vault]]\nurl=\"s3://acme/x\"\nendpoint=\"https://AK:hunter2@x\"".to_owned(),
            "`endpoint` holds credentials",
        ),
        ("[[source]]\nurl=\"postgres://u:hunter2@h/db\"".to_owned(), "`url`: the address holds a password"),
    ];
    for (lines, fact) in cases {
        let report = added(&lines);
        says(&report, &[fact]);
        let secrets = ["hunter2", "12345", identity.as_str()];
        assert!(secrets.iter().all(|secret| !report.contains(secret)), "{report}");
    }
    let inline = changed("signing = { file = \"keys/signing.key\" }", "signing = \"RWRTY0Iy\"");
    says(&inline, &["config.toml:6:11: `signing` is written", "signing = { file = \"keys/signing\" }"]);
    assert!(!inline.contains("RWRTY0Iy"));
}

#[test]
fn key_files_that_others_reach_or_nobody_filled_are_refused() {
    let folder = Folder::new();
    folder.put("keys/signing.key", b"x", 0o640);
    folder.put("keys/recipients.txt", b"age1", 0o664);
    folder.put("keys/app.password", BLANK.as_bytes(), 0o600);
    folder.put("keys/digest.key", b"hunter2", 0o600);
    let report = folder.report(&format!("{DEPOSITOR}password = {{ file = \"keys/app.password\" }}\n"));
    says(
        &report,
        &[
            "config.toml:5:14: `recipients`: keys/recipients.txt: it can be changed by others",
            "config.toml:6:11: `signing`: keys/signing.key can be read or changed by others (mode 0640",
            "  hint: Close it: chmod 600 keys/signing.key",
            "config.toml:7:10: `digest`: keys/digest.key: the digest key is not 64 hexadecimal digits",
            "config.toml:16:12: `password`: keys/app.password: it is not filled in yet",
        ],
    );
    assert!(!report.contains("hunter2"));
}

#[test]
fn credentials_are_read_strictly_and_not_repeated() {
    let folder = Folder::new();
    let text = DEPOSITOR.replace("url = \"file:///srv/vault\"", BUCKET);
    assert!(folder.load(&text).is_ok());
    for (file, fact) in [
        ("hunter2", "line 1 is not TOML"),
        ("access_key_id = \"hunter2\"", "`secret_access_key` is missing"),
        ("access_key_id = \"\"\nsecret_access_key = \"hunter2\"", "`access_key_id` is empty"),
        ("access_key_id = \"a\"\nsecret_access_key = 5", "`secret_access_key` is not a string"),
        ("access_key_id = \"a\"\nsecret_access_key = \"b\"\nhunter2 = 1", "line 3 holds an unknown key"),
        ("access_key_id = \"FILL-IN\"\nsecret_access_key = \"hunter2\"", "it is not filled in yet"),
    ] {
        folder.put("keys/depositor.toml", file.as_bytes(), 0o600);
        let report = folder.report(&text);
        says(&report, &["config.toml:11:15: `credentials`: keys/depositor.toml: ", fact]);
        assert!(!report.contains("hunter2"), "{report}");
    }
}

#[test]
fn a_vault_that_cannot_be_meant_is_refused() {
    let url = "url = \"file:///srv/vault\"";
    let vault = |extra: &str| changed(url, &format!("{BUCKET}\n{extra}"));
    says(&vault("endpoint = \"http://s3.example.com\""), &["12:12: `endpoint` is plain http", "allow_plain_http"]);
    says(&vault("endpoint = \"https://s3.example.com/acme\""), &["`endpoint` has more than a host and a port"]);
    says(&vault("lock = \"none\""), &["12:8: `lock` must be \"bucket-default\" or \"per-object\""]);
    says(&vault("path_stile = true"), &["12:1: unknown key `path_stile`", "hint: Did you mean `path_style`?"]);
    says(&changed(url, &format!("{url}\nregion = \"x\"")), &["11:10: `region` is for s3:// vaults"]);
    says(&changed("term = \"35d\"", "term = \"35\""), &["`term`: `35` is not whole days with a unit"]);
    says(
        &added("[[vault]]\nname = \"local\"\nurl = \"file:///srv/vault\"\nterm = \"8d\""),
        &["17:8: two vaults are named `local`", "18:7: this is the place of vault `local`"],
    );
    assert_eq!(
        changed("term = \"35d\"", "term = \"2y\"\ni_understand_nobody_can_undo_this = \"yes\""),
        "config.toml:12:37: `i_understand_nobody_can_undo_this` must be true or false, not a string"
    );
    assert_eq!(
        changed(url, "url = \"file:/srv\""),
        "config.toml:10:7: `url`: the path must be absolute: file:///srv/strongroom"
    );
    let folder = Folder::new();
    for fine in [
        "endpoint = \"http://127.0.0.1:9000\"",
        "endpoint = \"http://[::1]:9000/\"",
        "allow_plain_http = true\nendpoint = \"http://minio:9000\"",
        "lock = \"per-object\"",
    ] {
        let text = DEPOSITOR.replace(url, &format!("{BUCKET}\n{fine}"));
        folder.load(&text).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_source_that_cannot_be_meant_is_refused() {
    says(&added("deposit = [{ vault = \"locl\" }]"), &["16:22: there is no vault `locl`", "Did you mean `local`?"]);
    says(&added("deposit = [{ vault = \"local\" }, { vault = \"local\" }]"), &["vault `local` is given twice"]);
    says(&added("deposit = [{ vault = \"local\", every = \"2mo\" }]"), &["a backup every 60d 0h in a vault of 35d"]);
    says(&added("deposit = []"), &["`deposit` names no vault"]);
    says(&added("needed = 2"), &["16:10: `needed` must be a whole number from 1 to 1, not 2"]);
    says(&added("workers = 65"), &["`workers` must be a whole number from 1 to 64, not 65"]);
    says(&added("objectives = { recovery_point = \"0m\" }"), &["`recovery_point` must be longer than nothing"]);
    says(
        &added("schedule = \"0 0 31 2 *\""),
        &["16:12: `schedule`: never comes: none of its months has such a day\n  hint: Few months have a day 31"],
    );
    says(
        &added("schedule = \"*/90 * * * *\""),
        &["16:12: `schedule`: minute: `*/90` steps over its whole range and leaves only 0\n  hint: Steps begin anew"],
    );
    says(&added("time_zone = \"Mars\""), &["16:13: there is no time zone `Mars`"]);
    says(&added("accept_missing = [\"rows\"]"), &["16:19: `rows` is no loss that can be accepted"]);
    says(&added("checks = [\" \"]"), &["16:11: a check is empty"]);
    says(
        &added("[[source]]\nname = \"app\"\nengine = \"postgres\"\nurl = \"postgres://u@h/d\""),
        &["17:8: two sources are named `app`"],
    );
}

#[test]
fn a_file_that_is_no_configuration_says_so() {
    let folder = Folder::new();
    says(&folder.report(""), &["config.toml:1:1: `role` is missing in the configuration", "`vault` is missing"]);
    says(&folder.report("role = \"depositer\""), &["1:8: `role` must be", "Did you mean `depositor`?"]);
    says(&folder.report("role = \"depositor\"\nkeys = = 5"), &["config.toml:2:8: "]);
    says(&folder.report("role = \"depositor\"\nsource = []"), &["there is no [[source]]"]);
    let error = load(Path::new("/nonexistent/config.toml"), &world()).err().unwrap();
    assert_eq!(error.to_string(), "cannot read the configuration /nonexistent/config.toml");
    assert!(error.hint().unwrap().contains("strongroom init"));
}
