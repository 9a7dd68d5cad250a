//! error: why a program cannot be confined here, and what its owner can do.

use crate::failure::{Explain, Kind};
use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum CageError {
    #[error("bubblewrap (bwrap) is not installed")]
    NoBubblewrap,
    #[error("bubblewrap does not work here: {said}")]
    NoNamespaces { said: String },
    #[error("there is neither a user `postgres` nor a user `nobody` for root to become")]
    NoUser,
    #[error("setpriv (util-linux) is not installed")]
    NoSetpriv,
    #[error("PostgreSQL's programs are in {folder}: a sandbox that shows them would show {shown}")]
    Exposed { folder: PathBuf, shown: PathBuf },
    #[error("{step}")]
    Machine { step: &'static str, source: io::Error },
}

const OR_NONE: &str = "Where a container or machine of its own confines this program, say sandbox = \"none\".";

impl Explain for CageError {
    fn kind(&self) -> Kind {
        match self {
            Self::Machine { .. } => Kind::Failed,
            _ => Kind::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoBubblewrap => Some(format!("Install bubblewrap, 0.7 or newer. {OR_NONE}")),
            Self::NoNamespaces { said } if said.contains("mount proc") => Some(format!(
                "Some of /proc is covered here, and then the kernel refuses a new one: a systemd unit must do without \
                 ProtectKernelTunables=, ProtectKernelLogs=, ProtectProc= and ProcSubset=. {OR_NONE}"
            )),
            Self::NoNamespaces { .. } => Some(format!(
                "It needs bubblewrap 0.7 or newer, and user namespaces for unprivileged users: \
                 `sysctl user.max_user_namespaces` above 0 (older Debian: `sysctl -w kernel.unprivileged_userns_clone=1`), \
                 and on Ubuntu 24.04 and newer an AppArmor profile that lets /usr/bin/bwrap have `userns`, or \
                 `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`; in a systemd unit no RestrictNamespaces=. {OR_NONE}"
            )),
            Self::NoUser => Some("Install PostgreSQL's server package, which makes its user.".into()),
            Self::NoSetpriv => Some("Install util-linux.".into()),
            Self::Exposed { .. } => Some(
                "Install PostgreSQL below /usr, or into a folder of its own (DIR/bin, DIR/lib, DIR/share) that holds \
                 nothing else and is nobody's home."
                    .into(),
            ),
            Self::Machine { .. } => None,
        }
    }
}
