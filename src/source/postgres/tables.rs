//! tables: which tables we copy ourselves ("claims"), and how the copying is divided among workers.
//!
//! pg_dump stays the authority on what a dump contains. We claim ordinary heap tables only; sequences, large
//! objects, extension configuration, foreign tables, materialized views and whatever PostgreSQL adds stay with it.

use super::{PostgresError, script::copy_target};
use crate::segment::RAW_BYTES_MAX;
use tokio_postgres::Client;

const PAGE_BYTES: u64 = 8192;
/// Heap bytes that one page-range cut covers: as many as a segment holds, as COPY text is rarely larger.
const RANGE_BYTES: u64 = RAW_BYTES_MAX as u64;
/// From so many bytes a table has segments of its own: small ones, which change, would have it sent again with them.
const ALONE_BYTES_MIN: u64 = 1 << 20;
/// Small enough that many workers end together.
const BUNDLE_BYTES_MAX: u64 = RAW_BYTES_MAX as u64 / 2;
const BUNDLE_TABLES_MAX: usize = 256;

/// A table that we copy, as the catalog described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub oid: u32,
    pub relfilenode: u32,
    pub schema: String,
    pub name: String,
    /// Quoted names in attribute order, without generated columns; may be empty.
    pub columns: String,
    /// `schema.table` of the topmost partitioned table that it is a part of; its own where it is none.
    pub family: String,
}

impl Claim {
    pub fn qualified(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// Its own rows, not its children's.
    pub fn copy_alone(&self) -> String {
        format!("COPY {} TO STDOUT", copy_target(&self.schema, &self.name, &self.columns))
    }

    /// Its own rows on pages `from..to`: a TID Range Scan (PostgreSQL 14 and newer).
    pub fn copy_range(&self, from: u64, to: Option<u64>) -> String {
        let end = to.map_or(String::new(), |to| format!(" AND ctid < '({to},0)'"));
        let (columns, table) = (&self.columns, self.qualified());
        format!("COPY (SELECT {columns} FROM ONLY {table} WHERE ctid >= '({from},0)'{end}) TO STDOUT")
    }

    /// The rows of a partitioned table and of all its leaves.
    pub fn copy_with_leaves(&self) -> String {
        format!("COPY (SELECT {} FROM {}) TO STDOUT", self.columns, self.qualified())
    }
}

/// `"schema"."table"`: always quoted, so that no name means anything else.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

pub fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Partitions below a hash partition on an enum hash differently after a restore (enum OIDs change): pg_dump loads
/// them through the root, and so they stay with it.
const UNSAFE: &str = "
WITH RECURSIVE hashed AS (
  SELECT partrelid AS oid FROM pg_partitioned_table WHERE partstrat = 'h' AND EXISTS (
      SELECT 1 FROM pg_opclass oc JOIN pg_am a ON oc.opcmethod = a.oid
       WHERE oc.oid = ANY (partclass) AND oc.opcname = 'enum_ops' AND oc.opcnamespace = 'pg_catalog'::regnamespace
         AND a.amname = 'hash')
), unsafe AS (
  SELECT oid FROM hashed UNION SELECT i.inhrelid FROM pg_inherits i JOIN unsafe u ON i.inhparent = u.oid
), described AS (
  SELECT c.*, n.nspname, coalesce((SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), '') AS columns,
    (SELECT m.nspname::text || '.' || w.relname::text FROM pg_class w JOIN pg_namespace m ON m.oid = w.relnamespace
      WHERE w.oid = coalesce(pg_partition_root(c.oid), c.oid)) AS family
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
)";

const CLAIMS: &str = "
SELECT c.oid, c.relfilenode, c.nspname::text, c.relname::text, c.columns, c.family
FROM described c JOIN pg_am am ON am.oid = c.relam
WHERE c.relkind = 'r' AND c.relpersistence IN ('p', 'u') AND am.amname = 'heap' AND c.relfilenode <> 0
  AND c.nspname !~ '^pg_' AND c.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND NOT EXISTS (SELECT 1 FROM pg_extension e WHERE c.oid = ANY (e.extconfig))
  AND c.oid NOT IN (SELECT oid FROM unsafe)
ORDER BY c.oid";

/// The topmost partitioned tables whose leaves stay with pg_dump: fingerprinted through the root.
const WITNESSES: &str = "
SELECT c.oid, c.relfilenode, c.nspname::text, c.relname::text, c.columns, c.family
FROM described c WHERE c.oid IN (SELECT oid FROM hashed)
  AND NOT EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid AND i.inhparent IN (SELECT oid FROM unsafe))
