//! globals: what belongs to the cluster and to the database as a whole: roles, tablespaces, settings, grants.

use super::{
    Address, PostgresError,
    archive::{Chunks, StreamPacker},
    clients::Clients,
    copy::Shared,
    tables::quoted,
};
use crate::{
    manifest::{Contents, Database, Extension, Setting, Stream},
    source::child::{self, Ended},
};
use std::{process::Stdio, sync::Arc};
use tokio_postgres::{Client, Row};

/// Where a grant's text names the database: it may have another name when it is restored.
pub const DATABASE: &str = "{database}";

/// pg_dumpall's script of roles and tablespaces, with passwords only where this role may read them.
pub async fn write(
    address: &Address,
    clients: &Clients,
    may_read_passwords: bool,
    shared: &Arc<Shared>,
) -> Result<(Vec<Contents>, Ended), PostgresError> {
    let failed = |source| PostgresError::Packing { step: "preparing pg_dumpall", source };
    let (mut command, _connection) = clients.command("pg_dumpall", address).map_err(failed)?;
    command
        .args(["--globals-only", "--no-password"])
        .arg(format!("--database={}", address.database))
        .stdout(Stdio::piped());
    if !may_read_passwords {
        command.arg("--no-role-passwords");
    }
    let mut running = child::start(command)?;
    let mut stdout = Chunks::of(running.stdout(), "pg_dumpall's script");
    let packer = StreamPacker::begin(Stream::Globals, shared);
    while let Some(chunk) = stdout.next().await? {
        packer.push(chunk).await?;
    }
    let ended = running.succeed().await?;
    Ok((packer.finish().await?, ended))
}

pub async fn may_read_passwords(client: &Client) -> Result<bool, PostgresError> {
    let row = client.query_one("SELECT has_table_privilege('pg_authid', 'SELECT')", &[]).await;
    Ok(row.map_err(PostgresError::query("asking for role passwords"))?.get(0))
}

/// The database's own properties, as `CREATE DATABASE` and `ALTER DATABASE` will need them.
pub async fn database(client: &Client, major: u32) -> Result<Database, PostgresError> {
    let (provider, locale) = match major {
        ..=14 => ("'c'", "NULL"),
        15..=16 => ("datlocprovider::text", "daticulocale"),
        _ => ("datlocprovider::text", "datlocale"),
    };
    let query = format!(
        "SELECT datname::text, pg_get_userbyid(datdba)::text, pg_encoding_to_char(encoding)::text, datcollate::text,
                datctype::text, {provider}, {locale}::text, datconnlimit, shobj_description(oid, 'pg_database')
         FROM pg_database d WHERE datname = current_database()"
    );
    let asking = || PostgresError::query("reading the database's properties");
    let row = client.query_one(&query, &[]).await.map_err(asking())?;
    let provider = match row.get::<_, &str>(5) {
        "i" => "icu",
        "b" => "builtin",
        _ => "libc",
    };
    let settings = client.query(SETTINGS, &[]).await.map_err(asking())?;
    let grants = client.query(GRANTS, &[]).await.map_err(asking())?;
    Ok(Database {
        name: row.get(0),
        owner: row.get(1),
        encoding: row.get(2),
        collate: row.get(3),
        ctype: row.get(4),
        provider: provider.to_owned(),
        locale: row.get(6),
        connection_limit: row.get(7),
        comment: row.get(8),
        settings: settings.iter().map(setting).collect(),
        grants: grants.iter().map(grant).collect(),
    })
}

const SETTINGS: &str = "
SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole)::text END, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
WHERE d.datname = current_database() ORDER BY 1 NULLS FIRST, 2";

fn setting(row: &Row) -> Setting {
    Setting { role: row.get(0), name: row.get(1), value: row.get(2) }
}

const GRANTS: &str = "
SELECT a.privilege_type, CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee)::text END, a.is_grantable
FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = current_database() AND a.grantee <> d.datdba
ORDER BY 2 NULLS FIRST, 1";

fn grant(row: &Row) -> String {
    let to = row.get::<_, Option<&str>>(1).map_or("PUBLIC".to_owned(), quoted);
    let option = if row.get(2) { " WITH GRANT OPTION" } else { "" };
    format!("GRANT {} ON DATABASE {DATABASE} TO {to}{option}", row.get::<_, &str>(0))
}

pub async fn extensions(client: &Client) -> Result<Vec<Extension>, PostgresError> {
    let rows = client.query("SELECT extname::text, extversion FROM pg_extension ORDER BY 1", &[]).await;
    let rows = rows.map_err(PostgresError::query("listing extensions"))?;
    Ok(rows.iter().map(|row| Extension { name: row.get(0), version: row.get(1) }).collect())
}

/// Roles that something in this database names: a restore with owners and privileges needs them all. The bootstrap
/// superuser is not in pg_shdepend, so owners are asked for as well.
pub async fn roles(client: &Client) -> Result<Vec<String>, PostgresError> {
    const QUERY: &str = "
        SELECT DISTINCT r.rolname::text FROM pg_roles r WHERE r.oid IN (
            SELECT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
              AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
            UNION SELECT datdba FROM pg_database WHERE datname = current_database()
            UNION SELECT setrole FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
              WHERE d.datname = current_database()
            UNION SELECT relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            UNION SELECT nspowner FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
          AND r.rolname !~ '^pg_' ORDER BY 1";
    let rows = client.query(QUERY, &[]).await.map_err(PostgresError::query("listing roles"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

pub async fn large_objects(client: &Client) -> Result<u64, PostgresError> {
    let row = client.query_one("SELECT count(*) FROM pg_largeobject_metadata", &[]).await;
    let count: i64 = row.map_err(PostgresError::query("counting large objects"))?.get(0);
    Ok(count.unsigned_abs())
}
