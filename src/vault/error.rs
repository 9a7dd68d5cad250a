//! error: one way in which a vault refuses, and every way in which it is not a vault.

use super::VersionId;
use crate::{
    failure::{Explain, Kind},
    layout::ObjectKey,
    term::Term,
};

/// One way in which a vault is not a vault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the bucket is not versioned")]
    NotVersioned,
    #[error("the bucket has no Object Lock")]
    NoObjectLock,
    #[error("the bucket has no default retention, and `lock` is \"bucket-default\"")]
    NoDefaultRetention,
    #[error("the bucket's default retention is GOVERNANCE: whoever may bypass it can delete")]
    Governance,
    #[error("the bucket's default retention is {found_days} days, less than the term of {term}")]
    ShorterThanTerm { found_days: i64, term: Term },
    /// Measured: Ceph accepts 200,000 days and then gives locks that ended in 1989.
    #[error("the bucket's default retention is {found_days} days: beyond 10 years a server may give no lock at all")]
    BeyondReason { found_days: i64 },
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("vault `{vault}`: cannot reach {endpoint}: {why}")]
    Unreachable { vault: String, endpoint: String, why: String },
    #[error("vault `{vault}`: there is no {place}")]
    NoSuchVault { vault: String, place: String },
    #[error("vault `{vault}`: {action} of `{key}` was denied: {why}")]
    Denied { vault: String, action: &'static str, key: String, why: String },
    #[error("vault `{vault}`: `{key}` (version {}) is missing", version.0)]
    Missing { vault: String, key: ObjectKey, version: VersionId },
    #[error("vault `{vault}`: {action} of `{key}` failed: {why}")]
    Failed { vault: String, action: &'static str, key: String, why: String },
    #[error("vault `{vault}`: `{key}` is larger than the {limit} bytes it should have at most")]
    TooLarge { vault: String, key: ObjectKey, limit: u64 },
    #[error("vault `{vault}`: {why}")]
    Unusable { vault: String, why: String },
}

impl Explain for VaultError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unreachable { .. } | Self::NoSuchVault { .. } => Kind::Unreachable,
            Self::Denied { .. } => Kind::Denied,
            Self::Missing { .. } | Self::TooLarge { .. } => Kind::Mismatch,
            Self::Failed { .. } => Kind::Failed,
            Self::Unusable { .. } => Kind::Settings,
        }
    }

    fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some(
                "Check `endpoint` and the network; nothing was lost, run it again. Where another vault holds it, \
                     `--vault NAME` reads that one."
                    .into(),
            ),
            Self::NoSuchVault { .. } => Some(
                "A bucket is created once by its custodian (policies/ beside the configuration); a directory by \
                     mkdir, or is it not mounted?"
                    .into(),
            ),
            Self::Denied { .. } => Some(
                "A bucket: check the credential, and that its policy allows this below the vault's prefix; `init` \
                     wrote one for each role in policies/. A directory: run as a user who may."
                    .into(),
            ),
            _ => None,
        }
    }
}
