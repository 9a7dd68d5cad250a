//! opening: finds the catalog, or that it is lost, unreadable or too new, and begins one where there is none.
//!
//! One process at a time opens, under a flock on `catalog.lock`: else two that find the same unreadable file could set
//! each other's fresh one aside. The lock file has a second use: once a catalog was begun it is not empty any more, so
//! that a catalog that is gone is not taken for one that never was.

use super::{CatalogError, Store, column::At, error};
use crate::clock::{self, Timestamp};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const FILE: &str = "catalog.db";
const TURN: &str = "catalog.lock";
/// The folder of the sources' locks, whose files tell of earlier runs too.
pub(super) const RUNS: &str = "runs";

const SCHEMA: &str = include_str!("schema.sql");
const VERSION: i64 = 1;

/// Others write for milliseconds; whoever holds the file for longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// What lies in the place of the catalog.
enum Found {
    Ours,
    /// Nothing yet, or an empty file.
    Blank,
    Unreadable(String),
}

/// The open catalog, and why it was begun anew, where it was.
pub(super) async fn open(state_dir: &Path, now: Timestamp) -> Result<(Store, Option<String>), CatalogError> {
    let mut folder = DirBuilder::new();
    folder.recursive(true).mode(0o700).create(state_dir).map_err(|error| CatalogError::io(state_dir, error))?;
    // SQLite takes a name that begins with `file:` for an address; an absolute one never does.
    let state_dir = std::path::absolute(state_dir).map_err(|error| CatalogError::io(state_dir, error))?;
    let path = state_dir.join(FILE);
    let turn = Turn::wait(&state_dir).await?;

    let is_new = create(&path)?;
    let begun_anew = match examine(&path).await? {
        Found::Ours => None,
        Found::Blank => {
            let gone = if is_new { "was gone" } else { "was empty" };
            let lost = turn.tells_of_runs()?.then(|| format!("{FILE} {gone}, although there were runs before"));
            begin(&path, now, lost.as_deref()).await?;
            turn.mark(now)?;
            lost
        }
        Found::Unreadable(why) => {
            let aside = set_aside(&path, now)?;
            let unreadable = format!("{FILE} was unreadable ({why}) and is now {aside}");
            create(&path)?;
            begin(&path, now, Some(&unreadable)).await?;
            turn.mark(now)?;
            Some(unreadable)
        }
    };

    let pool = connections(&path).await.map_err(|error| CatalogError::sqlite(&path, error))?;
    Ok((Store::new(pool, path)?, begun_anew))
}

/// One connection, for as long as the catalog is open: who writes would wait for other writers anyway.
async fn connections(path: &Path) -> Result<SqlitePool, sqlx::Error> {
    let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(2 * PATIENCE).test_before_acquire(false);
    // Where SQLite itself rolls back, as on a full disk, sqlx believes ever after that the transaction is still open.
    let clean = pool.idle_timeout(None).max_lifetime(None).after_release(|connection, _| {
        Box::pin(async move {
            connection.ping().await?; // the roll-back that a dropped transaction has asked for is done now
            Ok(!connection.is_in_transaction())
        })
    });
    clean.connect_with(options(path).synchronous(SqliteSynchronous::Full)).await
}

/// `false` where there is a file already. It must not even be opened here: closing it again would drop the locks that
/// SQLite has on it elsewhere in this process (POSIX locks belong to the process).
fn create(path: &Path) -> Result<bool, CatalogError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(CatalogError::io(path, error)),
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE).foreign_keys(true).disable_statement_logging()
}

async fn connect(path: &Path) -> Result<SqliteConnection, CatalogError> {
    options(path).connect().await.map_err(|error| CatalogError::sqlite(path, error))
}

/// Looks without writing. The connection is closed before anything is renamed.
async fn examine(path: &Path) -> Result<Found, CatalogError> {
    let mut connection = connect(path).await?;
    let found = look(&mut connection).await;
    let closed = connection.close().await;
    let version = match found.and_then(|found| closed.map(|()| found)) {
        Ok((found, VERSION | 0)) => return Ok(found),
        Ok((_, version)) => version,
        Err(error) if is_unreadable(&error) => return Ok(Found::Unreadable(error::said(&error))),
        Err(error) => return Err(CatalogError::sqlite(path, error)),
    };
    Err(CatalogError::Newer { path: path.to_owned(), found: version, known: VERSION })
}

