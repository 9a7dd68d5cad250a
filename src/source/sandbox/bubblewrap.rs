//! bubblewrap: its options, and whether they work here.

use super::{CageError, User, View, program};
use crate::source::child::MemoryFile;
use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const PROBE_WITHIN: Duration = Duration::from_secs(20);

/// Namespaces of every kind, an end when we end, no controlling terminal of ours.
const APART: [&str; 6] =
    ["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--hostname", "scratch"];

/// Memory that a program may fill as files. PostgreSQL keeps what parallel workers share in /dev/shm.
const MEMORY: [(&str, &str); 3] = [("/tmp", "67108864"), ("/run", "16777216"), ("/dev/shm", "268435456")];

/// Where Linux keeps programs and libraries beside /usr: links into it, or folders where it is not merged.
const BESIDE_USR: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs below /usr refer to elsewhere; none of it tells anything of this host. The dictionaries are where
/// Debian's packages put what PostgreSQL's tsearch_data links to.
const REFERRED: [&str; 3] = ["/etc/ld.so.cache", "/etc/alternatives", "/var/cache/postgresql/dicts"];

#[derive(Clone, Debug)]
pub struct Bubblewrap {
    program: PathBuf,
    /// `--disable-userns` (0.8): no further user namespaces inside, and so less of the kernel within reach.
    closed: bool,
}

impl Bubblewrap {
    /// Runs /bin/true with the very options of the real thing.
    pub async fn probe(user: Option<&User>, path: &[PathBuf]) -> Result<Self, CageError> {
        let program = program(path, "bwrap").ok_or(CageError::NoBubblewrap)?;
        let closed = Self { program: program.clone(), closed: true };
        if closed.works(user).await.is_ok() {
            return Ok(closed);
        }
        let open = Self { program, closed: false };
        open.works(user).await?;
        Ok(open)
    }

    async fn works(&self, user: Option<&User>) -> Result<(), CageError> {
        let machine = |source| CageError::Machine { step: "trying bubblewrap", source };
        let mut command = self.command(user, &View::default()).map_err(machine)?;
        command.args(["--", "/bin/true"]).current_dir("/").stdin(Stdio::null()).env_clear();
        let mut command = tokio::process::Command::from(command);
        let ended = tokio::time::timeout(PROBE_WITHIN, command.kill_on_drop(true).output()).await;
        let no_end = |_elapsed| CageError::NoNamespaces { said: "it does not end".into() };
        let output = ended.map_err(no_end)?.map_err(machine)?;
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        if output.status.success() { Ok(()) } else { Err(CageError::NoNamespaces { said }) }
    }

    /// Everything before `-- program`. Root becomes `user` first, so that nothing inside is root outside.
    pub fn command(&self, user: Option<&User>, view: &View) -> io::Result<Command> {
        let mut command = Command::new(&self.program);
        if let Some(User { uid, gid, .. }) = user {
            command.uid(*uid).gid(*gid);
        }
        command.args(APART);
        command.args(self.closed.then_some("--disable-userns"));
        command.args(["--ro-bind", "/usr", "/usr"]);
        for path in BESIDE_USR.map(Path::new) {
            let Ok(found) = fs::symlink_metadata(path) else { continue };
            if found.is_symlink() {
                command.arg("--symlink").arg(fs::read_link(path)?).arg(path);
            } else {
                command.arg("--ro-bind").arg(path).arg(path);
            }
        }
        command.args(["--proc", "/proc", "--dev", "/dev"]);
        for (folder, bytes) in MEMORY {
            command.args(["--perms", "1777", "--size", bytes, "--tmpfs", folder]);
        }
        for path in REFERRED {
            command.args(["--ro-bind-try", path, path]);
        }
        for (path, text) in who_is_there(user) {
            let mut file = MemoryFile::create("accounts")?;
            file.append(text.as_bytes())?;
            let descriptor = file.give(&mut command)?;
            command.args(["--ro-bind-data", &descriptor.to_string(), path]);
        }
        for path in &view.read {
            command.arg("--ro-bind").arg(path).arg(path);
        }
        for path in &view.write {
            command.arg("--bind").arg(path).arg(path);
        }
        // The root is a file system in memory of its own; nothing is to be written to it from here on.
        command.args(["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]);
        Ok(command)
    }
}

/// Users and groups as the program sees them: itself, and nobody of this host.
fn who_is_there(user: Option<&User>) -> [(&'static str, String); 2] {
    let (uid, gid) = match user {
        Some(user) => (user.uid, user.gid),
        None => (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
    };
    let users = format!("postgres:x:{uid}:{gid}::/nonexistent:/usr/sbin/nologin\n");
    [("/etc/passwd", users), ("/etc/group", format!("postgres:x:{gid}:\n"))]
}
