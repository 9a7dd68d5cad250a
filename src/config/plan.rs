//! plan: a configuration that was checked: secrets loaded, names resolved, defaults filled in.

use crate::{
    clock::SignedDuration,
    drill::Sandbox,
    health::Objectives,
    keyring::{DigestKey, Identities, Recipients, SigningKey, VerifyingKey},
    layout::SourceName,
    monitor::{AlertSettings, PingSettings},
    schedule::Schedule,
    source::postgres::PostgresSettings,
    suspect::Thresholds,
    vault::VaultSettings,
};
use std::{
    collections::BTreeSet,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

pub struct Plan {
    pub state_dir: PathBuf,
    pub keys: Keys,
    /// At least one; names and places are distinct.
    pub vaults: Vec<VaultSettings>,
    /// At least one; names are distinct.
    pub sources: Vec<SourcePlan>,
    /// Names are distinct.
    pub alerts: Vec<AlertSettings>,
    /// Only a depositor's file can say other than the defaults.
    pub daemon: DaemonPlan,
    /// Only a restorer's file can say other than the defaults.
    pub drill: DrillPlan,
    /// For each of `vaults`: as whom reports of drills are deposited there; `None`: they are not.
    pub reporters: Vec<Option<VaultSettings>>,
    /// Only an inspector's or a restorer's file can say other than the defaults.
    pub watch: WatchPlan,
}

impl Plan {
    pub fn role(&self) -> Role {
        match self.keys {
            Keys::Depositor(_) => Role::Depositor,
            Keys::Inspector { .. } => Role::Inspector,
            Keys::Restorer { .. } => Role::Restorer,
        }
    }
}

/// Whose configuration it is; each role is told only what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Depositor,
    Inspector,
    Restorer,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Depositor, Self::Inspector, Self::Restorer];

    pub fn name(self) -> &'static str {
        match self {
            Self::Depositor => "depositor",
            Self::Inspector => "inspector",
            Self::Restorer => "restorer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The keys of one role, and of no other.
pub enum Keys {
    Depositor(Box<DepositorKeys>),
    Inspector {
        verifying: VerifyingKey,
        /// Of drill reports; `None`: proofs are not known here.
        reports: Option<VerifyingKey>,
    },
    Restorer {
        verifying: VerifyingKey,
        identities: Identities,
        /// Signs drill reports.
        report: Option<SigningKey>,
    },
}

pub struct DepositorKeys {
    pub recipients: Recipients,
    pub signing: SigningKey,
    pub digest: DigestKey,
}

pub struct SourcePlan {
    pub name: SourceName,
    /// Where its backups go: at least one, each vault once.
    pub deposits: Vec<Deposit>,
    /// How many of `deposits` make the source protected: 1 to their number.
    pub needed: usize,
    pub objectives: Objectives,
    /// SQL that a drill runs on the restored database; every first column must be true.
    pub checks: Vec<String>,
    /// Directories searched for PostgreSQL's programs before the usual ones.
    pub client_path: Vec<PathBuf>,
    /// How to dump it: in a depositor's plan always, in others never.
    pub dump: Option<DumpPlan>,
    /// Who hears that a watch looks and finds it well; a depositor's is in `dump`.
    pub ping: Option<PingSettings>,
}

/// One vault of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// Index in [`Plan::vaults`].
    pub vault: usize,
    /// At most one backup in each such period; `None`: every backup.
    pub every: Option<SignedDuration>,
}

pub struct DumpPlan {
    pub postgres: PostgresSettings,
    /// `None`: only when asked, as by cron or a timer.
    pub schedule: Option<Schedule>,
    /// The zone in which `schedule` is meant.
    pub time_zone: jiff::tz::TimeZone,
    /// A run begins up to so much later than its slot, at random.
    pub jitter: SignedDuration,
    /// A run that takes longer is ended.
    pub deadline: SignedDuration,
    /// A run in which nothing has moved for so long is ended.
    pub stalled_after: SignedDuration,
    pub suspect: Thresholds,
    /// Who is told of each run, so that silence is noticed.
    pub ping: Option<PingSettings>,
}

/// How and when backups are proven.
#[derive(Clone, Debug)]
pub struct DrillPlan {
    /// At most one of the two.
    pub every: Option<SignedDuration>,
    pub schedule: Option<Schedule>,
    /// The zone in which `schedule` is meant.
    pub time_zone: jiff::tz::TimeZone,
    /// How many older backups are proven beside the newest.
    pub sample: usize,
    /// `None`: `scratch` in the state directory, or where root's are.
    pub scratch_dir: Option<PathBuf>,
    /// `None`: what is free there.
    pub disk_bytes_max: Option<u64>,
    pub deadline: SignedDuration,
    pub sandbox: Sandbox,
}

impl Default for DrillPlan {
    fn default() -> Self {
        Self {
            every: Some(SignedDuration::from_hours(24)),
            schedule: None,
            time_zone: jiff::tz::TimeZone::UTC,
            sample: 1,
            scratch_dir: None,
            disk_bytes_max: None,
            deadline: SignedDuration::from_hours(6),
            sandbox: Sandbox::Auto,
        }
    }
}

/// How the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaemonPlan {
    /// Where metrics and health are shown; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// How many sources are dumped at the same time.
    pub runs_at_once: usize,
}

impl Default for DaemonPlan {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7470))), runs_at_once: 2 }
    }
}

/// How a watcher looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchPlan {
    /// Where metrics and health are shown; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// `None`: a quarter of the smallest recovery point objective.
    pub confirm_every: Option<SignedDuration>,
    /// How often the locks of every backup are read, and not those of the newest alone.
    pub confirm_all_every: SignedDuration,
    /// Findings that were explained, as `kind object`.
    pub accepted: BTreeSet<String>,
    /// Where signed drill reports are read besides the vaults.
    pub reports_dir: Option<PathBuf>,
}

impl WatchPlan {
    /// What is in force where nothing is said; both roles' daemons may run on one host.
    pub fn of(role: Role) -> Self {
        let port = if role == Role::Restorer { 7472 } else { 7471 };
        Self {
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            confirm_every: None,
            confirm_all_every: SignedDuration::from_hours(24),
            accepted: BTreeSet::new(),
            reports_dir: None,
        }
    }
}
