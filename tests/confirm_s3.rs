//! confirm on a real S3 server with Object Lock, with the inspector's own credential: what thieves, custodians and rules
//! can do to a bucket is found, and what a credential may not read is no confirmation.
//!
//! Each test starts a server: few tests with many claims.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/rgw.rs"]
mod rgw;
mod support;

use aws_sdk_s3::{
    Client,
    primitives::{ByteStream, DateTime},
    types::{
        BucketVersioningStatus, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetention,
        ObjectLockRetentionMode as Mode, ObjectVersion, VersioningConfiguration,
    },
};
use rgw::{Bucket, Keys, Rgw};
use serde_json::Value;
use std::{collections::BTreeSet, fs};
use support::{Ran, World, text};

const LOCKED: rgw::Lock = Some((Mode::Compliance, 35));

/// A bucket of an account with two backups in it, and each role with its own policy.
struct Vault<'a> {
    bucket: Bucket<'a>,
    name: &'static str,
    root: Keys,
    client: Client,
    backups: [String; 2],
}

impl<'a> Vault<'a> {
    async fn new(world: &'a World, server: &Rgw, root: &Keys, name: &'static str, lock: rgw::Lock) -> Self {
        server.bucket(root, name, lock.clone()).await;
        let bucket = Bucket::new(world, server, name, root);
        for role in ["depositor", "inspector", "restorer"] {
            let policy = fs::read_to_string(bucket.strongroom.path(&format!("policies/{role}.json"))).unwrap();
            bucket.fill_in(role, &server.user(root, &format!("{name}-{role}"), &policy));
        }
        world.psql("CREATE TABLE IF NOT EXISTS precious (i int)");
        let backups = [1, 2].map(|row| {
            world.psql(&format!("INSERT INTO precious VALUES ({row}); COMMENT ON TABLE precious IS '{row} {name}'"));
            bucket.strongroom.backup()
        });
        Self { bucket, name, root: root.clone(), client: server.client(root), backups }
    }

    fn confirm(&self) -> Ran {
        self.bucket.strongroom.run("inspector", &["confirm", "--json"])
    }

    /// The newest version of a key that ends in `part`, or of any segment.
    async fn version(&self, part: &str) -> ObjectVersion {
        let listed = self.client.list_object_versions().bucket(self.name).send().await.unwrap();
        let mut versions = listed.versions.unwrap_or_default();
        versions.retain(|version| is_part(version.key().unwrap(), part));
        versions.sort_by_key(|version| version.last_modified().unwrap().secs());
        versions.pop().unwrap()
    }

    async fn hide(&self, version: &ObjectVersion) {
        self.client.delete_object().bucket(self.name).key(version.key().unwrap()).send().await.unwrap();
    }

    async fn put(&self, key: &str, body: &[u8]) {
        let body = ByteStream::from(body.to_vec());
        self.client.put_object().bucket(self.name).key(key).body(body).send().await.unwrap();
    }

    /// What only a GOVERNANCE lock lets its bypasser do.
    async fn remove(&self, version: &ObjectVersion) {
        let delete = self.client.delete_object().bucket(self.name).key(version.key().unwrap());
        let delete = delete.version_id(version.version_id().unwrap()).bypass_governance_retention(true);
        delete.send().await.unwrap();
    }

    async fn body(&self, version: &ObjectVersion) -> Vec<u8> {
        let get = self.client.get_object().bucket(self.name).key(version.key().unwrap());
        let got = get.version_id(version.version_id().unwrap()).send().await.unwrap();
        got.body.collect().await.unwrap().to_vec()
    }
}

fn is_part(key: &str, part: &str) -> bool {
    key.ends_with(part) || part.ends_with("segments/") && key.contains(part)
}

/// `kind object` of each finding that is more than a note, sorted; objects without what differs from run to run.
fn found(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    let findings = json["confirmations"][0]["findings"].as_array().unwrap();
    let grave = findings.iter().filter(|finding| finding["gravity"] != "note");
    let last = |object: String| object.rsplit('/').next().unwrap().to_owned();
    let words: BTreeSet<_> =
        grave.map(|finding| format!("{} {}", text(finding, "/kind"), last(text(finding, "/object")))).collect();
    words.into_iter().collect()
}

fn kinds(ran: &Ran) -> Vec<String> {
    let words = found(ran).into_iter().map(|found| found.split(' ').next().unwrap().to_owned());
    words.collect::<BTreeSet<_>>().into_iter().collect()
}

fn verdicts(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    json["confirmations"][0]["backups"].as_array().unwrap().iter().map(|backup| text(backup, "/verdict")).collect()
}

