//! Several processes at one catalog, and processes that are killed.

use super::{World, held};
use crate::catalog::Catalog;
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Names the folder in which this very test, run again as a child, writes until it is killed.
const VICTIM: &str = "STRONGROOM_TEST_VICTIM";
const KILLS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_leaves_a_catalog_that_knows_all_it_was_told() {
    let world = World::new();
    if let Some(folder) = std::env::var_os(VICTIM) {
        write_until_killed(&world, Path::new(&folder)).await;
    }
    let told = world.file("told");
    let mut sequence = 0;
    for kill in 0..KILLS {
        drop(fs::remove_file(&told)); // none before the first
        let test = "catalog::tests::several::a_killed_writer_leaves_a_catalog_that_knows_all_it_was_told";
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact"])
            .env(VICTIM, world.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while fs::metadata(&told).map_or(0, |told| told.len()) < 40 {
            assert!(began.elapsed() < PATIENCE && victim.try_wait().unwrap().is_none(), "the victim does not write");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_micros(u64::from(kill) * 700)).await;
        victim.kill().unwrap();
        victim.wait().unwrap();

        let seals = u64::try_from(fs::read(&told).unwrap().len()).unwrap();
        let catalog = world.open().await;
        assert_eq!(catalog.set_aside(), None);
        let record = catalog.chain(world.place()).await.unwrap();
        let next = record.next();
        // One more may have been written than was told.
        assert!((sequence + seals + 1..=sequence + seals + 2).contains(&next.sequence), "{} {seals}", next.sequence);
        assert!(next.unsure.len() <= 1, "{:?}", next.unsure);
        assert!(record.held(held(7, None).id).await.unwrap().is_some());
        sequence = next.sequence - 1;
        catalog.close().await;
    }
}

async fn write_until_killed(world: &World, folder: &Path) {
    let catalog = Catalog::open(folder, world.now).await.unwrap();
    let mut told = fs::File::create(folder.join("told")).unwrap();
    let mut record = catalog.chain(world.place()).await.unwrap();
    loop {
        record.hold(&[held(7, Some(world.day(10)))]).await.unwrap();
        record.sealing(&world.backup(1)).await.unwrap();
        record.sealed(&world.sealed(1, 0)).await.unwrap();
        told.write_all(b".").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn openers_of_an_unreadable_catalog_agree_on_the_fresh_one() {
    for _ in 0..10 {
        let world = World::new();
        fs::write(world.file("catalog.db"), "garbage".repeat(1000)).unwrap();
        let (folder, now) = (world.folder.path().to_owned(), world.now);
        let openers: Vec<_> = (0..4)
            .map(|_| {
                let folder = folder.clone();
                tokio::spawn(async move { Catalog::open(&folder, now).await.unwrap() })
            })
            .collect();
        let mut catalogs = Vec::new();
        for opener in openers {
            catalogs.push(opener.await.unwrap());
        }
        assert_eq!(world.aside().len(), 1);
        assert_eq!(catalogs.iter().filter(|catalog| catalog.set_aside().is_some()).count(), 1);
        for (number, catalog) in (1..).zip(&catalogs) {
            world.seal(catalog, &world.sealed(number, 0)).await;
        }
        for catalog in &catalogs {
            assert_eq!(catalog.chain(world.place()).await.unwrap().next().sequence, 5);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_writers_wait_for_each_other() {
    let world = World::new();
    let (now, folder) = (world.now, world.folder.path().to_owned());
    let writers: Vec<_> = (0..4_u8)
        .map(|writer| {
            let folder = folder.clone();
            tokio::spawn(async move {
                let catalog = Catalog::open(&folder, now).await.unwrap();
                let source = format!("app-{}", writer % 2).parse().unwrap();
                let place = crate::catalog::Place { vault: "offsite", source: &source, address: "file:///srv" };
                let record = catalog.chain(place).await.unwrap();
                for number in (0..100).map(|number| number * 2 + writer / 2) {
                    record.hold(&[held(number, Some(now))]).await.unwrap();
                    assert!(record.held(held(number, None).id).await.unwrap().is_some());
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let held: (i64, i64) = sqlx::query_as("SELECT count(*), count(DISTINCT chain) FROM segments")
        .fetch_one(&world.open().await.store.pool)
        .await
        .unwrap();
    assert_eq!(held, (400, 2));
}
