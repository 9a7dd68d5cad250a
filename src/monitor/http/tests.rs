//! Tests of the pages, asked for as a scraper does.

use super::*;
use crate::{clock::Timestamp, monitor::courier::Courier};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Instant,
};

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

struct World {
    board: Board,
    address: SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<Result<(), ServeError>>,
}

impl World {
    fn beating_within(beat_within: Duration) -> Self {
        let bound = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (board, stop, address) = (Board::new(now()), CancellationToken::new(), bound.address);
        let serving = tokio::spawn(serve(bound, board.clone(), Clock::new(now), beat_within, stop.clone()));
        Self { board, address, stop, serving }
    }

    fn new() -> Self {
        Self::beating_within(Duration::from_secs(60))
    }

    /// Status, content type and body.
    async fn ask(&self, method: &str, path: &str) -> (u16, String, String) {
        drop(Courier::new().unwrap()); // installs the provider that reqwest asks for
        let url = format!("http://{}{path}", self.address);
        let answer = reqwest::Client::new().request(method.parse().unwrap(), url).send().await.unwrap();
        let kind = answer.headers().get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap()).to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn the_pages_are_there_and_nothing_else_is() {
    let world = World::new();
    let (status, kind, page) = world.ask("GET", "/metrics").await;
    assert_eq!((status, kind.as_str()), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(page.ends_with("# EOF\n"), "{page}");
    let (status, kind, page) = world.ask("GET", "/health.json").await;
    assert_eq!((status, kind.as_str()), (200, "application/json"));
    assert_eq!(page, r#"{"at":"2026-11-21T12:00:00Z","sources":[]}"#);
    for path in ["//", "/index.html", "/metrics/", "/health", "/../etc/passwd", "/metrics%00"] {
        assert_eq!(world.ask("GET", path).await.0, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(world.ask(method, "/metrics").await.0, 405, "{method}");
    }
}

#[tokio::test]
async fn a_daemon_is_ready_when_it_says_so() {
    let world = World::new();
    assert_eq!(world.ask("GET", "/readyz").await.0, 503);
    world.board.update(|shown| shown.ready = true);
    assert_eq!(world.ask("GET", "/readyz").await, (200, "text/plain; charset=utf-8".into(), "ready\n".into()));
}

#[tokio::test]
async fn a_daemon_whose_loop_is_stuck_is_not_alive() {
    let world = World::beating_within(Duration::from_secs(2));
    assert_eq!(world.ask("GET", "/healthz").await.2, "ok\n");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let (status, _, says) = world.ask("GET", "/healthz").await;
    assert_eq!((status, says.as_str()), (503, "the daemon's loop has not come round since 2026-11-21T12:00:00Z\n"));
    world.board.beat(now());
    assert_eq!(world.ask("GET", "/healthz").await.0, 200);
}

#[tokio::test]
async fn a_port_in_use_may_be_free_soon_and_an_address_that_is_not_ours_is_a_mistake() {
    let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let error = bind(first.address).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (Kind::Failed, format!("cannot listen on {}", first.address)));
    assert!(error.hint().unwrap().contains("choose another port"));
    let elsewhere = bind("203.0.113.1:7470".parse().unwrap()).unwrap_err();
    assert_eq!(elsewhere.kind(), Kind::Settings);
    assert!(elsewhere.hint().unwrap().contains("no such address"), "{elsewhere:?}");
}

#[tokio::test]
async fn the_pages_end_when_the_daemon_does() {
    let world = World::new();
    assert_eq!(world.ask("GET", "/healthz").await.0, 200);
    world.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), world.serving).await;
    assert!(matches!(ended, Ok(Ok(Ok(())))));
}

/// Runs for the ten seconds that a guest may stay.
#[tokio::test]
async fn a_guest_that_sends_its_header_byte_by_byte_is_shown_out() {
    let world = World::new();
    let address = world.address;
    let stayed_for = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let mut slow = TcpStream::connect(address).unwrap();
        slow.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        slow.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
        while begun.elapsed() < Duration::from_secs(20) {
            let gone = slow.write_all(b"X: y\r\n").is_err() || matches!(slow.read(&mut [0; 64]), Ok(0));
            if gone {
                break;
            }
        }
        begun.elapsed()
    });
    assert_eq!(world.ask("GET", "/healthz").await.0, 200);
    let stayed_for = stayed_for.await.unwrap();
    assert!(stayed_for < Duration::from_secs(15), "{stayed_for:?}");
}
