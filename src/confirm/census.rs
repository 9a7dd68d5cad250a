//! census: every sealed backup with what it needs, each needed version once however many backups refer to it.
//!
//! Manifests are read one by one and not kept: a vault may hold thousands of them, with thousands of receipts each.

use super::{
    Judged, Order, Verdict,
    chain::Link,
    told::{Findings, Unread},
};
use crate::{
    clock::{Timestamp, whole_second},
    digest::Md5,
    finding::{Finding, FindingKind},
    layout::{self, BackupId, ObjectKey},
    manifest::{LockMode, VersionId},
    role::{Holdings, Inspector, Lock, RoleError, Sealed, Standing, shortfall},
};
use std::collections::{BTreeSet, HashMap};

/// Something that a backup cannot do without.
#[derive(Debug)]
pub struct Object {
    pub key: ObjectKey,
    pub version: VersionId,
    /// What a receipt says of its bytes; `None` for what was read and verified: manifests and seals.
    pub body: Option<(u64, Md5)>,
    /// As a receipt tells it.
    pub receipt: Lock,
    /// The vault lists it.
    pub listed: bool,
    /// As read back now.
    pub lock: Option<Lock>,
}

/// A sealed backup, and where its objects are among all.
pub struct Counted {
    pub judged: Judged,
    pub needs: Vec<usize>,
    /// Until when what it needs must be locked.
    promised: Timestamp,
    failed: bool,
    unread: bool,
}

/// What tells one object from another: two receipts that disagree on a body speak of two.
type Named = (ObjectKey, VersionId, Option<(u64, [u8; 16])>);

pub struct Census {
    pub backups: Vec<Counted>,
    pub links: Vec<Link>,
    pub objects: Vec<Object>,
    /// Backups that are there, and of which nobody knows whether they are sealed.
    pub unread: BTreeSet<BackupId>,
    /// The ETags that the vault lists are MD5s, as far as anybody can tell.
    pub by_md5: bool,
    index: HashMap<Named, usize>,
    directory: bool,
    now: Timestamp,
}

/// A seal follows its manifest at once, and a run may be on its way to it.
const ON_ITS_WAY_SECS: i64 = 3600;

impl Census {
    /// Judges every backup that `holdings` lists, and tells of those that are none.
    pub async fn take(
        inspector: &Inspector,
        order: &Order,
        holdings: &Holdings,
        now: Timestamp,
        findings: &mut Findings,
        unread: &mut Unread,
    ) -> Self {
        let mut census = Self {
            backups: Vec::new(),
            links: Vec::new(),
            objects: Vec::new(),
            unread: BTreeSet::new(),
            by_md5: true,
            index: HashMap::new(),
            directory: inspector.is_directory(),
            now,
        };
        let seen = order.seen.iter().map(|seen| seen.backup.clone()).collect();
        let judging = inspector.judge_each(&order.source, &holdings.shelf, &seen, |backup, standing| match standing {
            Ok(Standing::Sealed(sealed)) => census.count(&sealed, holdings, inspector),
            Ok(other) => census.tell(backup, &other, order, holdings, inspector, findings),
            Err(error) => {
                census.unread.insert(backup.clone());
                unread.add("seals and manifests", &error);
            }
        });
        let passed_over = judging.await;
        if passed_over > 0 {
            unread.say(format!(
                "{passed_over} folders below {} were not looked into: too many others hold no seal of ours",
                layout::backups(&order.source)
            ));
        }
        census.backups.sort_by(|a, b| {
            let place = |counted: &Counted| (counted.judged.sealed_at, counted.judged.sequence);
            place(b).cmp(&place(a)).then_with(|| b.judged.backup.cmp(&a.judged.backup))
        });
        census
    }

