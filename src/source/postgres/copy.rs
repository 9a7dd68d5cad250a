//! copy: workers that copy their share of the claimed tables, and pack what they read, each on two threads: one
//! waits for the server, one cuts, fingerprints, compresses and encrypts.

use super::{
    PostgresError,
    connect::Session,
    error::said,
    script,
    tables::{Claim, Task},
};
use crate::{
    fingerprint::Fingerprint,
    manifest::{Contents, Piece, Stream},
    progress::Progress,
    segment::{PackedSegment, Packer, Packing, RAW_BYTES_MAX},
    suspect::{ByteCounts, Redundancy},
};
use futures_util::{FutureExt, StreamExt, stream::Fuse};
use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

/// A server that sends nothing for so long is given up, and its snapshot with it.
pub const STALL: Duration = Duration::from_secs(300);
/// Rows travel between the two threads in chunks of about this many bytes.
const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS_IN_FLIGHT: usize = 4;

/// What all workers of one dump share.
pub struct Shared {
    /// Claims first, then witnesses, which are read for their fingerprint only.
    pub tables: Vec<Claim>,
    /// How many of `tables` are claims.
    pub claimed: usize,
    pub tasks: Mutex<VecDeque<Task>>,
    pub ordinals: AtomicU32,
    pub encoding: &'static str,
    pub packer: Packer,
    pub progress: Arc<Progress>,
    pub segments: mpsc::Sender<PackedSegment>,
}

/// What was read of one table, by one worker or by all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableRead {
    pub fingerprint: Fingerprint,
    pub raw_bytes: u64,
    pub redundancy: Redundancy,
}

impl TableRead {
    pub fn add(&mut self, other: TableRead) {
        self.fingerprint.add(other.fingerprint);
        self.raw_bytes += other.raw_bytes;
        self.redundancy.add(other.redundancy);
    }
}

/// What one worker, or all of them, read and packed.
#[derive(Default)]
pub struct Copied {
    pub tables: BTreeMap<usize, TableRead>,
    pub segments: Vec<Contents>,
}

impl Copied {
    pub fn add(&mut self, other: Copied) {
        for (table, read) in other.tables {
            self.tables.entry(table).or_default().add(read);
        }
        self.segments.extend(other.segments);
    }
}

enum Feed {
    Begin {
        table: usize,
        packed: bool,
    },
    /// Whole rows.
    Rows(Vec<u8>),
    EndTable,
    /// The task is done: what follows belongs to another segment.
    Cut,
}

/// One worker: takes tasks until there are none.
pub async fn work(session: Session, shared: Arc<Shared>) -> Result<Copied, PostgresError> {
    let (feed, fed) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let packing = tokio::task::spawn_blocking({
        let shared = Arc::clone(&shared);
        move || pack(fed, &shared)
    });
    let reading = read_tasks(&session, &shared, feed).await;
    let packed = packing
        .await
        .map_err(|join| PostgresError::Packing { step: "packing rows", source: std::io::Error::other(join) })?;
    // Where packing failed, reading failed only because nobody listened any more.
    let packed = packed?;
    reading?;
    Ok(packed)
}

async fn read_tasks(session: &Session, shared: &Shared, feed: mpsc::Sender<Feed>) -> Result<(), PostgresError> {
    loop {
        let next = shared.tasks.lock().expect("no worker panics while it holds the queue").pop_front();
        let Some(task) = next else { return Ok(()) };
        match task {
            Task::Bundle(tables) => {
                for table in tables {
                    let copy = shared.tables[table].copy_alone();
                    read_table(session, shared, &feed, table, true, &copy).await?;
                }
            }
            Task::Range { table, from, to } => {
                let copy = shared.tables[table].copy_range(from, to);
                read_table(session, shared, &feed, table, true, &copy).await?;
            }
            Task::Witness(table) => {
                let copy = shared.tables[table].copy_with_leaves();
                read_table(session, shared, &feed, table, false, &copy).await?;
            }
        }
        hand_on(&feed, Feed::Cut).await?;
    }
}

async fn hand_on(feed: &mpsc::Sender<Feed>, piece: Feed) -> Result<(), PostgresError> {
    feed.send(piece).await.map_err(|_packer_ended| PostgresError::NoTaker)
}

async fn read_table(
    session: &Session,
    shared: &Shared,
    feed: &mpsc::Sender<Feed>,
    table: usize,
    packed: bool,
    copy: &str,
) -> Result<(), PostgresError> {
    let name = shared.tables[table].qualified();
    hand_on(feed, Feed::Begin { table, packed }).await?;
    let stalled = || PostgresError::Stalled { step: format!("beginning to copy {name}"), seconds: STALL.as_secs() };
    let beginning = tokio::time::timeout(STALL, RowChunks::begin(session, copy, name.clone())).await;
    let mut chunks = beginning.map_err(|_elapsed| stalled())??;
    while let Some(rows) = chunks.next().await? {
        hand_on(feed, Feed::Rows(rows)).await?;
    }
    hand_on(feed, Feed::EndTable).await
}

/// A COPY's rows, in chunks.
pub struct RowChunks {
    rows: Pin<Box<Fuse<tokio_postgres::CopyOutStream>>>,
    name: String,
}

impl RowChunks {
    /// Begins `copy`; errors will name `name`.
    pub async fn begin(session: &Session, copy: &str, name: String) -> Result<Self, PostgresError> {
        let rows = session.client.copy_out(copy).await.map_err(|error| failed(&name, &error))?;
        Ok(Self { rows: Box::pin(rows.fuse()), name })
    }

