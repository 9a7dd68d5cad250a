//! agenda: which sources run now, wait for a place, or did not run and why. It decides; it does nothing itself.

use super::decision::{History, Missed, Retry, Timing, decide};
use crate::{
    clock::{SignedDuration, Timestamp},
    layout::SourceName,
    run::{Absence, Trigger},
};
use std::collections::BTreeMap;

/// Nothing to wait for is looked at again after so long.
const IDLE: SignedDuration = SignedDuration::from_hours(1);

pub struct Agenda {
    entries: BTreeMap<SourceName, Entry>,
    /// How many runs there may be at once.
    places: usize,
    ticked_at: Option<Timestamp>,
}

struct Entry {
    timing: Timing,
    history: History,
    queued: Option<Queued>,
    running: Option<Trigger>,
    /// The configuration does not name it any more; it goes when its run has ended.
    leaving: bool,
    /// Nothing is decided differently before; `None`: something has happened since the last look.
    quiet_until: Option<Timestamp>,
}

struct Queued {
    trigger: Trigger,
    since: Timestamp,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Start(SourceName, Trigger),
    /// To be recorded.
    Absent(Absence),
}

/// How a run ended, as far as what comes next depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    /// Failed, and may succeed with nothing mended.
    MayPass,
    /// Failed until somebody mends it: the next slot tries again, nothing does before.
    NeedsMending,
    /// Never began, through nobody's fault: somebody else runs this source.
    NotNow(String),
}

/// One source as the configuration and the catalog have it.
pub struct Expected {
    pub source: SourceName,
    pub timing: Timing,
    pub remembered: Remembered,
}

/// What the catalog knows of a source that the agenda does not.
#[derive(Clone, Copy, Debug)]
pub struct Remembered {
    /// The last slot that was run or has a recorded absence, or when the source was first seen.
    pub accounted: Timestamp,
    pub ever_ran: bool,
    /// The slot of the last run, where that was no success: a daemon that begins tries it again at once.
    pub unfinished: Option<Timestamp>,
}

impl Agenda {
    pub fn new(places: usize) -> Self {
        Self { entries: BTreeMap::new(), places, ticked_at: None }
    }

    /// Takes over a configuration. Runs go on; what is not expected any more is not begun again; what failed is tried
    /// again at once, as whoever reloads has mended something.
    pub fn expect(&mut self, expected: Vec<Expected>, places: usize, now: Timestamp) {
        self.places = places;
        self.entries.values_mut().for_each(|entry| entry.leaving = true);
        for Expected { source, timing, remembered } in expected {
            let retry = remembered.unfinished.map(|slot| Retry { slot, attempt: 2, not_before: now });
            let fresh = History {
                accounted: remembered.accounted,
                ever_ran: remembered.ever_ran,
                running_since: None,
                queued: false,
                retry,
            };
            let entry = self.entries.entry(source).or_insert_with(|| Entry {
                timing: timing.clone(),
                history: fresh,
                queued: None,
                running: None,
                leaving: false,
                quiet_until: None,
            });
            entry.leaving = false;
            entry.quiet_until = None;
            let same_slots = (&entry.timing.schedule, &entry.timing.zone) == (&timing.schedule, &timing.zone);
            if !same_slots {
                // Slots of a schedule that was not there are nobody's to miss.
                entry.history.accounted = entry.history.accounted.max(now);
            }
            entry.timing = timing;
            entry.history.retry = entry.history.retry.or(retry).map(|retry| Retry { not_before: now, ..retry });
        }
        self.entries.retain(|_, entry| !entry.leaving || entry.running.is_some());
        self.entries.values_mut().filter(|entry| entry.leaving).for_each(|entry| entry.queued = None);
    }

