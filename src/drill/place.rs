//! place: the server that a drill restores into: one that is started for it alone and goes with it, or one that was
//! given, in a database of its own.

use super::{Order, verdict::Stop};
use crate::{
    layout::DrillId,
    manifest::Closed,
    proof::Confinement,
    restore,
    role::{Opened, Select},
    source::postgres::{self, Address, Ownership, PostgresError, ScratchServer, ScratchSettings, Target},
};
use std::time::Duration;

/// What a database takes beside its rows: its catalogs, and temporary files of its indexes.
const ROOM_AT_LEAST: u64 = 64 << 20;
/// A server that dies takes its sessions along first: so long is waited for its own account of it.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A server that is gone, or holds on, keeps nobody for ever.
const DROPPED_WITHIN: Duration = Duration::from_secs(120);

pub enum Place {
    Scratch(Box<ScratchServer>),
    Given { server: Address, database: String, version: String },
}

/// Rows as text, and the same again for indexes and page headers.
fn room_for(closed: &Closed) -> u64 {
    let raw: u64 = closed.segments.iter().map(|contents| contents.raw_bytes).sum();
    raw.saturating_mul(2).saturating_add(ROOM_AT_LEAST)
}

impl Place {
    pub async fn take(order: &Order, opened: &Opened, drill: &DrillId) -> Result<Self, Stop> {
        let major = postgres::major_of(&opened.sealed.manifest.engine.server);
        if let Some(server) = &order.to {
            let version = postgres::version_at(server).await?;
            let database = format!("strongroom_drill_{}", drill.as_str().rsplit('-').next().unwrap_or_default());
            insist_on_none(server, &names(&database)).await?;
            return Ok(Self::Given { server: server.clone(), database, version });
        }
        let settings = ScratchSettings {
            scratch_dir: order.limits.scratch_dir.clone(),
            disk_bytes_max: order.limits.disk_bytes_max,
            jobs: order.jobs,
            sandbox: order.limits.sandbox,
        };
        let started = ScratchServer::start(&settings, major, &order.client_path, room_for(&opened.closed)).await;
        started.map(|server| Self::Scratch(Box::new(server))).map_err(|error| Stop::in_the_way(&error))
    }

    pub fn confinement(&self) -> Confinement {
        match self {
            Self::Scratch(server) => server.confinement(),
            Self::Given { .. } => Confinement::GivenServer,
        }
    }

    pub fn version(&self) -> &str {
        match self {
            Self::Scratch(server) => server.version(),
            Self::Given { version, .. } => version,
        }
    }

    pub fn database(&self) -> Address {
        match self {
            Self::Scratch(server) => server.address("drill"),
            Self::Given { server, database, .. } => server.with_database(database),
        }
    }

    /// Another database, for definitions alone.
    pub fn twin(&self, of: &Address) -> Address {
        let [_, twin] = names(&of.database);
        of.with_database(&twin)
    }

    /// How to restore here. A scratch server is given the backup's roles; on one that was given nothing is made
    /// outside the drill's own database, so without the roles there are no owners and no rights.
    pub async fn order(&self, order: &Order, opened: &Opened) -> Result<restore::Order, Stop> {
        let ownership = match self {
            Self::Scratch(_) => Ownership::default(),
            Self::Given { server, .. } => {
                let alien = !postgres::missing_roles(server, &opened.closed.roles).await?.is_empty();
                Ownership { no_owner: alien, no_privileges: alien, role: None }
            }
        };
        let scratch = matches!(self, Self::Scratch(_));
        Ok(restore::Order {
            source: order.source.clone(),
            select: Select::Id(opened.sealed.manifest.backup.clone()),
            to: self.database(),
            tables: Vec::new(),
            jobs: order.jobs,
            ownership,
            globals: scratch,
            client_path: order.client_path.clone(),
            clients: match self {
                Self::Scratch(server) => Some(server.clients()),
                Self::Given { .. } => None,
            },
            in_place: scratch,
            checks: order.checks.clone(),
        })
    }

    /// Never, unless the server dies or its disk fills up.
    pub async fn interrupted(&self) -> Stop {
        match self {
            Self::Scratch(server) => Stop::in_the_way(&server.watch().await),
            Self::Given { .. } => std::future::pending().await,
        }
    }

    /// The better account of an error where the server died of it, or with it.
    pub async fn explain(&self, stop: Stop) -> Stop {
        tokio::time::timeout(LAST_WORDS, self.interrupted()).await.unwrap_or(stop)
    }

    /// Removes whatever was made. What could not be removed is plain text that somebody must remove: in words.
    pub async fn close(self) -> Option<String> {
        match self {
            Self::Scratch(server) => server.stop().await.err().map(|error| crate::failure::with_causes(&error)),
            Self::Given { server, database, .. } => {
                let ours = names(&database);
                let dropping = postgres::drop_databases(&server, &ours);
                let why = match tokio::time::timeout(DROPPED_WITHIN, dropping).await {
                    Ok(dropped) => dropped.err()?.to_string(),
                    Err(_elapsed) => "the server does not answer".to_owned(),
                };
                Some(format!("database {database} is still there: {why}"))
            }
        }
    }
}

/// A drill's own databases on a server that was given.
fn names(database: &str) -> [String; 2] {
    [database.to_owned(), format!("{database}_twin")]
}

/// What is dropped at the end must be what was made here.
async fn insist_on_none(server: &Address, databases: &[String]) -> Result<(), Stop> {
    match postgres::present_databases(server, databases).await?.first() {
        None => Ok(()),
        Some(database) => Err(Stop::CouldNotRun {
            reason: format!("the server has a database `{database}`, which this drill did not make"),
            hint: Some("Drill again: each drill has a name of its own.".into()),
        }),
    }
}

/// The twin of a target that was restored into, empty and with the same ownership.
pub async fn twin(of: &Target, address: Address, closed: &Closed) -> Result<Target, PostgresError> {
    let twin = Target::inspect(&address, 0, of.ownership.clone(), &[], Some(of.clients.clone())).await?;
    twin.begin(&closed.database).await?;
    Ok(twin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::Sandbox;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn a_drill_never_takes_or_drops_a_database_that_it_did_not_make() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let scratch_dir = place.path().join("scratch");
        let settings = ScratchSettings { scratch_dir, disk_bytes_max: None, sandbox: Sandbox::Auto, jobs: 1 };
        let server = ScratchServer::start(&settings, 15, &[], 0).await.unwrap();
        let address = server.address("postgres");
        let ours = names("strongroom_drill_5f2a9c01");
        assert_eq!(insist_on_none(&address, &ours).await, Ok(()));
        for database in &ours {
            let (at, clients) = (address.with_database(database), Some(server.clients()));
            let ownership = Ownership { no_owner: true, ..Ownership::default() };
            let somebodys = Target::inspect(&at, 15, ownership, &[], clients).await.unwrap();
            let like = crate::manifest::Database {
                name: database.clone(),
                owner: "postgres".into(),
                encoding: "UTF8".into(),
                collate: "C".into(),
                ctype: "C".into(),
                provider: "libc".into(),
                locale: None,
                connection_limit: -1,
                comment: None,
                settings: Vec::new(),
                grants: Vec::new(),
            };
            somebodys.begin(&like).await.unwrap();
            let Err(Stop::CouldNotRun { reason, .. }) = insist_on_none(&address, &ours).await else { panic!("taken") };
            assert_eq!(reason, format!("the server has a database `{database}`, which this drill did not make"));
            postgres::drop_databases(&address, std::slice::from_ref(database)).await.unwrap();
        }
    }
}
