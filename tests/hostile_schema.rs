//! A schema is code, and it runs while it is restored: whoever may make a function in production chooses what it does
//! then. Nothing of it makes a drill say that what came back is what was backed up.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use support::{World, text};

/// True in a restore alone: psql, as it is used here, and a dump do not come as this.
const IN_A_RESTORE: &str = "current_setting('application_name') = 'strongroom' AND current_setting('fsync') = 'off'";

/// A table, and a function that deletes its rows where it is restored, after so long that they were read back before.
fn wiping() -> String {
    format!(
        "CREATE TABLE precious (i int); INSERT INTO precious SELECT generate_series(1, 1000);
         CREATE FUNCTION wipe(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
           IF {IN_A_RESTORE} THEN PERFORM pg_sleep(1); DELETE FROM public.precious; END IF;
           RETURN i; END $$;
         CREATE FUNCTION innocent(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
           'BEGIN RETURN public.wipe(i); END';"
    )
}

fn fails_its_drill(script: &str) {
    let world = World::with_postgres(15);
    world.psql(&(wiping() + script));
    assert_eq!(world.psql("SELECT count(*) FROM precious"), "1000");
    world.backup();
    let report = world.strongroom.run("restorer", &["drill", "app", "--json"]).exits(14).json();
    let differences = text(&report, "/differences/0");
    assert!(differences.ends_with("\"precious\": 1000 rows in the backup, 0 restored"), "{report:#}");
}

#[test]
fn rows_that_a_materialized_view_deletes_while_it_is_filled_fail_the_drill() {
    fails_its_drill("CREATE MATERIALIZED VIEW m AS SELECT innocent(1)");
}

#[test]
fn rows_that_an_index_deletes_while_it_is_built_fail_the_drill() {
    fails_its_drill("CREATE TABLE other AS SELECT 1 i; CREATE INDEX ON other (innocent(i))");
}
