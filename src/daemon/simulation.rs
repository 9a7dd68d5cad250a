//! simulation: a week of fifty sources in simulated time, with failures, downtime and clocks that jump. Every slot was
//! run once, or its absence has a recorded reason.

use super::{
    agenda::{Agenda, Ending, Expected, Remembered, Step},
    decision::Timing,
};
use crate::{
    clock::{SignedDuration, Timestamp},
    layout::SourceName,
    run::{Absence, Trigger},
};
use std::collections::{BTreeMap, BTreeSet};

const PLACES: usize = 4;
const SCHEDULES: [(&str, &str); 10] = [
    ("*/15 * * * *", "UTC"),
    ("*/5 * * * *", "Europe/Berlin"),
    ("30 2 * * *", "Europe/Berlin"),
    ("0 * * * *", "America/New_York"),
    ("0 3 * * 1-5", "Asia/Tokyo"),
    ("15 */6 * * *", "Australia/Lord_Howe"),
    ("0 0 * * *", "Africa/Cairo"),
    ("45 1,13 * * *", "Europe/Berlin"),
    ("*/10 8-18 * * 1-5", "UTC"),
    ("0 30 4 * * 0", "UTC"),
];

/// What happens to the machine.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    /// The daemon is killed, and is there again after a while.
    Down(SignedDuration),
    /// The clock jumps.
    Clock(SignedDuration),
}

/// Numbers that look random and are the same each time (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

struct Run {
    trigger: Trigger,
    ended: Option<Ending>,
}

struct World {
    sources: Vec<(SourceName, Timing)>,
    dice: Dice,
    agenda: Agenda,
    /// Real time, and what the clock shows beyond it.
    real: Timestamp,
    shift: SignedDuration,
    begun_at: Timestamp,
    /// Ends of what runs, in real time.
    under_way: BTreeMap<SourceName, (Timestamp, Ending)>,
    runs: BTreeMap<SourceName, Vec<Run>>,
    absences: Vec<Absence>,
    /// The highest slot that was accounted for, as the catalog would know it.
    accounted: BTreeMap<SourceName, Timestamp>,
}

impl World {
    fn new(seed: u64, begun_at: Timestamp) -> Self {
        let sources: Vec<_> = (0..50)
            .map(|number| {
                let (schedule, zone) = SCHEDULES[number % SCHEDULES.len()];
                let timing = Timing {
                    schedule: Some(schedule.parse().unwrap()),
                    zone: jiff::tz::TimeZone::get(zone).unwrap(),
                    jitter: SignedDuration::from_secs(30),
                };
                (format!("source-{number}").parse().unwrap(), timing)
            })
            .collect();
        let mut world = Self {
            sources,
            dice: Dice(seed),
            agenda: Agenda::new(PLACES),
            real: begun_at,
            shift: SignedDuration::ZERO,
            begun_at,
            under_way: BTreeMap::new(),
            runs: BTreeMap::new(),
            absences: Vec::new(),
            accounted: BTreeMap::new(),
        };
        world.begin();
        world
    }

    fn now(&self) -> Timestamp {
        self.real + self.shift
    }

    /// A daemon begins, and knows what the catalog knows.
    fn begin(&mut self) {
        let remember = |(source, timing): &(SourceName, Timing)| {
            let runs = self.runs.get(source);
            let last = runs.and_then(|runs| runs.last());
            let unfinished = last.filter(|run| run.ended != Some(Ending::Done)).and_then(|run| run.trigger.slot());
            let accounted = self.accounted.get(source).copied().unwrap_or(self.begun_at);
            let remembered = Remembered { accounted, ever_ran: runs.is_some(), unfinished };
            Expected { source: source.clone(), timing: timing.clone(), remembered }
        };
        let expected = self.sources.iter().map(remember).collect();
        self.agenda = Agenda::new(PLACES);
        self.agenda.expect(expected, PLACES, self.now());
    }

