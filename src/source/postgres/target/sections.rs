//! sections: pg_restore on a target, one section of the archive at a time.

use super::Target;
use crate::source::child::{self, MemoryFile, Running};
use crate::source::postgres::{PostgresError, choice::Choice, clients::Connection, toc::Head};
use std::{io, process::Stdio};
use tokio::{
    io::AsyncWriteExt,
    process::{ChildStdin, Command},
};

/// A section of an archive, in pg_restore's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    PreData,
    Data,
    PostData,
}

impl Section {
    fn name(self) -> &'static str {
        match self {
            Self::PreData => "pre-data",
            Self::Data => "data",
            Self::PostData => "post-data",
        }
    }
}

impl Target {
    /// Restores one section that holds no rows; the archive's head is enough for it.
    pub async fn run_section(
        &self,
        section: Section,
        head: &Head,
        choice: Option<&Choice>,
        jobs: usize,
    ) -> Result<(), PostgresError> {
        let failed = |source| PostgresError::Packing { step: "preparing pg_restore", source };
        let list = choice.map(Choice::list).transpose().map_err(failed)?;
        let (mut command, _connection) = self.pg_restore(section.name(), list.as_ref()).map_err(failed)?;
        if section == Section::PostData {
            command.arg(format!("--jobs={jobs}"));
        }
        head.append_to(&mut command, &self.clients).map_err(failed)?;
        child::start(command)?.succeed().await?;
        Ok(())
    }

    /// Begins to restore what the archive holds as data; it is fed whole.
    pub fn begin_data(&self, choice: Option<&Choice>) -> Result<DataLoading, PostgresError> {
        let failed = |source| PostgresError::Packing { step: "preparing pg_restore", source };
        let list = choice.map(Choice::list).transpose().map_err(failed)?;
        let (mut command, connection) = self.pg_restore(Section::Data.name(), list.as_ref()).map_err(failed)?;
        command.stdin(Stdio::piped());
        let mut running = child::start(command)?;
        let stdin = running.stdin();
        Ok(DataLoading { running, stdin: Some(stdin), _connection: connection })
    }

    /// pg_restore with our connection and ownership, and with `list` as its choice of entries.
    fn pg_restore(&self, section: &str, list: Option<&MemoryFile>) -> io::Result<(Command, Connection)> {
        let (mut command, connection) = self.clients.command("pg_restore", &self.address)?;
        command
            .args(["--exit-on-error", "--no-password"])
            .arg(format!("--section={section}"))
            .arg(format!("--dbname={}", conninfo(&self.address.database)));
        let flags = [("--no-owner", self.ownership.no_owner), ("--no-privileges", self.ownership.no_privileges)];
        command.args(flags.into_iter().filter(|(_, on)| *on).map(|(flag, _)| flag));
        if let Some(list) = list {
            let path = self.clients.lend(&mut command, list)?;
            command.arg(format!("--use-list={path}"));
        }
        command.args(self.ownership.role.as_ref().map(|role| format!("--role={role}")));
        // On as many cores as jobs, PostgreSQL's own parallel index builds only get in each other's way.
        command.env("PGOPTIONS", "-c timezone=UTC -c lc_monetary=C -c max_parallel_maintenance_workers=0");
        Ok((command, connection))
    }
}

/// A pg_restore that is being fed an archive.
pub struct DataLoading {
    running: Running,
    stdin: Option<ChildStdin>,
    _connection: Connection,
}

impl DataLoading {
    /// `false` when it wants no more: it has all that it looks for, or it failed, which `finish` tells.
    pub async fn feed(&mut self, archive: &[u8]) -> Result<bool, PostgresError> {
        let Some(stdin) = &mut self.stdin else { return Ok(false) };
        match stdin.write_all(archive).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(source) => Err(PostgresError::Packing { step: "feeding pg_restore", source }),
        }
    }

    pub async fn finish(mut self) -> Result<(), PostgresError> {
        drop(self.stdin.take());
        self.running.succeed().await?;
        Ok(())
    }
}

/// A database name that cannot be taken for a connection string.
fn conninfo(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}