    fn count(&mut self, sealed: &Sealed, holdings: &Holdings, inspector: &Inspector) {
        let manifest = &sealed.manifest;
        self.by_md5 &= sealed.listed_by_md5;
        // Where nothing is locked, a term is what was promised all the same.
        let lapses_at = manifest.locked_until.unwrap_or_else(|| inspector.term().ends(manifest.started_at));
        let lapsed = lapses_at.max(earliest_lapse(sealed)) <= self.now;
        let own = Lock { mode: manifest.lock, until: None };
        let mut needs = vec![
            self.object(&layout::manifest(&manifest.source, &manifest.backup), &sealed.manifest_version, None, own),
            self.object(&layout::seal(&manifest.source, &manifest.backup), &sealed.seal_version, None, own),
        ];
        for receipt in &manifest.segments {
            let lock = Lock { mode: receipt.lock, until: receipt.locked_until };
            // What has lapsed may be gone, and is nothing that anybody waits for.
            if lapsed && lock.until.is_none_or(|until| until <= self.now) {
                continue;
            }
            let key = ObjectKey::listed(receipt.key.as_str());
            needs.push(self.object(&key, &receipt.version, Some((receipt.size, receipt.md5)), lock));
        }
        needs.sort_unstable();
        needs.dedup();
        for need in &needs {
            let Object { key, version, listed, .. } = &mut self.objects[*need];
            *listed = holdings
                .keys
                .get(key)
                .is_some_and(|versions| versions.iter().any(|listed| listed.version == *version && !listed.marker));
        }
        self.links.push(Link {
            backup: manifest.backup.clone(),
            manifest: sealed.manifest_digest,
            chain: manifest.chain.clone(),
            snapshot_at: manifest.snapshot_at,
            completed_at: manifest.completed_at,
            sealed_at: sealed.sealed_at,
            back_dated: sealed.is_back_dated(),
            lapsed,
        });
        let judged = Judged {
            backup: manifest.backup.clone(),
            manifest: sealed.manifest_digest,
            sequence: manifest.chain.sequence,
            started_at: manifest.started_at,
            snapshot_at: manifest.snapshot_at,
            completed_at: manifest.completed_at,
            sealed_at: sealed.sealed_at,
            lock: manifest.lock,
            locked_until: manifest.locked_until,
            packed_bytes: manifest.packed_bytes(),
            segments: manifest.segments.len(),
            suspect: manifest.suspect.clone(),
            verdict: if lapsed { Verdict::Lapsed } else { Verdict::Listed },
        };
        let promised = inspector.promised(manifest.started_at);
        self.backups.push(Counted { judged, needs, promised, failed: false, unread: false });
    }

    fn object(&mut self, key: &ObjectKey, version: &VersionId, body: Option<(u64, Md5)>, receipt: Lock) -> usize {
        let name = (key.clone(), version.clone(), body.map(|(size, md5)| (size, md5.0)));
        let place = *self.index.entry(name).or_insert_with(|| {
            let (key, version) = (key.clone(), version.clone());
            self.objects.push(Object { key, version, body, receipt, listed: false, lock: None });
            self.objects.len() - 1
        });
        // Of several receipts the one that promises most.
        let most = &mut self.objects[place].receipt;
        *most = Lock { mode: most.mode.min(receipt.mode), until: most.until.max(receipt.until) };
        place
    }

    /// What a folder is that holds no sealed backup, unless it is what remains of one that has lapsed.
    fn tell(
        &mut self,
        backup: &BackupId,
        standing: &Standing,
        order: &Order,
        holdings: &Holdings,
        inspector: &Inspector,
        findings: &mut Findings,
    ) {
        let (manifest, seal) = (layout::manifest(&order.source, backup), layout::seal(&order.source, backup));
        let put_at = |key: &ObjectKey| {
            let bodies = holdings.keys.get(key).into_iter().flatten().filter(|version| !version.marker);
            bodies.map(|version| version.last_modified).min()
        };
        let has_lapsed = |at: Option<Timestamp>| at.is_some_and(|at| inspector.term().ends(at) <= self.now);
        match standing {
            Standing::Sealed(_) => {}
            Standing::Damaged { object, why } => {
                self.unread.insert(backup.clone());
                if !has_lapsed(put_at(&seal)) {
                    findings.add(Finding::new(FindingKind::Damaged, object.as_str(), *why));
                }
            }
            Standing::Forged { object, claims } => {
                let claims = claims.as_ref().map_or("no manifest that can be read".to_owned(), |claims| {
                    format!(
                        "a manifest that calls itself number {} of {}",
                        claims.sequence,
                        whole_second(claims.snapshot_at)
                    )
                });
                let what = format!("is not our signature; beside it lies {claims}");
                findings.add(Finding::new(FindingKind::Forged, object.as_str(), what));
            }
            Standing::Unsealed => {
                let put = put_at(&manifest);
                let old = put.is_none_or(|at| self.now.duration_since(at).as_secs() >= ON_ITS_WAY_SECS);
                if old && !has_lapsed(put) {
                    findings.add(Finding::new(FindingKind::Unsealed, manifest.as_str(), "has no seal"));
                }
            }
        }
    }

    /// Compares what the vault lists with what receipts say.
    pub fn compare(&mut self, holdings: &Holdings, findings: &mut Findings) {
        let odd: Vec<Vec<(FindingKind, String)>> =
            self.objects.iter().map(|object| oddities(object, holdings, self.by_md5)).collect();
        for counted in &mut self.backups {
            let Counted { judged, needs, failed, .. } = counted;
            for (need, (kind, what)) in needs.iter().flat_map(|need| odd[*need].iter().map(move |odd| (need, odd))) {
                findings.add_needed(*kind, self.objects[*need].key.as_str(), what, &judged.backup);
                *failed = true;
            }
        }
    }

