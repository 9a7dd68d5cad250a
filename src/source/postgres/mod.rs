//! postgres: a consistent, complete, parallel logical dump of one PostgreSQL database (14 to 18), and its load.

use crate::secret::Secret;
use std::path::PathBuf;

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
