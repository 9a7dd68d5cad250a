//! hold: what keeps a dump from ending: a migration that has locked a table, or a server process that hangs.

use super::{PRODUCTION, World, until};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Stdio};

/// A partitioned table that another session has locked. Only pg_dump locks it, and after the snapshot: our own copies
/// go on while it waits, ten seconds at a time.
pub struct Migration(Child);

/// What [`Migration`] locks.
pub const PARTITIONED: &str = "CREATE TABLE partitioned (i int) PARTITION BY RANGE (i);";

impl Migration {
    /// Locked when this returns.
    pub fn begin(world: &World) -> Self {
        let mut psql = world.postgres.command("psql", PRODUCTION);
        let script = "BEGIN; LOCK TABLE ONLY partitioned IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)";
        let child = psql.args(["-X", "-q", "-c", script]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("lock", || (world.psql(&locks(true)) == "1").then_some(()));
        Self(child)
    }

    /// Waits until a pg_dump waits.
    #[track_caller]
    pub fn holds_a_dump(&self, world: &World) {
        until("pg_dump that waits", || (world.psql(&locks(false)) == "1").then_some(()));
    }

    /// Ends it, and with it the lock.
    pub fn end(self, world: &World) {
        world.psql(&locks(true).replace("count(*)", "pg_terminate_backend(pid)"));
        until("end of the lock", || (world.psql(&locks(true)) == "0").then_some(()));
    }
}

fn locks(granted: bool) -> String {
    let (mode, not) = if granted { ("AccessExclusiveLock", "") } else { ("AccessShareLock", "NOT") };
    format!(
        "SELECT count(*) FROM pg_locks WHERE relation = 'partitioned'::regclass AND mode = '{mode}' AND {not} granted"
    )
}

impl Drop for Migration {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A server process that hangs in the middle of a COPY of ours. It waited for its client then, so it holds none of the
/// server's inner locks.
pub struct Hung {
    pub pid: i32,
}

impl Hung {
    #[track_caller]
    pub fn copy(world: &World) -> Self {
        until("COPY that waits for us", || {
            let waiting = "FROM pg_stat_activity WHERE usename = 'strongroom' AND query LIKE 'COPY %' AND wait_event = 'ClientWrite'";
            let found = world.psql(&format!("SELECT pid {waiting} LIMIT 1"));
            let hung = Self { pid: found.parse().ok()? };
            hung.signal(Signal::STOP);
            let still = world.psql(&format!("SELECT count(*) {waiting} AND pid = {}", hung.pid));
            (still == "1").then_some(hung)
        })
    }

    /// It goes on as if nothing had been.
    pub fn end(self) {
        drop(self);
    }

    fn signal(&self, signal: Signal) {
        // It may have ended just now.
        let _ended = kill_process(Pid::from_raw(self.pid).unwrap(), signal);
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
    }
}
