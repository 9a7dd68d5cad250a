//! progress: what a run has done so far, counted where it happens and read by whoever draws a bar.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters only ever grow; a reader sees each a moment late, which is all a bar needs.
#[derive(Debug, Default)]
pub struct Progress {
    expected_bytes: AtomicU64,
    raw_bytes: AtomicU64,
    packed_bytes: AtomicU64,
    rows: AtomicU64,
    segments: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// An estimate of all that `raw_bytes` will reach; 0 until it is known.
    pub expected_bytes: u64,
    pub raw_bytes: u64,
    pub packed_bytes: u64,
    pub rows: u64,
    pub segments: u64,
}

impl Progress {
    pub fn expect(&self, bytes: u64) {
        self.expected_bytes.store(bytes, Relaxed);
    }

    pub fn read(&self, bytes: u64, rows: u64) {
        self.raw_bytes.fetch_add(bytes, Relaxed);
        self.rows.fetch_add(rows, Relaxed);
    }

    pub fn moved(&self, packed_bytes: u64) {
        self.packed_bytes.fetch_add(packed_bytes, Relaxed);
        self.segments.fetch_add(1, Relaxed);
    }

    pub fn seen(&self) -> Seen {
        Seen {
            expected_bytes: self.expected_bytes.load(Relaxed),
            raw_bytes: self.raw_bytes.load(Relaxed),
            packed_bytes: self.packed_bytes.load(Relaxed),
            rows: self.rows.load(Relaxed),
            segments: self.segments.load(Relaxed),
        }
    }
}
