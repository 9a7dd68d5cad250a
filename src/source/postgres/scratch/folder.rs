//! folder: `drill-XXXXXXXX` below scratch_dir: what a scratch server keeps, under a lock that tells the living from the
//! dead, removed with it or, where its drill was killed, by the next.
//!
//! ```text
//! scratch_dir/drill-XXXXXXXX/lock    ours, held with flock while we live
//!                            log     ours; the server has it as a descriptor
//!                            data/   the server's user's
//!                            srv/    the server's user's: where it makes its unix socket
//!                            run/    ours: a hard link to that socket, by which we and the clients go there
//! ```
//! The server sees `data` and `srv` alone. It could put a link to another server's socket into `srv`, and have us load
//! rows there; into `run` it can put nothing.

use super::ScratchError;
use crate::source::sandbox::User;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const PREFIX: &str = "drill-";
const LETTERS: usize = 8;
/// In the order in which they are removed: the lock as the last.
const CONTENTS: [&str; 5] = ["data", "srv", "run", "log", "lock"];

/// `sun_path` of unix(7) holds 108 bytes and a NUL.
const SOCKET_BYTES_MAX: usize = 107;
const SOCKET_PATH: &str = "/drill-XXXXXXXX/run/.s.PGSQL.5432";
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// Removing what others left behind may take that long; making a folder takes none of it.
const HELD_WITHIN: Duration = Duration::from_secs(60);
const LOG_BYTES_MAX: i64 = 4096;

/// A drill's own folder. Dropping it removes it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    sockets: String,
    removed: bool,
    _lock: File,
}

impl Folder {
    /// Removes what dead drills left in `scratch_dir`, and makes a folder there whose data is `user`'s.
    pub async fn make(scratch_dir: &Path, user: Option<&User>) -> Result<Self, ScratchError> {
        let (scratch_dir, user) = (scratch_dir.to_owned(), user.cloned());
        let made = tokio::task::spawn_blocking(move || make(&scratch_dir, user.as_ref()));
        made.await.map_err(|join| ScratchError::Machine { step: "making a folder".into(), source: join.into() })?
    }

    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Where the server makes its socket.
    pub fn bound(&self) -> PathBuf {
        self.path.join("srv")
    }

    /// Where we and the clients find it.
    pub fn sockets(&self) -> PathBuf {
        self.path.join("run")
    }

    pub fn sockets_text(&self) -> &str {
        &self.sockets
    }

    /// Takes hold of the server's socket; `false` while there is none.
    pub fn take_socket(&self) -> io::Result<bool> {
        let taken = self.sockets().join(SOCKET_NAME);
        match fs::hard_link(self.bound().join(SOCKET_NAME), &taken) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        let is_socket = fs::symlink_metadata(&taken)?.file_type().is_socket();
        if is_socket { Ok(true) } else { Err(io::Error::other("what the server made is no socket")) }
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    pub fn create_log(&self) -> Result<File, ScratchError> {
        let opened = OpenOptions::new().create_new(true).append(true).mode(0o600).open(self.log());
        opened.map_err(machine("making the log", &self.log()))
    }

    /// What is free where it is, for an ordinary user.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.path)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// What all files in it take on disk.
    pub async fn used_bytes(&self) -> io::Result<u64> {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || used_bytes(&path)).await?
    }

    pub fn remove(mut self) -> Result<(), ScratchError> {
        self.removed = true;
        remove(&self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.removed
            && let Err(error) = remove(&self.path)
        {
            tracing::error!(%error, "restored data is left on this host");
        }
    }
}

fn machine(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> ScratchError {
    let step = format!("{doing} {}", path.display());
    move |source| ScratchError::Machine { step, source }
}

fn make(scratch_dir: &Path, user: Option<&User>) -> Result<Folder, ScratchError> {
    let making = || machine("making", scratch_dir);
    DirBuilder::new().recursive(true).mode(0o711).create(scratch_dir).map_err(making())?;
    let scratch_dir = scratch_dir.canonicalize().map_err(making())?;
    insist_on_place(&scratch_dir, user)?;
    // Nobody sweeps while we make, and nobody makes while we sweep.
    let place = File::open(&scratch_dir).map_err(making())?;
    hold(&place, &scratch_dir)?;
    sweep(&scratch_dir)?;
    let mut builder = tempfile::Builder::new();
    let path = builder.prefix(PREFIX).rand_bytes(LETTERS).tempdir_in(&scratch_dir).map_err(making())?.keep();
    let made = furnish(&path, user);
    if made.is_err() {
        // What went wrong is told; that an all but empty folder is left is mended by the next.
        drop(remove(&path));
    }
    made
}

fn furnish(path: &Path, user: Option<&User>) -> Result<Folder, ScratchError> {
    let making = || machine("making", path);
    // Nobody else of this host comes in, whatever the server opens to them: a program of its own making would run there
    // with its user's rights.
    if let Some(user) = user {
        chown(path, None, Some(user.gid)).map_err(making())?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o710)).map_err(making())?;
    }
    let lock = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path.join("lock")).map_err(making())?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| making()(error.into()))?;
    for name in ["data", "srv"] {
        let folder = path.join(name);
        DirBuilder::new().mode(0o700).create(&folder).map_err(making())?;
        if let Some(User { uid, gid, .. }) = user {
            chown(&folder, Some(*uid), Some(*gid)).map_err(making())?;
        }
    }
    let run = path.join("run");
    DirBuilder::new().mode(0o700).create(&run).map_err(making())?;
    if let Some(user) = user {
        // Clients are the same user, and pass through it.
        chown(&run, None, Some(user.gid)).map_err(making())?;
        fs::set_permissions(&run, fs::Permissions::from_mode(0o710)).map_err(making())?;
    }
    let sockets = run.to_str().ok_or_else(|| ScratchError::NotText { folder: path.to_owned() })?.to_owned();
    Ok(Folder { path: path.to_owned(), sockets, removed: false, _lock: lock })
}

