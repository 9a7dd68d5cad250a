//! suspect: does a backup's data look wiped, or encrypted by somebody else? A pure comparison with the last good one.
//!
//! A suspect backup is sealed all the same: it may be the truth. It is never counted as the last good one, so that
//! neither an attacker nor an accident can make everybody look at an empty database and see a fresh backup.

mod redundancy;

pub use redundancy::{ByteCounts, Redundancy};

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// How much loss makes a table suspect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thresholds {
    pub rows_lost_percent: u32,
    pub bytes_lost_percent: u32,
    /// How much of what compression saves beyond counting letters may be gone: see [`Redundancy`].
    pub compression_lost_percent: u32,
    /// Tables that come, go, fill and empty by nature: `schema.table`, or how their names begin and `*`.
    pub ignore: Vec<String>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { rows_lost_percent: 50, bytes_lost_percent: 50, compression_lost_percent: 50, ignore: Vec::new() }
    }
}

/// A table of fewer rows that empties is everyday life; its disappearance is not.
const ROWS_MIN: u64 = 10;
/// Below these, a table that shrinks without emptying says little.
const SHRINKING_ROWS_MIN: u64 = 100;
const SHRINKING_BYTES_MIN: u64 = 64 << 10;

/// What a backup looked like, as far as the next one is compared with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Portrait {
    /// By `schema.table`; partitions, which come and go, under the name of the whole.
    pub tables: BTreeMap<String, Shape>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub rows: u64,
    /// Of COPY text.
    pub bytes: u64,
    #[serde(default)]
    pub redundancy: Redundancy,
}

/// One reason to look at a backup before trusting it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Suspicion {
    TableGone {
        table: String,
        rows: u64,
    },
    Emptied {
        table: String,
        rows: u64,
    },
    RowsCollapsed {
        table: String,
        from: u64,
        to: u64,
    },
    BytesCollapsed {
        table: String,
        from: u64,
        to: u64,
    },
    /// Percent that packing leaves of what random text of the same letters would pack to.
    Scrambled {
        table: String,
        from_percent: u64,
        to_percent: u64,
    },
}

impl Suspicion {
    /// What everybody may know of it: no name, no number.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TableGone { .. } => "table-gone",
            Self::Emptied { .. } => "emptied",
            Self::RowsCollapsed { .. } => "rows-collapsed",
            Self::BytesCollapsed { .. } => "bytes-collapsed",
            Self::Scrambled { .. } => "scrambled",
        }
    }
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TableGone { table, rows } => write!(f, "{table} is gone ({rows} rows in the last good backup)"),
            Self::Emptied { table, rows } => write!(f, "{table} has lost all of its {rows} rows"),
            Self::RowsCollapsed { table, from, to } => write!(f, "{table} fell from {from} rows to {to}"),
            Self::BytesCollapsed { table, from, to } => write!(f, "{table} fell from {from} bytes of text to {to}"),
            Self::Scrambled { table, from_percent, to_percent } => write!(
                f,
                "{table} packed to {from_percent} % of what random text would need, and now to {to_percent} %: is somebody encrypting the data?"
            ),
        }
    }
}

impl Portrait {
    pub fn add(&mut self, table: &str, shape: Shape) {
        let whole = self.tables.entry(table.to_owned()).or_default();
        whole.rows += shape.rows;
        whole.bytes += shape.bytes;
        whole.redundancy.add(shape.redundancy);
    }
}

