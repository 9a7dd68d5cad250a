//! rota: which source's backups are drilled now: the newest, then some older ones; one drill at a time, and what could
//! not run again after a pause. It decides; it does nothing itself.

use crate::{
    clock::{SignedDuration, Timestamp},
    layout::SourceName,
    proof::DrillOutcome,
    schedule::Schedule,
};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

const RETRY_FIRST: SignedDuration = SignedDuration::from_mins(15);
const RETRY_MAX: SignedDuration = SignedDuration::from_hours(6);
const IDLE: SignedDuration = SignedDuration::from_hours(1);

/// When the drills of every source are due, and how many backups are drilled.
#[derive(Clone, Debug)]
pub struct DrillTiming {
    pub when: When,
    /// So many older backups beside the newest.
    pub sample: usize,
}

#[derive(Clone, Debug)]
pub enum When {
    Every(SignedDuration),
    Schedule { schedule: Schedule, zone: TimeZone },
}

impl When {
    /// When the next round is due after one that began at `last`.
    fn after(&self, last: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(every) => last.checked_add(*every).ok(),
            Self::Schedule { schedule, zone } => schedule.next(zone, last),
        }
    }
}

/// Which backup of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    Newest,
    /// An older one, at random.
    Sample,
}

pub struct Rota {
    timing: DrillTiming,
    entries: BTreeMap<SourceName, Entry>,
    running: Option<(SourceName, Timestamp)>,
}

struct Entry {
    /// `None`: the calendar has no more slots.
    next_at: Option<Timestamp>,
    /// When the round that is going on began; `None` between rounds.
    round: Option<Timestamp>,
    /// What is left of it.
    newest_left: bool,
    samples_left: usize,
    failures: u32,
    leaving: bool,
}

impl Rota {
    pub fn new(timing: DrillTiming) -> Self {
        Self { timing, entries: BTreeMap::new(), running: None }
    }

    /// Takes over a configuration, with when the last drill of each source began that ran. A source without any is due
    /// at once, and so is what could not run: whoever reloads has mended something.
    pub fn expect(&mut self, expected: Vec<(SourceName, Option<Timestamp>)>, timing: DrillTiming, now: Timestamp) {
        self.timing = timing;
        self.entries.values_mut().for_each(|entry| entry.leaving = true);
        for (source, last) in expected {
            let next_at = last.map_or(Some(now), |last| self.timing.when.after(last));
            let fresh = Entry { next_at, round: None, newest_left: true, samples_left: 0, failures: 0, leaving: false };
            let entry = self.entries.entry(source).or_insert(fresh);
            entry.leaving = false;
            entry.next_at = if entry.failures > 0 || entry.round.is_some() { Some(now) } else { next_at };
            entry.failures = 0;
        }
        self.entries.retain(|_, entry| !entry.leaving);
    }

    /// What is to be drilled at `now`, if anything; `ready`: has the source a backup that can be drilled? It counts as
    /// running from now on.
    pub fn tick(&mut self, now: Timestamp, ready: impl Fn(&SourceName) -> bool) -> Option<(SourceName, Pick)> {
        if self.running.is_some() {
            return None;
        }
        // A time that no period can have meant is a clock's that has gone back.
        if let Some(latest) = self.timing.when.after(now) {
            let due = self.entries.values_mut().filter_map(|entry| entry.next_at.as_mut());
            due.for_each(|at| *at = (*at).min(latest));
        }
        let due = self
            .entries
            .iter_mut()
            .filter(|(source, entry)| entry.next_at.is_some_and(|at| at <= now) && ready(source));
        let (source, entry) = due.min_by_key(|(_, entry)| entry.next_at)?;
        // A round that a retry has carried past the next one's time begins anew, with what is the newest now.
        let over = entry.round.is_none_or(|began| self.timing.when.after(began).is_some_and(|next| next <= now));
        if over {
            (entry.round, entry.newest_left, entry.samples_left) = (Some(now), true, self.timing.sample);
        }
        self.running = Some((source.clone(), now));
        Some((source.clone(), if entry.newest_left { Pick::Newest } else { Pick::Sample }))
    }

    /// The drill that [`Self::tick`] gave has ended. `None`: there was nothing to drill.
    pub fn ended(&mut self, source: &SourceName, outcome: Option<DrillOutcome>, now: Timestamp) {
        if self.running.as_ref().is_some_and(|(running, _)| running == source) {
            self.running = None;
        }
        let Some(entry) = self.entries.get_mut(source) else { return };
        if outcome == Some(DrillOutcome::CouldNotRun) {
            entry.failures += 1;
            let pause = RETRY_FIRST * 2_i32.pow((entry.failures - 1).min(10));
            entry.next_at = Some(now + pause.min(RETRY_MAX));
            return;
        }
        entry.failures = 0;
        match (entry.newest_left, outcome) {
            (true, _) => entry.newest_left = false,
            (false, Some(_)) => entry.samples_left = entry.samples_left.saturating_sub(1),
            // There is no other backup.
            (false, None) => entry.samples_left = 0,
        }
        entry.next_at = Some(now);
        if entry.samples_left == 0 {
            entry.next_at = self.timing.when.after(entry.round.take().unwrap_or(now)).map(|next| next.max(now));
        }
    }

    pub fn wake_at(&self, now: Timestamp) -> Timestamp {
        let next = self.entries.values().filter_map(|entry| entry.next_at).filter(|at| *at > now).min();
        next.unwrap_or(now + IDLE)
    }

    pub fn next_at(&self, source: &SourceName) -> Option<Timestamp> {
        self.entries.get(source)?.next_at
    }

    pub fn running(&self) -> Option<&(SourceName, Timestamp)> {
        self.running.as_ref()
    }
}

#[cfg(test)]
mod tests;
