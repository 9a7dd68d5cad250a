//! The map in src/lib.rs is true: every room is on a floor, imports go down only, and files stay small.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What the map says of one floor.
struct Floor {
    number: u32,
    rooms: Vec<String>,
    never: Vec<String>,
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Reads `F4 journeys     backup restore         never import vault`: columns are two or more spaces apart.
fn map() -> Vec<Floor> {
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("//! F"));
    let floors = lines.map(|line| {
        let mut columns = line.split("  ").map(str::trim).filter(|column| !column.is_empty());
        let number = columns.next().unwrap().split(' ').next().unwrap().parse().unwrap();
        let words = |text: &str| text.split(' ').map(|word| word.trim_end_matches(':').to_owned()).collect();
        let rooms = columns.next().unwrap();
        // `role: depositor inspector restorer` is one room, and what is in it.
        let rooms = rooms.split_once(':').map_or_else(|| words(rooms), |(room, _)| vec![room.to_owned()]);
        let never = match columns.next() {
            Some("never each other") => rooms.clone(),
            Some(note) => note.strip_prefix("never import ").map_or_else(Vec::new, words),
            None => Vec::new(),
        };
        Floor { number, rooms, never }
    });
    floors.collect()
}

/// Every file below src.
fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The files that the compiler reads, following each `mod name;`, with their text; tests among them, or not.
fn modules(tests: bool) -> Vec<(PathBuf, String)> {
    let mut modules = Vec::new();
    let mut open = vec![source().join("lib.rs"), source().join("main.rs")];
    while let Some(file) = open.pop() {
        let mut text = fs::read_to_string(&file).unwrap();
        if !tests {
            text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        }
        let stem = file.file_stem().unwrap();
        let parent = file.parent().unwrap();
        let folder =
            if ["lib", "main", "mod"].iter().any(|own| stem == *own) { parent.to_owned() } else { parent.join(stem) };
        let mut for_tests = false;
        for line in text.lines() {
            let item = line.strip_suffix(';').filter(|item| item.starts_with("mod ") || item.starts_with("pub"));
            let declared = item.and_then(|item| item.split_once("mod ")).map(|(_, name)| name);
            if let Some(name) = declared.filter(|_| tests || !for_tests) {
                let (flat, nested) = (folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs"));
                open.push(if flat.exists() { flat } else { nested });
            }
            for_tests = line.contains("cfg(test)");
        }
        modules.push((file, text));
    }
    modules.sort();
    modules
}

/// The room that a file is in: its first path element.
fn room(file: &Path) -> String {
    let first = file.strip_prefix(source()).unwrap().iter().next().unwrap();
    Path::new(first).file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The rooms that `text` names after `crate::`, in `use` lines and in paths; comments name what they like.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| line.to_owned() + "\n").collect();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let after = &code[at + "crate::".len()..];
        if after.starts_with('{') {
            found.extend(members(after));
        } else {
            found.insert(word(after));
        }
    }
    found
}

/// The first path element of each member of a braced list.
fn members(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut members = Vec::new();
    let mut begins = false;
    for (at, character) in list.char_indices() {
        match character {
            '{' => {
                depth += 1;
                begins = depth == 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            ',' => begins = depth == 1,
            _ if begins && !character.is_whitespace() => {
                members.push(word(&list[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    members
}

fn word(text: &str) -> String {
    text.chars().take_while(|character| character.is_ascii_alphanumeric() || *character == '_').collect()
}

#[test]
fn the_reader_of_imports_sees_lists_and_paths() {
    let text = "use crate::{\n    a::{b, c},\n    d,\n};\n// crate::no\nuse crate::e::F;\nfn f() { crate::g::h() }\n";
    let found: Vec<String> = imports(text).into_iter().collect();
    assert_eq!(found, ["a", "d", "e", "g"]);
}

#[test]
fn every_room_is_on_the_map_once_and_the_map_has_no_others() {
    let rooms: BTreeSet<String> = rust_files().iter().map(|file| room(file)).collect();
    let mut named: Vec<String> = map().into_iter().flat_map(|floor| floor.rooms).collect();
    named.sort();
    assert_eq!(named, rooms.into_iter().collect::<Vec<_>>());
}

#[test]
fn every_file_is_a_module() {
    let read: BTreeSet<PathBuf> = modules(true).into_iter().map(|(file, _)| file).collect();
    assert_eq!(rust_files().into_iter().filter(|file| !read.contains(file)).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn a_floor_imports_downward_only() {
    let floors = map();
    let mut floor_of: BTreeMap<&str, &Floor> = BTreeMap::new();
    for floor in &floors {
        floor_of.extend(floor.rooms.iter().map(|room| (room.as_str(), floor)));
    }
    let mut wrong = Vec::new();
    for (file, code) in modules(false) {
        let here = room(&file);
        let floor = floor_of[here.as_str()];
        for there in imports(&code).iter().filter(|there| **there != here) {
            let Some(other) = floor_of.get(there.as_str()) else {
                wrong.push(format!("{}: `{there}` is no room", file.display()));
                continue;
            };
            if other.number > floor.number {
                wrong.push(format!("{}: F{} imports `{there}` of F{}", file.display(), floor.number, other.number));
            }
            if floor.never.contains(there) {
                wrong.push(format!("{}: `{here}` never imports `{there}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Half the files of the code that we admire have fewer than 250 lines.
#[test]
fn files_stay_small() {
    let lines = |file: &PathBuf| (fs::read_to_string(file).unwrap().lines().count(), file.display().to_string());
    let mut sizes: Vec<_> = rust_files().iter().map(lines).collect();
    sizes.sort();
    let (largest, file) = sizes.last().unwrap();
    assert!(*largest <= 400, "{file} has {largest} lines: where does a name appear to split it at?");
    let small = sizes.iter().filter(|(lines, _)| *lines < 250).count();
    assert!(small * 10 >= sizes.len() * 8, "only {small} of {} files have fewer than 250 lines", sizes.len());
}

/// The words that are in the code of `rooms`, with the file that has them.
fn found(rooms: &[&str], words: &[&str]) -> Vec<String> {
    let code = modules(false).into_iter().filter(|(file, _)| rooms.contains(&room(file).as_str()));
    let hits = code.flat_map(|(file, code)| {
        let words = words.iter().filter(move |word| code.contains(**word));
        words.map(move |word| format!("{}: {word}", file.display()))
    });
    hits.collect()
}

#[test]
fn no_code_deletes_unlocks_or_shortens_what_a_vault_holds() {
    let words = [
        "delete_object",
        "delete_bucket",
        "put_object_retention",
        "put_object_legal_hold",
        "bypass_governance",
        "put_bucket",
        "put_object_lock_configuration",
        "put_object_acl",
        "create_multipart_upload",
        "copy_object",
        "remove_file",
        "remove_dir",
        "fs::rename",
        "set_len",
        "truncate(true)",
    ];
    assert_eq!(found(&["vault", "role"], &words), Vec::<String>::new());
}

#[test]
fn words_are_pure() {
    let floor = map().into_iter().find(|floor| floor.number == 0).unwrap();
    let rooms: Vec<&str> = floor.rooms.iter().map(String::as_str).collect();
    let words = ["std::fs", "tokio", "std::net", "std::env", "Timestamp::now()", "Instant::now", "SystemTime::now"];
    assert_eq!(found(&rooms, &words), Vec::<String>::new());
}
