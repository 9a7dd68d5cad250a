//! role: who may do what. Three of the four identities are types here, each with only its own verbs; the fourth,
//! the custodian, sets a vault up once and has no code at all. The restorer's host may deposit reports of its drills
//! with a credential for nothing else: the reporter.
//!
//! There is no verb that deletes, prunes, unlocks or shortens.

mod depositor;
mod holdings;
mod inspector;
mod promise;
mod reporter;
mod reports;
mod restorer;
mod shelf;
mod survey;

pub use depositor::{Depositor, Earlier, Held};
pub use holdings::Holdings;
pub use inspector::{Inspector, SAME_MOMENT};
pub use promise::shortfall;
pub use reporter::Reporter;
pub use reports::{trusted_comment as report_comment, verified as verified_report};
pub use restorer::{Opened, Restorer};
pub use shelf::{Sealed, Select, Shelf, Standing};

/// What journeys may know of a vault: its settings, what it lists and what it says of itself, not its calls.
pub use crate::vault::{About, Lock, ObjectVersion, Protection, VaultError, VaultSettings};

use crate::{
    failure::{Explain, Kind},
    manifest::{LockMode, Unreadable},
    segment::UnpackError,
    vault::{Fault, Vault},
};

#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("vault `{vault}` does not protect what it is given: {}", .faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NotProtected { vault: String, faults: Vec<Fault> },
    #[error("vault `{vault}` took `{key}` and does not hold it as promised: {found}")]
    NotHeld { vault: String, key: String, found: String },
    #[error("vault `{vault}`: `{object}` {why}")]
    Damaged { vault: String, object: String, why: String },
    #[error("vault `{vault}`: `{object}` cannot be read: {why}")]
    Unreadable { vault: String, object: String, why: Unreadable },
    #[error("vault `{vault}`: `{object}` {why}")]
    Unpack { vault: String, object: String, why: UnpackError },
    #[error("vault `{vault}` holds no sealed backup of `{source_name}`{}", .wanted)]
    NoBackup { vault: String, source_name: String, wanted: String },
}

impl Explain for RoleError {
    fn kind(&self) -> Kind {
        match self {
            Self::Vault(error) => error.kind(),
            Self::NotProtected { .. } | Self::NotHeld { .. } => Kind::NotImmutable,
            Self::Damaged { .. } | Self::Unreadable { .. } => Kind::Mismatch,
            Self::Unpack { why, .. } => why.kind(),
            Self::NoBackup { .. } => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Vault(error) => error.hint(),
            Self::NotProtected { .. } => Some(
                "The custodian mends it: versioning, Object Lock and a COMPLIANCE default retention of at least the \
                 term. Nothing was deposited."
                    .into(),
            ),
            Self::NotHeld { .. } => Some("Do not trust this vault with backups; nothing was sealed.".into()),
            Self::Damaged { .. } => Some(
                "Somebody or something changed it. `strongroom list` shows the other backups; `--at` or an id restores one."
                    .into(),
            ),
            Self::Unreadable { .. } => Some("It is authentic, so a newer strongroom wrote it: use that one.".into()),
            Self::Unpack { why, .. } => why.hint(),
            Self::NoBackup { .. } => Some("`strongroom list` shows what there is.".into()),
        }
    }

    fn may_pass(&self) -> bool {
        matches!(self, Self::Vault(error) if error.may_pass())
    }
}

/// The error of a vault that does not answer.
fn silent(vault: &Vault, why: String) -> RoleError {
    VaultError::Unreachable { vault: vault.name().to_owned(), endpoint: vault.describe(), why }.into()
}

/// How a lock is named to people: what protects a backup, and where nothing does.
pub fn named(lock: LockMode) -> &'static str {
    match lock {
        LockMode::Compliance => "immutable (COMPLIANCE)",
        LockMode::ImmutableFlag => "immutable flag (this machine's root can remove it)",
        LockMode::Governance => "NOT immutable (GOVERNANCE)",
        LockMode::None => "NOT immutable",
    }
}
