//! window: the stretch of time that a picture shows, and how what lies in it is put into columns that can be told
//! apart.

use crate::{
    clock::{SignedDuration, Timestamp},
    health::{Rung, Story},
    layout::BackupId,
};
use std::collections::BTreeMap;

/// What a picture can show beside each other on a phone, and what keeps a page small.
pub const COLUMNS_MAX: usize = 56;
/// With fewer, a longer stretch is shown.
const POINTS_MIN: usize = 8;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// A fortnight is what is shown, unless there is too little to fill it, or too little in it.
const SPANS: [i64; 5] = [DAY, 3 * DAY, 14 * DAY, 90 * DAY, 400 * DAY];
const BUCKETS: [i64; 9] = [HOUR / 2, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 8 * DAY];

/// One backup, in however many vaults.
#[derive(Clone, Debug)]
pub struct Backup<'a> {
    pub id: &'a BackupId,
    pub sealed_at: Timestamp,
    pub took: SignedDuration,
    pub packed_bytes: u64,
    /// The highest that it has come in any vault.
    pub rung: Rung,
    pub suspect: bool,
    /// From some vault, before its lock lapsed.
    pub gone: bool,
}

/// Each backup once, the oldest first.
pub fn backups(story: &Story) -> Vec<Backup<'_>> {
    let mut backups: BTreeMap<&BackupId, Backup> = BTreeMap::new();
    for seen in &story.sightings {
        let gone = seen.gone_at.is_some();
        let backup = backups.entry(&seen.backup).or_insert(Backup {
            id: &seen.backup,
            sealed_at: seen.sealed_at,
            took: seen.took,
            packed_bytes: seen.packed_bytes,
            rung: seen.rung(),
            suspect: seen.suspect,
            gone,
        });
        backup.sealed_at = backup.sealed_at.min(seen.sealed_at);
        backup.rung = backup.rung.max(seen.rung());
        backup.suspect |= seen.suspect;
        backup.gone |= gone;
    }
    let mut backups: Vec<Backup> = backups.into_values().collect();
    backups.sort_by_key(|backup| backup.sealed_at);
    backups
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
    /// How long each column is; `None` where each point has its own.
    pub bucket: Option<SignedDuration>,
}

/// What lies in one stretch, and where its middle is.
#[derive(Debug)]
pub struct Column<T> {
    pub at: Timestamp,
    pub members: Vec<T>,
}

impl Window {
    /// The stretch until `now` that shows these instants, the oldest first, at their best.
    pub fn of(times: &[Timestamp], now: Timestamp) -> Self {
        let within = |span: i64| times.iter().filter(|at| **at >= before(now, span)).count();
        let span = SPANS.into_iter().find(|span| {
            let shown = within(*span);
            shown == times.len() || (*span >= 14 * DAY && shown >= POINTS_MIN)
        });
        let span = span.unwrap_or(SPANS[SPANS.len() - 1]);
        let crowded = within(span) > COLUMNS_MAX;
        let wide_enough = |bucket: &i64| span / bucket <= COLUMNS_MAX as i64;
        let bucket = BUCKETS.into_iter().find(wide_enough).filter(|_| crowded).map(SignedDuration::from_secs);
        Self { from: before(now, span), to: now, bucket }
    }

    pub fn holds(&self, at: Timestamp) -> bool {
        at >= self.from
    }

    pub fn span(&self) -> SignedDuration {
        self.to.duration_since(self.from)
    }

    /// How far along the picture, in percent; what is of a time to come stands at its end.
    pub fn along(&self, at: Timestamp) -> f64 {
        let share = at.duration_since(self.from).as_secs_f64() / self.span().as_secs_f64();
        (share * 100.0).clamp(0.0, 100.0)
    }

    /// Those within it, in columns, the oldest first.
    pub fn columns<T>(&self, points: impl IntoIterator<Item = (Timestamp, T)>) -> Vec<Column<T>> {
        let mut columns: BTreeMap<(i64, usize), Column<T>> = BTreeMap::new();
        for (index, (at, member)) in points.into_iter().filter(|(at, _)| self.holds(*at)).enumerate() {
            let (key, middle) = match self.bucket {
                None => ((at.as_second(), index), at),
                Some(bucket) => {
                    let begins = at.as_second().div_euclid(bucket.as_secs()) * bucket.as_secs();
                    ((begins, 0), Timestamp::from_second(begins + bucket.as_secs() / 2).unwrap_or(at))
                }
            };
            columns.entry(key).or_insert_with(|| Column { at: middle, members: Vec::new() }).members.push(member);
        }
        columns.into_values().collect()
    }
}

fn before(now: Timestamp, span: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_secs(span)).unwrap_or(Timestamp::MIN)
}