    fn account(&mut self, source: &SourceName, slot: Timestamp) {
        let accounted = self.accounted.entry(source.clone()).or_insert(slot);
        *accounted = slot.max(*accounted);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Absent(absence) => {
                if absence.slots == 0 {
                    self.accounted.insert(absence.source.clone(), absence.first_slot);
                } else {
                    self.account(&absence.source.clone(), absence.last_slot);
                }
                self.absences.push(absence);
            }
            Step::Start(source, trigger) => {
                assert!(!self.under_way.contains_key(&source), "{source} runs twice at once");
                assert!(self.under_way.len() < PLACES, "more than {PLACES} runs at once");
                if let Trigger::Retry { slot, .. } = trigger {
                    let before = self.runs.get(&source).and_then(|runs| runs.last());
                    let was_done = before.is_some_and(|run| run.ended == Some(Ending::Done));
                    assert!(!was_done, "{source} was done and is tried again for {slot}");
                }
                let ending = match self.dice.roll(20) {
                    0 | 1 => Ending::MayPass,
                    2 => Ending::NeedsMending,
                    3 => Ending::NotNow("another host runs it".to_owned()),
                    _ => Ending::Done,
                };
                let seconds = if self.dice.roll(40) == 0 { 4_000 } else { 5 + self.dice.roll(90) };
                let ends_at = self.real + SignedDuration::from_secs(i64::try_from(seconds).unwrap());
                // Who is told that somebody else runs it never begins a run.
                if !matches!(ending, Ending::NotNow(_)) {
                    trigger.slot().into_iter().for_each(|slot| self.account(&source, slot));
                    self.runs.entry(source.clone()).or_default().push(Run { trigger, ended: None });
                }
                self.under_way.insert(source, (ends_at, ending));
            }
        }
    }

    fn end_what_is_done(&mut self) {
        let done: Vec<_> =
            self.under_way.iter().filter(|(_, (at, _))| *at <= self.real).map(|(source, _)| source.clone()).collect();
        for source in done {
            let (_, ending) = self.under_way.remove(&source).unwrap();
            if !matches!(ending, Ending::NotNow(_)) {
                self.runs.get_mut(&source).unwrap().last_mut().unwrap().ended = Some(ending.clone());
            }
            let step = self.agenda.ended(&source, ending, self.now());
            step.into_iter().for_each(|step| self.take(step));
        }
    }

    fn live_until(&mut self, until: Timestamp, mut disturbances: Vec<(Timestamp, Disturbance)>) {
        disturbances.sort_by_key(|(at, _)| *at);
        let mut disturbances = disturbances.into_iter().peekable();
        while self.real < until {
            self.end_what_is_done();
            let steps = self.agenda.tick(self.now());
            steps.into_iter().for_each(|step| self.take(step));
            if let Some((_, disturbance)) = disturbances.next_if(|(at, _)| *at <= self.real) {
                match disturbance {
                    Disturbance::Clock(by) => self.shift += by,
                    Disturbance::Down(span) => {
                        self.under_way.clear();
                        self.real += span;
                        self.begin();
                    }
                }
                continue;
            }
            let ends = self.under_way.values().map(|(at, _)| *at).min();
            let wake = self.agenda.wake_at(self.now()) - self.shift;
            let next = [Some(wake), ends, disturbances.peek().map(|(at, _)| *at), Some(until)].into_iter().flatten();
            self.real = next.min().unwrap().max(self.real + SignedDuration::from_secs(1));
        }
    }

    /// Every slot of the source was run once, or is in one recorded absence, up to the last one accounted for.
    fn insist_on_every_slot(&self, source: &SourceName, timing: &Timing) -> usize {
        let schedule = timing.schedule.as_ref().unwrap();
        let last = self.accounted.get(source).copied().unwrap_or(self.begun_at);
        assert!(last <= self.now(), "{source}: {last} is in the future");
        let mut run: BTreeMap<Timestamp, usize> = BTreeMap::new();
        for Run { trigger, .. } in self.runs.get(source).into_iter().flatten() {
            if let Trigger::Slot(slot) | Trigger::CatchUp(slot) = trigger {
                *run.entry(*slot).or_default() += 1;
            }
        }
        let absences: Vec<_> = self.absences.iter().filter(|absence| absence.source == *source).collect();
        for absence in absences.iter().filter(|absence| absence.slots > 0) {
            let from = absence.first_slot - SignedDuration::from_secs(1);
            let slots = schedule.slots(&timing.zone, from, absence.last_slot);
            assert_eq!(slots.count as u64, absence.slots, "{absence:?}");
            assert!(!absence.why.is_empty());
        }
        let mut slots = 0;
        for slot in schedule.upcoming(&timing.zone, self.begun_at).take_while(|slot| *slot <= last) {
            let covers = |absence: &&&Absence| (absence.first_slot..=absence.last_slot).contains(&slot);
            let absent = absences.iter().filter(|absence| absence.slots > 0).filter(covers).count();
            let again = absences.iter().filter(|absence| absence.slots == 0).filter(covers).count();
            let times = run.remove(&slot).unwrap_or(0) + absent;
            assert!(times >= 1, "{source}: nothing is known of {slot}");
            assert!(times <= 1 + again, "{source}: {slot} was accounted for {times} times");
            slots += 1;
        }
        assert_eq!(run, BTreeMap::new(), "{source} was run when nothing was due");
        slots
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The week of 25 October 2026 and that of 29 March 2026 have the changes of Europe; New York's are nearby.
#[test]
fn in_a_week_of_failures_downtime_and_clock_changes_every_slot_is_run_once_or_has_a_reason() {
    use Disturbance::{Clock, Down};
    let (minutes, hours) = (SignedDuration::from_mins, SignedDuration::from_hours);
    let mut reasons = BTreeSet::new();
    for (seed, begun_at) in
        [(1, at("2026-10-21T07:03:11Z")), (2, at("2026-03-26T22:59:59Z")), (3, at("2026-01-01T00:00:00Z"))]
    {
        let mut world = World::new(seed, begun_at);
        let disturbances = vec![
            (begun_at + hours(9), Down(minutes(3))),
            (begun_at + hours(30), Down(hours(7))),
            (begun_at + hours(50), Clock(minutes(20))),
            (begun_at + hours(60), Clock(-minutes(20))),
            (begun_at + hours(75), Down(SignedDuration::from_secs(20))),
            (begun_at + hours(90), Clock(-hours(5))),
            (begun_at + hours(100), Clock(hours(5))),
            (begun_at + hours(120), Down(minutes(61))),
            (begun_at + hours(121) + minutes(10), Down(minutes(1))),
        ];
        world.live_until(begun_at + hours(24 * 7), disturbances);
        let slots: usize =
            world.sources.iter().map(|(source, timing)| world.insist_on_every_slot(source, timing)).sum();
        assert!(slots > 15_000, "{slots} slots");
        reasons.extend(world.absences.iter().map(|absence| absence.why.split([':', ' ']).next().unwrap().to_owned()));
        let caught_up = world.runs.values().flatten().filter(|run| matches!(run.trigger, Trigger::CatchUp(_))).count();
        assert!(caught_up >= 50, "each downtime is caught up with once, not {caught_up} times in all");
        assert!(world.runs.len() == 50, "every source was begun");
    }
    let expected = ["another", "nobody", "other", "the"].map(str::to_owned);
    assert_eq!(reasons, expected.into());
}
