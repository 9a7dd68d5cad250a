//! postgres: a consistent, complete, parallel logical dump of one PostgreSQL database (14 to 18), and its load.

mod address;
mod alone;
mod archive;
mod choice;
mod clients;
mod compare;
mod connect;
mod copy;
mod cuts;
mod definitions;
mod dump;
mod error;
mod given;
mod globals;
mod load;
mod rights;
mod scratch;
mod script;
mod snapshot;
mod tables;
mod tablespaces;
mod target;
mod toc;

pub use address::BadAddress;
pub use choice::{Choice, choose};
pub use clients::Clients;
pub use compare::{Difference, compare};
pub use connect::text_encoding;
pub use dump::{Dumped, dump, look};
pub use error::PostgresError;
pub use given::{drop_databases, missing_roles, present_databases, version_at};
pub use load::{Segments, load};
pub use scratch::{ScratchServer, ScratchSettings};
pub use tables::qualified;
pub use tablespaces::in_place;
pub use target::{Ownership, Section, Target};
pub use toc::{Head, Toc};

use crate::secret::Secret;
use std::path::PathBuf;
use tokio_postgres::Client;

/// Where a database is, and as whom to go there; read from `postgres://user@host:port/database?sslmode=...`.
#[derive(Clone, Debug)]
pub struct Address {
    /// A host name or IP address, or a directory that holds the server's unix socket (begins with `/`).
    pub host: String,
    pub port: u16,
    pub user: String,
    pub database: String,
    pub tls: Tls,
    pub password: Option<Secret>,
}

/// The link's protection. There is no "prefer": a link that quietly falls back to plain text is not asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Certificate and name are verified against `roots` (PEM file), or the system's roots.
    VerifyFull { roots: Option<PathBuf> },
    /// Encrypted, and anybody could be at the other end: `sslmode=require`.
    Unverified,
    /// Plain: unix sockets, and `sslmode=disable`.
    Off,
}

/// One PostgreSQL source as its configuration says.
#[derive(Clone, Debug)]
pub struct PostgresSettings {
    pub address: Address,
    /// Parallel COPY connections.
    pub workers: usize,
    /// Directories searched for pg_dump and pg_restore; empty: the usual ones (Debian's, then PATH).
    pub client_path: Vec<PathBuf>,
    /// Losses that a non-superuser cannot avoid and that the configuration accepts by name.
    pub accept_missing: Vec<AcceptedLoss>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptedLoss {
    /// Options (passwords) of other users' mappings to foreign servers: only a superuser can read them.
    UserMappings,
    /// Subscriptions: only a superuser can read them.
    Subscriptions,
}

/// What a server says of itself.
#[derive(Clone, Debug)]
pub struct Server {
    pub major: u32,
    /// As it says it: `15.20 (Debian 15.20-0+deb12u1)`.
    pub version: String,
    /// Of this database.
    pub encoding: String,
}

impl Server {
    async fn of(client: &Client) -> Result<Self, PostgresError> {
        const QUERY: &str =
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_version'),
                                    current_setting('server_encoding')";
        let row =
            client.query_one(QUERY, &[]).await.map_err(PostgresError::query("asking for the server's version"))?;
        Ok(Self { major: row.get::<_, i32>(0).unsigned_abs(), version: row.get(1), encoding: row.get(2) })
    }
}

/// `17.12 (Debian ...)` is of major version 17.
pub fn major_of(version: &str) -> u32 {
    version.split(['.', ' ']).next().and_then(|major| major.parse().ok()).unwrap_or(0)
}
