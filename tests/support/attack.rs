//! attack: what root may do to the files of a directory vault, and nobody to the versions of a bucket.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use super::{World, text};
use serde_json::Value;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Debug)]
pub enum Attack {
    Flip(u64),
    Truncate(u64),
    Extend,
    Swap(PathBuf),
    Remove,
}

impl Attack {
    pub fn strike(&self, object: &Path) {
        let mut body = fs::read(object).unwrap();
        match self {
            Self::Flip(place) => body[usize::try_from(*place).unwrap()] ^= 1,
            Self::Truncate(kept) => body.truncate(usize::try_from(*kept).unwrap()),
            Self::Extend => body.extend(b"more"),
            Self::Swap(other) => body = fs::read(other).unwrap(),
            Self::Remove => return remove(object),
        }
        put(object, &body);
    }
}

/// Root may do to a directory vault what nobody may do to a bucket.
pub fn remove(object: &Path) {
    let cleared = Command::new("chattr").arg("-i").arg(object).output().unwrap();
    assert!(cleared.status.success() || !rustix::process::geteuid().is_root(), "{cleared:?}");
    fs::remove_file(object).unwrap();
}

pub fn put(object: &Path, body: &[u8]) {
    match fs::metadata(object) {
        Ok(_) => remove(object),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
    }
    fs::write(object, body).unwrap();
}

/// Gives a file that a test wrote the flag that a deposit has, where this machine can.
pub fn hold(object: &Path) {
    if object.exists() {
        drop(Command::new("chattr").arg("+i").arg(object).output().unwrap());
    }
}

/// The file of a segment of `backup` that carries `stream`.
pub fn segment_of(world: &World, backup: &str, stream: &str) -> PathBuf {
    let manifest = fs::read(world.object(&format!("{backup}/manifest.json"))).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let segments = manifest["segments"].as_array().unwrap();
    let receipt = segments.iter().find(|receipt| receipt["stream"] == stream).expect("every stream has a segment");
    world.vault().join(format!("{}@{}", text(receipt, "/key"), text(receipt, "/version")))
}
