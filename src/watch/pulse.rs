//! pulse: each source's dead-man ping: it comes while this watch looks and finds the source well, says so once it is
//! not, and stops when the watch does. That is the one alarm that comes when the watcher's host is gone.

use crate::{
    health::{Health, SourceHealth},
    layout::SourceName,
    monitor::{Courier, Ping, PingSettings, Pings},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Such services count in minutes.
const EVERY: Duration = Duration::from_secs(60);

pub struct Pulse {
    pings: Pings,
    last: BTreeMap<SourceName, (bool, Instant)>,
}

impl Pulse {
    pub fn start(settings: impl IntoIterator<Item = (SourceName, PingSettings)>, courier: &Courier) -> Self {
        Self { pings: Pings::start(settings, courier), last: BTreeMap::new() }
    }

    /// Tells of every source that has been `looked` at: each minute, and at once when it turns.
    pub fn beat(&mut self, health: &Health, looked: impl Fn(&SourceName) -> bool, random: fn() -> [u8; 4]) {
        for source in health.sources.iter().filter(|source| looked(&source.source)) {
            let good = source.state.is_quiet();
            let told = self.last.get(&source.source);
            if told.is_some_and(|(was_good, at)| *was_good == good && at.elapsed() < EVERY) {
                continue;
            }
            let id: [[u8; 4]; 4] = std::array::from_fn(|_| random());
            let id = id.concat().try_into().expect("four times four bytes are sixteen");
            self.pings.send(&source.source, &Ping::told(id, good, says(source)));
            self.last.insert(source.source.clone(), (good, Instant::now()));
        }
    }

    pub async fn close(self, within: Duration) {
        self.pings.close(within).await;
    }
}

/// Words without names: a ping's address goes through proxies and logs.
fn says(source: &SourceHealth) -> String {
    let problems: Vec<_> = source.problems.iter().map(|problem| problem.word()).collect();
    format!("{}: {}", source.state.word(), problems.join(", "))
}
