//! suspect: does a backup's data look wiped, or encrypted by somebody else? A pure comparison with the last good one.
//!
//! A suspect backup is sealed all the same: it may be the truth. It is never counted as the last good one, so that
//! neither an attacker nor an accident can make everybody look at an empty database and see a fresh backup.

use crate::manifest::{Closed, Contents, Stream};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// How much loss makes a table suspect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thresholds {
    pub rows_lost_percent: u32,
    pub bytes_lost_percent: u32,
    /// How much of what compression saved may be gone: 50 lets data that packed to 20 % pack to 60 %.
    pub compression_lost_percent: u32,
    /// Tables that come, go, fill and empty by nature: `schema.table`, or `schema.*`.
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
/// Less text than this packs too unevenly to compare.
const PACKED_FROM_BYTES_MIN: u64 = 64 << 10;

/// What a backup looked like, as far as the next one is compared with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Portrait {
    /// By `schema.table`.
    pub tables: BTreeMap<String, Shape>,
    /// Segments that hold one table alone tell how it packs; all others tell it together.
    pub mixed: Packing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    pub rows: u64,
    /// Of COPY text.
    pub bytes: u64,
    pub packing: Packing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Packing {
    pub raw_bytes: u64,
    pub packed_bytes: u64,
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
    /// Percent of the plain text that is left after packing.
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
                "{table} packed to {from_percent} % and now to {to_percent} %: is somebody encrypting the data?"
            ),
        }
    }
}

impl Portrait {
    /// `packed_bytes` gives each segment's size after packing.
    pub fn of(closed: &Closed, packed_bytes: impl Fn(&Contents) -> u64) -> Self {
        let name = |index: usize| format!("{}.{}", closed.tables[index].schema, closed.tables[index].name);
        let shape = |index: usize| Shape {
            rows: closed.tables[index].fingerprint.rows,
            bytes: closed.tables[index].raw_bytes,
            packing: Packing::default(),
        };
        let mut tables: BTreeMap<_, _> = (0..closed.tables.len()).map(|index| (name(index), shape(index))).collect();
        let mut mixed = Packing::default();
        for segment in closed.segments.iter().filter(|segment| segment.stream == Stream::Data) {
            let mut held = segment.pieces.iter().filter(|piece| piece.rows > 0).map(|piece| piece.table);
            let alone = held.next().filter(|first| held.all(|other| other == *first));
            let table = alone.and_then(|table| tables.get_mut(&name(table as usize)));
            table.map_or(&mut mixed, |shape| &mut shape.packing).add(segment.raw_bytes, packed_bytes(segment));
        }
        Self { tables, mixed }
    }

    fn rows(&self) -> u64 {
        self.tables.values().map(|shape| shape.rows).sum()
    }
}

impl Packing {
    fn add(&mut self, raw_bytes: u64, packed_bytes: u64) {
        self.raw_bytes += raw_bytes;
        self.packed_bytes += packed_bytes;
    }

    fn percent(self) -> Option<u64> {
        (self.raw_bytes >= PACKED_FROM_BYTES_MIN).then(|| self.packed_bytes.saturating_mul(100) / self.raw_bytes)
    }
}

/// Everything about `now` that a wipe, a restore of an empty database or an encryption would explain, given what the
/// last good backup looked like.
pub fn judge(good: &Portrait, now: &Portrait, thresholds: &Thresholds) -> Vec<Suspicion> {
    let mut found = Vec::new();
    for (table, was) in good.tables.iter().filter(|(table, _)| !ignored(table, &thresholds.ignore)) {
        match now.tables.get(table) {
            None if was.rows == 0 => {}
            None => found.push(Suspicion::TableGone { table: table.clone(), rows: was.rows }),
            Some(is) => found.extend(shrunk(table, *was, *is, thresholds)),
        }
    }
    // A whole database of tables too small to be judged alone.
    let (from, to) = (good.rows(), now.rows());
    if found.is_empty() && thresholds.ignore.is_empty() && from >= ROWS_MIN && to == 0 {
        found.push(Suspicion::Emptied { table: "the whole database".to_owned(), rows: from });
    }
    found.extend(scrambled("small tables together", good.mixed, now.mixed, thresholds));
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
    scrambled(table, was.packing, is.packing, thresholds)
}

/// Compression saves the more, the more order there is in data; ciphertext has none. So much of the saving is gone.
fn scrambled(table: &str, was: Packing, is: Packing, thresholds: &Thresholds) -> Option<Suspicion> {
    let (from_percent, to_percent) = (was.percent()?, is.percent()?);
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
    ignore.iter().any(|pattern| {
        let whole_schema = pattern.strip_suffix('*').filter(|schema| schema.ends_with('.'));
        pattern == table || whole_schema.is_some_and(|schema| table.starts_with(schema))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portrait(tables: &[(&str, u64, u64, u64)]) -> Portrait {
        let shape = |&(name, rows, bytes, packed): &(&str, u64, u64, u64)| {
            let packing = Packing { raw_bytes: bytes, packed_bytes: packed };
            (name.to_owned(), Shape { rows, bytes, packing })
        };
        Portrait { tables: tables.iter().map(shape).collect(), mixed: Packing::default() }
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
            ("ciphertext instead of text", now(&[("s.orders", 50_000, 9 * MB, 7 * MB)]), &["scrambled"]),
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
    }

    #[test]
    fn tables_that_empty_by_nature_can_be_named() {
        let good = portrait(&[("s.jobs", 500, 50, 50), ("cache.a", 7000, 70, 70), ("cached.b", 70, 7, 7)]);
        let ignore = vec!["s.jobs".to_owned(), "cache.*".to_owned()];
        let found = judge(&good, &Portrait::default(), &Thresholds { ignore, ..Thresholds::default() });
        assert_eq!(found, [Suspicion::TableGone { table: "cached.b".to_owned(), rows: 70 }]);
    }

    #[test]
    fn data_that_hardly_packs_is_not_called_scrambled_for_packing_a_little_worse() {
        let images = |packed| portrait(&[("s.images", 100, 1 << 20, packed)]);
        assert_eq!(words(&images(1_000_000), &images(1_040_000)), [""; 0]);
    }
}
