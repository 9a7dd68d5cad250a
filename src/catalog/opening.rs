//! opening: finds the catalog, or that it is lost, unreadable or too new, and begins one where there is none.

use super::{CatalogError, Store, column::At, error, turn::Turn};
use crate::clock::{self, Timestamp};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::Duration,
};

const FILE: &str = "catalog.db";
/// Each brings a catalog from the version before to its own; a new catalog takes them all. They only add: what an older
/// version wrote is never changed or lost.
const STEPS: [&str; 2] = [include_str!("schema.sql"), include_str!("watch.sql")];
const VERSION: i64 = STEPS.len() as i64;

/// Others write for milliseconds; whoever holds the file for longer hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What lies in the place of the catalog.
enum Found {
    /// Of a version that we know.
    Ours(i64),
    /// Nothing, and how it came to nothing if there ever was something.
    Nothing(&'static str),
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

    let aside = name_aside(&path, now);
    let begun_anew = match examine(&path).await? {
        Found::Ours(VERSION) => None,
        Found::Ours(older) => {
            bring_up_to_date(&path, older).await?;
            None
        }
        found => {
            let because = match found {
                Found::Unreadable(why) => Some(format!("{FILE} was unreadable ({why}) and is now {aside}")),
                Found::Nothing(gone) if turn.tells_of_runs()? => {
                    Some(format!("{FILE} {gone}, although there were runs before"))
                }
                Found::Nothing(_) | Found::Ours(_) => None,
            };
            begin(&path, &aside, now, because.as_deref()).await?;
            because
        }
    };
    turn.mark(now)?;

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
    let options = options(path).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    clean.connect_with(options).await
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE).foreign_keys(true).disable_statement_logging()
}

async fn connect(path: &Path) -> Result<SqliteConnection, CatalogError> {
    options(path).connect().await.map_err(|error| CatalogError::sqlite(path, error))
}

/// Looks without writing. The connection is closed before anything is renamed. Nobody but SQLite may open the file:
/// whoever closes it drops all locks that SQLite has on it in this process (POSIX locks belong to the process).
async fn examine(path: &Path) -> Result<Found, CatalogError> {
    if !path.try_exists().map_err(|error| CatalogError::io(path, error))? {
        return Ok(Found::Nothing("was gone"));
    }
    let mut connection = connect(path).await?;
    let found = look(&mut connection).await;
    let closed = connection.close().await;
    match found.and_then(|found| closed.map(|()| found)) {
        Ok(Found::Ours(version)) if version > VERSION => {
            Err(CatalogError::Newer { path: path.to_owned(), found: version, known: VERSION })
        }
        Ok(found) => Ok(found),
        Err(error) if is_unreadable(&error) => Ok(Found::Unreadable(error::said(&error))),
        Err(error) => Err(CatalogError::sqlite(path, error)),
    }
}

async fn look(connection: &mut SqliteConnection) -> Result<Found, sqlx::Error> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    if version > VERSION {
        return Ok(Found::Ours(version));
    }
    let findings: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(3)").fetch_all(&mut *connection).await?;
    if findings != ["ok"] {
        return Ok(Found::Unreadable(findings.join("; ")));
    }
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut *connection).await?;
    let missing = || expected_tables(version).find(|expected| !tables.iter().any(|table| table == expected));
    Ok(match version {
        0 if tables.is_empty() => Found::Nothing("was empty"),
        ..=0 => Found::Unreadable("it is no catalog".to_owned()),
        version => {
            missing().map_or(Found::Ours(version), |table| Found::Unreadable(format!("it has no table `{table}`")))
        }
    })
}

/// The steps that a catalog of `version` has behind it.
fn steps(version: i64) -> usize {
    usize::try_from(version).unwrap_or(0).min(STEPS.len())
}

fn expected_tables(version: i64) -> impl Iterator<Item = &'static str> {
    let lines = STEPS[..steps(version)].iter().flat_map(|step| step.lines());
    lines.filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next())
}

