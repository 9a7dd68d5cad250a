//! vault: where objects live and are locked, with one term: an S3 bucket with Object Lock, or a directory.
//!
//! A vault can put an object under its lock, read a lock back, list versions and get one. It has no call that
//! deletes, overwrites in place, unlocks or shortens. Both kinds keep the same promises: `contract` runs on both.

#[cfg(test)]
mod contract;
mod directory;
mod error;
mod s3;

pub use error::{Fault, VaultError};

pub use crate::manifest::{LockMode, VersionId};

use crate::{
    clock::{self, Clock, SignedDuration, Timestamp},
    digest::Md5,
    layout::ObjectKey,
    secret::Secret,
    term::Term,
};
use bytes::Bytes;
use std::{fmt, path::PathBuf};

/// One vault as its configuration says.
#[derive(Clone, Debug)]
pub struct VaultSettings {
    pub name: String,
    pub address: VaultAddress,
    pub term: Term,
    /// By how much the lock of what a backup refers to may fall short of a whole term; shorter than the term.
    pub slack: SignedDuration,
}

impl VaultSettings {
    /// When the credential expires, where that is known.
    pub fn credential_expires_at(&self) -> Option<Timestamp> {
        match &self.address {
            VaultAddress::S3(s3) => match &s3.credentials {
                S3Credentials::Keys { expires_at, .. } => *expires_at,
                S3Credentials::AwsChain => None,
            },
            VaultAddress::Directory(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
pub enum VaultAddress {
    /// `file:///srv/strongroom`
    Directory(PathBuf),
    /// `s3://bucket/prefix`
    S3(Box<S3Settings>),
}

#[derive(Clone, Debug)]
pub struct S3Settings {
    pub bucket: String,
    /// Without slashes at either end; may be empty.
    pub prefix: String,
    pub endpoint: Option<String>,
    pub region: String,
    pub path_style: bool,
    pub credentials: S3Credentials,
    pub lock: LockPolicy,
}

#[derive(Clone, Debug)]
pub enum S3Credentials {
    Keys {
        access_key_id: String,
        secret_access_key: Secret,
        session_token: Option<Secret>,
        /// When its owner takes it back, as the file says.
        expires_at: Option<Timestamp>,
    },
    /// AWS's own chain (instance or web identity role), asked for by name.
    AwsChain,
}

/// Who sets an S3 object's lock: the bucket's default retention, or headers on the PUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockPolicy {
    BucketDefault,
    PerObject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    pub mode: LockMode,
    /// When the lock ends; `None` where there is no lock.
    pub until: Option<Timestamp>,
}

impl Lock {
    pub const NONE: Self = Self { mode: LockMode::None, until: None };
}

/// What a vault answered to a PUT.
#[derive(Clone, Debug)]
pub struct Placed {
    pub version: VersionId,
    /// The server's own clock when it was asked, and never later than that: a server counts its default retention
    /// from the beginning of the PUT, so a lock as promised reads back as `until >= server_time + term`.
    pub server_time: Timestamp,
}

/// One version, or delete marker, of one key, as listed.
#[derive(Clone, Debug)]
pub struct ObjectVersion {
    pub key: ObjectKey,
    pub version: VersionId,
    pub size: u64,
    /// The server's clock when it was put.
    pub last_modified: Timestamp,
    pub marker: bool,
    /// What looks like the MD5 of a body that came in one PUT, in lower-case hexadecimal. A server that encrypts with
    /// keys of its own (SSE-KMS) gives others of the same look: compare only where those of known bodies agree.
    pub etag: Option<String>,
    /// As the server names it; `None` where there is but one.
    pub storage_class: Option<String>,
}

/// What a vault says of its own settings: what `check` shows and `backup` insists on.
#[derive(Clone, Debug)]
pub struct Protection {
    /// Every reason why this vault must not be trusted with a backup; empty when it locks as promised.
    pub faults: Vec<Fault>,
    /// What could not be learned, and other things worth knowing.
    pub notes: Vec<Note>,
    /// Server's clock less ours, in seconds.
    pub clock_skew_secs: Option<i64>,
}

/// Something worth knowing of a vault's settings that need not keep a backup from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub about: About,
    pub text: String,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A setting that could not be read: nothing is known of it, good or bad.
    Unverified,
    /// The rules that remove what has lapsed.
    Lifecycle,
    /// How this kind of vault is, or how it was set up on purpose.
    Nature,
}

impl Note {
    fn new(about: About, text: impl Into<String>) -> Self {
        Self { about, text: text.into() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An open vault.
pub struct Vault {
    name: String,
    term: Term,
    store: Store,
}

/// Every kind there is: a closed set.
enum Store {
    S3(s3::Bucket),
    Directory(directory::Directory),
}

impl Vault {
    /// Opens a vault without speaking to it: a wrong address shows at the first call.
    pub fn open(settings: &VaultSettings, clock: Clock) -> Result<Self, VaultError> {
        let store = match &settings.address {
            VaultAddress::S3(s3) => Store::S3(s3::Bucket::open(&settings.name, settings.term, s3, clock)?),
            VaultAddress::Directory(root) => {
                Store::Directory(directory::Directory::new(&settings.name, settings.term, root, clock))
            }
        };
        Ok(Self { name: settings.name.clone(), term: settings.term, store })
    }

    /// A directory may be unable to hold a lock; a bucket may not.
    pub fn is_directory(&self) -> bool {
        matches!(self.store, Store::Directory(_))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn term(&self) -> Term {
        self.term
    }

    /// Where it is, as people write it: `s3://bucket/prefix at https://...` or `file:///...`.
    pub fn describe(&self) -> String {
        match &self.store {
            Store::S3(bucket) => bucket.describe(),
            Store::Directory(directory) => directory.describe(),
        }
    }

    /// Puts `body` under the vault's lock, as a new version of `key`. `md5` is the body's: a body that changed on its
    /// way is refused and nothing is stored. A cancelled or repeated put may leave a version more, never one less.
    pub async fn put(&self, key: &ObjectKey, body: Bytes, md5: Md5) -> Result<Placed, VaultError> {
        match &self.store {
            Store::S3(bucket) => bucket.put(key, body, md5).await,
            Store::Directory(directory) => directory.put(key, body, md5).await,
        }
    }

    /// Reads a version's lock back. "No lock" is an answer ([`Lock::NONE`]), not an error.
    pub async fn lock_of(&self, key: &ObjectKey, version: &VersionId) -> Result<Lock, VaultError> {
        match &self.store {
            Store::S3(bucket) => bucket.lock_of(key, version).await,
            Store::Directory(directory) => directory.lock_of(key, version).await,
        }
    }

    /// Reads one version, whatever has been put or marked above it; more than `limit` bytes are refused unread.
    pub async fn get(&self, key: &ObjectKey, version: &VersionId, limit: u64) -> Result<Bytes, VaultError> {
        match &self.store {
            Store::S3(bucket) => bucket.get(key, version, limit).await,
            Store::Directory(directory) => directory.get(key, version, limit).await,
        }
    }

    /// All versions and delete markers whose keys begin with `prefix`, in key order, the oldest of a key first.
    pub async fn versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>, VaultError> {
        match &self.store {
            Store::S3(bucket) => bucket.versions(prefix).await,
            Store::Directory(directory) => directory.versions(prefix).await,
        }
    }

    /// What the vault says of its own settings. A setting that this role may not read is a note; a credential that
    /// the vault does not know is an error.
    pub async fn protection(&self) -> Result<Protection, VaultError> {
        match &self.store {
            Store::S3(bucket) => bucket.protection().await,
            Store::Directory(directory) => directory.protection().await,
        }
    }
}

/// The next whole second: servers drop fractions, and a lock must not end early by one.
fn round_up(at: Timestamp) -> Timestamp {
    clock::whole_second(at + SignedDuration::from_nanos(999_999_999))
}
