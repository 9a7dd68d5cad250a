//! portraits: the shape of each source's last good backup, and of a newer suspect one until somebody accepts it.

use super::{Catalog, CatalogError, column::Word};
use crate::layout::{BackupId, SourceName};
use sqlx::SqliteConnection;

impl Catalog {
    /// The last good backup, and its portrait as JSON.
    pub async fn portrait(&self, source: &SourceName) -> Result<Option<(BackupId, String)>, CatalogError> {
        self.standing(source, "good").await
    }

    /// The newest backup where it is suspect and nobody has accepted it, and its portrait.
    pub async fn pending_portrait(&self, source: &SourceName) -> Result<Option<(BackupId, String)>, CatalogError> {
        self.standing(source, "pending").await
    }

    async fn standing(&self, source: &SourceName, standing: &str) -> Result<Option<(BackupId, String)>, CatalogError> {
        find(&mut *self.store.connection().await?, source, standing).await.map_err(self.store.failed())
    }

    /// `backup` is sealed and good: later ones are measured by it, and nothing waits to be accepted.
    pub async fn set_portrait(&self, source: &SourceName, backup: &BackupId, json: &str) -> Result<(), CatalogError> {
        let mut writing = self.store.begin().await?;
        let write = async {
            put(&mut writing, source, "good", backup, json).await?;
            clear_pending(&mut writing, source).await
        };
        write.await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())
    }

    /// `backup` is sealed and suspect: it waits for somebody to accept it.
    pub async fn set_pending_portrait(
        &self,
        source: &SourceName,
        backup: &BackupId,
        json: &str,
    ) -> Result<(), CatalogError> {
        let mut writing = self.store.begin().await?;
        put(&mut writing, source, "pending", backup, json).await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())
    }

    /// Somebody looked at the newest backup and found it good: it is not suspect any more, and later ones are measured
    /// by it. `None` where nothing waits, or another than `shown`.
    pub async fn promote_portrait(
        &self,
        source: &SourceName,
        shown: &BackupId,
    ) -> Result<Option<BackupId>, CatalogError> {
        let mut writing = self.store.begin().await?;
        let write = async {
            let waiting = find(&mut writing, source, "pending").await?;
            let Some((backup, json)) = waiting.filter(|(backup, _)| backup == shown) else { return Ok(None) };
            put(&mut writing, source, "good", &backup, &json).await?;
            clear_pending(&mut writing, source).await?;
            let clear = "UPDATE backups SET suspicions = '[]' WHERE backup = ?
                         AND chain IN (SELECT chain FROM chains WHERE source = ?)";
            sqlx::query(clear).bind(Word(&backup)).bind(Word(source)).execute(&mut *writing).await?;
            Ok(Some(backup))
        };
        let promoted = write.await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())?;
        Ok(promoted)
    }
}

async fn find(
    reading: &mut SqliteConnection,
    source: &SourceName,
    standing: &str,
) -> Result<Option<(BackupId, String)>, sqlx::Error> {
    let portrait = sqlx::query_as("SELECT backup, portrait FROM portraits WHERE source = ? AND standing = ?");
    let row: Option<(Word<BackupId>, String)> =
        portrait.bind(Word(source)).bind(standing).fetch_optional(reading).await?;
    Ok(row.map(|(Word(backup), portrait)| (backup, portrait)))
}

async fn put(
    writing: &mut SqliteConnection,
    source: &SourceName,
    standing: &str,
    backup: &BackupId,
    json: &str,
) -> Result<(), sqlx::Error> {
    let put = "INSERT OR REPLACE INTO portraits (source, standing, backup, portrait) VALUES (?, ?, ?, ?)";
    let put = sqlx::query(put).bind(Word(source)).bind(standing).bind(Word(backup)).bind(json);
    put.execute(writing).await?;
    Ok(())
}

async fn clear_pending(writing: &mut SqliteConnection, source: &SourceName) -> Result<(), sqlx::Error> {
    let clear = sqlx::query("DELETE FROM portraits WHERE source = ? AND standing = 'pending'").bind(Word(source));
    clear.execute(writing).await?;
    Ok(())
}
