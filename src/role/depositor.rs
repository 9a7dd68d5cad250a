//! depositor: puts objects under a vault's lock, insists on the lock, and seals. It cannot read what it wrote.

use super::{RoleError, promise};
use crate::{
    clock::{Clock, SignedDuration, Timestamp},
    digest::{Blake3, Md5},
    keyring::SigningKey,
    layout::{self, BackupId, ObjectKey, SourceName},
    manifest::{Complete, LockMode, Receipt},
    segment::PackedSegment,
    term::Term,
    vault::{Lock, Placed, Protection, Vault, VaultSettings, VersionId},
};
use bytes::Bytes;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

pub struct Depositor {
    vault: Vault,
    slack: SignedDuration,
    signing: Arc<SigningKey>,
}

/// An earlier deposit of a segment, as it is remembered.
#[derive(Clone, Debug)]
pub struct Earlier {
    pub version: VersionId,
    pub size: u64,
    pub blake3: Blake3,
    pub md5: Md5,
}

/// A deposit whose lock was read back.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// Without the vault's prefix.
    pub key: String,
    pub lock: LockMode,
    pub locked_until: Option<Timestamp>,
}

impl Depositor {
    pub fn open(settings: &VaultSettings, signing: Arc<SigningKey>, clock: Clock) -> Result<Self, RoleError> {
        Ok(Self { vault: Vault::open(settings, clock)?, slack: settings.slack, signing })
    }

    pub fn vault(&self) -> &str {
        self.vault.name()
    }

    pub fn describe(&self) -> String {
        self.vault.describe()
    }

    pub fn term(&self) -> Term {
        self.vault.term()
    }

    /// What the vault says of its own settings, without judging it.
    pub async fn protection(&self) -> Result<Protection, RoleError> {
        Ok(self.vault.protection().await?)
    }

    /// Refuses a vault that says of itself that it does not lock as promised. What it does not say is found out when
    /// each receipt's lock is read back. Gives the server's clock less ours in seconds, where there is a server.
    pub async fn insist_protected(&self) -> Result<Option<i64>, RoleError> {
        let Protection { faults, clock_skew_secs, .. } = self.protection().await?;
        let vault = self.vault().to_owned();
        if faults.is_empty() { Ok(clock_skew_secs) } else { Err(RoleError::NotProtected { vault, faults }) }
    }

    /// The error of a vault that has said nothing for so long.
    pub fn silent(&self, waited: Duration) -> RoleError {
        super::silent(&self.vault, format!("no answer for {} s", waited.as_secs()))
    }

    /// Until when everything that a backup begun at `from` refers to must be locked.
    pub fn promised(&self, from: Timestamp) -> Timestamp {
        promise::promised(self.term(), self.slack, from)
    }

    /// A receipt for a segment that was deposited earlier, if its lock, read back, covers the promise. An earlier
    /// version that cannot be referred to is an error, and then the segment must be deposited.
    pub async fn refer(
        &self,
        source: &SourceName,
        segment: &PackedSegment,
        earlier: Earlier,
        promised: Timestamp,
    ) -> Result<Option<Receipt>, RoleError> {
        let key = layout::segment(source, segment.id);
        let lock = self.vault.lock_of(&key, &earlier.version).await?;
        if !promise::covers(lock, promised, self.vault.is_directory()) {
            return Ok(None);
        }
        Ok(Some(Receipt {
            stream: segment.contents.stream,
            ordinal: segment.contents.ordinal,
            id: segment.id,
            key: key.to_string(),
            version: earlier.version,
            size: earlier.size,
            blake3: earlier.blake3,
            md5: earlier.md5,
            lock: lock.mode,
            locked_until: lock.until,
        }))
    }

    /// Deposits one segment and gives its receipt, lock read back.
    pub async fn deposit(&self, source: &SourceName, segment: &PackedSegment) -> Result<Receipt, RoleError> {
        let key = layout::segment(source, segment.id);
        let (placed, lock) = self.put(&key, segment.bytes.clone(), segment.md5).await?;
        Ok(Receipt {
            stream: segment.contents.stream,
            ordinal: segment.contents.ordinal,
            id: segment.id,
            key: key.to_string(),
            version: placed.version,
            size: segment.bytes.len() as u64,
            blake3: segment.blake3,
            md5: segment.md5,
            lock: lock.mode,
            locked_until: lock.until,
        })
    }

    /// Deposits a complete manifest and then its signature: the last deposit of a backup, and its seal. Gives the
    /// bytes sent.
    pub async fn seal(&self, complete: &Complete) -> Result<u64, RoleError> {
        let (source, backup) = (&complete.manifest.source, &complete.manifest.backup);
        let signature = self.signing.sign(&complete.bytes, &complete.seal_comment.to_string());
        let manifest = Bytes::copy_from_slice(&complete.bytes);
        let md5 = Md5::of(&manifest);
        self.put(&layout::manifest(source, backup), manifest, md5).await?;
        let md5 = Md5::of(signature.as_bytes());
        let sent = (complete.bytes.len() + signature.len()) as u64;
        self.put(&layout::seal(source, backup), Bytes::from(signature), md5).await?;
        Ok(sent)
    }

    /// Deposits what a person needs in an incident, under a lock like a backup's.
    pub async fn deposit_for_people(&self, stamp: &BackupId, file: &str, body: Bytes) -> Result<Held, RoleError> {
        let key = layout::break_glass(stamp, file);
        let md5 = Md5::of(&body);
        let (_, lock) = self.put(&key, body, md5).await?;
        Ok(Held { key: key.to_string(), lock: lock.mode, locked_until: lock.until })
    }

    async fn put(&self, key: &ObjectKey, body: Bytes, md5: Md5) -> Result<(Placed, Lock), RoleError> {
        put_locked(&self.vault, key, body, md5).await
    }
}

/// Puts `body` under the vault's lock, reads the lock back, and insists on it.
pub(super) async fn put_locked(
    vault: &Vault,
    key: &ObjectKey,
    body: Bytes,
    md5: Md5,
) -> Result<(Placed, Lock), RoleError> {
    let placed = vault.put(key, body, md5).await?;
    let lock = vault.lock_of(key, &placed.version).await?;
    match promise::fault(lock, placed.server_time, vault.term(), vault.is_directory()) {
        None => Ok((placed, lock)),
        Some(found) => Err(RoleError::NotHeld { vault: vault.name().to_owned(), key: key.to_string(), found }),
    }
}
