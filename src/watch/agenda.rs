//! agenda: which source is looked at in which vault now, and how far. It decides; it does nothing itself.

use super::memory::Depth;
use crate::{
    clock::{SignedDuration, Timestamp},
    layout::SourceName,
};
use std::collections::BTreeMap;

/// One source in one vault, by the vault's name.
pub type Key = (SourceName, String);

/// So many looks go on in one vault at once; other vaults do not wait for one that is slow.
const AT_ONCE: usize = 4;
/// A look that failed is tried again after this, then after twice as long, ..., never later than it would be anyway.
const RETRY_FIRST: SignedDuration = SignedDuration::from_secs(15);
/// A look at the newest that takes longer is ended, and says so.
const DEADLINE: SignedDuration = SignedDuration::from_mins(10);
/// As for one at everything.
const DEADLINE_ALL: SignedDuration = SignedDuration::from_mins(30);
const IDLE: SignedDuration = SignedDuration::from_hours(1);

/// How often is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    pub every: SignedDuration,
    /// How often the locks of every backup are read.
    pub all_every: SignedDuration,
}

pub struct Agenda {
    timing: Timing,
    entries: BTreeMap<Key, Entry>,
}

struct Entry {
    next_at: Timestamp,
    /// When everything was last looked at.
    all_at: Option<Timestamp>,
    /// A quick look has been whole since we began: only then is a long one begun.
    seen: bool,
    running: Option<(Timestamp, Depth)>,
    failures: u32,
    /// The longest look that ended well.
    took: SignedDuration,
    leaving: bool,
}

/// A look to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub key: Key,
    pub depth: Depth,
    pub deadline: SignedDuration,
}

impl Agenda {
    pub fn new(timing: Timing) -> Self {
        Self { timing, entries: BTreeMap::new() }
    }

    /// Takes over a configuration, with when everything was last looked at. Looks go on; everything is looked at again
    /// at once, as whoever reloads has mended something.
    pub fn expect(&mut self, expected: Vec<(Key, Option<Timestamp>)>, timing: Timing, now: Timestamp) {
        self.timing = timing;
        self.entries.values_mut().for_each(|entry| entry.leaving = true);
        for (key, all_at) in expected {
            let fresh = Entry {
                next_at: now,
                all_at,
                seen: false,
                running: None,
                failures: 0,
                took: SignedDuration::ZERO,
                leaving: false,
            };
            let entry = self.entries.entry(key).or_insert(fresh);
            entry.leaving = false;
            entry.next_at = now;
            entry.failures = 0;
        }
        self.entries.retain(|_, entry| !entry.leaving || entry.running.is_some());
    }

    /// Everything that is due at `now`, those that wait longest first.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Step> {
        let timing = self.timing;
        let mut running: BTreeMap<String, usize> = BTreeMap::new();
        for ((_, vault), _) in self.entries.iter().filter(|(_, entry)| entry.running.is_some()) {
            *running.entry(vault.clone()).or_default() += 1;
        }
        let mut due: Vec<(&Key, &mut Entry)> = self.entries.iter_mut().collect();
        due.retain_mut(|(_, entry)| {
            // A time that no pause can have meant is a clock's that has gone back.
            entry.next_at = entry.next_at.min(now + timing.every);
            entry.running.is_none() && !entry.leaving && entry.next_at <= now
        });
        due.sort_by_key(|(_, entry)| entry.next_at);
        let mut steps = Vec::new();
        for (key, entry) in due {
            let in_vault = running.entry(key.1.clone()).or_default();
            if *in_vault >= AT_ONCE {
                continue;
            }
            *in_vault += 1;
            let all_due = entry.all_at.is_none_or(|at| at > now || now.duration_since(at) >= timing.all_every);
            let depth = if entry.seen && entry.failures == 0 && all_due { Depth::All } else { Depth::Newest };
            let at_least = if depth == Depth::All { DEADLINE_ALL } else { DEADLINE };
            entry.running = Some((now, depth));
            steps.push(Step { key: key.clone(), depth, deadline: at_least.max(entry.took * 3) });
        }
        steps
    }

    /// A look has ended; `whole`: it could look at everything.
    pub fn ended(&mut self, key: &Key, whole: bool, now: Timestamp) {
        let timing = self.timing;
        let Some(entry) = self.entries.get_mut(key) else { return };
        let Some((began, depth)) = entry.running.take() else { return };
        if whole {
            entry.failures = 0;
            entry.took = entry.took.max(now.duration_since(began));
            let all_due = entry.all_at.is_none_or(|at| now.duration_since(at) >= timing.all_every);
            entry.next_at = (began + timing.every).max(now);
            if depth == Depth::All {
                entry.all_at = Some(began);
            } else if !entry.seen && all_due {
                entry.next_at = now;
            }
            entry.seen = true;
        } else {
            entry.failures += 1;
            let pause = RETRY_FIRST * 2_i32.pow((entry.failures - 1).min(10));
            entry.next_at = now + pause.min(timing.every);
            // Should everything be too much at once, the newest are looked at all the same, and everything later.
            if depth == Depth::All {
                entry.all_at = began.checked_sub(timing.all_every * 3 / 4).ok();
            }
        }
        if entry.leaving {
            self.entries.remove(key);
        }
    }

    /// When to tick again, should nothing end before.
    pub fn wake_at(&self, now: Timestamp) -> Timestamp {
        let waiting = self.entries.values().filter(|entry| entry.running.is_none());
        // What is due and was not begun waits for a place in its vault, which a look that ends makes.
        waiting.map(|entry| entry.next_at).filter(|at| *at > now).min().unwrap_or(now + IDLE)
    }
}

#[cfg(test)]
mod tests;
