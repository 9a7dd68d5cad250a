//! restore: a sealed backup out of a vault into a new or empty database, compared at the end.
//!
//! It needs the vault, the verifying key and an identity, and nothing else of ours. Until the comparison has
//! passed, the target carries a comment that says that it is incomplete.

mod error;

pub use error::RestoreError;

use crate::{
    clock::{Clock, SignedDuration, Timestamp, spoken},
    finding::Finding,
    layout::{BackupId, SourceName},
    manifest::{Stream, Table},
    progress::Progress,
    role::{Opened, Restorer, RoleError, Select, Shelf},
    source::postgres::{
        self, Address, Choice, Clients, Difference, Head, Ownership, PostgresError, Section, Target, Toc, qualified,
    },
};
use bytes::Bytes;
use std::path::PathBuf;

/// What is wanted, and where to.
pub struct Order {
    pub source: SourceName,
    pub select: Select,
    pub to: Address,
    /// `schema.table` each; empty: everything.
    pub tables: Vec<String>,
    pub jobs: usize,
    pub ownership: Ownership,
    /// Make the backup's roles first.
    pub globals: bool,
    pub client_path: Vec<PathBuf>,
    /// PostgreSQL's programs, where they are chosen already, or confined.
    pub clients: Option<Clients>,
    /// Make tablespaces inside the server's own folder: it is a scratch server, and no other.
    pub in_place: bool,
    /// SQL whose first column must be true in the restored database.
    pub checks: Vec<String>,
}

/// What a restore would do, or has done.
#[derive(Debug)]
pub struct Report {
    pub source: SourceName,
    pub backup: BackupId,
    pub snapshot_at: Timestamp,
    pub sealed_at: Timestamp,
    pub database: String,
    pub created: bool,
    pub tables: usize,
    pub rows: u64,
    pub packed_bytes: u64,
    pub took: SignedDuration,
    /// What came with a single table's choice and what could not.
    pub left_out: Vec<String>,
    pub warnings: Vec<String>,
    pub findings: Vec<Finding>,
    pub compared: bool,
}

/// A backup that was found, verified and opened, and a target that may take it: nothing is changed yet.
pub struct Prepared {
    opened: Opened,
    target: Target,
    head: Head,
    /// The archive brings functions: building an index or filling a view may run them, and they may write anywhere.
    brings_code: bool,
    choice: Option<Choice>,
    findings: Vec<Finding>,
}

pub async fn prepare(restorer: &Restorer, order: &Order) -> Result<Prepared, RestoreError> {
    let inspector = restorer.inspector();
    let shelf = inspector.shelf(&order.source).await?;
    let (sealed, passed_over) = inspector.select(&order.source, &shelf, &order.select).await?;
    let opened = restorer.open_closed(sealed)?;
    insist_not_suspect(restorer, &shelf, order, &opened).await?;
    prepare_opened(restorer, order, opened, [shelf.findings, passed_over].concat()).await
}

/// [`prepare`] for a backup that was chosen and opened already, suspect or not.
pub async fn prepare_opened(
    restorer: &Restorer,
    order: &Order,
    opened: Opened,
    findings: Vec<Finding>,
) -> Result<Prepared, RestoreError> {
    let source_major = postgres::major_of(&opened.sealed.manifest.engine.server);
    let target =
        Target::inspect(&order.to, source_major, order.ownership.clone(), &order.client_path, order.clients.clone())
            .await?;
    let (head, toc) = fetch_head(restorer, &opened, &target).await?;
    let choice = match &order.tables[..] {
        [] => None,
        tables => Some(postgres::choose(&opened.closed, &toc, tables)?),
    };
    let brings_code = toc.brings_code();
    Ok(Prepared { opened, target, head, brings_code, choice, findings })
}

