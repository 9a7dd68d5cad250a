//! history: runs, and slots without one, as they are read back.

use super::{
    Catalog, CatalogError,
    column::{At, Word, count},
};
use crate::{
    clock::Timestamp,
    layout::SourceName,
    run::{self, Bytes, Outcome, Trigger},
};
use sqlx::{AssertSqlSafe, Row, sqlite::SqliteRow};

/// The columns that [`record`] and [`whereabouts`] read.
pub(super) const RUN: &str = "run, source, backup, cause, slot, attempt, pid, started_at, phase, phase_at, ended_at, \
    outcome, why, read_bytes, packed_bytes, sent_bytes, reused_bytes, row_count, tables, segments";

type AbsenceRow = (Word<SourceName>, At, At, u64, String, At);

impl Catalog {
    /// Of one source or of all, the newest first.
    pub async fn runs(&self, source: Option<&SourceName>, limit: u32) -> Result<Vec<run::Record>, CatalogError> {
        let runs = format!("SELECT {RUN} FROM runs WHERE ?1 IS NULL OR source = ?1 ORDER BY run DESC LIMIT ?2");
        let runs = sqlx::query(AssertSqlSafe(runs)).bind(source.map(Word)).bind(limit);
        let rows = runs.fetch_all(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        rows.iter().map(record).collect::<Result<_, _>>().map_err(self.store.failed())
    }

    /// The newest run of `source` that has ended.
    pub async fn last_ended(&self, source: &SourceName) -> Result<Option<run::Record>, CatalogError> {
        let last =
            format!("SELECT {RUN} FROM runs WHERE source = ? AND ended_at IS NOT NULL ORDER BY run DESC LIMIT 1");
        let last = sqlx::query(AssertSqlSafe(last)).bind(Word(source));
        let row = last.fetch_optional(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        row.as_ref().map(record).transpose().map_err(self.store.failed())
    }

    /// How many runs ever ended how; what is forgotten still counts.
    pub async fn totals(&self) -> Result<Vec<(SourceName, Outcome, u64)>, CatalogError> {
        let totals = sqlx::query_as("SELECT source, outcome, runs FROM totals ORDER BY source, outcome");
        let rows: Vec<(Word<SourceName>, Word<Outcome>, u64)> =
            totals.fetch_all(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(rows.into_iter().map(|(Word(source), Word(outcome), runs)| (source, outcome, runs)).collect())
    }

    /// The newest slot that is accounted for, by a run or by the word that there was none.
    pub async fn last_slot(&self, source: &SourceName) -> Result<Option<Timestamp>, CatalogError> {
        let last = "SELECT max(slot) FROM (SELECT slot FROM runs WHERE source = ?1
                    UNION ALL SELECT last_slot FROM absences WHERE source = ?1)";
        let last = sqlx::query_scalar(last).bind(Word(source));
        let last: Option<At> =
            last.fetch_one(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(last.map(|At(slot)| slot))
    }

    /// Said again of slots that begin alike, it replaces what was said before.
    pub async fn absent(&self, absence: &run::Absence) -> Result<(), CatalogError> {
        let run::Absence { source, first_slot, last_slot, slots, why, noted_at } = absence;
        let absent = "INSERT OR REPLACE INTO absences (source, first_slot, last_slot, slots, why, noted_at)
                      VALUES (?, ?, ?, ?, ?, ?)";
        let absent = sqlx::query(absent).bind(Word(source)).bind(At(*first_slot)).bind(At(*last_slot));
        let absent = absent.bind(count(*slots)).bind(why).bind(At(*noted_at));
        absent.execute(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(())
    }

    /// Of one source or of all, the newest first.
    pub async fn absences(&self, source: Option<&SourceName>, limit: u32) -> Result<Vec<run::Absence>, CatalogError> {
        let absences = "SELECT source, first_slot, last_slot, slots, why, noted_at FROM absences
                        WHERE ?1 IS NULL OR source = ?1 ORDER BY last_slot DESC LIMIT ?2";
        let absences = sqlx::query_as(absences).bind(source.map(Word)).bind(limit);
        let rows: Vec<AbsenceRow> =
            absences.fetch_all(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        let absence = |(Word(source), At(first_slot), At(last_slot), slots, why, At(noted_at)): AbsenceRow| {
            run::Absence { source, first_slot, last_slot, slots, why, noted_at }
        };
        Ok(rows.into_iter().map(absence).collect())
    }
}

pub(super) fn record(row: &SqliteRow) -> Result<run::Record, sqlx::Error> {
    let Word(source) = row.try_get("source")?;
    let backup: Option<Word<_>> = row.try_get("backup")?;
    let At(started_at) = row.try_get("started_at")?;
    let Word(phase) = row.try_get("phase")?;
    let backup = backup.map(|Word(backup)| backup);
    Ok(run::Record { source, backup, trigger: trigger(row)?, started_at, phase, ended: end(row)? })
}

/// A run's number, its process, and since when it is in its phase.
pub(super) fn whereabouts(row: &SqliteRow) -> Result<(i64, u32, At), sqlx::Error> {
    Ok((row.try_get("run")?, row.try_get("pid")?, row.try_get("phase_at")?))
}

fn trigger(row: &SqliteRow) -> Result<Trigger, sqlx::Error> {
    let cause: &str = row.try_get("cause")?;
    let slot = |row: &SqliteRow| row.try_get("slot").map(|At(slot)| slot);
    Ok(match cause {
        "asked" => Trigger::Asked,
        "first" => Trigger::First,
        "slot" => Trigger::Slot(slot(row)?),
        "catch-up" => Trigger::CatchUp(slot(row)?),
        "retry" => Trigger::Retry { slot: slot(row)?, attempt: row.try_get("attempt")? },
        other => return Err(sqlx::Error::Decode(format!("no run is caused by `{other}`").into())),
    })
}

fn end(row: &SqliteRow) -> Result<Option<run::End>, sqlx::Error> {
    let ended_at: Option<At> = row.try_get("ended_at")?;
    let Some(At(at)) = ended_at else { return Ok(None) };
    let Word(outcome) = row.try_get("outcome")?;
    let bytes = Bytes {
        read: row.try_get("read_bytes")?,
        packed: row.try_get("packed_bytes")?,
        sent: row.try_get("sent_bytes")?,
        reused: row.try_get("reused_bytes")?,
    };
    Ok(Some(run::End {
        at,
        outcome,
        why: row.try_get("why")?,
        bytes,
        rows: row.try_get("row_count")?,
        tables: row.try_get("tables")?,
        segments: row.try_get("segments")?,
    }))
}
