//! compare: reads tables back and fingerprints them as the dump did, so that equal means equal.

use super::{
    Address, PostgresError,
    connect::{Session, connect},
    copy::RowChunks,
    tables::{self, Claim, Task, qualified},
};
use crate::{fingerprint::Fingerprint, manifest::Table, progress::Progress};
use futures_util::future::try_join_all;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};

/// A table whose content is not the backup's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub table: String,
    pub expected: Fingerprint,
    /// `None`: there is no such table.
    pub found: Option<Fingerprint>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { table, expected, found } = self;
        match found {
            None => write!(f, "{table}: missing"),
            Some(found) if found.rows != expected.rows => {
                write!(f, "{table}: {} rows in the backup, {} restored", expected.rows, found.rows)
            }
            Some(_) => write!(f, "{table}: {} rows, and not the same ones", expected.rows),
        }
    }
}

/// Compares every one of `expected` with the database at `address`, `jobs` tables or page ranges at a time.
/// `encoding` is the dump's: the text must be what the dump read.
pub async fn compare(
    address: &Address,
    encoding: &str,
    expected: &[&Table],
    jobs: usize,
    progress: &Progress,
) -> Result<Vec<Difference>, PostgresError> {
    let leader = connect(address, Some(encoding)).await?;
    let present = present(&leader, expected).await?;
    let claims: Vec<_> = present.iter().map(|(_, claim)| claim.clone()).collect();
    let sizes = tables::sizes(&leader.client, &claims).await?;
    let queue = Mutex::new(VecDeque::from(tables::divide(&claims, &sizes)));
    let workers = (0..jobs.max(1)).map(async |_| {
        let session = connect(address, Some(encoding)).await?;
        let mut read: BTreeMap<usize, Fingerprint> = BTreeMap::new();
        loop {
            let next = queue.lock().expect("no worker panics while it holds the queue").pop_front();
            let Some(task) = next else { return Ok::<_, PostgresError>(read) };
            for (index, copy) in copies(&task, &present, expected) {
                let fingerprint = fingerprint(&session, &copy, present[index].1.qualified(), progress).await?;
                read.entry(index).or_default().add(fingerprint);
            }
        }
    });
    let mut found: BTreeMap<usize, Fingerprint> = BTreeMap::new();
    for read in try_join_all(workers).await? {
        for (index, fingerprint) in read {
            found.entry(present[index].0).or_default().add(fingerprint);
        }
    }
    let differences = expected.iter().enumerate().filter_map(|(index, table)| {
        let found = found.get(&index).copied();
        (found != Some(table.fingerprint)).then(|| Difference {
            table: qualified(&table.schema, &table.name),
            expected: table.fingerprint,
            found,
        })
    });
    Ok(differences.collect())
}

/// Which of the expected tables are there, each with its index among them.
async fn present(session: &Session, expected: &[&Table]) -> Result<Vec<(usize, Claim)>, PostgresError> {
    const QUERY: &str = "
        SELECT (n - 1)::int, c.oid, c.relfilenode FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t(s, r, n)
        JOIN pg_namespace ns ON ns.nspname = t.s JOIN pg_class c ON c.relnamespace = ns.oid AND c.relname = t.r ORDER BY n";
    let schemas: Vec<&str> = expected.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = expected.iter().map(|table| table.name.as_str()).collect();
    let rows = session
        .client
        .query(QUERY, &[&schemas, &names])
        .await
        .map_err(PostgresError::query("looking for the tables"))?;
    let claim = |row: &tokio_postgres::Row| {
        let index = usize::try_from(row.get::<_, i32>(0)).expect("an ordinality is positive");
        let Table { schema, name, columns, .. } = expected[index];
        let claim = Claim {
            oid: row.get(1),
            relfilenode: row.get(2),
            schema: schema.clone(),
            name: name.clone(),
            columns: columns.clone(),
            family: format!("{schema}.{name}"),
        };
        (index, claim)
    };
    Ok(rows.iter().map(claim).collect())
}

/// The COPY statements of a task. Only a partitioned table whose rows travelled in the archive is read with its
/// leaves; a parent in an inheritance tree is read alone.
fn copies(task: &Task, present: &[(usize, Claim)], expected: &[&Table]) -> Vec<(usize, String)> {
    let whole = |table: usize| {
        let (index, claim) = &present[table];
        let copy = if expected[*index].in_archive { claim.copy_with_leaves() } else { claim.copy_alone() };
        (table, copy)
    };
    match task {
        Task::Bundle(tables) => tables.iter().map(|table| whole(*table)).collect(),
        Task::Range { table, from, to } => vec![(*table, present[*table].1.copy_range(*from, *to))],
        Task::Witness(table) => vec![whole(*table)],
    }
}

async fn fingerprint(
    session: &Session,
    copy: &str,
    name: String,
    progress: &Progress,
) -> Result<Fingerprint, PostgresError> {
    let mut fingerprint = Fingerprint::default();
    let mut chunks = RowChunks::begin(session, copy, name).await?;
    while let Some(rows) = chunks.next().await? {
        let before = fingerprint.rows;
        fingerprint.add_lines(&rows);
        progress.read(rows.len() as u64, fingerprint.rows - before);
    }
    Ok(fingerprint)
}
