//! protection: what a bucket says of its versioning, its Object Lock and its lifecycle.

use super::{Bucket, answer::Trouble, lifecycle};
use crate::{
    term::{self, Term},
    vault::{About, Fault, LockPolicy, Note, Protection, VaultError},
};
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        BucketVersioningStatus, DefaultRetention, LifecycleRule, ObjectLockConfiguration, ObjectLockEnabled,
        ObjectLockRetentionMode,
    },
};

/// One setting of a bucket, as far as this role may know it.
enum Setting<T> {
    Read(T),
    Unset,
    /// Why it could not be read: nothing is known, good or bad.
    Unknown(String),
}

impl Bucket {
    pub async fn protection(&self) -> Result<Protection, VaultError> {
        let mut found = Protection { faults: Vec::new(), notes: Vec::new(), clock_skew_secs: None };
        self.judge_versioning(&mut found).await?;
        self.judge_lock(&mut found).await?;
        self.judge_lifecycle(&mut found).await?;
        found.clock_skew_secs = self.server_clock.lead().map(|lead| lead.as_secs());
        Ok(found)
    }

    async fn judge_versioning(&self, found: &mut Protection) -> Result<(), VaultError> {
        let answer = self.client.get_bucket_versioning().bucket(&self.bucket).send().await;
        match self.setting(answer)? {
            Setting::Read(versioning) if versioning.status == Some(BucketVersioningStatus::Enabled) => {}
            Setting::Read(_) | Setting::Unset => found.faults.push(Fault::NotVersioned),
            Setting::Unknown(why) => found.notes.push(unverified("versioning", &why)),
        }
        Ok(())
    }

    async fn judge_lock(&self, found: &mut Protection) -> Result<(), VaultError> {
        let answer = self.client.get_object_lock_configuration().bucket(&self.bucket).send().await;
        let configuration = match self.setting(answer)? {
            Setting::Read(answer) => answer.object_lock_configuration,
            Setting::Unset => None,
            Setting::Unknown(why) => {
                found.notes.push(unverified("Object Lock settings", &why));
                return Ok(());
            }
        };
        let enabled = |lock: &ObjectLockConfiguration| lock.object_lock_enabled == Some(ObjectLockEnabled::Enabled);
        let Some(configuration) = configuration.filter(enabled) else {
            found.faults.push(Fault::NoObjectLock);
            return Ok(());
        };
        let default = configuration.rule.and_then(|rule| rule.default_retention);
        judge_default(self.lock, self.term, default.as_ref(), found);
        Ok(())
    }

    async fn judge_lifecycle(&self, found: &mut Protection) -> Result<(), VaultError> {
        let answer = self.client.get_bucket_lifecycle_configuration().bucket(&self.bucket).send().await;
        match self.setting(answer)? {
            Setting::Read(answer) => self.judge_rules(answer.rules(), found),
            Setting::Unset => self.judge_rules(&[], found),
            Setting::Unknown(why) => found.notes.push(unverified("lifecycle rules", &why)),
        }
        Ok(())
    }

    fn judge_rules(&self, rules: &[LifecycleRule], found: &mut Protection) {
        let notes = lifecycle::notes(rules, &self.prefix, self.term);
        found.notes.extend(notes.into_iter().map(|text| Note::new(About::Lifecycle, text)));
    }

    /// A denial, or a server without the call, leaves a setting unknown; a credential that the server does not accept
    /// at all is an error, as is a server that does not answer.
    fn setting<T, E>(&self, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<Setting<T>, VaultError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let trouble = match answer {
            Ok(setting) => return Ok(Setting::Read(setting)),
            Err(error) => Trouble::of(&error),
        };
        match trouble {
            trouble if trouble.is_unset() => Ok(Setting::Unset),
            Trouble::Refused { why, .. } => Ok(Setting::Unknown(why)),
            Trouble::Denied { ref why, .. } if trouble.is_mere_denial() => Ok(Setting::Unknown(why.clone())),
            trouble => Err(self.explain("reading the settings", &self.bucket, trouble)),
        }
    }
}

