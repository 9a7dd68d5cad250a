//! dump: one complete dump of one database, from the first question to the proof that it completed.

use super::{
    PostgresError, PostgresSettings, Server, alone,
    archive::{self, Archive},
    clients::Clients,
    connect::{Session, connect, text_encoding},
    copy::{self, Copied, Shared, TableRead},
    globals, rights, snapshot,
    tables::{self, Claim, Size, Task},
};
use crate::{
    clock::Clock,
    layout::SourceName,
    manifest::{Closed, DumpComplete, Engine, LeftOut, Table},
    progress::Progress,
    segment::{PackedSegment, Packer},
    suspect::{Portrait, Shape},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    ops::RangeInclusive,
    sync::{Arc, Mutex, atomic::AtomicU32},
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_postgres::Client;

/// The major versions that every release of this program is tested against or written for.
const MAJORS: RangeInclusive<u32> = 14..=18;

/// A complete dump, and what it looks like to who compares it with others.
pub struct Dumped {
    pub complete: DumpComplete,
    pub portrait: Portrait,
}

/// Dumps the database into `segments`, whose other end deposits them. Each worker fills one segment at a time.
/// Dropping the future ends every session and child; what was sent until then seals nothing.
pub async fn dump(
    source: &SourceName,
    settings: &PostgresSettings,
    packer: &Packer,
    progress: &Arc<Progress>,
    clock: Clock,
    segments: mpsc::Sender<PackedSegment>,
) -> Result<Dumped, PostgresError> {
    let address = &settings.address;
    let Look { server, clients, left_out } = look(settings).await?;
    let _alone = alone::insist(address, source).await?;
    let mut snapshot = snapshot::take(address, settings.workers, clock).await?;
    let sizes = tables::sizes(&snapshot.leader.client, &snapshot.claims).await?;
    progress.expect(sizes.iter().map(|size| size.bytes).sum());

    let witnesses = tables::witnesses(&snapshot.leader.client).await?;
    let shared = Arc::new(Shared {
        tasks: Mutex::new(tasks(&snapshot.claims, &sizes, witnesses.len())),
        claimed: snapshot.claims.len(),
        tables: [&snapshot.claims[..], &witnesses].concat(),
        ordinals: AtomicU32::new(0),
        encoding: text_encoding(&server.encoding),
        packer: packer.clone(),
        progress: Arc::clone(progress),
        segments,
    });
    let passwords = globals::may_read_passwords(&snapshot.leader.client).await?;
    let sessions = std::mem::take(&mut snapshot.workers);
    let (copied, archive, globals) = tokio::try_join!(
        copy_all(sessions, &shared),
        archive::write(address, &clients, &snapshot.id, &shared),
        globals::write(address, &clients, passwords, &shared),
    )?;

    let leader = &snapshot.leader.client;
    insist_nothing_is_missing(leader, &snapshot.claims, &archive).await?;
    snapshot.insist_unchanged(address).await?;
    let (globals_segments, globals_ended) = globals;
    let mut contents = [copied.segments, archive.segments, globals_segments].concat();
    contents.sort_by_key(|contents| (contents.stream, contents.ordinal));
    let closed = Closed {
        database: globals::database(leader, server.major).await?,
        tables: table_records(&shared, &copied.tables),
        sequences: archive.head.sequences(&clients, &archive.toc).await?,
        extensions: globals::extensions(leader).await?,
        roles: globals::roles(leader).await?,
        large_objects: globals::large_objects(leader).await?,
        segments: contents,
        left_out,
        warnings: [archive.ended.said, globals_ended.said].concat(),
        suspicions: Vec::new(),
    };
    let engine = Engine { name: "postgres".into(), server: server.version, tool: clients.version };
    let children = [("pg_dump", archive.ended.status), ("pg_dumpall", globals_ended.status)];
    let complete = DumpComplete::prove(closed, engine, snapshot.at, &children)?;
    let mut portrait = portrait(&shared, &copied.tables);
    portrait.add("(large objects)", Shape { rows: complete.closed().large_objects, ..Shape::default() });
    Ok(Dumped { complete, portrait })
}

/// What is known of a source before anything of it is locked.
pub struct Look {
    pub server: Server,
    pub clients: Clients,
    pub left_out: Vec<LeftOut>,
}

/// Reaches the server, insists on a version we know, on programs that fit, and on the right to read everything.
pub async fn look(settings: &PostgresSettings) -> Result<Look, PostgresError> {
    let session = connect(&settings.address, None).await?;
    let server = Server::of(&session.client).await?;
    if !MAJORS.contains(&server.major) {
        return Err(PostgresError::UnsupportedServer { version: server.version });
    }
    let clients = Clients::find(server.major, &settings.client_path).await?;
    let left_out = rights::insist(&session.client, &settings.address.user, &settings.accept_missing).await?;
    Ok(Look { server, clients, left_out })
}

fn tasks(claims: &[Claim], sizes: &[Size], witnesses: usize) -> VecDeque<Task> {
    let mut tasks = tables::divide(claims, sizes);
    tasks.extend((claims.len()..claims.len() + witnesses).map(Task::Witness));
    tasks.into()
}

/// Runs the workers to their end; the first error ends them all.
async fn copy_all(sessions: Vec<Session>, shared: &Arc<Shared>) -> Result<Copied, PostgresError> {
    let mut workers = JoinSet::new();
    for session in sessions {
        workers.spawn(copy::work(session, Arc::clone(shared)));
    }
    let mut all = Copied::default();
    while let Some(ended) = workers.join_next().await {
        let copied =
            ended.map_err(|join| PostgresError::Packing { step: "copying", source: io::Error::other(join) })?;
        all.add(copied?);
    }
    Ok(all)
}

fn table_records(shared: &Shared, read: &BTreeMap<usize, TableRead>) -> Vec<Table> {
    let record = |(index, claim): (usize, &Claim)| {
        let TableRead { fingerprint, raw_bytes, .. } = read.get(&index).copied().unwrap_or_default();
        Table {
            schema: claim.schema.clone(),
            name: claim.name.clone(),
            columns: claim.columns.clone(),
            fingerprint,
            raw_bytes,
            in_archive: index >= shared.claimed,
        }
    };
    shared.tables.iter().enumerate().map(record).collect()
}

fn portrait(shared: &Shared, read: &BTreeMap<usize, TableRead>) -> Portrait {
    let mut portrait = Portrait::default();
    for (index, claim) in shared.tables.iter().enumerate() {
        let TableRead { fingerprint, raw_bytes, redundancy } = read.get(&index).copied().unwrap_or_default();
        portrait.add(&claim.family, Shape { rows: fingerprint.rows, bytes: raw_bytes, redundancy });
    }
    portrait
}

/// Every ordinary table's rows are either ours or in the archive, and none are in both: asked of the archive itself.
async fn insist_nothing_is_missing(client: &Client, claims: &[Claim], archive: &Archive) -> Result<(), PostgresError> {
    let claimed: BTreeSet<u32> = claims.iter().map(|claim| claim.oid).collect();
    let with_data = archive.toc.with_data();
    if let Some(oid) = claimed.intersection(&with_data).next() {
        return Err(PostgresError::ClaimBroken { why: format!("the rows of table {oid} are in both") });
    }
    const ORDINARY: &str = "SELECT oid FROM pg_class WHERE relkind = 'r' AND oid = ANY ($1)";
    let defined: Vec<u32> = archive.toc.tables().into_iter().collect();
    let rows = client.query(ORDINARY, &[&defined]).await.map_err(PostgresError::query("checking the archive"))?;
    let missing: Vec<u32> =
        rows.iter().map(|row| row.get(0)).filter(|oid| !claimed.contains(oid) && !with_data.contains(oid)).collect();
    let undefined: Vec<_> = claims.iter().filter(|claim| !defined.contains(&claim.oid)).map(Claim::qualified).collect();
    if missing.is_empty() && undefined.is_empty() {
        return Ok(());
    }
    let why = format!("rows of tables {missing:?} are in neither; tables {undefined:?} have no definition");
    Err(PostgresError::ClaimBroken { why })
}
