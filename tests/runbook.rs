//! The page for an incident is true: its names are this configuration's, and its script, as printed, restores.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/rgw.rs"]
mod rgw;
mod support;

use aws_sdk_s3::{primitives::ByteStream, types::ObjectLockRetentionMode as Mode};
use rgw::{Bucket, Keys, Rgw};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};
use support::{Installation, PRODUCTION, World, cache, key_of, text};

/// The one block of shell commands on `page` with this name.
fn block(page: &str, name: &str) -> String {
    let opening = format!("```sh {name}\n");
    assert_eq!(page.matches(&opening).count(), 1, "{page}");
    let (_, after) = page.split_once(&opening).unwrap();
    after.split_once("```").unwrap().0.to_owned()
}

/// Runs the script that is on `page`, as its reader would; gives how it ended and all that it said.
fn by_hand(world: &World, page: &str, database: &str, settings: &[(&str, &str)]) -> (bool, String) {
    world.postgres.psql("postgres", &format!("CREATE DATABASE {database} TEMPLATE template0"));
    let script = world.scratch.path().join("by-hand.sh");
    fs::write(&script, block(page, "by-hand")).unwrap();
    let mut bash = Command::new("bash");
    let path = format!("{}:{}:/usr/bin:/bin", world.postgres.programs.display(), aws(world).display());
    bash.env_clear().env("PATH", path).env("TMPDIR", world.scratch.path()).envs(world.postgres.environment());
    bash.env("IDENTITY", world.strongroom.path("keys/recovery.key")).env("DB", database);
    let output = bash.envs(settings.iter().copied()).arg(&script).current_dir("/").output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), said)
}

