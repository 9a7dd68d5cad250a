//! s3: a bucket with Object Lock, or a prefix of one, as a vault.

mod answer;
pub(super) mod client;
mod lifecycle;
mod listing;
mod protection;
pub(super) mod server_clock;

use self::{answer::Trouble, server_clock::ServerClock};
use super::{Lock, LockMode, LockPolicy, Placed, S3Settings, VaultError, VersionId, round_up};
use crate::{
    clock::{Clock, SignedDuration, Timestamp},
    digest::Md5,
    layout::ObjectKey,
    term::Term,
};
use aws_sdk_s3::{
    Client,
    primitives::{ByteStream, DateTime},
    types::{ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};

/// What a lock by header gets beyond the term: signatures are accepted from clocks up to 15 minutes off, so two
/// honest clocks may differ by as much.
const SKEW_MARGIN: SignedDuration = SignedDuration::from_mins(15);
/// A server whose clock is further from ours than this gets no lock computed from it: nobody could undo one.
const SKEW_MAX: SignedDuration = SignedDuration::from_hours(24);
/// A body may take so long to arrive; one that stops altogether is given up much sooner.
const DOWNLOAD_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(600);

/// A bucket, or the part of one below a prefix.
pub struct Bucket {
    vault: String,
    term: Term,
    bucket: String,
    /// Empty, or ending in a slash: `acme` never sees what is in `acme-2/`.
    prefix: String,
    endpoint: String,
    lock: LockPolicy,
    clock: Clock,
    server_clock: ServerClock,
    client: Client,
}

impl Bucket {
    pub fn open(vault: &str, term: Term, settings: &S3Settings, clock: Clock) -> Result<Self, VaultError> {
        let server_clock = ServerClock::unseen(clock);
        let client = client::open(settings, &server_clock)
            .map_err(|why| VaultError::Unusable { vault: vault.to_owned(), why: why.to_string() })?;
        let prefix = settings.prefix.trim_matches('/');
        Ok(Self {
            vault: vault.to_owned(),
            term,
            bucket: settings.bucket.clone(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            endpoint: settings.endpoint.clone().unwrap_or_else(|| format!("AWS in {}", settings.region)),
            lock: settings.lock,
            clock,
            server_clock,
            client,
        })
    }

    pub fn describe(&self) -> String {
        let address = format!("s3://{}/{}", self.bucket, self.prefix);
        format!("{} at {}", address.trim_end_matches('/'), self.endpoint)
    }

    pub async fn put(&self, key: &ObjectKey, body: Bytes, md5: Md5) -> Result<Placed, VaultError> {
        let lock_until = match self.lock {
            LockPolicy::BucketDefault => None,
            LockPolicy::PerObject => Some(self.lock_end().await?),
        };
        let asked_at = self.clock.now();
        // Content-MD5 and a signed SHA-256 of a body in memory: the one pair of checksums that every server with
        // Object Lock takes. AWS insists on the MD5 wherever a lock is involved.
        let answer = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.full(key.as_str()))
            .content_md5(BASE64_STANDARD.encode(md5.0))
            .set_object_lock_mode(lock_until.map(|_| ObjectLockMode::Compliance))
            .set_object_lock_retain_until_date(lock_until.map(|end| DateTime::from_secs(end.as_second())))
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| self.explain("deposit", key.as_str(), Trouble::of(&error)))?;
        let version =
            answer.version_id.filter(|version| !version.is_empty() && version != "null").ok_or_else(|| {
                VaultError::Unusable {
                    vault: self.vault.clone(),
                    why: format!(
                        "the server gave `{key}` no version id: the bucket is not versioned, so nothing is locked"
                    ),
                }
            })?;
        // The answer itself has brought the server's Date, so its lead is known here.
        let server_time = asked_at + self.server_clock.lead().unwrap_or(SignedDuration::ZERO);
        Ok(Placed { version: VersionId(version), server_time })
    }

    pub async fn lock_of(&self, key: &ObjectKey, version: &VersionId) -> Result<Lock, VaultError> {
        let answer = self
            .client
            .get_object_retention()
            .bucket(&self.bucket)
            .key(self.full(key.as_str()))
            .version_id(&version.0)
            .send()
            .await;
        match answer.map_err(|error| Trouble::of(&error)) {
            Ok(answer) => match answer.retention {
                Some(retention) => self.lock_in(key, &retention),
                None => Ok(Lock::NONE),
            },
            // A bucket without Object Lock answers that the request is invalid.
            Err(trouble) if trouble.is_unset() || trouble.code() == Some("InvalidRequest") => Ok(Lock::NONE),
            Err(trouble) => Err(self.explain_version("reading the lock", key, version, trouble)),
        }
    }

    pub async fn get(&self, key: &ObjectKey, version: &VersionId, limit: u64) -> Result<Bytes, VaultError> {
        match tokio::time::timeout(DOWNLOAD_TIMEOUT, self.download(key, version, limit)).await {
            Ok(result) => result,
            Err(timeout) => Err(self.unreachable(format!("downloading `{key}`: {timeout}"))),
        }
    }

    async fn download(&self, key: &ObjectKey, version: &VersionId, limit: u64) -> Result<Bytes, VaultError> {
        let too_large = || VaultError::TooLarge { vault: self.vault.clone(), key: key.clone(), limit };
        let mut answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.full(key.as_str()))
            .version_id(&version.0)
            .send()
            .await
            .map_err(|error| self.explain_version("download", key, version, Trouble::of(&error)))?;
        let announced = answer.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0);
        if announced > limit {
            return Err(too_large());
        }
        let mut body = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
        while let Some(chunk) = answer.body.next().await {
            let chunk = chunk.map_err(|error| {
                self.unreachable(format!("the answer with `{key}` broke off: {}", answer::innermost(&error)))
            })?;
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// When a lock by header ends: the term counted from whichever clock is ahead, ours or the server's.
    async fn lock_end(&self) -> Result<Timestamp, VaultError> {
        if self.server_clock.lead().is_none() {
            self.ask_the_time().await?;
        }
        let lead = self.server_clock.lead().unwrap_or(SignedDuration::ZERO);
        if lead.abs() > SKEW_MAX {
            let why = format!("the server's clock is {} s from ours: no lock is computed from either", lead.as_secs());
            return Err(VaultError::Unusable { vault: self.vault.clone(), why });
        }
        let now = self.clock.now() + lead.max(SignedDuration::ZERO);
        Ok(round_up(self.term.ends(now) + SKEW_MARGIN))
    }

    /// Any answer tells the time, a refusal too. Without this the first lock would trust our clock alone, because the
    /// SDK corrects a skewed signature in silence but cannot know of the date in the lock header.
    async fn ask_the_time(&self) -> Result<(), VaultError> {
        let answer = self.client.get_bucket_versioning().bucket(&self.bucket).send().await;
        // Whatever else is wrong, the PUT that follows says it better.
        if let Err(Trouble::Unreachable(why)) = answer.map_err(|error| Trouble::of(&error)) {
            return Err(self.unreachable(why));
        }
        Ok(())
    }

    fn lock_in(&self, key: &ObjectKey, retention: &ObjectLockRetention) -> Result<Lock, VaultError> {
        let unreadable = |what: String| self.explain("reading the lock", key.as_str(), Trouble::unreadable(what));
        let (Some(mode), Some(until)) = (&retention.mode, &retention.retain_until_date) else { return Ok(Lock::NONE) };
        let mode = match mode {
            ObjectLockRetentionMode::Compliance => LockMode::Compliance,
            ObjectLockRetentionMode::Governance => LockMode::Governance,
            unknown => return Err(unreadable(format!("lock mode `{unknown}` is unknown"))),
        };
        let until = timestamp(until).ok_or_else(|| unreadable(format!("{until:?} is no date")))?;
        Ok(Lock { mode, until: Some(until) })
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn unreachable(&self, why: String) -> VaultError {
        VaultError::Unreachable { vault: self.vault.clone(), endpoint: self.endpoint.clone(), why }
    }

    fn explain(&self, action: &'static str, key: &str, trouble: Trouble) -> VaultError {
        let (vault, key) = (self.vault.clone(), key.to_owned());
        match trouble {
            Trouble::Unreachable(why) => self.unreachable(why),
            Trouble::NoBucket => {
                VaultError::NoSuchVault { vault, place: format!("bucket `{}` at {}", self.bucket, self.endpoint) }
            }
            Trouble::Denied { why, .. } => VaultError::Denied { vault, action, key, why },
            Trouble::Refused { why, .. } => VaultError::Failed { vault, action, key, why },
        }
    }

    fn explain_version(
        &self,
        action: &'static str,
        key: &ObjectKey,
        version: &VersionId,
        trouble: Trouble,
    ) -> VaultError {
        if trouble.is_missing() {
            return VaultError::Missing { vault: self.vault.clone(), key: key.clone(), version: version.clone() };
        }
        self.explain(action, key.as_str(), trouble)
    }
}

fn timestamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}
