use super::{World, held};
use crate::{
    catalog::{Begun, Place, Sealed, Share, VaultEnded},
    clock::SignedDuration,
    health::SealedFacts,
    run::{Absence, Bytes, End, Outcome, Trigger},
};

fn facts(sealed: &Sealed) -> Option<SealedFacts> {
    let Sealed { backup, snapshot_at, sealed_at, lock, locked_until, packed_bytes, .. } = sealed.clone();
    Some(SealedFacts { backup, snapshot_at, sealed_at, lock, locked_until, packed_bytes })
}

fn end(at: crate::clock::Timestamp) -> End {
    let bytes = Bytes::default();
    End { at, outcome: Outcome::Failed, why: None, bytes, rows: 0, tables: 0, segments: 0 }
}

#[tokio::test]
async fn a_suspect_backup_is_the_last_and_not_the_last_good_until_it_is_accepted() {
    let world = World::new();
    let catalog = world.open().await;
    let every = Some(SignedDuration::from_hours(24));
    let look = async || catalog.vault_facts(world.place(), every).await.unwrap();
    let none = look().await;
    assert_eq!((none.vault.as_str(), none.every), ("offsite", every));
    assert_eq!((none.last_sealed, none.last_good, none.failing), (None, None, None));

    let good = world.sealed(1, 0);
    let suspect = Sealed { suspicions: vec!["7 of 9 tables are gone".into()], ..world.sealed(2, 1) };
    world.seal(&catalog, &good).await;
    catalog.set_portrait(&world.source, &good.backup, "{\"tables\":9}").await.unwrap();
    assert_eq!(catalog.promote_portrait(&world.source, &world.backup(1)).await.unwrap(), None);
    assert_eq!(catalog.suspicions(&world.source).await.unwrap(), [""; 0]);
    world.seal(&catalog, &suspect).await;
    catalog.set_pending_portrait(&world.source, &suspect.backup, "{\"tables\":2}").await.unwrap();

    let seen = look().await;
    assert_eq!((seen.last_sealed, seen.last_good), (facts(&suspect), facts(&good)));
    assert_eq!(catalog.suspicions(&world.source).await.unwrap(), suspect.suspicions);
    let measure = catalog.portrait(&world.source).await.unwrap();
    assert_eq!(measure, Some((good.backup, "{\"tables\":9}".to_owned())));

    assert_eq!(catalog.promote_portrait(&world.source, &suspect.backup).await.unwrap(), Some(suspect.backup.clone()));
    assert_eq!(look().await.last_good, facts(&suspect));
    assert_eq!(catalog.suspicions(&world.source).await.unwrap(), [""; 0]);
    let measure = catalog.portrait(&world.source).await.unwrap();
    assert_eq!(measure, Some((suspect.backup, "{\"tables\":2}".to_owned())));
    assert_eq!(catalog.pending_portrait(&world.source).await.unwrap(), None);
    assert_eq!(catalog.promote_portrait(&world.source, &world.backup(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_clock_that_was_ahead_hides_nothing_that_came_after() {
    let world = World::new();
    let catalog = world.open().await;
    let ahead = SignedDuration::from_hours(72);
    let early = world.sealed(1, 0);
    let early = Sealed { sealed_at: early.sealed_at + ahead, snapshot_at: early.snapshot_at + ahead, ..early };
    let wiped = Sealed { suspicions: vec!["everything is gone".into()], ..world.sealed(2, 1) };
    let lock = catalog.lock(&world.source).unwrap();
    for sealed in [&early, &wiped] {
        let begun = Begun { trigger: Trigger::Asked, started_at: sealed.snapshot_at, pid: 1 };
        let run = catalog.begin_run(&lock, begun).await.unwrap();
        catalog.name_run(run, &sealed.backup).await.unwrap();
        world.seal(&catalog, sealed).await;
        catalog.end_run(run, &end(sealed.sealed_at)).await.unwrap();
    }
    assert_eq!(catalog.suspicions(&world.source).await.unwrap(), wiped.suspicions);
    assert_eq!(catalog.vault_facts(world.place(), None).await.unwrap().last_sealed, facts(&wiped));
}

#[tokio::test]
async fn a_good_backup_leaves_nothing_to_accept() {
    let world = World::new();
    let catalog = world.open().await;
    catalog.set_pending_portrait(&world.source, &world.backup(1), "{}").await.unwrap();
    catalog.set_portrait(&world.source, &world.backup(2), "{}").await.unwrap();
    assert_eq!(catalog.promote_portrait(&world.source, &world.backup(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_vault_is_failing_while_its_share_of_the_last_run_failed() {
    let world = World::new();
    let catalog = world.open().await;
    let failing = async |vault| {
        let place = Place { vault, ..world.place() };
        catalog.vault_facts(place, None).await.unwrap().failing
    };
    let lock = catalog.lock(&world.source).unwrap();
    let begun = Begun { trigger: Trigger::Asked, started_at: world.now, pid: 1 };
    let sealed = Share::Sealed { sequence: 1, locked_until: Some(world.now), breach: None };
    for (share, expected) in [(Share::Failed("no route"), Some("no route")), (Share::NotDue, None), (sealed, None)] {
        let run = catalog.begin_run(&lock, begun).await.unwrap();
        let ended = VaultEnded { vault: "offsite", share, sent: 1, reused: 2 };
        catalog.vault_ended(run, ended).await.unwrap();
        catalog.vault_ended(run, VaultEnded { vault: "archive", share: Share::NotDue, ..ended }).await.unwrap();
        catalog.end_run(run, &end(world.now)).await.unwrap();
        assert_eq!(failing("offsite").await.as_deref(), expected);
        assert_eq!(failing("archive").await, None);
    }
}

#[tokio::test]
async fn a_source_is_expected_since_it_was_first_seen() {
    let world = World::new();
    let catalog = world.open().await;
    assert_eq!(catalog.first_seen(&world.source, world.now).await.unwrap(), world.now);
    assert_eq!(world.open().await.first_seen(&world.source, world.day(3)).await.unwrap(), world.now);
}

#[tokio::test]
async fn what_a_lock_holds_is_not_forgotten() {
    let world = World::new();
    let catalog = world.open().await;
    let mut record = catalog.chain(world.place()).await.unwrap();
    let segments = [held(1, Some(world.day(9))), held(2, Some(world.day(11))), held(3, None)];
    record.hold(&segments).await.unwrap();
    // Number 0 is the last good one, though it is the oldest; 3 is the last one.
    for (number, day) in [(0, -9), (1, -8), (2, 5), (3, 6)] {
        let suspicions = if number == 0 { vec![] } else { vec!["wiped".to_owned()] };
        let sealed = Sealed { suspicions, ..world.sealed(number, day) };
        record.sealing(&sealed.backup).await.unwrap();
        record.sealed(&sealed).await.unwrap();
    }
    let remembered = async || {
        let backups = sqlx::query_scalar("SELECT sequence FROM backups ORDER BY sequence");
        let backups: Vec<i64> = backups.fetch_all(&catalog.store.pool).await.unwrap();
        let mut held = Vec::new();
        for segment in &segments {
            held.push(record.held(segment.id).await.unwrap().is_some());
        }
        (backups, held)
    };
    catalog.forget_lapsed(world.day(10)).await.unwrap();
    assert_eq!(remembered().await, (vec![1, 3, 4], vec![false, true, false]));
    catalog.forget_lapsed(world.day(1000)).await.unwrap();
    assert_eq!(remembered().await, (vec![1, 4], vec![false, false, false]));
    assert_eq!(catalog.chain(world.place()).await.unwrap().next().sequence, 5);
}

#[tokio::test]
async fn history_is_kept_for_thirteen_months_and_counted_for_ever() {
    let world = World::new();
    let catalog = world.open().await;
    let lock = catalog.lock(&world.source).unwrap();
    for day in [0, 30] {
        let begun = Begun { trigger: Trigger::Asked, started_at: world.day(day), pid: 1 };
        let run = catalog.begin_run(&lock, begun).await.unwrap();
        let ended = VaultEnded { vault: "offsite", share: Share::NotDue, sent: 0, reused: 0 };
        catalog.vault_ended(run, ended).await.unwrap();
        catalog.end_run(run, &end(world.day(day))).await.unwrap();
        let (source, slot) = (world.source.clone(), world.day(day));
        let why = "paused".to_owned();
        let absence = Absence { source, first_slot: slot, last_slot: slot, slots: 1, why, noted_at: slot };
        catalog.absent(&absence).await.unwrap();
    }
    let running = Begun { trigger: Trigger::First, started_at: world.day(0), pid: 1 };
    catalog.begin_run(&lock, running).await.unwrap();
    catalog.forget_lapsed(world.day(400)).await.unwrap();
    let runs = catalog.runs(None, 10).await.unwrap();
    let started: Vec<_> = runs.iter().map(|run| (run.trigger, run.started_at)).collect();
    assert_eq!(started, [(Trigger::First, world.day(0)), (Trigger::Asked, world.day(30))]);
    assert_eq!(catalog.absences(None, 10).await.unwrap().len(), 1);
    assert_eq!(catalog.totals().await.unwrap(), [(world.source.clone(), Outcome::Failed, 2)]);
}
