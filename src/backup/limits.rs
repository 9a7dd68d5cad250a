//! limits: a run that takes too long, or in which nothing moves any more, is ended: its sessions close, its snapshot
//! is given up, and nothing stays behind that holds the source's vacuum back.

use super::BackupError;
use crate::{
    clock::{SignedDuration, spoken},
    progress::{Progress, Seen},
    run::Phase,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A run may take so long.
    pub deadline: SignedDuration,
    /// No byte was read or deposited for so long.
    pub stalled_after: SignedDuration,
}

/// How far a run has come, for those who watch it.
pub type Reached = Arc<Mutex<Phase>>;

const LOOK: Duration = Duration::from_millis(500);

/// Ends when the run must be ended, and says why. A seal that has begun is short, has limits of its own, and is let be.
pub async fn overrun(limits: Limits, progress: &Progress, reached: &Reached) -> BackupError {
    let began = Instant::now();
    let mut moved = (began, Seen::default());
    loop {
        tokio::time::sleep(LOOK).await;
        let seen = progress.seen();
        if seen != moved.1 {
            moved = (Instant::now(), seen);
        }
        if *reached.lock().expect("no holder panics") == Phase::Sealing {
            moved.0 = Instant::now();
        } else if began.elapsed() >= limits.deadline.unsigned_abs() {
            return BackupError::Overrun { after: spoken(limits.deadline) };
        } else if moved.0.elapsed() >= limits.stalled_after.unsigned_abs() {
            return BackupError::Stalled { after: spoken(limits.stalled_after), raw_bytes: seen.raw_bytes };
        }
    }
}
