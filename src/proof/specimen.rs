//! specimen: made-up reports of each outcome, as rich as one may be.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn passed() -> DrillReport {
    let backup: BackupId = "20261121T024500Z-5f2a9c01".parse().unwrap();
    DrillReport {
        format: FORMAT,
        drill: "20261121T033012Z-0badc0de".parse().unwrap(),
        source: "app".parse().unwrap(),
        vault: "offsite".into(),
        outcome: DrillOutcome::Passed,
        differences: Vec::new(),
        reason: None,
        hint: None,
        manifest: Some(Blake3::of(backup.as_str().as_bytes())),
        backup: Some(backup),
        sequence: Some(41_207),
        snapshot_at: Some(at("2026-11-21T02:45:01.25Z")),
        sealed_at: Some(at("2026-11-21T02:47:31Z")),
        suspect: Vec::new(),
        started_at: at("2026-11-21T03:30:12Z"),
        ended_at: at("2026-11-21T03:38:55Z"),
        restore_seconds: Some(412.5),
        recovery_time_objective_seconds: Some(3_600),
        recovery_point_age_seconds: Some(2_711),
        packed_bytes: Some(217_589_391),
        compared: Compared {
            tables: 142,
            rows: 10_164_532,
            sequences: 61,
            large_objects: 12,
            extensions: 4,
            roles: 9,
            definitions: 817,
            checks: 2,
        },
        confinement: Some(Confinement::Bubblewrap),
        server: Some("PostgreSQL 17.12".into()),
        notes: vec!["subscription `replica`: not restored, for it would connect to another server".into()],
        strongroom: "0.1.0".into(),
        host: "drill-1".into(),
    }
}

pub fn failed() -> DrillReport {
    DrillReport {
        drill: "20261121T043000Z-0badf00d".parse().unwrap(),
        source: "ledger".parse().unwrap(),
        outcome: DrillOutcome::Failed,
        differences: vec![
            "public.entries: 812441 rows in the backup, 812440 restored".into(),
            "public.accounts: 5120 rows, and not the same ones".into(),
            "sequence public.entries_id_seq: 812441 in the backup, 812440 restored".into(),
            "check `SELECT count(*) > 0 FROM entries WHERE posted`: not true".into(),
        ],
        restore_seconds: Some(4_210.0),
        confinement: Some(Confinement::OtherUser),
        suspect: vec!["1 table has lost all of its rows".into()],
        notes: Vec::new(),
        ..passed()
    }
}

pub fn could_not_run() -> DrillReport {
    DrillReport {
        drill: "20261121T053000Z-00c0ffee".parse().unwrap(),
        source: "analytics".parse().unwrap(),
        outcome: DrillOutcome::CouldNotRun,
        reason: Some("no room for the scratch server: 412.0 GiB are needed and 80.5 GiB are free".into()),
        hint: Some("Give `scratch_dir` of [drill] a larger disk, or raise `disk`.".into()),
        ended_at: at("2026-11-21T03:30:14Z"),
        restore_seconds: None,
        recovery_time_objective_seconds: None,
        compared: Compared::default(),
        confinement: None,
        server: None,
        notes: Vec::new(),
        ..passed()
    }
}

/// As little as there may be: nothing was found.
pub fn nothing_found() -> DrillReport {
    DrillReport {
        reason: Some("there is no backup in vault `offsite`".into()),
        hint: None,
        backup: None,
        manifest: None,
        sequence: None,
        snapshot_at: None,
        sealed_at: None,
        recovery_point_age_seconds: None,
        packed_bytes: None,
        ..could_not_run()
    }
}
