//! choice: which entries of an archive make some tables whole by themselves: their definitions and what those need,
//! their indexes, constraints and triggers, and nothing of other tables.

use super::{
    PostgresError,
    toc::{Entry, Toc},
};
use crate::{manifest::Closed, source::child::MemoryFile};
use std::collections::{BTreeMap, BTreeSet};

/// Some tables of a backup, and the archive's entries that go with them.
#[derive(Debug)]
pub struct Choice {
    /// Indexes into [`Closed::tables`].
    pub tables: BTreeSet<u32>,
    lines: Vec<String>,
    /// Foreign keys and other things that need a table which was not chosen, in pg_dump's words.
    pub left_out: Vec<String>,
}

/// What belongs to a table and comes with it.
const BELONGINGS: [&str; 18] = [
    "DEFAULT",
    "CONSTRAINT",
    "CHECK CONSTRAINT",
    "FK CONSTRAINT",
    "INDEX",
    "INDEX ATTACH",
    "TRIGGER",
    "RULE",
    "POLICY",
    "ROW SECURITY",
    "COMMENT",
    "ACL",
    "STATISTICS",
    "SEQUENCE",
    "SEQUENCE OWNED BY",
    "SEQUENCE SET",
    "TABLE DATA",
    "SECURITY LABEL",
];

/// Finds `wanted` (each `schema.table`, or `table` in schema public) in the backup.
pub fn choose(closed: &Closed, toc: &Toc, wanted: &[String]) -> Result<Choice, PostgresError> {
    let mut tables = BTreeSet::new();
    let mut roots = BTreeSet::new();
    for name in wanted {
        let (schema, table) = name.split_once('.').unwrap_or(("public", name));
        let found = closed.tables.iter().position(|known| known.schema == schema && known.name == table);
        let index = found.ok_or_else(|| PostgresError::NoSuchTable(name.clone()))?;
        let definition = format!("TABLE {schema} {table} ");
        let entry = toc.entries.iter().find(|entry| entry.text.starts_with(&definition));
        roots.insert(entry.ok_or_else(|| PostgresError::NoSuchTable(name.clone()))?.id);
        tables.insert(u32::try_from(index).expect("fewer than 2^32 tables"));
    }
    let graph = Graph { entries: toc.entries.iter().map(|entry| (entry.id, entry)).collect() };
    let mut chosen = graph.needs(roots.iter().copied());
    let mut left_out = Vec::new();
    // What depends on a chosen table comes along, if all that it needs is there or is no other table's.
    loop {
        let before = chosen.len();
        left_out.clear();
        for entry in &toc.entries {
            if chosen.contains(&entry.id) || !graph.belongs(entry, &roots, &chosen) {
                continue;
            }
            let needs = graph.needs([entry.id]);
            if needs.iter().any(|id| graph.is_foreign_table(*id, &chosen)) {
                left_out.push(entry.text.clone());
            } else {
                chosen.extend(needs);
            }
        }
        if chosen.len() == before {
            break;
        }
    }
    let lines = toc.entries.iter().filter(|entry| chosen.contains(&entry.id)).map(|entry| entry.line.clone()).collect();
    Ok(Choice { tables, lines, left_out })
}

impl Choice {
    /// For `pg_restore --use-list`.
    pub fn list(&self) -> std::io::Result<MemoryFile> {
        let mut file = MemoryFile::create("archive-list")?;
        file.append((self.lines.join("\n") + "\n").as_bytes())?;
        Ok(file)
    }
}

/// Whose entries name their table, as `KIND schema table name owner`: another table's foreign key to ours, or a view's
/// own rule, depends on something of ours and is none of it.
const OF_A_TABLE: [&str; 7] =
    ["DEFAULT", "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "TRIGGER", "RULE", "POLICY"];

struct Graph<'a> {
    entries: BTreeMap<u32, &'a Entry>,
}

impl Graph<'_> {
    /// `ids` and everything that they depend on.
    fn needs(&self, ids: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let mut open: Vec<u32> = ids.into_iter().filter(|id| self.entries.contains_key(id)).collect();
        while let Some(id) = open.pop() {
            if found.insert(id) {
                let further = self.entries[&id].depends_on.iter().copied();
                open.extend(further.filter(|id| self.entries.contains_key(id)));
            }
        }
        found
    }

    /// Is it something of a chosen table, or of something that came with one?
    fn belongs(&self, entry: &Entry, roots: &BTreeSet<u32>, chosen: &BTreeSet<u32>) -> bool {
        let on_chosen = |id: &u32| roots.contains(id) || (chosen.contains(id) && self.entries[id].is_belonging());
        entry.is_belonging() && !self.names_another(entry, roots) && entry.depends_on.iter().any(on_chosen)
    }

    fn names_another(&self, entry: &Entry, roots: &BTreeSet<u32>) -> bool {
        let Some(of) = OF_A_TABLE.iter().find_map(|kind| entry.after(kind)) else { return false };
        let mut tables = roots.iter().filter_map(|root| self.entries[root].after("TABLE")?.rsplit_once(' '));
        !tables.any(|(table, _owner)| of.strip_prefix(table).is_some_and(|rest| rest.starts_with(' ')))
    }

    fn is_foreign_table(&self, id: u32, chosen: &BTreeSet<u32>) -> bool {
        !chosen.contains(&id) && self.entries[&id].defines_relation()
    }
}

impl Entry {
    fn after(&self, kind: &str) -> Option<&str> {
        self.text.strip_prefix(kind)?.strip_prefix(' ')
    }

    fn is_belonging(&self) -> bool {
        BELONGINGS.iter().any(|kind| self.is(kind))
    }

    fn defines_relation(&self) -> bool {
        let table = self.is("TABLE") && !["TABLE DATA", "TABLE ATTACH"].iter().any(|kind| self.is(kind));
        table || self.is("VIEW") || self.is("MATERIALIZED VIEW") || self.is("FOREIGN TABLE")
    }
}
