//! support: throwaway worlds for tests: real servers in a folder of their own, and the program as a user runs it.
//!
//! Nothing outlives a test, however it ends: see [`scratch`].

#![allow(dead_code, unused_imports, reason = "each test file uses its own part of it")]

mod attack;
mod daemon;
mod ear;
mod hold;
mod postgres;
mod program;
mod prometheus;
mod scratch;
mod thief;
mod watching;

pub use attack::{Attack, hold, put, remove, segment_of};
pub use daemon::{Daemon, PATIENCE, expect, get, plan, until};
pub use ear::{Ear, Heard};
pub use hold::{Hung, Migration, PARTITIONED};
pub use postgres::{Dump, Postgres, succeed};
pub use program::{Installation, Ran, strongroom};
pub use prometheus::Prometheus;
pub use scratch::{Janitor, Scratch};
pub use thief::{Loot, forge};
pub use watching::{confirmed, flag, heard, metric, problems, start, told_to, watches};

use serde_json::Value;
use std::path::{Path, PathBuf};

/// A server with the databases that a test wants, a folder as a vault, and configurations for all three roles.
///
/// Fields end in this order: the server before its folder.
pub struct World {
    pub postgres: Postgres,
    pub strongroom: Installation,
    pub scratch: Scratch,
}

/// The database that is backed up.
pub const PRODUCTION: &str = "production";

/// What README tells an operator to make.
pub const ROLE: &str = "CREATE ROLE strongroom LOGIN BYPASSRLS; GRANT pg_read_all_data TO strongroom;";

impl World {
    /// An empty database `production` on a server of version `major`, as the source `app`, and the role that dumps it.
    pub fn with_postgres(major: u32) -> Self {
        let scratch = Scratch::new();
        let postgres = Postgres::start(&scratch.path().join("postgres"), major);
        postgres.psql("postgres", &format!("{ROLE} CREATE DATABASE production;"));
        let source = format!("app={}", postgres.url("strongroom", "production"));
        let vault = format!("local=file://{}", scratch.path().join("vault").display());
        let strongroom = Installation::new(
            &scratch.path().join("strongroom"),
            &["--source", &source, "--vault", &vault, "--term", "35d"],
            &postgres.programs,
        );
        Self { postgres, strongroom, scratch }
    }

    /// The folder that is the vault.
    pub fn vault(&self) -> PathBuf {
        self.scratch.path().join("vault")
    }

    /// Runs `script` in the database that is backed up; gives what it printed.
    #[track_caller]
    pub fn psql(&self, script: &str) -> String {
        self.postgres.psql(PRODUCTION, script)
    }

    pub fn url(&self, database: &str) -> String {
        self.postgres.url("postgres", database)
    }

    /// How many sessions the role that dumps has on the server, in whichever database, and how many of them hold a
    /// snapshot or a lock that outlives a statement: `0 0 0` is nobody.
    pub fn sessions(&self) -> String {
        self.psql(
            "SELECT count(*) || ' ' || count(backend_xmin) || ' ' ||
                    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')
             FROM pg_stat_activity WHERE usename = 'strongroom'",
        )
    }

    /// Takes a backup, insists that it is sealed, and gives its id.
    pub fn backup(&self) -> String {
        self.strongroom.backup()
    }

    /// Restores the source `app` into `database` with more `options`.
    pub fn restore(&self, database: &str, options: &[&str]) -> Ran {
        let to = self.url(database);
        self.strongroom.run("restorer", &[&["restore", "app", "--to", &to], options].concat())
    }

    /// Every version in the vault, as paths.
    pub fn objects(&self) -> Vec<PathBuf> {
        files_below(&self.vault())
    }

    /// The one version of the object whose key ends in `suffix`.
    pub fn object(&self, suffix: &str) -> PathBuf {
        let ends = |path: &PathBuf| key_of(path).ends_with(suffix);
        let found: Vec<_> = self.objects().into_iter().filter(ends).collect();
        assert_eq!(found.len(), 1, "objects that end in {suffix}: {found:?}");
        found.into_iter().next().unwrap()
    }
}

/// The key of a version's file: its path without the version, which follows the last `@`.
pub fn key_of(path: &Path) -> String {
    let text = path.to_str().unwrap();
    text.rsplit_once('@').map_or(text, |(key, _)| key).to_owned()
}

/// All files below `folder`, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    files
}

/// The text at `pointer` (RFC 6901) in `json`.
pub fn text(json: &Value, pointer: &str) -> String {
    let found = json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {json:#}"));
    found.as_str().map_or_else(|| found.to_string(), str::to_owned)
}

/// Where the tests keep the servers that `make test` unpacks.
pub fn cache() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/cache-dir");
    let output = std::process::Command::new(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}
