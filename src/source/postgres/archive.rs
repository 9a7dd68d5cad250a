//! archive: pg_dump in our snapshot writes everything that we did not claim, straight into segments.

use super::{
    Address, PostgresError,
    clients::Clients,
    copy::{STALL, Shared},
    cuts::Cutter,
    tables::{Claim, qualified},
    toc::{Head, Toc},
};
use crate::{
    manifest::{Contents, Stream},
    segment::Packing,
    source::child::{self, Ended, MemoryFile},
};
use std::{io, process::Stdio, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    sync::mpsc,
    task::JoinHandle,
};

const CHUNK_BYTES: usize = 256 << 10;
/// The head is asked for its table of contents when it has grown to this size, and at each doubling.
const HEAD_BYTES: u64 = 4 << 20;
/// All arguments and the environment of a process fit in 2 MiB (execve(2), with the usual 8 MiB stack).
const ARGUMENT_BYTES_MAX: usize = 1_500_000;

/// What pg_dump wrote: its segments, its table of contents, and how it ended.
pub struct Archive {
    pub segments: Vec<Contents>,
    pub head: Head,
    pub toc: Toc,
    pub ended: Ended,
}

pub async fn write(
    address: &Address,
    clients: &Clients,
    snapshot: &str,
    shared: &Arc<Shared>,
) -> Result<Archive, PostgresError> {
    let failed = |source| PostgresError::Packing { step: "preparing pg_dump", source };
    let (mut command, _connection) = clients.command("pg_dump", address).map_err(failed)?;
    command
        .args(["--format=custom", "--compress=0", "--no-password", "--lock-wait-timeout=10s"])
        .arg(format!("--snapshot={snapshot}"))
        // Names reach pg_dump in its client's encoding: without this, tables with names beyond ASCII in a database of
        // another encoding than UTF-8 are not excluded.
        .arg(format!("--encoding={}", shared.encoding))
        .stdout(Stdio::piped());
    exclude(&mut command, &shared.tables[..shared.claimed], clients).map_err(failed)?;
    let mut running = child::start(command)?;
    let mut head = Head::new().map_err(failed)?;
    let mut toc = None;
    let mut stdout = Chunks::of(running.stdout(), "pg_dump's archive");
    let packer = StreamPacker::begin(Stream::Archive, shared);
    let written = async {
        while let Some(chunk) = stdout.next().await? {
            if toc.is_none() {
                let threshold = HEAD_BYTES.max(head.bytes().next_power_of_two());
                head.append(&chunk).map_err(failed)?;
                if head.bytes() >= threshold {
                    toc = head.toc(clients).await?;
                }
            }
            packer.push(chunk).await?;
        }
        packer.finish().await
    };
    let written = written.await;
    // A stream that ended early is explained by the child's own words, if it has any.
    let ended = match written {
        Err(error @ (PostgresError::NoTaker | PostgresError::Stalled { .. })) => return Err(error),
        _ => running.succeed().await?,
    };
    let segments = written?;
    let toc = match toc {
        Some(toc) => Some(toc),
        None => head.toc(clients).await?,
    };
    let toc = toc.ok_or_else(|| PostgresError::ClaimBroken { why: "pg_restore cannot list it".into() })?;
    Ok(Archive { segments, head, toc, ended })
}

/// Tells pg_dump which tables' rows are not its business, one argument each; alternations in one pattern are
/// 20 times slower. The filter file, for very many tables, exists from 17 on.
fn exclude(command: &mut Command, claims: &[Claim], clients: &Clients) -> io::Result<()> {
    let names: Vec<_> = claims.iter().map(|claim| qualified(&claim.schema, &claim.name)).collect();
    let bytes: usize = names.iter().map(|name| name.len() + 32).sum();
    if bytes <= ARGUMENT_BYTES_MAX {
        command.args(names.iter().map(|name| format!("--exclude-table-data={name}")));
        return Ok(());
    }
    let major = clients.major;
    if major < 17 {
        return Err(io::Error::other(format!("{} tables are more than pg_dump {major} can be told of", claims.len())));
    }
    let mut filter = MemoryFile::create("pg-dump-filter")?;
    for name in names {
        let escaped = name.replace('\\', "\\\\").replace('\n', "\\n");
        filter.append(format!("exclude table_data {escaped}\n").as_bytes())?;
    }
    let path = clients.lend(command, &filter)?;
    command.arg(format!("--filter={path}"));
    Ok(())
}

/// A child's output, in chunks.
pub struct Chunks<R> {
    source: R,
    name: &'static str,
}

impl<R: AsyncRead + Unpin> Chunks<R> {
    pub fn of(source: R, name: &'static str) -> Self {
        Self { source, name }
    }

    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, PostgresError> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        let stalled = || PostgresError::Stalled { step: format!("reading {}", self.name), seconds: STALL.as_secs() };
        let read = tokio::time::timeout(STALL, self.source.read_buf(&mut chunk)).await.map_err(|_elapsed| stalled())?;
        let read = read.map_err(|source| PostgresError::Packing { step: self.name, source })?;
        Ok((read > 0).then_some(chunk))
    }
}

/// Cuts a byte stream into segments, on a thread of its own.
pub struct StreamPacker {
    feed: mpsc::Sender<Vec<u8>>,
    packing: JoinHandle<Result<Vec<Contents>, PostgresError>>,
}

impl StreamPacker {
    pub fn begin(stream: Stream, shared: &Arc<Shared>) -> Self {
        let (feed, fed) = mpsc::channel(4);
        let shared = Arc::clone(shared);
        Self { feed, packing: tokio::task::spawn_blocking(move || pack(fed, stream, &shared)) }
    }

    pub async fn push(&self, chunk: Vec<u8>) -> Result<(), PostgresError> {
        self.feed.send(chunk).await.map_err(|_packer_ended| PostgresError::NoTaker)
    }

    /// The stream has ended well: packs the last segment.
    pub async fn finish(self) -> Result<Vec<Contents>, PostgresError> {
        drop(self.feed);
        let lost = |join| PostgresError::Packing { step: "packing a stream", source: io::Error::other(join) };
        self.packing.await.map_err(lost)?
    }
}

fn pack(mut fed: mpsc::Receiver<Vec<u8>>, stream: Stream, shared: &Shared) -> Result<Vec<Contents>, PostgresError> {
    let failed = |source| PostgresError::Packing { step: "packing a stream", source };
    let mut contents = Vec::new();
    let mut finish = |packing: Packing| {
        let ordinal = u32::try_from(contents.len()).expect("fewer than 2^32 segments");
        let segment = packing.finish(ordinal, Vec::new()).map_err(failed)?;
        contents.push(segment.contents.clone());
        shared.segments.blocking_send(segment).map_err(|_taker_ended| PostgresError::NoTaker)
    };
    let mut open = shared.packer.begin(stream).map_err(failed)?;
    let mut cutter = Cutter::new();
    while let Some(chunk) = fed.blocking_recv() {
        let mut rest = &chunk[..];
        while let Some(end) = cutter.end(rest) {
            open.write(&rest[..end]).map_err(failed)?;
            finish(std::mem::replace(&mut open, shared.packer.begin(stream).map_err(failed)?))?;
            rest = &rest[end..];
        }
        open.write(rest).map_err(failed)?;
        shared.progress.read(chunk.len() as u64, 0);
    }
    finish(open)?;
    Ok(contents)
}
