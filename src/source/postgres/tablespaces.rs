//! tablespaces: a globals script for a scratch server, where no folder is there for the source's tablespaces.
//!
//! The script is pg_dumpall's: SQL with `standard_conforming_strings` on, names and comments of anybody's choice.

use std::ops::Range;

/// Before each statement: a script changes its connection where it likes. PostgreSQL docs, 20.17, "Developer Options".
const ALLOW: &[u8] = b"SET allow_in_place_tablespaces = on;\n";

/// The script with every `CREATE TABLESPACE name OWNER owner LOCATION '...'` made in place: inside the data folder.
pub fn in_place(script: &[u8]) -> Vec<u8> {
    let mut changed = Vec::with_capacity(script.len());
    let mut copied = 0;
    for statement in statements(script) {
        let Some(location) = location_of(script, &statement) else { continue };
        changed.extend_from_slice(&script[copied..statement[0].start]);
        changed.extend_from_slice(ALLOW);
        changed.extend_from_slice(&script[statement[0].start..location.start]);
        changed.extend_from_slice(b"''");
        copied = location.end;
    }
    changed.extend_from_slice(&script[copied..]);
    changed
}

/// Where the location is written, if the statement makes a tablespace.
fn location_of(script: &[u8], statement: &[Range<usize>]) -> Option<Range<usize>> {
    let is = |at: usize, word: &[u8]| {
        statement.get(at).is_some_and(|token| script[token.clone()].eq_ignore_ascii_case(word))
    };
    if !(is(0, b"CREATE") && is(1, b"TABLESPACE")) {
        return None;
    }
    // CREATE TABLESPACE name [OWNER owner] LOCATION '...': a name may be `location` as well, so by position.
    let keyword = if is(3, b"OWNER") { 5 } else { 3 };
    if is(keyword, b"LOCATION") { statement.get(keyword + 1).cloned() } else { None }
}

/// The statements of a script, each as its tokens: words, quoted names, literals, single characters. psql's own
/// commands are lines that begin with a backslash and are no part of a statement.
fn statements(script: &[u8]) -> Vec<Vec<Range<usize>>> {
    let mut statements = Vec::new();
    let mut open = Vec::new();
    let mut at = 0;
    while at < script.len() {
        let end = match script[at] {
            b' ' | b'\t' | b'\r' | b'\n' => at + 1,
            b'-' if script[at..].starts_with(b"--") => line_end(script, at),
            b'\\' if open.is_empty() => line_end(script, at),
            b';' => {
                statements.push(std::mem::take(&mut open));
                at + 1
            }
            _ => {
                let end = token_end(script, at);
                open.push(at..end);
                end
            }
        };
        at = end;
    }
    statements.retain(|tokens| !tokens.is_empty());
    statements
}

fn line_end(script: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &script[at..]).map_or(script.len(), |newline| at + newline + 1)
}

fn token_end(script: &[u8], at: usize) -> usize {
    let escapes = matches!(script[at], b'E' | b'e') && script.get(at + 1) == Some(&b'\'');
    let quote_at = if escapes { at + 1 } else { at };
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
    match script[quote_at] {
        quote @ (b'\'' | b'"') => quoted_end(script, quote_at, quote, escapes),
        byte if is_of_word(&byte) => at + script[at..].iter().take_while(|byte| is_of_word(byte)).count(),
        _ => at + 1,
    }
}

/// Just after the closing quote; a doubled one is a part of the text, as is an escaped one in E'...'.
fn quoted_end(script: &[u8], begin: usize, quote: u8, escapes: bool) -> usize {
    let mut at = begin + 1;
    while at < script.len() {
        match script[at] {
            b'\\' if escapes => at += 2,
            byte if byte == quote && script.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    script.len()
}

#[cfg(test)]
mod tests {
    use super::in_place;

    fn changed(script: &str) -> String {
        String::from_utf8(in_place(script.as_bytes())).unwrap()
    }

    const ALLOW: &str = "SET allow_in_place_tablespaces = on;\n";

    #[test]
    fn a_tablespace_of_any_name_is_made_in_place() {
        for (name, location) in [
            ("fast", "'/srv/fast'"),
            ("location", "'/srv/it''s'"),
            (r#""odd "" LOCATION 'x'; name""#, "'/srv/ä'"),
            ("\"new\nline\"", r"E'/srv/back\\slash\''"),
        ] {
            let script = format!(
                "SET a = on;\n\nCREATE TABLESPACE {name} OWNER \"o;o\" LOCATION {location};\nALTER TABLESPACE {name} SET (x=1);\n"
            );
            let expected = format!(
                "SET a = on;\n\n{ALLOW}CREATE TABLESPACE {name} OWNER \"o;o\" LOCATION '';\nALTER TABLESPACE {name} SET (x=1);\n"
            );
            assert_eq!(changed(&script), expected);
        }
        assert_eq!(changed("create tablespace a location '/x';"), format!("{ALLOW}create tablespace a location '';"));
    }

    #[test]
    fn what_only_looks_like_one_is_left_as_it_is() {
        for script in [
            "COMMENT ON ROLE x IS 'a;\nCREATE TABLESPACE t OWNER o LOCATION ''/x'';\n';",
            "-- CREATE TABLESPACE t OWNER o LOCATION '/x';\nCREATE ROLE \";CREATE TABLESPACE t LOCATION '/x';\";",
            "\\restrict CREATE\nALTER ROLE x SET search_path TO 'CREATE', 'TABLESPACE';",
            "CREATE TABLESPACE",
            "'never closed",
        ] {
            assert_eq!(changed(script), script);
        }
    }

    #[test]
    fn a_script_with_meta_commands_keeps_them() {
        let script = "\\restrict a'b\nCREATE TABLESPACE t OWNER o LOCATION '/x';\n\\unrestrict a'b\n";
        let expected = format!("\\restrict a'b\n{ALLOW}CREATE TABLESPACE t OWNER o LOCATION '';\n\\unrestrict a'b\n");
        assert_eq!(changed(script), expected);
    }
}
