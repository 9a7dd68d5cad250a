//! fingerprint: what a table's content is, whatever the order of its rows.
//!
//! The count of rows and the sum modulo 2^128 of the XXH3-128 hash of each row, a row being its COPY text
//! line without the newline. Sums do not depend on order, so a restored table gives the same value, and the
//! fingerprints of a table's page ranges add up to the table's. It proves equality against accident; against
//! forgery the digests in the signed manifest do.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    pub rows: u64,
    #[serde(with = "sum_as_hex")]
    pub sum: u128,
}

impl Fingerprint {
    /// Adds every row of `lines`: COPY text, each row ended by a newline (a row's own newlines are escaped).
    pub fn add_lines(&mut self, lines: &[u8]) {
        debug_assert!(lines.is_empty() || lines.ends_with(b"\n"), "rows are never split");
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', lines) {
            self.sum = self.sum.wrapping_add(xxh3_128(&lines[start..end]));
            self.rows += 1;
            start = end + 1;
        }
    }

    pub fn add(&mut self, other: Fingerprint) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

mod sum_as_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(sum: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{sum:032x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[u8]) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add_lines(lines);
        fingerprint
    }

    #[test]
    fn the_order_of_rows_and_cuts_does_not_matter() {
        let mut in_two = of(b"3\tc\n");
        in_two.add(of(b"2\tb\n1\ta\n"));
        assert_eq!(in_two, of(b"1\ta\n2\tb\n3\tc\n"));
    }

    #[test]
    fn any_changed_missing_or_doubled_row_shows() {
        let whole = of(b"1\ta\n2\tb\n");
        for other in [&b"1\ta\n2\tB\n"[..], b"1\ta\n", b"1\ta\n2\tb\n2\tb\n", b"\n\n", b""] {
            assert_ne!(of(other), whole);
        }
    }

    #[test]
    fn an_empty_row_is_a_row() {
        assert_eq!(of(b"\n").rows, 1);
    }
}
