//! drill: a backup is restored into a scratch database, compared with what its manifest says of it, and the outcome
//! becomes a report. A backup that passed is proven.
//!
//! A drill always gives a report: what kept it from running is an outcome, never an error that somebody might lose.

pub use crate::source::sandbox::Sandbox;

use crate::{
    clock::{Clock, SignedDuration},
    layout::{DrillId, SourceName},
    progress::Progress,
    proof::DrillReport,
    role::{Restorer, Select},
    source::postgres::Address,
};
use std::path::PathBuf;

/// What is to be proven, and where.
#[derive(Clone, Debug)]
pub struct Order {
    pub source: SourceName,
    pub select: Select,
    /// A server that is there for it; `None`: one of the backup's own major version is started for the drill alone.
    pub to: Option<Address>,
    pub jobs: usize,
    /// Where PostgreSQL's programs are looked for before the usual places.
    pub client_path: Vec<PathBuf>,
    /// SQL whose first column must be true in the restored database.
    pub checks: Vec<String>,
    /// How long a restore may take.
    pub recovery_time: Option<SignedDuration>,
    pub limits: Limits,
    /// Who we are, for readers of several reports.
    pub host: String,
}

/// What a scratch server may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Where it is made, in a folder of its own that goes with it.
    pub scratch_dir: PathBuf,
    /// `None`: what is free there.
    pub disk_bytes_max: Option<u64>,
    pub deadline: SignedDuration,
    pub sandbox: Sandbox,
}

/// Runs one drill to its end, whatever that is. `id` names it.
pub async fn drill(restorer: &Restorer, order: &Order, id: DrillId, progress: &Progress, clock: Clock) -> DrillReport {
    let _ = (restorer, order, id, progress, clock);
    unreachable!("to be built")
}