/// Is this a place where a server can run, and where no other user can put things into our way?
fn insist_on_place(scratch_dir: &Path, user: Option<&User>) -> Result<(), ScratchError> {
    let bytes = scratch_dir.as_os_str().len() + SOCKET_PATH.len();
    if bytes > SOCKET_BYTES_MAX {
        return Err(ScratchError::PathTooLong { folder: scratch_dir.to_owned(), bytes, max: SOCKET_BYTES_MAX });
    }
    let look = |path: &Path| fs::metadata(path).map_err(machine("looking at", path));
    let mode = look(scratch_dir)?.mode();
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        return Err(ScratchError::OpenToOthers { folder: scratch_dir.to_owned() });
    }
    let Some(user) = user else { return Ok(()) };
    for folder in scratch_dir.ancestors() {
        let found = look(folder)?;
        let needed = match (found.uid() == user.uid, found.gid() == user.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        if found.mode() & needed == 0 {
            return Err(ScratchError::NotPassable { folder: folder.to_owned(), user: user.name.clone() });
        }
    }
    Ok(())
}

fn hold(place: &File, scratch_dir: &Path) -> Result<(), ScratchError> {
    let began = Instant::now();
    loop {
        match flock(place, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if began.elapsed() < HELD_WITHIN => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(ScratchError::Held { folder: scratch_dir.to_owned(), seconds: HELD_WITHIN.as_secs() });
            }
            Err(error) => return Err(machine("locking", scratch_dir)(error.into())),
        }
    }
}

/// Removes the folders of dead drills.
fn sweep(scratch_dir: &Path) -> Result<(), ScratchError> {
    let reading = || machine("reading", scratch_dir);
    for entry in fs::read_dir(scratch_dir).map_err(reading())? {
        let path = entry.map_err(reading())?.path();
        if is_dead_drill(&path).map_err(machine("looking at", &path))? {
            tracing::warn!(folder = %path.display(), "removing what a drill left that was killed");
            remove(&path)?;
        }
    }
    Ok(())
}

/// Ours by name, owner and contents, and locked by nobody. A lock is made while scratch_dir is held, as it is now.
fn is_dead_drill(path: &Path) -> io::Result<bool> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    let letters = name.strip_prefix(PREFIX).unwrap_or("");
    if letters.len() != LETTERS || !letters.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(false);
    }
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false), // its own drill removed it just now
        found => found?,
    };
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Ok(false);
    }
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if !CONTENTS.iter().any(|own| name == *own) {
            return Ok(false);
        }
    }
    match OpenOptions::new().write(true).open(path.join("lock")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
        Ok(lock) => match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        },
    }
}

/// Removes the folder with rm: what a hostile server leaves may be nested deeper than a process has descriptors, or
/// closed to its own owner.
fn remove(path: &Path) -> Result<(), ScratchError> {
    let contents = CONTENTS.map(|name| path.join(name));
    let mut said = String::new();
    for attempt in 0..3 {
        if attempt > 0 {
            std::thread::sleep(Duration::from_millis(100));
            run("chmod", &["-R", "-f", "u+rwX"], &contents)?;
        }
        said = run("rm", &["-r", "-f", "--one-file-system"], &contents)?;
        match fs::remove_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => said = format!("{said} {error}").trim().to_owned(),
            _ => return Ok(()),
        }
    }
    Err(ScratchError::NotRemoved { folder: path.to_owned(), said })
}

/// Runs a program of the system's on `paths`; gives what it said on standard error.
fn run(program: &str, options: &[&str], paths: &[PathBuf]) -> Result<String, ScratchError> {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").args(options).arg("--").args(paths).stdin(Stdio::null());
    let output = command.output().map_err(machine("running", Path::new(program)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    Ok(printable(said.lines().next().unwrap_or("")))
}

fn used_bytes(path: &Path) -> io::Result<u64> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let mut bytes = 0;
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if gone(&error) => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let found = match entry.metadata() {
                Err(error) if gone(&error) => continue,
                found => found?,
            };
            bytes += found.blocks() * 512;
            if found.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(bytes)
}

/// The last lines of a server's log, without what a terminal would act upon; what cannot be read is told in its place.
pub fn shown_tail(log: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
        file.seek(SeekFrom::End(-length.min(LOG_BYTES_MAX)))?;
        let mut tail = Vec::new();
        file.take(LOG_BYTES_MAX.unsigned_abs()).read_to_end(&mut tail)?;
        Ok(tail)
    };
    match read() {
        Ok(tail) => printable(&String::from_utf8_lossy(&tail)),
        Err(error) => format!("(its log cannot be read: {error})"),
    }
}

fn printable(text: &str) -> String {
    let shown = text.trim_end().chars().map(|letter| if letter.is_control() && letter != '\n' { '?' } else { letter });
    shown.collect()
}
