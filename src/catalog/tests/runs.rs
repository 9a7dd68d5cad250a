use super::World;
use crate::{
    catalog::{Begun, Catalog, CatalogError, RunId},
    clock::Timestamp,
    layout::SourceName,
    run::{Absence, Bytes, End, Outcome, Phase, Record, Trigger},
};

impl World {
    fn begun(&self, trigger: Trigger) -> Begun {
        Begun { trigger, started_at: self.now, pid: 4711 }
    }

    async fn begin(&self, catalog: &Catalog, trigger: Trigger) -> RunId {
        let lock = catalog.lock(&self.source).unwrap();
        catalog.begin_run(&lock, self.begun(trigger)).await.unwrap()
    }
}

fn end(at: Timestamp, outcome: Outcome) -> End {
    let bytes = Bytes { read: 4, packed: 3, sent: 2, reused: 1 };
    End { at, outcome, why: Some("so it was".into()), bytes, rows: 7, tables: 6, segments: 5 }
}

#[tokio::test]
async fn two_runs_of_one_source_exclude_each_other() {
    let world = World::new();
    let (one, other) = (world.open().await, world.open().await);
    let first = one.lock(&world.source).unwrap();
    assert!(matches!(other.lock(&world.source), Err(CatalogError::Busy(_))));
    drop(first);
    assert!(other.lock(&world.source).is_ok());
}

#[tokio::test]
async fn a_run_reads_back_as_it_was_told() {
    let world = World::new();
    let catalog = world.open().await;
    let triggers = [
        Trigger::Asked,
        Trigger::First,
        Trigger::Slot(world.now),
        Trigger::CatchUp(world.now),
        Trigger::Retry { slot: world.now, attempt: 3 },
    ];
    let mut expected = Vec::new();
    for trigger in triggers {
        let run = world.begin(&catalog, trigger).await;
        let mut record = Record {
            source: world.source.clone(),
            backup: None,
            trigger,
            started_at: world.now,
            phase: Phase::Preparing,
            ended: None,
        };
        assert_eq!(catalog.runs(None, 1).await.unwrap(), [record.clone()]);
        catalog.name_run(run, &world.backup(1)).await.unwrap();
        catalog.reached(run, Phase::Sealing, world.now).await.unwrap();
        catalog.end_run(run, &end(world.day(1), Outcome::Suspect)).await.unwrap();
        record.backup = Some(world.backup(1));
        record.phase = Phase::Sealing;
        record.ended = Some(end(world.day(1), Outcome::Suspect));
        expected.insert(0, record);
    }
    assert_eq!(world.open().await.runs(Some(&world.source), 100).await.unwrap(), expected);
    assert_eq!(catalog.last_ended(&world.source).await.unwrap().as_ref(), expected.first());
    assert_eq!(catalog.runs(None, 2).await.unwrap(), expected[..2]);
    let other: SourceName = "other".parse().unwrap();
    assert_eq!(catalog.runs(Some(&other), 100).await.unwrap(), []);
    assert_eq!(catalog.last_ended(&other).await.unwrap(), None);
}

#[tokio::test]
async fn the_next_run_finds_that_the_one_before_died_and_where() {
    let world = World::new();
    let catalog = world.open().await;
    let died = world.begin(&catalog, Trigger::Asked).await;
    catalog.reached(died, Phase::Dumping, world.day(1)).await.unwrap();
    drop(catalog);
    let catalog = world.open().await;
    let run = world.begin(&catalog, Trigger::First).await;
    let found = catalog.last_ended(&world.source).await.unwrap().unwrap();
    assert_eq!((found.trigger, found.phase), (Trigger::Asked, Phase::Dumping));
    let ended = found.ended.unwrap();
    assert_eq!((ended.at, ended.outcome), (world.now, Outcome::Abandoned));
    let why = "process 4711 was gone before it ended; it was dumping since 2026-11-22T12:03:01.123456789Z";
    assert_eq!(ended.why.as_deref(), Some(why));

    // A run ends once.
    catalog.end_run(died, &end(world.now, Outcome::Sealed)).await.unwrap();
    catalog.end_run(run, &end(world.now, Outcome::Sealed)).await.unwrap();
    let (source, abandoned, sealed) = (world.source.clone(), Outcome::Abandoned, Outcome::Sealed);
    assert_eq!(catalog.totals().await.unwrap(), [(source.clone(), abandoned, 1), (source, sealed, 1)]);
}

#[tokio::test]
async fn only_runs_that_nobody_runs_are_left_over() {
    let world = World::new();
    let catalog = world.open().await;
    let alive: SourceName = "alive".parse().unwrap();
    let lock = catalog.lock(&alive).unwrap();
    catalog.begin_run(&lock, world.begun(Trigger::Asked)).await.unwrap();
    world.begin(&catalog, Trigger::Slot(world.now)).await;

    let daemon = world.open().await;
    let abandoned = daemon.abandon_left_over(world.day(1)).await.unwrap();
    assert_eq!(abandoned.len(), 1);
    assert_eq!(abandoned[0], daemon.last_ended(&world.source).await.unwrap().unwrap());
    assert_eq!(abandoned[0].ended.as_ref().unwrap().outcome, Outcome::Abandoned);
    assert_eq!(daemon.runs(Some(&alive), 1).await.unwrap()[0].ended, None);
    assert_eq!(daemon.abandon_left_over(world.day(1)).await.unwrap(), []);
    assert!(daemon.lock(&world.source).is_ok(), "the lock is given up again");
    drop(lock);
    assert_eq!(daemon.abandon_left_over(world.day(1)).await.unwrap()[0].source, alive);
}

#[tokio::test]
async fn the_last_slot_is_a_runs_or_one_without() {
    let world = World::new();
    let catalog = world.open().await;
    let last_slot = async || catalog.last_slot(&world.source).await.unwrap();
    world.begin(&catalog, Trigger::Asked).await;
    assert_eq!(last_slot().await, None);
    world.begin(&catalog, Trigger::Slot(world.day(1))).await;
    assert_eq!(last_slot().await, Some(world.day(1)));
    let mut absence = Absence {
        source: world.source.clone(),
        first_slot: world.day(2),
        last_slot: world.day(3),
        slots: 2,
        why: "the daemon did not run".into(),
        noted_at: world.day(4),
    };
    catalog.absent(&absence).await.unwrap();
    assert_eq!(last_slot().await, Some(world.day(3)));
    // Said again with more of them, it is one absence still.
    absence.last_slot = world.day(5);
    absence.slots = 4;
    catalog.absent(&absence).await.unwrap();
    assert_eq!(last_slot().await, Some(world.day(5)));
    assert_eq!(catalog.absences(None, 10).await.unwrap(), [absence.clone()]);
    assert_eq!(catalog.absences(Some(&world.source), 10).await.unwrap(), [absence]);
    world.begin(&catalog, Trigger::CatchUp(world.day(4))).await;
    assert_eq!(last_slot().await, Some(world.day(5)));
}
