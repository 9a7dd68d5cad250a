//! cuts: where a stream without rows of ours is cut: where its own bytes say so.
//!
//! At fixed distances one byte more (a sequence that has come from 99 to 100) would move all that follows, and a large
//! object that did not change would be another segment in every backup.

use crate::segment::RAW_BYTES_MAX;

/// The first segment holds the archive's time, so it is another one in each run: it is to end early.
const FIRST: Width = Width { bytes_min: 64 << 10, bits: 18 };
/// 12 MiB in the mean.
const OTHERS: Width = Width { bytes_min: 4 << 20, bits: 23 };

#[derive(Clone, Copy)]
struct Width {
    bytes_min: usize,
    /// One position in 2^bits ends a segment.
    bits: u32,
}

/// Looks at the 64 bytes before each position ("gear": the older a byte, the higher it was shifted).
pub struct Cutter {
    width: Width,
    /// Bytes of the segment that is being filled.
    filled: usize,
    hash: u64,
}

impl Cutter {
    pub fn new() -> Self {
        Self { width: FIRST, filled: 0, hash: 0 }
    }

    /// How many of the stream's next `bytes` still belong to the segment; `None`: all, and it goes on.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            self.hash = (self.hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
            self.filled += 1;
            let Width { bytes_min, bits } = self.width;
            let chosen = self.filled >= bytes_min && self.hash >> (u64::BITS - bits) == 0;
            if chosen || self.filled == RAW_BYTES_MAX {
                *self = Self { width: OTHERS, filled: 0, hash: self.hash };
                return Some(at + 1);
            }
        }
        None
    }
}

/// Any 256 numbers without order do, as long as they stay: these are of splitmix64.
const GEAR: [u64; 256] = {
    let mut gear = [0; 256];
    let mut state = 0_u64;
    let mut at = 0;
    while at < gear.len() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        gear[at] = mixed ^ (mixed >> 31);
        at += 1;
    }
    gear
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The segments of `stream`, read in chunks of any sizes.
    fn segments(stream: &[u8], chunk_bytes: usize) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::new();
        let mut segments = vec![Vec::new()];
        for chunk in stream.chunks(chunk_bytes) {
            let mut rest = chunk;
            while let Some(end) = cutter.end(rest) {
                segments.last_mut().unwrap().extend_from_slice(&rest[..end]);
                segments.push(Vec::new());
                rest = &rest[end..];
            }
            segments.last_mut().unwrap().extend_from_slice(rest);
        }
        segments
    }

    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..bytes).map(|_| next()).collect()
    }

    #[test]
    fn bytes_decide_where_a_stream_is_cut_and_not_how_it_was_read() {
        let stream = noise(60 << 20);
        let whole = segments(&stream, 65_536);
        assert_eq!(whole.concat(), stream);
        assert!((3..=15).contains(&whole.len()), "{} segments", whole.len());
        assert!(whole.iter().all(|segment| segment.len() <= RAW_BYTES_MAX));
        assert!(whole[0].len() < 4 << 20);
        assert_eq!(segments(&stream, 1_000_003), whole);

        // Another head, and one byte more in the middle: what lies elsewhere is cut as before.
        let middle = whole[0].len() + whole[1].len() + 1000;
        let changed = [b"another time", &stream[..middle], b"+", &stream[middle..]].concat();
        let known: BTreeSet<&[u8]> = whole.iter().map(Vec::as_slice).collect();
        let after = segments(&changed, 65_536);
        let new = after.iter().filter(|segment| !known.contains(segment.as_slice())).count();
        assert!(new <= 3 && after.len() > 3, "{new} of {} segments are new", after.len());
    }

    #[test]
    fn a_stream_without_any_choice_is_cut_where_a_segment_is_full() {
        let lengths: Vec<_> = segments(&vec![0; 70 << 20], 1 << 20).iter().map(Vec::len).collect();
        assert_eq!(lengths, [RAW_BYTES_MAX, RAW_BYTES_MAX, 6 << 20]);
    }
}
