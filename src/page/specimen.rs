//! specimen: made-up sources in every state, with a past, to look at pages with.

use crate::{
    clock::{SignedDuration, Timestamp},
    finding::{Finding, FindingKind},
    health::{
        DiskFacts, DrillFacts, Facts, Objectives, SealedFacts, Sighting, Story, Unverified, VaultFacts, VaultWatched,
    },
    layout::{BackupId, SourceName},
    manifest::LockMode,
    proof::{DrillOutcome, DrillReport, specimen},
    run::{Bytes, End, Outcome, Phase, Record, Trigger},
    term::parse_span,
};
use std::collections::BTreeMap;

pub fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub fn span(text: &str) -> SignedDuration {
    parse_span(text).unwrap()
}

pub fn ago(text: &str) -> Timestamp {
    now() - span(text)
}

pub fn id(snapshot_at: Timestamp) -> BackupId {
    BackupId::new(snapshot_at, (snapshot_at.as_second() as u32).wrapping_mul(2_654_435_761).to_be_bytes())
}

pub fn sealed(snapshot_at: Timestamp) -> SealedFacts {
    let sealed_at = snapshot_at + span("2m");
    SealedFacts {
        backup: id(snapshot_at),
        snapshot_at,
        sealed_at,
        lock: LockMode::Compliance,
        locked_until: Some(sealed_at + span("35d")),
        packed_bytes: 217_589_391,
    }
}

/// A vault whose newest backup is so old, and was confirmed.
pub fn vault(name: &str, age: &str) -> VaultFacts {
    VaultFacts {
        vault: name.to_owned(),
        every: None,
        last_sealed: Some(sealed(ago(age))),
        last_good: Some(sealed(ago(age))),
        failing: None,
        watched: Some(VaultWatched {
            last_confirmed: Some(sealed(ago(age))),
            confirmed_at: Some(ago("2m")),
            clock_skew_secs: Some(1),
            ..VaultWatched::default()
        }),
    }
}

pub fn record(source: &str, age: &str, outcome: Outcome, why: Option<&str>) -> Record {
    let started_at = ago(age);
    let end = End {
        at: started_at + SignedDuration::from_secs(93),
        outcome,
        why: why.map(str::to_owned),
        bytes: Bytes { read: 1_062_000_000, packed: 217_589_391, sent: 22_400_000, reused: 195_189_391 },
        rows: 10_164_532,
        tables: 142,
        segments: 37,
    };
    let (source, phase) = (source.parse().unwrap(), Phase::Sealing);
    Record { source, backup: None, trigger: Trigger::Slot(started_at), started_at, phase, ended: Some(end) }
}

fn drills(last: DrillReport, last_passed: Option<DrillReport>) -> DrillFacts {
    DrillFacts {
        expected_since: ago("90d"),
        last: Some(last),
        last_passed,
        failed: None,
        stuck_since: None,
        running_since: None,
        next_at: Some(now() + span("15h")),
        disk: Some(DiskFacts { free_bytes: 80 << 30, needed_bytes: 3 << 30 }),
    }
}

/// All that a watcher knows of a source with which nothing is wrong.
pub fn good(name: &str) -> Facts {
    let report = DrillReport { source: name.parse().unwrap(), ..specimen::passed() };
    Facts {
        source: name.parse().unwrap(),
        objectives: Objectives {
            recovery_point: Some(span("30m")),
            proven_within: Some(span("24h")),
            recovery_time: Some(span("1h")),
        },
        needed: 1,
        expected_since: ago("100d"),
        vaults: vec![vault("offsite", "7m"), VaultFacts { every: Some(span("1mo")), ..vault("archive", "9d") }],
        last_run: Some(record(name, "7m", Outcome::Sealed, None)),
        running_since: None,
        next_run_at: Some(now() + span("8m")),
        suspicions: Vec::new(),
        drills: Some(drills(report.clone(), Some(report))),
    }
}