ORDER BY c.oid";

pub async fn claims(client: &Client) -> Result<Vec<Claim>, PostgresError> {
    listed(client, CLAIMS, "listing tables").await
}

pub async fn witnesses(client: &Client) -> Result<Vec<Claim>, PostgresError> {
    listed(client, WITNESSES, "listing hash partitions on enums").await
}

async fn listed(client: &Client, query: &str, step: &'static str) -> Result<Vec<Claim>, PostgresError> {
    let rows = client.query(&format!("{UNSAFE}{query}"), &[]).await.map_err(PostgresError::query(step))?;
    let claim = |row: &tokio_postgres::Row| Claim {
        oid: row.get(0),
        relfilenode: row.get(1),
        schema: row.get(2),
        name: row.get(3),
        columns: row.get(4),
        family: row.get(5),
    };
    Ok(rows.iter().map(claim).collect())
}

/// A claimed table's size on disk: its own pages, and all bytes with what is toasted.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub pages: u64,
    pub bytes: u64,
}

pub async fn sizes(client: &Client, claims: &[Claim]) -> Result<Vec<Size>, PostgresError> {
    const QUERY: &str = "SELECT pg_relation_size(oid), pg_table_size(oid) FROM unnest($1::oid[]) WITH ORDINALITY AS t(oid, n) ORDER BY n";
    let oids: Vec<u32> = claims.iter().map(|claim| claim.oid).collect();
    let rows = client.query(QUERY, &[&oids]).await.map_err(PostgresError::query("measuring tables"))?;
    let bytes = |row: &tokio_postgres::Row, column| row.get::<_, i64>(column).unsigned_abs();
    Ok(rows.iter().map(|row| Size { pages: bytes(row, 0) / PAGE_BYTES, bytes: bytes(row, 1) }).collect())
}

/// One worker's next piece of work; tables are indexes into the list of claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Small tables, whole, one after the other into the same segments.
    Bundle(Vec<usize>),
    /// Pages `from..to` of a big one; the last range has no end.
    Range { table: usize, from: u64, to: Option<u64> },
    /// A table that travels in the archive: read for its fingerprint only.
    Witness(usize),
}

/// Divides the copying: ranges of big tables first, bundles of small ones last, so that no worker is left with a big
/// table at the end. What is unchanged is cut as before, so that its segments are the same: a table that grows keeps
/// its first ranges, and where a bundle ends does not depend on its neighbours' sizes, which vacuum changes too.
pub fn divide(claims: &[Claim], sizes: &[Size]) -> Vec<Task> {
    let (mut ranges, mut alone, mut bundles) = (Vec::new(), Vec::new(), Vec::new());
    let mut bundle = Vec::new();
    let mut bundled = 0;
    for (table, (claim, size)) in claims.iter().zip(sizes).enumerate() {
        if size.bytes > RANGE_BYTES && size.pages > 1 {
            ranges.extend(page_ranges(table, *size));
        } else if size.bytes >= ALONE_BYTES_MIN {
            alone.push(Task::Bundle(vec![table]));
        } else {
            bundle.push(table);
            bundled += size.bytes;
        }
        let full = bundled >= BUNDLE_BYTES_MAX || bundle.len() >= BUNDLE_TABLES_MAX;
        if !bundle.is_empty() && (full || ends_a_bundle(claim.oid)) {
            bundles.push(Task::Bundle(std::mem::take(&mut bundle)));
            bundled = 0;
        }
    }
    if !bundle.is_empty() {
        bundles.push(Task::Bundle(bundle));
    }
    [ranges, alone, bundles].concat()
}

/// After one table in sixteen, whatever its neighbours are (Knuth's multiplicative hash of its number), and whether it
/// is small itself or not.
fn ends_a_bundle(oid: u32) -> bool {
    oid.wrapping_mul(2_654_435_761) >> 28 == 0
}

