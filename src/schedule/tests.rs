//! Tests of what is a schedule, what was missed, and how sources are spread; the clocks are in `slots` and `years`.

use super::*;
use crate::failure::Explain as _;

mod slots;
mod years;

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Each with its message and its hint.
const BAD: &[(&str, &str, &str)] = &[
    ("", "not five fields as in crontab(5), or six with seconds first, but 0", "Every 15 minutes: \"*/15 * * * *\""),
    ("* * * *", "or six with seconds first, but 4", "every night at 02:30: \"30 2 * * *\"."),
    ("0 0 0 1 1 * 2027", "or six with seconds first, but 7", "There is no field for years: leave it out."),
    ("@daily", "a shortcut that begins with @ is no schedule here", "Write \"0 0 * * *\"."),
    ("@weekly", "a shortcut that begins with @", "Write \"0 0 * * 0\"."),
    ("@reboot", "a shortcut that begins with @", "Every 15 minutes"),
    ("@every 5m", "a shortcut that begins with @", "Every 15 minutes"),
    ("60 * * * *", "minute: `60` is not within 0 to 59", "The order is: minute, hour, day of month"),
    ("60 * * * * *", "second: `60` is not within 0 to 59", "seconds before them"),
    ("0 24 * * *", "hour: `24` is not within 0 to 23", "The order is"),
    ("0 0 0 * *", "day of month: `0` is not within 1 to 31", "The order is"),
    ("0 0 1-32 * *", "day of month: `32` is not within 1 to 31", "The order is"),
    ("0 0 1 13 *", "month: `13` is not within 1 to 12", "The order is"),
    ("0 0 * * 8", "day of week: `8` is not within 0 to 7", "0 and 7 are Sunday, 1 is Monday."),
    ("0 2 * * 1 2027", "day of week: `2027` is not within 0 to 7", "0 and 7 are Sunday"),
    ("99999999999999 * * * *", "minute: `999999999999...` is not within 0 to 59", "The order is"),
    ("*/0 * * * *", "minute: `*/0` has a step of 0", "Leave the step out, or make it 1 or more."),
    (
        "*/90 * * * *",
        "minute: `*/90` steps over its whole range and leaves only 0",
        "Steps begin anew with each hour, day or month. If that is meant, write 0.",
    ),
    ("0 8-10/3 * * *", "hour: `8-10/3` steps over its whole range and leaves only 8", "write 8."),
    ("5/15 * * * *", "minute: `5/15` has a step, but no range to step through", "Write 5-59/15."),
    ("50-10 * * * *", "minute: `50-10` runs backwards", "Write 50-59,0-10."),
    ("0 0 1 nov-feb *", "month: `nov-feb` runs backwards", "Write 11-12,1-2."),
    ("0 0 ? * 1", "day of month: `?` is not of crontab(5)", "Write `*`."),
    ("0 0 L * *", "day of month: `L` is not of crontab(5)", "Only other schedulers know ?, L, W and #"),
    ("0 0 15W * *", "day of month: `15W` is not of crontab(5)", "Only other schedulers"),
    ("0 0 * * 5L", "day of week: `5L` is not of crontab(5)", "Only other schedulers"),
    ("0 0 * * mon#2", "day of week: `mon#2` is not of crontab(5)", "Only other schedulers"),
    ("0 0 * * ?/2", "day of week: `?/2` is not of crontab(5)", "Only other schedulers"),
    ("0 0 * * monday", "day of week: `monday` is neither a number nor a name like sun", "sun, mon, tue, wed, thu, fri"),
    ("0 0 1 june *", "month: `june` is neither a number nor a name like jan", "Names are the first three letters: jan"),
    ("every 15 minutes or so", "minute: `every` is not a number", "0,30, */15 or 0-30/10."),
    ("+5 * * * *", "minute: `+5` is not a number", "A field is `*`, numbers"),
    ("1.5 * * * *", "minute: `1.5` is not a number", "A field is"),
    ("0~30 * * * *", "minute: `0~30` is not a number", "A field is"),
    ("H * * * *", "minute: `H` is not a number", "A field is"),
    ("** * * * *", "minute: `**` is not a number", "A field is"),
    ("*-5 * * * *", "minute: `*` is not a number", "A field is"),
    ("1,,2 * * * *", "minute: something is missing beside a `,`, `-` or `/`", "A field is"),
    ("5- * * * *", "minute: something is missing beside", "A field is"),
    ("1--5 * * * *", "minute: `-5` is not a number", "A field is"),
    ("*/ * * * *", "minute: something is missing beside", "A field is"),
    ("*/a * * * *", "minute: `a` is not a number", "A field is"),
    ("*/5/5 * * * *", "minute: `5/5` is not a number", "A field is"),
    ("ä * * * *", "minute: `ä` is not a number", "A field is"),
    ("0 0 * * äöü", "day of week: `äöü` is neither", "Names are"),
    ("correct-horse-battery-staple * * * *", "minute: `correct` is not a number", "A field is"),
    ("correcthorsebatterystaple * * * *", "minute: `correcthorse...` is not a number", "A field is"),
    (
        "0 0 31 2 *",
        "never comes: none of its months has such a day",
        "Few months have a day 31, and February has 28 or 29.",
    ),
    ("0 0 31 2,4,6,9,11 *", "never comes: none of its months has such a day", "Few months"),
];

