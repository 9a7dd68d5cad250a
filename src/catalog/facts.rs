//! facts: what the catalog can say to `health` of each source and vault.

use super::{
    Catalog, CatalogError, Place,
    column::{At, Json, Word},
};
use crate::{
    clock::{SignedDuration, Timestamp},
    health::{SealedFacts, VaultFacts},
    layout::{BackupId, SourceName},
    manifest::LockMode,
};
use sqlx::SqliteConnection;

type SealedRow = (Word<BackupId>, At, At, Word<LockMode>, Option<At>, u64);

impl Catalog {
    /// Since when backups of `source` are expected: when it was first asked about.
    pub async fn first_seen(&self, source: &SourceName, now: Timestamp) -> Result<Timestamp, CatalogError> {
        let mut writing = self.store.begin().await?;
        let write = async {
            let see = sqlx::query("INSERT OR IGNORE INTO sources (source, first_seen_at) VALUES (?, ?)");
            see.bind(Word(source)).bind(At(now)).execute(&mut *writing).await?;
            let seen = sqlx::query_scalar("SELECT first_seen_at FROM sources WHERE source = ?").bind(Word(source));
            seen.fetch_one(&mut *writing).await
        };
        let At(first_seen_at) = write.await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())?;
        Ok(first_seen_at)
    }

    /// Since when backups of `source` are expected, if anybody has asked before.
    pub async fn seen_since(&self, source: &SourceName) -> Result<Option<Timestamp>, CatalogError> {
        let seen = sqlx::query_scalar("SELECT first_seen_at FROM sources WHERE source = ?").bind(Word(source));
        let seen: Option<At> =
            seen.fetch_optional(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(seen.map(|At(at)| at))
    }

    /// `every` is the vault's own, and passed through.
    pub async fn vault_facts(
        &self,
        place: Place<'_>,
        every: Option<SignedDuration>,
    ) -> Result<VaultFacts, CatalogError> {
        let mut reading = self.store.connection().await?;
        let read = async {
            let last_sealed = newest_sealed(&mut reading, place, false).await?;
            let last_good = newest_sealed(&mut reading, place, true).await?;
            let vault = place.vault.to_owned();
            Ok(VaultFacts {
                vault,
                every,
                last_sealed,
                last_good,
                failing: failing(&mut reading, place).await?,
                watched: None,
            })
        };
        read.await.map_err(self.store.failed())
    }

    /// Why the newest sealed backup of `source` looks wiped, in whichever vault it is.
    pub async fn suspicions(&self, source: &SourceName) -> Result<Vec<String>, CatalogError> {
        // By the order of runs, not of clocks: one that was ahead must not hide what came after.
        let newest = "SELECT suspicions FROM backups JOIN chains USING (chain)
                      LEFT JOIN runs ON runs.backup = backups.backup AND runs.source = chains.source
                      WHERE chains.source = ? ORDER BY runs.run DESC NULLS LAST, sealed_at DESC LIMIT 1";
        let newest = sqlx::query_scalar(newest).bind(Word(source));
        let newest: Option<Json<Vec<String>>> =
            newest.fetch_optional(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(newest.map(|Json(suspicions)| suspicions).unwrap_or_default())
    }
}

async fn newest_sealed(
    reading: &mut SqliteConnection,
    place: Place<'_>,
    good_only: bool,
) -> Result<Option<SealedFacts>, sqlx::Error> {
    let newest = "SELECT backup, snapshot_at, sealed_at, lock, locked_until, packed_bytes
                  FROM backups JOIN chains USING (chain) WHERE vault = ? AND source = ? AND place = ?
                  AND (suspicions = '[]' OR NOT ?) ORDER BY backups.sequence DESC LIMIT 1";
    let newest = sqlx::query_as(newest).bind(place.vault).bind(Word(place.source)).bind(place.address);
    let newest: Option<SealedRow> = newest.bind(good_only).fetch_optional(reading).await?;
    Ok(newest.map(|(Word(backup), At(snapshot_at), At(sealed_at), Word(lock), locked_until, packed_bytes)| {
        let locked_until = locked_until.map(|At(at)| at);
        SealedFacts { backup, snapshot_at, sealed_at, lock, locked_until, packed_bytes }
    }))
}

/// Why the vault's share of the last run that ended failed, or which promise it broke.
async fn failing(reading: &mut SqliteConnection, place: Place<'_>) -> Result<Option<String>, sqlx::Error> {
    let share = "SELECT why FROM shares WHERE vault = ?1 AND why IS NOT NULL
                 AND run = (SELECT max(run) FROM runs WHERE source = ?2 AND ended_at IS NOT NULL)";
    let share = sqlx::query_scalar(share).bind(place.vault).bind(Word(place.source));
    share.fetch_optional(reading).await
}
