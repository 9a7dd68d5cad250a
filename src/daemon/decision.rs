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

/// How old a recovery point may become where nobody said so: two of the pauses of the schedule, the longest of more
/// than a week, so that it is the same on each day of it; and some time to run.
pub fn expected_within(timing: &Timing, now: Timestamp) -> Option<SignedDuration> {
    const LOOKED_AT: SignedDuration = SignedDuration::from_hours(8 * 24);
    /// Eight days of a slot each minute; where there are more, no pause is long.
    const SLOTS_MAX: usize = 11_600;
    const TO_RUN: SignedDuration = SignedDuration::from_mins(10);
    let mut longest = None;
    let mut before = None;
    for slot in timing.schedule.as_ref()?.upcoming(&timing.zone, now).take(SLOTS_MAX) {
        longest = longest.max(before.map(|before| slot.duration_since(before)));
        before = Some(slot);
        if longest.is_some() && slot.duration_since(now) > LOOKED_AT {
            break;
        }
    }
    let longest = longest?;
    Some(longest * 2 + TO_RUN + timing.jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-21T{text}Z").parse().unwrap()
    }

    fn timing(schedule: &str) -> Timing {
        let schedule = Some(schedule.parse().unwrap());
        Timing { schedule, zone: jiff::tz::TimeZone::UTC, jitter: SignedDuration::ZERO }
    }

    /// Every slot until `accounted` is accounted for, and nothing else is known.
    fn history(accounted: &str) -> History {
        History { accounted: at(accounted), ever_ran: true, running_since: None, queued: false, retry: None }
    }

    fn retry(slot: &str, attempt: u32, not_before: &str) -> Option<Retry> {
        Some(Retry { slot: at(slot), attempt, not_before: at(not_before) })
    }

    /// What is begun, what is given up (first, last, how many), and when to look again.
    fn told(decision: &Decision) -> String {
        let time = |at: Timestamp| at.strftime("%H:%M:%S").to_string();
        let start = match decision.start {
            None => "nothing".to_owned(),
            Some(Trigger::Retry { slot, attempt }) => format!("retry {} {attempt}", time(slot)),
            Some(trigger) => format!("{} {}", trigger.word(), trigger.slot().map(time).unwrap_or_default()),
        };
        let missed = decision.missed.iter().map(|missed| {
            let why = missed.why.split(' ').take(2).collect::<Vec<_>>().join(" ");
            format!("; missed {}-{} {} {why}", time(missed.first), time(missed.last), missed.slots)
        });
        let wake = decision.wake_at.map_or("never".to_owned(), time);
        format!("{start}{}; wake {wake}", missed.collect::<String>())
    }

    #[test]
    fn decisions_are_these() {
        let running = |accounted| History { running_since: Some(at("11:50:00")), ..history(accounted) };
        let table: Vec<(&str, &str, History, &str)> = vec![
            ("a slot has come", "12:00:01", history("11:45:00"), "slot 12:00:00; wake 12:15:00"),
            ("none has", "11:59:59", history("11:45:00"), "nothing; wake 12:00:00"),
            ("it was run", "12:00:01", history("12:00:00"), "nothing; wake 12:15:00"),
            ("late", "12:02:00", history("11:45:00"), "catch-up 12:00:00; wake 12:15:00"),
            (
                "an hour of downtime",
                "12:00:10",
                history("11:00:00"),
                "slot 12:00:00; missed 11:15:00-11:45:00 3 nobody was; wake 12:15:00",
            ),
            (
                "the last run still goes on",
                "12:00:01",
                running("11:45:00"),
                "nothing; missed 12:00:00-12:00:00 1 the run; wake 12:15:00",
            ),
            ("no run ever", "11:50:00", History { ever_ran: false, ..history("11:49:00") }, "first ; wake 12:00:00"),
            (
                "no run ever, and it waits for a place",
                "11:50:00",
                History { ever_ran: false, queued: true, ..history("11:49:00") },
                "nothing; wake 12:00:00",
            ),
            (
                "a retry is due",
                "11:50:00",
                History { retry: retry("11:45:00", 3, "11:49:59"), ..history("11:45:00") },
                "retry 11:45:00 3; wake 12:00:00",
            ),
            (
                "a retry is not due yet",
                "11:50:00",
                History { retry: retry("11:45:00", 3, "11:51:00"), ..history("11:45:00") },
                "nothing; wake 11:51:00",
            ),
            (
                "a new slot comes before a retry",
                "12:00:00",
                History { retry: retry("11:45:00", 3, "12:00:00"), ..history("11:45:00") },
                "slot 12:00:00; wake 12:15:00",
            ),
            (
                "the clock went back by half an hour: slots that were run are waited for",
                "11:30:30",
                history("12:00:00"),
                "nothing; wake 12:15:00",
            ),
            (
                "and by two hours: nobody waits so long",
                "10:00:30",
                history("12:00:00"),
                "nothing; missed 10:00:30-12:00:00 0 the clock; wake 10:15:00",
            ),
            (
                "a retry that a clock which went back has moved away",
                "11:50:00",
                History { retry: retry("11:45:00", 2, "12:20:00"), ..history("11:45:00") },
                "retry 11:45:00 2; wake 12:00:00",
            ),
        ];
        for (what, now, history, expected) in table {
            let decision = decide(at(now), "app", &timing("*/15 * * * *"), &history);
            assert_eq!(told(&decision), expected, "{what}");
        }
    }

    #[test]
    fn jitter_moves_the_beginning_and_not_the_slot() {
        let timing = Timing { jitter: SignedDuration::from_secs(60), ..timing("0 * * * *") };
        let begins = decide(at("11:30:00"), "app", &timing, &history("11:00:00")).wake_at.unwrap();
        assert!(begins > at("12:00:00") && begins < at("12:01:00"), "{begins}");
        assert_eq!(decide(begins - SignedDuration::from_secs(1), "app", &timing, &history("11:00:00")).start, None);
        let decision = decide(begins, "app", &timing, &history("11:00:00"));
        assert_eq!((decision.start, decision.accounted), (Some(Trigger::Slot(at("12:00:00"))), Some(at("12:00:00"))));
    }

    #[test]
    fn retries_wait_longer_each_time_and_never_longer_than_a_quarter_of_an_hour() {
        let now = at("12:00:00");
        let waits =
            [1, 2, 3, 4, 5, 6, 60].map(|attempt| Retry::after(now, attempt, now).not_before.duration_since(now));
        assert_eq!(waits.map(|wait| wait.as_secs()), [30, 60, 120, 240, 480, 900, 900]);
    }

    #[test]
    fn without_a_schedule_nothing_is_ever_due() {
        let timing = Timing { schedule: None, ..timing("* * * * *") };
        let never = History { ever_ran: false, ..history("00:00:00") };
        assert_eq!(decide(at("12:00:00"), "app", &timing, &never), Decision::default());
    }

    #[test]
    fn what_nobody_expects_is_expected_within_two_pauses_of_the_schedule() {
        let within = |schedule| expected_within(&timing(schedule), at("12:00:00")).unwrap();
        assert_eq!(within("*/15 * * * *"), SignedDuration::from_mins(40));
        assert_eq!(within("0 3 1 1 *"), SignedDuration::from_mins(10) + SignedDuration::from_hours(2 * 24 * 365));
        let at_work = |now: &str| expected_within(&timing("*/5 8-18 * * 1-5"), now.parse().unwrap()).unwrap();
        let days = ["2026-11-20T17:00:00Z", "2026-11-21T12:00:00Z", "2026-11-23T12:00:00Z"].map(at_work);
        assert_eq!(days, [SignedDuration::from_mins(10 + 2 * (61 * 60 + 5)); 3]);
        assert_eq!(within("0 3 * * 1-5"), SignedDuration::from_mins(10) + SignedDuration::from_hours(2 * 72));
    }
}
