//! load: rows of a backup's data segments into the target's tables, several at a time.
//!
//! One worker loads a table in one transaction with TRUNCATE and COPY (FREEZE), which writes its rows once and
//! ready for use. Only a table that alone would leave the other workers idle is loaded by several of them.

use super::{
    PostgresError,
    connect::{Session, text_encoding},
    error::said,
    script::{self, copy_target},
    tables::qualified,
    target::Target,
};
use crate::{
    manifest::{Closed, Contents, Stream, Table},
    progress::Progress,
};
use bytes::Bytes;
use futures_util::{SinkExt, future::try_join_all};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    pin::pin,
    sync::{Arc, Mutex},
};
use tokio::sync::mpsc;

const SEND_BYTES: usize = 1 << 20;

/// Where the segments of [`Closed::segments`] come from, by index: fetched ahead as they are packed, unpacked only
/// when they are loaded, so that each worker holds one plaintext.
pub trait Segments: Sync {
    type Error: From<PostgresError>;

    fn fetch(&self, index: usize) -> impl Future<Output = Result<Bytes, Self::Error>> + Send;
    fn unpack(&self, index: usize, packed: Bytes) -> impl Future<Output = Result<Vec<u8>, Self::Error>> + Send;
}

/// What one worker loads in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unit {
    /// Indexes into [`Closed::segments`], in order.
    segments: Vec<usize>,
    /// Tables that this unit loads whole and alone, so that it may truncate and freeze them.
    owned: BTreeSet<u32>,
    raw_bytes: u64,
}

/// Loads the rows of every chosen table (all, when `chosen` is `None`).
pub async fn load<S: Segments>(
    target: &Target,
    closed: &Closed,
    chosen: Option<&BTreeSet<u32>>,
    jobs: usize,
    segments: &S,
    progress: &Progress,
) -> Result<(), S::Error> {
    let units = units(closed, chosen, jobs);
    progress.expect(units.iter().map(|unit| unit.raw_bytes).sum());
    let workers = jobs.min(units.len());
    let queue = Mutex::new(VecDeque::from(units));
    let working = (0..workers).map(async |_| {
        let session = target.session_speaking(Some(text_encoding(&closed.database.encoding))).await?;
        let loader = Loader { session, closed, chosen, progress };
        let (ahead, arriving) = mpsc::channel(1);
        // The next segment is fetched while this one is copied.
        tokio::try_join!(fetch_units(&queue, segments, ahead), loader.load_all(segments, arriving))?;
        Ok::<(), S::Error>(())
    });
    try_join_all(working).await?;
    Ok(())
}

/// A fetched segment on its way to be loaded.
struct Arrived {
    unit: Arc<Unit>,
    /// Index into [`Unit::segments`].
    position: usize,
    packed: Bytes,
}

/// Takes units until there are none, and hands on their segments in order.
async fn fetch_units<S: Segments>(
    queue: &Mutex<VecDeque<Unit>>,
    segments: &S,
    ahead: mpsc::Sender<Arrived>,
) -> Result<(), S::Error> {
    loop {
        let next = queue.lock().expect("no worker panics while it holds the queue").pop_front();
        let Some(unit) = next.map(Arc::new) else { return Ok(()) };
        for (position, segment) in unit.segments.iter().enumerate() {
            // The loader has failed and says why.
            let Ok(place) = ahead.reserve().await else { return Ok(()) };
            let packed = segments.fetch(*segment).await?;
            place.send(Arrived { unit: Arc::clone(&unit), position, packed });
        }
    }
}

