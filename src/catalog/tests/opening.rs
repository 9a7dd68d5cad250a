use super::World;
use crate::{
    catalog::{Catalog, CatalogError, Place},
    failure::{Explain, Kind},
};
use sqlx::Connection;
use std::{fs, os::unix::fs::PermissionsExt};

impl World {
    /// A catalog with one sealed backup and a few thousand rows, closed.
    async fn with_a_catalog() -> Self {
        let world = Self::new();
        let catalog = world.open().await;
        world.seal(&catalog, &world.sealed(1, 0)).await;
        let record = catalog.chain(world.place()).await.unwrap();
        let segments: Vec<_> = (0..=255).map(|number| super::held(number, Some(world.day(10)))).collect();
        record.hold(&segments).await.unwrap();
        catalog.close().await;
        assert!(!world.file("catalog.db-wal").exists());
        world
    }

    /// What lies in its place now is set aside and kept; the chain that begins anew says `why`, once.
    async fn is_set_aside(&self, why: &str) {
        let bytes = fs::read(self.file("catalog.db")).unwrap();
        let catalog = self.open().await;
        let said = catalog.set_aside().unwrap().to_owned();
        assert!(said.contains(why), "{said}");
        assert_eq!(self.aside(), ["catalog.unreadable-20261121T120301Z.db"]);
        assert_eq!(fs::read(self.file(&self.aside()[0])).unwrap(), bytes);
        self.begins_anew(&catalog, why).await;
    }

    async fn begins_anew(&self, catalog: &Catalog, why: &str) {
        let mut record = catalog.chain(self.place()).await.unwrap();
        let next = record.next();
        assert_eq!((next.sequence, next.previous), (1, None));
        assert!(next.restarted.unwrap().contains(why));
        assert!(record.restarted().unwrap().starts_with("the catalog began anew at 2026-11-21T12:03:01"));

        // Not sealed, the reason stays; sealed, it is gone.
        record.sealing(&self.backup(1)).await.unwrap();
        let again = self.open().await;
        assert_eq!(again.set_aside(), None);
        assert!(again.chain(self.place()).await.unwrap().restarted().unwrap().contains(why));
        record.sealed(&self.sealed(1, 0)).await.unwrap();
        assert_eq!(record.restarted(), None);
        assert_eq!(again.chain(self.place()).await.unwrap().next().restarted, None);

        // Every chain that begins in this catalog has the same reason.
        let other = Place { vault: "archive", ..self.place() };
        assert!(again.chain(other).await.unwrap().restarted().unwrap().contains(why));
    }
}

