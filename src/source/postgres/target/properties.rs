//! properties: what a whole database has beside its schema and rows, and whether it came back.

use super::Target;
use crate::manifest::{Database, Sequence, Setting};
use crate::source::postgres::{PostgresError, connect::connect, globals::DATABASE, tables::quoted};

impl Target {
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

/// Custom settings have dots and are written as they are; all others are plain words.
fn setting_name(name: &str) -> String {
    name.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

/// `'a', 'b'` of a list as the catalog keeps it.
fn literals(list: &str) -> String {
    let literal = |item: &str| format!("'{}'", item.trim().trim_matches('"').replace('\'', "''"));
    list.split(',').map(literal).collect::<Vec<_>>().join(", ")
}
