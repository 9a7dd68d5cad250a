//! A scratch server as a restore's target, loaded by clients in a cage.

use super::*;
use crate::{
    failure::{Explain, Kind},
    manifest::{Database, Extension},
    source::postgres::{Head, Ownership, Section, Target, in_place},
};
use std::process::Stdio;

fn like(locale: &str) -> Database {
    Database {
        name: "app".into(),
        owner: "postgres".into(),
        encoding: "UTF8".into(),
        collate: locale.into(),
        ctype: locale.into(),
        provider: "libc".into(),
        locale: None,
        connection_limit: -1,
        comment: None,
        settings: Vec::new(),
        grants: Vec::new(),
    }
}

async fn target(server: &ScratchServer, database: &str) -> Target {
    let clients = Some(server.clients());
    Target::inspect(&server.address(database), 15, Ownership::default(), &[], clients).await.unwrap()
}

async fn dumped(server: &ScratchServer, program: &str, options: &[&str]) -> Vec<u8> {
    let (mut command, _connection) = server.clients().command(program, &server.address("postgres")).unwrap();
    command.args(options).stdout(Stdio::piped());
    child::output(command).await.unwrap().0
}

#[tokio::test]
async fn an_archive_in_memory_is_restored_by_clients_in_a_cage() {
    for major in [15, 18] {
        let place = place();
        let server = ScratchServer::start(&settings(&place), major, &client_path(), 0).await.unwrap();
        let schema = "CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'x'); CREATE SEQUENCE s;
             SELECT nextval('s')";
        session(&server).await.client.batch_execute(&format!("SET search_path = public; {schema}")).await.unwrap();
        let archive = dumped(&server, "pg_dump", &["--format=custom", "--compress=0"]).await;

        let target = target(&server, "app").await;
        assert!(target.created);
        let mut head = Head::new().unwrap();
        head.append(&archive).unwrap();
        let toc = head.toc(&target.clients).await.unwrap().expect("the whole archive lists");
        assert_eq!(toc.tables().len(), 1);
        assert_eq!(head.sequences(&target.clients, &toc).await.unwrap()[0].last_value, 1);
        target.begin(&like("C")).await.unwrap();
        target.run_section(Section::PreData, &head, None, 2).await.unwrap();
        let mut loading = target.begin_data(None).unwrap();
        loading.feed(&archive).await.unwrap();
        loading.finish().await.unwrap();
        target.run_section(Section::PostData, &head, None, 2).await.unwrap();
        let rows = target.session().await.unwrap().client.query("SELECT b FROM public.t", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, &str>(0), "x");

        let broken = b"no archive at all";
        let mut loading = target.begin_data(None).unwrap();
        loading.feed(broken).await.unwrap();
        let error = loading.finish().await.unwrap_err().to_string();
        assert!(error.starts_with("pg_restore ended with exit status: 1: "), "{error}");
    }
}

#[tokio::test]
async fn tablespaces_of_any_name_come_back_in_place() {
    let (place, elsewhere) = (place(), place());
    let (source, server) = (start(&place).await, start(&elsewhere).await);
    let names = ["fast", "Odd \" LOCATION 'x'; --", "new\nline", "ünï"];
    inside(&source, "mkdir /tmp/0 /tmp/1 /tmp/2 '/tmp/odd; \\3'").await;
    let session_there = session(&source).await;
    let role =
        "CREATE ROLE \"own;er\"; COMMENT ON ROLE \"own;er\" IS 'a;\nCREATE TABLESPACE no LOCATION ''/x'';\n\\! id'";
    session_there.client.batch_execute(role).await.unwrap();
    for (at, name) in names.iter().enumerate() {
        let folder = if at == 3 { "odd; \\3".to_owned() } else { at.to_string() };
        let make = format!(
            "CREATE TABLESPACE {} OWNER \"own;er\" LOCATION '/tmp/{folder}'",
            super::super::super::tables::quoted(name)
        );
        session_there.client.batch_execute(&make).await.unwrap();
    }
    let script = dumped(&source, "pg_dumpall", &["--globals-only"]).await;

    let target = target(&server, "app").await;
    let said = target.run_globals(&script).await.unwrap();
    assert_eq!(said.iter().filter(|line| line.contains("does not exist")).count(), 4, "{said:?}");
    let said = target.run_globals(&in_place(&script)).await.unwrap();
    assert_eq!(said, Vec::<String>::new());
    let query = "SELECT spcname::text, pg_get_userbyid(spcowner)::text FROM pg_tablespace WHERE spcname !~ '^pg_'";
    let rows = session(&server).await.client.query(query, &[]).await.unwrap();
    let mut found: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    found.sort();
    let mut expected = names.map(|name| (name.to_owned(), "own;er".to_owned()));
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn what_a_host_lacks_is_known_before_the_restore_or_told_as_such() {
    let place = place();
    let server = start(&place).await;
    let target = target(&server, "app").await;
    let of = |name: &str, version: &str| Extension { name: name.into(), version: version.into() };
    let expected = [of("hstore", "0.9"), of("nonesuch", "1.0"), of("plpgsql", "1.0")];
    assert_eq!(target.missing_extensions(&expected).await.unwrap(), ["nonesuch"]);

    let error = target.begin(&like("xx_YY.UTF-8")).await.unwrap_err();
    assert!(matches!(&error, PostgresError::NoLocale { locale, .. } if locale == "xx_YY.UTF-8"), "{error}");
    assert!(error.kind() == Kind::Settings && error.hint().unwrap().contains("locale-gen"));
    let icu = Database { provider: "icu".into(), locale: Some("no such locale".into()), ..like("C") };
    let error = target.begin(&icu).await.unwrap_err();
    assert!(matches!(error, PostgresError::NoLocale { .. }), "{error}");

    target.begin(&like("C")).await.unwrap();
    target.session().await.unwrap().client.batch_execute("CREATE EXTENSION hstore SCHEMA public").await.unwrap();
    let compared = target.compare_extensions(&expected).await.unwrap();
    assert_eq!(compared.differences, ["extension nonesuch: missing"]);
    assert_eq!(compared.notes, ["extension hstore: 0.9 in the backup, 1.8 restored"]);
}
