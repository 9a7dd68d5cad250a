//! reporter: deposits reports of drills under a vault's lock, and nothing else: it reads nothing, and its credential
//! may put below `v1/*/drills/` alone.

use super::{RoleError, depositor};
use crate::{
    clock::{Clock, Timestamp},
    digest::Md5,
    layout::{self, DrillId, SourceName},
    vault::{Vault, VaultSettings},
};
use bytes::Bytes;

pub struct Reporter {
    vault: Vault,
}

impl Reporter {
    pub fn open(settings: &VaultSettings, clock: Clock) -> Result<Self, RoleError> {
        Ok(Self { vault: Vault::open(settings, clock)? })
    }

    pub fn vault(&self) -> &str {
        self.vault.name()
    }

    /// Deposits one file of a drill's report and gives the end of its lock, read back.
    pub async fn deposit(
        &self,
        source: &SourceName,
        drill: &DrillId,
        file: &str,
        body: Vec<u8>,
    ) -> Result<Option<Timestamp>, RoleError> {
        let body = Bytes::from(body);
        let md5 = Md5::of(&body);
        let (_, lock) = depositor::put_locked(&self.vault, &layout::drill(source, drill, file), body, md5).await?;
        Ok(lock.until)
    }
}
