//! scratch: a PostgreSQL server of a backup's own major version, started for one restore and gone with all it held.
//!
//! It is a child of ours in a cage (`source::sandbox`), reached through a unix socket alone: it ends when we end,
//! however that is, and the next one removes what we could not.

mod error;
mod folder;
mod programs;
mod settings;
#[cfg(test)]
mod tests;

pub use error::{ScratchEnd, ScratchError};

use super::{Address, Clients, PostgresError, Server, Tls, connect::connect};
use crate::{
    failure::with_causes,
    proof::Confinement,
    source::{
        child,
        sandbox::{Cage, Kept, Sandbox, View, home_of_programs, search_path},
    },
};
use folder::{Folder, shown_tail};
use programs::Programs;
use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::process::Command;

/// How a scratch server is made.
#[derive(Clone, Debug)]
pub struct ScratchSettings {
    /// Where it is made, in a folder of its own that goes with it.
    pub scratch_dir: PathBuf,
    /// `None`: what is free there.
    pub disk_bytes_max: Option<u64>,
    pub sandbox: Sandbox,
    /// Sessions that load at a time.
    pub jobs: usize,
}

/// A running scratch server. Dropping it kills it and removes its folder; [`ScratchServer::stop`] tells how that went.
#[derive(Debug)]
pub struct ScratchServer {
    /// Ends before its folder does: fields are dropped in this order.
    kept: Kept,
    folder: Folder,
    cage: Cage,
    clients: Clients,
    version: String,
    disk_bytes_max: Option<u64>,
}

const PORT: u16 = 5432;
const USER: &str = "postgres";
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How soon a server that is there is noticed to be there.
const READY_EVERY: Duration = Duration::from_millis(20);
/// What is left free on the disk of a host that has other things to do.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// A cluster without a database, with its log of transactions.
const CLUSTER_BYTES: u64 = 64 << 20;
/// How often the folder is measured, and at most which part of the time.
const MEASURED_EVERY: Duration = Duration::from_millis(500);
const MEASURED_PART: u32 = 10;

impl ScratchServer {
    /// Starts a server of exactly `major`, for a database that takes `needed_bytes` when it is restored.
    pub async fn start(
        settings: &ScratchSettings,
        major: u32,
        client_path: &[PathBuf],
        needed_bytes: u64,
    ) -> Result<Self, ScratchError> {
        let programs = Programs::find(major, client_path, &search_path()).await?;
        let cage = Cage::probe(settings.sandbox, &search_path()).await?;
        Self::start_in(cage, programs, settings, needed_bytes).await
    }

    async fn start_in(
        cage: Cage,
        programs: Programs,
        settings: &ScratchSettings,
        needed_bytes: u64,
    ) -> Result<Self, ScratchError> {
        let folder = Folder::make(&settings.scratch_dir, cage.user.as_ref()).await?;
        insist_on_room(&folder, settings.disk_bytes_max, needed_bytes.saturating_add(CLUSTER_BYTES))?;
        let clients = Clients::of(&programs.folder, programs.major).await?.confined(&cage, &folder.sockets())?;
        let view = View { read: home_of_programs(&programs.folder)?, write: vec![folder.data(), folder.bound()] };
        initdb(&cage, &programs, &view, &folder).await?;
        let starting = |source| ScratchError::Machine { step: "starting the scratch server".into(), source };
        let log = folder.create_log()?;
        let log_too = log.try_clone().map_err(starting)?;
        let options = settings::options(&folder, programs.major, settings.jobs, needed_bytes);
        let kept = Kept::start(&cage, &programs.folder.join("postgres"), &view, |postgres| {
            postgres.args(options).stdin(Stdio::null()).stdout(log).stderr(log_too);
        });
        let kept = kept.map_err(starting)?;
        let disk_bytes_max = settings.disk_bytes_max;
        let mut server = Self { kept, folder, cage, clients, version: String::new(), disk_bytes_max };
        server.version = server.wait_until_ready().await?;
        Ok(server)
    }

    /// Where `database` is, for us and for [`ScratchServer::clients`] alike.
    pub fn address(&self, database: &str) -> Address {
        let host = self.folder.sockets_text().to_owned();
        Address {
            host,
            port: PORT,
            user: USER.to_owned(),
            database: database.to_owned(),
            tls: Tls::Off,
            password: None,
        }
    }

