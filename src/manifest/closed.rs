//! closed: the part of a manifest that only the recipients read: names, counts, fingerprints, plaintext digests.

use super::Stream;
use crate::{digest::Blake3, fingerprint::Fingerprint};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    pub database: Database,
    /// Every table whose rows were counted and fingerprinted in the dump's own snapshot.
    pub tables: Vec<Table>,
    pub sequences: Vec<Sequence>,
    pub extensions: Vec<Extension>,
    /// Roles that own something in the database or were granted something.
    pub roles: Vec<String>,
    pub large_objects: u64,
    /// What each segment holds, by stream and ordinal.
    pub segments: Vec<Contents>,
    /// What this backup does not hold, and why.
    pub left_out: Vec<LeftOut>,
    /// What pg_dump had to say.
    pub warnings: Vec<String>,
    /// Why the data looks wiped or encrypted, against the last good backup; empty where it does not.
    #[serde(default)]
    pub suspicions: Vec<String>,
}

/// What `CREATE DATABASE` needs to make an equal one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub name: String,
    pub owner: String,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// `libc`, `icu` or `builtin`
    pub provider: String,
    /// The ICU or builtin locale.
    pub locale: Option<String>,
    pub connection_limit: i32,
    /// What `ALTER DATABASE ... SET` and `ALTER ROLE ... IN DATABASE ... SET` left.
    pub settings: Vec<Setting>,
    pub comment: Option<String>,
    /// `GRANT` statements in whose text `{database}` stands for the database's quoted name.
    pub grants: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// For this role only; `None`: for everybody in the database.
    pub role: Option<String>,
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    pub schema: String,
    pub name: String,
    /// Quoted names as in a COPY column list, in the source's order; empty for a table without columns to copy.
    pub columns: String,
    pub fingerprint: Fingerprint,
    /// Bytes of COPY text.
    pub raw_bytes: u64,
    /// The rows travel in the archive, and the fingerprint covers all leaves below this partitioned table:
    /// rows of a hash partition on an enum move between leaves when they are restored.
    pub in_archive: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// Qualified and quoted.
    pub name: String,
    pub last_value: i64,
    pub is_called: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    pub name: String,
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    pub what: String,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    pub stream: Stream,
    pub ordinal: u32,
    /// Of the plaintext.
    pub blake3: Blake3,
    pub raw_bytes: u64,
    /// For data segments: the script's pieces, in order.
    pub pieces: Vec<Piece>,
}

/// Some rows of one table, as one COPY statement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Index into [`Closed::tables`].
    pub table: u32,
    pub rows: u64,
}
