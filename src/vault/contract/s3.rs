//! s3: a bucket keeps the contract, sees through what is put on top of a version, and names every way to be no vault.
//!
//! Each test starts a server: few tests with many claims.

use super::{
    CLOCK, PLENTY, get, keeps_its_promises, key, put,
    rgw::{Rgw, keys, open},
    summary,
};
use crate::{
    clock::{Clock, SignedDuration, Timestamp},
    digest::Md5,
    failure::{Explain, Kind},
    vault::{About, Fault, Lock, LockMode, LockPolicy, Protection, Vault, VaultError},
};
use aws_sdk_s3::{Client, types::ObjectLockRetentionMode};
use bytes::Bytes;
use std::time::{Duration, Instant};

const COMPLIANCE: ObjectLockRetentionMode = ObjectLockRetentionMode::Compliance;
const GOVERNANCE: ObjectLockRetentionMode = ObjectLockRetentionMode::Governance;

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_contract_under_both_kinds_of_lock() {
    let server = Rgw::start();
    server.bucket("default", Some((COMPLIANCE, 35))).await;
    server.bucket("headers", None).await;
    let default = server.vault("default", "prod", server.admin(), LockPolicy::BucketDefault);
    let headers = server.vault("headers", "", server.admin(), LockPolicy::PerObject);
    // Two vaults in one bucket, one's prefix the beginning of the other's: neither may see the other's objects.
    let neighbour = server.vault("default", "prod-2", server.admin(), LockPolicy::BucketDefault);
    put(&neighbour, "v1/many/other", b"not yours").await;
    keeps_its_promises(&default, LockMode::Compliance).await;
    keeps_its_promises(&headers, LockMode::Compliance).await;
    assert_eq!(summary(&neighbour.versions("").await.unwrap()), [("v1/many/other", 9, false)]);
    assert!(default.describe().starts_with("s3://default/prod at http://127.0.0.1:"), "{}", default.describe());

    a_lock_by_header_outlasts_the_term(&headers).await;
    a_wrong_clock_of_ours_does_not_shorten_a_lock(&server).await;
    the_original_is_seen_through_what_is_put_on_top(&server.custodian(), &default).await;
    hostile_keys_do_not_blind_a_listing(&headers).await;
    a_bucket_that_locks_as_promised_has_no_fault(&[default, headers]).await;
}

async fn a_lock_by_header_outlasts_the_term(vault: &Vault) {
    let placed = put(vault, "v1/margin/key", b"x").await;
    let until = vault.lock_of(&key("v1/margin/key"), &placed.version).await.unwrap().until.unwrap();
    let beyond = until.duration_since(vault.term().ends(placed.server_time)).as_secs();
    assert!((900..=902).contains(&beyond), "{beyond} s beyond the term, of 15 min margin");
}

async fn a_wrong_clock_of_ours_does_not_shorten_a_lock(server: &Rgw) {
    let at = |source| open(server.settings("headers", "", server.admin(), LockPolicy::PerObject), Clock::new(source));
    let slow = at(|| Timestamp::now() - SignedDuration::from_hours(3));
    let placed = put(&slow, "v1/skew/key", b"x").await;
    let until = slow.lock_of(&key("v1/skew/key"), &placed.version).await.unwrap().until.unwrap();
    assert!(until >= slow.term().ends(Timestamp::now()), "{until}");
    assert!(placed.server_time.duration_since(Timestamp::now()).as_secs().abs() < 5, "{placed:?}");
    let skew = slow.protection().await.unwrap().clock_skew_secs.unwrap();
    assert!((10_798..=10_800).contains(&skew), "{skew}");

    let mad = at(|| Timestamp::now() + SignedDuration::from_hours(48));
    let refused = mad.put(&key("v1/skew/key"), Bytes::new(), Md5::of(b"")).await;
    assert!(matches!(refused, Err(VaultError::Unusable { .. })), "{refused:?}");
}