#[tokio::test]
async fn markers_overwrites_and_junk_are_tampering_and_nothing_is_lost() {
    let (world, server) = (World::with_postgres(15), Rgw::start());
    let vault = Vault::new(&world, &server, &server.account(), "acme", LOCKED).await;
    let ran = vault.confirm().exits(0);
    assert_eq!((found(&ran), verdicts(&ran)), (vec![], vec!["confirmed".to_owned(); 2]));
    // The custodian's rules were not set: worth a note.
    assert_eq!(text(&ran.json(), "/confirmations/0/findings/0/kind"), "lifecycle");
    let lock = text(&ran.json(), "/confirmations/0/backups/0/lock");
    assert_eq!(
        (lock.as_str(), ran.json()["confirmations"][0]["unverified"].to_string().as_str()),
        ("compliance", "[]")
    );
    vault.bucket.strongroom.run("restorer", &["confirm", "--deep"]).exits(0);

    // Versioning cannot be suspended where objects are locked.
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    let suspend = vault.client.put_bucket_versioning().bucket("acme").versioning_configuration(suspended);
    assert!(suspend.send().await.is_err());

    let newest = vault.backups[1].clone();
    let objects = ["segments/", &format!("{newest}/manifest.json.minisig"), &format!("{newest}/manifest.json")];
    let mut expected = Vec::new();
    for part in objects {
        let version = vault.version(part).await;
        let name = version.key().unwrap().rsplit('/').next().unwrap().to_owned();
        vault.hide(&version).await;
        expected.push(format!("marker {name}"));
        expected.sort();
        assert_eq!(found(&vault.confirm().exits(13)), expected);
    }
    for part in objects {
        let version = vault.version(part).await;
        vault.put(version.key().unwrap(), "x".repeat(4000).as_bytes()).await;
        expected.push(format!("overwritten {}", version.key().unwrap().rsplit('/').next().unwrap()));
        expected.sort();
        assert_eq!(found(&vault.confirm().exits(13)), expected);
    }
    vault.put("prod/v1/app/backups/README-RANSOM.txt", b"pay").await;
    vault.put("prod/v1/app/else/where", b"junk").await;
    vault.put("prod/v1/app/drills/20261121T120301Z-5f2a9c01/report.json", b"{}").await;
    expected.extend(["unknown-object README-RANSOM.txt".to_owned(), "unknown-object where".to_owned()]);
    let ran = vault.confirm().exits(13);
    assert_eq!((found(&ran), verdicts(&ran)), (expected, vec!["confirmed".to_owned(); 2]));
}

#[tokio::test]
async fn a_vault_that_holds_less_than_it_promised_is_a_weakness() {
    let (world, server) = (World::with_postgres(15), Rgw::start());
    let root = server.account();
    let vault = Vault::new(&world, &server, &root, "weakened", LOCKED).await;
    let none = ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).build();
    let put = vault.client.put_object_lock_configuration().bucket("weakened").object_lock_configuration(none);
    put.send().await.unwrap();
    let ran = vault.confirm().exits(15);
    assert_eq!(kinds(&ran), ["vault-weakened"]);
    // What lies there is locked as it was.
    assert_eq!(verdicts(&ran), ["confirmed"; 2]);
    vault.bucket.strongroom.run("inspector", &["confirm"]).exits(15).says("no default retention").says("hint:");

    let vault = governance(&world, &server, &root).await;
    let ran = vault.confirm().exits(15);
    assert_eq!(
        (kinds(&ran), verdicts(&ran)),
        (vec!["lock-short".into(), "vault-weakened".into()], vec!["failed".into(); 2])
    );
    let segment = vault.version("segments/").await;
    let soon = DateTime::from_secs(jiff::Timestamp::now().as_second() + 3600);
    let shorter = ObjectLockRetention::builder().mode(Mode::Governance).retain_until_date(soon).build();
    let shorten = vault.client.put_object_retention().bucket(vault.name).key(segment.key().unwrap());
    let shorten = shorten.version_id(segment.version_id().unwrap()).retention(shorter);
    shorten.bypass_governance_retention(true).send().await.unwrap();
    assert_eq!(kinds(&vault.confirm().exits(15)), ["lock-short", "vault-weakened"]);

    // Whoever may bypass can take away what receipts name, and put something else under its key.
    vault.remove(&segment).await;
    assert_eq!(kinds(&vault.confirm().exits(13)), ["lock-short", "missing-version", "vault-weakened"]);
    vault.put(segment.key().unwrap(), b"another").await;
    let ran = vault.confirm().exits(13);
    assert!(found(&ran).iter().any(|found| found.starts_with("missing-version")), "{ran:?}");
    // A manifest and its seal that are taken away and put again come later than what follows them.
    for part in ["manifest.json.minisig", "manifest.json"] {
        let version = vault.version(&format!("{}/{part}", vault.backups[0])).await;
        let body = vault.body(&version).await;
        vault.remove(&version).await;
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        vault.put(version.key().unwrap(), &body).await;
    }
    assert!(kinds(&vault.confirm().exits(13)).contains(&"out-of-order".to_owned()));
    let version = vault.version(&format!("{}/manifest.json.minisig", vault.backups[0])).await;
    vault.remove(&version).await;
    assert!(kinds(&vault.confirm().exits(13)).contains(&"sequence-gap".to_owned()));
}