/// Everything about `now` that a wipe, a restore of an empty database or an encryption would explain, given what the
/// last good backup looked like.
pub fn judge(good: &Portrait, now: &Portrait, thresholds: &Thresholds) -> Vec<Suspicion> {
    let mut found = Vec::new();
    let (mut rows_before, mut rows_now) = (0, 0);
    let (mut small_before, mut small_now) = (Redundancy::default(), Redundancy::default());
    for (table, was) in good.tables.iter().filter(|(table, _)| !ignored(table, &thresholds.ignore)) {
        rows_before += was.rows;
        let Some(is) = now.tables.get(table) else {
            let held_rows = was.rows > 0;
            found.extend(held_rows.then(|| Suspicion::TableGone { table: table.clone(), rows: was.rows }));
            continue;
        };
        rows_now += is.rows;
        found.extend(shrunk(table, *was, *is, thresholds));
        let (before, after) = (was.redundancy, is.redundancy);
        let small = before.percent_left().is_none() || after.percent_left().is_none();
        if small && after.unordered_bytes > 0 {
            small_before.add(before);
            small_now.add(after.as_large_as(before));
        }
    }
    // A whole database of tables too small to be judged alone.
    if found.is_empty() && rows_before >= ROWS_MIN && rows_now == 0 {
        found.push(Suspicion::Emptied { table: "the whole database".to_owned(), rows: rows_before });
    }
    found.extend(scrambled("small tables together", small_before, small_now, thresholds));
    found
}

fn shrunk(table: &str, was: Shape, is: Shape, thresholds: &Thresholds) -> Option<Suspicion> {
    let table_named = table.to_owned();
    if was.rows >= ROWS_MIN && is.rows == 0 {
        return Some(Suspicion::Emptied { table: table_named, rows: was.rows });
    }
    if was.rows >= SHRINKING_ROWS_MIN && lost_percent(was.rows, is.rows) >= thresholds.rows_lost_percent {
        return Some(Suspicion::RowsCollapsed { table: table_named, from: was.rows, to: is.rows });
    }
    if was.bytes >= SHRINKING_BYTES_MIN && lost_percent(was.bytes, is.bytes) >= thresholds.bytes_lost_percent {
        return Some(Suspicion::BytesCollapsed { table: table_named, from: was.bytes, to: is.bytes });
    }
    scrambled(table, was.redundancy, is.redundancy, thresholds)
}

/// Compression saves the more, the more order there is in data; ciphertext has none. So much of the saving is gone.
fn scrambled(table: &str, was: Redundancy, is: Redundancy, thresholds: &Thresholds) -> Option<Suspicion> {
    let (from_percent, to_percent) = (was.percent_left()?, is.percent_left()?);
    let saved = 100_u64.saturating_sub(from_percent);
    let saves = 100_u64.saturating_sub(to_percent);
    // What hardly packed before can hardly pack worse.
    let lost = saved >= 10 && lost_percent(saved, saves) >= thresholds.compression_lost_percent;
    lost.then(|| Suspicion::Scrambled { table: table.to_owned(), from_percent, to_percent })
}

fn lost_percent(from: u64, to: u64) -> u32 {
    let lost = u128::from(from.saturating_sub(to)) * 100 / u128::from(from.max(1));
    u32::try_from(lost).expect("at most 100")
}

