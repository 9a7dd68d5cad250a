//! scratch: a test's own folder, and the janitor who clears up behind a test even when it was killed.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Runs a script when it is dropped, or when this process is gone: it waits for its standard input to end. It has a
/// session of its own, so what ends the test does not end it.
pub struct Janitor(Child);

impl Janitor {
    pub fn new(script: &str, arguments: &[&Path]) -> Self {
        let mut shell = Command::new("setsid");
        shell.args(["sh", "-c", &format!("read -r _; {script}"), "janitor"]).args(arguments);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(shell.spawn().expect("setsid (util-linux) runs"))
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait()); // what it could not clear up is no test's failure
    }
}

/// A folder that other users may pass through: where we are root, the server is run by another one.
pub struct Scratch {
    path: PathBuf,
    _janitor: Janitor,
}

impl Scratch {
    pub fn new() -> Self {
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix("strongroom-test-").permissions(Permissions::from_mode(0o711)).tempdir().unwrap();
        let path = folder.keep();
        let janitor = Janitor::new("chattr -R -f -i \"$1\"; rm -rf \"$1\"", &[&path]);
        Self { path, _janitor: janitor }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}
