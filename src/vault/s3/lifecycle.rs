//! lifecycle: whether the bucket's own rules remove what has lapsed, and nothing sooner.
//!
//! Nothing of ours deletes. A lock holds against every lifecycle rule, so a wrong rule costs money or hides backups
//! from listings; it cannot destroy them. All findings here are notes.

use crate::term::Term;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};

/// Between the end of the lock and the rule that hides the lapsed version: servers round to midnight, up to two days.
const SLACK_DAYS: u32 = 2;

/// What is worth knowing of `rules`, as they touch keys below `prefix`.
pub fn notes(rules: &[LifecycleRule], prefix: &str, term: Term) -> Vec<String> {
    let ours: Vec<&LifecycleRule> =
        rules.iter().filter(|rule| rule.status == ExpirationStatus::Enabled && touches(rule, prefix)).collect();
    let needed = term.days() + SLACK_DAYS;
    let mut notes = Vec::new();
    let expires = ours.iter().any(|rule| expiration_days(rule).is_some());
    let collects = ours.iter().any(|rule| rule.noncurrent_version_expiration.is_some());
    if !(expires && collects) {
        notes.push(format!(
            "no lifecycle rule removes what has lapsed, so it stays and costs: set Expiration {needed} days with \
             NoncurrentVersionExpiration 1 day, and ExpiredObjectDeleteMarker in a second rule"
        ));
    }
    for rule in ours {
        let id = rule.id.as_deref().unwrap_or("without a name");
        if let Some(days) = expiration_days(rule).filter(|&days| days < i64::from(needed)) {
            notes.push(format!(
                "lifecycle rule {id} expires objects after {days} days: they vanish from listings before their lock \
                 ends; {needed} days would not hide them"
            ));
        }
        if !rule.transitions().is_empty() || !rule.noncurrent_version_transitions().is_empty() {
            notes.push(format!("lifecycle rule {id} moves objects to another storage class: a restore may wait hours"));
        }
    }
    notes
}

fn expiration_days(rule: &LifecycleRule) -> Option<i64> {
    Some(i64::from(rule.expiration.as_ref()?.days?))
}

/// A rule for a longer prefix touches part of ours, one for a shorter prefix all of it.
#[expect(deprecated, reason = "old rules, and Ceph's answers, still have their prefix outside the filter")]
fn touches(rule: &LifecycleRule, ours: &str) -> bool {
    let filter = rule.filter.as_ref();
    let of_filter = filter.and_then(|filter| filter.prefix.as_ref().or_else(|| filter.and.as_ref()?.prefix.as_ref()));
    let theirs = of_filter.or(rule.prefix.as_ref()).map_or("", String::as_str);
    theirs.starts_with(ours) || ours.starts_with(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{LifecycleExpiration, LifecycleRuleFilter, NoncurrentVersionExpiration};

    fn rule(prefix: &str, days: i32) -> LifecycleRule {
        LifecycleRule::builder()
            .id("lapse")
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
            .expiration(LifecycleExpiration::builder().days(days).build())
            .noncurrent_version_expiration(NoncurrentVersionExpiration::builder().noncurrent_days(1).build())
            .build()
            .unwrap()
    }

    #[test]
    fn the_rule_that_is_needed_leaves_no_note() {
        let term: Term = "35d".parse().unwrap();
        assert_eq!(notes(&[rule("", 37)], "acme/", term), [""; 0]);
        assert_eq!(notes(&[rule("acme/", 40)], "acme/", term), [""; 0]);
    }

    #[test]
    fn a_rule_that_is_missing_elsewhere_or_too_early_is_noted() {
        let term: Term = "35d".parse().unwrap();
        for rules in [vec![], vec![rule("other/", 37)]] {
            let notes = notes(&rules, "acme/", term);
            assert_eq!(notes.len(), 1);
            assert!(notes[0].contains("Expiration 37 days"), "{notes:?}");
        }
        assert!(notes(&[rule("", 5)], "acme/", term)[0].contains("after 5 days"));
    }
}
