//! child: a program that we start, feed, listen to, and never leave behind.
//!
//! Passwords reach it through a pass file that exists in memory only; what it says on standard error is kept,
//! so that a failure is told in the program's own words.

use crate::secret::Secret;
use command_fds::CommandFdExt;
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Seek, Write},
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::fs::PermissionsExt,
    },
    path::Path,
    process::{ExitStatus, Stdio},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
};

const STDERR_BYTES_MAX: u64 = 64 << 10;

/// A running program. Dropping it kills it.
pub struct Running {
    program: String,
    child: Child,
    stderr: JoinHandle<Vec<String>>,
}

/// How a program ended, and what it said on standard error.
pub struct Ended {
    pub program: String,
    pub status: ExitStatus,
    pub said: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    #[error("cannot start {program}")]
    NotStarted { program: String, source: io::Error },
    #[error("lost {program}")]
    Lost { program: String, source: io::Error },
    #[error("{program} ended with {status}: {said}")]
    Failed { program: String, status: ExitStatus, said: String },
}

/// Starts `command` with its standard error collected; its other streams stay as the caller set them.
pub fn start(mut command: Command) -> Result<Running, ChildError> {
    let program = name_of(command.as_std());
    command.stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|source| ChildError::NotStarted { program: program.clone(), source })?;
    let stderr = child.stderr.take().expect("standard error is piped");
    let stderr = tokio::spawn(async move {
        let mut said = Vec::new();
        let mut bounded = BufReader::new(stderr.take(STDERR_BYTES_MAX));
        let mut line = Vec::new();
        // A read error ends the listening only: the exit status is what decides.
        while matches!(bounded.read_until(b'\n', &mut line).await, Ok(1..)) {
            said.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
        let mut rest = bounded.into_inner().into_inner();
        if let Err(error) = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await {
            said.push(format!("(the rest was lost: {error})"));
        }
        said
    });
    Ok(Running { program, child, stderr })
}

/// What runs in the end: a sandbox's own program names it after `--`.
fn name_of(command: &std::process::Command) -> String {
    let confines = ["bwrap", "setpriv"].iter().any(|name| Path::new(command.get_program()).ends_with(name));
    let confined = command.get_args().skip_while(|argument| *argument != OsStr::new("--")).nth(1);
    let program = confined.filter(|_| confines).unwrap_or(command.get_program()).to_string_lossy();
    program.rsplit('/').next().unwrap_or(&program).to_owned()
}

impl Running {
    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("the caller piped standard output and takes it once")
    }

    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("the caller piped standard input and takes it once")
    }

    /// Waits for the end, whatever it is.
    pub async fn end(mut self) -> Result<Ended, ChildError> {
        let lost = |program: &str, source| ChildError::Lost { program: program.to_owned(), source };
        let status = self.child.wait().await.map_err(|source| lost(&self.program, source))?;
        let said = self.stderr.await.map_err(|join| lost(&self.program, io::Error::other(join)))?;
        Ok(Ended { program: self.program, status, said })
    }

    /// Waits for the end and insists on exit status 0.
    pub async fn succeed(self) -> Result<Ended, ChildError> {
        let ended = self.end().await?;
        if ended.status.success() { Ok(ended) } else { Err(ended.into_failure()) }
    }
}

impl Ended {
    pub fn into_failure(self) -> ChildError {
        let said = if self.said.is_empty() { "it said nothing".to_owned() } else { self.said.join("; ") };
        ChildError::Failed { program: self.program, status: self.status, said }
    }
}

/// Runs `command` to its end and gives its whole standard output.
pub async fn output(mut command: Command) -> Result<(Vec<u8>, Ended), ChildError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut running = start(command)?;
    let mut stdout = running.stdout();
    let mut bytes = Vec::new();
    let read = stdout.read_to_end(&mut bytes).await;
    let ended = running.succeed().await?;
    match read {
        Ok(_) => Ok((bytes, ended)),
        Err(source) => Err(ChildError::Lost { program: ended.program, source }),
    }
}

/// A file without a name on any disk, which the children find that it is lent to, and no others.
#[derive(Debug)]
pub struct MemoryFile(File);

impl MemoryFile {
    pub fn create(name: &str) -> io::Result<Self> {
        let file = File::from(rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC)?);
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        Ok(Self(file))
    }

    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Lends it to `command`'s process; gives its path there. As a path it is read from its beginning by each.
    pub fn lend(&self, command: &mut std::process::Command) -> io::Result<String> {
        let descriptor = OwnedFd::from(self.0.try_clone()?);
        let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
        command.preserved_fds(vec![descriptor]);
        Ok(path)
    }

    /// Gives it to `command`'s process as a descriptor that stands at its beginning.
    pub fn give(mut self, command: &mut std::process::Command) -> io::Result<RawFd> {
        self.0.rewind()?;
        let number = self.0.as_raw_fd();
        command.preserved_fds(vec![self.0.into()]);
        Ok(number)
    }

    /// A process of another user opens it by its path.
    pub fn give_to(&self, uid: u32, gid: u32) -> io::Result<()> {
        std::os::unix::fs::fchown(&self.0, Some(uid), Some(gid))
    }
}

/// A pass file for libpq (PostgreSQL docs, "The Password File"): one line that fits every connection.
pub fn pass_file(password: &Secret) -> io::Result<MemoryFile> {
    let mut file = MemoryFile::create("pgpass")?;
    let text = password.reveal_text().map_err(io::Error::other)?;
    let escaped = zeroize::Zeroizing::new(text.replace('\\', "\\\\").replace(':', "\\:"));
    file.append(format!("*:*:*:*:{}\n", *escaped).as_bytes())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_child_that_fails_is_told_in_its_own_words() {
        let error = output(shell("echo rows; echo 'disk on fire' >&2; exit 3")).await.err().unwrap().to_string();
        assert_eq!(error, "sh ended with exit status: 3: disk on fire");
    }

    #[tokio::test]
    async fn a_child_that_talks_without_end_does_not_block_itself() {
        let script =
            "i=0; while [ $i -lt 4000 ]; do echo 'a long line of complaint that fills any pipe' >&2; i=$((i+1)); done";
        let (_, ended) = output(shell(script)).await.unwrap();
        assert!(ended.said.len() > 1000);
    }

    #[tokio::test]
    async fn a_pass_file_is_read_by_the_child_that_it_is_lent_to_and_by_no_other() {
        let file = pass_file(&Secret::new(b"a:b\\c\n".to_vec())).unwrap();
        let mut reader = shell("cat \"$0\"; stat -L -c %a \"$0\"");
        let path = file.lend(reader.as_std_mut()).unwrap();
        let (text, _) = output({
            reader.arg(&path);
            reader
        })
        .await
        .unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "*:*:*:*:a\\:b\\\\c\n600\n");
        let (others, _) =
            output(shell("for at in 3 4 5 6 7 8 9; do readlink /proc/$$/fd/$at; done; true")).await.unwrap();
        assert!(!String::from_utf8_lossy(&others).contains("pgpass"));
    }
}
