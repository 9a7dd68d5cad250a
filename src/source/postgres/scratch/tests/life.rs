//! However a drill ends, its server ends with it, and its folder goes: at once, or with the next.

use super::*;
use crate::source::sandbox::CageError;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::Instant,
};

#[tokio::test]
async fn servers_of_several_majors_start_and_leave_nothing() {
    for major in [15, 17, 18] {
        let place = place();
        let began = Instant::now();
        let server = ScratchServer::start(&settings(&place), major, &client_path(), 0).await.unwrap();
        let started = began.elapsed();
        assert_eq!(super::super::super::major_of(server.version()), major);
        let said = inside(&server, "echo hello; id -un").await;
        assert_eq!(said, "hello\npostgres\n");
        let shown = session(&server).await.client.query_one("SHOW fsync", &[]).await.unwrap();
        assert_eq!(shown.get::<_, &str>(0), "off");
        let (data, began) = (server.folder.data(), Instant::now());
        server.stop().await.unwrap();
        println!("PostgreSQL {major}: started in {started:?}, stopped in {:?}", began.elapsed());
        assert_eq!((folders(&place), processes(&data)), (0, Vec::new()));
    }
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_nothing() {
    let place = place();
    let server = start(&place).await;
    let data = server.folder.data();
    drop(server);
    assert_eq!((folders(&place), processes(&data)), (0, Vec::new()));
}

#[tokio::test]
async fn a_server_that_dies_is_told_with_the_end_of_its_log() {
    let place = place();
    let server = start(&place).await;
    let alive = tokio::time::timeout(Duration::from_secs(1), server.watch()).await;
    assert!(alive.is_err(), "{alive:?}");
    let postmaster = |(pid, _): &(i32, u32)| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        comm == "postgres\n"
    };
    let (pid, _) = processes(&server.folder.data()).into_iter().find(postmaster).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let end = tokio::time::timeout(Duration::from_secs(10), server.watch()).await.unwrap();
    assert!(matches!(&end, ScratchEnd::Died { log, .. } if log.contains("ready to accept")), "{end}");
    server.stop().await.unwrap();
    assert_eq!(folders(&place), 0);
}

const PLACE: &str = "STRONGROOM_TEST_SCRATCH";

