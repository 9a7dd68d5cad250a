//! Tests of each form against a real server, and of what is counted and dropped.

use super::{
    super::courier::tests::{AT_ONCE, Postbox, Received},
    *,
};
use crate::{
    clock::{SignedDuration, Timestamp},
    health::{Problem, State},
};
use serde_json::json;

fn event(kind: EventKind) -> Event {
    Event {
        kind,
        source: "app".parse().unwrap(),
        state: State::Failing,
        problems: vec![Problem::Failing { why: "<!channel> & @everyone".into() }],
        age: Some(SignedDuration::from_mins(40)),
        at: now(),
        locked_until: [("offsite".to_owned(), Some("2026-12-26T12:00:00.5Z".parse().unwrap()))].into(),
        reminder: false,
    }
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn settings(form: Form, hook: Hook) -> AlertSettings {
    let token = form.takes_token().then(|| Secret::new(b"t0ken\n".to_vec()));
    AlertSettings { name: "team".into(), form, hook, token, on: EventKind::ALL.into() }
}

/// What arrives when `event` is told in `form`.
async fn arrives(form: Form, event: &Event) -> Received {
    let postbox = Postbox::answering(&[(200, "")]).await;
    let board = Board::new(now());
    let told = vec![settings(form, postbox.hook("/topic"))];
    let alerts = Alerts::start_with(told, &Courier::new().unwrap(), &board, "db1".into(), AT_ONCE);
    alerts.tell(event);
    alerts.close(Duration::from_secs(5)).await;
    assert_eq!(board.shown().totals.alerts_failed["team"], 0);
    postbox.received().remove(0)
}

#[tokio::test]
async fn a_webhook_gets_the_documented_fields() {
    let received = arrives(Form::Webhook, &event(EventKind::Failed)).await;
    let summary = "app: the last run failed: <!channel> & @everyone";
    let says = "the last run failed: <!channel> & @everyone";
    let hint = "Mend the cause; `strongroom check` tells whether it is gone.";
    let expected = json!({
        "event": "failed", "reminder": false, "source": "app", "state": "failing", "summary": summary,
        "problems": [{ "problem": "failing", "vault": null, "says": says, "hint": hint }],
        "age_seconds": 2400, "locked_until": { "offsite": "2026-12-26T12:00:00.5Z" }, "at": "2026-11-21T12:00:00Z", "host": "db1",
    });
    assert_eq!(received.json(), expected);
    assert_eq!((received.method.as_str(), received.address.as_str()), ("POST", "/topic"));
    assert_eq!(received.header("authorization"), "Bearer t0ken");
}

#[tokio::test]
async fn slack_gets_text_that_calls_nobody() {
    let received = arrives(Form::Slack, &event(EventKind::Failed)).await;
    let text = received.json()["text"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("*app: backups fail*\n- the last run failed: &lt;!channel&gt; &amp; @everyone\n"),
        "{text}"
    );
    assert_eq!((received.json().as_object().unwrap().len(), received.header("authorization")), (1, ""));
}

#[tokio::test]
async fn discord_gets_at_most_what_it_takes() {
    let long = Problem::Failing { why: "ä".repeat(5_000) };
    let received = arrives(Form::Discord, &Event { problems: vec![long], ..event(EventKind::Failed) }).await;
    let content = received.json()["content"].as_str().unwrap().to_owned();
    assert!(content.starts_with("**app: backups fail**\n- ") && content.ends_with(" ..."));
    assert!(content.len() <= 2_000);
    assert_eq!(received.json()["allowed_mentions"], json!({ "parse": [] }));
}

#[tokio::test]
async fn ntfy_gets_text_with_headers() {
    let received = arrives(Form::Ntfy, &event(EventKind::Suspect)).await;
    let headers = ["title", "priority", "tags", "authorization"].map(|name| received.header(name));
    assert_eq!(headers, ["app: the newest backup looks wiped", "5", "rotating_light", "Bearer t0ken"]);
    assert!(received.body.starts_with("- the last run failed: "), "{}", received.body);
    let recovered = Event { problems: vec![], reminder: false, ..event(EventKind::Recovered) };
    let received = arrives(Form::Ntfy, &recovered).await;
    assert_eq!((received.header("title"), received.header("priority")), ("app: all is well again", "3"));
    let locked = "The last good backup in offsite is locked until 2026-12-26T12:00:00Z.";
    assert_eq!(received.body, format!("{locked}\nThe recovery point is 40m 0s old. Strongroom on db1."));
}

#[tokio::test]
async fn an_alert_hears_only_what_it_asked_for() {
    let postbox = Postbox::answering(&[(200, "")]).await;
    let told = AlertSettings { on: [EventKind::Suspect].into(), ..settings(Form::Slack, postbox.hook("/x")) };
    let board = Board::new(now());
    let alerts = Alerts::start_with(vec![told], &Courier::new().unwrap(), &board, "db1".into(), AT_ONCE);
    EventKind::ALL.into_iter().for_each(|kind| alerts.tell(&event(kind)));
    alerts.close(Duration::from_secs(5)).await;
    assert_eq!(postbox.received().len(), 1);
}

#[tokio::test]
async fn an_alert_that_cannot_be_delivered_is_counted_and_holds_up_no_other() {
    let (down, up) = (Postbox::answering(&[(500, "")]).await, Postbox::answering(&[(200, "")]).await);
    let broken = AlertSettings { name: "broken".into(), ..settings(Form::Slack, down.hook("/x")) };
    let told = vec![broken, settings(Form::Slack, up.hook("/x"))];
    let board = Board::new(now());
    let alerts = Alerts::start_with(told, &Courier::new().unwrap(), &board, "db1".into(), AT_ONCE);
    alerts.tell(&event(EventKind::Failed));
    alerts.tell(&event(EventKind::Overdue));
    alerts.close(Duration::from_secs(5)).await;
    assert_eq!((down.received().len(), up.received().len()), (10, 2));
    let failed = board.shown().totals.alerts_failed;
    assert_eq!((failed["broken"], failed["team"]), (2, 0));
    let kept = vec![settings(Form::Slack, up.hook("/x"))];
    drop(Alerts::start_with(kept, &Courier::new().unwrap(), &board, "db1".into(), AT_ONCE));
    assert_eq!(board.shown().totals.alerts_failed, [("team".to_owned(), 0)].into(), "another configuration");
}
