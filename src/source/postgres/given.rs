//! given: a server that a drill was given by its address: what it is, and the drill's own databases on it.

use super::{Address, PostgresError, Server, connect::connect, tables::quoted};

/// The server's version, as it says it.
pub async fn version_at(server: &Address) -> Result<String, PostgresError> {
    let session = connect(server, None).await?;
    Ok(Server::of(&session.client).await?.version)
}

/// Which of `roles` the server does not have.
pub async fn missing_roles(server: &Address, roles: &[String]) -> Result<Vec<String>, PostgresError> {
    const MISSING: &str = "SELECT r FROM unnest($1::text[]) r WHERE r NOT IN (SELECT rolname FROM pg_roles)";
    let session = connect(server, None).await?;
    let rows = session.client.query(MISSING, &[&roles]).await.map_err(PostgresError::query("asking for roles"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Which of `databases` the server has.
pub async fn present_databases(server: &Address, databases: &[String]) -> Result<Vec<String>, PostgresError> {
    const PRESENT: &str = "SELECT datname::text FROM pg_database WHERE datname = ANY($1::text[]) ORDER BY 1";
    let session = connect(server, None).await?;
    let rows =
        session.client.query(PRESENT, &[&databases]).await.map_err(PostgresError::query("asking for databases"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A subscription keeps its database from being dropped; without its slot's name nothing is asked of its publisher.
const SUBSCRIPTIONS: &str = "SELECT quote_ident(subname) FROM pg_subscription
    WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())";

async fn drop_subscriptions(database: &Address) -> Result<(), PostgresError> {
    let session = match connect(database, None).await {
        Err(PostgresError::NoSuchDatabase { .. }) => return Ok(()),
        session => session?,
    };
    let dropping = || PostgresError::query("dropping the drill's subscriptions");
    for row in session.client.query(SUBSCRIPTIONS, &[]).await.map_err(dropping())? {
        let name: String = row.get(0);
        for statement in
            ["ALTER SUBSCRIPTION {} DISABLE", "ALTER SUBSCRIPTION {} SET (slot_name = NONE)", "DROP SUBSCRIPTION {}"]
        {
            session.client.batch_execute(&statement.replace("{}", &name)).await.map_err(dropping())?;
        }
    }
    Ok(())
}

/// Drops databases that we made, with whoever is still in them.
pub async fn drop_databases(server: &Address, databases: &[String]) -> Result<(), PostgresError> {
    let session = connect(server, None).await?;
    for database in databases {
        drop_subscriptions(&server.with_database(database)).await?;
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(database));
        session.client.batch_execute(&drop).await.map_err(PostgresError::query("dropping the drill's database"))?;
    }
    Ok(())
}
