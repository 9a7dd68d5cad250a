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
        of.with_database(&format!("{}_twin", of.database))
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
                let both = [database.clone(), format!("{database}_twin")];
                let dropped = postgres::drop_databases(&server, &both).await;
                dropped.err().map(|error| format!("database {database} is still there: {error}"))
            }
        }
    }
}

/// The twin of a target that was restored into, empty and with the same ownership.
pub async fn twin(of: &Target, address: Address, closed: &Closed) -> Result<Target, PostgresError> {
    let twin = Target::inspect(&address, 0, of.ownership.clone(), &[], Some(of.clients.clone())).await?;
    twin.begin(&closed.database).await?;
    Ok(twin)
}
