//! signals: what a daemon is asked from outside: SIGHUP reads the configuration again, SIGTERM and SIGINT end it.

use super::ServiceError;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Reload,
    End,
}

impl Signals {
    pub fn listen() -> Result<Self, ServiceError> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Safe to cancel: a signal that came is not lost.
    pub async fn asked(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
        }
    }
}
