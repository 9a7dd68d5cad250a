//! directory: a folder keeps the contract, with the immutable flag where this machine allows it and honestly without.

use super::{CLOCK, get, keeps_its_promises, key, put, summary};
use crate::{
    clock::SignedDuration,
    digest::Md5,
    failure::{Explain, Kind},
    vault::{Lock, LockMode, Vault, VaultAddress, VaultError, VaultSettings},
};
use bytes::Bytes;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};
use tempfile::TempDir;

/// A throwaway vault that takes the flags off before its folder goes: only a test does that.
struct Folder {
    vault: Vault,
    root: TempDir,
}

impl Folder {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        Self { vault: open(root.path().to_owned()), root }
    }

    /// The only file below `key`'s folder that begins with its name.
    fn file_of(&self, name: &str) -> PathBuf {
        let (folder, file) = name.rsplit_once('/').unwrap();
        let entries = fs::read_dir(self.root.path().join(folder)).unwrap().map(|entry| entry.unwrap());
        let mut ours = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(&format!("{file}@")));
        let only = ours.next().unwrap();
        assert!(ours.next().is_none());
        only.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let cleared = Command::new("chattr").args(["-R", "-f", "-i"]).arg(self.root.path()).status();
        drop(cleared); // without the right there is no flag to take off
    }
}

fn open(root: PathBuf) -> Vault {
    let settings = VaultSettings {
        name: "shelf".into(),
        address: VaultAddress::Directory(root),
        term: "35d".parse().unwrap(),
        slack: SignedDuration::ZERO,
    };
    Vault::open(&settings, CLOCK).unwrap()
}

/// What this process can promise: measured with the stock tool, not with our own code.
fn mode_here(root: &TempDir) -> LockMode {
    let probe = root.path().join("probe");
    fs::write(&probe, "").unwrap();
    let can = Command::new("chattr").arg("+i").arg(&probe).output().unwrap().status.success();
    if can { LockMode::ImmutableFlag } else { LockMode::None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_keeps_the_contract() {
    let folder = Folder::new();
    let mode = mode_here(&TempDir::new_in(folder.root.path()).unwrap());
    keeps_its_promises(&folder.vault, mode).await;
    let found = folder.vault.protection().await.unwrap();
    assert_eq!(found.faults, []);
    let immutable = !found.notes.iter().any(|note| note.text.starts_with("not immutable"));
    assert_eq!(immutable, mode == LockMode::ImmutableFlag, "{found:?}");
}

#[tokio::test]
async fn an_immutable_version_cannot_be_removed_or_changed_even_by_root() {
    let folder = Folder::new();
    if mode_here(&folder.root) == LockMode::None {
        eprintln!("no right to the immutable flag here: the contract has checked that this is said");
        return;
    }
    let placed = put(&folder.vault, "v1/app/key", b"kept").await;
    let file = folder.file_of("v1/app/key");
    for refused in [
        fs::remove_file(&file),
        fs::write(&file, "gone"),
        fs::rename(&file, folder.root.path().join("away")),
        fs::hard_link(&file, folder.root.path().join("twin")),
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)),
        fs::remove_dir_all(folder.root.path().join("v1")),
    ] {
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    }
    assert_eq!(get(&folder.vault, "v1/app/key", &placed.version).await, &b"kept"[..]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o440);
}

#[test]
fn without_the_right_to_the_flag_the_lock_reads_back_as_none() {
    // Capabilities belong to a thread, and a runtime's blocking threads inherit those of the thread that starts them.
    let owner = std::thread::spawn(|| {
        let mut sets: CapabilitySets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::LINUX_IMMUTABLE);
        set_capabilities(None, sets).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = Folder::new();
            let placed = put(&folder.vault, "v1/app/key", b"loose").await;
            let lock = folder.vault.lock_of(&key("v1/app/key"), &placed.version).await.unwrap();
            assert_eq!(lock, Lock::NONE);
            let notes = folder.vault.protection().await.unwrap().notes;
            assert!(notes[0].text.starts_with("not immutable"), "{notes:?}");
        });
    });
    owner.join().unwrap();
}

#[tokio::test]
async fn what_a_crash_leaves_is_passed_over_and_a_stranger_is_not() {
    let folder = Folder::new();
    let placed = put(&folder.vault, "v1/app/key", b"whole").await;
    fs::write(folder.root.path().join("v1/app/.tmp-a1b2c3"), "hal").unwrap();
    fs::write(folder.root.path().join("v1/app/stranger"), "?").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.root.path().join("v1/app/link")).unwrap();
    let listed = folder.vault.versions("v1/app/").await.unwrap();
    assert_eq!(summary(&listed)[..2], [("v1/app/key", 5, false), ("v1/app/link", 11, false)]);
    assert_eq!(summary(&listed)[2..], [("v1/app/stranger", 1, false)]);
    assert_eq!([&listed[0].version.0, &listed[2].version.0], [placed.version.0.as_str(), "null"]);
}

#[tokio::test]
async fn a_link_in_the_place_of_a_version_is_not_followed() {
    let folder = Folder::new();
    let placed = put(&folder.vault, "v1/app/key", b"whole").await;
    let link = format!("v1/app/other@{}", placed.version.0);
    std::os::unix::fs::symlink(folder.file_of("v1/app/key"), folder.root.path().join(&link)).unwrap();
    let got = folder.vault.get(&key("v1/app/other"), &placed.version, 100).await;
    assert!(matches!(got, Err(VaultError::Failed { .. })), "{got:?}");
}

#[tokio::test]
async fn a_key_that_leaves_the_root_is_refused() {
    let folder = Folder::new();
    let placed = put(&folder.vault, "v1/app/key", b"x").await;
    for wrong in ["../out", "v1/../../out", "/etc/out", "v1//x", "v1/./x", "", "v1/x/"] {
        let refused = folder.vault.put(&key(wrong), Bytes::new(), Md5::of(b"")).await;
        assert!(matches!(refused, Err(VaultError::Failed { .. })), "{wrong}: {refused:?}");
        let refused = folder.vault.get(&key(wrong), &placed.version, 100).await;
        assert!(matches!(refused, Err(VaultError::Failed { .. })), "{wrong}: {refused:?}");
    }
    assert!(folder.vault.versions("../").await.is_err());
    assert!(!folder.root.path().parent().unwrap().join("out").exists());
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_no_vault() {
    let folder = Folder::new();
    let vault = open(folder.root.path().join("unmounted"));
    let errors = [
        vault.put(&key("v1/x"), Bytes::new(), Md5::of(b"")).await.unwrap_err(),
        vault.versions("").await.unwrap_err(),
        vault.protection().await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, VaultError::NoSuchVault { .. }), "{error}");
        assert_eq!(error.kind(), Kind::Unreachable);
    }
    assert!(!folder.root.path().join("unmounted").exists(), "a missing mount must not become a folder");
}
