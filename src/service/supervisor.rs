//! supervisor: what systemd is told, where it asks: ready, reloading, stopping, alive, and one line of status.

use crate::health::Health;
use sd_notify::NotifyState;
use std::time::{Duration, Instant};

pub struct Supervisor {
    /// How often the watchdog wants to hear of us.
    every: Option<Duration>,
    last: Instant,
    said: String,
}

impl Supervisor {
    pub fn new() -> Self {
        // Half of what would have us killed, as sd_watchdog_enabled(3) advises.
        let every = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        Self { every, last: Instant::now(), said: String::new() }
    }

    pub fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!(%error, "systemd is not told of the reload"),
        }
    }

    pub fn stopping(&self, within: Duration) {
        let micros = u32::try_from((within + Duration::from_secs(10)).as_micros()).unwrap_or(u32::MAX);
        tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)]);
    }

    /// The loop came round; `systemctl status` shows how things are.
    pub fn beat(&mut self, health: &Health, running: usize) {
        if self.every.is_some_and(|every| self.last.elapsed() >= every / 2) {
            self.last = Instant::now();
            tell(&[NotifyState::Watchdog]);
        }
        let quiet = health.sources.iter().filter(|source| source.state.is_quiet()).count();
        let said = format!("{quiet} of {} sources are well, {running} running", health.sources.len());
        if said != self.said {
            tell(&[NotifyState::Status(&said)]);
            self.said = said;
        }
    }
}

/// Does nothing where nobody asked ($NOTIFY_SOCKET).
fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd is not told");
    }
}
