//! chains: for each source in each place, the last sealed manifest and those of which nobody knows.

use super::{
    Catalog, CatalogError, Place, Store,
    column::{At, Json, Word, count},
};
use crate::{
    clock::Timestamp,
    digest::Blake3,
    layout::BackupId,
    manifest::{Chain, LockMode, Previous},
};
use sqlx::SqliteConnection;

/// A source's chain in one place, while this run alone may continue it.
pub struct ChainRecord {
    pub(super) store: Store,
    pub(super) id: i64,
    state: State,
}

#[derive(Clone, Debug)]
struct State {
    /// Of the last manifest that was begun to be sealed.
    sequence: u64,
    last: Option<Previous>,
    unsure: Vec<BackupId>,
    restarted: Option<String>,
}

/// A backup whose seal was deposited.
#[derive(Clone, Debug)]
pub struct Sealed {
    pub backup: BackupId,
    /// Of the manifest's bytes.
    pub manifest: Blake3,
    pub snapshot_at: Timestamp,
    pub sealed_at: Timestamp,
    pub lock: LockMode,
    pub locked_until: Option<Timestamp>,
    pub packed_bytes: u64,
    /// Why it looks wiped; empty where it does not.
    pub suspicions: Vec<String>,
}

impl Catalog {
    /// The chain of `place.source` in `place`, begun where there is none yet.
    pub async fn chain(&self, place: Place<'_>) -> Result<ChainRecord, CatalogError> {
        let mut reading = self.store.begin().await?;
        let read = async {
            if let Some(found) = find(&mut reading, place).await? {
                return Ok(found);
            }
            let begin = "INSERT INTO chains (vault, source, place, restarted) VALUES (?, ?, ?, ?)";
            let because = why_anew(&mut reading, place).await?;
            let begin = sqlx::query(begin).bind(place.vault).bind(Word(place.source)).bind(place.address);
            begin.bind(because).execute(&mut *reading).await?;
            find(&mut reading, place).await?.ok_or(sqlx::Error::RowNotFound)
        };
        let (id, state) = read.await.map_err(self.store.failed())?;
        reading.commit().await.map_err(self.store.failed())?;
        Ok(ChainRecord { store: self.store.clone(), id, state })
    }
}

type Row = (i64, u64, Option<Word<BackupId>>, Option<Word<Blake3>>, Json<Vec<BackupId>>, Option<String>);

async fn find(reading: &mut SqliteConnection, place: Place<'_>) -> Result<Option<(i64, State)>, sqlx::Error> {
    let row = "SELECT chain, sequence, last_backup, last_manifest, unsure, restarted
               FROM chains WHERE vault = ? AND source = ? AND place = ?";
    let row = sqlx::query_as(row).bind(place.vault).bind(Word(place.source)).bind(place.address);
    let row: Option<Row> = row.fetch_optional(reading).await?;
    Ok(row.map(|(id, sequence, backup, manifest, Json(unsure), restarted)| {
        let last = backup.zip(manifest).map(|(Word(backup), Word(manifest))| Previous { backup, manifest });
        (id, State { sequence, last, unsure, restarted })
    }))
}

/// Why a chain begins in `place` although there was one before, as far as anybody can tell.
async fn why_anew(reading: &mut SqliteConnection, place: Place<'_>) -> Result<Option<String>, sqlx::Error> {
    let elsewhere = "SELECT place FROM chains WHERE vault = ? AND source = ? AND sequence > 0
                     ORDER BY last_sealed_at DESC NULLS LAST LIMIT 1";
    let elsewhere = sqlx::query_scalar(elsewhere).bind(place.vault).bind(Word(place.source));
    let elsewhere: Option<String> = elsewhere.fetch_optional(&mut *reading).await?;
    if let Some(before) = elsewhere {
        return Ok(Some(format!("vault `{}` was {before} and is now {}", place.vault, place.address)));
    }
    let origin: (At, Option<String>) =
        sqlx::query_as("SELECT begun_at, because FROM origin").fetch_one(reading).await?;
    let (At(begun_at), because) = origin;
    Ok(because.map(|because| format!("the catalog began anew at {begun_at}: {because}")))
}

impl ChainRecord {
    pub fn next(&self) -> Chain {
        let State { sequence, last, unsure, restarted, .. } = &self.state;
        let (previous, unsure) = (last.clone(), unsure.clone());
        Chain { sequence: sequence + 1, previous, unsure, restarted: restarted.clone() }
    }

    /// Why the chain begins although there was one before: until a manifest that says so is sealed.
    pub fn restarted(&self) -> Option<&str> {
        self.state.restarted.as_deref()
    }

    /// Recorded before the manifest is deposited: should we die now, the next run cannot know whether the seal
    /// arrived, will say so, and will not use the sequence number again.
    pub async fn sealing(&mut self, backup: &BackupId) -> Result<(), CatalogError> {
        let sequence = self.state.sequence + 1;
        let unsure: Vec<BackupId> = self.state.unsure.iter().chain([backup]).cloned().collect();
        let record = sqlx::query("UPDATE chains SET sequence = ?, unsure = ? WHERE chain = ?");
        let record = record.bind(count(sequence)).bind(Json(&unsure)).bind(self.id);
        let mut writing = self.store.begin().await?;
        record.execute(&mut *writing).await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())?;
        self.state = State { sequence, unsure, ..self.state.clone() };
        Ok(())
    }

    /// The seal of the backup that was last [`Self::sealing`] arrived.
    pub async fn sealed(&mut self, sealed: &Sealed) -> Result<(), CatalogError> {
        let mut writing = self.store.begin().await?;
        let write = async {
            let chain = "UPDATE chains SET last_backup = ?, last_manifest = ?, last_sealed_at = ?, unsure = '[]',
                         restarted = NULL WHERE chain = ?";
            let chain = sqlx::query(chain).bind(Word(&sealed.backup)).bind(Word(sealed.manifest));
            chain.bind(At(sealed.sealed_at)).bind(self.id).execute(&mut *writing).await?;
            let backup = "INSERT OR REPLACE INTO backups (chain, backup, sequence, manifest, snapshot_at, sealed_at,
                          lock, locked_until, packed_bytes, suspicions) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
            let backup = sqlx::query(backup).bind(self.id).bind(Word(&sealed.backup));
            let backup = backup.bind(count(self.state.sequence)).bind(Word(sealed.manifest));
            let backup = backup.bind(At(sealed.snapshot_at)).bind(At(sealed.sealed_at));
            let backup = backup.bind(Word(sealed.lock)).bind(sealed.locked_until.map(At));
            backup.bind(count(sealed.packed_bytes)).bind(Json(&sealed.suspicions)).execute(&mut *writing).await
        };
        write.await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())?;
        self.state = State {
            sequence: self.state.sequence,
            last: Some(Previous { backup: sealed.backup.clone(), manifest: sealed.manifest }),
            unsure: Vec::new(),
            restarted: None,
        };
        Ok(())
    }
}
