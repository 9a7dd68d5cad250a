//! vectors: bytes that an earlier program deposited, under `tests/vectors`, and that every later one must read.
//!
//! Where one of these fails, the format has changed: give it a new number, and go on reading this one (manifest.md).

use super::{Closed, Contents, Manifest, Receipt, SealComment, Stream};
use crate::{
    digest::{Blake3, Md5, SegmentId},
    fingerprint::Fingerprint,
    keyring::{DigestKey, Identities, Recipients, VerifyingKey},
    layout,
    secret::Secret,
    segment,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

const PREAMBLE_END: &[u8] = b"\n\n";
const END_OF_ROWS: &[u8] = b"\\.\n\n";

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

fn key(name: &str) -> String {
    fs::read_to_string(place("keys").join(name)).unwrap()
}

fn identities(name: &str) -> Identities {
    Identities::parse(&Secret::new(key(name).into_bytes())).unwrap()
}

fn verifying() -> VerifyingKey {
    VerifyingKey::parse(&key("signing.pub")).unwrap()
}

/// Where each format's vault and `expected.json` are.
const SETS: [&str; 2] = ["", "format-2"];

/// The one version of an object of a directory vault.
fn object(set: &str, key: &str) -> Vec<u8> {
    let path = place(set).join("vault").join(key);
    let name = format!("{}@", path.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap());
    let versions: Vec<_> = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(&name)).collect();
    assert_eq!(versions.len(), 1, "{key}");
    fs::read(versions[0].path()).unwrap()
}

/// One backup of the vectors, and what `expected.json` says of it.
struct Vector {
    set: &'static str,
    bytes: Vec<u8>,
    seal: Vec<u8>,
    manifest: Manifest,
    expected: Value,
}

impl Vector {
    fn packed(&self, receipt: &Receipt) -> Vec<u8> {
        fs::read(place(self.set).join("vault").join(format!("{}@{}", receipt.key, receipt.version))).unwrap()
    }

    fn closed(&self) -> Closed {
        let packed = BASE64_STANDARD.decode(&self.manifest.closed).unwrap();
        let json = segment::unpack_whole(&packed, &identities("drill.key"), 1 << 20).unwrap();
        serde_json::from_slice(&json).unwrap()
    }

    /// Every receipt, its contents and its plaintext.
    fn segments(&self) -> Vec<(Receipt, Contents, Vec<u8>)> {
        let identities = identities("drill.key");
        let pairs = self.manifest.segments.iter().cloned().zip(self.closed().segments);
        let opened = |(receipt, contents): (Receipt, Contents)| {
            let plaintext = segment::unpack(&self.packed(&receipt), &contents, &identities).unwrap();
            (receipt, contents, plaintext)
        };
        pairs.map(opened).collect()
    }
}

fn vectors() -> Vec<Vector> {
    SETS.into_iter().flat_map(vectors_of).collect()
}

/// Oldest first.
fn vectors_of(set: &'static str) -> Vec<Vector> {
    let expected: Value = serde_json::from_slice(&fs::read(place(set).join("expected.json")).unwrap()).unwrap();
    let source = expected["source"].as_str().unwrap().parse().unwrap();
    let read = |expected: &Value| {
        let backup = expected["backup"].as_str().unwrap().parse().unwrap();
        let bytes = object(set, layout::manifest(&source, &backup).as_str());
        let seal = object(set, layout::seal(&source, &backup).as_str());
        let manifest = Manifest::from_bytes(&bytes).unwrap();
        Vector { set, bytes, seal, manifest, expected: expected.clone() }
    };
    expected["backups"].as_array().unwrap().iter().map(read).collect()
}

/// The rows of each COPY statement of a data segment, in order: the grammar of manifest.md, read a second time.
fn rows(script: &[u8]) -> Vec<&[u8]> {
    let find = |text: &[u8], what: &[u8]| memchr::memmem::find(text, what).unwrap();
    let mut rest = &script[find(script, PREAMBLE_END) + PREAMBLE_END.len()..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        assert!(rest.starts_with(b"COPY "));
        rest = &rest[find(rest, b" FROM stdin;\n") + b" FROM stdin;\n".len()..];
        let end = if rest.starts_with(END_OF_ROWS) { 0 } else { find(rest, b"\n\\.\n\n") + 1 };
        found.push(&rest[..end]);
        rest = &rest[end + END_OF_ROWS.len()..];
    }
    found
}

#[test]
fn vectors_seals_verify_and_name_their_manifests() {
    for Vector { bytes, seal, manifest, expected, .. } in vectors() {
        let said = SealComment {
            source: manifest.source,
            backup: manifest.backup,
            sequence: manifest.chain.sequence,
            manifest: Blake3::of(&bytes),
        };
        assert_eq!(verifying().verify(&bytes, &seal), Some(said.to_string()));
        assert_eq!(verifying().read_comment(&seal), Some(said.to_string()));
        assert_eq!(said.manifest.to_string(), expected["manifest_blake3"]);
    }
}

#[test]
fn vectors_follow_one_another() {
    let [first, second] = &vectors_of("")[..] else { panic!("there are two backups") };
    assert_eq!((first.manifest.chain.sequence, &first.manifest.chain.previous), (1, &None));
    assert_eq!(second.manifest.chain.sequence, 2);
    let previous = second.manifest.chain.previous.clone().unwrap();
    assert_eq!((previous.backup, previous.manifest), (first.manifest.backup.clone(), Blake3::of(&first.bytes)));
    assert_eq!(second.manifest.recipients, Recipients::parse(&key("recipients.txt")).unwrap().names());
}

