//! toc: the table of contents of a pg_dump archive, read with `pg_restore --list --verbose` from the archive's head.
//!
//! An archive written to a pipe begins with its whole table of contents; the data follows. So a head that
//! `pg_restore --list` accepts is all that pre-data and post-data need, and it fits in memory.

use super::{PostgresError, clients::Clients};
use crate::{
    manifest::Sequence,
    source::child::{self, ChildError, MemoryFile},
};
use std::{collections::BTreeSet, io};
use tokio::process::Command;

/// The beginning of an archive: at least its table of contents, in memory only.
#[derive(Debug)]
pub struct Head {
    file: MemoryFile,
    bytes: u64,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: u32,
    pub oid: u32,
    /// What it is, in pg_dump's words, with schema, name and owner: `TABLE DATA public orders app`.
    pub text: String,
    pub depends_on: Vec<u32>,
    /// The line as listed, for `pg_restore --use-list`.
    pub line: String,
}

impl Entry {
    pub fn is(&self, kind: &str) -> bool {
        self.text.strip_prefix(kind).is_some_and(|rest| rest.starts_with(' '))
    }
}

#[derive(Clone, Debug)]
pub struct Toc {
    pub entries: Vec<Entry>,
}

impl Head {
    pub fn new() -> io::Result<Self> {
        Ok(Self { file: MemoryFile::create("archive-head")?, bytes: 0 })
    }

    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.file.append(bytes)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds it to the arguments of `command`, one of `clients`.
    pub fn append_to(&self, command: &mut Command, clients: &Clients) -> io::Result<()> {
        let path = clients.lend(command, &self.file)?;
        command.arg(path);
        Ok(())
    }

    /// The table of contents, or `None` while the head is too short to hold it.
    pub async fn toc(&self, clients: &Clients) -> Result<Option<Toc>, PostgresError> {
        let failed = |source| PostgresError::Packing { step: "listing the archive", source };
        let mut command = clients.offline("pg_restore").map_err(failed)?;
        command.args(["--list", "--verbose"]);
        self.append_to(&mut command, clients).map_err(failed)?;
        match child::output(command).await {
            Ok((text, _)) => Ok(Some(Toc::read(&String::from_utf8_lossy(&text)))),
            Err(ChildError::Failed { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What the archive will set each sequence to: pg_dump reads them outside any snapshot, so the archive is the
    /// only one who knows.
    pub async fn sequences(&self, clients: &Clients, toc: &Toc) -> Result<Vec<Sequence>, PostgresError> {
        let list: String = toc
            .entries
            .iter()
            .filter(|entry| entry.is("SEQUENCE SET"))
            .map(|entry| entry.line.clone() + "\n")
            .collect();
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |source| PostgresError::Packing { step: "listing sequences", source };
        let mut lines = MemoryFile::create("archive-list").map_err(failed)?;
        lines.append(list.as_bytes()).map_err(failed)?;
        let mut command = clients.offline("pg_restore").map_err(failed)?;
        let lines = clients.lend(&mut command, &lines).map_err(failed)?;
        command.args(["--file=-", "--use-list", &lines]);
        self.append_to(&mut command, clients).map_err(failed)?;
        let (text, _) = child::output(command).await?;
        let text = String::from_utf8_lossy(&text);
        Ok(read_setvals(&text))
    }
}

/// Every `SELECT pg_catalog.setval('name', value, called);`. A name may span lines inside its quotes.
fn read_setvals(text: &str) -> Vec<Sequence> {
    let calls = text.split("SELECT pg_catalog.setval('").skip(1);
    calls
        .filter_map(|call| {
            let (arguments, _) = call.split_once(");\n")?;
            let (rest, called) = arguments.rsplit_once(", ")?;
            let (name, value) = rest.rsplit_once("', ")?;
            Some(Sequence {
                name: name.replace("''", "'"),
                last_value: value.parse().ok()?,
                is_called: called == "true",
            })
        })
        .collect()
}

impl Toc {
    /// Does the archive define functions, or bring an extension's? What else it defines runs PostgreSQL's own alone, and
    /// of those none writes to a table.
    pub fn brings_code(&self) -> bool {
        const CODE: [&str; 4] = ["FUNCTION", "PROCEDURE", "AGGREGATE", "EXTENSION"];
        self.entries.iter().any(|entry| CODE.iter().any(|kind| entry.is(kind)))
    }

    /// Lines are `ID; TABLEOID OID TEXT`, comments begin with `;`, and `;\tdepends on: ID ID` follows its entry.
    fn read(text: &str) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        for line in text.lines() {
            if let Some(ids) = line.strip_prefix(";\tdepends on:") {
                if let Some(entry) = entries.last_mut() {
                    entry.depends_on.extend(ids.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
                }
            } else if !line.starts_with(';')
                && let Some(entry) = read_entry(line)
            {
                entries.push(entry);
            }
        }
        Self { entries }
    }

    /// OIDs of the tables whose rows are in the archive.
    pub fn with_data(&self) -> BTreeSet<u32> {
        self.entries.iter().filter(|entry| entry.is("TABLE DATA")).map(|entry| entry.oid).collect()
    }

    /// OIDs of all tables that the archive defines.
    pub fn tables(&self) -> BTreeSet<u32> {
        self.entries
            .iter()
            .filter(|entry| entry.is("TABLE"))
            .filter(|entry| !entry.is("TABLE DATA"))
            .map(|entry| entry.oid)
            .collect()
    }
}

fn read_entry(line: &str) -> Option<Entry> {
    let (id, rest) = line.split_once("; ")?;
    let mut words = rest.splitn(3, ' ');
    let (_catalog, oid, text) = (words.next()?, words.next()?, words.next()?);
    Some(Entry {
        id: id.parse().ok()?,
        oid: oid.parse().ok()?,
        text: text.to_owned(),
        depends_on: Vec::new(),
        line: line.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_with_its_dependencies() {
        let toc = Toc::read(
            ";\n; Archive created at 2026-11-21\n;\n215; 1259 16385 TABLE public orders app\n;\tdepends on: 5 7\n\
             3346; 0 16385 TABLE DATA public orders app\n;\tdepends on: 215\n3400; 1259 16390 TABLE ATTACH public p app\n",
        );
        assert_eq!(toc.entries.len(), 3);
        assert_eq!(toc.entries[0].depends_on, [5, 7]);
        assert_eq!(toc.with_data(), [16385].into());
        assert!(toc.entries[1].is("TABLE DATA"));
    }

    #[test]
    fn setvals_read_whatever_the_name() {
        let text = "SELECT pg_catalog.setval('public.s', 42, true);\n\nSELECT pg_catalog.setval('\"odd '', \"\".\n\"', -7, false);\n";
        let sequence = |name: &str, last_value, is_called| Sequence { name: name.into(), last_value, is_called };
        assert_eq!(read_setvals(text), [sequence("public.s", 42, true), sequence("\"odd ', \"\".\n\"", -7, false)]);
    }
}