    /// As it says it: `17.12 (Debian 17.12-0+deb13u1)`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The server's own psql, pg_dump and pg_restore, in a cage as well.
    pub fn clients(&self) -> Clients {
        self.clients.clone()
    }

    pub fn confinement(&self) -> Confinement {
        self.cage.confinement()
    }

    /// Resolves when the server can do no more: it has died, or its disk is full. To be raced against what is done with
    /// it; may be dropped at any time.
    pub async fn watch(&self) -> ScratchEnd {
        tokio::select! {
            status = self.kept.ended() => ScratchEnd::Died { status, log: shown_tail(&self.folder.log()) },
            end = self.overgrown() => end,
        }
    }

    async fn overgrown(&self) -> ScratchEnd {
        loop {
            let began = tokio::time::Instant::now();
            let free = match self.folder.free_bytes() {
                Ok(free) => free,
                Err(source) => return ScratchEnd::Unmeasured { source },
            };
            let used = match self.folder.used_bytes().await {
                Ok(used) => used,
                Err(source) => return ScratchEnd::Unmeasured { source },
            };
            if free < FREE_BYTES_MIN || self.disk_bytes_max.is_some_and(|max| used > max) {
                return ScratchEnd::DiskFull { used, free };
            }
            tokio::time::sleep(MEASURED_EVERY.max(began.elapsed() * MEASURED_PART)).await;
        }
    }

    /// Ends the server, at once, and removes its folder.
    pub async fn stop(self) -> Result<(), ScratchError> {
        let Self { mut kept, folder, .. } = self;
        let step = || "ending the scratch server".to_owned();
        let ended = tokio::task::spawn_blocking(move || {
            let ended = kept.end();
            let removed = folder.remove();
            ended.map_err(|source| ScratchError::Machine { step: step(), source }).and(removed)
        });
        ended.await.map_err(|join| ScratchError::Machine { step: step(), source: join.into() })?
    }

    /// Waits for the first answer, and gives the server's version.
    async fn wait_until_ready(&self) -> Result<String, ScratchError> {
        let mut refusal = "it makes no socket".to_owned();
        let taking = |source| ScratchError::Machine { step: "taking the scratch server's socket".into(), source };
        let answer = async {
            loop {
                if self.folder.take_socket().map_err(taking)? {
                    match connect(&self.address("postgres"), None).await {
                        Ok(session) => break Ok(Server::of(&session.client).await?.version),
                        Err(error) => refusal = with_causes(&error),
                    }
                }
                tokio::time::sleep(READY_EVERY).await;
            }
        };
        let not_started = |why| ScratchError::NotStarted { why, log: shown_tail(&self.folder.log()) };
        tokio::select! {
            answered = tokio::time::timeout(READY_WITHIN, answer) => match answered {
                Ok(version) => version,
                Err(_elapsed) => Err(not_started(refusal)),
            },
            status = self.kept.ended() => Err(not_started(format!("it ended with {status}"))),
        }
    }
}

fn insist_on_room(folder: &Folder, disk_bytes_max: Option<u64>, needed: u64) -> Result<(), ScratchError> {
    let step = || "asking for free disk space".to_owned();
    let free = folder.free_bytes().map_err(|source| ScratchError::Machine { step: step(), source })?;
    let room = free.saturating_sub(FREE_BYTES_MIN).min(disk_bytes_max.unwrap_or(u64::MAX));
    if needed > room { Err(ScratchError::NoRoom { needed, free: room }) } else { Ok(()) }
}

/// Makes the cluster: whoever reaches its socket is superuser, and only we and its own user do.
async fn initdb(cage: &Cage, programs: &Programs, view: &View, folder: &Folder) -> Result<(), ScratchError> {
    let mut refusal = None;
    // C.UTF-8 is not everywhere. Databases name their own locale; this one sorts the names of roles.
    for locale in ["C.UTF-8", "C"] {
        let command = cage.command(&programs.folder.join("initdb"), view);
        let making = |source| ScratchError::Machine { step: "running initdb".into(), source };
        let mut command = Command::from(command.map_err(making)?);
        command.arg("--pgdata").arg(folder.data()).arg(format!("--username={USER}")).arg(format!("--locale={locale}"));
        command.args(["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-sync", "--no-instructions"]);
        match child::output(command).await {
            Ok(_) => return Ok(()),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(PostgresError::from(refusal.expect("the loop ran")).into())
}