async fn the_original_is_seen_through_what_is_put_on_top(custodian: &Client, vault: &Vault) {
    let placed = put(vault, "v1/shadowed/key", b"original").await;
    let full = "prod/v1/shadowed/key";
    let version = placed.version.0.as_str();
    custodian.put_object().bucket("default").key(full).body(b"forged!".to_vec().into()).send().await.unwrap();
    custodian.delete_object().bucket("default").key(full).send().await.unwrap();
    let removal = custodian.delete_object().bucket("default").key(full).version_id(version);
    assert!(removal.bypass_governance_retention(true).send().await.is_err(), "the lock did not hold");

    let listed = vault.versions("v1/shadowed/").await.unwrap();
    let name = "v1/shadowed/key";
    assert_eq!(summary(&listed), [(name, 8, false), (name, 7, false), (name, 0, true)]);
    assert_eq!(listed[0].version, placed.version);
    let etags: Vec<_> = listed.iter().map(|version| version.etag.clone()).collect();
    assert_eq!(etags, [Some(Md5::of(b"original").to_string()), Some(Md5::of(b"forged!").to_string()), None]);
    assert_eq!(get(vault, name, &placed.version).await, &b"original"[..]);
    let marker = vault.get(&key(name), &listed[2].version, PLENTY).await;
    assert!(matches!(marker, Err(VaultError::Missing { .. })), "{marker:?}");
}

async fn hostile_keys_do_not_blind_a_listing(vault: &Vault) {
    let names = ["v1/odd/\u{1}\u{b}", "v1/odd/a b", "v1/odd/a%20b", "v1/odd/a+b&c=d<e>", "v1/odd/ü"];
    for name in names {
        let placed = put(vault, name, name.as_bytes()).await;
        assert_eq!(get(vault, name, &placed.version).await, name.as_bytes(), "{name:?}");
    }
    let listed = vault.versions("v1/odd/").await.unwrap();
    assert_eq!(listed.iter().map(|version| version.key.as_str()).collect::<Vec<_>>(), names);
}