fn failing() -> Facts {
    let mut facts = good("ledger");
    let why = "the last of 5 attempts: connection refused (10.0.0.17:443)";
    facts.vaults = vec![vault("offsite", "12m"), VaultFacts { failing: Some(why.into()), ..vault("elsewhere", "3d") }];
    facts.vaults[1].watched = Some(VaultWatched {
        last_confirmed: Some(sealed(ago("3d"))),
        confirmed_at: Some(ago("3d")),
        unverified: Some(Unverified { since: ago("71h"), why: "connection refused (10.0.0.17:443)".into() }),
        clock_skew_secs: Some(-340),
        credential_expires_at: Some(now() + span("6d")),
        ..VaultWatched::default()
    });
    let yesterday = DrillReport { started_at: ago("33h"), ended_at: ago("32h"), ..specimen::passed() };
    facts.drills = Some(drills(specimen::failed(), Some(DrillReport { snapshot_at: Some(ago("34h")), ..yesterday })));
    facts.last_run = Some(record("ledger", "12m", Outcome::SomeFailed, None));
    facts
}

fn suspect() -> Facts {
    let mut facts = good("crm");
    facts.vaults.truncate(1);
    facts.vaults[0].last_sealed = Some(sealed(ago("7m")));
    facts.vaults[0].last_good = Some(sealed(ago("22m")));
    facts.suspicions = vec![
        "public.contacts has lost all of its 48112 rows".into(),
        "public.notes is gone (9120 rows in the last good backup)".into(),
    ];
    facts.last_run = Some(record("crm", "7m", Outcome::Suspect, None));
    facts
}

fn overdue() -> Facts {
    let mut facts = good("analytics");
    facts.objectives.recovery_point = Some(span("25h"));
    facts.objectives.recovery_time = None;
    facts.vaults = vec![vault("offsite", "31h")];
    facts.last_run = Some(record("analytics", "31h", Outcome::Sealed, None));
    let mut drills = drills(specimen::could_not_run(), None);
    drills.disk = Some(DiskFacts { free_bytes: 80 << 30, needed_bytes: 412 << 30 });
    facts.drills = Some(drills);
    facts
}

/// Its vault was attacked by somebody who names objects as he likes.
pub fn unprotected() -> Facts {
    let mut facts = good("billing");
    facts.needed = 2;
    facts.vaults = vec![
        vault("offsite", "9m"),
        VaultFacts { failing: Some("denied: PutObject".into()), ..vault("archive", "40d") },
    ];
    facts.vaults[1].last_good = None;
    facts.vaults[1].last_sealed = None;
    facts.vaults[1].watched = Some(VaultWatched { confirmed_at: Some(ago("2m")), ..VaultWatched::default() });
    let gone = id(ago("4d"));
    let watched = facts.vaults[0].watched.as_mut().unwrap();
    watched.findings = vec![
        Finding::new(
            FindingKind::Vanished,
            format!("v1/billing/backups/{gone}/manifest.json"),
            "was seen 2026-11-17 12:02:00 UTC and is gone; it is locked until 2026-12-22",
        ),
        Finding::new(
            FindingKind::LockShort,
            "v1/billing/segments/9f1c0a4477ab33de0192837465abcdef00112233.zst.age",
            "is locked until 2026-11-24, and 2026-12-20 was promised",
        ),
        Finding::new(FindingKind::UnknownObject, HOSTILE, "was written 2026-11-20 03:12:55 UTC"),
    ];
    watched.findings.extend((0..31).map(|n| {
        Finding::new(
            FindingKind::Marker,
            format!("v1/billing/segments/{n:040x}.zst.age"),
            "has a delete marker of 2026-11-20 03:12:57 UTC",
        )
    }));
    facts.suspicions = vec!["public.invoices fell from 81240 rows to 12".into()];
    facts.vaults[0].last_sealed = Some(sealed(ago("2m")));
    facts
}

/// What a page must not take for its own.
pub const HOSTILE: &str = "v1/<script>document.title='owned'</script><img src=x onerror=alert(1)>&amp;\u{202e}\"'`</p>";

