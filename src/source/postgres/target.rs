//! target: the database that a backup is restored into: empty or made for it, and marked until it is whole.

use super::{
    Address, PostgresError, Server,
    choice::Choice,
    clients::{Clients, Connection},
    connect::{Session, connect},
    globals::DATABASE,
    tables::quoted,
    toc::Head,
};
use crate::{
    manifest::{Database, Sequence, Setting},
    source::child::{self, MemoryFile, Running},
};
use std::{io, path::PathBuf, process::Stdio};
use tokio::{
    io::AsyncWriteExt,
    process::{ChildStdin, Command},
};

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
    /// Looks at the target, and insists that it may be loaded: new enough, and empty or not there yet.
    pub async fn inspect(
        address: &Address,
        source_major: u32,
        ownership: Ownership,
        client_path: &[PathBuf],
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
        let clients = Clients::find(server.major, client_path).await?;
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
            session.client.batch_execute(&statement).await.map_err(PostgresError::query("creating the database"))?;
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
        command.arg(head.path());
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
        Ok(DataLoading { running, stdin: Some(stdin), _list: list, _connection: connection })
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
        command.args(list.map(|list| format!("--use-list={}", list.path())));
        command.args(self.ownership.role.as_ref().map(|role| format!("--role={role}")));
        // On as many cores as jobs, PostgreSQL's own parallel index builds only get in each other's way.
        command.env("PGOPTIONS", "-c timezone=UTC -c lc_monetary=C -c max_parallel_maintenance_workers=0");
        Ok((command, connection))
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

    /// The database's own settings and grants, whatever it is called here.
    pub async fn apply_properties(&self, like: &Database) -> Result<(), PostgresError> {
        let session = connect(&self.address, None).await?;
        let database = quoted(&self.address.database);
        let applying = |what: &str| PostgresError::query(format!("applying {what} to the database"));
        for Setting { role, name, value } in &like.settings {
            let whose = match role {
                Some(_) if self.ownership.no_owner => continue,
                Some(role) => format!("ALTER ROLE {} IN DATABASE {database}", quoted(role)),
                None => format!("ALTER DATABASE {database}"),
            };
            // FROM CURRENT quotes lists as each setting wants them. What cannot be set in a session is a list of
            // libraries.
            let taken = session.client.execute("SELECT set_config($1, $2, false)", &[&name, &value]).await.is_ok();
            let value = if taken { "FROM CURRENT".to_owned() } else { format!("TO {}", literals(value)) };
            let keep = format!("{whose} SET {} {value}", setting_name(name));
            session.client.batch_execute(&keep).await.map_err(applying(name))?;
        }
        if self.ownership.no_privileges || like.grants.is_empty() {
            return Ok(());
        }
        let revoke = format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC");
        session.client.batch_execute(&revoke).await.map_err(applying("grants"))?;
        for grant in &like.grants {
            session.client.batch_execute(&grant.replace(DATABASE, &database)).await.map_err(applying("grants"))?;
        }
        Ok(())
    }

    /// Takes the mark away: everything was compared and is equal.
    pub async fn complete(&self, like: &Database) -> Result<(), PostgresError> {
        let comment = if self.created { &like.comment } else { &self.comment };
        self.set_comment(comment.as_deref()).await
    }

    /// Sequences whose value is not the backup's, in words.
    pub async fn compare_sequences(&self, sequences: &[Sequence]) -> Result<Vec<String>, PostgresError> {
        let session = connect(&self.address, None).await?;
        let mut differences = Vec::new();
        for Sequence { name, last_value, is_called } in sequences {
            let query = format!("SELECT last_value, is_called FROM {name}");
            let row =
                session.client.query_one(&query, &[]).await.map_err(PostgresError::query(format!("reading {name}")))?;
            let found: (i64, bool) = (row.get(0), row.get(1));
            if found != (*last_value, *is_called) {
                differences.push(format!("sequence {name}: {last_value} in the backup, {} restored", found.0));
            }
        }
        Ok(differences)
    }

    /// The owner's own checks that are not true here, in words.
    pub async fn failed_checks(&self, checks: &[String]) -> Result<Vec<String>, PostgresError> {
        let session = connect(&self.address, None).await?;
        // The owner wrote them for an ordinary session of this database.
        let unpinning = session.client.batch_execute("RESET search_path; RESET timezone; RESET datestyle").await;
        unpinning.map_err(PostgresError::query("preparing the checks"))?;
        let mut failed = Vec::new();
        for check in checks {
            let row = session
                .client
                .query_opt(check, &[])
                .await
                .map_err(PostgresError::query(format!("checking `{check}`")))?;
            let held = row.is_some_and(|row| row.try_get::<_, Option<bool>>(0).is_ok_and(|held| held == Some(true)));
            if !held {
                failed.push(format!("check `{check}` is not true"));
            }
        }
        Ok(failed)
    }
}

/// A session in a database that is there before any other.
async fn maintenance(address: &Address) -> Result<Session, PostgresError> {
    match connect(&address.with_database("postgres"), None).await {
        Err(PostgresError::NoSuchDatabase { .. }) => connect(&address.with_database("template1"), None).await,
        ended => ended,
    }
}

/// Custom settings have dots and are written as they are; all others are plain words.
fn setting_name(name: &str) -> String {
    name.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

/// `'a', 'b'` of a list as the catalog keeps it.
fn literals(list: &str) -> String {
    let literal = |item: &str| format!("'{}'", item.trim().trim_matches('"').replace('\'', "''"));
    list.split(',').map(literal).collect::<Vec<_>>().join(", ")
}

/// A database name that cannot be taken for a connection string.
fn conninfo(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

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

/// A pg_restore that is being fed an archive.
pub struct DataLoading {
    running: Running,
    stdin: Option<ChildStdin>,
    _list: Option<MemoryFile>,
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
