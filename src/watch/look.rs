//! look: one look at a source in a vault: a confirm within its limit, then the drill reports that lie there.

use super::{
    Charge, PlaceOrder, Reports, Watcher,
    agenda::{Key, Step},
    memory::Depth,
    proofs,
};
use crate::{
    clock::{Clock, SignedDuration, Timestamp, spoken},
    confirm::{self, Confirmation, Order, Seen},
    failure::{Explain, with_causes},
    finding::Gravity,
    layout::{DrillId, SourceName},
    proof::DrillReport,
    role::Inspector,
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::{Id, JoinError};

/// What a task brings home.
pub struct Looked {
    key: Key,
    depth: Depth,
    /// Or why nothing could be looked at.
    confirmed: Result<Confirmation, String>,
    /// Those that are signed and were not known.
    in_vault: Vec<DrillReport>,
    in_folder: Vec<DrillReport>,
    /// Drills in the vault whose reports somebody else signed.
    doubtful: Vec<DrillId>,
}

/// What a look needs, and nothing of the watcher's.
struct Task {
    source: SourceName,
    inspector: Arc<Inspector>,
    depth: Depth,
    deadline: SignedDuration,
    seen: Vec<Seen>,
    /// Where reports are read, this time.
    reports: Option<Reports>,
    known: BTreeSet<DrillId>,
    clock: Clock,
}

impl Task {
    async fn look(self) -> Looked {
        let key = (self.source.clone(), self.inspector.vault().to_owned());
        let (mut in_vault, mut in_folder, mut doubtful) = (Vec::new(), Vec::new(), Vec::new());
        let mut confirmed =
            confirmed(&self.inspector, &self.source, self.depth, self.seen, self.deadline, self.clock).await;
        if let (Ok(looked), Some(reports)) = (&mut confirmed, &self.reports) {
            match proofs::in_vault(&self.inspector, &self.source, reports, &self.known).await {
                Ok(found) => (in_vault, doubtful) = found,
                Err(why) => looked.unverified.push(format!("drill reports cannot be read: {why}")),
            }
            match proofs::in_folder(&self.source, reports, &self.known).await {
                Ok(found) => in_folder = found,
                Err(why) => looked.unverified.push(format!("drill reports cannot be read: {why}")),
            }
        }
        Looked { key, depth: self.depth, confirmed, in_vault, in_folder, doubtful }
    }
}

/// A confirm within its limit, or why there was none.
pub async fn confirmed(
    inspector: &Inspector,
    source: &SourceName,
    depth: Depth,
    seen: Vec<Seen>,
    deadline: SignedDuration,
    clock: Clock,
) -> Result<Confirmation, String> {
    let order = Order { source: source.clone(), newest: depth.newest(), seen };
    match tokio::time::timeout(deadline.unsigned_abs(), confirm::confirm(inspector, &order, clock)).await {
        Ok(Ok(looked)) => Ok(looked),
        Ok(Err(error)) => {
            let hint = error.hint().unwrap_or_default();
            tracing::debug!(%source, vault = inspector.vault(), hint, "not confirmed");
            Err(with_causes(&error))
        }
        Err(_elapsed) => Err(format!("it took longer than {}", spoken(deadline))),
    }
}

impl Watcher {
    pub(super) fn begin_look(&mut self, step: Step, now: Timestamp) {
        let (source, vault) = &step.key;
        let found = self.charges.get(source).and_then(|charge| Some((charge, place(charge, vault)?)));
        let (Some((charge, place)), Some((_, memory))) = (found, self.memories.get(&step.key)) else {
            // It is not in the configuration any more.
            self.agenda.ended(&step.key, false, now);
            return;
        };
        let first = charge.places.first().is_some_and(|first| first.vault == *vault);
        // A folder belongs to no vault: it is read with the first.
        let reports =
            self.sight.reports.clone().map(|reports| Reports { folder: reports.folder.filter(|_| first), ..reports });
        let known = self.reports.get(source).into_iter().flatten().map(|report| report.drill.clone());
        let task = Task {
            source: source.clone(),
            inspector: Arc::clone(&place.inspector),
            depth: step.depth,
            deadline: step.deadline,
            seen: memory.seen(now, place.term),
            reports,
            known: known.collect(),
            clock: self.clock,
        };
        let task = self.looks.spawn(task.look());
        self.looking.insert(task.id(), step.key);
    }

    /// A look has ended, or its task has panicked.
    pub(super) fn take_home(&mut self, joined: Result<(Id, Looked), JoinError>) {
        let now = self.clock.now();
        let (id, looked) = match joined {
            Ok(done) => done,
            Err(error) => {
                let Some(key) = self.looking.get(&error.id()).cloned() else { return };
                let confirmed = Err(format!("it broke off by a defect of ours: {error}"));
                let (in_vault, in_folder, doubtful) = (Vec::new(), Vec::new(), Vec::new());
                (error.id(), Looked { key, depth: Depth::Newest, confirmed, in_vault, in_folder, doubtful })
            }
        };
        self.looking.remove(&id);
        let Looked { key, depth, confirmed, in_vault, in_folder, doubtful } = looked;
        self.looked.insert(key.clone());
        let whole = confirmed.as_ref().is_ok_and(|looked| looked.unverified.is_empty());
        self.agenda.ended(&key, whole, now);
        let Some(charge) = self.charges.get(&key.0).cloned() else { return };
        let Some(place) = place(&charge, &key.1) else { return };
        let Some((_, memory)) = self.memories.get_mut(&key) else { return };
        let was_unverified = memory.round.unverified.is_some();
        let changed = match confirmed {
            Ok(looked) => {
                say(&looked, &memory.round.findings);
                memory.take(depth, &looked, place.term)
            }
            Err(why) => {
                memory.fail(now, why);
                BTreeSet::new()
            }
        };
        let (source, vault) = &key;
        match &memory.round.unverified {
            Some(unverified) if !was_unverified => {
                tracing::error!(%source, vault, why = unverified.why, "NOT confirmed");
            }
            None if was_unverified => tracing::info!(%source, vault, "confirmed again"),
            _ => tracing::debug!(%source, vault, backups = memory.backups.len(), ?depth, "looked"),
        }
        self.unwritten.backups.entry(key.clone()).or_default().extend(changed);
        self.doubt(&key, doubtful);
        self.take_reports(&charge, Some(&key), in_vault);
        self.take_reports(&charge, None, in_folder);
        self.prove(&charge);
    }
}

pub(super) fn place<'c>(charge: &'c Charge, vault: &str) -> Option<&'c PlaceOrder> {
    charge.places.iter().find(|place| place.vault == vault)
}

/// What was not found at the look before.
fn say(looked: &Confirmation, before: &[crate::finding::Finding]) {
    let (source, vault) = (&looked.source, &looked.vault);
    const SAID_MAX: usize = 20;
    let news: Vec<_> = looked.findings.iter().filter(|finding| !before.contains(finding)).collect();
    for finding in news.iter().take(SAID_MAX) {
        let (kind, means, mend) = (finding.kind.word(), finding.kind.means(), finding.kind.mend());
        match finding.gravity() {
            Gravity::Note => tracing::info!(%source, vault, kind, "{finding}. {means}"),
            _ => tracing::error!(%source, vault, kind, mend, "FOUND: {finding}. {means}"),
        }
    }
    if news.len() > SAID_MAX {
        tracing::error!(%source, vault, more = news.len() - SAID_MAX, "and more findings: `strongroom confirm` has all");
    }
}
