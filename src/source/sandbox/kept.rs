//! kept: a confined program that runs until it is told to end, ends with us, and leaves nothing running.

use super::{Bars, Cage, View};
use rustix::{
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde::Deserialize;
use std::{
    io,
    path::Path,
    process::{Child, Command, ExitStatus},
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::watch;

const STARTED_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to end after it was asked, and after it was killed.
const GENTLY_WITHIN: Duration = Duration::from_secs(5);
const KILLED_WITHIN: Duration = Duration::from_secs(10);

/// Dropping it kills the program, and waits until it is gone.
#[derive(Debug)]
pub struct Kept {
    /// In a sandbox the first process of its namespace: the kernel ends all others with it.
    process: OwnedFd,
    /// What it is asked to end with before it is killed; a sandbox is simply taken away.
    gently: Option<Signal>,
    ended: watch::Receiver<Option<ExitStatus>>,
    keeper: Option<JoinHandle<()>>,
}

/// What bubblewrap says of the sandbox (`--info-fd`).
#[derive(Deserialize)]
struct Info {
    #[serde(rename = "child-pid")]
    child_pid: i32,
}

impl Kept {
    /// Starts `program` in `cage`, as `prepare` wants it, on a thread of its own: "die with parent" means the parent's
    /// thread, and the runtime's threads come and go.
    pub fn start(cage: &Cage, program: &Path, view: &View, prepare: impl FnOnce(&mut Command)) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let walled = matches!(cage.bars, Bars::Bubblewrap(_));
        let mut command = cage.telling(program, view, walled.then(|| writer.into()))?;
        prepare(&mut command);
        let (started, start) = mpsc::sync_channel(1);
        let (end, ended) = watch::channel(None);
        let keeper = std::thread::Builder::new().name("keeper".into()).spawn(move || {
            let spawned = command.spawn();
            drop(command); // and with it our end of what bubblewrap writes to
            let mut child = match spawned {
                Ok(child) => child,
                Err(error) => return drop(started.send(Err(error))), // it waits for this very message
            };
            drop(started.send(process(&child, walled.then_some(reader))));
            // Waiting for a child of ours that nobody else waits for cannot fail.
            end.send_replace(Some(child.wait().expect("our child is ours to wait for")));
        })?;
        let process = start.recv_timeout(STARTED_WITHIN).map_err(io::Error::other)??;
        Ok(Self { process, gently: (!walled).then_some(Signal::QUIT), ended, keeper: Some(keeper) })
    }

    /// Waits for its end.
    pub async fn ended(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let status = ended.wait_for(Option::is_some).await.map(|status| *status);
        status.ok().flatten().expect("the keeper tells the end before it goes")
    }

    pub fn status(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Ends it, and waits until it is gone; blocks for as long.
    pub fn end(&mut self) -> io::Result<()> {
        if let Some(signal) = self.gently {
            self.send(signal)?;
            self.wait(GENTLY_WITHIN);
        }
        if self.status().is_none() {
            self.send(Signal::KILL)?;
            self.wait(KILLED_WITHIN);
        }
        if self.status().is_none() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not end, although it was killed"));
        }
        match self.keeper.take().map(JoinHandle::join) {
            Some(Err(_panic)) => Err(io::Error::other("the keeper is lost")),
            _ => Ok(()),
        }
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.process, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()), // ended by itself
            Err(error) => Err(error.into()),
        }
    }

    fn wait(&self, within: Duration) {
        let began = Instant::now();
        while self.status().is_none() && began.elapsed() < within {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.keeper.is_some()
            && let Err(error) = self.end()
        {
            tracing::error!(%error, "a scratch server's program was not ended");
        }
    }
}

/// The process to end: the child itself, or the first one inside, of which bubblewrap tells. Where that one has ended
/// already, so does bubblewrap.
fn process(child: &Child, told: Option<io::PipeReader>) -> io::Result<OwnedFd> {
    let inside = told.and_then(|told| {
        let mut told = serde_json::Deserializer::from_reader(told).into_iter::<Info>();
        Pid::from_raw(told.next()?.ok()?.child_pid)
    });
    let inside = inside.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    Ok(inside.map_or_else(|| pidfd_open(Pid::from_child(child), PidfdFlags::empty()), Ok)?)
}
