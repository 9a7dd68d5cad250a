use super::*;
use crate::fingerprint::Fingerprint;
use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn closed(segments: Vec<Contents>) -> Closed {
    Closed {
        database: Database {
            name: "app".into(),
            owner: "app".into(),
            encoding: "UTF8".into(),
            collate: "C".into(),
            ctype: "C".into(),
            provider: "libc".into(),
            locale: None,
            connection_limit: -1,
            settings: vec![],
            comment: None,
            grants: vec![],
        },
        tables: vec![Table {
            schema: "public".into(),
            name: "t".into(),
            columns: "a".into(),
            fingerprint: Fingerprint::default(),
            raw_bytes: 0,
            in_archive: false,
        }],
        sequences: vec![],
        extensions: vec![],
        roles: vec![],
        large_objects: 0,
        segments,
        left_out: vec![],
        warnings: vec![],
        suspicions: vec![],
    }
}

fn contents(ordinal: u32) -> Contents {
    Contents { stream: Stream::Data, ordinal, blake3: Blake3([1; 32]), raw_bytes: 10, pieces: vec![] }
}

fn receipt(ordinal: u32, lock: LockMode, until: Option<&str>) -> Receipt {
    Receipt {
        stream: Stream::Data,
        ordinal,
        id: SegmentId([2; 20]),
        key: "v1/app/segments/x.zst.age".into(),
        version: VersionId("v".into()),
        size: 5,
        blake3: Blake3([3; 32]),
        md5: Md5([4; 16]),
        lock,
        locked_until: until.map(at),
    }
}

fn header() -> Header {
    Header {
        source: "app".parse().unwrap(),
        backup: "20261121T120301Z-5f2a9c01".parse().unwrap(),
        chain: Chain { sequence: 1, previous: None, unsure: vec![], restarted: None },
        strongroom: "0.1.0".into(),
        started_at: at("2026-11-21T12:03:01Z"),
        term: "35d".parse().unwrap(),
        recipients: vec!["age1a".into(), "age1b".into()],
    }
}

fn dump(segments: Vec<Contents>, status: i32) -> Result<DumpComplete, DraftError> {
    let engine = Engine { name: "postgres".into(), server: "15.20".into(), tool: "pg_dump".into() };
    let children = [("pg_dump", ExitStatus::from_raw(status))];
    DumpComplete::prove(closed(segments), engine, at("2026-11-21T12:03:02Z"), &children)
}

#[test]
fn a_dump_whose_child_failed_proves_nothing() {
    assert!(matches!(dump(vec![], 256), Err(DraftError::ChildFailed { .. })));
    assert!(matches!(dump(vec![], 9), Err(DraftError::ChildFailed { .. })));
    assert!(dump(vec![], 0).is_ok());
}

#[test]
fn a_draft_that_lacks_a_segment_is_never_complete() {
    let dump = dump(vec![contents(0), contents(1)], 0).unwrap();
    let now = at("2026-11-21T12:03:03Z");
    let mut short = ManifestDraft::begin(header());
    short.record(receipt(0, LockMode::Compliance, None));
    assert!(matches!(short.complete(&dump, String::new(), now), Err(DraftError::Missing { packed: 2, deposited: 1 })));
    let mut twice = ManifestDraft::begin(header());
    twice.record(receipt(0, LockMode::Compliance, None));
    twice.record(receipt(0, LockMode::Compliance, None));
    assert!(matches!(twice.complete(&dump, String::new(), now), Err(DraftError::Unmatched { ordinal: 1, .. })));
}

#[test]
fn a_manifest_claims_the_weakest_lock_and_the_earliest_end() {
    let dump = dump(vec![contents(0), contents(1)], 0).unwrap();
    let mut draft = ManifestDraft::begin(header());
    draft.record(receipt(1, LockMode::Compliance, Some("2026-12-26T12:00:05Z")));
    draft.record(receipt(0, LockMode::ImmutableFlag, Some("2026-12-26T12:00:01Z")));
    let complete = draft.complete(&dump, "YQ==".into(), at("2026-11-21T12:03:03Z")).unwrap();
    assert_eq!(complete.manifest.lock, LockMode::ImmutableFlag);
    assert_eq!(complete.manifest.locked_until, Some(at("2026-12-26T12:00:01Z")));
    assert_eq!(Manifest::from_bytes(&complete.bytes).unwrap(), complete.manifest);
    assert_eq!(complete.seal_comment.to_string().parse::<SealComment>().unwrap(), complete.seal_comment);
}

#[test]
fn unknown_formats_and_fields_are_refused() {
    let dump = dump(vec![], 0).unwrap();
    let complete = ManifestDraft::begin(header()).complete(&dump, String::new(), at("2026-11-21T12:03:03Z")).unwrap();
    let text = String::from_utf8(complete.bytes).unwrap();
    let newer = text.replacen("\"format\": 2", "\"format\": 3", 1);
    assert!(matches!(Manifest::from_bytes(newer.as_bytes()), Err(Unreadable::UnknownFormat { found: 3 })));
    let extended = text.replacen("\"format\": 2", "\"format\": 2, \"more\": true", 1);
    assert!(matches!(Manifest::from_bytes(extended.as_bytes()), Err(Unreadable::NotAManifest(_))));
    for strange in ["strongroom 2 source=app", "strongroom", "timestamp:1", ""] {
        assert!(strange.parse::<SealComment>().is_err());
    }
}