/// In one transaction: who dies meanwhile has changed nothing. We have the turn, so nobody else does the same.
async fn bring_up_to_date(path: &Path, version: i64) -> Result<(), CatalogError> {
    let mut connection = connect(path).await?;
    let steps = async {
        let mut all = connection.begin_with("BEGIN IMMEDIATE").await?;
        for step in &STEPS[steps(version)..] {
            sqlx::raw_sql(*step).execute(&mut *all).await?;
        }
        all.commit().await
    };
    let done = steps.await;
    let closed = connection.close().await;
    done.and(closed).map_err(|error| CatalogError::sqlite(path, error))?;
    tracing::info!(from = version, to = VERSION, "the catalog was brought up to date; nothing in it was changed");
    Ok(())
}

/// For who may not write, and makes nothing: not even the files that SQLite keeps beside a catalog that is in use.
pub(super) async fn open_read_only(state_dir: &Path) -> Result<Option<Store>, CatalogError> {
    let state_dir = std::path::absolute(state_dir).map_err(|error| CatalogError::io(state_dir, error))?;
    let path = state_dir.join(FILE);
    if !path.try_exists().map_err(|error| CatalogError::io(&path, error))? {
        return Ok(None);
    }
    // Where there is no log, nobody writes, and the file itself is all there is.
    let in_use = path.with_file_name(format!("{FILE}-wal")).exists();
    let options = options(&path).read_only(true).immutable(!in_use);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options);
    let pool = pool.await.map_err(|error| CatalogError::sqlite(&path, error))?;
    let version = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await;
    match version.map_err(|error| CatalogError::sqlite(&path, error))? {
        VERSION => Ok(Some(Store::new(pool, path)?)),
        newer if newer > VERSION => Err(CatalogError::Newer { path, found: newer, known: VERSION }),
        _no_watcher_wrote_it => Ok(None),
    }
}

/// Code 1 is what a header or schema that makes no sense gives; our own queries here cannot be wrong.
fn is_unreadable(error: &sqlx::Error) -> bool {
    let nonsense = |code: &str| code.parse::<i32>().is_ok_and(|code| code & 0xff == 1);
    error::Class::of(error) == error::Class::Damaged
        || error.as_database_error().and_then(|error| error.code()).is_some_and(|code| nonsense(&code))
}

/// Makes the new catalog beside, without a write-ahead log so that it is one file, and renames it when it is whole: who
/// dies or finds the disk full before that has changed nothing. An old log goes aside first, even where the catalog
/// itself is gone: SQLite would play it into the new one.
async fn begin(path: &Path, aside: &str, now: Timestamp, because: Option<&str>) -> Result<(), CatalogError> {
    let folder = path.parent().expect("the catalog lies in a folder");
    let unusable = |error| CatalogError::io(folder, error);
    let fresh = tempfile::Builder::new().prefix("catalog.").suffix(".new").tempfile_in(folder).map_err(unusable)?;
    let fresh = fresh.into_temp_path();
    fill(&fresh, now, because).await.map_err(|error| CatalogError::sqlite(path, error))?;
    set_aside(path, aside)?;
    fresh.persist(path).map_err(|error| unusable(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unusable)
}

async fn fill(path: &Path, now: Timestamp, because: Option<&str>) -> Result<(), sqlx::Error> {
    let mut connection = options(path).synchronous(SqliteSynchronous::Full).connect().await?;
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await?;
    for step in STEPS {
        sqlx::raw_sql(step).execute(&mut *all).await?;
    }
    let origin = sqlx::query("INSERT INTO origin (only_row, begun_at, because) VALUES (1, ?, ?)");
    origin.bind(At(now)).bind(because).execute(&mut *all).await?;
    all.commit().await?;
    connection.close().await
}

/// A name that nothing has yet, for what was here before.
fn name_aside(path: &Path, now: Timestamp) -> String {
    let stem = format!("catalog.unreadable-{}", clock::compact(now));
    let mut names = (1..).map(|n| if n == 1 { format!("{stem}.db") } else { format!("{stem}-{n}.db") });
    names.find(|name| !path.with_file_name(name).exists()).expect("numbers do not end")
}

/// Renames whatever there is of a catalog, and of what SQLite keeps beside it.
fn set_aside(path: &Path, name: &str) -> Result<(), CatalogError> {
    for suffix in ["", "-wal", "-shm"] {
        let from = path.with_file_name(format!("{FILE}{suffix}"));
        match fs::rename(&from, path.with_file_name(format!("{name}{suffix}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(CatalogError::io(&from, error)),
            Ok(()) | Err(_) => {} // not found: a closed catalog is one file
        }
    }
    Ok(())
}
