//! vault: where objects live and are locked, with one term: an S3 bucket with Object Lock, or a directory.
//!
//! A vault can put an object under its lock, read a lock back, list versions and get one. It has no call that
//! deletes, overwrites in place, unlocks or shortens. Both kinds keep the same promises: `contract` runs on both.

mod directory;
mod s3;

use crate::{
    clock::{Clock, Timestamp},
    digest::Md5,
    failure::{Explain, Kind},
    layout::ObjectKey,
    secret::Secret,
    term::Term,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};

/// One vault as its configuration says.
#[derive(Clone, Debug)]
pub struct VaultSettings {
    pub name: String,
    pub address: VaultAddress,
    pub term: Term,
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
    Keys { access_key_id: String, secret_access_key: Secret, session_token: Option<Secret> },
    /// AWS's own chain (instance or web identity role), asked for by name.
    AwsChain,
}

/// Who sets an S3 object's lock: the bucket's default retention, or headers on the PUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockPolicy {
    BucketDefault,
    PerObject,
}

/// What holds an object's version in place, as read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockMode {
    /// S3 Object Lock, COMPLIANCE: nobody can delete or shorten before its end.
    Compliance,
    /// S3 Object Lock, GOVERNANCE: whoever may bypass it can delete.
    Governance,
    /// A file with the immutable flag: only this machine's root can remove it.
    ImmutableFlag,
    /// Nothing holds it.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    pub mode: LockMode,
    /// When the lock ends; `None` where there is no lock.
    pub until: Option<Timestamp>,
}

/// A version's id as its vault gave it: opaque.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(pub String);

/// What a vault answered to a PUT.
#[derive(Clone, Debug)]
pub struct Placed {
    pub version: VersionId,
    /// The server's own clock when it answered; the lock's end is judged by it.
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
}

/// What a vault says of its own settings: what `check` shows and `backup` insists on.
#[derive(Clone, Debug)]
pub struct Protection {
    /// Every reason why this vault must not be trusted with a backup; empty when it locks as promised.
    pub faults: Vec<Fault>,
    /// What could not be learned, and other things worth knowing (no lifecycle rule; directory not immutable).
    pub notes: Vec<String>,
    /// Server's clock less ours, in seconds.
    pub clock_skew_secs: Option<i64>,
}

/// One way in which a vault is not a vault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the bucket is not versioned")]
    NotVersioned,
    #[error("the bucket has no Object Lock")]
    NoObjectLock,
    #[error("the bucket has no default retention, and `lock` is \"bucket-default\"")]
    NoDefaultRetention,
    #[error("the bucket's default retention is GOVERNANCE: whoever may bypass it can delete")]
    Governance,
    #[error("the bucket's default retention is {found_days} days, less than the term of {term}")]
    ShorterThanTerm { found_days: i64, term: Term },
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("vault `{vault}`: cannot reach {endpoint}: {why}")]
    Unreachable { vault: String, endpoint: String, why: String },
    #[error("vault `{vault}`: there is no {place}")]
    NoSuchVault { vault: String, place: String },
    #[error("vault `{vault}`: {action} of `{key}` was denied: {why}")]
    Denied { vault: String, action: &'static str, key: String, why: String },
    #[error("vault `{vault}`: `{key}` (version {version}) is missing")]
    Missing { vault: String, key: ObjectKey, version: VersionId },
    #[error("vault `{vault}`: {action} of `{key}` failed: {why}")]
    Failed { vault: String, action: &'static str, key: String, why: String },
    #[error("vault `{vault}`: `{key}` is larger than the {limit} bytes it should have at most")]
    TooLarge { vault: String, key: ObjectKey, limit: u64 },
    #[error("vault `{vault}`: {why}")]
    Unusable { vault: String, why: String },
}

impl Explain for VaultError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unreachable { .. } | Self::NoSuchVault { .. } => Kind::Unreachable,
            Self::Denied { .. } => Kind::Denied,
            Self::Missing { .. } | Self::TooLarge { .. } => Kind::Mismatch,
            Self::Failed { .. } => Kind::Failed,
            Self::Unusable { .. } => Kind::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some("Check `endpoint` and the network; nothing was lost, run it again.".into()),
            Self::NoSuchVault { .. } => Some("The custodian creates it once: see policies/ beside the configuration.".into()),
            Self::Denied { .. } => Some("Check the credential and its policy: `strongroom check` names what this role needs.".into()),
            _ => None,
        }
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
