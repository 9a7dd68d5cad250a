//! target: the database that a backup is restored into: empty or made for it, and marked until it is whole.

mod extensions;
mod properties;
mod sections;

pub use sections::Section;

use super::{
    Address, PostgresError, Server,
    clients::Clients,
    connect::{Session, connect},
    tables::quoted,
};
use crate::{
    manifest::Database,
    source::child::{self},
};
use std::{path::PathBuf, process::Stdio};
use tokio::io::AsyncWriteExt;

/// How ownership and privileges come back.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    pub no_owner: bool,
    pub no_privileges: bool,
    /// `SET ROLE` before anything is made.
    pub role: Option<String>,
}

/// A database that may be loaded.
pub struct Target {
    pub address: Address,
    pub clients: Clients,
    /// Made by us just now, rather than found empty.
    pub created: bool,
    pub ownership: Ownership,
    comment: Option<String>,
}

const MARK: &str = "strongroom: restore INCOMPLETE, do not use";

/// The first thing found that a new database does not have.
const CONTENT: &str = "
WITH foreigner AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
SELECT 'relation ' || oid::regclass::text FROM pg_class WHERE relnamespace IN (SELECT oid FROM foreigner)
UNION ALL SELECT 'function ' || oid::regprocedure::text FROM pg_proc WHERE pronamespace IN (SELECT oid FROM foreigner)
UNION ALL SELECT 'type ' || oid::regtype::text FROM pg_type WHERE typnamespace IN (SELECT oid FROM foreigner)
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE oid IN (SELECT oid FROM foreigner) AND nspname <> 'public'
UNION ALL SELECT 'extension ' || extname FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL SELECT 'large object ' || oid FROM pg_largeobject_metadata
UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger
UNION ALL SELECT 'publication ' || pubname FROM pg_publication
LIMIT 1";

impl Target {
    /// Looks at the target, and insists that it may be loaded: new enough, and empty or not there yet. It is loaded with
    /// `clients`, or with those found in `client_path`.
    pub async fn inspect(
        address: &Address,
        source_major: u32,
        ownership: Ownership,
        client_path: &[PathBuf],
        clients: Option<Clients>,
    ) -> Result<Self, PostgresError> {
        let (session, created) = match connect(address, None).await {
            Ok(session) => (session, false),
            Err(PostgresError::NoSuchDatabase { .. }) => (maintenance(address).await?, true),
            Err(error) => return Err(error),
        };
        let server = Server::of(&session.client).await?;
        if server.major < source_major {
            return Err(PostgresError::OlderTarget { source_major, target_major: server.major });
        }
        let mut comment = None;
        if !created {
            let looking = || PostgresError::query("looking into the target");
            if let Some(row) = session.client.query_opt(CONTENT, &[]).await.map_err(looking())? {
                return Err(PostgresError::NotEmpty { database: address.database.clone(), what: row.get(0) });
            }
            const COMMENT: &str =
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()";
            comment = session.client.query_one(COMMENT, &[]).await.map_err(looking())?.get(0);
        }
        let clients = match clients {
            Some(clients) => clients,
            None => Clients::find(server.major, client_path).await?,
        };
        Ok(Self { address: address.clone(), clients, created, ownership, comment })
    }

    /// Insists on the roles that owners and privileges will name.
    pub async fn insist_on_roles(&self, roles: &[String]) -> Result<(), PostgresError> {
        let session =
            if self.created { maintenance(&self.address).await? } else { connect(&self.address, None).await? };
        const MISSING: &str = "SELECT r FROM unnest($1::text[]) r WHERE r NOT IN (SELECT rolname FROM pg_roles)";
        let rows = session.client.query(MISSING, &[&roles]).await.map_err(PostgresError::query("asking for roles"))?;
        let missing: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if missing.is_empty() { Ok(()) } else { Err(PostgresError::MissingRoles(missing)) }
    }

    /// Makes the database where it is not there yet, equal to the source's, and marks it as incomplete.
    pub async fn begin(&self, like: &Database) -> Result<(), PostgresError> {
        if self.created {
            let session = maintenance(&self.address).await?;
            let statement = self.create_statement(like);
            let made = session.client.batch_execute(&statement).await;
            made.map_err(|error| PostgresError::not_created(error, like))?;
        }
        self.set_comment(Some(MARK)).await
    }

    fn create_statement(&self, like: &Database) -> String {
        let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let mut statement = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            quoted(&self.address.database),
            literal(&like.encoding),
            literal(&like.collate),
            literal(&like.ctype),
        );
        let locale = like.locale.as_deref().map(literal);
        match (like.provider.as_str(), locale) {
            ("icu", Some(locale)) => statement += &format!(" LOCALE_PROVIDER icu ICU_LOCALE {locale}"),
            ("builtin", Some(locale)) => statement += &format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {locale}"),
            _ => {}
        }
        if like.connection_limit >= 0 {
            statement += &format!(" CONNECTION LIMIT {}", like.connection_limit);
        }
        match &self.ownership {
            Ownership { role: Some(role), .. } => statement += &format!(" OWNER {}", quoted(role)),
            Ownership { no_owner: false, .. } => statement += &format!(" OWNER {}", quoted(&like.owner)),
            _ => {}
        }
        statement
    }

    async fn set_comment(&self, comment: Option<&str>) -> Result<(), PostgresError> {
        let session = self.session().await?;
        let text = comment.map_or("NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")));
        let statement = format!("COMMENT ON DATABASE {} IS {text}", quoted(&self.address.database));
        session.client.batch_execute(&statement).await.map_err(PostgresError::query("marking the database"))
    }

    pub async fn session(&self) -> Result<Session, PostgresError> {
        self.session_speaking(None).await
    }

    /// A session for text in `encoding`, acting as the role that everything is made as.
    pub async fn session_speaking(&self, encoding: Option<&str>) -> Result<Session, PostgresError> {
        let session = connect(&self.address, encoding).await?;
        if let Some(role) = &self.ownership.role {
            let set = format!("SET ROLE {}", quoted(role));
            session.client.batch_execute(&set).await.map_err(PostgresError::query("setting the role"))?;
        }
        Ok(session)
    }

    /// Runs the backup's globals script with psql. Roles that exist already are left as they are; what else went
    /// wrong is told, and missing roles are found by [`Target::insist_on_roles`].
    pub async fn run_globals(&self, script: &[u8]) -> Result<Vec<String>, PostgresError> {
        let failed = |source| PostgresError::Packing { step: "running psql", source };
        let maintenance = self.address.with_database("postgres");
        let (mut command, _connection) = self.clients.command("psql", &maintenance).map_err(failed)?;
        command.args(["--no-psqlrc", "--quiet", "--no-password", "--file=-"]).stdin(Stdio::piped());
        let mut running = child::start(command)?;
        let mut stdin = running.stdin();
        stdin.write_all(script).await.map_err(failed)?;
        drop(stdin);
        let ended = running.succeed().await?;
        Ok(ended.said.into_iter().filter(|line| !line.contains("already exists")).collect())
    }

    /// Takes the mark away: everything was compared and is equal.
    pub async fn complete(&self, like: &Database) -> Result<(), PostgresError> {
        let comment = if self.created { &like.comment } else { &self.comment };
        self.set_comment(comment.as_deref()).await
    }
}

/// A session in a database that is there before any other.
async fn maintenance(address: &Address) -> Result<Session, PostgresError> {
    match connect(&address.with_database("postgres"), None).await {
        Err(PostgresError::NoSuchDatabase { .. }) => connect(&address.with_database("template1"), None).await,
        ended => ended,
    }
}