/// The same two backups in a bucket that locks by GOVERNANCE, sealed with the depositor's key over receipts that say
/// COMPLIANCE: what a server that lies, or a thief of that key, leaves behind.
async fn governance<'a>(world: &'a World, server: &Rgw, root: &Keys) -> Vault<'a> {
    const NAME: &str = "governance";
    let honest = Vault::new(world, server, root, "honest", LOCKED).await;
    server.bucket(root, NAME, Some((Mode::Governance, 35))).await;
    let bucket = Bucket::new(world, server, NAME, root);
    fs::copy(honest.bucket.strongroom.path("keys/signing.pub"), bucket.strongroom.path("keys/signing.pub")).unwrap();
    let put = async |key: &str, body: Vec<u8>| {
        let put = honest.client.put_object().bucket(NAME).key(key).body(ByteStream::from(body));
        put.send().await.unwrap().version_id.unwrap()
    };
    let mut previous = None;
    for backup in &honest.backups {
        let manifest = honest.version(&format!("{backup}/manifest.json")).await;
        let key = manifest.key().unwrap();
        let mut json: Value = serde_json::from_slice(&honest.body(&manifest).await).unwrap();
        for receipt in json["segments"].as_array_mut().unwrap() {
            let version = honest.version(&text(receipt, "/key")).await;
            receipt["version"] = put(version.key().unwrap(), honest.body(&version).await).await.into();
        }
        if let Some(digest) = previous.take() {
            json["chain"]["previous"]["manifest"] = Value::String(digest);
        }
        let bytes = serde_json::to_vec(&json).unwrap();
        let digest = blake3::hash(&bytes).to_hex().to_string();
        let sequence = &json["chain"]["sequence"];
        let comment = format!("strongroom 1 source=app backup={backup} sequence={sequence} manifest={digest}");
        let signing = fs::read_to_string(honest.bucket.strongroom.path("keys/signing.key")).unwrap();
        let signing = minisign::SecretKeyBox::from_string(&signing).unwrap().into_unencrypted_secret_key().unwrap();
        let seal = minisign::sign(None, &signing, &bytes[..], Some(&comment), None).unwrap().into_string();
        put(key, bytes).await;
        put(&format!("{key}.minisig"), seal.into_bytes()).await;
        previous = Some(digest);
    }
    Vault { bucket, name: NAME, ..honest }
}

#[tokio::test]
async fn what_a_credential_may_not_read_is_not_confirmed() {
    let (world, server) = (World::with_postgres(15), Rgw::start());
    let root = server.account();
    let vault = Vault::new(&world, &server, &root, "acme", LOCKED).await;
    let policy = fs::read_to_string(vault.bucket.strongroom.path("policies/inspector.json")).unwrap();
    for (number, (without, said)) in [
        ("s3:GetObjectRetention", "locks could not be read"),
        ("s3:GetObjectVersion", "seals and manifests could not be read"),
        ("s3:GetBucketVersioning", "could not read the bucket's versioning"),
    ]
    .into_iter()
    .enumerate()
    {
        let policy = policy.replace(&format!("\"{without}\""), "\"s3:GetObjectTagging\"");
        vault.bucket.fill_in("inspector", &server.user(&root, &format!("blind-{number}"), &policy));
        let ran = vault.confirm().exits(16).says(said);
        assert_eq!(found(&ran), Vec::<String>::new());
    }
    let stranger = server.user(&root, "stranger", r#"{"Version": "2012-10-17", "Statement": []}"#);
    vault.bucket.fill_in("inspector", &stranger);
    vault.bucket.strongroom.run("inspector", &["confirm"]).exits(11);
    vault.bucket.fill_in("inspector", &Keys { secret: "wrong".to_owned(), ..vault.root.clone() });
    vault.bucket.strongroom.run("inspector", &["confirm"]).exits(11);
}
