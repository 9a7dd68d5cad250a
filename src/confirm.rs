//! confirm: the inspector reads back what a vault holds of a source, and says of each sealed backup whether all that it
//! needs is there, as it was deposited, under the lock that was promised.
//!
//! It reads no data and writes nothing. What it finds is data ([`Finding`]); what it could not read is told apart from
//! what is well: a verification that could not run is never a pass.

mod census;
mod chain;
mod deep;
mod on_top;
mod told;

pub use deep::deep;

use self::{
    census::Census,
    chain::Circumstances,
    on_top::Ours,
    told::{Findings, Unread},
};
use crate::{
    clock::{Clock, SignedDuration, Timestamp},
    digest::Blake3,
    finding::{Finding, FindingKind, Gravity},
    layout::{self, BackupId, ObjectKey, SourceName},
    manifest::LockMode,
    role::{About, Inspector, Protection, RoleError},
};
use std::collections::BTreeSet;

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
    /// Those that were explained: known, and no reason for alarm.
    pub accepted: Vec<Finding>,
    /// What could not be read, and why; empty where everything could.
    pub unverified: Vec<String>,
    /// The server's clock less ours, where there is a server.
    pub clock_skew_secs: Option<i64>,
}

impl Confirmation {
    /// Sets aside what was explained, as [`Finding::name`] says it.
    pub fn accept(&mut self, names: &BTreeSet<String>) {
        let explained = |finding: &Finding| names.contains(&finding.name());
        let (accepted, findings) = std::mem::take(&mut self.findings).into_iter().partition(explained);
        (self.accepted, self.findings) = (accepted, findings);
    }

    /// Is everything as it was left, as far as anybody can tell?
    pub fn gravest(&self) -> Option<Gravity> {
        self.findings.iter().map(Finding::gravity).max()
    }
}

/// After a lock's end, the bucket's own rule removes nothing for so long.
const LIFECYCLE_GRACE: SignedDuration = SignedDuration::from_hours(48);

/// Looks at everything that `order` asks for. An error says that nothing could be looked at: the vault does not
/// answer, or denies listing.
pub async fn confirm(inspector: &Inspector, order: &Order, clock: Clock) -> Result<Confirmation, RoleError> {
    let (mut findings, mut unread) = (Findings::default(), Unread::default());
    let settings = inspector.settings().await;
    let clock_skew_secs = settings.as_ref().ok().and_then(|settings| settings.clock_skew_secs);
    let holdings = inspector.holdings(&order.source).await?;
    judge_settings(inspector, settings, &mut findings, &mut unread);
    let at = clock.now();
    // Locks end by the server's clock. Of two clocks one may have been put forward to make alarms lapse.
    let now = at + SignedDuration::from_secs(clock_skew_secs.unwrap_or(0)).min(SignedDuration::ZERO);

    let mut census = Census::take(inspector, order, &holdings, now, &mut findings, &mut unread).await;
    let around = Circumstances {
        source: &order.source,
        unread: &census.unread,
        seen: &order.seen,
        term: inspector.term(),
        grace: if inspector.is_directory() { SignedDuration::ZERO } else { LIFECYCLE_GRACE },
        now,
    };
    let odd = chain::judge(&census.links, &around);
    let is_segment = |key: &ObjectKey| layout::read_segment_key(&order.source, key).is_some();
    let on_top = on_top::judge(&holdings, is_segment, &ours(&census, inspector, now));
    odd.into_iter().chain(on_top).for_each(|finding| findings.add(finding));

    census.compare(&holdings, &mut findings);
    census.read_locks(inspector, order.newest, &mut findings, &mut unread).await;
    Ok(Confirmation {
        vault: inspector.vault().to_owned(),
        source: order.source.clone(),
        at,
        backups: census.into_judged(),
        findings: findings.into_told(&order.source),
        accepted: Vec::new(),
        unverified: unread.into_sentences(),
        clock_skew_secs,
    })
}

/// What the vault says of itself.
fn judge_settings(
    inspector: &Inspector,
    settings: Result<Protection, RoleError>,
    findings: &mut Findings,
    unread: &mut Unread,
) {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return unread.add("settings of the vault", &error),
    };
    let mut tell = |kind, said: Vec<String>| {
        if !said.is_empty() {
            findings.add(Finding::new(kind, inspector.describe(), format!("says: {}", said.join("; "))));
        }
    };
    tell(FindingKind::VaultWeakened, settings.faults.iter().map(ToString::to_string).collect());
    let about = |wanted| settings.notes.iter().filter(move |note| note.about == wanted).map(ToString::to_string);
    tell(FindingKind::Lifecycle, about(About::Lifecycle).collect());
    about(About::Unverified).for_each(|note| unread.say(format!("vault `{}`: {note}", inspector.vault())));
}

/// What authentic backups are made of, for telling it from what lies on top.
fn ours(census: &Census, inspector: &Inspector, now: Timestamp) -> Ours {
    let counts =
        census.objects.iter().map(|object| ((object.key.clone(), object.version.clone()), object.receipt.until));
    Ours {
        counts: counts.collect(),
        complete: census.unread.is_empty(),
        term: inspector.term(),
        slack: inspector.slack(),
        now,
    }
}
