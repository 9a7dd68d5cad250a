//! A schema is code, and it runs while it is restored: whoever may make a function in production chooses what it does
//! then. Nothing of it makes a drill say that what came back is what was backed up.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use support::{World, text};

/// True wherever it was restored, and not where it was made.
const IN_A_RESTORE: &str = "current_database() <> 'production'";

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

/// What a report would quote of the rows that a restore refuses.
fn tells_no_row(script: &str) {
    let world = World::with_postgres(15);
    world.psql(script);
    world.backup();
    let ran = world.strongroom.run("restorer", &["drill", "app", "--json"]).exits(14);
    let differences = text(&ran.json(), "/differences");
    assert!(differences.contains("people") && !ran.stdout.contains("alice"), "{differences}");
}

#[test]
fn a_row_that_a_constraint_refuses_is_not_in_the_report() {
    tells_no_row(&format!(
        "CREATE FUNCTION fine(t text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
           $$ BEGIN RETURN NOT ({IN_A_RESTORE}); END $$;
         CREATE TABLE people (email text CHECK (fine(email))); INSERT INTO people VALUES ('alice@example.com')"
    ));
}

#[test]
fn a_row_that_is_there_twice_below_a_unique_index_is_not_in_the_report() {
    tells_no_row(&format!(
        "CREATE FUNCTION folded(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
           $$ BEGIN IF {IN_A_RESTORE} THEN t := lower(t); END IF; RETURN t; END $$;
         CREATE TABLE people (email text); CREATE UNIQUE INDEX ON people (folded(email));
         INSERT INTO people VALUES ('alice@example.com'), ('Alice@example.com')"
    ));
}

#[test]
fn a_trigger_that_refuses_logins_keeps_nobody_from_proving_the_backup() {
    let world = World::with_postgres(17);
    world.postgres.psql("postgres", "ALTER ROLE strongroom SUPERUSER");
    world.psql(&format!(
        "CREATE TABLE precious (i int);
         CREATE FUNCTION closed() RETURNS event_trigger LANGUAGE plpgsql AS
           $$ BEGIN IF {IN_A_RESTORE} THEN RAISE EXCEPTION 'come back at nine'; END IF; END $$;
         CREATE EVENT TRIGGER e ON login EXECUTE FUNCTION closed(); ALTER EVENT TRIGGER e ENABLE ALWAYS"
    ));
    world.backup();
    world.strongroom.run("restorer", &["drill", "app", "--json"]).exits(0);
}
