//! clients: PostgreSQL's own programs, chosen by the server's major version, and how they are told where to go.

use super::{Address, PostgresError, Tls};
use crate::source::{
    child::{self, MemoryFile},
    sandbox::{Cage, CageError, View, home_of_programs},
};
use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::process::Command;

/// The folder of one major version's pg_dump, pg_dumpall and pg_restore, and what confines them, if anything does:
/// a dump is code, to psql and pg_restore too.
#[derive(Clone, Debug)]
pub struct Clients {
    folder: PathBuf,
    cage: Option<(Cage, View)>,
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
            let Some((found, version)) = version_in(folder, "pg_dump").await? else { continue };
            let clients = Self { folder: folder.clone(), cage: None, major: found, version };
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

    /// The same programs, confined: of all files outside the system's they see `sockets` alone, and no network.
    pub fn confined(self, cage: &Cage, sockets: &Path) -> Result<Self, CageError> {
        let mut view = View { read: home_of_programs(&self.folder)?, write: Vec::new() };
        view.read.push(sockets.to_owned());
        Ok(Self { cage: Some((cage.clone(), view)), ..self })
    }

    /// Those of exactly `major` in `folder`.
    pub async fn of(folder: &Path, major: u32) -> Result<Self, PostgresError> {
        let found = version_in(folder, "pg_dump").await?.filter(|(found, _)| *found == major);
        let none = PostgresError::NoClient { program: "pg_dump", major, searched: vec![folder.to_owned()] };
        let (major, version) = found.ok_or(none)?;
        Ok(Self { folder: folder.to_owned(), cage: None, major, version })
    }

    /// A command that will find `address` and its password without seeing either in its arguments.
    pub fn command(&self, program: &str, address: &Address) -> io::Result<(Command, Connection)> {
        let mut command = self.offline(program)?;
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // Nothing of our own environment reaches it: no PG* variable changes where it goes, and no secret leaks.
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        let pass_file = address.password.as_ref().map(child::pass_file).transpose()?;
        let pass_path = pass_file.as_ref().map(|file| self.lend(&mut command, file)).transpose()?;
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
        set("PGPASSFILE", pass_path.as_deref().unwrap_or("/nonexistent"));
        Ok((command, Connection { _pass_file: pass_file }))
    }

    /// A command that reads files only and connects nowhere.
    pub fn offline(&self, program: &str) -> io::Result<Command> {
        let program = self.folder.join(program);
        Ok(match &self.cage {
            None => Command::new(program),
            Some((cage, view)) => cage.command(&program, view)?.into(),
        })
    }

    /// Lends `file` to `command`, one of ours; gives its path there.
    pub fn lend(&self, command: &mut Command, file: &MemoryFile) -> io::Result<String> {
        if let Some(user) = self.cage.as_ref().and_then(|(cage, _)| cage.user.as_ref()) {
            file.give_to(user.uid, user.gid)?;
        }
        file.lend(command.as_std_mut())
    }
}

/// Keeps the pass file alive while a child may read it.
#[must_use]
pub struct Connection {
    _pass_file: Option<MemoryFile>,
}

pub fn candidates(major: u32, client_path: &[PathBuf]) -> Vec<PathBuf> {
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

/// The major version and the whole version text of `program` in `folder`, if it is there.
pub async fn version_in(folder: &Path, program: &str) -> Result<Option<(u32, String)>, PostgresError> {
    let program = folder.join(program);
    if !program.is_file() {
        return Ok(None);
    }
    let mut command = Command::new(program);
    command.arg("--version").current_dir("/");
    let (text, _) = child::output(command).await?;
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let number = text.split(' ').find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let major = number.and_then(|number| number.split(['.', 'b', 'r', 'd']).next()?.parse().ok());
    Ok(major.map(|major| (major, text)))
}