/// Runs `test` of this file again, in a process of its own that finds `place` in its environment.
fn again(test: &str, place: &Path, program: &Path, wrapper: &[&str]) -> Command {
    let name = format!("source::postgres::scratch::tests::life::{test}");
    let words: Vec<&str> = wrapper.iter().copied().chain([program.to_str().unwrap()]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--exact", &name, "--nocapture"]).env(PLACE, place);
    command
}

#[tokio::test]
async fn a_killed_drill_takes_its_server_with_it_and_the_next_removes_its_folder() {
    const TEST: &str = "a_killed_drill_takes_its_server_with_it_and_the_next_removes_its_folder";
    if let Some(path) = std::env::var_os(PLACE) {
        let sandbox = if std::env::var_os("STRONGROOM_TEST_BARE").is_some() { Sandbox::None } else { Sandbox::Auto };
        let settings = ScratchSettings { scratch_dir: path.into(), disk_bytes_max: None, sandbox, jobs: 2 };
        let server = ScratchServer::start(&settings, 15, &[], 0).await.unwrap();
        println!("data={}", server.folder.data().display());
        std::thread::sleep(Duration::from_secs(600));
    }
    for bare in [false, true] {
        let place = place();
        let mut drill = again(TEST, &place.path().join("scratch"), &std::env::current_exe().unwrap(), &[]);
        if bare {
            drill.env("STRONGROOM_TEST_BARE", "1");
        }
        let mut drill = drill.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(drill.stdout.take().unwrap()).lines();
        let data =
            lines.find_map(|line| line.unwrap().split_once("data=").map(|(_, path)| PathBuf::from(path))).unwrap();
        assert!(!processes(&data).is_empty());
        drill.kill().unwrap();
        drill.wait().unwrap();
        let began = Instant::now();
        while !processes(&data).is_empty() {
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", processes(&data));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(data.join("PG_VERSION").exists());
        let next = start(&place).await;
        assert!(!data.exists());
        // The living are left alone.
        let beside = start(&place).await;
        assert_eq!(folders(&place), 2);
        next.stop().await.unwrap();
        assert_eq!(inside(&beside, "echo here").await, "here\n");
    }
}

#[tokio::test]
async fn root_without_bubblewrap_becomes_another_user() {
    assert!(rustix::process::geteuid().is_root(), "this test needs root; others show what an ordinary user has");
    let place = place();
    let path = place.path().join("bin");
    std::fs::create_dir(&path).unwrap();
    let probe = async |wish| Cage::probe(wish, std::slice::from_ref(&path)).await;
    assert!(matches!(probe(Sandbox::Auto).await, Err(CageError::NoSetpriv)));
    std::os::unix::fs::symlink("/usr/bin/setpriv", path.join("setpriv")).unwrap();
    assert!(matches!(probe(Sandbox::Bubblewrap).await, Err(CageError::NoBubblewrap)));
    for wish in [Sandbox::Auto, Sandbox::None] {
        let cage = probe(wish).await.unwrap();
        assert_eq!(cage.confinement(), Confinement::OtherUser);
        let programs = Programs::find(15, &[], &[]).await.unwrap();
        let server = ScratchServer::start_in(cage, programs, &settings(&place), 0).await.unwrap();
        assert_eq!(inside(&server, "id -un; grep NoNewPrivs /proc/self/status").await, "postgres\nNoNewPrivs: 1\n");
        let data = server.folder.data();
        server.stop().await.unwrap();
        assert_eq!((folders(&place), processes(&data)), (0, Vec::new()));
    }
}

#[tokio::test]
async fn an_ordinary_user_has_bubblewrap_or_nothing() {
    const TEST: &str = "an_ordinary_user_has_bubblewrap_or_nothing";
    if let Some(path) = std::env::var_os(PLACE) {
        let scratch_dir = PathBuf::from(path);
        let refused = Cage::probe(Sandbox::Auto, &[]).await;
        assert!(matches!(refused, Err(CageError::NoBubblewrap)), "{refused:?}");
        for (sandbox, confinement) in [(Sandbox::Auto, Confinement::Bubblewrap), (Sandbox::None, Confinement::None)] {
            let settings = ScratchSettings { scratch_dir: scratch_dir.clone(), disk_bytes_max: None, sandbox, jobs: 2 };
            let server = ScratchServer::start(&settings, 15, &[], 0).await.unwrap();
            assert_eq!(server.confinement(), confinement);
            assert_eq!(inside(&server, "echo hello").await, "hello\n");
            // A hostile server closes its folders to us, who are the same user outside, and goes deep.
            let deep = r#"perl -e 'mkdir "a"; chdir "a"; for (1..1500) { mkdir "d"; chdir "d" }'; chmod 0 a/d a"#;
            let folder = server.folder.data().join("base").display().to_string();
            assert_eq!(inside(&server, &format!("cd {folder} && {deep}")).await, "");
            server.stop().await.unwrap();
        }
        assert_eq!(std::fs::read_dir(scratch_dir).unwrap().count(), 0);
        println!("ordinary");
        return;
    }
    let place = place();
    // Where the tests are built may be closed to other users.
    let program = place.path().join("again");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let scratch = place.path().join("ordinary");
    std::fs::create_dir(&scratch).unwrap();
    let as_nobody: &[&str] = if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&scratch, Some(65534), Some(65534)).unwrap();
        &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    } else {
        &[]
    };
    let output = again(TEST, &scratch, &program, as_nobody).current_dir("/").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("ordinary\n"), "{output:?}");
}
