//! daemon: `strongroom run` as a service manager runs it: its log is kept, its pages are asked, and how it ends matters.

use super::Installation;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long anything that must happen may take on a machine that has much else to do.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// What a service manager is told to wait for at most.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// Looks again and again until there is something.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "in {PATIENCE:?}: no {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until it is so.
#[track_caller]
pub fn expect(what: &str, mut holds: impl FnMut() -> bool) {
    until(what, || holds().then_some(()));
}

/// Status and body of a page. Version 1.0 has no chunks to put together.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Makes a daemon's configuration out of what `init` wrote: `schedule` without jitter, pages on a port that the system
/// chooses, `above` before the sources and `more` among the keys of the first.
pub fn plan(installation: &Installation, schedule: &str, above: &str, more: &str) {
    installation.edit("depositor", |text| {
        let keys = format!("schedule = \"{schedule}\"\njitter = \"0s\"\n{more}");
        let sections = format!("[daemon]\nlisten = \"127.0.0.1:0\"\n\n{above}\n[[source]]\n");
        text.replacen("[[source]]\n", &sections, 1).replacen("schedule = \"*/15 * * * *\"\n", &format!("{keys}\n"), 1)
    });
}

/// Dropped, it is killed.
pub struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
    address: SocketAddr,
}

impl Daemon {
    #[track_caller]
    pub fn start(installation: &Installation) -> Self {
        Self::start_as(&installation.command("depositor", &["run"]))
    }

    /// Gives it once it is ready.
    #[track_caller]
    pub fn start_as(command: &Command) -> Self {
        let mut tied = Command::new("setpriv");
        tied.args(["--pdeathsig=KILL", "--"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => tied.env(name, value),
                None => tied.env_remove(name),
            };
        }
        let mut child = tied.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (stderr, log) = (child.stderr.take().unwrap(), Arc::new(Mutex::new(String::new())));
        let writing = Arc::clone(&log);
        let reading = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                *writing.lock().unwrap() += &(line.unwrap() + "\n");
            }
        });
        let mut daemon = Self { child, log, reading: Some(reading), address: ([127, 0, 0, 1], 0).into() };
        daemon.address = until("address of its pages", || {
            daemon.insist_alive();
            let log = daemon.log();
            let (_, after) = log.split_once("metrics and health are shown address=")?;
            after.split_once('\n')?.0.parse().ok()
        });
        expect("daemon that is ready", || daemon.get("/readyz").0 == 200);
        daemon
    }

    #[track_caller]
    fn insist_alive(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the daemon has ended with {ended:?}:\n{}", self.log());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that it has said.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn expect_log(&self, words: &str) {
        let began = Instant::now();
        while !self.log().contains(words) {
            assert!(began.elapsed() < PATIENCE, "it does not say `{words}`:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Status and body of one of its pages.
    #[track_caller]
    pub fn get(&self, path: &str) -> (u16, String) {
        get(self.address, path)
    }

    /// What `/health.json` says of the source at `pointer`.
    #[track_caller]
    pub fn health(&self, pointer: &str) -> Value {
        let health: Value = serde_json::from_str(&self.get("/health.json").1).unwrap();
        health.pointer(pointer).cloned().unwrap_or_else(|| panic!("no {pointer} in {health:#}"))
    }

    /// The number of a series, which is written as on the page.
    #[track_caller]
    pub fn metric(&self, series: &str) -> f64 {
        let (_, page) = self.get("/metrics");
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {series} in\n{page}")).parse().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Has it read its configuration again.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// SIGTERM, after which it must end soon and well. Gives all that it has said.
    #[track_caller]
    pub fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let began = Instant::now();
        let ended = until("end", || self.child.try_wait().unwrap());
        let (log, took) = (self.rest(), began.elapsed());
        assert!(ended.code() == Some(0) && took < STOP_WITHIN, "{ended:?} after {took:?}:\n{log}");
        log
    }

    /// SIGKILL, as the kernel does where memory is short. Gives all that it has said.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.rest()
    }

    fn rest(&mut self) -> String {
        self.reading.take().unwrap().join().unwrap();
        self.log()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill()); // it has ended where we waited for it
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- what the daemon said\n{}", self.log());
        }
    }
}
