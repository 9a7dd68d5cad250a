//! ear: an HTTP server that hears what a webhook or a dead-man ping is told, and says yes to everything.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

pub struct Ear {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Path and query.
    pub path: String,
    pub body: String,
}

const WAIT: Duration = Duration::from_secs(5);

impl Ear {
    /// Listens until the test's process ends.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heard) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let hearing = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                hearing.lock().unwrap().extend(hear(stream.unwrap()));
            }
        });
        Self { address, heard }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was asked for below `path`, in its order.
    pub fn heard(&self, path: &str) -> Vec<Heard> {
        self.heard.lock().unwrap().iter().filter(|heard| heard.path.starts_with(path)).cloned().collect()
    }
}

/// A request that breaks off was not heard.
fn hear(stream: TcpStream) -> Option<Heard> {
    stream.set_read_timeout(Some(WAIT)).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut head = || {
        line.clear();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let path = head()?.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let line = head()?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
    Some(Heard { path, body: String::from_utf8_lossy(&body).into_owned() })
}
