//! script: the text of a data segment, written and read: a complete psql script of COPY statements.
//!
//! ```text
//! SET client_encoding = 'UTF8'; ...
//! COPY "public"."orders" (id, total) FROM stdin;
//! 1   9.50
//! \.
//!
//! ```
//! A row never equals `\.`: COPY's text format writes a backslash as `\\` (PostgreSQL docs, COPY, File Formats).

use super::tables::qualified;

const END_OF_ROWS: &[u8] = b"\\.\n\n";

/// What makes a piece independent of the session that replays it.
pub fn preamble(encoding: &str) -> String {
    format!(
        "SET client_encoding = '{}';\nSET search_path = '';\nSET datestyle = 'ISO, MDY';\nSET intervalstyle = 'postgres';\n\
         SET timezone = 'UTC';\nSET lc_monetary = 'C';\nSET xmloption = 'content';\nSET row_security = off;\n\
         SET statement_timeout = 0;\nSET lock_timeout = 0;\nSET check_function_bodies = off;\n\n",
        encoding.replace('\'', "''")
    )
}

/// `"s"."t" (a, b)`, or the name alone for a table without columns to copy.
pub fn copy_target(schema: &str, name: &str, columns: &str) -> String {
    let table = qualified(schema, name);
    if columns.is_empty() { table } else { format!("{table} ({columns})") }
}

pub fn begin_rows(target: &str) -> String {
    format!("COPY {target} FROM stdin;\n")
}

pub fn end_rows() -> &'static [u8] {
    END_OF_ROWS
}

/// One COPY statement of a script: its target as written, and its rows, each with its newline.
#[derive(Debug, PartialEq, Eq)]
pub struct RowsOf<'a> {
    pub target: &'a str,
    pub rows: &'a [u8],
}

/// The COPY statements of a data segment, in order; an error says why the script is none of ours.
pub fn pieces(script: &[u8]) -> Result<Vec<RowsOf<'_>>, &'static str> {
    let mut rest = &script[memchr::memmem::find(script, b"\n\n").ok_or("it has no preamble")? + 2..];
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (target, rows) = begin(rest)?;
        let end = rows_end(rows).ok_or("rows have no end")?;
        pieces.push(RowsOf { target, rows: &rows[..end] });
        rest = &rows[end + END_OF_ROWS.len()..];
    }
    Ok(pieces)
}

/// The target of the statement that `text` begins with, and what follows it. A target may hold newlines inside
/// quoted names, so the end is looked for outside quotes.
fn begin(text: &[u8]) -> Result<(&str, &[u8]), &'static str> {
    const END: &[u8] = b" FROM stdin;\n";
    let text = text.strip_prefix(b"COPY ").ok_or("a statement is not a COPY")?;
    let mut in_quotes = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'"' => in_quotes = !in_quotes,
            b' ' if !in_quotes && text[at..].starts_with(END) => {
                let target = std::str::from_utf8(&text[..at]).map_err(|_not_utf8| "a name is not UTF-8")?;
                return Ok((target, &text[at + END.len()..]));
            }
            _ => {}
        }
    }
    Err("a COPY statement has no end")
}

/// The offset just after the last row.
fn rows_end(rows: &[u8]) -> Option<usize> {
    if rows.starts_with(END_OF_ROWS) {
        return Some(0);
    }
    memchr::memmem::find(rows, b"\n\\.\n\n").map(|newline| newline + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let odd = copy_target("s", "odd \" FROM stdin;\n", "a, \"b;\n\"");
        let mut script = preamble("UTF8").into_bytes();
        for (target, rows) in [(odd.as_str(), &b"1\t\\\\.\n\n2\t\\N\n"[..]), ("\"s\".\"empty\"", b"")] {
            script.extend(begin_rows(target).as_bytes());
            script.extend(rows);
            script.extend(end_rows());
        }
        let pieces = pieces(&script).unwrap();
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[0], RowsOf { target: &odd, rows: b"1\t\\\\.\n\n2\t\\N\n" });
        assert_eq!(pieces[1], RowsOf { target: "\"s\".\"empty\"", rows: b"" });
    }

    #[test]
    fn a_script_that_is_not_whole_is_refused() {
        let whole = [preamble("UTF8").as_bytes(), b"COPY \"s\".\"t\" (a) FROM stdin;\n1\n\\.\n\n"].concat();
        assert!(pieces(&whole).is_ok());
        for cut in 1..40 {
            assert!(
                pieces(&whole[..whole.len() - cut]).is_err() || whole[..whole.len() - cut].ends_with(b"\n\n"),
                "{cut}"
            );
        }
        assert!(pieces(b"DROP TABLE t;\n\nDROP TABLE t;\n").is_err());
    }
}
