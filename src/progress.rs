//! progress: what a run has done so far, counted where it happens and read by whoever draws a bar.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters only ever grow; a reader sees each a moment late, which is all a bar needs.
#[derive(Debug, Default)]
pub struct Progress {
    expected_bytes: AtomicU64,
    raw_bytes: AtomicU64,
    packed_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    reused_bytes: AtomicU64,
    rows: AtomicU64,
    segments: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// An estimate of all that `raw_bytes` will reach; 0 until it is known.
    pub expected_bytes: u64,
    pub raw_bytes: u64,
    pub packed_bytes: u64,
    /// Put into vaults, and held by them already, over all of them.
    pub sent_bytes: u64,
    pub reused_bytes: u64,
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

    pub fn sent(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Relaxed);
    }

    pub fn reused(&self, bytes: u64) {
        self.reused_bytes.fetch_add(bytes, Relaxed);
    }

    pub fn seen(&self) -> Seen {
        Seen {
            expected_bytes: self.expected_bytes.load(Relaxed),
            raw_bytes: self.raw_bytes.load(Relaxed),
            packed_bytes: self.packed_bytes.load(Relaxed),
            sent_bytes: self.sent_bytes.load(Relaxed),
            reused_bytes: self.reused_bytes.load(Relaxed),
            rows: self.rows.load(Relaxed),
            segments: self.segments.load(Relaxed),
        }
    }
}
