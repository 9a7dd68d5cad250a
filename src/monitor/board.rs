//! board: what the daemon last said of itself, for whoever asks: facts, not judgements, so that an age is as old as
//! the question.

use crate::{
    clock::Timestamp,
    health::{Facts, Health, Story, judge},
    layout::SourceName,
    page::Teller,
    run::Outcome,
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Written by the daemon, read by every view. Clones are the same board; neither side waits for the other's work.
#[derive(Clone, Debug)]
pub struct Board(Arc<watch::Sender<Shown>>);

#[derive(Clone, Debug)]
pub struct Shown {
    /// Of every source of the configuration that is in force.
    pub facts: Vec<Facts>,
    pub totals: Totals,
    /// What became of backups and drills over time, where somebody watches; empty in the depositor's daemon.
    pub stories: Arc<BTreeMap<SourceName, Story>>,
    /// Whose daemon it is.
    pub told_by: Teller,
    /// Each vault's clock less ours, in seconds, where a vault has told.
    pub clock_skews: BTreeMap<String, f64>,
    /// When each vault's credential expires, where that is known.
    pub credential_expires: BTreeMap<String, Timestamp>,
    pub reload: Reload,
    /// The first facts are there and the schedule runs.
    pub ready: bool,
    beat: Beat,
}

/// Counted since the catalog began, or the daemon did: a counter may start again at zero.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub runs: BTreeMap<(SourceName, Outcome), u64>,
    /// By the alert's name; zero for those that are in force and never failed.
    pub alerts_failed: BTreeMap<String, u64>,
}

/// How the configuration was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// False: the file was changed and has mistakes; what is in force is older.
    pub succeeded: bool,
    /// When the one that is in force was read.
    pub loaded_at: Timestamp,
}

/// When the daemon's loop last came round: by the clock for people, and by one that nobody sets for the judgement.
#[derive(Clone, Copy, Debug)]
struct Beat {
    at: Timestamp,
    instant: Instant,
}

impl Board {
    /// An empty board of a daemon that begins `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(Shown {
            facts: Vec::new(),
            totals: Totals::default(),
            stories: Arc::default(),
            told_by: Teller::Depositor,
            clock_skews: BTreeMap::new(),
            credential_expires: BTreeMap::new(),
            reload: Reload { succeeded: true, loaded_at: now },
            ready: false,
            beat: Beat { at: now, instant: Instant::now() },
        })))
    }

    /// Writes in one stroke: no reader sees half of it. `write` is short; readers are held up meanwhile.
    pub fn update(&self, write: impl FnOnce(&mut Shown)) {
        self.0.send_modify(write);
    }

    /// The daemon's loop came round.
    pub fn beat(&self, now: Timestamp) {
        self.update(|shown| shown.beat = Beat { at: now, instant: Instant::now() });
    }

    /// A copy of all that is on it.
    pub fn shown(&self) -> Shown {
        self.0.borrow().clone()
    }

    /// The facts, judged now.
    pub fn health(&self, now: Timestamp) -> Health {
        judge(now, &self.0.borrow().facts)
    }

    /// Counts the failures of these alerts from now on, and of no others; what is counted already stays.
    pub(super) fn count_failures_of(&self, alerts: &[&str]) {
        self.update(|Shown { totals: Totals { alerts_failed, .. }, .. }| {
            alerts_failed.retain(|alert, _| alerts.contains(&alert.as_str()));
            for alert in alerts {
                alerts_failed.entry((*alert).to_owned()).or_default();
            }
        });
    }

    /// Messages of any alert that could not be delivered.
    pub fn undelivered(&self) -> u64 {
        self.0.borrow().totals.alerts_failed.values().sum()
    }

    pub(super) fn alert_failed(&self, alert: &str) {
        self.update(|shown| {
            if let Some(count) = shown.totals.alerts_failed.get_mut(alert) {
                *count += 1;
            }
        });
    }

    pub(super) fn is_ready(&self) -> bool {
        self.0.borrow().ready
    }

    /// Since when the daemon's loop has not come round, where that is longer than `within`.
    pub(super) fn stuck_since(&self, within: Duration) -> Option<Timestamp> {
        let Beat { at, instant } = self.0.borrow().beat;
        (instant.elapsed() > within).then_some(at)
    }
}
