//! depositor: puts objects under a vault's lock, insists on the lock, and seals. It cannot read what it wrote.

use super::RoleError;
use crate::{
    clock::{Clock, SignedDuration, Timestamp},
    digest::{Blake3, Md5},
    keyring::SigningKey,
    layout::{self, BackupId, ObjectKey, SourceName},
    manifest::{Complete, LockMode, Receipt},
    segment::PackedSegment,
    term::Term,
    vault::{Lock, Placed, Protection, Vault, VaultError, VaultSettings, VersionId},
};
use bytes::Bytes;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// A server answers, then we read its Date header: the lock may end this much before our reckoning.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

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
        let why = format!("no answer for {} s", waited.as_secs());
        VaultError::Unreachable { vault: self.vault().to_owned(), endpoint: self.describe(), why }.into()
    }

    /// Until when everything that a backup begun at `from` refers to must be locked: the term, less the slack after
    /// which segments are sent anew although the vault holds them.
    pub fn promised(&self, from: Timestamp) -> Timestamp {
        self.term().ends(from) - self.slack
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
        if !covers(lock, promised, self.vault.is_directory()) {
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
        let placed = self.vault.put(key, body, md5).await?;
        let lock = self.vault.lock_of(key, &placed.version).await?;
        match fault(lock, placed.server_time, self.term(), self.vault.is_directory()) {
            None => Ok((placed, lock)),
            Some(found) => Err(RoleError::NotHeld { vault: self.vault().to_owned(), key: key.to_string(), found }),
        }
    }
}

/// What is wrong with a lock that was read back, if anything is. A directory may be without a lock, which is
/// named wherever the backup is shown; an S3 vault may not.
fn fault(lock: Lock, placed_at: Timestamp, term: Term, directory: bool) -> Option<String> {
    match (lock.mode, lock.until) {
        (LockMode::None, _) if directory => None,
        (LockMode::None, _) => Some("it has no lock".to_owned()),
        (LockMode::Governance, _) => Some("its lock is GOVERNANCE, which can be bypassed".to_owned()),
        (_, None) => Some("its lock has no end".to_owned()),
        (_, Some(until)) => {
            let promised = term.ends(placed_at);
            (until < promised - TOLERANCE).then(|| format!("its lock ends at {until}, before {promised}"))
        }
    }
}

/// Does a lock that was read back hold what it is on until `promised`, as strongly as a deposit of today?
fn covers(lock: Lock, promised: Timestamp, directory: bool) -> bool {
    let strong = match lock.mode {
        LockMode::Compliance => true,
        LockMode::ImmutableFlag | LockMode::None => directory,
        LockMode::Governance => false,
    };
    strong && lock.until.is_some_and(|until| until >= promised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_falls_short_in_any_way_is_a_fault() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let term: Term = "35d".parse().unwrap();
        let end = term.ends(now);
        let found = |mode, until| fault(Lock { mode, until }, now, term, false);
        assert_eq!(found(LockMode::Compliance, Some(end)), None);
        assert_eq!(found(LockMode::Compliance, Some(end - SignedDuration::from_secs(59))), None);
        assert!(found(LockMode::Compliance, Some(end - SignedDuration::from_secs(61))).is_some());
        assert!(found(LockMode::Compliance, None).is_some());
        assert!(found(LockMode::Governance, Some(end)).is_some());
        assert!(found(LockMode::None, None).is_some());
        let directory = |mode, until| fault(Lock { mode, until }, now, term, true);
        assert_eq!(directory(LockMode::None, Some(end)), None);
        assert!(directory(LockMode::ImmutableFlag, Some(now)).is_some());
    }

    #[test]
    fn an_earlier_deposit_is_referred_to_only_under_a_lock_that_covers_the_promise() {
        let promised: Timestamp = "2026-12-19T12:00:00Z".parse().unwrap();
        let covered = |mode, until| covers(Lock { mode, until }, promised, false);
        assert!(covered(LockMode::Compliance, Some(promised)));
        assert!(!covered(LockMode::Compliance, Some(promised - SignedDuration::from_secs(1))));
        assert!(!covered(LockMode::Compliance, None));
        assert!(!covered(LockMode::Governance, Some(promised)));
        assert!(!covered(LockMode::None, Some(promised)));
        assert!(covers(Lock { mode: LockMode::ImmutableFlag, until: Some(promised) }, promised, true));
        assert!(covers(Lock { mode: LockMode::None, until: Some(promised) }, promised, true));
        assert!(!covers(Lock::NONE, promised, true));
    }
}