#[tokio::test]
async fn a_first_catalog_is_private_and_has_no_past() {
    let world = World::new();
    let catalog = Catalog::open(&world.file("a/b"), world.now).await.unwrap();
    assert_eq!(catalog.set_aside(), None);
    assert_eq!(catalog.chain(world.place()).await.unwrap().restarted(), None);
    for file in ["a/b/catalog.db", "a/b/catalog.db-wal", "a/b/catalog.db-shm", "a/b/catalog.lock"] {
        assert_eq!(fs::metadata(world.file(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    let settings: (String, i64, i64) = sqlx::query_as(
        "SELECT journal_mode, synchronous, foreign_keys FROM pragma_journal_mode, pragma_synchronous, pragma_foreign_keys",
    )
    .fetch_one(&catalog.store.pool)
    .await
    .unwrap();
    assert_eq!(settings, ("wal".to_owned(), 2, 1));
    catalog.close().await;
    assert_eq!(Catalog::open(&world.file("a/b"), world.now).await.unwrap().set_aside(), None);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_set_aside() {
    let world = World::new();
    fs::write(world.file("catalog.db"), "{\"sequence\": 4711}\n".repeat(100)).unwrap();
    world.is_set_aside("file is not a database").await;
}

#[tokio::test]
async fn a_truncated_catalog_is_set_aside() {
    let world = World::with_a_catalog().await;
    let bytes = fs::read(world.file("catalog.db")).unwrap();
    fs::write(world.file("catalog.db"), &bytes[..bytes.len() / 2]).unwrap();
    world.is_set_aside("malformed").await;
}

#[tokio::test]
async fn a_catalog_with_a_spoilt_page_is_set_aside() {
    let pages = fs::read(World::with_a_catalog().await.file("catalog.db")).unwrap().len() / 4096;
    for page in 0..pages {
        let world = World::with_a_catalog().await;
        let mut bytes = fs::read(world.file("catalog.db")).unwrap();
        for byte in &mut bytes[page * 4096..][..4096] {
            *byte ^= 0xff;
        }
        fs::write(world.file("catalog.db"), bytes).unwrap();
        world.is_set_aside("").await;
    }
}

#[tokio::test]
async fn a_database_that_is_not_a_catalog_is_set_aside() {
    let world = World::with_a_catalog().await;
    let catalog = world.open().await;
    sqlx::raw_sql("DROP TABLE shares").execute(&catalog.store.pool).await.unwrap();
    catalog.close().await;
    world.is_set_aside("it has no table `shares`").await;
}

#[tokio::test]
async fn what_is_set_aside_never_replaces_what_was_set_aside_before() {
    let world = World::new();
    for garbage in ["first", "second"] {
        drop(fs::remove_file(world.file("catalog.db"))); // the first time there is none
        fs::write(world.file("catalog.db"), garbage.repeat(200)).unwrap();
        world.open().await.close().await;
    }
    let stem = "catalog.unreadable-20261121T120301Z";
    assert_eq!(world.aside(), [format!("{stem}-2.db"), format!("{stem}.db")]);
}

#[tokio::test]
async fn a_lost_catalog_is_noticed() {
    for also_lost in ["catalog.lock", "runs"] {
        let world = World::with_a_catalog().await;
        let catalog = world.open().await;
        drop(catalog.lock(&world.source).unwrap());
        catalog.close().await;
        fs::remove_file(world.file("catalog.db")).unwrap();
        match also_lost {
            "runs" => fs::remove_dir_all(world.file("runs")).unwrap(),
            file => fs::remove_file(world.file(file)).unwrap(),
        }
        let catalog = world.open().await;
        assert_eq!(catalog.set_aside(), Some("catalog.db was gone, although there were runs before"));
        world.begins_anew(&catalog, "was gone").await;
        assert_eq!(world.aside(), [""; 0]);
    }
}

#[tokio::test]
async fn an_emptied_catalog_is_a_lost_one() {
    let world = World::with_a_catalog().await;
    fs::write(world.file("catalog.db"), "").unwrap();
    let catalog = world.open().await;
    assert_eq!(catalog.set_aside(), Some("catalog.db was empty, although there were runs before"));
}

#[tokio::test]
async fn a_catalog_of_a_newer_version_is_refused_and_not_touched() {
    let world = World::with_a_catalog().await;
    let address = format!("sqlite://{}", world.file("catalog.db").display());
    let mut newer = sqlx::SqliteConnection::connect(&address).await.unwrap();
    sqlx::raw_sql("PRAGMA user_version = 3; DROP TABLE shares").execute(&mut newer).await.unwrap();
    newer.close().await.unwrap();
    let bytes = fs::read(world.file("catalog.db")).unwrap();
    let error = Catalog::open(world.folder.path(), world.now).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Settings);
    assert!(error.to_string().ends_with("catalog.db is of version 3; this strongroom knows version 2"), "{error}");
    assert_eq!(fs::read(world.file("catalog.db")).unwrap(), bytes);
    assert_eq!(world.aside(), [""; 0]);
}

#[tokio::test]
async fn trouble_with_the_folder_is_not_a_broken_catalog() {
    let world = World::new();
    fs::write(world.file("file"), "").unwrap();
    fs::create_dir_all(world.file("folder/catalog.db")).unwrap();
    for state_dir in ["file", "folder"] {
        let error = Catalog::open(&world.file(state_dir), world.now).await.err().unwrap();
        assert_eq!(error.kind(), Kind::Settings, "{error:?}");
        assert!(error.hint().unwrap().starts_with("state_dir must be a folder"));
    }
    assert!(world.file("folder/catalog.db").exists());
}

#[tokio::test]
async fn a_full_disk_is_called_one_and_loses_nothing() {
    let world = World::with_a_catalog().await;
    let catalog = world.open().await;
    sqlx::raw_sql("PRAGMA max_page_count = 1").execute(&catalog.store.pool).await.unwrap();
    let record = catalog.chain(world.place()).await.unwrap();
    let mut segments = Vec::new();
    for number in 0..=255 {
        let mut held = super::held(number, Some(world.day(10)));
        held.id.0[0] = !number;
        segments.push(held);
    }
    let error = record.hold(&segments).await.err().unwrap();
    assert!(matches!(&error, CatalogError::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().starts_with("the disk is full"), "{error}");
    assert_eq!(error.kind(), Kind::Failed);
    // Nothing of it is there, and once there is room it goes on.
    assert_eq!(record.held(segments[0].id).await.unwrap(), None);
    record.hold(&segments).await.unwrap();
    assert_eq!(catalog.chain(world.place()).await.unwrap().next().sequence, 2);
}

#[tokio::test]
async fn a_catalog_that_was_replaced_while_open_is_not_written_any_more() {
    let world = World::with_a_catalog().await;
    let catalog = world.open().await;
    let mut record = catalog.chain(world.place()).await.unwrap();
    fs::rename(world.file("catalog.db"), world.file("elsewhere.db")).unwrap();
    assert!(matches!(record.sealing(&world.backup(2)).await, Err(CatalogError::Replaced { .. })));
    let fresh = world.open().await;
    assert!(fresh.set_aside().is_some());
    // Nothing of the old log is played into the fresh one.
    let stem = "catalog.unreadable-20261121T120301Z.db";
    assert_eq!(world.aside(), [format!("{stem}-shm"), format!("{stem}-wal")]);
    assert_eq!(fresh.chain(world.place()).await.unwrap().next().sequence, 1);
    assert!(matches!(record.sealing(&world.backup(2)).await, Err(CatalogError::Replaced { .. })));
    // The one that is gone does not take the fresh one's files with it.
    world.seal(&fresh, &world.sealed(3, 0)).await;
    drop(record);
    catalog.close().await;
    assert_eq!(world.open().await.chain(world.place()).await.unwrap().next().sequence, 2);
}
