//! books: what the daemon writes into the catalog by itself, and what it puts on the board out of it.

use super::{Daemon, ledger};
use crate::{
    catalog::{Catalog, CatalogError},
    clock::Timestamp,
    failure::with_causes,
    run::Absence,
    service::CATALOG_WITHIN,
};

impl Daemon {
    pub(super) fn note(&mut self, absence: Absence) {
        let Absence { source, first_slot, last_slot, slots, why, .. } = &absence;
        tracing::warn!(%source, %first_slot, %last_slot, slots, why, "not backed up");
        self.unwritten.push(absence);
    }

    /// Those that the catalog cannot be told of now are written when it can.
    pub(super) async fn write_absences(&mut self) {
        while let Some(absence) = self.unwritten.first() {
            let writing = async {
                let catalog = Catalog::open(&self.state_dir, self.clock.now()).await?;
                catalog.absent(absence).await?;
                catalog.close().await;
                Ok::<_, CatalogError>(())
            };
            match tokio::time::timeout(CATALOG_WITHIN, writing).await {
                Ok(Ok(())) => drop(self.unwritten.remove(0)),
                Ok(Err(error)) => {
                    tracing::error!(error = with_causes(&error), "the catalog does not know of absences yet");
                    return;
                }
                Err(_elapsed) => {
                    tracing::error!("the catalog does not answer, and does not know of absences yet");
                    return;
                }
            }
        }
    }

    /// Puts what the catalog says on the board.
    pub(super) async fn post(&self, now: Timestamp) -> Result<(), CatalogError> {
        let catalog = Catalog::open(&self.state_dir, now).await?;
        let mut facts = ledger::facts(&catalog, &self.charges, Some(&self.agenda), now).await?;
        ledger::overlay(&mut facts, &self.last_runs);
        let totals = ledger::by_source(catalog.totals().await?);
        catalog.close().await;
        self.board.update(|shown| {
            shown.facts = facts;
            shown.totals.runs = totals;
        });
        Ok(())
    }
}
