//! promise: what a lock must be like: when it is given, when an earlier deposit is referred to, and when it is read back.

use crate::{
    clock::{SignedDuration, Timestamp},
    manifest::LockMode,
    term::Term,
    vault::Lock,
};

/// A server answers, then we read its Date header: the lock may end this much before our reckoning.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// Until when everything that a backup begun at `from` refers to must be locked: the term, less the slack after which
/// segments are sent anew although the vault holds them.
pub fn promised(term: Term, slack: SignedDuration, from: Timestamp) -> Timestamp {
    term.ends(from) - slack
}

/// What is wrong with the lock of a deposit just made, if anything is. A directory may be without a lock, which is
/// named wherever the backup is shown; an S3 vault may not.
pub fn fault(lock: Lock, placed_at: Timestamp, term: Term, directory: bool) -> Option<String> {
    match (lock.mode, lock.until) {
        (LockMode::None, _) if directory => None,
        (LockMode::None, _) => Some("it has no lock".to_owned()),
        (LockMode::Governance, _) => Some("its lock is GOVERNANCE, which can be bypassed".to_owned()),
        (_, None) => Some("its lock has no end".to_owned()),
        (_, Some(until)) => {
            let promised = term.ends(placed_at);
            (until < promised - TOLERANCE).then(|| format!("its lock ends at {until}, before {promised}"))
        }
    }
}

/// Does a lock that was read back hold what it is on until `promised`, as strongly as a deposit of today?
pub fn covers(lock: Lock, promised: Timestamp, directory: bool) -> bool {
    let strong = match lock.mode {
        LockMode::Compliance => true,
        LockMode::ImmutableFlag | LockMode::None => directory,
        LockMode::Governance => false,
    };
    strong && lock.until.is_some_and(|until| until >= promised)
}

/// In what a lock, read back today, falls short: of `receipt`, the lock as it was read when it was given, and of the
/// end that the vault's term promises. A directory whose receipts say that nothing holds it is no worse for that.
pub fn shortfall(lock: Lock, receipt: Lock, promised: Timestamp, directory: bool) -> Option<String> {
    let needed = match (receipt.mode, directory) {
        (LockMode::None, true) => return None,
        (LockMode::ImmutableFlag, true) => LockMode::ImmutableFlag,
        _ => LockMode::Compliance,
    };
    if lock.mode == LockMode::None {
        return Some("has no lock".to_owned());
    }
    if lock.mode > needed {
        return Some(format!("has a lock of mode {}, which can be bypassed", lock.mode));
    }
    let Some(until) = lock.until else { return Some("has a lock without an end".to_owned()) };
    match receipt.until {
        Some(receipt) if until < receipt => {
            Some(format!("is locked until {until}, and was until {receipt} when it was given"))
        }
        _ => (until < promised).then(|| format!("is locked until {until}, and {promised} is promised")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_lock_that_falls_short_in_any_way_is_a_fault() {
        let now = at("2026-11-21T12:00:00Z");
        let term: Term = "35d".parse().unwrap();
        let end = term.ends(now);
        let found = |mode, until| fault(Lock { mode, until }, now, term, false);
        assert_eq!(found(LockMode::Compliance, Some(end)), None);
        assert_eq!(found(LockMode::Compliance, Some(end - SignedDuration::from_secs(59))), None);
        assert!(found(LockMode::Compliance, Some(end - SignedDuration::from_secs(61))).is_some());
        assert!(found(LockMode::Compliance, None).is_some());
        assert!(found(LockMode::Governance, Some(end)).is_some());
        assert!(found(LockMode::None, None).is_some());
        let directory = |mode, until| fault(Lock { mode, until }, now, term, true);
        assert_eq!(directory(LockMode::None, Some(end)), None);
        assert!(directory(LockMode::ImmutableFlag, Some(now)).is_some());
    }

    #[test]
    fn an_earlier_deposit_is_referred_to_only_under_a_lock_that_covers_the_promise() {
        let promised = at("2026-12-19T12:00:00Z");
        let covered = |mode, until| covers(Lock { mode, until }, promised, false);
        assert!(covered(LockMode::Compliance, Some(promised)));
        assert!(!covered(LockMode::Compliance, Some(promised - SignedDuration::from_secs(1))));
        assert!(!covered(LockMode::Compliance, None));
        assert!(!covered(LockMode::Governance, Some(promised)));
        assert!(!covered(LockMode::None, Some(promised)));
        assert!(covers(Lock { mode: LockMode::ImmutableFlag, until: Some(promised) }, promised, true));
        assert!(covers(Lock { mode: LockMode::None, until: Some(promised) }, promised, true));
        assert!(!covers(Lock::NONE, promised, true));
    }

    #[test]
    fn a_lock_read_back_is_short_of_its_receipt_or_of_the_promise() {
        let (promised, given) = (at("2026-12-19T12:00:00Z"), at("2026-12-26T12:00:00Z"));
        let lock = |mode, until| Lock { mode, until };
        let (strong, flag) = (LockMode::Compliance, LockMode::ImmutableFlag);
        let receipt = lock(strong, Some(given));
        let bucket = |read| shortfall(read, receipt, promised, false);
        assert_eq!(bucket(receipt), None);
        assert_eq!(bucket(lock(strong, Some(at("2099-01-01T00:00:00Z")))), None);
        assert!(bucket(lock(strong, Some(promised))).unwrap().contains("and was until"));
        assert!(bucket(lock(LockMode::Governance, Some(given))).unwrap().contains("GOVERNANCE"));
        assert!(bucket(Lock::NONE).unwrap().contains("no lock"));
        // A receipt of a thief's own making lowers nothing.
        let early = lock(strong, Some(at("2026-11-22T12:00:00Z")));
        assert!(shortfall(early, early, promised, false).unwrap().contains("is promised"));
        assert!(shortfall(Lock::NONE, Lock::NONE, promised, false).is_some());
        let weak = lock(LockMode::Governance, Some(given));
        assert!(shortfall(weak, weak, promised, false).is_some());

        let directory = |read, receipt| shortfall(read, receipt, promised, true);
        assert_eq!(directory(Lock::NONE, Lock::NONE), None);
        assert_eq!(directory(lock(flag, Some(given)), lock(flag, Some(given))), None);
        assert!(directory(Lock::NONE, lock(flag, Some(given))).is_some());
    }
}