/// A source on its first day, before its first backup.
pub fn waiting() -> Facts {
    let mut facts = good("newcomer");
    facts.expected_since = ago("4m");
    for vault in &mut facts.vaults {
        (vault.last_sealed, vault.last_good, vault.watched) = (None, None, Some(VaultWatched::default()));
    }
    facts.last_run = None;
    facts.drills = Some(DrillFacts {
        expected_since: ago("4m"),
        last: None,
        last_passed: None,
        failed: None,
        stuck_since: None,
        running_since: None,
        next_at: Some(now() + span("15h")),
        disk: None,
    });
    facts
}

/// As the depositor's daemon knows it.
pub fn unwatched(mut facts: Facts) -> Facts {
    facts.drills = None;
    facts.vaults.iter_mut().for_each(|vault| vault.watched = None);
    facts
}

pub fn several() -> Vec<Facts> {
    vec![good("app"), failing(), suspect(), overdue(), unprotected(), waiting()]
}

/// A backup each `every` for so many days; all but the newest confirmed, one a day proven.
pub fn story(source: &str, days: i64, every: &str) -> Story {
    let every = span(every);
    let count = days * 86_400 / every.as_secs();
    let mut story = Story::default();
    for back in (0..count).rev() {
        let snapshot_at = ago("7m") - every * i32::try_from(back).unwrap();
        let facts = sealed(snapshot_at);
        let daily = snapshot_at.as_second() % 86_400 < every.as_secs() && back > 0;
        let wave = (back % 41) as f64 / 41.0;
        story.sightings.push(Sighting {
            vault: "offsite".into(),
            backup: facts.backup,
            sequence: (count - back) as u64,
            snapshot_at,
            sealed_at: facts.sealed_at,
            took: SignedDuration::from_secs_f64(70.0 + 40.0 * wave),
            packed_bytes: (217_589_391.0 * (1.0 - back as f64 / count as f64 / 9.0)) as u64,
            lock: facts.lock,
            locked_until: facts.locked_until,
            suspect: false,
            confirmed_at: (back > 0).then_some(facts.sealed_at + span("4m")),
            proven_at: daily.then_some(facts.sealed_at + span("2h")),
            gone_at: None,
        });
    }
    for day in (0..days).rev() {
        let started_at = ago("8h") - span("1d") * i32::try_from(day).unwrap();
        let report = DrillReport {
            source: source.parse().unwrap(),
            started_at,
            ended_at: started_at + span("9m"),
            ..specimen::passed()
        };
        story.drills.push(DrillReport { restore_seconds: Some(380.0 + 13.0 * (day * 7 % 11) as f64), ..report });
    }
    story
}

/// The pasts of [`several`].
pub fn stories() -> BTreeMap<SourceName, Story> {
    let mut stories = BTreeMap::new();
    let mut tell = |name: &str, story: Story| drop(stories.insert(name.parse().unwrap(), story));
    tell("app", story("app", 14, "15m"));
    let mut ledger = story("ledger", 14, "1h");
    for (back, outcome) in [(1, DrillOutcome::Failed), (5, DrillOutcome::CouldNotRun)] {
        let at = ledger.drills.len() - back;
        let drill = &mut ledger.drills[at];
        drill.outcome = outcome;
        drill.restore_seconds = (outcome == DrillOutcome::Failed).then_some(4_210.0);
    }
    tell("ledger", ledger);
    let mut crm = story("crm", 2, "15m");
    crm.sightings.last_mut().unwrap().suspect = true;
    tell("crm", crm);
    let mut analytics = story("analytics", 30, "1d");
    analytics.sightings.iter_mut().for_each(|seen| seen.proven_at = None);
    analytics
        .drills
        .iter_mut()
        .for_each(|drill| (drill.outcome, drill.restore_seconds) = (DrillOutcome::CouldNotRun, None));
    tell("analytics", analytics);
    let mut billing = story("billing", 14, "6h");
    billing.sightings[40].gone_at = Some(ago("1h"));
    billing.sightings[41].gone_at = Some(ago("1h"));
    billing.sightings.last_mut().unwrap().suspect = true;
    tell("billing", billing);
    stories
}
