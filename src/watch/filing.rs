//! filing: where a finished drill's report goes besides the catalog: into the state directory, and into its vault.

use crate::{
    drill::{self, Keeping},
    failure::with_causes,
    proof::DrillReport,
    role::Reporter,
};
use std::sync::Arc;

/// What is needed to keep a report.
#[derive(Clone)]
pub struct Desk {
    pub keeping: Arc<Keeping>,
    /// Of the vault that the drill read; `None` where no reports are deposited there.
    pub reporter: Option<Arc<Reporter>>,
}

/// Gives what failed.
pub async fn file(desk: &Desk, report: &DrillReport) -> Vec<String> {
    let (_, failure) = drill::keep(report, &desk.keeping, desk.reporter.as_deref()).await;
    failure.iter().map(|failure| with_causes(failure)).collect()
}
