//! watched: what a vault turned out to hold, judged: findings, locks, clocks, credentials, and looks that failed.

use super::elapsed;
use crate::{
    clock::{SignedDuration, Timestamp},
    finding::{Finding, FindingKind, Gravity},
    health::{Facts, Problem, VaultFacts, VaultWatched},
};

/// Clocks that differ by more make locks end at other times than anybody thinks.
const SKEW_SECS_MAX: u64 = 60;
/// Time enough for a custodian to make a new credential.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

pub(super) fn problems(now: Timestamp, facts: &Facts, vault: &VaultFacts) -> Vec<Problem> {
    let Some(watched) = &vault.watched else { return Vec::new() };
    let name = || vault.vault.clone();
    let mut problems = Vec::new();
    problems.extend(unconfirmed(now, facts, &vault.vault, watched));
    let of = |belongs: fn(&Finding) -> bool| -> Vec<String> {
        watched.findings.iter().filter(|finding| belongs(finding)).map(ToString::to_string).collect()
    };
    let loss = of(|finding| finding.gravity() == Gravity::Loss);
    if !loss.is_empty() {
        problems.push(Problem::Loss { vault: name(), findings: loss });
    }
    let short = of(|finding| finding.kind == FindingKind::LockShort);
    if !short.is_empty() {
        problems.push(Problem::LockShort { vault: name(), objects: short });
    }
    let weakened = of(|finding| finding.gravity() == Gravity::Weakness && finding.kind != FindingKind::LockShort);
    if !weakened.is_empty() {
        problems.push(Problem::VaultWeakened { vault: name(), findings: weakened });
    }
    let tampered = of(|finding| finding.gravity() == Gravity::Tampering);
    if !tampered.is_empty() {
        problems.push(Problem::Tampered { vault: name(), findings: tampered });
    }
    if let Some(secs) = watched.clock_skew_secs.filter(|secs| secs.unsigned_abs() > SKEW_SECS_MAX) {
        problems.push(Problem::ClockSkew { vault: name(), secs });
    }
    if let Some(expires_at) = watched.credential_expires_at {
        let left = elapsed(now, expires_at);
        if left < EXPIRES_SOON {
            problems.push(Problem::CredentialExpires { vault: name(), left });
        }
    }
    problems
}

/// The newest look was not complete, or there was none for too long.
fn unconfirmed(now: Timestamp, facts: &Facts, vault: &str, watched: &VaultWatched) -> Option<Problem> {
    let age = elapsed(watched.confirmed_at.unwrap_or(facts.expected_since), now);
    let too_old = watched.confirmed_within.is_some_and(|within| age > within);
    let why = watched.unverified.as_ref().map(|unverified| unverified.why.clone());
    let confirmed = watched.confirmed_at.is_some();
    (too_old || why.is_some()).then(|| Problem::Unconfirmed { vault: vault.to_owned(), age, confirmed, why, too_old })
}