async fn a_bucket_that_locks_as_promised_has_no_fault(vaults: &[Vault]) {
    for vault in vaults {
        let found = vault.protection().await.unwrap();
        assert_eq!(found.faults, []);
        assert_eq!(found.notes.len(), 1, "{found:?}");
        assert_eq!(found.notes[0].about, About::Lifecycle);
        assert!(found.notes[0].text.contains("Expiration 37 days"), "{found:?}");
        assert!(found.clock_skew_secs.unwrap().abs() <= 1, "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_does_not_lock_is_named_for_what_it_is() {
    let server = Rgw::start();
    let term = "35d".parse().unwrap();
    for (name, default, fault) in [
        ("governance", Some((GOVERNANCE, 35)), Fault::Governance),
        ("nodefault", None, Fault::NoDefaultRetention),
        ("shorter", Some((COMPLIANCE, 34)), Fault::ShorterThanTerm { found_days: 34, term }),
        ("wrapping", Some((COMPLIANCE, 200_000)), Fault::BeyondReason { found_days: 200_000 }),
    ] {
        server.bucket(name, default).await;
        let vault = server.vault(name, "", server.admin(), LockPolicy::BucketDefault);
        assert_eq!(protection(&vault).await.faults, [fault], "{name}");
        let placed = put(&vault, "v1/key", b"x").await;
        let lock = vault.lock_of(&key("v1/key"), &placed.version).await.unwrap();
        let held = lock.until.is_some_and(|until| until >= vault.term().ends(placed.server_time));
        assert!(!held || lock.mode == LockMode::Governance, "{name}: {lock:?}");
    }
    let headers = server.vault("governance", "", server.admin(), LockPolicy::PerObject);
    let found = protection(&headers).await;
    assert_eq!(found.faults, []);
    assert!(found.notes[0].text.contains("GOVERNANCE"), "{found:?}");
    let placed = put(&headers, "v1/key", b"x").await;
    assert_eq!(headers.lock_of(&key("v1/key"), &placed.version).await.unwrap().mode, LockMode::Compliance);
    a_bucket_without_object_lock_is_no_vault(&server).await;
}

async fn a_bucket_without_object_lock_is_no_vault(server: &Rgw) {
    server.custodian().create_bucket().bucket("plain").send().await.unwrap();
    let plain = server.vault("plain", "", server.admin(), LockPolicy::BucketDefault);
    assert_eq!(protection(&plain).await.faults, [Fault::NotVersioned, Fault::NoObjectLock]);
    let refused = plain.put(&key("v1/key"), Bytes::from_static(b"x"), Md5::of(b"x")).await;
    assert!(matches!(refused, Err(VaultError::Unusable { .. })), "{refused:?}");
    let listed = plain.versions("").await.unwrap();
    assert_eq!(plain.lock_of(&key("v1/key"), &listed[0].version).await.unwrap(), Lock::NONE);
    let headers = server.vault("plain", "", server.admin(), LockPolicy::PerObject);
    let refused = headers.put(&key("v1/other"), Bytes::from_static(b"x"), Md5::of(b"x")).await;
    assert!(matches!(refused, Err(VaultError::Failed { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_whether_it_was_the_network_the_credential_or_the_bucket() {
    let server = Rgw::start();
    server.bucket("locked", Some((COMPLIANCE, 35))).await;
    let by_default = |bucket: &str, credentials| server.vault(bucket, "", credentials, LockPolicy::BucketDefault);

    let stranger = by_default("locked", server.user("stranger"));
    every_call_is(&stranger, |error| matches!(error, VaultError::Denied { .. }), Kind::Denied, "AccessDenied").await;
    let unverified = protection(&stranger).await;
    assert_eq!((unverified.faults.len(), unverified.notes.len()), (0, 3), "{unverified:?}");
    assert!(
        unverified.notes.iter().all(|note| note.about == About::Unverified && note.text.contains("not verified")),
        "{unverified:?}"
    );

    for (credentials, code) in
        [(keys("admin", "wrong"), "SignatureDoesNotMatch"), (keys("nobody", "x"), "InvalidAccessKeyId")]
    {
        let vault = by_default("locked", credentials);
        every_call_is(&vault, |error| matches!(error, VaultError::Denied { .. }), Kind::Denied, code).await;
        assert!(matches!(vault.protection().await, Err(VaultError::Denied { .. })));
    }

    let nowhere = by_default("nowhere", server.admin());
    let gone = |error: &VaultError| matches!(error, VaultError::NoSuchVault { .. });
    every_call_is(&nowhere, gone, Kind::Unreachable, "bucket `nowhere`").await;
    assert!(matches!(nowhere.protection().await, Err(VaultError::NoSuchVault { .. })));
}

#[tokio::test]
async fn a_dead_port_is_reported_soon_and_readably() {
    let server = |lock| crate::vault::S3Settings {
        bucket: "b".into(),
        prefix: String::new(),
        endpoint: Some("http://127.0.0.1:1".into()),
        region: "us-east-1".into(),
        path_style: true,
        credentials: keys("x", "x"),
        lock,
    };
    for lock in [LockPolicy::BucketDefault, LockPolicy::PerObject] {
        let began = Instant::now();
        let refused = open(server(lock), CLOCK).put(&key("v1/x"), Bytes::new(), Md5::of(b"")).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert_eq!(
            refused.to_string(),
            "vault `offsite`: cannot reach http://127.0.0.1:1: tcp connect error: Connection refused (os error 111)"
        );
    }
}

async fn protection(vault: &Vault) -> Protection {
    vault.protection().await.unwrap()
}

async fn every_call_is(vault: &Vault, expected: impl Fn(&VaultError) -> bool, kind: Kind, said: &str) {
    let (there, version) = (key("v1/key"), crate::vault::VersionId("x".into()));
    let errors = [
        vault.put(&there, Bytes::new(), Md5::of(b"")).await.unwrap_err(),
        vault.get(&there, &version, PLENTY).await.unwrap_err(),
        vault.lock_of(&there, &version).await.unwrap_err(),
        vault.versions("").await.unwrap_err(),
    ];
    for error in errors {
        assert!(expected(&error), "{error}");
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(said), "{error}");
    }
}
