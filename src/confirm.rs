//! confirm: the inspector reads back what a vault holds of a source, and says of each sealed backup whether all that it
//! needs is there, as it was deposited, under the lock that was promised.
//!
//! It reads no data and writes nothing. What it finds is data ([`Finding`]); what it could not read is told apart from
//! what is well: a verification that could not run is never a pass.

use crate::{
    clock::{Clock, SignedDuration, Timestamp},
    digest::Blake3,
    finding::{Finding, Gravity},
    layout::{BackupId, SourceName},
    manifest::LockMode,
    role::{Inspector, RoleError},
};

/// How much is looked at.
#[derive(Clone, Debug)]
pub struct Order {
    pub source: SourceName,
    /// Locks are read back of so many of the newest sealed backups; `None`: of all. Everything is listed and judged
    /// in any case.
    pub newest: Option<usize>,
    /// Sealed backups that were seen here before and whose locks have not lapsed: one that is gone has vanished.
    pub seen: Vec<Seen>,
}

/// A sealed backup that somebody remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub backup: BackupId,
    pub manifest: Blake3,
    pub locked_until: Option<Timestamp>,
}

/// Three outcomes for each backup, and a fourth for those whose locks were not to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything that it needs is there as promised.
    Confirmed,
    /// Something that it needs is not; the findings say what.
    Failed,
    /// Something could not be read.
    CouldNotVerify,
    /// It is listed and authentic; its locks were not read this time.
    Listed,
    /// Its own locks have lapsed: nothing is promised of it any more.
    Lapsed,
}

/// A sealed backup, without what only a restore needs.
#[derive(Clone, Debug)]
pub struct Judged {
    pub backup: BackupId,
    pub manifest: Blake3,
    pub sequence: u64,
    pub started_at: Timestamp,
    pub snapshot_at: Timestamp,
    pub completed_at: Timestamp,
    /// The server's clock when the seal was put.
    pub sealed_at: Timestamp,
    /// As read back now where they were read, else as the manifest tells them.
    pub lock: LockMode,
    pub locked_until: Option<Timestamp>,
    pub packed_bytes: u64,
    pub segments: usize,
    /// Why its data looked wiped, as words without names.
    pub suspect: Vec<String>,
    pub verdict: Verdict,
}

impl Judged {
    /// From the run's beginning to its last row.
    pub fn took(&self) -> SignedDuration {
        self.completed_at.duration_since(self.started_at)
    }
}

/// What a vault turned out to hold of a source.
#[derive(Clone, Debug)]
pub struct Confirmation {
    pub vault: String,
    pub source: SourceName,
    pub at: Timestamp,
    /// Sealed backups, the newest first.
    pub backups: Vec<Judged>,
    /// The gravest first; each once.
    pub findings: Vec<Finding>,
    /// What could not be read, and why; empty where everything could.
    pub unverified: Vec<String>,
    /// The server's clock less ours, where there is a server.
    pub clock_skew_secs: Option<i64>,
}

impl Confirmation {
    /// Is everything as it was left, as far as anybody can tell?
    pub fn gravest(&self) -> Option<Gravity> {
        self.findings.iter().map(Finding::gravity).max()
    }
}

/// Looks at everything that `order` asks for. An error says that nothing could be looked at: the vault does not
/// answer, or denies listing.
pub async fn confirm(inspector: &Inspector, order: &Order, clock: Clock) -> Result<Confirmation, RoleError> {
    let shelf = inspector.shelf(&order.source).await?;
    let mut backups = Vec::new();
    let mut findings = shelf.findings.clone();
    for (backup, standing) in inspector.judge_all(&order.source, &shelf, usize::MAX).await? {
        let crate::role::Standing::Sealed(sealed) = standing else { continue };
        let manifest = &sealed.manifest;
        let read = order.newest.is_none_or(|newest| backups.len() < newest);
        backups.push(Judged {
            backup,
            manifest: sealed.manifest_digest,
            sequence: manifest.chain.sequence,
            started_at: manifest.started_at,
            snapshot_at: manifest.snapshot_at,
            completed_at: manifest.completed_at,
            sealed_at: sealed.sealed_at,
            lock: manifest.segments.first().map_or(LockMode::None, |receipt| receipt.lock),
            locked_until: manifest.segments.iter().filter_map(|receipt| receipt.locked_until).min(),
            packed_bytes: manifest.segments.iter().map(|receipt| receipt.size).sum(),
            segments: manifest.segments.len(),
            suspect: manifest.suspect.clone(),
            verdict: if read { Verdict::Confirmed } else { Verdict::Listed },
        });
    }
    for seen in &order.seen {
        if !backups.iter().any(|judged| judged.backup == seen.backup) {
            let object = crate::layout::manifest(&order.source, &seen.backup);
            let what = "was seen here and is not there any more";
            findings.push(Finding::new(crate::finding::FindingKind::Vanished, object.as_str(), what));
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.gravity()));
    Ok(Confirmation {
        vault: inspector.vault().to_owned(),
        source: order.source.clone(),
        at: clock.now(),
        backups,
        findings,
        unverified: Vec::new(),
        clock_skew_secs: None,
    })
}
