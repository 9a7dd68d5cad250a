//! definitions: a schema as text, definition by definition, and whether a restored database has the archive's own.
//!
//! Text is compared, and text alone would cry wolf: PostgreSQL writes some definitions differently once they have been
//! through it (`x::text = ANY ((ARRAY['a'::character varying])::text[])` is the usual one). So where texts differ, the
//! archive's definitions are restored a second time, alone, into a twin: what is the same in the restored database and
//! in its twin is what this server makes of the archive, and no difference.

use super::{PostgresError, Target, target::Section, toc::Head};
use crate::source::child;
use std::collections::BTreeMap;

/// Definitions by their header (`Name: orders; Type: TABLE; Schema: public; Owner: app`), several of one header sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definitions(BTreeMap<String, Vec<String>>);

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefinitionsCompared {
    pub count: u64,
    /// In words; empty where every definition came back.
    pub differences: Vec<String>,
    /// How many this server writes in other words than the archive.
    pub reworded: u64,
}

/// In every plain script of pg_dump and pg_restore a definition begins so.
const HEADER: &str = "\n--\n-- Name: ";
/// Lines that tell a session how to make what follows: they depend on the order, which is not compared.
const SETTINGS: [&str; 3] = ["SET default_tablespace = ", "SET default_table_access_method = ", "SET row_security = "];

impl Definitions {
    /// Reads a plain script. What comes before the first definition sets up the session and is none.
    pub fn read(script: &str) -> Self {
        let mut definitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for part in script.split(HEADER).skip(1) {
            let (header, body) = part.split_once("\n--\n").unwrap_or((part, ""));
            let kept = body.lines().filter(|line| !is_of_the_session(line)).collect::<Vec<_>>().join("\n");
            definitions.entry(header.to_owned()).or_default().push(kept.trim().to_owned());
        }
        definitions.values_mut().for_each(|bodies| bodies.sort());
        Self(definitions)
    }

    pub fn count(&self) -> u64 {
        self.0.values().map(|bodies| bodies.len() as u64).sum()
    }

    /// Headers whose definitions are not the same in both.
    fn unlike<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let headers = self.0.keys().chain(other.0.keys().filter(|header| !self.0.contains_key(*header)));
        headers.filter(|header| self.0.get(*header) != other.0.get(*header)).map(String::as_str).collect()
    }
}

/// The encoding that a script says it is in, so that another can be asked for in the same.
fn encoding_of(script: &str) -> Option<&str> {
    let (_, after) = script.split(HEADER).next()?.split_once("SET client_encoding = '")?;
    Some(after.split_once('\'')?.0)
}

fn is_of_the_session(line: &str) -> bool {
    SETTINGS.iter().any(|setting| line.starts_with(setting))
        || line.starts_with("\\restrict ")
        || line.starts_with("\\unrestrict ")
        || line == "-- PostgreSQL database dump complete"
        || line == "--"
}

/// What of the archive's definitions did not come back, where the twin says what this server makes of them.
fn judge(archive: &Definitions, restored: &Definitions, twin: Option<&Definitions>) -> DefinitionsCompared {
    let mut compared = DefinitionsCompared { count: archive.count(), ..DefinitionsCompared::default() };
    for header in archive.unlike(restored) {
        let as_in_twin = twin.is_some_and(|twin| twin.0.get(header) == restored.0.get(header));
        let (expected, found) = (archive.0.get(header), restored.0.get(header));
        match (expected, found) {
            (Some(expected), Some(found)) if as_in_twin && expected.len() == found.len() => compared.reworded += 1,
            (Some(_), Some(_)) => compared.differences.push(format!("definition of {header}: not as in the backup")),
            (Some(_), None) => compared.differences.push(format!("definition of {header}: missing")),
            (None, _) => compared.differences.push(format!("definition of {header}: not in the backup")),
        }
    }
    compared
}