#[test]
fn what_crontab_does_not_know_is_refused_with_the_field_and_a_hint() {
    for (text, message, hint) in BAD {
        let Err(error) = text.parse::<Schedule>() else { panic!("`{text}` is accepted") };
        let (said, hinted) = (error.to_string(), error.hint().unwrap());
        assert!(said.contains(message) && hinted.contains(hint), "`{text}`: {said}\n  hint: {hinted}");
    }
}

#[test]
fn what_is_written_is_what_is_shown_and_every_value_can_be_written() {
    for text in
        ["0-59 0-59 0-23 1-31 1-12 0-7", " */15  * * *\t* ", "0 2 * * MON-fri", "00 07 * JAN-Dec Sun", "0 0 30 2 1"]
    {
        let schedule = schedule(text);
        assert_eq!(schedule.to_string(), text.trim());
        assert_eq!(schedule, schedule.clone());
        assert_eq!(format!("{schedule:?}"), format!("Schedule({})", text.trim()));
    }
    assert_ne!(schedule("0 2 * * *"), schedule("0 3 * * *"));
}

#[test]
fn what_a_downtime_missed_is_counted() {
    let berlin = zone("Europe/Berlin");
    let slots = |text: &str, after, until| schedule(text).slots(&berlin, at(after), at(until));
    let weeks = slots("30 2 * * *", "2026-03-15T02:30+01", "2026-04-05T02:30+02");
    assert_eq!(weeks, Slots { count: 21, more: false, last: Some(at("2026-04-05T02:30+02")) });
    let none = slots("30 2 * * *", "2026-03-15T02:30+01", "2026-03-16T02:29:59.9+01");
    assert_eq!(none, Slots { count: 0, more: false, last: None });
    let backwards = slots("30 2 * * *", "2026-03-15T02:30+01", "2026-03-01T00:00+01");
    assert_eq!(backwards, none);
    let exactly = slots("* * * * *", "2026-01-01T00:00Z", "2026-03-11T10:40Z");
    assert_eq!(exactly, Slots { count: COUNTED_MAX, more: false, last: Some(at("2026-03-11T10:40Z")) });
    let year = slots("*/1 * * * *", "2026-01-01T00:00Z", "2027-01-01T00:00:59.5Z");
    assert_eq!(year, Slots { count: COUNTED_MAX, more: true, last: Some(at("2027-01-01T00:00Z")) });
    let seconds = slots("* * * 1 1 *", "2025-12-30T00:00Z", "2027-12-01T00:00Z");
    assert_eq!(seconds, Slots { count: COUNTED_MAX, more: true, last: Some(at("2027-01-01T23:59:59+01")) });
}

#[test]
fn a_source_begins_a_part_of_the_way_that_is_its_own() {
    let (slot, minute) = (at("2026-11-21T12:00:00Z"), SignedDuration::from_mins(1));
    let next = Some(at("2026-11-21T12:15:00Z"));
    let app = jitter("app", slot, minute, next);
    assert_eq!(app, jitter("app", at("2026-11-21T12:15:00Z"), minute, Some(at("2026-11-21T12:30:00Z"))));
    assert_eq!(app.as_millis(), 22_364); // the hash is XXH3 for ever: an upgrade moves no backup

    let names: Vec<String> = (0..1000).map(|number| format!("shop-{number}")).collect();
    let waits: Vec<_> = names.iter().map(|name| jitter(name, slot, minute, next)).collect();
    assert!(waits.iter().all(|wait| (SignedDuration::ZERO..minute).contains(wait)));
    let early = waits.iter().filter(|wait| wait.as_secs() < 30).count();
    assert!((400..600).contains(&early), "{early}");

    let hour = SignedDuration::from_hours(1);
    assert!(names.iter().all(|name| jitter(name, slot, hour, next) < SignedDuration::from_secs(90)));
    assert!(names.iter().any(|name| jitter(name, slot, hour, None) > SignedDuration::from_mins(50)));
    for nothing in [SignedDuration::ZERO, -minute] {
        assert_eq!(jitter("app", slot, nothing, next), SignedDuration::ZERO);
    }
    assert_eq!(jitter("app", slot, minute, Some(slot)), SignedDuration::ZERO);
    assert!(jitter("app", slot, SignedDuration::MAX, None) < SignedDuration::MAX);
}