fn ignored(table: &str, ignore: &[String]) -> bool {
    ignore.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => table.starts_with(beginning),
        None => pattern == table,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portrait(tables: &[(&str, u64, u64, u64)]) -> Portrait {
        let shape = |&(name, rows, bytes, packed): &(&str, u64, u64, u64)| {
            // Plain text's letters need about 60 % by themselves.
            let redundancy = Redundancy { unordered_bytes: bytes * 6 / 10, packed_bytes: packed };
            (name.to_owned(), Shape { rows, bytes, redundancy })
        };
        Portrait { tables: tables.iter().map(shape).collect() }
    }

    fn words(good: &Portrait, now: &Portrait) -> Vec<&'static str> {
        judge(good, now, &Thresholds::default()).iter().map(Suspicion::word).collect()
    }

    #[test]
    fn what_a_wipe_leaves_is_suspect_and_daily_life_is_not() {
        const MB: u64 = 1 << 20;
        let good =
            portrait(&[("s.orders", 50_000, 8 * MB, 2 * MB), ("s.lookup", 3, 60, 60), ("s.users", 12, 900, 500)]);
        let now = |orders: &[(&str, u64, u64, u64)]| {
            portrait(&[orders, &[("s.lookup", 3, 60, 60), ("s.users", 12, 900, 500)]].concat())
        };
        let cases: [(&str, Portrait, &[&str]); 9] = [
            ("nothing happened", good.clone(), &[]),
            ("growth", now(&[("s.orders", 90_000, 15 * MB, 4 * MB)]), &[]),
            ("a purge of a third", now(&[("s.orders", 34_000, 5 * MB, MB)]), &[]),
            ("DELETE of all rows, or TRUNCATE", now(&[("s.orders", 0, 0, 0)]), &["emptied"]),
            ("DELETE of most rows", now(&[("s.orders", 20_000, 3 * MB, MB)]), &["rows-collapsed"]),
            ("DROP TABLE", now(&[]), &["table-gone"]),
            ("all texts set to ''", now(&[("s.orders", 50_000, 3 * MB, MB)]), &["bytes-collapsed"]),
            ("ciphertext instead of text", now(&[("s.orders", 50_000, 9 * MB, 5 * MB)]), &["scrambled"]),
            ("an empty database", Portrait::default(), &["table-gone"; 3]),
        ];
        for (what, now, expected) in cases {
            assert_eq!(words(&good, &now), expected, "{what}");
        }
    }

    #[test]
    fn a_database_of_small_tables_that_is_emptied_is_suspect() {
        let good = portrait(&[("s.a", 5, 50, 50), ("s.b", 7, 70, 70)]);
        assert_eq!(words(&good, &portrait(&[("s.a", 0, 0, 0), ("s.b", 0, 0, 0)])), ["emptied"]);
        assert_eq!(words(&good, &portrait(&[("s.a", 0, 0, 0), ("s.b", 7, 70, 70)])), [""; 0]);
        // Those that are left out are no witnesses.
        let ignoring = Thresholds { ignore: vec!["s.jobs".to_owned()], ..Thresholds::default() };
        let wiped = portrait(&[("s.a", 0, 0, 0), ("s.b", 0, 0, 0), ("s.jobs", 9, 90, 90)]);
        assert_eq!(judge(&good, &wiped, &ignoring).len(), 1);
    }

    #[test]
    fn tables_that_empty_by_nature_can_be_named() {
        let good = portrait(&[
            ("s.jobs", 500, 50, 50),
            ("s.tmp_1", 500, 50, 50),
            ("cache.a", 7000, 70, 70),
            ("cached.b", 70, 7, 7),
        ]);
        let ignore = ["s.jobs", "s.tmp_*", "cache.*"].map(str::to_owned).to_vec();
        let found = judge(&good, &Portrait::default(), &Thresholds { ignore, ..Thresholds::default() });
        assert_eq!(found, [Suspicion::TableGone { table: "cached.b".to_owned(), rows: 70 }]);
    }

    #[test]
    fn data_that_hardly_packs_is_not_called_scrambled_for_packing_a_little_worse() {
        let images = |packed| portrait(&[("s.images", 100, 1 << 20, packed)]);
        assert_eq!(words(&images(600_000), &images(630_000)), [""; 0]);
    }

    #[test]
    fn small_tables_are_compared_with_themselves() {
        let names: Vec<String> = (0..20).map(|number| format!("s.t{number}")).collect();
        let tables = |packed| -> Vec<_> { names.iter().map(|name| (name.as_str(), 50, 10_000, packed)).collect() };
        let good = portrait(&tables(2000));
        assert_eq!(words(&good, &portrait(&tables(6000))), ["scrambled"]);
        // Who encrypts small ones into large ones is seen all the same.
        let larger: Vec<_> = names.iter().map(|name| (name.as_str(), 50, 60_000, 36_000)).collect();
        assert_eq!(words(&good, &portrait(&larger)), ["scrambled"]);
        // What is new, and one that has grown large, say little of those that stayed.
        let others = [("s.new", 900, 100_000, 60_000), ("s.t0", 900, 100_000, 60_000)];
        let now = portrait(&[&tables(2000)[1..], &others].concat());
        assert_eq!(words(&good, &now), [""; 0]);
    }
}
