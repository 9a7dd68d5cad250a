//! clients: PostgreSQL's own programs, chosen by the server's major version, and how they are told where to go.

use super::{Address, PostgresError, Tls};
use crate::source::child::{self, MemoryFile};
use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

/// The folder of one major version's pg_dump, pg_dumpall and pg_restore.
#[derive(Clone, Debug)]
pub struct Clients {
    folder: PathBuf,
    pub major: u32,
    /// As pg_dump says it: `pg_dump (PostgreSQL) 15.20`.
    pub version: String,
}

/// Where packages put them, and where `PATH` may have them.
const USUAL: [&str; 5] =
    ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/pgsql/bin", "/usr/local/bin"];

/// As our own sessions have it: the server notices soon that we are gone, and gives up the snapshot that holds vacuum
/// back. A platform that cannot do it goes on without.
const WATCHFUL: &str = "-c tcp_keepalives_idle=60 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3";

impl Clients {
    /// The programs of exactly `major`, else of the nearest newer one: an older pg_dump would refuse or lose things.
    pub async fn find(major: u32, client_path: &[PathBuf]) -> Result<Self, PostgresError> {
        let searched = candidates(major, client_path);
        let mut newer: Option<(u32, Self)> = None;
        for folder in &searched {
            let Some((found, version)) = version_in(folder).await? else { continue };
            let clients = Self { folder: folder.clone(), major: found, version };
            if found == major {
                return Ok(clients);
            }
            if found > major && newer.as_ref().is_none_or(|(best, _)| found < *best) {
                newer = Some((found, clients));
            }
        }
        let none = PostgresError::NoClient { program: "pg_dump", major, searched };
        newer.map(|(_, clients)| clients).ok_or(none)
    }

    /// A command that will find `address` and its password without seeing either in its arguments.
    pub fn command(&self, program: &str, address: &Address) -> io::Result<(Command, Connection)> {
        let mut command = Command::new(self.folder.join(program));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // Nothing of our own environment reaches it: no PG* variable changes where it goes, and no secret leaks.
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        let mut set = |name: &str, value: &str| {
            command.env(name, value);
        };
        set("PGHOST", &address.host);
        set("PGPORT", &address.port.to_string());
        set("PGUSER", &address.user);
        set("PGDATABASE", &address.database);
        set("PGAPPNAME", "strongroom");
        set("PGCONNECT_TIMEOUT", "15");
        set("PGOPTIONS", &format!("-c timezone=UTC -c bytea_output=hex -c lc_monetary=C -c jit=off {WATCHFUL}"));
        match &address.tls {
            Tls::Off => set("PGSSLMODE", "disable"),
            Tls::Unverified => set("PGSSLMODE", "require"),
            Tls::VerifyFull { roots } => {
                set("PGSSLMODE", "verify-full");
                let roots = roots.as_deref().unwrap_or(Path::new("/etc/ssl/certs/ca-certificates.crt"));
                set("PGSSLROOTCERT", &roots.to_string_lossy());
            }
        }
        let pass_file = address.password.as_ref().map(child::pass_file).transpose()?;
        set("PGPASSFILE", &pass_file.as_ref().map_or("/nonexistent".to_owned(), MemoryFile::path));
        Ok((command, Connection { _pass_file: pass_file }))
    }

    /// A command that reads files only and connects nowhere.
    pub fn offline(&self, program: &str) -> Command {
        Command::new(self.folder.join(program))
    }
}

/// Keeps the pass file alive while a child may read it.
#[must_use]
pub struct Connection {
    _pass_file: Option<MemoryFile>,
}

fn candidates(major: u32, client_path: &[PathBuf]) -> Vec<PathBuf> {
    if !client_path.is_empty() {
        return client_path.to_vec();
    }
    let mut folders = Vec::new();
    for candidate in major..=major.max(18) {
        folders.push(PathBuf::from(format!("{}/{candidate}/bin", USUAL[0])));
        folders.push(PathBuf::from(format!("{}-{candidate}/bin", USUAL[1])));
        folders.push(PathBuf::from(format!("{}/postgresql@{candidate}/bin", USUAL[2])));
    }
    folders.extend(USUAL[3..].iter().map(PathBuf::from));
    folders.push(PathBuf::from("/usr/bin"));
    folders
}

/// The major version and the whole version text of the pg_dump in `folder`, if there is one.
async fn version_in(folder: &Path) -> Result<Option<(u32, String)>, PostgresError> {
    let program = folder.join("pg_dump");
    if !program.is_file() {
        return Ok(None);
    }
    let mut command = Command::new(program);
    command.arg("--version");
    let (text, _) = child::output(command).await?;
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let number = text.split(' ').find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let major = number.and_then(|number| number.split(['.', 'b', 'r', 'd']).next()?.parse().ok());
    Ok(major.map(|major| (major, text)))
}
