//! runs: what becomes of a run is written down while it happens, so that one that dies is found where it died.

use super::{
    Catalog, CatalogError, RunLock,
    column::{At, Word, count},
    history::{self, RUN},
};
use crate::{
    clock::Timestamp,
    layout::{BackupId, SourceName},
    run::{self, Bytes, Outcome, Phase, Trigger},
};
use sqlx::{AssertSqlSafe, SqliteConnection};

/// One attempt, as the catalog numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId(i64);

#[derive(Clone, Copy, Debug)]
pub struct Begun {
    pub trigger: Trigger,
    pub started_at: Timestamp,
    /// The process that runs it.
    pub pid: u32,
}

/// What one vault got of a run.
#[derive(Clone, Copy, Debug)]
pub struct VaultEnded<'a> {
    pub vault: &'a str,
    pub share: Share<'a>,
    pub sent: u64,
    pub reused: u64,
}

#[derive(Clone, Copy, Debug)]
pub enum Share<'a> {
    Sealed {
        sequence: u64,
        locked_until: Option<Timestamp>,
        /// What the vault had promised to hold and does not any more.
        breach: Option<&'a str>,
    },
    NotDue,
    /// With the causes.
    Failed(&'a str),
}

impl Catalog {
    /// A run of the source that `lock` is of. An earlier one that has not ended has nobody to end it: the lock is ours.
    pub async fn begin_run(&self, lock: &RunLock, begun: Begun) -> Result<RunId, CatalogError> {
        let Begun { trigger, started_at, pid } = begun;
        let attempt = match trigger {
            Trigger::Retry { attempt, .. } => Some(attempt),
            Trigger::Asked | Trigger::Slot(_) | Trigger::CatchUp(_) | Trigger::First => None,
        };
        let mut writing = self.store.begin().await?;
        let write = async {
            abandon(&mut writing, &lock.source, started_at).await?;
            let begin = "INSERT INTO runs (source, cause, slot, attempt, pid, started_at, phase, phase_at)
                         VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING run";
            let begin = sqlx::query_scalar(begin).bind(Word(&lock.source)).bind(trigger.word());
            let begin = begin.bind(trigger.slot().map(At)).bind(attempt).bind(pid).bind(At(started_at));
            begin.bind(Word(Phase::Preparing)).bind(At(started_at)).fetch_one(&mut *writing).await
        };
        let run = write.await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())?;
        Ok(RunId(run))
    }

    pub async fn name_run(&self, run: RunId, backup: &BackupId) -> Result<(), CatalogError> {
        let name = sqlx::query("UPDATE runs SET backup = ? WHERE run = ?").bind(Word(backup)).bind(run.0);
        name.execute(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(())
    }

    pub async fn reached(&self, run: RunId, phase: Phase, at: Timestamp) -> Result<(), CatalogError> {
        let reach = sqlx::query("UPDATE runs SET phase = ?, phase_at = ? WHERE run = ?");
        let reach = reach.bind(Word(phase)).bind(At(at)).bind(run.0);
        reach.execute(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(())
    }

    pub async fn vault_ended(&self, run: RunId, ended: VaultEnded<'_>) -> Result<(), CatalogError> {
        let (outcome, why, sequence, locked_until) = match ended.share {
            Share::Sealed { sequence, locked_until, breach } => ("sealed", breach, Some(count(sequence)), locked_until),
            Share::NotDue => ("not-due", None, None, None),
            Share::Failed(why) => ("failed", Some(why), None, None),
        };
        let share = "INSERT OR REPLACE INTO shares
                     (run, vault, outcome, why, sent_bytes, reused_bytes, sequence, locked_until)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let share = sqlx::query(share).bind(run.0).bind(ended.vault).bind(outcome).bind(why);
        let share = share.bind(count(ended.sent)).bind(count(ended.reused)).bind(sequence);
        let share = share.bind(locked_until.map(At));
        share.execute(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(())
    }

    /// A run ends once: of two words the first stays.
    pub async fn end_run(&self, run: RunId, end: &run::End) -> Result<(), CatalogError> {
        let mut writing = self.store.begin().await?;
        self::end(&mut writing, run.0, end).await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())
    }

    /// Forgets a run that did not begin after all: somebody else is running the source, and records it.
    pub async fn drop_run(&self, run: RunId) -> Result<(), CatalogError> {
        let forget = sqlx::query("DELETE FROM runs WHERE run = ? AND ended_at IS NULL").bind(run.0);
        forget.execute(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(())
    }

    /// Ends every run that nobody runs any more, for who starts and finds them.
    pub async fn abandon_left_over(&self, now: Timestamp) -> Result<Vec<run::Record>, CatalogError> {
        let unfinished = sqlx::query_scalar("SELECT DISTINCT source FROM runs WHERE ended_at IS NULL ORDER BY source");
        let unfinished: Vec<Word<SourceName>> =
            unfinished.fetch_all(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        let mut abandoned = Vec::new();
        for Word(source) in unfinished {
            let nobody_runs_it = match self.lock(&source) {
                Ok(lock) => lock,
                Err(CatalogError::Busy(_)) => continue,
                Err(error) => return Err(error),
            };
            let mut writing = self.store.begin().await?;
            abandoned.extend(abandon(&mut writing, &source, now).await.map_err(self.store.failed())?);
            writing.commit().await.map_err(self.store.failed())?;
            drop(nobody_runs_it);
        }
        Ok(abandoned)
    }
}

async fn end(writing: &mut SqliteConnection, run: i64, end: &run::End) -> Result<(), sqlx::Error> {
    let run::End { at, outcome, why, bytes, rows, tables, segments } = end;
    let ended = "UPDATE runs SET ended_at = ?, outcome = ?, why = ?, read_bytes = ?, packed_bytes = ?, sent_bytes = ?,
                 reused_bytes = ?, row_count = ?, tables = ?, segments = ?
                 WHERE run = ? AND ended_at IS NULL RETURNING source";
    let ended = sqlx::query_scalar(ended).bind(At(*at)).bind(Word(outcome)).bind(why);
    let Bytes { read, packed, sent, reused } = *bytes;
    let ended = ended.bind(count(read)).bind(count(packed)).bind(count(sent)).bind(count(reused));
    let ended = ended.bind(count(*rows)).bind(count(*tables)).bind(count(*segments)).bind(run);
    let ended: Option<String> = ended.fetch_optional(&mut *writing).await?;
    if let Some(source) = ended {
        let total = "INSERT INTO totals (source, outcome, runs) VALUES (?, ?, 1)
                     ON CONFLICT (source, outcome) DO UPDATE SET runs = runs + 1";
        sqlx::query(total).bind(source).bind(Word(outcome)).execute(writing).await?;
    }
    Ok(())
}

/// `now` is when it was found: nobody knows when it ended.
async fn abandon(
    writing: &mut SqliteConnection,
    source: &SourceName,
    now: Timestamp,
) -> Result<Vec<run::Record>, sqlx::Error> {
    let unfinished = format!("SELECT {RUN} FROM runs WHERE source = ? AND ended_at IS NULL ORDER BY run");
    let unfinished = sqlx::query(AssertSqlSafe(unfinished)).bind(Word(source)).fetch_all(&mut *writing).await?;
    let mut abandoned = Vec::new();
    for row in &unfinished {
        let (id, pid, At(phase_at)) = history::whereabouts(row)?;
        let mut record = history::record(row)?;
        let why = format!("process {pid} was gone before it ended; it was {} since {phase_at}", record.phase.word());
        let end = run::End {
            at: now,
            outcome: Outcome::Abandoned,
            why: Some(why),
            bytes: Bytes::default(),
            rows: 0,
            tables: 0,
            segments: 0,
        };
        self::end(writing, id, &end).await?;
        record.ended = Some(end);
        abandoned.push(record);
    }
    Ok(abandoned)
}
