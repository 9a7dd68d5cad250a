//! Tests of pictures: what is shown, and how much of it.

use super::{window::COLUMNS_MAX, *};
use crate::{
    clock::{SignedDuration, Timestamp},
    health::{Rung, Story},
    page::specimen::{ago, now, span, story},
};

fn window(times: &[Timestamp]) -> (i64, Option<i64>) {
    let window = Window::of(times, now());
    (window.span().as_hours(), window.bucket.map(|bucket| bucket.as_mins()))
}

/// So many points with this pause between them, until now.
fn every(pause: &str, count: i32) -> Vec<Timestamp> {
    (0..count).rev().map(|back| now() - span(pause) * back).collect()
}

#[test]
fn a_fortnight_is_shown_unless_there_is_less_or_too_little_in_it() {
    assert_eq!(window(&every("15m", 40)), (24, None));
    assert_eq!(window(&every("15m", 90)), (24, Some(30)));
    assert_eq!(window(&every("1h", 50)), (72, None));
    assert_eq!(window(&every("1d", 14)), (336, None));
    assert_eq!(window(&every("15m", 10_000)), (336, Some(360)));
    assert_eq!(window(&every("1d", 300)), (336, None));
    assert_eq!(window(&every("1w", 12)), (90 * 24, None));
    assert_eq!(window(&every("1mo", 12)), (400 * 24, None));
    assert_eq!(window(&every("1d", 1)), (24, None));
}

#[test]
fn columns_are_few_and_hold_every_point_of_the_stretch() {
    for (pause, count) in [("1m", 30_000), ("15m", 1_344), ("1h", 336), ("1h", 2_000), ("7m", 200), ("1d", 400)] {
        let times = every(pause, count);
        let window = Window::of(&times, now());
        let columns = window.columns(times.iter().map(|at| (*at, *at)));
        // one more where the stretch begins amid a bucket
        assert!(columns.len() <= COLUMNS_MAX + 1, "{pause}: {}", columns.len());
        let held: usize = columns.iter().map(|column| column.members.len()).sum();
        assert_eq!(held, times.iter().filter(|at| window.holds(**at)).count(), "{pause}");
        assert!(columns.is_sorted_by_key(|column| column.at));
    }
}

#[test]
fn what_is_of_a_time_to_come_stands_at_the_end() {
    let window = Window::of(&[now() + SignedDuration::from_hours(3)], now());
    assert_eq!(window.along(now() + SignedDuration::from_hours(3)), 100.0);
    assert_eq!(window.along(now() - window.span() / 2), 50.0);
}

#[test]
fn a_backup_in_two_vaults_is_one_mark_on_the_highest_rung_that_it_has_come_to() {
    let mut story = story("app", 1, "6h");
    let mut second = story.sightings.clone();
    for seen in &mut second {
        seen.vault = "archive".into();
        (seen.confirmed_at, seen.proven_at) = (None, None);
    }
    second[1].gone_at = Some(ago("1h"));
    story.sightings.extend(second);
    let backups = backups(&story);
    let told: Vec<(Rung, bool)> = backups.iter().map(|backup| (backup.rung, backup.gone)).collect();
    let confirmed = (Rung::Confirmed, false);
    assert_eq!(told, [confirmed, (Rung::Confirmed, true), (Rung::Proven, false), (Rung::Sealed, false)]);
}

#[test]
fn suspect_and_gone_backups_are_marked_even_among_hundreds() {
    let mut story = story("app", 14, "15m");
    story.sightings[700].suspect = true;
    story.sightings[900].gone_at = Some(ago("1h"));
    let picture = climb(&story, now()).into_string();
    assert!(picture.contains("A mark stands for all backups of 6h 0m."), "{picture}");
    // one in the picture, one in its legend
    assert_eq!((picture.matches("#m-suspect").count(), picture.matches("#m-gone").count()), (2, 2));
    assert!(picture.contains("1 suspect, 1 gone"), "{picture}");
}

#[test]
fn where_there_is_no_past_there_is_no_picture() {
    let nothing = Story::default();
    assert_eq!(climb(&nothing, now()).into_string(), "");
    assert_eq!(measures(&nothing, &crate::health::Objectives::default(), now()).into_string(), "");
}
