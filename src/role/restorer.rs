//! restorer: reads segments and opens them with an age identity: the drill's, or the recovery one in an incident.

use super::{Inspector, RoleError, Sealed};
use crate::{
    clock::Clock,
    digest::Blake3,
    keyring::{Identities, VerifyingKey},
    layout::{self, ObjectKey},
    manifest::{Closed, Contents, Receipt},
    segment::{self, UnpackError},
    vault::{VaultError, VaultSettings},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

const CLOSED_BYTES_MAX: u64 = 1 << 30;
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// Cheap to clone for each loader.
#[derive(Clone)]
pub struct Restorer {
    inspector: Arc<Inspector>,
    identities: Arc<Identities>,
}

/// A backup whose closed part could be opened: each receipt beside what its segment must hold.
#[derive(Clone, Debug)]
pub struct Opened {
    pub sealed: Sealed,
    pub closed: Closed,
}

impl Restorer {
    pub fn open(
        settings: &VaultSettings,
        verifying: VerifyingKey,
        identities: impl Into<Arc<Identities>>,
        clock: Clock,
    ) -> Result<Self, RoleError> {
        let inspector = Inspector::open(settings, verifying, clock)?;
        Ok(Self { inspector: Arc::new(inspector), identities: identities.into() })
    }

    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// Opens the closed part, and insists that it and the receipts speak of the same segments.
    pub fn open_closed(&self, sealed: Sealed) -> Result<Opened, RoleError> {
        let manifest = &sealed.manifest;
        let object = layout::manifest(&manifest.source, &manifest.backup);
        let damaged = |why: &str| self.damaged(object.as_str(), why);
        let packed =
            BASE64_STANDARD.decode(&manifest.closed).map_err(|_why| damaged("has a closed part that is not base64"))?;
        let json = segment::unpack_whole(&packed, &self.identities, CLOSED_BYTES_MAX);
        let json = json.map_err(|why| self.unpack_failed(object.as_str(), why))?;
        let closed: Closed = serde_json::from_slice(&json)
            .map_err(|why| damaged(&format!("has a closed part that cannot be read: {why}")))?;
        let pairs = manifest.segments.iter().zip(&closed.segments);
        let matched = pairs
            .filter(|(receipt, contents)| (receipt.stream, receipt.ordinal) == (contents.stream, contents.ordinal))
            .count();
        if matched != manifest.segments.len() || matched != closed.segments.len() {
            return Err(damaged("lists other segments than its closed part"));
        }
        Ok(Opened { sealed, closed })
    }

    /// One segment's packed bytes, by version id, exactly as the receipt says.
    pub async fn fetch(&self, receipt: &Receipt) -> Result<Bytes, RoleError> {
        let key = ObjectKey::listed(receipt.key.as_str());
        let bytes = self.get(&key, receipt).await?;
        if bytes.len() as u64 != receipt.size || Blake3::of(&bytes) != receipt.blake3 {
            return Err(self.damaged(&receipt.key, "is not what was deposited"));
        }
        Ok(bytes)
    }

    /// A body that broke off, or a server that was away for a moment, is asked again: a restore is long.
    async fn get(&self, key: &ObjectKey, receipt: &Receipt) -> Result<Bytes, VaultError> {
        let mut tried = 1;
        loop {
            match self.inspector.vault.get(key, &receipt.version, receipt.size).await {
                Err(error @ VaultError::Unreachable { .. }) if tried < TRIES => {
                    tracing::warn!(tried, %error, "asking again");
                    tokio::time::sleep(PAUSE * tried).await;
                    tried += 1;
                }
                ended => return ended,
            }
        }
    }

    /// One segment's plaintext, exactly as the closed part says. Decrypts on the calling thread.
    pub fn unpack(&self, receipt: &Receipt, contents: &Contents, packed: &[u8]) -> Result<Vec<u8>, RoleError> {
        segment::unpack(packed, contents, &self.identities).map_err(|why| self.unpack_failed(&receipt.key, why))
    }

    /// Fetches and unpacks one segment, the second off the runtime's threads.
    pub async fn plaintext(&self, receipt: &Receipt, contents: &Contents) -> Result<Vec<u8>, RoleError> {
        let packed = self.fetch(receipt).await?;
        self.unpacked(receipt, contents, packed).await
    }

    /// [`Restorer::unpack`] off the runtime's threads.
    pub async fn unpacked(&self, receipt: &Receipt, contents: &Contents, packed: Bytes) -> Result<Vec<u8>, RoleError> {
        let (restorer, receipt, contents) = (self.clone(), receipt.clone(), contents.clone());
        let unpacking = tokio::task::spawn_blocking(move || restorer.unpack(&receipt, &contents, &packed));
        unpacking.await.expect("unpacking returns its errors")
    }

    fn damaged(&self, object: &str, why: &str) -> RoleError {
        RoleError::Damaged { vault: self.inspector.vault().to_owned(), object: object.to_owned(), why: why.to_owned() }
    }

    fn unpack_failed(&self, object: &str, why: UnpackError) -> RoleError {
        RoleError::Unpack { vault: self.inspector.vault().to_owned(), object: object.to_owned(), why }
    }
}

impl Opened {
    /// Every receipt beside its contents, in the manifest's order.
    pub fn segments(&self) -> impl Iterator<Item = (&Receipt, &Contents)> {
        self.sealed.manifest.segments.iter().zip(&self.closed.segments)
    }
}
