//! teller: tells alerts what has become of health, once, also over a restart; what could not be told is told again.

use super::TELL_WITHIN;
use crate::{
    clock::{SignedDuration, Timestamp},
    health::Health,
    monitor::{self, AlertSettings, Alerts, Board, Courier, Told},
};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What could not be told is told again after this, then after twice as long, ..., at most a day.
const TELL_AGAIN: SignedDuration = SignedDuration::from_mins(15);
const TELL_AGAIN_MAX: SignedDuration = SignedDuration::from_hours(24);
const TOLD: &str = "told.json";

pub struct Teller {
    state_dir: PathBuf,
    alerts: Alerts,
    told: Told,
    undelivered: u64,
    tell_again_at: Option<Timestamp>,
    /// Doubled each time, so that an alert that never works does not make the others ring for ever.
    tell_again_after: SignedDuration,
}

impl Teller {
    /// Knows nobody yet, and what was told before a restart.
    pub fn new(state_dir: &Path, courier: &Courier, board: &Board) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            alerts: Alerts::start(Vec::new(), courier, board, String::new()),
            told: read_told(state_dir),
            undelivered: 0,
            tell_again_at: None,
            tell_again_after: TELL_AGAIN,
        }
    }

    /// From now on; what was to be told to the ones before is told still.
    pub fn tell_others(&mut self, alerts: Vec<AlertSettings>, courier: &Courier, board: &Board, host: String) {
        let alerts = Alerts::start(alerts, courier, board, host);
        tokio::spawn(std::mem::replace(&mut self.alerts, alerts).close(TELL_WITHIN));
    }

    /// Never waits. `undelivered`: how many messages could not be, as the board counts.
    pub fn tell(&mut self, health: &Health, undelivered: u64) {
        if undelivered > self.undelivered && self.tell_again_at.is_none() {
            self.tell_again_at = Some(health.at + self.tell_again_after);
            self.tell_again_after = (self.tell_again_after * 2).min(TELL_AGAIN_MAX);
        }
        // A reload begins to count anew.
        self.undelivered = undelivered;
        if health.sources.iter().all(|source| source.state.is_quiet()) {
            self.tell_again_after = TELL_AGAIN;
        }
        if self.tell_again_at.is_some_and(|at| at <= health.at) {
            self.tell_again_at = None;
            self.told = Told::default();
        }
        let (events, told) = monitor::events(&self.told, health);
        for event in events {
            tracing::warn!(source = %event.source, event = event.kind.word(), "{}", event.summary());
            self.alerts.tell(&event);
        }
        if told != self.told {
            write_told(&self.state_dir, &told);
            self.told = told;
        }
    }

    /// Delivers what is waiting, as far as that is possible within [`TELL_WITHIN`].
    pub async fn close(self) {
        self.alerts.close(TELL_WITHIN).await;
    }
}

/// What was told before a restart, so that it is not told again. Nothing, or nothing readable, is told once more.
fn read_told(state_dir: &Path) -> Told {
    let read = std::fs::read(state_dir.join(TOLD)).ok();
    read.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
}

fn write_told(state_dir: &Path, told: &Told) {
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(state_dir)?;
        file.write_all(&serde_json::to_vec(told)?)?;
        file.persist(state_dir.join(TOLD))?;
        Ok(())
    };
    if let Err(error) = write() {
        tracing::warn!(%error, "after a restart the same alarms will be told again");
    }
}
