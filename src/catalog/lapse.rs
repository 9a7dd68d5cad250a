//! lapse: what the catalog forgets, so that it does not grow for ever. The vaults themselves are not asked.

use super::{Catalog, CatalogError, column::At};
use crate::clock::{SignedDuration, Timestamp};

/// Thirteen months: a month can still be compared with the same one a year ago.
const HISTORY_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24 * 396);

/// What is newest in its place stays, however old: `health` says how old it is.
const FORGET_BACKUPS: &str = "
    DELETE FROM backups WHERE coalesce(locked_until < ?1, sealed_at < ?2)
    AND EXISTS (SELECT 1 FROM backups newer WHERE newer.chain = backups.chain AND newer.sealed_at > backups.sealed_at)
    AND (suspicions <> '[]' OR EXISTS (SELECT 1 FROM backups newer WHERE newer.chain = backups.chain
         AND newer.sealed_at > backups.sealed_at AND newer.suspicions = '[]'))";

impl Catalog {
    /// Forgets what no lock holds any more, and runs and absences of more than 13 months ago.
    pub async fn forget_lapsed(&self, now: Timestamp) -> Result<(), CatalogError> {
        let horizon = At(now - HISTORY_KEPT_FOR);
        let now = At(now);
        let mut writing = self.store.begin().await?;
        let write = async {
            let lapsed = "DELETE FROM segments WHERE locked_until IS NULL OR locked_until < ?";
            sqlx::query(lapsed).bind(now).execute(&mut *writing).await?;
            sqlx::query(FORGET_BACKUPS).bind(now).bind(horizon).execute(&mut *writing).await?;
            sqlx::query("DELETE FROM runs WHERE ended_at < ?").bind(horizon).execute(&mut *writing).await?;
            sqlx::query("DELETE FROM absences WHERE noted_at < ?").bind(horizon).execute(&mut *writing).await
        };
        write.await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())
    }
}