    /// Everything that is due at `now`.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        let went_back = self.ticked_at.is_some_and(|before| now < before);
        self.ticked_at = Some(now);
        for (source, entry) in self.entries.iter_mut().filter(|(_, entry)| !entry.leaving) {
            if !went_back && entry.quiet_until.is_some_and(|until| now < until) {
                continue;
            }
            entry.history.queued = entry.queued.is_some();
            let decision = decide(now, source.as_str(), &entry.timing, &entry.history);
            entry.history.accounted = decision.accounted.unwrap_or(entry.history.accounted);
            steps.extend(decision.missed.into_iter().map(|missed| absent(source, missed, now)));
            // Without a schedule, nothing is ever due.
            entry.quiet_until = Some(decision.wake_at.unwrap_or(now + IDLE));
            let Some(trigger) = decision.start else { continue };
            entry.history.retry = None;
            let waited = entry.queued.take().map(|queued| queued.trigger);
            // A retry's slot had its run.
            if let Some(Trigger::Slot(slot) | Trigger::CatchUp(slot)) = waited {
                let why = "other sources were running until a newer slot took its place".to_owned();
                steps.push(absent(source, Missed { first: slot, last: slot, slots: 1, why }, now));
            }
            entry.queued = Some(Queued { trigger, since: now });
        }
        steps.extend(self.start_queued(now));
        steps
    }

    /// Gives free places to those who wait longest.
    fn start_queued(&mut self, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        let running = self.entries.values().filter(|entry| entry.running.is_some()).count();
        for _ in running..self.places {
            let waiting = self.entries.iter_mut().filter(|(_, entry)| entry.queued.is_some());
            let longest = waiting.min_by_key(|(_, entry)| entry.queued.as_ref().map(|queued| queued.since));
            let Some((source, entry)) = longest else { break };
            let Some(Queued { trigger, .. }) = entry.queued.take() else { break };
            entry.running = Some(trigger);
            entry.history.running_since = Some(now);
            entry.history.ever_ran = true;
            steps.push(Step::Start(source.clone(), trigger));
        }
        steps
    }

    /// A run that [`Step::Start`] began has ended.
    pub fn ended(&mut self, source: &SourceName, ending: Ending, now: Timestamp) -> Option<Step> {
        let entry = self.entries.get_mut(source)?;
        let trigger = entry.running.take()?;
        let began = entry.history.running_since.take().unwrap_or(now);
        entry.quiet_until = None;
        let slot = trigger.slot().unwrap_or(began);
        let attempt = if let Trigger::Retry { attempt, .. } = trigger { attempt } else { 1 };
        let mut step = None;
        match ending {
            Ending::Done | Ending::NeedsMending => entry.history.retry = None,
            Ending::MayPass => entry.history.retry = Some(Retry::after(slot, attempt, now)),
            Ending::NotNow(why) if matches!(trigger, Trigger::Slot(_) | Trigger::CatchUp(_)) => {
                step = Some(absent(source, Missed { first: slot, last: slot, slots: 1, why }, now));
            }
            // A first backup has no next slot soon, and a failed slot is still owed one.
            Ending::NotNow(_) => entry.history.retry = Some(Retry::after(slot, attempt, now)),
        }
        if entry.leaving {
            self.entries.remove(source);
        }
        step
    }

    /// When to tick again, should nothing end before.
    pub fn wake_at(&self, now: Timestamp) -> Timestamp {
        let wakes = self.entries.values().map(|entry| entry.quiet_until.unwrap_or(now));
        wakes.min().unwrap_or(now + IDLE).max(now)
    }

    /// When a source's next run is due, retries among them.
    pub fn next_run_at(&self, source: &SourceName) -> Option<Timestamp> {
        let entry = self.entries.get(source)?;
        entry.timing.schedule.as_ref().and(entry.quiet_until)
    }

    pub fn running(&self) -> impl Iterator<Item = (&SourceName, Timestamp)> {
        self.entries.iter().filter_map(|(source, entry)| Some((source, entry.history.running_since?)))
    }
}

fn absent(source: &SourceName, missed: Missed, now: Timestamp) -> Step {
    let Missed { first, last, slots, why } = missed;
    Step::Absent(Absence { source: source.clone(), first_slot: first, last_slot: last, slots, why, noted_at: now })
}