impl Target {
    /// Compares the schema of this database with the archive's. `make_twin` gives an empty database of the same server;
    /// it is asked only where texts differ.
    pub async fn compare_definitions(
        &self,
        head: &Head,
        make_twin: impl AsyncFnOnce() -> Result<Self, PostgresError>,
    ) -> Result<DefinitionsCompared, PostgresError> {
        let script = self.script_of(head).await?;
        let (archive, encoding) = (Definitions::read(&script), encoding_of(&script));
        let restored = self.definitions(encoding).await?;
        if archive == restored {
            return Ok(judge(&archive, &restored, None));
        }
        let twin = make_twin().await?;
        for section in [Section::PreData, Section::PostData] {
            twin.run_section(section, head, None, 1).await?;
        }
        Ok(judge(&archive, &restored, Some(&twin.definitions(encoding).await?)))
    }

    async fn script_of(&self, head: &Head) -> Result<String, PostgresError> {
        let failed = |source| PostgresError::Packing { step: "preparing pg_restore", source };
        let mut command = self.clients.offline("pg_restore").map_err(failed)?;
        command.args(SECTIONS).args(self.left_out()).arg("--file=-");
        head.append_to(&mut command, &self.clients).map_err(failed)?;
        let (script, _) = child::output(command).await?;
        Ok(String::from_utf8_lossy(&script).into_owned())
    }

    async fn definitions(&self, encoding: Option<&str>) -> Result<Definitions, PostgresError> {
        let failed = |source| PostgresError::Packing { step: "preparing pg_dump", source };
        let (mut command, _connection) = self.clients.command("pg_dump", &self.address).map_err(failed)?;
        command.args(SECTIONS).args(self.left_out()).arg("--no-password");
        command.args(encoding.map(|encoding| format!("--encoding={encoding}")));
        let (script, _) = child::output(command).await?;
        Ok(Definitions::read(&String::from_utf8_lossy(&script)))
    }

    fn left_out(&self) -> impl Iterator<Item = &'static str> {
        let flags = [("--no-owner", self.ownership.no_owner), ("--no-privileges", self.ownership.no_privileges)];
        flags.into_iter().filter(|(_, on)| *on).map(|(flag, _)| flag)
    }
}

const SECTIONS: [&str; 2] = ["--section=pre-data", "--section=post-data"];

#[cfg(test)]
mod tests {
    use super::*;

    fn script(definitions: &[(&str, &str)]) -> String {
        let mut script = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET x = 0;\n\n".to_owned();
        for (header, body) in definitions {
            script += &format!("--\n-- Name: {header}\n--\n\nSET default_tablespace = '';\n\n{body}\n\n\n");
        }
        script + "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n"
    }

    const ORDERS: (&str, &str) = ("orders; Type: TABLE; Schema: public; Owner: app", "CREATE TABLE orders (i int);");
    const CHECK: (&str, &str) = ("c; Type: CHECK CONSTRAINT; Schema: public; Owner: app", "CHECK (a)");

    fn read(definitions: &[(&str, &str)]) -> Definitions {
        Definitions::read(&script(definitions))
    }

    #[test]
    fn equal_schemas_are_equal_in_any_order() {
        let (one, other) = (read(&[ORDERS, CHECK]), read(&[CHECK, ORDERS]));
        assert_eq!(judge(&one, &other, None), DefinitionsCompared { count: 2, ..DefinitionsCompared::default() });
        assert_eq!(one.0[ORDERS.0], ["CREATE TABLE orders (i int);"]);
    }

    #[test]
    fn what_is_missing_changed_or_more_is_a_difference() {
        let archive = read(&[ORDERS, CHECK]);
        let changed = read(&[(ORDERS.0, "CREATE TABLE orders (i bigint);"), ("new; Type: VIEW", "CREATE VIEW new;")]);
        let differences = judge(&archive, &changed, Some(&archive)).differences;
        assert_eq!(
            differences,
            [
                "definition of c; Type: CHECK CONSTRAINT; Schema: public; Owner: app: missing",
                "definition of orders; Type: TABLE; Schema: public; Owner: app: not as in the backup",
                "definition of new; Type: VIEW: not in the backup"
            ]
        );
    }

    #[test]
    fn what_the_server_itself_words_differently_is_none() {
        let archive = read(&[ORDERS, CHECK]);
        let reworded = read(&[ORDERS, (CHECK.0, "CHECK ((a))")]);
        let compared = judge(&archive, &reworded, Some(&reworded));
        assert_eq!((compared.differences.len(), compared.reworded), (0, 1));
        assert_eq!(judge(&archive, &reworded, Some(&archive)).differences.len(), 1);
    }
}