/// Who asks for the newest wants the data back: a backup in which it looks wiped must be asked for by its id.
async fn insist_not_suspect(
    restorer: &Restorer,
    shelf: &Shelf,
    order: &Order,
    opened: &Opened,
) -> Result<(), RestoreError> {
    if !opened.sealed.is_suspect() || matches!(order.select, Select::Id(_)) {
        return Ok(());
    }
    let good = match restorer.inspector().select(&order.source, shelf, &Select::LatestGood).await {
        Ok((good, _)) => Some(good.manifest.backup),
        Err(RoleError::NoBackup { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let (backup, suspicions) = (opened.sealed.manifest.backup.clone(), opened.closed.suspicions.clone());
    Err(RestoreError::Suspect { backup, suspicions, good })
}

impl Prepared {
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The archive's beginning, with all its definitions.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What [`restore`] would do with it.
    pub fn plan(&self, order: &Order) -> Report {
        self.report(order, SignedDuration::ZERO, Vec::new(), false)
    }

    fn tables(&self) -> Vec<&Table> {
        let chosen = |index: usize| match &self.choice {
            Some(choice) => choice.tables.contains(&u32::try_from(index).expect("fewer than 2^32 tables")),
            None => true,
        };
        self.opened
            .closed
            .tables
            .iter()
            .enumerate()
            .filter(|(index, _)| chosen(*index))
            .map(|(_, table)| table)
            .collect()
    }

    fn report(&self, order: &Order, took: SignedDuration, warnings: Vec<String>, compared: bool) -> Report {
        let manifest = &self.opened.sealed.manifest;
        let tables = self.tables();
        let left_out =
            self.opened.closed.left_out.iter().map(|left_out| format!("{}: {}", left_out.what, left_out.why));
        let unchosen = self.choice.iter().flat_map(|choice| choice.left_out.iter().cloned());
        Report {
            source: manifest.source.clone(),
            backup: manifest.backup.clone(),
            snapshot_at: manifest.snapshot_at,
            sealed_at: self.opened.sealed.sealed_at,
            database: order.to.database.clone(),
            created: self.target.created,
            tables: tables.len(),
            rows: tables.iter().map(|table| table.fingerprint.rows).sum(),
            packed_bytes: manifest.packed_bytes(),
            took,
            left_out: left_out.chain(unchosen).collect(),
            warnings,
            findings: self.findings.clone(),
            compared,
        }
    }
}

/// A restore's steps, in their order. The first change of the target is the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Schema,
    Rows,
    Residue,
    Indexes,
    Properties,
    Comparison,
}

impl Step {
    const ALL: [Self; 6] = [Self::Schema, Self::Rows, Self::Residue, Self::Indexes, Self::Properties, Self::Comparison];

    fn name(self) -> &'static str {
        match self {
            Self::Schema => "the schema",
            Self::Rows => "rows",
            Self::Residue => "sequences, large objects and what else the archive holds as data",
            Self::Indexes => "indexes and constraints, and comparing tables",
            Self::Properties => "the database's settings",
            Self::Comparison => "(the comparison)",
        }
    }
}

/// Loads a prepared backup. Any error after the first change says that the database is incomplete.
pub async fn restore(
    restorer: &Restorer,
    order: &Order,
    prepared: &Prepared,
    progress: &Progress,
    clock: Clock,
) -> Result<Report, RestoreError> {
    let began_at = clock.now();
    let closed = &prepared.opened.closed;
    let warnings = if order.globals { run_globals(restorer, prepared, order.in_place).await? } else { Vec::new() };
    if !(order.ownership.no_owner && order.ownership.no_privileges) {
        prepared.target.insist_on_roles(&closed.roles).await?;
    }
    prepared.target.begin(&closed.database).await?;
    for step in Step::ALL {
        let step_began_at = clock.now();
        take(step, restorer, order, prepared, progress).await.map_err(|error| match error {
            differs @ RestoreError::Differs { .. } => differs,
            error => RestoreError::Incomplete {
                database: order.to.database.clone(),
                step: step.name(),
                source: Box::new(error),
            },
        })?;
        let took = spoken(clock.now().duration_since(step_began_at));
        tracing::info!(step = step.name(), took, "restored");
    }
    prepared.target.complete(&closed.database).await?;
    let took = clock.now().duration_since(began_at);
    Ok(prepared.report(order, took, warnings, true))
}

async fn take(
    step: Step,
    restorer: &Restorer,
    order: &Order,
    prepared: &Prepared,
    progress: &Progress,
) -> Result<(), RestoreError> {
    match step {
        Step::Schema => run_section(prepared, Section::PreData, order.jobs).await,
        Step::Rows => load_rows(restorer, order, prepared, progress).await,
        Step::Residue => stream_archive(restorer, prepared).await,
        // PostgreSQL's own code changes no row in this section, and building indexes rarely keeps every core busy to its
        // end: so tables are read back meanwhile. Each COPY holds one table's lock at a time, which cannot deadlock.
        // Code of the backup's own may change any row until the last view is filled: then they are read back after it.
        Step::Indexes => {
            let indexes = run_section(prepared, Section::PostData, order.jobs);
            let alone: Vec<&Table> = prepared.tables().into_iter().filter(|table| !table.in_archive).collect();
            let comparing = compare_tables(order, prepared, &alone, progress);
            if prepared.brings_code {
                indexes.await?;
                comparing.await
            } else {
                tokio::try_join!(indexes, comparing).map(|((), ())| ())
            }
        }
        Step::Properties if prepared.choice.is_some() => Ok(()),
        Step::Properties => Ok(prepared.target.apply_properties(&prepared.opened.closed.database).await?),
        Step::Comparison => {
            let with_leaves: Vec<&Table> = prepared.tables().into_iter().filter(|table| table.in_archive).collect();
            compare_tables(order, prepared, &with_leaves, progress).await?;
            compare_the_rest(order, prepared).await
        }
    }
}

/// Fetches the archive's segments until they hold its whole table of contents.
async fn fetch_head(restorer: &Restorer, opened: &Opened, target: &Target) -> Result<(Head, Toc), RestoreError> {
    let failed = |source| RestoreError::Machine { step: "keeping the archive's head in memory", source };
    let mut head = Head::new().map_err(failed)?;
    for (receipt, contents) in opened.segments().filter(|(receipt, _)| receipt.stream == Stream::Archive) {
        head.append(&restorer.plaintext(receipt, contents).await?).map_err(failed)?;
        if let Some(toc) = head.toc(&target.clients).await? {
            return Ok((head, toc));
        }
    }
    Err(PostgresError::ClaimBroken { why: "pg_restore cannot list the archive".into() }.into())
}

async fn run_globals(restorer: &Restorer, prepared: &Prepared, in_place: bool) -> Result<Vec<String>, RestoreError> {
    let mut script = Vec::new();
    for (receipt, contents) in prepared.opened.segments().filter(|(receipt, _)| receipt.stream == Stream::Globals) {
        script.extend(restorer.plaintext(receipt, contents).await?);
    }
    if in_place {
        script = postgres::in_place(&script);
    }
    Ok(prepared.target.run_globals(&script).await?)
}

async fn run_section(prepared: &Prepared, section: Section, jobs: usize) -> Result<(), RestoreError> {
    Ok(prepared.target.run_section(section, &prepared.head, prepared.choice.as_ref(), jobs).await?)
}

async fn load_rows(
    restorer: &Restorer,
    order: &Order,
    prepared: &Prepared,
    progress: &Progress,
) -> Result<(), RestoreError> {
    let chosen = prepared.choice.as_ref().map(|choice| &choice.tables);
    let segments = Fetched { restorer, opened: &prepared.opened, progress };
    postgres::load(&prepared.target, &prepared.opened.closed, chosen, order.jobs, &segments, progress).await
}

/// A backup's segments on their way out of the vault.
struct Fetched<'a> {
    restorer: &'a Restorer,
    opened: &'a Opened,
    progress: &'a Progress,
}