async fn look(connection: &mut SqliteConnection) -> Result<(Found, i64), sqlx::Error> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    if version != VERSION && version != 0 {
        return Ok((Found::Ours, version));
    }
    let findings: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(3)").fetch_all(&mut *connection).await?;
    if findings != ["ok"] {
        return Ok((Found::Unreadable(findings.join("; ")), version));
    }
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut *connection).await?;
    let found = if version == 0 && tables.is_empty() {
        Found::Blank
    } else if let Some(table) = expected_tables().find(|expected| !tables.iter().any(|table| table == expected)) {
        Found::Unreadable(format!("it has no table `{table}`"))
    } else {
        Found::Ours
    };
    Ok((found, version))
}

fn expected_tables() -> impl Iterator<Item = &'static str> {
    SCHEMA.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next())
}

/// Code 1 is what a header or schema that makes no sense gives; our own queries here cannot be wrong.
fn is_unreadable(error: &sqlx::Error) -> bool {
    let nonsense = |code: &str| code.parse::<i32>().is_ok_and(|code| code & 0xff == 1);
    error::Class::of(error) == error::Class::Damaged
        || error.as_database_error().and_then(|error| error.code()).is_some_and(|code| nonsense(&code))
}

/// All of it in one transaction: who dies here leaves a blank file.
async fn begin(path: &Path, now: Timestamp, because: Option<&str>) -> Result<(), CatalogError> {
    let failed = |error| CatalogError::sqlite(path, error);
    let options = options(path).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await.map_err(failed)?;
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    sqlx::raw_sql(SCHEMA).execute(&mut *all).await.map_err(failed)?;
    let origin = sqlx::query("INSERT INTO origin (only_row, begun_at, because) VALUES (1, ?, ?)");
    origin.bind(At(now)).bind(because).execute(&mut *all).await.map_err(failed)?;
    all.commit().await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    let folder = path.parent().expect("the catalog lies in a folder");
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| CatalogError::io(folder, error))
}

/// Renames the file, and what SQLite keeps beside it, to a name that nothing has; gives the new name.
fn set_aside(path: &Path, now: Timestamp) -> Result<String, CatalogError> {
    let stem = format!("catalog.unreadable-{}", clock::compact(now));
    let names = (1..).map(|n| if n == 1 { format!("{stem}.db") } else { format!("{stem}-{n}.db") });
    let free = |name: &String| !path.with_file_name(name).exists();
    let name = names.into_iter().find(free).expect("numbers do not end");
    for suffix in ["", "-wal", "-shm"] {
        let from = path.with_file_name(format!("{FILE}{suffix}"));
        match fs::rename(&from, path.with_file_name(format!("{name}{suffix}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(CatalogError::io(&from, error)),
            Ok(()) | Err(_) => {} // not found: a closed catalog is one file
        }
    }
    Ok(name)
}

/// The right to open, given up when dropped.
struct Turn {
    file: File,
    path: PathBuf,
    runs: PathBuf,
}

impl Turn {
    async fn wait(state_dir: &Path) -> Result<Self, CatalogError> {
        let path = state_dir.join(TURN);
        let unusable = |error| CatalogError::io(&path, error);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(unusable)?;
        let began = Instant::now();
        loop {
            match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { file, runs: state_dir.join(RUNS), path }),
                Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(CatalogError::Occupied { path }),
                Err(error) => return Err(unusable(error.into())),
            }
        }
    }

    /// Was there a catalog before? Then it is not a first one that begins now.
    fn tells_of_runs(&self) -> Result<bool, CatalogError> {
        let marked = self.file.metadata().map_err(|error| CatalogError::io(&self.path, error))?.len() > 0;
        match fs::read_dir(&self.runs) {
            Ok(mut locks) => Ok(marked || locks.next().is_some()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(marked),
            Err(error) => Err(CatalogError::io(&self.runs, error)),
        }
    }

    fn mark(&self, now: Timestamp) -> Result<(), CatalogError> {
        let mut file = &self.file;
        let marked = writeln!(file, "a catalog was begun at {now}").and_then(|()| file.sync_all());
        marked.map_err(|error| CatalogError::io(&self.path, error))
    }
}
