//! Tests of both kinds against a real server.

use super::{
    super::courier::tests::{AT_ONCE, Postbox, Received},
    *,
};
use crate::{
    clock::Timestamp,
    run::{Bytes, Outcome},
};

const RUN: [u8; 16] = [0xff; 16];
const RID: &str = "rid=ffffffff-ffff-4fff-bfff-ffffffffffff";

fn ended(outcome: Outcome, why: Option<&str>) -> Ping {
    let at: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let why = why.map(str::to_owned);
    let end = End { at, outcome, why, bytes: Bytes::default(), rows: 7, tables: 1, segments: 1 };
    Ping::ended(RUN, &end, SignedDuration::from_millis(61_500))
}

/// What arrives of `pings`, sent in this order to a server that answers as it is told.
async fn arrives(kind: PingKind, path: &str, answers: &[(u16, &'static str)], pings: &[Ping]) -> Vec<Received> {
    let postbox = Postbox::answering(answers).await;
    let app: SourceName = "app".parse().unwrap();
    let settings = PingSettings { kind, hook: postbox.hook(path) };
    let lines = Pings::start_with([(app.clone(), settings)], &Courier::new().unwrap(), AT_ONCE);
    for ping in pings {
        lines.send(&app, ping);
        lines.send(&"other".parse().unwrap(), ping);
    }
    lines.close(Duration::from_secs(5)).await;
    postbox.received()
}

fn lines(received: &[Received]) -> Vec<String> {
    received.iter().map(|one| format!("{} {} {}", one.method, one.address, one.body).trim_end().to_owned()).collect()
}

#[tokio::test]
async fn healthchecks_hears_of_beginning_success_and_failure() {
    let pings = [Ping::begun(RUN), ended(Outcome::Sealed, None), ended(Outcome::Failed, Some("denied"))];
    let received = arrives(PingKind::Healthchecks, "/hunter2", &[(200, "")], &pings).await;
    let expected = [
        format!("POST /hunter2/start?{RID}"),
        format!("POST /hunter2?{RID} sealed (7 rows, 1m 1s)"),
        format!("POST /hunter2/fail?{RID} failed: denied (7 rows, 1m 1s)"),
    ];
    assert_eq!(lines(&received), expected);
    let received = arrives(PingKind::Healthchecks, "/key/app/?create=1", &[(200, "")], &pings[..1]).await;
    assert_eq!(lines(&received), [format!("POST /key/app/start?create=1&{RID}")]);
}

#[tokio::test]
async fn only_a_backup_that_can_be_counted_on_is_a_success() {
    for outcome in Outcome::ALL {
        let received = arrives(PingKind::Healthchecks, "/x", &[(200, "")], &[ended(outcome, None)]).await;
        let failed = received[0].address.starts_with("/x/fail");
        assert_eq!(failed, !matches!(outcome, Outcome::Sealed | Outcome::SomeFailed | Outcome::NotDue), "{outcome}");
    }
}

#[tokio::test]
async fn uptime_kuma_gets_its_own_values_in_place_of_the_copied_ones() {
    let path = "/api/push/hunter2?status=up&msg=OK&ping=&extra=1";
    let pings =
        [Ping::begun(RUN), ended(Outcome::Sealed, None), ended(Outcome::Suspect, Some("public.t has lost rows"))];
    let received = arrives(PingKind::UptimeKuma, path, &[(200, "")], &pings).await;
    let expected = [
        "GET /api/push/hunter2?extra=1&status=up&msg=sealed+%287+rows%2C+1m+1s%29&ping=61500",
        "GET /api/push/hunter2?extra=1&status=down&msg=suspect+%287+rows%2C+1m+1s%29&ping=61500",
    ];
    assert_eq!(lines(&received), expected);
}

#[tokio::test]
async fn a_ping_is_tried_again_and_keeps_its_place() {
    let pings = [Ping::begun(RUN), ended(Outcome::Sealed, None)];
    let received = arrives(PingKind::Healthchecks, "/x", &[(503, ""), (200, "")], &pings).await;
    let addresses: Vec<&str> = received.iter().map(|one| one.address.split('?').next().unwrap()).collect();
    assert_eq!(addresses, ["/x/start", "/x/start", "/x"]);
}
