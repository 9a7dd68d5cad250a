//! sightings: every sealed backup that a watcher has seen in a place, and what its last look there came to.

use super::{
    Catalog, CatalogError, Place,
    column::{At, Json, Word, count},
};
use crate::{
    clock::{SignedDuration, Timestamp},
    digest::Blake3,
    finding::{Finding, FindingKind},
    health::{Sighting, Unverified},
    layout::BackupId,
    manifest::LockMode,
};
use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

/// A sighting, with what the watcher alone needs of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    pub sighting: Sighting,
    /// Of the manifest's bytes: what a drill's report names.
    pub manifest: Blake3,
    /// Why its data looked wiped; empty where it did not.
    pub suspicions: Vec<String>,
    pub standing: Seen,
    pub first_seen_at: Timestamp,
}

/// What the last look that could tell made of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// It is there, and no look could read what it needs.
    Unverified,
    /// It is there and authentic; its locks were never read.
    Listed,
    /// Everything that it needs was read back as promised.
    Confirmed,
    /// Something that it needs was not as promised; only a whole look makes it better.
    Failed,
    /// Its lock has ended, and it is not there any more, as it should be.
    Lapsed,
}

/// What the last look at a source in a place came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    /// When the last one ended that could look at everything.
    pub confirmed_at: Option<Timestamp>,
    /// When the last one ended that read the locks of every backup.
    pub all_confirmed_at: Option<Timestamp>,
    pub unverified: Option<Unverified>,
    /// The gravest first, explained ones among them.
    pub findings: Vec<Finding>,
    pub clock_skew_secs: Option<i64>,
}

