//! Tests of what holds for all the slots of a year, in zones whose clocks change in each way.

use super::*;
use jiff::{ToSpan as _, civil::date};

const YEARS: [(&str, i16); 8] = [
    ("UTC", 2026),
    ("Europe/Berlin", 2026),
    ("America/New_York", 2026),
    ("Australia/Lord_Howe", 2026),
    ("Africa/Cairo", 2026),
    ("Africa/Casablanca", 2026),
    ("America/Sao_Paulo", 2018),
    ("Pacific/Apia", 2011),
];

/// The instants at which a civil year begins and ends, each less one second: a slot of midnight is in its year.
fn year(zone: &TimeZone, year: i16) -> (Timestamp, Timestamp) {
    let begins = |year| date(year, 1, 1).to_zoned(zone.clone()).unwrap().timestamp() - 1.second();
    (begins(year), begins(year + 1))
}

#[test]
fn a_year_of_slots_is_in_order_and_the_same_from_wherever_it_is_asked_for() {
    for (name, number) in YEARS {
        let zone = zone(name);
        let (begins, ends) = year(&zone, number);
        for text in ["*/15 * * * *", "7,52 * * * *", "*/20 0-4 * * *", "0 3 * * 1-5", "59 23 1,15 * 0", "13 */5 * * *"]
        {
            let schedule = schedule(text);
            let slots: Vec<_> = schedule.upcoming(&zone, begins).take_while(|slot| *slot <= ends).collect();
            assert!(slots.is_sorted_by(|one, other| one < other), "{text} in {name}");
            let told = Slots { count: slots.len(), more: false, last: slots.last().copied() };
            assert_eq!(schedule.slots(&zone, begins, ends), told, "{text} in {name}");
            for change in zone.following(begins).take_while(|change| change.timestamp() < ends) {
                for seconds in (-30 * 3600..30 * 3600).step_by(1777) {
                    let after = change.timestamp() + SignedDuration::from_secs(seconds);
                    let index = slots.partition_point(|slot| *slot <= after);
                    let Some(expected) = slots.get(index) else { continue };
                    assert_eq!(schedule.next(&zone, after), Some(*expected), "{text} in {name} after {after}");
                }
            }
        }
    }
}

#[test]
fn a_daily_schedule_has_one_slot_on_each_day_of_the_year() {
    for (name, number) in YEARS.into_iter().filter(|(name, _)| *name != "Pacific/Apia") {
        let zone = zone(name);
        let (begins, ends) = year(&zone, number);
        let days: Vec<_> = date(number, 1, 1).series(1.day()).take_while(|day| day.year() == number).collect();
        for text in ["0 0 * * *", "30 0 * * *", "30 1 * * *", "0 2 * * *", "30 2 * * *", "59 59 2 * * *", "30 23 * * *"]
        {
            let schedule = schedule(text);
            let slots = schedule.upcoming(&zone, begins).take_while(|slot| *slot <= ends);
            let found: Vec<_> = slots.map(|slot| zone.to_datetime(slot).date()).collect();
            assert_eq!(found, days, "{text} in {name}");
        }
    }
}

#[test]
fn every_quarter_of_an_hour_is_one_through_every_change() {
    for (name, number) in YEARS {
        let zone = zone(name);
        let (begins, ends) = year(&zone, number);
        let schedule = schedule("*/15 * * * *");
        let slots: Vec<_> = schedule.upcoming(&zone, begins).take_while(|slot| *slot <= ends).collect();
        let quarter = SignedDuration::from_mins(15);
        assert!(slots.windows(2).all(|pair| pair[1].duration_since(pair[0]) == quarter), "{name}");
    }
}

#[test]
fn the_ends_of_time_have_an_answer() {
    for name in ["UTC", "Europe/Berlin", "America/New_York", "Africa/Casablanca"] {
        let (zone, minutely, rare) = (zone(name), schedule("* * * * *"), schedule("0 0 29 2 */6"));
        for schedule in [&minutely, &rare] {
            assert_eq!(schedule.next(&zone, Timestamp::MAX), None);
            assert_eq!(schedule.next(&zone, at("2101-01-02T00:00Z")), None);
            assert!(schedule.next(&zone, Timestamp::MIN) < Some(at("1977-01-01T00:00Z")));
        }
        assert_eq!(rare.upcoming(&zone, at("2026-01-01T00:00Z")).count(), 5); // a Saturday or Sunday, to 2100
    }
}