fn unverified(what: &str, why: &str) -> Note {
    Note::new(About::Unverified, format!("could not read the bucket's {what} ({why}): not verified"))
}

fn judge_default(policy: LockPolicy, term: Term, default: Option<&DefaultRetention>, found: &mut Protection) {
    let mode = default.and_then(|default| default.mode.as_ref());
    let days = default.and_then(days_of);
    let (Some(mode), Some(days)) = (mode, days) else {
        if policy == LockPolicy::BucketDefault {
            found.faults.push(Fault::NoDefaultRetention);
        }
        return;
    };
    let governance = *mode != ObjectLockRetentionMode::Compliance;
    if policy == LockPolicy::PerObject {
        // Our headers override the default; whatever comes without headers gets the weaker lock.
        if governance {
            let text = format!("the bucket's default retention is {mode}, which the lock on each PUT overrides");
            found.notes.push(Note::new(About::Nature, text));
        }
        return;
    }
    if governance {
        found.faults.push(Fault::Governance);
    }
    if days < i64::from(term.days()) {
        found.faults.push(Fault::ShorterThanTerm { found_days: days, term });
    } else if days > i64::from(term::DAYS_MAX) {
        found.faults.push(Fault::BeyondReason { found_days: days });
    } else if days > i64::from(term.days()) {
        let text = format!("the bucket's default retention is {days} days, longer than the term of {term}");
        found.notes.push(Note::new(About::Nature, text));
    }
}

/// Servers count a year as 365 days.
fn days_of(default: &DefaultRetention) -> Option<i64> {
    default.days.map(i64::from).or_else(|| default.years.map(|years| i64::from(years) * 365))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(policy: LockPolicy, default: Option<DefaultRetention>) -> (Vec<Fault>, usize) {
        let mut found = Protection { faults: Vec::new(), notes: Vec::new(), clock_skew_secs: None };
        judge_default(policy, term(), default.as_ref(), &mut found);
        (found.faults, found.notes.len())
    }

    fn term() -> Term {
        "35d".parse().unwrap()
    }

    fn days(mode: ObjectLockRetentionMode, days: i32) -> Option<DefaultRetention> {
        Some(DefaultRetention::builder().mode(mode).days(days).build())
    }

    #[test]
    fn only_a_compliance_default_of_at_least_the_term_is_a_vault() {
        use ObjectLockRetentionMode::{Compliance, Governance};
        let by_default = |default| judged(LockPolicy::BucketDefault, default);
        let shorter = |found_days| Fault::ShorterThanTerm { found_days, term: term() };
        assert_eq!(by_default(days(Compliance, 35)), (vec![], 0));
        assert_eq!(by_default(days(Compliance, 36)), (vec![], 1));
        assert_eq!(by_default(None), (vec![Fault::NoDefaultRetention], 0));
        assert_eq!(by_default(days(Compliance, 0)), (vec![shorter(0)], 0));
        assert_eq!(by_default(days(Governance, 34)), (vec![Fault::Governance, shorter(34)], 0));
        assert_eq!(by_default(days(Compliance, 200_000)), (vec![Fault::BeyondReason { found_days: 200_000 }], 0));
        let ten_years = DefaultRetention::builder().mode(Compliance).years(10).build();
        assert_eq!(by_default(Some(ten_years)), (vec![], 1));
    }

    #[test]
    fn headers_on_each_put_need_no_default() {
        let per_object = |default| judged(LockPolicy::PerObject, default);
        assert_eq!(per_object(None), (vec![], 0));
        assert_eq!(per_object(days(ObjectLockRetentionMode::Compliance, 1)), (vec![], 0));
        assert_eq!(per_object(days(ObjectLockRetentionMode::Governance, 1)), (vec![], 1));
    }
}
