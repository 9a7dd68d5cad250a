//! Tests against a real server on a port of its own, and the postbox that other rooms' tests use too.

use super::*;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
    response::IntoResponse,
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, time::Instant};

pub const AT_ONCE: Pauses = &[Duration::from_millis(1); 4];

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: Method,
    pub address: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A server that keeps what it receives and answers as it was told, the last answer again and again.
#[derive(Clone)]
pub struct Postbox {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Vec<(u16, &'static str)>>,
}

impl Postbox {
    /// Each answer is a status and a `Retry-After`, empty for none.
    pub async fn answering(answers: &[(u16, &'static str)]) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), answers)
    }

    fn on(listener: TcpListener, answers: &[(u16, &'static str)]) -> Self {
        let address = listener.local_addr().unwrap();
        let postbox = Self { address, received: Arc::default(), answers: Arc::new(answers.to_vec()) };
        let routes = Router::new().fallback(receive).with_state(postbox.clone());
        drop(tokio::spawn(async move { axum::serve(listener, routes).await })); // it ends with the test's runtime
        postbox
    }

    pub fn hook(&self, path: &str) -> Hook {
        Hook::new(format!("http://{}{path}", self.address).parse().unwrap())
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn receive(
    State(postbox): State<Postbox>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let mut received = postbox.received.lock().unwrap();
    let (status, retry_after) = postbox.answers[received.len().min(postbox.answers.len() - 1)];
    let body = String::from_utf8(body.to_vec()).unwrap();
    received.push(Received { method, address: uri.to_string(), headers, body });
    let mut answer = HeaderMap::new();
    if !retry_after.is_empty() {
        answer.insert("retry-after", retry_after.parse().unwrap());
    }
    if status == 302 {
        answer.insert("location", "/elsewhere".parse().unwrap());
    }
    (StatusCode::from_u16(status).unwrap(), answer, "hunter2 is not welcome")
}

fn letter(to: Hook) -> Letter {
    let mut letter = Letter::json("a test".to_owned(), to, &serde_json::json!({ "a": 1 }));
    letter.token = Some(Secret::new(b"t0ken".to_vec()));
    letter
}

async fn delivered(answers: &[(u16, &'static str)]) -> (Result<(), Undelivered>, Vec<Received>) {
    let postbox = Postbox::answering(answers).await;
    let courier = Courier::new().unwrap();
    let delivered = courier.deliver(&letter(postbox.hook("/hunter2?a=b")), AT_ONCE).await;
    (delivered, postbox.received())
}

#[tokio::test]
async fn a_letter_arrives_as_it_was_written() {
    let (delivered, received) = delivered(&[(204, "")]).await;
    assert!(delivered.is_ok());
    let [one] = &received[..] else { panic!("{received:?}") };
    assert_eq!((&one.method, one.address.as_str(), one.body.as_str()), (&Method::POST, "/hunter2?a=b", "{\"a\":1}"));
    assert_eq!(one.header("user-agent"), concat!("strongroom/", env!("CARGO_PKG_VERSION")));
    assert_eq!((one.header("content-type"), one.header("authorization")), ("application/json", "Bearer t0ken"));
}

#[tokio::test]
async fn what_may_pass_is_tried_again_with_the_same_letter() {
    for status in [500, 503, 429, 408] {
        let (delivered, received) = delivered(&[(status, ""), (status, ""), (200, "")]).await;
        assert!(delivered.is_ok(), "{status}");
        assert_eq!(received.len(), 3, "{status}");
        assert!(received.iter().all(|one| one.body == received[0].body));
    }
}

#[tokio::test]
async fn what_will_not_pass_is_tried_once() {
    for status in [400, 401, 404, 410, 302] {
        let (delivered, received) = delivered(&[(status, ""), (200, "")]).await;
        let why = delivered.unwrap_err().to_string();
        assert!(why.starts_with(&format!("the answer was {status}")), "{why}");
        assert_eq!(received.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn patience_ends_and_no_reason_repeats_the_address_or_the_answer() {
    let (refused, received) = delivered(&[(500, "")]).await;
    assert_eq!(
        (received.len(), refused.unwrap_err().to_string().as_str()),
        (5, "the answer was 500 Internal Server Error")
    );
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nowhere = Hook::new(format!("http://{free}/hunter2").parse().unwrap());
    let undelivered = Courier::new().unwrap().deliver(&letter(nowhere.clone()), AT_ONCE).await.unwrap_err();
    assert!(undelivered.to_string().contains("Connection refused"), "{undelivered}");
    assert!(!format!("{undelivered} {undelivered:?} {nowhere:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_server_that_begins_late_is_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    const SHORT: Pauses = &[Duration::from_millis(50); 100];
    let courier = Courier::new().unwrap();
    let hook = Hook::new(format!("http://{address}/x").parse().unwrap());
    let sending = tokio::spawn(async move { courier.deliver(&letter(hook), SHORT).await });
    tokio::time::sleep(Duration::from_millis(150)).await;
    let postbox = Postbox::on(TcpListener::bind(address).await.unwrap(), &[(200, "")]);
    assert!(sending.await.unwrap().is_ok());
    assert_eq!(postbox.received().len(), 1);
}

#[tokio::test]
async fn a_server_is_given_the_time_that_it_asks_for() {
    let begun = Instant::now();
    let (delivered, _) = delivered(&[(429, "0.4"), (200, "")]).await;
    assert!(delivered.is_ok() && begun.elapsed() >= Duration::from_millis(400));
    for odd in ["soon", "-5", "NaN", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        let (delivered, received) = self::delivered(&[(429, odd), (200, "")]).await;
        assert!(delivered.is_ok() && received.len() == 2, "{odd}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = Hook::new(format!("http://{}/hunter2", listener.local_addr().unwrap()).parse().unwrap());
    drop(Courier::new().unwrap()); // installs the provider that reqwest asks for
    let client = reqwest::Client::builder().timeout(Duration::from_millis(100)).build().unwrap();
    let undelivered = Courier { client }.deliver(&letter(hook), &[]).await.unwrap_err();
    assert!(matches!(undelivered, Undelivered::TimedOut), "{undelivered}");
}

#[tokio::test]
async fn a_line_that_is_full_says_so_and_does_not_wait() {
    let postbox = Postbox::answering(&[(500, "")]).await;
    let lost = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&lost);
    const LONG: Pauses = &[Duration::from_secs(60)];
    let line = Line::start(Courier::new().unwrap(), LONG, move |letter, undelivered| {
        heard.lock().unwrap().push(format!("{}: {undelivered}", letter.about));
    });
    for _ in 0..110 {
        line.send(letter(postbox.hook("/x")));
    }
    let lost = lost.lock().unwrap().clone();
    assert_eq!((lost.len(), lost[0].as_str()), (10, "a test: too many others are waiting"));
    let begun = Instant::now();
    line.close(Duration::from_millis(100)).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_text_is_clipped_between_characters() {
    assert_eq!(clipped("short", 5), "short");
    assert_eq!(clipped("ääääääää", 9), "ää ...");
}