    /// Reads the locks of what the `newest` backups need, each once, and compares them with what was promised.
    pub async fn read_locks(
        &mut self,
        inspector: &Inspector,
        newest: Option<usize>,
        findings: &mut Findings,
        unread: &mut Unread,
    ) {
        let standing = self.backups.iter_mut().filter(|counted| counted.judged.verdict != Verdict::Lapsed);
        let mut looked_at: Vec<&mut Counted> = standing.take(newest.unwrap_or(usize::MAX)).collect();
        let wanted: BTreeSet<usize> = looked_at.iter().flat_map(|counted| counted.needs.iter().copied()).collect();
        let versions = wanted.into_iter().filter(|need| self.objects[*need].listed);
        let versions = versions.map(|need| (need, &self.objects[need].key, &self.objects[need].version));
        let mut locks = Vec::new();
        inspector
            .read_locks(versions, |need, lock| match lock {
                Ok(lock) => locks.push((need, Ok(lock))),
                Err(error) if error.is_missing() => locks.push((need, Err(true))),
                Err(error) => {
                    unread.add("locks", &error);
                    locks.push((need, Err(false)));
                }
            })
            .await;
        let mut gone = BTreeSet::new();
        for (need, lock) in locks {
            match lock {
                Ok(lock) => self.objects[need].lock = Some(lock),
                Err(missing) => gone.extend(missing.then_some(need)),
            }
        }
        for counted in &mut looked_at {
            counted.compare_locks(&self.objects, &gone, self.directory, findings);
        }
    }

    pub fn into_judged(self) -> Vec<Judged> {
        self.backups.into_iter().map(Counted::into_judged).collect()
    }
}

impl Counted {
    fn compare_locks(&mut self, objects: &[Object], gone: &BTreeSet<usize>, directory: bool, findings: &mut Findings) {
        let mut read: Vec<Lock> = Vec::new();
        for need in &self.needs {
            let Object { key, receipt, lock, listed, .. } = &objects[*need];
            let Some(lock) = lock else {
                if gone.contains(need) {
                    let what = "was listed, and is gone";
                    findings.add_needed(FindingKind::MissingVersion, key.as_str(), what, &self.judged.backup);
                    self.failed = true;
                } else {
                    self.unread |= *listed;
                }
                continue;
            };
            if let Some(short) = shortfall(*lock, *receipt, self.promised, directory) {
                findings.add_needed(FindingKind::LockShort, key.as_str(), &short, &self.judged.backup);
                self.failed = true;
            }
            read.push(*lock);
        }
        let complete = read.len() == self.needs.len();
        if complete && !read.is_empty() {
            self.judged.lock = read.iter().map(|lock| lock.mode).max().unwrap_or(LockMode::None);
            let unlocked = read.iter().any(|lock| lock.until.is_none());
            self.judged.locked_until = if unlocked { None } else { read.iter().filter_map(|lock| lock.until).min() };
        }
        self.judged.verdict = match (self.failed, self.unread) {
            (true, _) => Verdict::Failed,
            (false, true) => Verdict::CouldNotVerify,
            (false, false) => Verdict::Confirmed,
        };
    }

    /// What is not there as promised counts whether or not locks were read.
    fn into_judged(mut self) -> Judged {
        if self.failed && self.judged.verdict != Verdict::Lapsed {
            self.judged.verdict = Verdict::Failed;
        }
        self.judged
    }
}

/// A thief's manifest may say that its lock is over, and so is nothing to judge. By the server's clock it was put when it
/// was put: half of its term has to be over since, in which a dump ends and segments that lie there already are referred
/// to.
fn earliest_lapse(sealed: &Sealed) -> Timestamp {
    let term = sealed.manifest.term;
    term.ends(sealed.sealed_at) - term.span() / 2
}

/// What a listing says against an object.
fn oddities(object: &Object, holdings: &Holdings, by_md5: bool) -> Vec<(FindingKind, String)> {
    let versions = holdings.keys.get(&object.key).into_iter().flatten();
    let Some(listed) = versions.into_iter().find(|listed| listed.version == object.version && !listed.marker) else {
        return vec![(FindingKind::MissingVersion, format!("(version {}) is gone", object.version))];
    };
    let mut odd = Vec::new();
    if let Some((size, md5)) = object.body {
        if listed.size != size {
            odd.push((FindingKind::WrongSize, format!("has {} bytes, and {size} were deposited", listed.size)));
        } else if let Some(etag) = listed.etag.as_ref().filter(|etag| by_md5 && **etag != md5.to_string()) {
            odd.push((FindingKind::WrongDigest, format!("has MD5 {etag}, and {md5} was deposited")));
        }
    }
    odd.extend(
        listed
            .storage_class
            .as_ref()
            .filter(|class| is_frozen(class))
            .map(|class| (FindingKind::StorageClass, format!("lies in storage class {class}"))),
    );
    odd
}

/// Classes from which nothing is read before it was thawed, whose names are much the same everywhere.
fn is_frozen(class: &str) -> bool {
    class != "GLACIER_IR" && (class.contains("GLACIER") || class.contains("ARCHIVE"))
}

impl RoleError {
    fn is_missing(&self) -> bool {
        matches!(self, Self::Vault(crate::role::VaultError::Missing { .. }))
    }
}