impl Catalog {
    /// Writes in one stroke what a look brought: the round, and the backups of which anything is new.
    pub async fn remember(&self, place: Place<'_>, round: &Round, changed: &[&Remembered]) -> Result<(), CatalogError> {
        let mut writing = self.store.begin().await?;
        let write = async {
            put_round(&mut writing, place, round).await?;
            for remembered in changed {
                put_sighting(&mut writing, place, remembered).await?;
            }
            Ok(())
        };
        write.await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())
    }

    /// Backups whose locks had not lapsed by `since`, or that have none, and the newest in any case; by their seals,
    /// the oldest first.
    pub async fn sightings(&self, place: Place<'_>, since: Timestamp) -> Result<Vec<Remembered>, CatalogError> {
        const NEWEST: i64 = 10;
        let all = "SELECT * FROM sightings WHERE source = ?1 AND place = ?2
                   AND (locked_until IS NULL OR locked_until >= ?3 OR backup IN (SELECT backup FROM sightings
                        WHERE source = ?1 AND place = ?2 ORDER BY sealed_at DESC LIMIT ?4))
                   ORDER BY sealed_at, sequence";
        let all = sqlx::query(all).bind(Word(place.source)).bind(place.address).bind(At(since)).bind(NEWEST);
        let rows = all.fetch_all(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        let read = |row: &SqliteRow| remembered(row, place.vault);
        rows.iter().map(read).collect::<Result<_, _>>().map_err(self.store.failed())
    }

    /// Every backup that was sealed in a place since then, gone or lapsed ones among them; the oldest first.
    pub async fn sighted_since(&self, place: Place<'_>, since: Timestamp) -> Result<Vec<Sighting>, CatalogError> {
        let all = "SELECT * FROM sightings WHERE source = ? AND place = ? AND sealed_at >= ?
                   ORDER BY sealed_at, sequence";
        let all = sqlx::query(all).bind(Word(place.source)).bind(place.address).bind(At(since));
        let rows = all.fetch_all(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        let read = |row: &SqliteRow| Ok(remembered(row, place.vault)?.sighting);
        rows.iter().map(read).collect::<Result<_, _>>().map_err(self.store.failed())
    }

    /// `None` where nobody has ever looked.
    pub async fn round(&self, place: Place<'_>) -> Result<Option<Round>, CatalogError> {
        let round = sqlx::query("SELECT * FROM rounds WHERE source = ? AND place = ?");
        let round = round.bind(Word(place.source)).bind(place.address);
        let row = round.fetch_optional(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        row.as_ref().map(read_round).transpose().map_err(self.store.failed())
    }
}

async fn put_round(writing: &mut SqliteConnection, place: Place<'_>, round: &Round) -> Result<(), sqlx::Error> {
    let put = "INSERT OR REPLACE INTO rounds (source, place, vault, confirmed_at, all_confirmed_at, unverified_since,
               unverified_why, findings, clock_skew_secs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let put = sqlx::query(put).bind(Word(place.source)).bind(place.address).bind(place.vault);
    let put = put.bind(round.confirmed_at.map(At)).bind(round.all_confirmed_at.map(At));
    let put = put.bind(round.unverified.as_ref().map(|unverified| At(unverified.since)));
    let put = put.bind(round.unverified.as_ref().map(|unverified| unverified.why.as_str()));
    let findings: Vec<_> = round.findings.iter().map(|found| (found.kind.word(), &found.object, &found.what)).collect();
    put.bind(Json(findings)).bind(round.clock_skew_secs).execute(writing).await?;
    Ok(())
}

async fn put_sighting(
    writing: &mut SqliteConnection,
    place: Place<'_>,
    remembered: &Remembered,
) -> Result<(), sqlx::Error> {
    let Remembered { sighting, manifest, suspicions, standing, first_seen_at } = remembered;
    let put = "INSERT OR REPLACE INTO sightings (source, place, backup, vault, manifest, sequence, snapshot_at,
               sealed_at, took_ms, packed_bytes, lock, locked_until, suspicions, standing, first_seen, confirmed_at,
               proven_at, gone_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let put = sqlx::query(put).bind(Word(place.source)).bind(place.address).bind(Word(&sighting.backup));
    let put = put.bind(place.vault).bind(Word(manifest)).bind(count(sighting.sequence)).bind(At(sighting.snapshot_at));
    let put = put.bind(At(sighting.sealed_at)).bind(i64::try_from(sighting.took.as_millis()).unwrap_or(i64::MAX));
    let put = put.bind(count(sighting.packed_bytes)).bind(Word(sighting.lock)).bind(sighting.locked_until.map(At));
    let put = put.bind(Json(suspicions)).bind(Word(standing)).bind(At(*first_seen_at));
    let put = put.bind(sighting.confirmed_at.map(At)).bind(sighting.proven_at.map(At)).bind(sighting.gone_at.map(At));
    put.execute(writing).await?;
    Ok(())
}

/// A vault is called what it is called now.
fn remembered(row: &SqliteRow, vault: &str) -> Result<Remembered, sqlx::Error> {
    let (Word(backup), Word(manifest)): (Word<BackupId>, Word<Blake3>) =
        (row.try_get("backup")?, row.try_get("manifest")?);
    let (At(snapshot_at), At(sealed_at)) = (row.try_get("snapshot_at")?, row.try_get("sealed_at")?);
    let Word(lock): Word<LockMode> = row.try_get("lock")?;
    let Json(suspicions): Json<Vec<String>> = row.try_get("suspicions")?;
    let (Word(standing), At(first_seen_at)) = (row.try_get("standing")?, row.try_get("first_seen")?);
    let sighting = Sighting {
        vault: vault.to_owned(),
        backup,
        sequence: row.try_get("sequence")?,
        snapshot_at,
        sealed_at,
        took: SignedDuration::from_millis(row.try_get("took_ms")?),
        packed_bytes: row.try_get("packed_bytes")?,
        lock,
        locked_until: instant(row, "locked_until")?,
        suspect: !suspicions.is_empty(),
        confirmed_at: instant(row, "confirmed_at")?,
        proven_at: instant(row, "proven_at")?,
        gone_at: instant(row, "gone_at")?,
    };
    Ok(Remembered { sighting, manifest, suspicions, standing, first_seen_at })
}

fn read_round(row: &SqliteRow) -> Result<Round, sqlx::Error> {
    let since = instant(row, "unverified_since")?;
    let why: Option<String> = row.try_get("unverified_why")?;
    let Json(findings): Json<Vec<(String, String, String)>> = row.try_get("findings")?;
    let finding = |(word, object, what): (String, String, String)| {
        let kind = FindingKind::ALL.into_iter().find(|kind| kind.word() == word);
        let kind = kind.ok_or_else(|| sqlx::Error::Decode(format!("`{word}` is no kind of finding").into()))?;
        Ok::<_, sqlx::Error>(Finding { kind, object, what })
    };
    Ok(Round {
        confirmed_at: instant(row, "confirmed_at")?,
        all_confirmed_at: instant(row, "all_confirmed_at")?,
        unverified: since.zip(why).map(|(since, why)| Unverified { since, why }),
        findings: findings.into_iter().map(finding).collect::<Result<_, _>>()?,
        clock_skew_secs: row.try_get("clock_skew_secs")?,
    })
}

fn instant(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    let at: Option<At> = row.try_get(column)?;
    Ok(at.map(|At(at)| at))
}
