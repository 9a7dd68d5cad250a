//! liar: a server that breaks off, lies or has a bad day: what a vault makes of its answers.

use super::{CLOCK, PLENTY, key, rgw};
use crate::{
    clock::Timestamp,
    digest::Md5,
    vault::{LockPolicy, S3Settings, Vault, VaultError, VersionId},
};
use bytes::Bytes;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers every request in turn with what the script says, and keeps their heads, in lower case.
struct Liar {
    vault: Vault,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Liar {
    async fn that_says(lock: LockPolicy, script: impl Fn(usize) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let head = read_head(&mut connection).await;
                let answer = {
                    let mut heads = kept.lock().unwrap();
                    heads.push(head);
                    script(heads.len() - 1)
                };
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let settings = S3Settings {
            bucket: "b".into(),
            prefix: String::new(),
            endpoint: Some(endpoint),
            region: "us-east-1".into(),
            path_style: true,
            credentials: rgw::keys("x", "x"),
            lock,
        };
        Self { vault: rgw::open(settings, CLOCK), heads }
    }

    fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    async fn get(&self, limit: u64) -> Result<Bytes, VaultError> {
        self.vault.get(&key("v1/x"), &VersionId("1".into()), limit).await
    }
}

/// Reads a request's head, and so much of a body as has come with it: enough to answer.
async fn read_head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if connection.read_buf(&mut head).await.unwrap() == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&head).to_lowercase()
}

#[tokio::test]
async fn a_deposit_is_one_put_with_its_checksums_and_its_lock() {
    const STORED: &str = "HTTP/1.1 200 OK\r\nx-amz-version-id: v7\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    for lock in [LockPolicy::BucketDefault, LockPolicy::PerObject] {
        let liar = Liar::that_says(lock, |_| STORED.into()).await;
        liar.vault.put(&key("v1/x"), Bytes::from_static(b"x"), Md5::of(b"x")).await.unwrap();
        let heads = liar.heads.lock().unwrap();
        // By headers, the first put asks for the time before.
        assert_eq!(heads.len(), if lock == LockPolicy::PerObject { 2 } else { 1 }, "{heads:#?}");
        let head = heads.last().unwrap();
        assert!(head.starts_with("put /b/v1/x?x-id=putobject http/1.1"), "{head}");
        let sha256_of_x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        for header in ["content-md5: ndtkysamgdt1yfzofvxnpg==", &format!("x-amz-content-sha256: {sha256_of_x}")] {
            assert!(head.contains(header), "{header}: {head}");
        }
        for header in ["x-amz-checksum", "x-amz-trailer", "aws-chunked", "x-amz-sdk-checksum"] {
            assert!(!head.contains(header), "{header}: {head}");
        }
        assert_eq!(head.contains("x-amz-object-lock-mode: compliance"), lock == LockPolicy::PerObject, "{head}");
        let until = head.lines().find_map(|line| line.strip_prefix("x-amz-object-lock-retain-until-date: "));
        let until = until.map(|date| date.to_uppercase().parse::<Timestamp>().unwrap());
        let beyond = until.map(|until| until.duration_since(liar.vault.term().ends(CLOCK.now())).as_secs());
        assert!(beyond.is_none_or(|secs| (890..=901).contains(&secs)), "{until:?}");
        assert_eq!(until.map(|until| until.subsec_nanosecond()), (lock == LockPolicy::PerObject).then_some(0));
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_a_shorter_body() {
    let liar = Liar::that_says(LockPolicy::BucketDefault, |_| {
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes.".into()
    })
    .await;
    let error = liar.get(PLENTY).await.unwrap_err();
    assert!(matches!(error, VaultError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("broke off"), "{error}");
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_at_the_limit() {
    let endless = || format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(1 << 16));
    let liar = Liar::that_says(LockPolicy::BucketDefault, move |_| endless()).await;
    let error = liar.get(1000).await.unwrap_err();
    assert!(matches!(error, VaultError::TooLarge { limit: 1000, .. }), "{error}");
}

#[tokio::test]
async fn a_put_is_tried_again_until_the_server_is_well() {
    let liar = Liar::that_says(LockPolicy::BucketDefault, |request| match request {
        0..3 => "HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
        _ => "HTTP/1.1 200 OK\r\nx-amz-version-id: v7\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into(),
    })
    .await;
    let placed = liar.vault.put(&key("v1/x"), Bytes::from_static(b"x"), Md5::of(b"x")).await.unwrap();
    assert_eq!(placed.version, VersionId("v7".into()));
    assert_eq!(liar.requests(), 4);
    // No Date in the answers: our own clock stands in.
    assert!(placed.server_time.duration_since(CLOCK.now()).as_secs().abs() < 15, "{placed:?}");
}

#[tokio::test]
async fn a_server_that_stays_ill_is_unreachable() {
    let ill = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let liar = Liar::that_says(LockPolicy::BucketDefault, move |_| ill.into()).await;
    let began = Instant::now();
    let error = liar.get(PLENTY).await.unwrap_err();
    assert!(matches!(error, VaultError::Unreachable { .. }), "{error}");
    assert!(error.to_string().ends_with("HTTP status 500"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_listing_that_runs_in_a_circle_ends() {
    let page = "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>v1/a</NextKeyMarker>\
                <NextVersionIdMarker>1</NextVersionIdMarker></ListVersionsResult>";
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}", page.len());
    let liar = Liar::that_says(LockPolicy::BucketDefault, move |_| answer.clone()).await;
    let error = liar.vault.versions("").await.unwrap_err();
    assert!(matches!(error, VaultError::Failed { .. }), "{error}");
    assert_eq!(liar.requests(), 2);
}

#[tokio::test]
async fn a_page_that_is_not_s3s_is_no_empty_listing() {
    let page = "<html><body>Welcome to the hotel network</body></html>";
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}", page.len());
    let liar = Liar::that_says(LockPolicy::BucketDefault, move |_| answer.clone()).await;
    let listed = liar.vault.versions("").await;
    assert!(matches!(listed, Err(VaultError::Failed { .. })), "{listed:?}");
}
