//! contract: what every vault promises, asked of a directory and of a real S3 server with Object Lock.

mod directory;
mod liar;
mod rgw;
mod s3;

use super::{LockMode, ObjectVersion, Placed, Vault, VaultError, VersionId};
use crate::{
    clock::{Clock, Timestamp},
    digest::Md5,
    failure::{Explain, Kind},
    layout::ObjectKey,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

const CLOCK: Clock = Clock::new(Timestamp::now);
const PLENTY: u64 = 1 << 20;
/// More than one page of a listing, anywhere.
const MANY: usize = 1100;

/// Every promise but the lock's mode, which the caller names: a directory without rights has none.
async fn keeps_its_promises(vault: &Vault, mode: LockMode) {
    what_is_put_comes_back_by_version(vault).await;
    two_puts_of_one_key_are_two_versions(vault).await;
    a_body_with_another_md5_is_refused_and_not_stored(vault).await;
    the_lock_reads_back_as_promised(vault, mode).await;
    what_was_never_put_is_missing(vault).await;
    more_than_the_limit_is_refused(vault).await;
    a_listing_tells_the_digest_or_nothing(vault).await;
    a_listing_has_every_page(vault).await;
    a_listing_keeps_to_its_prefix(vault).await;
}

async fn what_is_put_comes_back_by_version(vault: &Vault) {
    for (name, body) in [("v1/back/empty", vec![]), ("v1/back/bytes", (0..=255).cycle().take(300_000).collect())] {
        let placed = put(vault, name, &body).await;
        assert_eq!(get(vault, name, &placed.version).await, body, "{name}");
        assert!(placed.server_time.duration_since(CLOCK.now()).as_secs().abs() < 5, "{placed:?}");
    }
}

async fn two_puts_of_one_key_are_two_versions(vault: &Vault) {
    let first = put(vault, "v1/twice/key", b"first").await;
    let second = put(vault, "v1/twice/key", b"second").await;
    assert_eq!(get(vault, "v1/twice/key", &first.version).await, &b"first"[..]);
    assert_eq!(get(vault, "v1/twice/key", &second.version).await, &b"second"[..]);
    let listed = vault.versions("v1/twice/").await.unwrap();
    assert_eq!(summary(&listed), [("v1/twice/key", 5, false), ("v1/twice/key", 6, false)]);
    assert_eq!([&listed[0].version, &listed[1].version], [&first.version, &second.version]);
    assert!(listed[0].last_modified <= listed[1].last_modified);
}

async fn a_body_with_another_md5_is_refused_and_not_stored(vault: &Vault) {
    let refused = vault.put(&key("v1/md5/key"), Bytes::from_static(b"sent"), Md5::of(b"meant")).await;
    assert!(matches!(refused, Err(VaultError::Failed { .. })), "{refused:?}");
    assert_eq!(summary(&vault.versions("v1/md5/").await.unwrap()), []);
}

async fn the_lock_reads_back_as_promised(vault: &Vault, mode: LockMode) {
    let placed = put(vault, "v1/lock/key", b"held").await;
    let lock = vault.lock_of(&key("v1/lock/key"), &placed.version).await.unwrap();
    assert_eq!(lock.mode, mode);
    let promised = vault.term().ends(placed.server_time);
    match mode {
        LockMode::None => assert_eq!(lock.until, None),
        _ => assert!(lock.until.unwrap() >= promised, "{lock:?} ends before {promised}"),
    }
}

async fn what_was_never_put_is_missing(vault: &Vault) {
    let elsewhere = put(vault, "v1/missing/there", b"x").await;
    for (name, version) in [
        ("v1/missing/nowhere", elsewhere.version.clone()),
        ("v1/missing/there", VersionId("20200101T000000000Z-20200102T000000Z".into())),
        ("v1/missing/there", VersionId("../../etc/passwd".into())),
    ] {
        let got = vault.get(&key(name), &version, PLENTY).await;
        assert!(matches!(got, Err(VaultError::Missing { .. })), "{name} {version:?}: {got:?}");
        let lock = vault.lock_of(&key(name), &version).await;
        assert!(matches!(lock, Err(VaultError::Missing { .. })), "{name} {version:?}: {lock:?}");
    }
}

async fn more_than_the_limit_is_refused(vault: &Vault) {
    let placed = put(vault, "v1/limit/key", b"12345").await;
    let get = async |limit| vault.get(&key("v1/limit/key"), &placed.version, limit).await;
    assert_eq!(get(5).await.unwrap(), &b"12345"[..]);
    let error = get(4).await.unwrap_err();
    assert!(matches!(error, VaultError::TooLarge { limit: 4, .. }), "{error}");
    assert_eq!(error.kind(), Kind::Mismatch);
}

async fn a_listing_tells_the_digest_or_nothing(vault: &Vault) {
    put(vault, "v1/etag/key", b"told").await;
    let listed = vault.versions("v1/etag/").await.unwrap();
    let etag = (!vault.is_directory()).then(|| Md5::of(b"told").to_string());
    assert_eq!(listed[0].etag, etag);
    let class = listed[0].storage_class.as_deref();
    assert!(class.is_none_or(|class| class == "STANDARD" && !vault.is_directory()), "{class:?}");
}

async fn a_listing_has_every_page(vault: &Vault) {
    // Names that read differently once decoded: a page's end must not be taken for another key.
    let keys: Vec<ObjectKey> = (0..MANY).map(|number| key(&format!("v1/many/a+b %2B {number:05}"))).collect();
    let puts = keys.iter().map(|key| vault.put(key, Bytes::from_static(b"x"), Md5::of(b"x")));
    let placed: Vec<Placed> = stream::iter(puts).buffered(16).try_collect().await.unwrap();
    let listed = vault.versions("v1/many/").await.unwrap();
    assert!(listed.iter().map(|version| &version.key).eq(&keys), "{} listed", listed.len());
    assert!(listed.iter().zip(&placed).all(|(listed, placed)| listed.version == placed.version));
}

async fn a_listing_keeps_to_its_prefix(vault: &Vault) {
    for name in ["v1/a/x", "v1/a/y/z", "v1/ab/x", "v1/b"] {
        put(vault, name, b"x").await;
    }
    let keys = async |prefix| {
        let listed = vault.versions(prefix).await.unwrap();
        listed.into_iter().map(|version| version.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(keys("v1/a/").await, ["v1/a/x", "v1/a/y/z"]);
    assert_eq!(keys("v1/a").await, ["v1/a/x", "v1/a/y/z", "v1/ab/x"]);
    assert_eq!(keys("v1/a/y").await, ["v1/a/y/z"]);
    assert_eq!(keys("v1/nothing/").await, [""; 0]);
    assert!(keys("").await.len() > MANY);
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::listed(text)
}

async fn put(vault: &Vault, name: &str, body: &[u8]) -> Placed {
    vault.put(&key(name), Bytes::copy_from_slice(body), Md5::of(body)).await.unwrap()
}

async fn get(vault: &Vault, name: &str, version: &VersionId) -> Bytes {
    vault.get(&key(name), version, PLENTY).await.unwrap()
}

/// Key, size and "is a marker" of what was listed.
fn summary(listed: &[ObjectVersion]) -> Vec<(&str, u64, bool)> {
    listed.iter().map(|version| (version.key.as_str(), version.size, version.marker)).collect()
}
