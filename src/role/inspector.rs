//! inspector: lists versions, reads manifests and seals, and says what each backup is, whatever lies on top of it.
//!
//! Versions are read oldest first: the earliest that is authentic is the deposit, and each later version, marker or
//! stranger is a finding. Order among backups comes from the server's LastModified of their seals, never from names.

use super::{
    RoleError,
    shelf::{Claims, Folder, Sealed, Select, Shelf, Standing},
};
use crate::{
    clock::{Clock, SignedDuration},
    digest::{Blake3, Md5},
    finding::{Finding, FindingKind},
    keyring::VerifyingKey,
    layout::{self, BackupId, ObjectKey, SourceName},
    manifest::{Manifest, SealComment},
    vault::{ObjectVersion, Protection, Vault, VaultError, VaultSettings},
};
use bytes::Bytes;

const SEAL_BYTES_MAX: u64 = 4 << 10;
const MANIFEST_BYTES_MAX: u64 = 256 << 20;
/// An unproven manifest is not worth more.
const DOUBTED_BYTES_MAX: u64 = 4 << 20;
/// The authentic version is the oldest unless somebody foresaw the key; a flood is not read to its end.
pub(super) const VERSIONS_TRIED: usize = 20;
/// Servers keep LastModified to the second: seals this close are ordered by their sequence numbers.
pub const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(2);

pub struct Inspector {
    pub(super) vault: Vault,
    pub(super) slack: SignedDuration,
    verifying: VerifyingKey,
}

impl Inspector {
    pub fn open(settings: &VaultSettings, verifying: VerifyingKey, clock: Clock) -> Result<Self, RoleError> {
        Ok(Self { vault: Vault::open(settings, clock)?, slack: settings.slack, verifying })
    }

    pub fn vault(&self) -> &str {
        self.vault.name()
    }

    pub fn describe(&self) -> String {
        self.vault.describe()
    }

    pub async fn protection(&self) -> Result<Protection, RoleError> {
        Ok(self.vault.protection().await?)
    }

    pub async fn shelf(&self, source: &SourceName) -> Result<Shelf, RoleError> {
        Ok(Shelf::arrange(source, self.vault.versions(&layout::backups(source)).await?))
    }

    /// What each backup on the shelf is, newest first, at most `limit` of them.
    pub async fn judge_all(
        &self,
        source: &SourceName,
        shelf: &Shelf,
        limit: usize,
    ) -> Result<Vec<(BackupId, Standing)>, RoleError> {
        use futures_util::{StreamExt, TryStreamExt};
        let judging = shelf.folders.iter().take(limit).map(|(backup, folder)| async move {
            Ok::<_, RoleError>((backup.clone(), self.judge(source, backup, folder).await?))
        });
        let judging: Vec<_> = judging.collect();
        futures_util::stream::iter(judging).buffered(8).try_collect().await
    }

    /// The wanted backup, if it is whole. A damaged one in its place is an error: nothing older is given instead
    /// unless it was asked for. What was passed over on the way is told.
    pub async fn select(
        &self,
        source: &SourceName,
        shelf: &Shelf,
        select: &Select,
    ) -> Result<(Sealed, Vec<Finding>), RoleError> {
        let mut doubtful = Vec::new();
        let mut best: Option<Sealed> = None;
        for (backup, folder) in shelf.folders.iter().filter(|(backup, _)| select.may_be(backup)) {
            if best.as_ref().is_some_and(|best| folder.put_at() + SAME_MOMENT < best.sealed_at) {
                break;
            }
            match self.judge(source, backup, folder).await? {
                Standing::Sealed(sealed) if select.fits(&sealed) => {
                    if best.as_ref().is_none_or(|best| best.manifest.chain.sequence < sealed.manifest.chain.sequence) {
                        best = Some(*sealed);
                    }
                }
                Standing::Sealed(_) => {}
                Standing::Damaged { object, why } => return Err(self.damaged(&object, why)),
                Standing::Forged { object, claims } => {
                    doubtful.push((object, claims.and_then(|claims| claims.follows)));
                }
                Standing::Unsealed => doubtful.push((layout::seal(source, backup), None)),
            }
        }
        let Some(best) = best else {
            return Err(match doubtful.into_iter().next() {
                Some((object, _)) => {
                    self.damaged(&object, "is missing or is not our signature: this backup is not sealed")
                }
                None => RoleError::NoBackup {
                    vault: self.vault().to_owned(),
                    source_name: source.to_string(),
                    wanted: select.wanted(),
                },
            });
        };
        // Who forges a manifest does not know the digest of the one before it; a damaged original names it.
        let follows = |claims: &Option<Blake3>| claims.is_some_and(|digest| digest == best.manifest_digest);
        match doubtful.iter().find(|(_, claims)| follows(claims)) {
            Some((object, _)) => {
                Err(self.damaged(object, "is not our signature, and its manifest continues the chain"))
            }
            None => Ok((best, doubtful.iter().map(|(object, _)| passed_over(object)).collect())),
        }
    }

