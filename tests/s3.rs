//! The full journey on a real S3 server with Object Lock, under attack, and with nothing but each role's own rights.
//!
//! Each test starts a server: few tests with many claims.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/rgw.rs"]
mod rgw;
mod support;

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{BucketVersioningStatus, ObjectLockRetentionMode as Mode, ObjectVersion, VersioningConfiguration},
};
use rgw::{Bucket, Keys, Rgw, Thief};
use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use support::{PRODUCTION, World, text};

const TERM_DAYS: i32 = 35;
const LOCKED: rgw::Lock = Some((Mode::Compliance, TERM_DAYS));

fn world() -> World {
    let world = World::with_postgres(15);
    world.psql(include_str!("../src/cli/demo/rental.sql"));
    world
}

async fn versions(client: &Client, bucket: &str) -> Vec<ObjectVersion> {
    client.list_object_versions().bucket(bucket).send().await.unwrap().versions.unwrap_or_default()
}

/// Insists that nobody can remove any version before the term has passed.
async fn every_version_is_locked(client: &Client, bucket: &str) {
    let versions = versions(client, bucket).await;
    assert!(versions.len() >= 5, "a backup has data, archive, globals, manifest and seal: {versions:?}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let promised = now + Duration::from_secs(u64::try_from(TERM_DAYS).unwrap() * 86_400 - 600);
    for version in versions {
        let (key, id) = (version.key().unwrap(), version.version_id().unwrap());
        let got = client.get_object_retention().bucket(bucket).key(key).version_id(id).send().await.unwrap();
        let retention = got.retention().unwrap();
        assert_eq!(retention.mode(), Some(&Mode::Compliance), "{key}");
        let until = retention.retain_until_date().unwrap().secs();
        assert!(until >= i64::try_from(promised.as_secs()).unwrap(), "{key} is held until {until} only");
        let delete = client.delete_object().bucket(bucket).key(key).version_id(id).bypass_governance_retention(true);
        assert_eq!(delete.send().await.unwrap_err().code(), Some("AccessDenied"), "{key} could be deleted");
    }
}

/// What somebody with every right in the bucket can still do: hide everything, and put something else on top, twice.
async fn hide_and_overwrite_everything(client: &Client, bucket: &str) -> usize {
    let versions = versions(client, bucket).await;
    for version in &versions {
        let key = version.key().unwrap();
        client.delete_object().bucket(bucket).key(key).send().await.unwrap();
        for junk in [&b"junk"[..], b""] {
            client.put_object().bucket(bucket).key(key).body(ByteStream::from_static(junk)).send().await.unwrap();
        }
        client.delete_object().bucket(bucket).key(key).send().await.unwrap();
    }
    versions.len()
}

#[tokio::test]
async fn backups_under_both_kinds_of_lock_come_back_through_delete_markers_and_overwrites() {
    let (world, server) = (world(), Rgw::start());
    let admin = server.admin();
    let client = server.client(&admin);
    server.bucket(&admin, "by-default", LOCKED).await;
    server.bucket(&admin, "by-object", None).await;
    let by_default = Bucket::new(&world, &server, "by-default", &admin);
    let by_object = Bucket::new(&world, &server, "by-object", &admin);
    by_object
        .strongroom
        .edit("depositor", |text| text.replace("term = \"35d\"\n", "term = \"35d\"\nlock = \"per-object\"\n"));
    for (name, bucket) in [("by-default", by_default), ("by-object", by_object)] {
        bucket.strongroom.run("depositor", &["check"]).exits(0);
        bucket.strongroom.backup();
        world.psql(&format!("CREATE TABLE \"after the first, {name}\" AS SELECT 1 AS i"));
        let newest = bucket.strongroom.backup();
        every_version_is_locked(&client, name).await;
        let listed = bucket.strongroom.list("inspector");
        assert_eq!(text(&listed, "/backups/0/backup"), newest);
        assert_eq!(text(&listed, "/backups/0/lock"), "compliance");
        assert_eq!(listed["findings"], serde_json::json!([]));
        let database = format!("before_{}", name.replace('-', "_"));
        let ran = bucket.comes_back(&database);
        assert!(!ran.stdout.contains("finding"), "{ran:?}");

        let objects = hide_and_overwrite_everything(&client, name).await;
        assert!(objects >= 8, "{objects}");
        let listed = bucket.strongroom.list("inspector");
        let states: Vec<_> =
            listed["backups"].as_array().unwrap().iter().map(|backup| text(backup, "/state")).collect();
        assert_eq!(states, ["sealed", "sealed"]);
        assert_eq!(text(&listed, "/backups/0/backup"), newest);
        let whats: Vec<_> =
            listed["findings"].as_array().unwrap().iter().map(|finding| text(finding, "/what")).collect();
        assert!(whats.iter().any(|what| what.contains("delete marker")), "{listed:#}");
        assert!(whats.iter().any(|what| what.contains("overwritten")), "{listed:#}");
        let database = format!("after_{}", name.replace('-', "_"));
        let ran = bucket.comes_back(&database);
        assert!(ran.stdout.contains(&newest) && ran.stdout.contains("finding:"), "{ran:?}");
        // Life goes on above the rubble.
        let next = bucket.strongroom.backup();
        assert_eq!(text(&bucket.strongroom.list("inspector"), "/backups/0/backup"), next);
    }
}

#[tokio::test]
async fn a_bucket_that_is_no_vault_gets_nothing_and_says_15() {
    let (world, server) = (world(), Rgw::start());
    let admin = server.admin();
    let client = server.client(&admin);
    server.bucket(&admin, "governance", Some((Mode::Governance, TERM_DAYS))).await;
    server.bucket(&admin, "no-default", None).await;
    server.bucket(&admin, "too-short", Some((Mode::Compliance, TERM_DAYS - 1))).await;
    client.create_bucket().bucket("unlocked").send().await.unwrap();
    let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket("unlocked").versioning_configuration(versioned).send().await.unwrap();
    client.create_bucket().bucket("unversioned").send().await.unwrap();
    let cases = [
        ("governance", "GOVERNANCE"),
        ("no-default", "no default retention"),
        ("too-short", "34 days, less than the term of 35d"),
        ("unlocked", "no Object Lock"),
        ("unversioned", "not versioned"),
    ];
    for (name, fault) in cases {
        let bucket = Bucket::new(&world, &server, name, &admin);
        bucket.strongroom.run("depositor", &["backup"]).exits(15).says(fault);
        bucket.strongroom.run("depositor", &["check"]).exits(15).says(fault);
        assert!(versions(&client, name).await.is_empty(), "something was deposited in {name}");
    }
    let nowhere = Bucket::new(&world, &server, "nowhere", &admin);
    nowhere.strongroom.run("depositor", &["backup"]).exits(10).says("nowhere");
    server.bucket(&admin, "denied", LOCKED).await;
    let wrong = Keys { secret: "wrong".to_owned(), ..admin };
    let denied = Bucket::new(&world, &server, "denied", &wrong);
    denied.strongroom.run("depositor", &["backup"]).exits(11);
    denied.strongroom.run("inspector", &["list"]).exits(11);
    denied.restore("recovered", &[]).exits(11);
    assert!(versions(&client, "denied").await.is_empty());
    assert_eq!(world.postgres.databases(), ["postgres", PRODUCTION]);
}

#[tokio::test]
async fn each_role_works_with_its_own_policy_and_can_do_nothing_else() {
    let (world, server) = (world(), Rgw::start());
    let root = server.account();
    server.bucket(&root, "acme", LOCKED).await;
    let bucket = Bucket::new(&world, &server, "acme", &root);
    let user = |role: &str| {
        let policy = fs::read_to_string(bucket.strongroom.path(&format!("policies/{role}.json"))).unwrap();
        let keys = server.user(&root, role, &policy);
        bucket.fill_in(role, &keys);
        server.client(&keys)
    };
    let (depositor, inspector, restorer) = (user("depositor"), user("inspector"), user("restorer"));
    for role in ["depositor", "inspector", "restorer"] {
        let ran = bucket.strongroom.run(role, &["check"]).exits(0);
        assert!(!ran.stdout.contains("FAULT"), "{ran:?}");
    }
    let backup = bucket.strongroom.backup();
    assert_eq!(text(&bucket.strongroom.list("inspector"), "/backups/0/state"), "sealed");
    bucket.strongroom.run("inspector", &["show", &backup]).exits(0);
    bucket.comes_back("recovered");

    let versions = versions(&server.client(&root), "acme").await;
    let of = |part: &str| versions.iter().find(|version| version.key().unwrap().contains(part)).unwrap();
    let (segment, manifest) = (of("/segments/"), of("/backups/"));
    let nothing: [&str; 0] = [];
    for version in [segment, manifest] {
        assert_eq!(Thief { client: &depositor, bucket: "acme", version }.gets_away_with().await, ["put"]);
    }
    let lists = ["list", "list versions"];
    assert_eq!(Thief { client: &inspector, bucket: "acme", version: segment }.gets_away_with().await, lists);
    let reads = ["get", "get newest", "list", "list versions"];
    assert_eq!(Thief { client: &inspector, bucket: "acme", version: manifest }.gets_away_with().await, reads);
    for version in [segment, manifest] {
        assert_eq!(Thief { client: &restorer, bucket: "acme", version }.gets_away_with().await, reads);
    }
    // Who proves backups may say so beside them, and that is all.
    let reporter = user("reporter");
    for version in [segment, manifest] {
        assert_eq!(Thief { client: &reporter, bucket: "acme", version }.gets_away_with().await, nothing);
    }
    let report = "prod/v1/app/drills/20261121T120301Z-5f2a9c01/report.json";
    let body = ByteStream::from_static(b"{}");
    let put = reporter.put_object().bucket("acme").key(report).body(body).send().await.unwrap();
    let id = put.version_id().unwrap();
    let locked = reporter.get_object_retention().bucket("acme").key(report).version_id(id).send().await.unwrap();
    assert_eq!(locked.retention().unwrap().mode(), Some(&Mode::Compliance));
    for client in [&reporter, &depositor] {
        assert!(client.get_object().bucket("acme").key(report).version_id(id).send().await.is_err());
    }
    inspector.get_object().bucket("acme").key(report).version_id(id).send().await.unwrap();
    let stranger = server.user(&root, "stranger", r#"{"Version": "2012-10-17", "Statement": []}"#);
    assert_eq!(
        Thief { client: &server.client(&stranger), bucket: "acme", version: manifest }.gets_away_with().await,
        nothing
    );
    // Nothing of that was in the way.
    bucket.comes_back("recovered_again");
    every_version_is_locked(&server.client(&root), "acme").await;
}