#[test]
fn vectors_of_format_2_say_suspect_and_restarted_and_refer_to_what_was_deposited_before() {
    let vectors = vectors_of("format-2");
    for vector in &vectors {
        let Vector { manifest, expected, .. } = vector;
        assert_eq!((manifest.format, json!(manifest.suspect)), (2, expected["suspect"].clone()));
        assert_eq!(json!(vector.closed().suspicions), expected["suspicions"]);
        assert_eq!(manifest.chain.restarted.is_some(), expected["restarted"]);
    }
    let rows =
        |vector: &Vector| vector.manifest.segments.iter().find(|receipt| receipt.stream == Stream::Data).cloned();
    let [_, second, third, fourth] = &vectors[..] else { panic!("there are four backups") };
    let [second, third, fourth] = [second, third, fourth].map(|vector| rows(vector).unwrap());
    // The depositor had lost its memory, and then had it again.
    assert!(second.id == third.id && second.version != third.version);
    assert_eq!((third.id, third.version, third.locked_until), (fourth.id, fourth.version, fourth.locked_until));
}

#[test]
fn vectors_segments_are_what_receipts_and_closed_parts_say() {
    for vector in vectors() {
        let mut said = Vec::new();
        for (receipt, contents, plaintext) in vector.segments() {
            let packed = vector.packed(&receipt);
            assert_eq!((packed.len() as u64, Blake3::of(&packed)), (receipt.size, receipt.blake3));
            assert_eq!(Md5::of(&packed), receipt.md5);
            assert_eq!(receipt.key, layout::segment(&vector.manifest.source, receipt.id).as_str());
            said.push(json!({
                "stream": receipt.stream, "ordinal": receipt.ordinal, "id": receipt.id,
                "plaintext_blake3": Blake3::of(&plaintext), "raw_bytes": plaintext.len(),
            }));
            assert_eq!((contents.stream, contents.ordinal), (receipt.stream, receipt.ordinal));
        }
        assert_eq!(Value::from(said), vector.expected["segments"]);
    }
}

#[test]
fn vectors_segments_have_the_names_that_the_digest_key_gives() {
    let digest_key = DigestKey::parse(&Secret::new(key("digest.key").into_bytes())).unwrap();
    for vector in vectors() {
        for (receipt, _, plaintext) in vector.segments() {
            let stream = match receipt.stream {
                Stream::Archive => "Archive",
                Stream::Globals => "Globals",
                Stream::Data => "Data",
            };
            let mut namer = digest_key.hasher();
            namer.update(format!("strongroom 1 {stream} {} ", vector.manifest.recipients.join(",")).as_bytes());
            namer.update(&plaintext);
            let SegmentId(id) = namer.finish();
            assert_eq!(id, receipt.id.0);
        }
    }
}

#[test]
fn vectors_rows_have_the_fingerprints_of_the_closed_part() {
    for vector in vectors() {
        let closed = vector.closed();
        let mut recomputed = vec![Fingerprint::default(); closed.tables.len()];
        for (_, contents, plaintext) in vector.segments().iter().filter(|(receipt, ..)| receipt.stream == Stream::Data)
        {
            let rows = rows(plaintext);
            assert_eq!(rows.len(), contents.pieces.len());
            for (piece, rows) in contents.pieces.iter().zip(rows) {
                let mut fingerprint = Fingerprint::default();
                fingerprint.add_lines(rows);
                assert_eq!(fingerprint.rows, piece.rows);
                recomputed[piece.table as usize].add(fingerprint);
            }
        }
        let said: Vec<_> = closed
            .tables
            .iter()
            .zip(recomputed)
            .map(|(table, fingerprint)| {
                // Rows that travel in the archive are PostgreSQL's to read.
                assert!(table.in_archive || fingerprint == table.fingerprint, "{}", table.name);
                let Fingerprint { rows, sum } = table.fingerprint;
                json!({ "schema": table.schema, "name": table.name, "rows": rows, "sum": format!("{sum:032x}") })
            })
            .collect();
        assert_eq!(Value::from(said), vector.expected["tables"]);
    }
}

#[test]
fn vectors_open_with_either_identity() {
    let vector = &vectors()[0];
    let contents = vector.closed().segments;
    for identity in ["drill.key", "recovery.key"] {
        for (receipt, contents) in vector.manifest.segments.iter().zip(&contents) {
            segment::unpack(&vector.packed(receipt), contents, &identities(identity)).unwrap();
        }
    }
}

#[test]
fn vectors_with_a_flipped_byte_are_refused() {
    let flipped = |bytes: &[u8], at: usize| {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1;
        flipped
    };
    let vector = vectors().pop().unwrap();
    for at in (0..vector.bytes.len()).step_by(17) {
        assert_eq!(verifying().verify(&flipped(&vector.bytes, at), &vector.seal), None, "manifest at {at}");
    }
    // The first line is minisign's untrusted comment, and nothing signs that.
    let signed = memchr::memchr(b'\n', &vector.seal).unwrap() + 1;
    for at in signed..vector.seal.trim_ascii_end().len() {
        assert_eq!(verifying().verify(&vector.bytes, &flipped(&vector.seal, at)), None, "seal at {at}");
    }
    let identities = identities("drill.key");
    for (receipt, contents) in vector.manifest.segments.iter().zip(&vector.closed().segments) {
        let packed = vector.packed(receipt);
        for at in (0..packed.len()).step_by(7) {
            assert!(segment::unpack(&flipped(&packed, at), contents, &identities).is_err(), "{} at {at}", receipt.key);
        }
    }
}
