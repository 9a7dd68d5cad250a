//! settings: a server's, for loading fast what may be lost at any time (PostgreSQL docs, 14.4 and 14.5).

use super::{PORT, folder::Folder};
use std::{ffi::OsString, fs, path::Path};

const MIB: u64 = 1 << 20;

/// postgres' arguments. On the command line they win over whatever a dump says with ALTER SYSTEM.
pub fn options(folder: &Folder, major: u32, jobs: usize, needed_bytes: u64) -> Vec<OsString> {
    let jobs = u64::try_from(jobs.clamp(1, 128)).expect("it is at most 128");
    let memory = memory_bytes();
    // A list, in which a path may be quoted.
    let sockets = format!("\"{}\"", folder.bound().display().to_string().replace('"', "\"\""));
    let shared_buffers = (memory / 8).clamp(128 * MIB, 4096 * MIB) / MIB;
    let maintenance_work_mem = (memory / 8 / jobs).clamp(64 * MIB, 1024 * MIB) / MIB;
    // Rows that are not loaded with FREEZE go through the log; it may not take the room of what they are loaded into.
    let max_wal_size = (needed_bytes / 4).clamp(1024 * MIB, 8192 * MIB) / MIB;
    let settings = [
        ("listen_addresses", String::new()),
        ("unix_socket_directories", sockets),
        ("unix_socket_permissions", "0700".into()),
        ("port", PORT.to_string()),
        ("max_connections", (3 * jobs + 20).to_string()),
        // pg_dump locks every table there is, in one transaction.
        ("max_locks_per_transaction", "1024".into()),
        ("shared_buffers", format!("{shared_buffers}MB")),
        ("maintenance_work_mem", format!("{maintenance_work_mem}MB")),
        ("max_wal_size", format!("{max_wal_size}MB")),
        ("checkpoint_timeout", "1h".into()),
        ("wal_level", "minimal".into()),
        ("max_wal_senders", "0".into()),
        ("fsync", "off".into()),
        ("full_page_writes", "off".into()),
        ("synchronous_commit", "off".into()),
        ("autovacuum", "off".into()),
        ("jit", "off".into()),
        // As many cores as jobs, so PostgreSQL's own parallel index builds only get in each other's way.
        ("max_parallel_maintenance_workers", "0".into()),
        // A restored subscription must not begin to ask its publisher.
        ("max_logical_replication_workers", "0".into()),
        ("shared_preload_libraries", String::new()),
        ("timezone", "UTC".into()),
        ("log_timezone", "UTC".into()),
        ("lc_messages", "C".into()),
        // The log's end is shown where the server dies: no statement, and so no row, is to be in it.
        ("log_error_verbosity", "terse".into()),
        ("log_min_error_statement", "panic".into()),
    ];
    let mut options: Vec<OsString> = vec!["-D".into(), folder.data().into()];
    // A trigger that fires when somebody logs in could refuse us, or put tables of its own over the catalog's.
    let without_triggers = (major >= 17).then(|| ("event_triggers", "off".to_owned()));
    for (name, value) in settings.into_iter().chain(without_triggers) {
        options.extend(["-c".into(), format!("{name}={value}").into()]);
    }
    options
}

/// What this machine has, or what the control group that we are in may use of it.
fn memory_bytes() -> u64 {
    let machine = rustix::system::sysinfo();
    let total = machine.totalram.saturating_mul(u64::from(machine.mem_unit).max(1));
    group_memory_bytes().map_or(total, |group| group.min(total))
}

/// Control groups version 2: the smallest limit from ours up to the root. `None` where there is none, or another version.
fn group_memory_bytes() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    let folder = root.join(group);
    let limits = folder.ancestors().take_while(|folder| folder.starts_with(root));
    limits.filter_map(|folder| fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse().ok()).min()
}
