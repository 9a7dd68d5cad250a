//! decision: what one source is to do now, from the time and its history alone.

use crate::{
    clock::{SignedDuration, Timestamp, spoken},
    run::Trigger,
    schedule::{self, Schedule},
};

/// Begun so much later than its slot, a run is one that catches up.
const LATE: SignedDuration = SignedDuration::from_secs(60);
/// A clock that goes back by less is waited for, as slots that were run must not run again; by more, nobody knows how
/// long the wait would be, and a slot twice is better than a day without any.
const BACKWARD_MAX: SignedDuration = SignedDuration::from_hours(1);
const RETRY_FIRST: SignedDuration = SignedDuration::from_secs(30);
const RETRY_MAX: SignedDuration = SignedDuration::from_mins(15);

/// When a source is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// `None`: only when somebody asks.
    pub schedule: Option<Schedule>,
    pub zone: jiff::tz::TimeZone,
    pub jitter: SignedDuration,
}

/// What is known of a source's runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Every slot until then was run, or its absence has a recorded reason.
    pub accounted: Timestamp,
    pub ever_ran: bool,
    pub running_since: Option<Timestamp>,
    /// A run that is due waits for a free place.
    pub queued: bool,
    pub retry: Option<Retry>,
}

/// A run that failed, and may succeed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    pub slot: Timestamp,
    /// Of the run that is to come: 2 for the first retry.
    pub attempt: u32,
    pub not_before: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The new [`History::accounted`], where it moves.
    pub accounted: Option<Timestamp>,
    pub missed: Vec<Missed>,
    pub start: Option<Trigger>,
    /// When to ask again, should nothing happen before.
    pub wake_at: Option<Timestamp>,
}

/// Slots at which nothing will be run any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    pub first: Timestamp,
    pub last: Timestamp,
    pub slots: u64,
    pub why: String,
}

impl Retry {
    /// After `attempt` failures in a row at `now`: 30 s, 1 min, 2 min, ... 15 min.
    pub fn after(slot: Timestamp, attempt: u32, now: Timestamp) -> Self {
        let wait = RETRY_FIRST * 2_i32.pow(attempt.saturating_sub(1).min(10));
        Self { slot, attempt: attempt + 1, not_before: now + wait.min(RETRY_MAX) }
    }

    fn is_due(self, now: Timestamp) -> bool {
        // A time that no backoff can have meant is a clock's that has gone back.
        self.not_before <= now || self.not_before > now + RETRY_MAX
    }
}

/// `source` is the name, which alone decides its jitter.
pub fn decide(now: Timestamp, source: &str, timing: &Timing, history: &History) -> Decision {
    let Some(schedule) = &timing.schedule else { return Decision::default() };
    let mut decision = Decision::default();
    let mut accounted = history.accounted;
    if accounted.duration_since(now) > BACKWARD_MAX {
        let why = format!("the clock went back from {accounted} to {now}: slots between may be run again");
        decision.missed.push(Missed { first: now, last: accounted, slots: 0, why });
        accounted = now;
        decision.accounted = Some(now);
    }
    let begins = |slot: Timestamp| {
        let next = schedule.next(&timing.zone, slot);
        slot + schedule::jitter(source, slot, timing.jitter, next)
    };
    let mut passed = schedule.slots(&timing.zone, accounted, now);
    if let Some(last) = passed.last.filter(|last| begins(*last) > now) {
        passed = schedule.slots(&timing.zone, accounted, last - SignedDuration::from_nanos(1));
    }
    decision.wake_at = schedule.next(&timing.zone, passed.last.unwrap_or(accounted)).map(begins);

    if let Some(slot) = passed.last {
        decision.accounted = Some(slot);
        let first = schedule.next(&timing.zone, accounted).unwrap_or(slot);
        let slots = passed.count as u64;
        if let Some(since) = history.running_since {
            let why = format!("the run that began at {since} was still going");
            decision.missed.push(Missed { first, last: slot, slots, why });
            return decision;
        }
        if slots > 1 {
            let before = schedule.slots(&timing.zone, accounted, slot - SignedDuration::from_nanos(1));
            let last = before.last.unwrap_or(first);
            decision.missed.push(Missed { first, last, slots: slots - 1, why: NOBODY.to_owned() });
        }
        let late = now.duration_since(begins(slot)) > LATE;
        decision.start = Some(if late { Trigger::CatchUp(slot) } else { Trigger::Slot(slot) });
        return decision;
    }
    if history.running_since.is_some() || history.queued {
        return decision;
    }
    match history.retry {
        Some(retry) if retry.is_due(now) => {
            decision.start = Some(Trigger::Retry { slot: retry.slot, attempt: retry.attempt });
        }
        Some(retry) => decision.wake_at = decision.wake_at.into_iter().chain([retry.not_before]).min(),
        None if !history.ever_ran => decision.start = Some(Trigger::First),
        None => {}
    }
    decision
}

const NOBODY: &str = "nobody was there to run it: the daemon was down, the machine asleep, or its clock set forward";

/// How long ago, or until when, in the words of a log line.
pub fn told(trigger: Trigger, now: Timestamp) -> String {
    match trigger {
        Trigger::Asked => "asked for".to_owned(),
        Trigger::First => "there is no backup yet".to_owned(),
        Trigger::Slot(slot) => format!("due at {slot}"),
        Trigger::CatchUp(slot) => format!("was due at {slot}, {} ago", spoken(now.duration_since(slot))),
        Trigger::Retry { slot, attempt } => format!("attempt {attempt} for {slot}"),
    }
}

/// How old a recovery point may become where nobody said so: two of the schedule's longest pauses, and some time to
/// run.
pub fn expected_within(timing: &Timing, now: Timestamp) -> Option<SignedDuration> {
    const LOOKED_AT: usize = 200;
    const TO_RUN: SignedDuration = SignedDuration::from_mins(10);
    let slots: Vec<_> = timing.schedule.as_ref()?.upcoming(&timing.zone, now).take(LOOKED_AT).collect();
    let longest = slots.windows(2).map(|pair| pair[1].duration_since(pair[0])).max()?;
    Some(longest * 2 + TO_RUN + timing.jitter)
}
