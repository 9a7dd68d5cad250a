//! What keeps a scratch server from starting, and one that grows from filling its host.

use super::*;
use crate::failure::{Explain, Kind};

async fn refused(settings: &ScratchSettings, major: u32, needed: u64) -> ScratchError {
    ScratchServer::start(settings, major, &client_path(), needed).await.expect_err("it does not start")
}

#[tokio::test]
async fn what_is_missing_is_said_with_its_mend() {
    let place = place();
    let settings = settings(&place);
    let error = refused(&settings, 99, 0).await;
    assert!(matches!(error, ScratchError::NoServer { major: 99, .. }), "{error}");
    assert!(error.hint().unwrap().contains("postgresql-99") && error.kind() == Kind::Settings);

    let error = refused(&settings, 15, 1 << 60).await;
    assert!(matches!(error, ScratchError::NoRoom { needed, free } if needed > 1 << 60 && free < needed), "{error}");
    let small = ScratchSettings { disk_bytes_max: Some(100 << 20), ..settings.clone() };
    let error = refused(&small, 15, 50 << 20).await;
    assert!(matches!(error, ScratchError::NoRoom { free, .. } if free == 100 << 20), "{error}");
    assert_eq!(folders(&place), 0);

    let long = ScratchSettings { scratch_dir: place.path().join("x".repeat(100)), ..settings.clone() };
    let error = refused(&long, 15, 0).await;
    assert!(matches!(error, ScratchError::PathTooLong { max: 107, .. }), "{error}");

    let open = place.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let error = refused(&ScratchSettings { scratch_dir: open, ..settings.clone() }, 15, 0).await;
    assert!(matches!(error, ScratchError::OpenToOthers { .. }), "{error}");

    if rustix::process::geteuid().is_root() {
        let closed = place.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
        let within = ScratchSettings { scratch_dir: closed.join("scratch"), ..settings };
        let error = refused(&within, 15, 0).await;
        assert!(matches!(&error, ScratchError::NotPassable { folder, .. } if *folder == closed), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_outgrows_its_disk_is_told() {
    let place = place();
    let limited = ScratchSettings { disk_bytes_max: Some(250 << 20), ..settings(&place) };
    let server = ScratchServer::start(&limited, 15, &[], 0).await.unwrap();
    let session = session(&server).await;
    let fill = session.client.batch_execute(
        "CREATE UNLOGGED TABLE public.big AS SELECT i, repeat('x', 1000) FROM generate_series(1, 10000000) i",
    );
    let end = tokio::select! {
        end = server.watch() => end,
        filled = fill => panic!("10 GB were written: {filled:?}"),
    };
    assert!(matches!(end, ScratchEnd::DiskFull { used, .. } if used > 250 << 20), "{end}");
    server.stop().await.unwrap();
    assert_eq!(folders(&place), 0);
}

#[tokio::test]
async fn only_what_dead_drills_left_is_swept() {
    let place = place();
    let scratch = place.path().join("scratch");
    for path in ["drill-notes", "drill-abcdefgh/photos", "drill-ABCDEFGH/data", "other"] {
        std::fs::create_dir_all(scratch.join(path)).unwrap();
    }
    std::fs::write(scratch.join("drill-ABCDEFGH/lock"), "").unwrap();
    std::fs::write(scratch.join("drill-12345678"), "a file").unwrap();
    start(&place).await.stop().await.unwrap();
    let mut left: Vec<_> = std::fs::read_dir(&scratch).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["drill-12345678", "drill-abcdefgh", "drill-notes", "other"]);
}
