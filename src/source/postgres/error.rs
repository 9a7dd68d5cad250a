//! error: what can go wrong between us and a PostgreSQL server, and what its reader can do.

use super::rights::Gap;
use crate::{
    failure::{Explain, Kind, with_causes},
    manifest::{Database, DraftError},
    source::child::ChildError,
};
use std::{io, path::PathBuf};
use tokio_postgres::error::SqlState;

#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error("cannot reach PostgreSQL at {address}: {why}")]
    Unreachable { address: String, why: String },
    #[error("PostgreSQL at {address} refused us: {why}")]
    Refused { address: String, why: String },
    #[error("there is no database `{database}` at {address}")]
    NoSuchDatabase { database: String, address: String },
    #[error("TLS to {address}: {why}")]
    Tls { address: String, why: String },
    #[error("{address} is a connection pooler that changes servers between transactions")]
    Pooler { address: String },
    #[error("PostgreSQL {version} is outside 14 to 18")]
    UnsupportedServer { version: String },
    #[error("no {program} of major version {major} or newer found in {searched:?}")]
    NoClient { program: &'static str, major: u32, searched: Vec<PathBuf> },
    #[error("{} may not read {}", .role, gaps_named(.gaps))]
    Incomplete { role: String, gaps: Vec<Gap> },
    #[error("{step}: {why}")]
    Query { step: String, why: String, state: Option<SqlState> },
    #[error("another run of `{source_name}` holds its lock in the database: {holder}")]
    Busy { source_name: String, holder: String },
    #[error("the dump could not begin, {tries} times in a row: {why}")]
    Restless { tries: u32, why: String },
    #[error("{what} changed while the dump ran")]
    ChangedMeanwhile { what: &'static str },
    #[error("{step}: no byte for {seconds} s")]
    Stalled { step: String, seconds: u64 },
    #[error("the archive and the claims do not fit: {why}")]
    ClaimBroken { why: String },
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error("{step}")]
    Packing { step: &'static str, source: io::Error },
    #[error("the run that takes the segments has ended")]
    NoTaker,
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error("database `{database}` is not empty: it has {what}")]
    NotEmpty { database: String, what: String },
    #[error("this backup is of PostgreSQL {source_major}, the target is {target_major}")]
    OlderTarget { source_major: u32, target_major: u32 },
    #[error("roles are missing at the target: {}", .0.join(", "))]
    MissingRoles(Vec<String>),
    #[error("the target's host cannot make the database's locale ({locale}): {why}")]
    NoLocale { locale: String, why: String },
    #[error("no table {0} in this backup")]
    NoSuchTable(String),
    #[error("loading {object}: {why}")]
    Load { object: String, why: String },
    #[error("the backup's script for {object} cannot be read: {why}")]
    Script { object: String, why: &'static str },
}

fn gaps_named(gaps: &[Gap]) -> String {
    let shown: Vec<_> = gaps.iter().take(5).map(|gap| gap.object.as_str()).collect();
    match gaps.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl PostgresError {
    pub fn query(step: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let step = step.into();
        move |error| Self::Query { step, why: said(&error), state: error.code().cloned() }
    }

    /// `CREATE DATABASE like` failed: where it names a locale that is not installed, that is why. libc's are refused as a
    /// wrong object type, ICU's as an invalid value or, before 16, as an error that "cannot happen".
    pub fn not_created(error: tokio_postgres::Error, like: &Database) -> Self {
        let of_icu = [&SqlState::INVALID_PARAMETER_VALUE, &SqlState::INTERNAL_ERROR, &SqlState::FEATURE_NOT_SUPPORTED];
        let refused = |state: &SqlState| {
            *state == SqlState::WRONG_OBJECT_TYPE || (like.provider == "icu" && of_icu.contains(&state))
        };
        if !error.code().is_some_and(refused) {
            return Self::query("creating the database")(error);
        }
        let mut locales = vec![like.collate.as_str(), like.ctype.as_str()];
        locales.extend(like.locale.as_deref());
        locales.dedup();
        Self::NoLocale { locale: locales.join(", "), why: said(&error) }
    }

    /// May the same run succeed if it begins again at once?
    pub fn is_transient(&self) -> bool {
        let locked = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED];
        match self {
            Self::Query { state: Some(state), .. } => locked.contains(state),
            Self::ChangedMeanwhile { .. } => true,
            // pg_dump's --lock-wait-timeout is a statement timeout, on its LOCK TABLE alone.
            Self::Child(ChildError::Failed { said, .. }) => {
                said.contains("canceling statement due to statement timeout") && said.contains("LOCK TABLE")
            }
            _ => false,
        }
    }
}

/// A server's error in its own words, with detail and context, headed as PostgreSQL's own programs head them;
/// tokio-postgres alone says only "db error".
pub fn said(error: &tokio_postgres::Error) -> String {
    let Some(server) = error.as_db_error() else { return with_causes(error) };
    let extras = [("DETAIL", server.detail()), ("CONTEXT", server.where_())];
    let extras = extras.into_iter().filter_map(|(head, extra)| Some(format!("; {head}:  {}", extra?)));
    server.message().to_owned() + &extras.collect::<String>()
}

/// What pg_dump says when its server went away, as libpq and the server word it.
const GONE: [&str; 6] = [
    "connection to server",
    "server closed the connection",
    "terminating connection",
    "SSL connection has been closed",
    "could not receive data",
    "no connection to the server",
];

/// SQLSTATE classes of what passes: connections, resources, operators, rollbacks (PostgreSQL, Appendix A).
const PASSING: [&str; 4] = ["08", "53", "57", "40"];

impl Explain for PostgresError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Stalled { .. } | Self::Restless { .. } | Self::Busy { .. } => true,
            Self::Query { state: Some(state), .. } if PASSING.contains(&&state.code()[..2]) => true,
            // The connection is gone: there is nobody to give a code.
            Self::Query { state: None, .. } | Self::Child(ChildError::Lost { .. }) => true,
            Self::Child(ChildError::Failed { said, .. }) if GONE.iter().any(|words| said.contains(words)) => true,
            other => other.is_transient(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Refused { .. } => Kind::Denied,
            Self::Incomplete { .. } => Kind::Incomplete,
            Self::Query { state: Some(state), .. } if *state == SqlState::INSUFFICIENT_PRIVILEGE => Kind::Incomplete,
            Self::Pooler { .. }
            | Self::UnsupportedServer { .. }
            | Self::NoClient { .. }
            | Self::NoSuchDatabase { .. }
            | Self::NotEmpty { .. }
            | Self::OlderTarget { .. }
            | Self::MissingRoles(_)
            | Self::NoLocale { .. }
            | Self::NoSuchTable(_) => Kind::Settings,
            Self::Script { .. } => Kind::Mismatch,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some("Is the server up, and is the address right? Nothing was changed.".into()),
            Self::Refused { .. } => Some("Check the role, its password file and pg_hba.conf.".into()),
            Self::Tls { .. } => Some(
                "sslmode=verify-full is the default: give sslrootcert=FILE for a private CA, or sslmode=disable on a \
                 link that you trust."
                    .into(),
            ),
            Self::Pooler { .. } => Some("Give the server's own address and port, not the pooler's.".into()),
            Self::NoClient { major, .. } => {
                Some(format!("Install postgresql-client-{major}, or name its folder in client_path."))
            }
            Self::Incomplete { gaps, .. } => Some(mends(gaps)),
            Self::Query { state: Some(state), .. } if *state == SqlState::OUT_OF_MEMORY => {
                Some("Raise max_locks_per_transaction: every session of a dump locks every table.".into())
            }
            Self::Busy { .. } => Some(
                "One run of a source at a time, on whichever host. Where nobody should be running, end that session \
                 (pg_terminate_backend) and see who else has this source configured."
                    .into(),
            ),
            Self::Restless { .. } => {
                Some("Something keeps altering or locking tables: run it again when the migration is done.".into())
            }
            Self::ChangedMeanwhile { .. } => Some("Run it again; the dump that was begun is not used.".into()),
            Self::NotEmpty { .. } => Some("Restore into a new database, or drop what is in the way yourself.".into()),
            Self::OlderTarget { source_major, .. } => Some(format!("Restore into PostgreSQL {source_major} or newer.")),
            Self::MissingRoles(_) => {
                Some("Add --globals to create the backup's roles, or --no-owner to restore without them.".into())
            }
            Self::NoLocale { .. } => Some(
                "Install it on the target's host: on Debian package `locales`, a line in /etc/locale.gen, `locale-gen`, and \
                 a restart of the server."
                    .into(),
            ),
            Self::NoSuchTable(_) => Some("`strongroom show BACKUP` lists the tables; give schema.table.".into()),
            _ => None,
        }
    }
}

fn mends(gaps: &[Gap]) -> String {
    let mut mends: Vec<&str> = gaps.iter().map(|gap| gap.mend.as_str()).collect();
    mends.dedup();
    let more = mends.len().saturating_sub(20);
    mends.truncate(20);
    let more = if more > 0 { format!("\n  ... and {more} more") } else { String::new() };
    format!("As a superuser or owner:\n  {}{more}", mends.join("\n  "))
}
