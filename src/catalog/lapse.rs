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

/// A watcher remembers what lapsed for longer, as an audit asks for more than a year.
const SIGHTINGS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24 * 400);

/// The newest in its place stays, however old.
const FORGET_SIGHTINGS: &str = "
    DELETE FROM sightings WHERE coalesce(locked_until, sealed_at) < ?1
    AND EXISTS (SELECT 1 FROM sightings newer WHERE newer.source = sightings.source AND newer.place = sightings.place
                AND newer.sealed_at > sightings.sealed_at)";

/// The newest of each outcome stays: a source that was proven once is told how long ago.
const FORGET_DRILLS: &str = "
    DELETE FROM drills WHERE ended_at < ?1 AND EXISTS (SELECT 1 FROM drills newer WHERE newer.source = drills.source
    AND newer.outcome = drills.outcome AND newer.ended_at > drills.ended_at)";

impl Catalog {
    /// Forgets sightings whose locks have lapsed, and drills, of more than 400 days ago.
    pub async fn forget_sightings(&self, now: Timestamp) -> Result<(), CatalogError> {
        let horizon = At(now - SIGHTINGS_KEPT_FOR);
        let mut writing = self.store.begin().await?;
        let write = async {
            sqlx::query(FORGET_SIGHTINGS).bind(horizon).execute(&mut *writing).await?;
            sqlx::query(FORGET_DRILLS).bind(horizon).execute(&mut *writing).await
        };
        write.await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())
    }

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