/// A folder that holds `aws`, as Debian's package awscli installs it into /usr/bin.
fn aws(world: &World) -> PathBuf {
    let (folder, python) = (world.scratch.path().join("bin"), cache().join("validators/bin/python"));
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("aws");
    fs::write(&program, format!("#!/bin/sh\nexec {} -m awscli \"$@\"\n", python.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn page(strongroom: &Installation, role: &str) -> String {
    strongroom.run(role, &["runbook"]).exits(0).stdout
}

#[test]
fn each_role_writes_a_page_with_the_real_names_and_says_where_the_rest_is_known() {
    let world = World::with_postgres(15);
    let vault = world.vault();
    let public = fs::read_to_string(world.strongroom.path("keys/signing.pub")).unwrap();
    let recipients = fs::read_to_string(world.strongroom.path("keys/recipients.txt")).unwrap();
    let recipients: Vec<_> = recipients.lines().filter(|line| line.starts_with("age1")).collect();
    let drill = fs::read_to_string(world.strongroom.path("keys/drill.key")).unwrap();
    let drill = drill.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
    for role in ["depositor", "inspector", "restorer"] {
        let page = page(&world.strongroom, role);
        let own = format!("`{}`, the {role}'s configuration", world.strongroom.path(&format!("{role}.toml")).display());
        let restorer = format!("strongroom -c {} ", world.strongroom.path("restorer.toml").display());
        let lines = [
            &own,
            &format!("`file://{}`", vault.display()),
            public.trim_end(),
            "**Delete nothing",
            "| holds the recovery key (1) | | |",
            &format!("{restorer}list app"),
            &format!("{restorer}restore app --at latest-good --to "),
            &format!("{restorer}restore app --table public.TABLE --to "),
            &format!("{restorer}fetch BACKUP --output "),
            &format!("{restorer}drill app"),
            "confirm app --vault local",
            &format!("FOLDER={}", vault.display()),
            "35d",
            "30m",
        ];
        for line in lines {
            assert!(page.contains(line), "{role}'s page has no `{line}`:\n{page}");
        }
        let known = match role {
            "depositor" => recipients.clone(),
            "restorer" => vec![drill],
            _ => vec![],
        };
        for recipient in &recipients {
            assert_eq!(page.contains(recipient), known.contains(recipient), "{role}: {recipient}");
        }
        assert_eq!(page.contains("`production` at `"), role == "depositor", "{page}");
        assert_eq!(page.contains("Not known here: `keys/recipients.txt` on the backup host"), role == "inspector");
        assert!(!page.contains("AGE-SECRET-KEY"), "{page}");
        for blank in ["@SETTINGS", "@PUBKEY", "{"] {
            let prose: String = page.split("```").step_by(2).collect();
            assert!(!prose.contains(blank), "{blank} is left on the page:\n{page}");
        }
    }
}

/// What a command that the page prints would be refused for, if it were no command of ours.
#[test]
fn commands_on_the_page_are_commands() {
    let world = World::with_postgres(15);
    let backup = world.backup();
    let page = page(&world.strongroom, "depositor");
    let mut tried = 0;
    for line in page.lines().filter(|line| line.starts_with("strongroom -c ")) {
        let words: Vec<_> = line.split(" # ").next().unwrap().split_whitespace().collect();
        let words = words.iter().map(|word| word.trim_matches('\'').replace("BACKUP", &backup));
        let words: Vec<_> = words.map(|word| word.replace("/somewhere/with/room", "/nonexistent/room")).collect();
        let words: Vec<_> = words.iter().skip(1).map(String::as_str).chain(["--help"]).collect();
        support::strongroom(&words).exits(0);
        tried += 1;
    }
    assert!(tried > 12, "{tried}");
}

#[test]
fn the_printed_script_restores_the_newest_good_backup_and_says_what_it_passed_over() {
    let world = World::with_postgres(15);
    world.postgres.psql("postgres", "ALTER ROLE strongroom SUPERUSER");
    world.psql(include_str!("schemas/nasty.sql"));
    world.psql("CREATE TABLE public.wide AS SELECT i, repeat(md5(i::text), 8) AS t FROM generate_series(1, 150000) i");
    let first = world.backup();
    world.psql("INSERT INTO public.wide SELECT -1, 'newer'");
    let second = world.backup();
    let whole = world.postgres.dump(PRODUCTION, &[]);
    world.psql("TRUNCATE public.wide");
    let wiped = text(&world.strongroom.run("depositor", &["backup", "--json"]).exits(5).json(), "/sources/0/backup");
    // A stranger's folder, newer than all; and junk on top of the one that is wanted.
    let backups = world.vault().join("v1/app/backups");
    let stranger = backups.join("20990101T000000Z-00000000");
    fs::create_dir(&stranger).unwrap();
    for folder in [&stranger, &backups.join(&second)] {
        for name in ["manifest.json", "manifest.json.minisig"] {
            fs::write(folder.join(format!("{name}@20990101T000000000Z-20990201T000000Z")), "junk").unwrap();
        }
    }
    let page = page(&world.strongroom, "restorer");
    let (succeeded, said) = by_hand(&world, &page, "recovered", &[]);
    assert!(succeeded, "{said}");
    for passed in
        ["passed over 20990101T000000Z-00000000: no manifest", &format!("passed over {wiped}: its data looked wiped")]
    {
        assert!(said.contains(passed), "{said}");
    }
    assert!(said.contains(&format!("restored {second} into recovered")), "{said}");
    whole.assert_equal(&world.postgres.dump("recovered", &[]));

    let (succeeded, said) = by_hand(&world, &page, "earlier", &[("BACKUP", &first)]);
    assert!(succeeded && said.contains(&format!("restored {first} into earlier")), "{said}");
    assert_eq!(world.postgres.psql("earlier", "SELECT count(*) FROM public.wide"), "150000");

    // A key that is not ours: nothing verifies, nothing is restored.
    let other = Installation::new(
        &world.scratch.path().join("other"),
        &["--source", "app=postgres://u@/d?host=/tmp", "--vault", &format!("local=file://{}", world.vault().display())],
        &world.postgres.programs,
    );
    let (succeeded, said) = by_hand(&world, &self::page(&other, "inspector"), "nothing", &[]);
    assert!(!succeeded && said.contains("no backup of app in local verifies"), "{said}");
}

#[test]
fn readme_and_the_page_restore_in_the_same_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let restoring = fs::read_to_string(root.join("src/cli/runbook/restore.sh")).unwrap();
    assert!(readme.contains(&restoring), "README's block and restore.sh differ");
}

#[test]
fn the_page_is_a_new_file_and_lies_under_lock_beside_the_backups() {
    let world = World::with_postgres(15);
    let path = world.scratch.path().join("runbook.md");
    let output = path.to_str().unwrap();
    world.strongroom.run("inspector", &["runbook", "--output", output]).exits(0).says("written to");
    assert!(fs::read_to_string(&path).unwrap().contains("the inspector's configuration"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    world.strongroom.run("inspector", &["runbook", "--output", output]).exits(2).says("nothing is overwritten");
    for role in ["inspector", "restorer"] {
        world.strongroom.run(role, &["runbook", "--deposit"]).exits(2).says("is done by the depositor");
    }
    assert!(world.objects().is_empty());

    let ran = world.strongroom.run("depositor", &["runbook", "--deposit"]).exits(0);
    let names = ["RUNBOOK.md", "FORMAT.md", "recipients.txt", "signing.pub"];
    let read = |name: &str| fs::read_to_string(world.object(&format!("/{name}"))).unwrap();
    for name in names {
        let key = key_of(&world.object(&format!("/{name}")));
        let key = key.strip_prefix(&format!("{}/", world.vault().display())).unwrap();
        assert!(key.starts_with("v1/_break-glass/"), "{key}");
        assert!(ran.stdout.contains(&format!("local: {key}, ")), "{ran:?}");
    }
    assert_eq!(ran.stdout.lines().count(), names.len());
    assert!(read("RUNBOOK.md").contains("the depositor's configuration"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(read("FORMAT.md"), fs::read_to_string(root.join("src/manifest.md")).unwrap());
    assert_eq!(read("signing.pub"), fs::read_to_string(world.strongroom.path("keys/signing.pub")).unwrap());
    let recipients = fs::read_to_string(world.strongroom.path("keys/recipients.txt")).unwrap();
    assert!(read("recipients.txt").lines().all(|line| recipients.contains(line)));
    if rustix::process::geteuid().is_root() {
        assert!(ran.stdout.contains("immutable flag"), "{ran:?}");
        assert!(fs::remove_file(world.object("/RUNBOOK.md")).is_err());
    }

    let json = world.strongroom.run("depositor", &["runbook", "--deposit", "--json"]).exits(0).json();
    assert_eq!(json["deposits"][0]["objects"].as_array().unwrap().len(), 4, "{json:#}");
    let objects: Vec<PathBuf> = world.objects();
    assert_eq!(objects.len(), 8);
    // What lies there is in nobody's way.
    world.backup();
    world.restore("recovered", &[]).exits(0);
    assert_eq!(world.strongroom.list("inspector")["findings"], serde_json::json!([]));
}

#[tokio::test]
async fn the_printed_script_restores_from_a_bucket_through_delete_markers_with_the_restorers_rights() {
    let (world, server) = (World::with_postgres(15), Rgw::start());
    world.psql(include_str!("../src/cli/demo/rental.sql"));
    let root = server.account();
    server.bucket(&root, "acme", Some((Mode::Compliance, 35))).await;
    let bucket = Bucket::new(&world, &server, "acme", &root);
    let user = |role: &str| -> Keys {
        let policy = fs::read_to_string(bucket.strongroom.path(&format!("policies/{role}.json"))).unwrap();
        let keys = server.user(&root, role, &policy);
        bucket.fill_in(role, &keys);
        keys
    };
    let (depositor, restorer) = (user("depositor"), user("restorer"));
    let backup = bucket.strongroom.backup();
    let ran = bucket.strongroom.run("depositor", &["runbook", "--deposit"]).exits(0);
    assert_eq!(ran.stdout.matches("immutable (COMPLIANCE) until ").count(), 4, "{ran:?}");
    drop(depositor);

    let client = server.client(&root);
    let versions = client.list_object_versions().bucket("acme").send().await.unwrap().versions.unwrap_or_default();
    assert!(versions.iter().any(|version| version.key().unwrap().starts_with("prod/v1/_break-glass/")));
    for version in &versions {
        let (key, id) = (version.key().unwrap(), version.version_id().unwrap());
        client.delete_object().bucket("acme").key(key).version_id(id).send().await.unwrap_err();
        client.put_object().bucket("acme").key(key).body(ByteStream::from_static(b"junk")).send().await.unwrap();
        client.delete_object().bucket("acme").key(key).send().await.unwrap();
    }
    let settings = [
        ("AWS_ACCESS_KEY_ID", restorer.id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", restorer.secret.as_str()),
        ("IDENTITY", &*bucket.strongroom.path("keys/drill.key").display().to_string()),
    ];
    let page = page(&bucket.strongroom, "restorer");
    let (succeeded, said) = by_hand(&world, &page, "recovered", &settings);
    assert!(succeeded && said.contains(&format!("restored {backup} into recovered")), "{said}");
    world.postgres.dump(PRODUCTION, &[]).assert_equal(&world.postgres.dump("recovered", &[]));

    // Section 7 shows what the markers hide.
    let (_, hidden) = page.split_once("## 7. ").unwrap();
    let (_, lines) = hidden.split_once("```sh\n").unwrap();
    let lines: Vec<_> = lines.split("```").next().unwrap().lines().collect();
    let path = format!("{}:/usr/bin:/bin", aws(&world).display());
    for (shown, count) in [(lines[..2].join("\n"), 4), (lines[2..4].join("\n"), 2)] {
        let mut bash = Command::new("bash");
        bash.env_clear().env("PATH", &path).envs(settings).args(["-c", &shown]);
        assert_eq!(support::succeed(&mut bash).matches(&backup).count(), count, "{shown}");
    }

    // A server's version ids are its own: one that begins with a hyphen is no option.
    let key = "prod/v1/app/backups/hyphen";
    let mut id = String::new();
    for _ in 0..2000 {
        let put = client.put_object().bucket("acme").key(key).body(ByteStream::from_static(b"found"));
        id = put.send().await.unwrap().version_id().unwrap().to_owned();
        if id.starts_with('-') {
            break;
        }
    }
    assert!(id.starts_with('-'), "no version id of 2000 begins with a hyphen");
    let file = world.scratch.path().join("got");
    let get = lines.iter().find(|line| line.contains("get-object --bucket")).unwrap();
    let get = get.replace("=KEY", &format!("={key}")).replace("=VERSION", &format!("={id}"));
    let mut bash = Command::new("bash");
    bash.env_clear().env("PATH", &path).envs(settings);
    support::succeed(bash.args(["-c", &get.replace("FILE", file.to_str().unwrap())]));
    assert_eq!(fs::read(&file).unwrap(), b"found");
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(
        !page.contains("--version-id ") && !readme.contains("--version-id "),
        "a version id is taken for an option"
    );
}
