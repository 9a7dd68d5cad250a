use super::{HERE, World, held};
use crate::{
    catalog::Place,
    clock::SignedDuration,
    manifest::{Chain, Previous},
};

#[tokio::test]
async fn a_chain_goes_on_from_the_last_seal() {
    let world = World::new();
    let catalog = world.open().await;
    let mut record = catalog.chain(world.place()).await.unwrap();
    assert_eq!(record.next(), Chain { sequence: 1, previous: None, unsure: vec![], restarted: None });
    let sealed = world.sealed(1, 0);
    record.sealing(&sealed.backup).await.unwrap();
    record.sealed(&sealed).await.unwrap();
    let previous = Some(Previous { backup: sealed.backup, manifest: sealed.manifest });
    let next = Chain { sequence: 2, previous, unsure: vec![], restarted: None };
    assert_eq!(record.next(), next);
    let read = world.open().await.chain(world.place()).await.unwrap();
    assert_eq!(read.next(), next);
    let other = Place { vault: "other", ..world.place() };
    assert_eq!(catalog.chain(other).await.unwrap().next().sequence, 1);
}

#[tokio::test]
async fn a_run_that_died_while_sealing_is_named_and_its_number_is_not_used_again() {
    let world = World::new();
    let (first, second) = (world.backup(1), world.backup(2));
    for backup in [&first, &second] {
        world.open().await.chain(world.place()).await.unwrap().sealing(backup).await.unwrap();
    }
    let mut record = world.open().await.chain(world.place()).await.unwrap();
    assert_eq!(record.next(), Chain { sequence: 3, previous: None, unsure: vec![first, second], restarted: None });
    record.sealing(&world.backup(3)).await.unwrap();
    record.sealed(&world.sealed(3, 0)).await.unwrap();
    let next = world.open().await.chain(world.place()).await.unwrap().next();
    assert_eq!((next.sequence, next.unsure), (4, vec![]));
}

#[tokio::test]
async fn a_vault_that_moved_begins_a_chain_that_says_so_and_holds_nothing() {
    let world = World::new();
    let catalog = world.open().await;
    let moved = Place { address: "s3://acme-2/prod at https://s3.example.com", ..world.place() };
    let segment = held(1, Some(world.day(10)));

    // Where nothing was ever begun to be sealed, nothing moved.
    let before = catalog.chain(world.place()).await.unwrap();
    assert_eq!(catalog.chain(Place { address: "file:///else", ..moved }).await.unwrap().restarted(), None);

    before.hold(std::slice::from_ref(&segment)).await.unwrap();
    world.seal(&catalog, &world.sealed(1, 0)).await;
    let mut record = catalog.chain(moved).await.unwrap();
    assert_eq!(record.held(segment.id).await.unwrap(), None);
    let why = format!("vault `offsite` was {HERE} and is now {}", moved.address);
    let next = Chain { sequence: 1, previous: None, unsure: vec![], restarted: Some(why) };
    assert_eq!(record.next(), next);
    record.sealing(&world.backup(2)).await.unwrap();
    record.sealed(&world.sealed(2, 1)).await.unwrap();
    assert_eq!(world.open().await.chain(moved).await.unwrap().next().restarted, None);

    // Back where it was, it goes on where it was.
    let back = catalog.chain(world.place()).await.unwrap();
    assert_eq!((back.next().sequence, back.restarted()), (2, None));
    assert_eq!(back.held(segment.id).await.unwrap(), Some(segment));
}

#[tokio::test]
async fn of_two_versions_of_a_segment_the_one_that_is_locked_for_longer_is_held() {
    let world = World::new();
    let record = world.open().await.chain(world.place()).await.unwrap();
    let until = |days| held(1, days);
    let unlocked = until(None);
    let shortly = until(Some(world.day(10)));
    let longer = until(Some(world.day(10) + SignedDuration::from_nanos(1)));
    for (deposit, stays) in
        [(&unlocked, &unlocked), (&shortly, &shortly), (&unlocked, &shortly), (&longer, &longer), (&shortly, &longer)]
    {
        record.hold(std::slice::from_ref(deposit)).await.unwrap();
        assert_eq!(record.held(deposit.id).await.unwrap().as_ref(), Some(stays));
    }
    let mut newer = longer;
    newer.version.0.push_str(" again");
    record.hold(std::slice::from_ref(&newer)).await.unwrap();
    assert_eq!(record.held(newer.id).await.unwrap(), Some(newer.clone()));
    assert_eq!(record.held(held(2, None).id).await.unwrap(), None);

    // A version that the vault does not have does not stand in the way of one that it has.
    record.forget(newer.id).await.unwrap();
    record.hold(std::slice::from_ref(&shortly)).await.unwrap();
    assert_eq!(record.held(newer.id).await.unwrap(), Some(shortly));
}
