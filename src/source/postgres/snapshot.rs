//! snapshot: one consistent view for all sessions of a dump. Lock first, snapshot second.
//!
//! A snapshot taken before its locks loses tables in silence: a TRUNCATE between the two leaves them empty in a
//! dump that reports success. And a session that locks late queues behind a waiting ALTER TABLE that waits for us.
//! So every session locks every claimed table before any snapshot exists, with a time limit, and on any doubt all
//! is given up and begun again.

use super::{
    Address, PostgresError,
    connect::{Session, connect},
    tables::{self, Claim},
};
use crate::clock::{Clock, Timestamp};
use futures_util::future::try_join_all;
use std::time::Duration;

const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);
/// Names in one LOCK TABLE statement.
const LOCK_BATCH: usize = 500;

/// Sessions that see the same instant, with every claimed table locked against change of shape.
pub struct Snapshot {
    /// For pg_dump's `--snapshot`.
    pub id: String,
    pub at: Timestamp,
    pub leader: Session,
    pub workers: Vec<Session>,
    pub claims: Vec<Claim>,
    labels: String,
}

pub async fn take(address: &Address, workers: usize, clock: Clock) -> Result<Snapshot, PostgresError> {
    let mut why = String::new();
    for tried in 1..=TRIES {
        why = match attempt(address, workers, clock).await {
            Ok(Some(snapshot)) => return Ok(snapshot),
            Ok(None) => "tables changed meanwhile".to_owned(),
            Err(error) if error.is_transient() => error.to_string(),
            Err(error) => return Err(error),
        };
        tracing::info!(tried, why, "beginning again");
        tokio::time::sleep(PAUSE * tried).await;
    }
    Err(PostgresError::Restless { tries: TRIES, why })
}

async fn attempt(address: &Address, workers: usize, clock: Clock) -> Result<Option<Snapshot>, PostgresError> {
    let leader = connect(address, None).await?;
    let workers = try_join_all((0..workers).map(|_| connect(address, None))).await?;
    let claims = tables::claims(&leader.client).await?;

    try_join_all(std::iter::once(&leader).chain(&workers).map(|session| lock(session, &claims))).await?;
    let at = clock.now();
    let exporting = leader.client.query_one("SELECT pg_export_snapshot()", &[]).await;
    let id: String = exporting.map_err(PostgresError::query("exporting the snapshot"))?.get(0);
    let import = format!("SET TRANSACTION SNAPSHOT '{id}'");
    let importing = workers.iter().map(|session| session.client.batch_execute(&import));
    try_join_all(importing).await.map_err(PostgresError::query("joining the snapshot"))?;

    let seen = tables::claims(&leader.client).await?;
    let labels = labels(&leader).await?;
    Ok((seen == claims).then_some(Snapshot { id, at, leader, workers, claims, labels }))
}

async fn lock(session: &Session, claims: &[Claim]) -> Result<(), PostgresError> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '10s'";
    session.client.batch_execute(begin).await.map_err(PostgresError::query("beginning"))?;
    for batch in claims.chunks(LOCK_BATCH) {
        let names: Vec<_> = batch.iter().map(|claim| format!("ONLY {}", claim.qualified())).collect();
        let statement = format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "));
        session.client.batch_execute(&statement).await.map_err(PostgresError::query("locking tables"))?;
    }
    Ok(())
}

/// Enum labels change text without touching a page, and our table locks do not hold them.
async fn labels(session: &Session) -> Result<String, PostgresError> {
    const QUERY: &str =
        "SELECT coalesce(md5(string_agg(enumtypid || ':' || enumlabel, ',' ORDER BY oid)), '') FROM pg_enum";
    let row = session.client.query_one(QUERY, &[]).await.map_err(PostgresError::query("reading enum labels"))?;
    Ok(row.get(0))
}

/// The files of all tables, as the snapshot sees them.
const FILES: &str = "
    SELECT array_agg(oid), array_agg(relfilenode) FROM pg_class WHERE relkind = 'r' AND relpersistence <> 't'
      AND relfilenode <> 0 AND relnamespace <> 'pg_catalog'::regnamespace";
const REPLACED: &str = "
    SELECT EXISTS (SELECT 1 FROM unnest($1::oid[], $2::oid[]) AS t(o, f)
                   WHERE NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = o AND relfilenode = f))";

impl Snapshot {
    /// Asked when everything is copied and the locks still hold: are the types what they were in the snapshot, and
    /// does every table have the file that it had? pg_dump locks what we do not claim after the snapshot, and a
    /// TRUNCATE that comes before its lock leaves a table that the snapshot sees as empty.
    pub async fn insist_unchanged(&self, address: &Address) -> Result<(), PostgresError> {
        let fresh = connect(address, None).await?;
        let asking = || PostgresError::query("asking whether tables were replaced");
        let row = self.leader.client.query_one(FILES, &[]).await.map_err(asking())?;
        let (tables, files): (Option<Vec<u32>>, Option<Vec<u32>>) = (row.get(0), row.get(1));
        let replaced = fresh.client.query_one(REPLACED, &[&tables, &files]).await.map_err(asking())?;
        if replaced.get(0) {
            return Err(PostgresError::ChangedMeanwhile { what: "a table's file" });
        }
        let what = "the labels of an enum";
        if labels(&fresh).await? == self.labels { Ok(()) } else { Err(PostgresError::ChangedMeanwhile { what }) }
    }
}