/// Groups segments that share a table, largest group first; a dominating table's segments go each alone.
fn units(closed: &Closed, chosen: Option<&BTreeSet<u32>>, jobs: usize) -> Vec<Unit> {
    let wanted = |table: u32| chosen.is_none_or(|chosen| chosen.contains(&table));
    let tables_of = |contents: &Contents| -> BTreeSet<u32> {
        contents.pieces.iter().map(|piece| piece.table).filter(|table| wanted(*table)).collect()
    };
    let mut units: Vec<Unit> = Vec::new();
    let mut unit_of: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, contents) in closed.segments.iter().enumerate().filter(|(_, contents)| contents.stream == Stream::Data)
    {
        let tables = tables_of(contents);
        if tables.is_empty() {
            continue;
        }
        let mut joined: BTreeSet<usize> = tables.iter().filter_map(|table| unit_of.get(table).copied()).collect();
        let home = joined.pop_first().unwrap_or(units.len());
        if home == units.len() {
            units.push(Unit { segments: Vec::new(), owned: BTreeSet::new(), raw_bytes: 0 });
        }
        for other in joined {
            let emptied =
                std::mem::replace(&mut units[other], Unit { segments: vec![], owned: BTreeSet::new(), raw_bytes: 0 });
            unit_of.extend(emptied.owned.iter().map(|table| (*table, home)));
            units[home].segments.extend(emptied.segments);
            units[home].owned.extend(emptied.owned);
            units[home].raw_bytes += emptied.raw_bytes;
        }
        unit_of.extend(tables.iter().map(|table| (*table, home)));
        units[home].segments.push(index);
        units[home].owned.extend(tables);
        units[home].raw_bytes += contents.raw_bytes;
    }
    let total: u64 = units.iter().map(|unit| unit.raw_bytes).sum();
    let (split, mut whole): (Vec<_>, Vec<_>) =
        units.into_iter().filter(|unit| !unit.segments.is_empty()).partition(|unit| {
            unit.owned.len() == 1 && unit.segments.len() > 1 && unit.raw_bytes.saturating_mul(jobs as u64) > total
        });
    whole.sort_by_key(|unit| std::cmp::Reverse(unit.raw_bytes));
    let pieces = split.into_iter().flat_map(|unit| unit.segments).map(|index| Unit {
        segments: vec![index],
        owned: BTreeSet::new(),
        raw_bytes: closed.segments[index].raw_bytes,
    });
    pieces.chain(whole).collect()
}

/// One worker's half that talks to the target.
struct Loader<'a> {
    session: Session,
    closed: &'a Closed,
    chosen: Option<&'a BTreeSet<u32>>,
    progress: &'a Progress,
}

impl Loader<'_> {
    async fn load_all<S: Segments>(&self, segments: &S, mut arriving: mpsc::Receiver<Arrived>) -> Result<(), S::Error> {
        while let Some(Arrived { unit, position, packed }) = arriving.recv().await {
            if position == 0 {
                self.begin(&unit).await?;
            }
            let script = segments.unpack(unit.segments[position], packed).await?.into();
            self.load_segment(&unit, unit.segments[position], script).await?;
            if position + 1 == unit.segments.len() {
                self.run("COMMIT", "committing", &unit).await?;
            }
        }
        Ok(())
    }

    async fn begin(&self, unit: &Unit) -> Result<(), PostgresError> {
        self.run("BEGIN", "beginning with", unit).await?;
        for table in &unit.owned {
            let Table { schema, name, .. } = &self.closed.tables[*table as usize];
            self.run(&format!("TRUNCATE ONLY {}", qualified(schema, name)), "preparing", unit).await?;
        }
        Ok(())
    }

    async fn run(&self, statement: &str, step: &str, unit: &Unit) -> Result<(), PostgresError> {
        let ran = self.session.client.batch_execute(statement).await;
        ran.map_err(PostgresError::query(format!("{step} {}", named(self.closed, unit))))
    }

    async fn load_segment(&self, unit: &Unit, segment: usize, script: Bytes) -> Result<(), PostgresError> {
        let contents = &self.closed.segments[segment];
        let unreadable = |why| PostgresError::Script { object: format!("data segment {}", contents.ordinal), why };
        let pieces = script::pieces(&script).map_err(unreadable)?;
        if pieces.len() != contents.pieces.len() {
            return Err(unreadable("it has other pieces than the manifest lists"));
        }
        for (found, piece) in pieces.iter().zip(&contents.pieces) {
            let table = self.closed.tables.get(piece.table as usize);
            let table = table.ok_or_else(|| unreadable("it names an unknown table"))?;
            if found.target != copy_target(&table.schema, &table.name, &table.columns) {
                return Err(unreadable("a piece is of another table than the manifest lists"));
            }
            if self.chosen.is_none_or(|chosen| chosen.contains(&piece.table)) {
                let rows = script.slice_ref(found.rows);
                copy_rows(&self.session, table, found.target, rows, unit.owned.contains(&piece.table)).await?;
                self.progress.read(found.rows.len() as u64, piece.rows);
            }
        }
        Ok(())
    }
}