impl postgres::Segments for Fetched<'_> {
    type Error = RestoreError;

    async fn fetch(&self, index: usize) -> Result<Bytes, RestoreError> {
        let receipt = &self.opened.sealed.manifest.segments[index];
        let packed = self.restorer.fetch(receipt).await?;
        self.progress.moved(receipt.size);
        Ok(packed)
    }

    async fn unpack(&self, index: usize, packed: Bytes) -> Result<Vec<u8>, RestoreError> {
        let (receipt, contents) = (&self.opened.sealed.manifest.segments[index], &self.opened.closed.segments[index]);
        Ok(self.restorer.unpacked(receipt, contents, packed).await?)
    }
}

/// Feeds the whole archive to pg_restore for what is in it as data: sequences' values, large objects, the rows of
/// tables that were not claimed. It streams, so memory does not depend on its size.
async fn stream_archive(restorer: &Restorer, prepared: &Prepared) -> Result<(), RestoreError> {
    let mut loading = prepared.target.begin_data(prepared.choice.as_ref())?;
    for (receipt, contents) in prepared.opened.segments().filter(|(receipt, _)| receipt.stream == Stream::Archive) {
        let plaintext = restorer.plaintext(receipt, contents).await?;
        if !loading.feed(&plaintext).await? {
            break;
        }
    }
    Ok(loading.finish().await?)
}

async fn compare_tables(
    order: &Order,
    prepared: &Prepared,
    tables: &[&Table],
    progress: &Progress,
) -> Result<(), RestoreError> {
    let encoding = postgres::text_encoding(&prepared.opened.closed.database.encoding);
    let differences = postgres::compare(&order.to, encoding, tables, order.jobs, progress).await?;
    insist_on_none(order, differences.iter().map(Difference::to_string).collect())
}

/// Sequences, and the owner's own checks: of a whole database only.
async fn compare_the_rest(order: &Order, prepared: &Prepared) -> Result<(), RestoreError> {
    if prepared.choice.is_some() {
        return Ok(());
    }
    let mut differences = prepared.target.compare_sequences(&prepared.opened.closed.sequences).await?;
    let (held, found) = (prepared.opened.closed.large_objects, prepared.target.large_objects().await?);
    if held != found {
        differences.push(format!("large objects: {held} in the backup, {found} restored"));
    }
    differences.extend(prepared.target.failed_checks(&order.checks).await?);
    insist_on_none(order, differences)
}

fn insist_on_none(order: &Order, differences: Vec<String>) -> Result<(), RestoreError> {
    let database = order.to.database.clone();
    if differences.is_empty() { Ok(()) } else { Err(RestoreError::Differs { database, differences }) }
}

/// Names of the tables that a plan or a report speaks of.
pub fn table_names(tables: &[Table]) -> impl Iterator<Item = String> {
    tables.iter().map(|table| qualified(&table.schema, &table.name))
}
