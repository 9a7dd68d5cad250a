//! redundancy: how much order there is in a table's text: what packing leaves of it, beside what a coder would need
//! that knows only how often each byte occurs.
//!
//! Ciphertext has no order, whatever letters it is written in. Beside its plain size it would not show: hexadecimal
//! digits, which is how COPY writes bytea, pack to a half whatever they say, and many tables pack to no less.

use serde::{Deserialize, Serialize};

/// A quarter of the text is counted, in blocks: enough to know the letters by.
const BLOCK_BYTES: usize = 4096;
const ONE_BLOCK_IN: usize = 4;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Redundancy {
    /// What the text would need if its bytes came in any order (Shannon's entropy of order 0).
    pub unordered_bytes: u64,
    pub packed_bytes: u64,
}

/// Less packs too unevenly to compare.
const UNORDERED_BYTES_MIN: u64 = 32 << 10;

impl Redundancy {
    pub fn add(&mut self, other: Self) {
        self.unordered_bytes += other.unordered_bytes;
        self.packed_bytes += other.packed_bytes;
    }

    /// As if there were as much of it as of `other`: what grows does not outweigh what stays.
    pub(super) fn as_large_as(self, other: Self) -> Self {
        let scaled = self.packed_bytes.saturating_mul(other.unordered_bytes) / self.unordered_bytes.max(1);
        Self { unordered_bytes: other.unordered_bytes, packed_bytes: scaled }
    }

    /// What is left after packing, in percent; `None` where there is too little to tell.
    pub(super) fn percent_left(self) -> Option<u64> {
        let enough = self.unordered_bytes >= UNORDERED_BYTES_MIN;
        enough.then(|| self.packed_bytes.saturating_mul(100) / self.unordered_bytes)
    }
}

/// How often each byte occurs in a text that is being packed.
#[derive(Clone, Debug)]
pub struct ByteCounts {
    counts: [u64; 256],
    bytes: u64,
}

impl Default for ByteCounts {
    fn default() -> Self {
        Self { counts: [0; 256], bytes: 0 }
    }
}

impl ByteCounts {
    pub fn add(&mut self, text: &[u8]) {
        self.bytes += text.len() as u64;
        for block in text.chunks(BLOCK_BYTES).step_by(ONE_BLOCK_IN) {
            for byte in block {
                self.counts[usize::from(*byte)] += 1;
            }
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub fn unordered_bytes(&self) -> u64 {
        let counted = self.counts.iter().sum::<u64>() as f64;
        let bits = |count: &u64| -(*count as f64 / counted).log2() * *count as f64;
        let bits_each = self.counts.iter().filter(|count| **count > 0).map(bits).sum::<f64>() / counted.max(1.0);
        (bits_each * self.bytes as f64 / 8.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_alone_decide_what_their_text_would_need() {
        let needs = |letters: &[u8]| {
            let mut counts = ByteCounts::default();
            letters.repeat(100_000 / letters.len()).chunks(30_000).for_each(|text| counts.add(text));
            counts.unordered_bytes() * 100 / 100_000
        };
        assert_eq!(needs(b"a"), 0);
        assert_eq!(needs(b"ab"), 12);
        assert!((49..=50).contains(&needs(b"0123456789abcdef")));
        assert_eq!(ByteCounts::default().unordered_bytes(), 0);
    }
}