fn named(closed: &Closed, unit: &Unit) -> String {
    let first = unit.segments.first().and_then(|index| closed.segments[*index].pieces.first());
    let name =
        first.map(|piece| &closed.tables[piece.table as usize]).map(|table| qualified(&table.schema, &table.name));
    name.unwrap_or_default()
}

async fn copy_rows(
    session: &Session,
    table: &Table,
    target: &str,
    rows: Bytes,
    freeze: bool,
) -> Result<(), PostgresError> {
    let failed = |error: tokio_postgres::Error| PostgresError::Load {
        object: qualified(&table.schema, &table.name),
        why: said(&error),
    };
    let option = if freeze { " WITH (FREEZE)" } else { "" };
    let sink = session.client.copy_in(&format!("COPY {target} FROM STDIN{option}")).await.map_err(failed)?;
    let mut sink = pin!(sink);
    for start in (0..rows.len()).step_by(SEND_BYTES) {
        sink.feed(rows.slice(start..rows.len().min(start + SEND_BYTES))).await.map_err(failed)?;
    }
    sink.finish().await.map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        digest::Blake3,
        fingerprint::Fingerprint,
        manifest::{Database, Piece},
    };

    fn closed(segments: &[(u64, &[u32])]) -> Closed {
        let table = |n: usize| Table {
            schema: "s".into(),
            name: format!("t{n}"),
            columns: "a".into(),
            fingerprint: Fingerprint::default(),
            raw_bytes: 0,
            in_archive: false,
        };
        let contents = |(ordinal, (raw_bytes, tables)): (usize, &(u64, &[u32]))| Contents {
            stream: Stream::Data,
            ordinal: u32::try_from(ordinal).unwrap(),
            blake3: Blake3([0; 32]),
            raw_bytes: *raw_bytes,
            pieces: tables.iter().map(|table| Piece { table: *table, rows: 1 }).collect(),
        };
        Closed {
            database: Database {
                name: String::new(),
                owner: String::new(),
                encoding: "UTF8".into(),
                collate: String::new(),
                ctype: String::new(),
                provider: String::new(),
                locale: None,
                connection_limit: -1,
                settings: vec![],
                comment: None,
                grants: vec![],
            },
            tables: (0..10).map(table).collect(),
            sequences: vec![],
            extensions: vec![],
            roles: vec![],
            large_objects: 0,
            segments: segments.iter().enumerate().map(contents).collect(),
            left_out: vec![],
            warnings: vec![],
            suspicions: vec![],
        }
    }

    #[test]
    fn a_table_is_frozen_only_where_one_worker_loads_all_of_it() {
        // Table 0 dominates; 1 and 2 share a segment and 2 goes on in another; 3 is alone in two segments.
        let closed = closed(&[(90, &[0]), (90, &[0]), (90, &[0]), (20, &[1, 2]), (20, &[2]), (30, &[3]), (30, &[3])]);
        let units = units(&closed, None, 2);
        let split: Vec<_> =
            units.iter().filter(|unit| unit.owned.is_empty()).map(|unit| unit.segments.clone()).collect();
        assert_eq!(split, [[0], [1], [2]]);
        let whole: Vec<_> = units
            .iter()
            .filter(|unit| !unit.owned.is_empty())
            .map(|unit| (unit.segments.clone(), unit.owned.clone()))
            .collect();
        assert_eq!(whole, [(vec![5, 6], [3].into()), (vec![3, 4], [1, 2].into())]);
    }

    #[test]
    fn two_groups_that_turn_out_to_share_a_table_are_one() {
        let closed = closed(&[(1, &[1]), (1, &[2]), (1, &[1, 2])]);
        let units = units(&closed, None, 1);
        assert_eq!(units.len(), 1);
        assert_eq!(units[0].segments, [0, 1, 2]);
    }

    #[test]
    fn only_segments_of_chosen_tables_are_fetched() {
        let closed = closed(&[(1, &[1]), (1, &[2, 3]), (1, &[4])]);
        let units = units(&closed, Some(&[3].into()), 2);
        assert_eq!(units.len(), 1);
        assert_eq!((&units[0].segments, &units[0].owned), (&vec![1], &[3].into()));
    }
}
