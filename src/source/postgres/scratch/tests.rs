//! Scratch servers are real ones, and so are the attacks on what is around them.

mod hostile;
mod life;
mod limits;
mod target;

use super::*;
use crate::source::postgres::connect::Session;
use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A folder that other users may pass through, as scratch_dir has to be where we are root.
fn place() -> TempDir {
    let mut builder = tempfile::Builder::new();
    let place = builder.prefix("strongroom-test-").permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
    std::fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    place
}

fn settings(place: &TempDir) -> ScratchSettings {
    let scratch_dir = place.path().join("scratch");
    ScratchSettings { scratch_dir, disk_bytes_max: None, sandbox: Sandbox::Auto, jobs: 2 }
}

/// Debian 12 has PostgreSQL 15; others are unpacked into the cache.
fn client_path() -> Vec<PathBuf> {
    let mut cache = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/cache-dir"));
    let cache = PathBuf::from(said(&cache.output().unwrap()).trim());
    [17, 18].map(|major| cache.join(format!("pg{major}/usr/lib/postgresql/{major}/bin"))).into()
}

async fn start(place: &TempDir) -> ScratchServer {
    ScratchServer::start(&settings(place), 15, &client_path(), 0).await.unwrap()
}

async fn session(server: &ScratchServer) -> Session {
    connect(&server.address("postgres"), None).await.unwrap()
}

/// Runs `script` with bash as the server does, as superuser; gives all it said.
async fn inside(server: &ScratchServer, script: &str) -> String {
    let session = session(server).await;
    session.client.batch_execute("CREATE TEMP TABLE said (at serial, line text)").await.unwrap();
    let quoting = r"sed 's/\\/\\\\/g' | tr '\t' ' '";
    let copy =
        format!("COPY said (line) FROM PROGRAM $program$bash <<'_END_' 2>&1 | {quoting}\n{script}\n_END_\n$program$");
    session.client.batch_execute(&copy).await.unwrap();
    let rows = session.client.query("SELECT coalesce(line, '') FROM said ORDER BY at", &[]).await.unwrap();
    rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect()
}

/// Host processes that name `folder` in their arguments, with the user whose they are.
fn processes(folder: &Path) -> Vec<(i32, u32)> {
    let needle = folder.to_str().unwrap().as_bytes();
    let entries =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let ours = |pid: &i32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        memchr::memmem::find(&arguments, needle).is_some()
    };
    let owned = |pid: i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?;
        Some((pid, uid.parse().ok()?))
    };
    entries.filter(ours).filter_map(owned).collect()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn folders(place: &TempDir) -> usize {
    std::fs::read_dir(place.path().join("scratch")).unwrap().count()
}