/// A power of two pages, so that growth or a new free space map moves no boundary; of a little less or more than
/// RANGE_BYTES with what is toasted.
fn page_ranges(table: usize, size: Size) -> impl Iterator<Item = Task> {
    let bytes_a_page = (size.bytes / size.pages).max(1);
    let pages_each = 1 << (RANGE_BYTES * 5 / 4 / bytes_a_page).max(16).ilog2();
    let starts = (0..size.pages).step_by(pages_each);
    starts.map(move |from| {
        let to = from + pages_each as u64;
        Task::Range { table, from, to: (to < size.pages).then_some(to) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(mib: u64) -> Size {
        Size { pages: mib * 128, bytes: mib << 20 }
    }

    fn claims(count: u32) -> Vec<Claim> {
        let claim = |oid| Claim {
            oid,
            relfilenode: oid,
            schema: "s".into(),
            name: "t".into(),
            columns: "a".into(),
            family: "s.t".into(),
        };
        (16_384..16_384 + count).map(claim).collect()
    }

    #[test]
    fn every_page_of_a_big_table_is_in_exactly_one_range() {
        let tasks = divide(&claims(3), &[size(100), size(1), Size { pages: 40, bytes: 200 << 20 }]);
        for (table, pages) in [(0, 12_800), (2, 40)] {
            let mut next = Some(0);
            for task in &tasks {
                if let Task::Range { table: of, from, to } = task
                    && *of == table
                {
                    assert_eq!(Some(*from), next);
                    assert!(to.is_none_or(|to| to < pages));
                    next = *to;
                }
            }
            assert_eq!(next, None, "the last range has no end");
        }
        assert_eq!(tasks.last(), Some(&Task::Bundle(vec![1])));
    }

    #[test]
    fn a_table_that_grows_or_gets_a_free_space_map_keeps_its_ranges() {
        let starts = |size: Size| -> Vec<u64> {
            let of = |task: Task| if let Task::Range { from, .. } = task { from } else { panic!("{task:?}") };
            divide(&claims(1), &[size]).into_iter().map(of).collect()
        };
        let before = starts(size(100));
        assert_eq!(before, [0, 4096, 8192, 12_288]);
        assert_eq!(starts(Size { bytes: (100 << 20) + 400_000, ..size(100) }), before);
        assert_eq!(starts(size(180))[..4], before);
    }

    /// Eight pages and a bit, as small tables are.
    const SMALL: Size = Size { pages: 8, bytes: 72 << 10 };

    #[test]
    fn small_tables_are_bundled_and_none_is_forgotten() {
        let mut sizes = [SMALL; 400];
        sizes[7] = size(1);
        let tasks = divide(&claims(400), &sizes);
        let mut divided: Vec<_> = tasks.iter().flat_map(|task| tables_of(task).to_vec()).collect();
        divided.sort_unstable();
        assert_eq!(divided, (0..400).collect::<Vec<_>>());
        assert_eq!(tasks[0], Task::Bundle(vec![7]));
        assert!((15..=50).contains(&tasks.len()), "{}", tasks.len());
        assert!(divide(&[], &[]).is_empty());
    }

    #[test]
    fn vacuum_moves_no_cut_of_small_tables() {
        let vacuumed = |number| Size { bytes: SMALL.bytes + if number % 3 == 0 { 32 << 10 } else { 0 }, ..SMALL };
        let sizes: Vec<_> = (0..2000).map(vacuumed).collect();
        assert_eq!(divide(&claims(2000), &sizes), divide(&claims(2000), &[SMALL; 2000]));
    }

    #[test]
    fn a_table_that_goes_or_grows_changes_its_own_bundle_only() {
        let named = |claims: &[Claim], sizes: &[Size]| -> Vec<Vec<u32>> {
            let oids = |task| tables_of(&task).iter().map(|table| claims[*table].oid).collect();
            divide(claims, sizes).into_iter().map(oids).collect()
        };
        let all = claims(2000);
        let before = named(&all, &[SMALL; 2000]);
        for table in 0..100 {
            let mut sizes = [SMALL; 2000];
            sizes[table] = size(9);
            let grown = named(&all, &sizes);
            let without = [&all[..table], &all[table + 1..]].concat();
            let gone = named(&without, &[SMALL; 1999]);
            for after in [grown, gone] {
                let changed: Vec<_> = before.iter().filter(|bundle| !after.contains(bundle)).collect();
                assert!(changed.len() <= 2, "{table}: {changed:?}");
            }
        }
    }

    fn tables_of(task: &Task) -> &[usize] {
        if let Task::Bundle(tables) = task { tables } else { panic!("{task:?}") }
    }

    #[test]
    fn identifiers_are_always_quoted() {
        assert_eq!(qualified("Odd \"name\"", "a.b"), r#""Odd ""name"""."a.b""#);
    }
}
