//! secret: bytes that have no way to be printed, and the three places they may come from.
//!
//! A secret comes from a file (ours or root's, closed to group and world), a systemd credential by name, or a
//! command's standard output: never from a configuration, an argument or an environment variable of a child.

use crate::failure::{Explain, Kind};
use std::{
    fmt, fs, io,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// Bytes that wipe themselves and that neither Display nor Serialize: [`Secret::reveal`] marks every use.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// The secret as text without the newline that editors and commands leave at the end.
    pub fn reveal_text(&self) -> Result<&str, SecretError> {
        let text = std::str::from_utf8(&self.0).map_err(|_not_utf8| SecretError::NotText)?;
        Ok(text.trim_end_matches(['\n', '\r']))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Where a configuration says that a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    File(PathBuf),
    /// A name below `$CREDENTIALS_DIRECTORY` (systemd's LoadCredential=).
    Systemd {
        name: String,
        directory: Option<PathBuf>,
    },
    Command(Vec<String>),
}

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("cannot read {path}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path} can be read or changed by others (mode {mode:04o}, owner {owner})")]
    OpenToOthers { path: PathBuf, mode: u32, owner: u32 },
    #[error("systemd credential `{name}` asked for, but no credentials directory is set")]
    NoCredentials { name: String },
    #[error("cannot run `{program}`")]
    NotRun { program: String, source: io::Error },
    #[error("`{program}` gave no secret within {} s", COMMAND_WITHIN.as_secs())]
    CommandSlow { program: String },
    #[error("`{program}` ended with {status}")]
    CommandFailed { program: String, status: ExitStatus },
    #[error("{origin} is empty")]
    Empty { origin: String },
    #[error("the secret is not UTF-8 text")]
    NotText,
}

impl Explain for SecretError {
    fn kind(&self) -> Kind {
        Kind::Settings
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::OpenToOthers { path, .. } => {
                Some(format!("Close it: chmod 600 {0} && chown \"$(id -u)\" {0}", path.display()))
            }
            Self::NoCredentials { name } => Some(format!(
                "Run as a systemd service with LoadCredential={name}:PATH, or by hand under systemd-run as \
                     deploy/README.md shows; or use {{ file = \"...\" }}."
            )),
            _ => None,
        }
    }
}

const SECRET_BYTES_MAX: u64 = 1 << 20;

impl SecretSource {
    pub fn load(&self) -> Result<Secret, SecretError> {
        let secret = match self {
            Self::File(path) => read_closed(path)?,
            Self::Systemd { name, directory } => {
                let directory = directory.as_ref().ok_or_else(|| SecretError::NoCredentials { name: name.clone() })?;
                read(&directory.join(name))?
            }
            Self::Command(words) => output_of(words)?,
        };
        if secret.reveal().trim_ascii().is_empty() {
            return Err(SecretError::Empty { origin: self.to_string() });
        }
        Ok(secret)
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Systemd { name, .. } => write!(f, "systemd credential `{name}`"),
            Self::Command(words) => write!(f, "the output of `{}`", words.first().map_or("", String::as_str)),
        }
    }
}

/// Reads a file that only we or root may own and that group and world cannot touch.
pub fn read_closed(path: &Path) -> Result<Secret, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let ours = owner == 0 || owner == rustix::process::geteuid().as_raw();
    if mode & 0o077 != 0 || !ours {
        return Err(SecretError::OpenToOthers { path: path.to_owned(), mode, owner });
    }
    read_bounded(file).map_err(unreadable)
}

fn read(path: &Path) -> Result<Secret, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    read_bounded(fs::File::open(path).map_err(unreadable)?).map_err(unreadable)
}

fn read_bounded(source: impl Read) -> io::Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::new());
    source.take(SECRET_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Secret(bytes))
}

/// A command that asks somebody, or hangs, would hold the daemon up for ever.
const COMMAND_WITHIN: Duration = Duration::from_secs(30);

fn output_of(words: &[String]) -> Result<Secret, SecretError> {
    let (program, arguments) = words.split_first().ok_or_else(|| SecretError::Empty { origin: "a command".into() })?;
    let not_run = |source| SecretError::NotRun { program: program.clone(), source };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(not_run)?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let reading = std::thread::spawn(move || read_bounded(stdout));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(not_run)? {
            break status;
        }
        if began.elapsed() > COMMAND_WITHIN {
            drop(child.kill()); // it may have ended just now
            child.wait().map_err(not_run)?;
            return Err(SecretError::CommandSlow { program: program.clone() });
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    if !status.success() {
        return Err(SecretError::CommandFailed { program: program.clone(), status });
    }
    reading.join().expect("reading returns its errors").map_err(not_run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file_with_mode(mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "hush\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_mend() {
        for mode in [0o644, 0o640, 0o660, 0o602] {
            let file = file_with_mode(mode);
            let error = SecretSource::File(file.path().to_owned()).load().unwrap_err();
            assert!(matches!(error, SecretError::OpenToOthers { .. }), "{mode:o}: {error}");
            assert!(error.hint().unwrap().contains("chmod 600"));
        }
        let closed = file_with_mode(0o600);
        let secret = SecretSource::File(closed.path().to_owned()).load().unwrap();
        assert_eq!(secret.reveal_text().unwrap(), "hush");
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new(b"hush".to_vec())), "Secret(hidden)");
    }

    #[test]
    fn a_command_that_fails_or_says_nothing_gives_no_secret() {
        let load = |script: &str| SecretSource::Command(["sh", "-c", script].map(str::to_owned).into()).load();
        assert_eq!(load("echo hush").unwrap().reveal_text().unwrap(), "hush");
        assert!(matches!(load("echo hush; exit 3"), Err(SecretError::CommandFailed { .. })));
        assert!(matches!(load("true"), Err(SecretError::Empty { .. })));
    }
}
