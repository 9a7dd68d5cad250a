//! sandbox: keeps programs that run what a backup holds from their host. A dump is code: whoever could write to the
//! production database chose what a restore executes, as superuser of the scratch server and in psql itself.
//!
//! Bubblewrap gives such a program namespaces of its own: no network, no process but its own, and no file but the
//! system's programs and what a [`View`] names. Where it is not to be had, root can at least become another user.

mod bubblewrap;
mod error;
mod kept;
mod shown;

pub use error::CageError;
pub use kept::Kept;
pub use shown::{User, home_of_programs};

use crate::proof::Confinement;
use bubblewrap::Bubblewrap;
use command_fds::CommandFdExt;
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::Command,
};

/// How a scratch server is kept from its host, as the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// Bubblewrap; where it is not to be had, another user than ours; where neither is, no drill.
    Auto,
    /// Bubblewrap or no drill.
    Bubblewrap,
    /// Nothing: something else, such as a container of its own, confines us. Root becomes another user all the same:
    /// PostgreSQL refuses to run as root.
    None,
}

/// What a confined program sees beside the system's own programs. Both keep their path inside.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
}

/// What confines a program: found out once, used for each.
#[derive(Clone, Debug)]
pub struct Cage {
    bars: Bars,
    /// Whom the program runs as, where that is another user than ours: always, where we are root.
    pub user: Option<User>,
}

#[derive(Clone, Debug)]
enum Bars {
    Bubblewrap(Bubblewrap),
    /// util-linux's setpriv: another user, no new privileges, and an end when we end.
    Setpriv(PathBuf),
}

impl Cage {
    /// Finds out what can be had here, by doing it. Programs are looked for in `path`, as `PATH` has it.
    ///
    /// From here on no child of this process inherits a descriptor that it is not given by name, and none of them, nor
    /// we, leave a core file: it would hold plaintext.
    pub async fn probe(wish: Sandbox, path: &[PathBuf]) -> Result<Self, CageError> {
        close_fds::set_fds_cloexec(3, &[]);
        let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
        rustix::process::setrlimit(rustix::process::Resource::Core, none)
            .map_err(|error| CageError::Machine { step: "giving up core files", source: error.into() })?;
        let is_root = rustix::process::geteuid().is_root();
        let user = if is_root { Some(User::other_than_root()?) } else { None };
        let walled = match wish {
            Sandbox::None => Err(CageError::NoBubblewrap),
            Sandbox::Auto | Sandbox::Bubblewrap => Bubblewrap::probe(user.as_ref(), path).await,
        };
        match (walled, wish) {
            (Ok(bubblewrap), _) => Ok(Self { bars: Bars::Bubblewrap(bubblewrap), user }),
            (Err(error), Sandbox::Bubblewrap) => Err(error),
            (Err(error), Sandbox::Auto) if !is_root => Err(error),
            (Err(why), _) => {
                if wish == Sandbox::Auto {
                    let why = crate::failure::with_causes(&why);
                    tracing::warn!(why, "no sandbox: a scratch server is only run as another user");
                }
                let setpriv = program(path, "setpriv").ok_or(CageError::NoSetpriv)?;
                Ok(Self { bars: Bars::Setpriv(setpriv), user })
            }
        }
    }

    pub fn confinement(&self) -> Confinement {
        match (&self.bars, &self.user) {
            (Bars::Bubblewrap(_), _) => Confinement::Bubblewrap,
            (Bars::Setpriv(_), Some(_)) => Confinement::OtherUser,
            (Bars::Setpriv(_), None) => Confinement::None,
        }
    }

    /// A command that runs `program` confined: arguments, environment and standard streams are added as to any other.
    /// It has no environment of ours, and it ends when the thread ends that starts it ([`Kept`] has one of its own).
    pub fn command(&self, program: &Path, view: &View) -> io::Result<Command> {
        self.telling(program, view, None)
    }

    /// As [`Cage::command`]; bubblewrap writes to `told` which process is the first inside.
    fn telling(&self, program: &Path, view: &View, told: Option<OwnedFd>) -> io::Result<Command> {
        let mut command = match &self.bars {
            Bars::Bubblewrap(bubblewrap) => bubblewrap.command(self.user.as_ref(), view)?,
            Bars::Setpriv(setpriv) => {
                let mut command = Command::new(setpriv);
                if let Some(User { uid, gid, .. }) = &self.user {
                    command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
                }
                command.args(["--no-new-privs", "--pdeathsig=QUIT"]);
                command
            }
        };
        if let Some(told) = told {
            command.args(["--info-fd", &told.as_raw_fd().to_string()]).preserved_fds(vec![told]);
        }
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("LC_ALL", "C.UTF-8");
        command.current_dir("/").arg("--").arg(program);
        Ok(command)
    }
}

/// The folders in which this process finds programs.
pub fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
}

fn program(path: &[PathBuf], name: &str) -> Option<PathBuf> {
    path.iter().map(|folder| folder.join(name)).find(|program| program.is_file())
}
