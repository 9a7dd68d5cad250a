//! The daemon's status page, as it is served: of a real source, under headers that keep it to itself.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};
use support::{Daemon, World, get, plan};

/// The head of the answer to a request for `/`, in lower case.
fn head(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    write!(stream, "GET / HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().0.to_lowercase()
}

#[test]
fn the_daemon_shows_its_sources_to_people_under_a_policy_that_allows_nothing() {
    let world = World::with_postgres(17);
    world.psql("CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 1000)");
    let backup = world.strongroom.backup();
    plan(&world.strongroom, "0 0 1 1 *", "", "");
    let daemon = Daemon::start(&world.strongroom);
    let (status, page) = get(daemon.address(), "/");
    assert_eq!(status, 200, "{page}");
    for fact in ["<h1>app is ", &backup, "not watched here: see the watcher", "Next run", "immutable flag"] {
        assert!(page.contains(fact), "no `{fact}` on\n{page}");
    }
    assert!(!page.contains("<script"));
    let head = head(daemon.address());
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "; frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(head.contains(header), "no `{header}` in\n{head}");
    }
}
