//! properties: what a whole database has beside its schema and rows, and whether it came back.

use super::Target;
use crate::manifest::{Database, Sequence, Setting};
use crate::source::postgres::{
    PostgresError,
    connect::connect,
    globals::{self, DATABASE},
    tables::quoted,
};

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
            let values = if LISTS.contains(&name.as_str()) { items(value) } else { vec![value.clone()] };
            let literals: Vec<_> = values.iter().map(|value| literal(value)).collect();
            let keep = format!("{whose} SET {} TO {}", setting_name(name), literals.join(", "));
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

    pub async fn large_objects(&self) -> Result<u64, PostgresError> {
        globals::large_objects(&connect(&self.address, None).await?.client).await
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

/// Settings whose value is a list of names, each quoted where it has to be (pg_dump's variable_is_guc_list_quote).
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// Reads the same whatever standard_conforming_strings is.
fn literal(text: &str) -> String {
    let escape = if text.contains('\\') { " E" } else { "" };
    format!("{escape}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The names of such a list, without their quotes.
fn items(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut quoted = false;
    let mut letters = list.chars().peekable();
    while let Some(letter) = letters.next() {
        let item = items.last_mut().expect("there is always an item");
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => item.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => items.push(String::new()),
            ' ' if !quoted => {}
            other => item.push(other),
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_taken_apart_at_commas_outside_quotes() {
        assert_eq!(items(r#""$user", public"#), ["$user", "public"]);
        assert_eq!(items(r#""odd "", name",b"#), [r#"odd ", name"#, "b"]);
        assert_eq!(items(r#""""#), [""]);
    }
}