    pub(super) async fn judge(
        &self,
        source: &SourceName,
        backup: &BackupId,
        folder: &Folder,
    ) -> Result<Standing, RoleError> {
        if folder.seals.is_empty() {
            return Ok(Standing::Unsealed);
        }
        let Some((seal, comment, put)) = self.authentic_seal(source, backup, folder).await? else {
            let claims = self.claims_of(folder).await?;
            return Ok(Standing::Forged { object: layout::seal(source, backup), claims });
        };
        let object = layout::manifest(source, backup);
        if folder.manifests.is_empty() {
            return Ok(Standing::Damaged { object, why: "is missing" });
        }
        for version in folder.manifests.iter().take(VERSIONS_TRIED) {
            let Some(bytes) = self.read(version, MANIFEST_BYTES_MAX).await? else { continue };
            if Blake3::of(&bytes) != comment.manifest || self.verifying.verify(&bytes, &seal).is_none() {
                continue;
            }
            let manifest = Manifest::from_bytes(&bytes).map_err(|why| RoleError::Unreadable {
                vault: self.vault().to_owned(),
                object: object.to_string(),
                why,
            })?;
            if manifest.source == *source && manifest.backup == *backup {
                return Ok(Standing::Sealed(Box::new(Sealed {
                    manifest,
                    manifest_digest: comment.manifest,
                    sealed_at: put.last_modified,
                    manifest_version: version.version.clone(),
                    seal_version: put.version.clone(),
                    listed_by_md5: is_md5(version, &bytes) && is_md5(put, &seal),
                })));
            }
        }
        Ok(Standing::Damaged { object, why: "is not what its seal signs" })
    }

    /// The earliest seal that is ours and for this very backup.
    async fn authentic_seal<'f>(
        &self,
        source: &SourceName,
        backup: &BackupId,
        folder: &'f Folder,
    ) -> Result<Option<(Bytes, SealComment, &'f ObjectVersion)>, RoleError> {
        for version in folder.seals.iter().take(VERSIONS_TRIED) {
            let Some(bytes) = self.read(version, SEAL_BYTES_MAX).await? else { continue };
            let comment = self.verifying.read_comment(&bytes).and_then(|comment| comment.parse::<SealComment>().ok());
            if let Some(comment) = comment.filter(|comment| comment.source == *source && comment.backup == *backup) {
                return Ok(Some((bytes, comment, version)));
            }
        }
        Ok(None)
    }

    async fn claims_of(&self, folder: &Folder) -> Result<Option<Claims>, RoleError> {
        let Some(version) = folder.manifests.first() else { return Ok(None) };
        let bytes = self.read(version, DOUBTED_BYTES_MAX).await?;
        Ok(bytes.and_then(|bytes| Manifest::from_bytes(&bytes).ok()).map(|manifest| Claims {
            sequence: manifest.chain.sequence,
            snapshot_at: manifest.snapshot_at,
            follows: manifest.chain.previous.map(|previous| previous.manifest),
        }))
    }

    /// A listed version's bytes; `None` where it is gone, or too large to be ours.
    pub(super) async fn read(&self, version: &ObjectVersion, limit: u64) -> Result<Option<Bytes>, RoleError> {
        if version.size > limit {
            return Ok(None);
        }
        match self.vault.get(&version.key, &version.version, limit).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(VaultError::Missing { .. } | VaultError::TooLarge { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn damaged(&self, object: &ObjectKey, why: &str) -> RoleError {
        RoleError::Damaged { vault: self.vault().to_owned(), object: object.to_string(), why: why.to_owned() }
    }
}

/// A server that lists no digest says nothing against it.
fn is_md5(listed: &ObjectVersion, bytes: &[u8]) -> bool {
    listed.etag.as_ref().is_none_or(|etag| *etag == Md5::of(bytes).to_string())
}

fn passed_over(seal: &ObjectKey) -> Finding {
    let what = "is missing or not our signature: this newer backup was passed over";
    Finding::new(FindingKind::Forged, seal.as_str(), what)
}