    /// The next whole rows, about [`CHUNK_BYTES`] of them; `None` when the COPY has ended well.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, PostgresError> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        while chunk.len() < CHUNK_BYTES {
            // A timer for each row would cost more than the row: it is set only when there is something to wait for.
            let next = match self.rows.next().now_or_never() {
                Some(next) => next,
                None => tokio::time::timeout(STALL, self.rows.next()).await.map_err(|_elapsed| self.stalled())?,
            };
            match next.transpose().map_err(|error| failed(&self.name, &error))? {
                Some(row) => chunk.extend_from_slice(&row),
                None => break,
            }
        }
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    fn stalled(&self) -> PostgresError {
        PostgresError::Stalled { step: format!("copying {}", self.name), seconds: STALL.as_secs() }
    }
}

fn failed(name: &str, error: &tokio_postgres::Error) -> PostgresError {
    PostgresError::Query { step: format!("copying {name}"), why: said(error), state: error.code().cloned() }
}

/// The packing half of a worker, on a thread of its own.
fn pack(mut fed: mpsc::Receiver<Feed>, shared: &Shared) -> Result<Copied, PostgresError> {
    let mut bench = Bench {
        shared,
        preamble: script::preamble(shared.encoding),
        open: None,
        piece: OpenPiece::default(),
        copied: Copied::default(),
    };
    let mut current = None;
    while let Some(piece) = fed.blocking_recv() {
        match piece {
            Feed::Begin { table, packed } => {
                bench.copied.tables.entry(table).or_default();
                current = Some((table, packed));
                if packed {
                    bench.begin_piece(table)?;
                }
            }
            Feed::Rows(rows) => {
                let (table, packed) = current.expect("rows come between Begin and EndTable");
                bench.rows(table, packed, &rows)?;
            }
            Feed::EndTable => {
                if let Some((_, true)) = current.take() {
                    bench.end_piece()?;
                }
            }
            Feed::Cut => bench.finish_segment()?,
        }
    }
    Ok(bench.copied)
}

/// Where a worker's segments are filled.
struct Bench<'a> {
    shared: &'a Shared,
    preamble: String,
    open: Option<(Packing, Vec<Piece>)>,
    piece: OpenPiece,
    copied: Copied,
}

/// What tells how well one table's rows pack, whatever lies beside them in the segment.
#[derive(Default)]
struct OpenPiece {
    counts: ByteCounts,
    /// Of the segment, where the piece begins.
    packed_before: u64,
}

impl Bench<'_> {
    fn rows(&mut self, table: usize, packed: bool, rows: &[u8]) -> Result<(), PostgresError> {
        let mut read = TableRead { raw_bytes: rows.len() as u64, ..TableRead::default() };
        read.fingerprint.add_lines(rows);
        self.copied.tables.entry(table).or_default().add(read);
        self.shared.progress.read(read.raw_bytes, read.fingerprint.rows);
        if !packed {
            return Ok(());
        }
        let full = self.open.as_ref().is_some_and(|(packing, pieces)| {
            let begun = pieces.last().is_some_and(|piece| piece.rows > 0);
            begun && packing.raw_bytes() + rows.len() > RAW_BYTES_MAX
        });
        if full {
            self.end_piece()?;
            self.finish_segment()?;
            self.begin_piece(table)?;
        }
        let (packing, pieces) = self.open.as_mut().expect("a piece was begun");
        pieces.last_mut().expect("a piece was begun").rows += read.fingerprint.rows;
        self.piece.counts.add(rows);
        packing.write(rows).map_err(packing_failed)
    }

    fn begin_piece(&mut self, table: usize) -> Result<(), PostgresError> {
        if self.open.as_ref().is_some_and(|(packing, _)| packing.raw_bytes() >= RAW_BYTES_MAX / 2) {
            self.finish_segment()?;
        }
        if self.open.is_none() {
            let mut packing = self.shared.packer.begin(Stream::Data).map_err(packing_failed)?;
            packing.write(self.preamble.as_bytes()).map_err(packing_failed)?;
            self.open = Some((packing, Vec::new()));
            self.piece = OpenPiece::default();
        }
        let claim = &self.shared.tables[table];
        let target = script::copy_target(&claim.schema, &claim.name, &claim.columns);
        let (packing, pieces) = self.open.as_mut().expect("opened above");
        pieces.push(Piece { table: u32::try_from(table).expect("fewer than 2^32 tables"), rows: 0 });
        packing.write(script::begin_rows(&target).as_bytes()).map_err(packing_failed)
    }

    fn end_piece(&mut self) -> Result<(), PostgresError> {
        let (packing, pieces) = self.open.as_mut().expect("a piece was begun");
        packing.write(script::end_rows()).map_err(packing_failed)?;
        let Piece { table, rows } = *pieces.last().expect("a piece was begun");
        if rows > 0 {
            let packed = packing.flush().map_err(packing_failed)?;
            let piece = std::mem::replace(&mut self.piece, OpenPiece { packed_before: packed, ..OpenPiece::default() });
            let packed_bytes = packed - piece.packed_before;
            let redundancy = Redundancy { unordered_bytes: piece.counts.unordered_bytes(), packed_bytes };
            let read = TableRead { redundancy, ..TableRead::default() };
            self.copied.tables.entry(table as usize).or_default().add(read);
        }
        Ok(())
    }

    fn finish_segment(&mut self) -> Result<(), PostgresError> {
        let Some((packing, pieces)) = self.open.take() else { return Ok(()) };
        let ordinal = self.shared.ordinals.fetch_add(1, Ordering::Relaxed);
        let segment = packing.finish(ordinal, pieces).map_err(packing_failed)?;
        self.copied.segments.push(segment.contents.clone());
        self.shared.segments.blocking_send(segment).map_err(|_taker_ended| PostgresError::NoTaker)
    }
}

fn packing_failed(source: std::io::Error) -> PostgresError {
    PostgresError::Packing { step: "packing rows", source }
}
