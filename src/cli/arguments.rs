//! arguments: the command line, exactly as `--help` prints it.

use super::{demo::DemoOptions, init::InitOptions};
use crate::{
    clock::Timestamp,
    layout::{BackupId, SourceName},
    role::Select,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, str::FromStr};

/// Locked, encrypted off-site backups of PostgreSQL, compared with their source's rows at each restore.
#[derive(Parser)]
#[command(version, about, propagate_version = true, after_help = EXIT_CODES)]
pub struct Arguments {
    /// The configuration of the role that runs
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "/etc/strongroom/strongroom.toml",
        env = "STRONGROOM_CONFIG"
    )]
    pub config: PathBuf,
    /// Print JSON for programs instead of tables for people
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more on standard error
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// How the log is written
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT", env = "STRONGROOM_LOG_FORMAT")]
    pub log: LogFormat,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people, on standard error
    #[default]
    Text,
    /// One JSON object a line, on standard error
    Json,
    /// The journal's own fields, to journald
    Journald,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 usage or settings, 3 some failed, 4 rights missing,
5 suspect (data looks wiped), 10 vault unreachable, 11 denied,
12 cannot open (key), 13 integrity mismatch, 14 drill failed, 15 not immutable, 16 could not verify, 130 interrupted";

#[derive(Subcommand)]
pub enum Command {
    /// Write configurations and keys for all three roles into a folder
    Init(InitOptions),
    /// Look at configuration, databases, rights, programs and vaults; change nothing
    Check,
    /// Take one backup now
    Backup(BackupOptions),
    /// Keep every source backed up by its schedule, until told to end
    Run,
    /// Confirm what the vaults hold and alarm, and as the restorer drill, until told to end
    Watch,
    /// Show how every source is against what is expected of it
    Status,
    /// List the runs, and the slots at which there was none and why
    History(HistoryOptions),
    /// Say that a suspect backup's data is as it should be
    Accept(AcceptOptions),
    /// List the backups in the vaults
    List(ListOptions),
    /// Read back what the vaults hold, and compare it with what was promised
    Confirm(ConfirmOptions),
    /// Show one backup: its tables, segments and locks
    Show(ShowOptions),
    /// Restore a backup into a new or empty database, and compare
    Restore(RestoreOptions),
    /// Write a backup's decrypted files, for restoring by hand
    Fetch(FetchOptions),
    /// Restore backups into scratch databases and compare: what passes is proven
    Drill(DrillOptions),
    /// Write the page for an incident, with every command and its real names
    Runbook(RunbookOptions),
    /// Play the nine-second incident on a throwaway database and vault
    Demo(DemoOptions),
}

#[derive(Args)]
pub struct BackupOptions {
    /// Which sources; all of them where none is named
    pub sources: Vec<SourceName>,
    /// Send everything again, also what the vault holds already: after a drill that failed, so that no segment that is
    /// damaged there is referred to. Until it is sealed, watchers take what it sends for an overwrite
    #[arg(long)]
    pub anew: bool,
}

#[derive(Args)]
pub struct HistoryOptions {
    /// Which source; all of them where none is named
    pub source: Option<SourceName>,
    /// Show so many of the newest runs, and as many absences
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: u32,
}

#[derive(Args)]
pub struct AcceptOptions {
    /// Whose newest backup is good
    pub source: SourceName,
    /// Its id, as `backup`, `status` or `list` shows it: only what you have seen is accepted
    pub backup: BackupId,
}

#[derive(Args)]
pub struct ListOptions {
    /// Which source; all of them where none is named
    pub source: Option<SourceName>,
    /// Look into this vault only
    #[arg(long)]
    pub vault: Option<String>,
    /// Show so many of each source's newest backups
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: usize,
}

#[derive(Args)]
pub struct ConfirmOptions {
    /// Which source; all of them where none is named
    pub source: Option<SourceName>,
    /// Look into this vault only
    #[arg(long)]
    pub vault: Option<String>,
    /// Read the locks of so many of each source's newest backups only; with --deep, re-read only these
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub newest: Option<usize>,
    /// Read every segment, too, open it and compare its digests: all bytes travel, and only the restorer can
    #[arg(long)]
    pub deep: bool,
    /// An age identity file to use instead of the configuration's
    #[arg(long, value_name = "FILE", requires = "deep")]
    pub identity: Option<PathBuf>,
}

#[derive(Args)]
pub struct ShowOptions {
    /// The backup's id, as `list` prints it
    pub backup: BackupId,
    /// Take it from this vault; the first of the configuration that has it where none is named
    #[arg(long)]
    pub vault: Option<String>,
    /// An age identity file to use instead of the configuration's
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

#[derive(Args)]
pub struct RestoreOptions {
    /// Which source's backup
    pub source: SourceName,
    /// `latest`, `latest-good` (passes suspect ones over), `latest-proven` (a drill restored it), a time
    /// (2026-11-21T12:00:00Z), or a backup's id
    #[arg(long, default_value = "latest", value_name = "WHEN")]
    pub at: At,
    /// The database to restore into, new or empty: postgres://user@host/database?sslmode=...
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// The password for --to; else PGPASSWORD is used where it is set
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Restore this table only (schema.table); may be repeated
    #[arg(long = "table", short = 't', value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Load so many tables or build so many indexes at once [default: cores, at most 8]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<usize>,
    /// Leave everything owned by the role that restores
    #[arg(long)]
    pub no_owner: bool,
    /// Restore no GRANT and REVOKE
    #[arg(long)]
    pub no_privileges: bool,
    /// SET ROLE to this role before anything is made
    #[arg(long)]
    pub role: Option<String>,
    /// Make the backup's roles and tablespaces first, as far as they are missing
    #[arg(long)]
    pub globals: bool,
    /// Take it from this vault; the first of the configuration that has it where none is named
    #[arg(long)]
    pub vault: Option<String>,
    /// An age identity file to use instead of the configuration's
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Find, verify and open the backup and look at the target; change nothing
    #[arg(long)]
    pub plan: bool,
}

#[derive(Args)]
pub struct FetchOptions {
    /// The backup's id, as `list` prints it
    pub backup: BackupId,
    /// A new folder for the files; they are plain text, so put it where plain text may be
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
    /// Take it from this vault; the first of the configuration that has it where none is named
    #[arg(long)]
    pub vault: Option<String>,
    /// An age identity file to use instead of the configuration's
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

#[derive(Args)]
pub struct DrillOptions {
    /// Which source; all of them where none is named
    pub source: Option<SourceName>,
    /// `latest`, `latest-good` (passes suspect ones over), a time (2026-11-21T12:00:00Z), or a backup's id
    #[arg(long, default_value = "latest", value_name = "WHEN")]
    pub at: At,
    /// Prove so many older backups as well, chosen at random
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub sample: usize,
    /// Take it from this vault; the first of the configuration that has it where none is named
    #[arg(long)]
    pub vault: Option<String>,
    /// A server to restore on, in a database of the drill's own, instead of one that is started for it:
    /// postgres://user@host/postgres?sslmode=...
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// The password for --to; else PGPASSWORD is used where it is set
    #[arg(long, value_name = "FILE", requires = "to")]
    pub password_file: Option<PathBuf>,
    /// Load so many tables or build so many indexes at once [default: cores, at most 8]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<usize>,
    /// An age identity file to use instead of the configuration's
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Write each report here as well, as JSON and as a page, in a folder of its own
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

#[derive(Args)]
pub struct RunbookOptions {
    /// A new file for the page; without it, and without --deposit, it is printed
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Put the page, the format's description and the public keys under lock in every vault (depositor)
    #[arg(long)]
    pub deposit: bool,
}

/// The value of `--at`.
#[derive(Clone, Debug)]
pub enum At {
    Select(Select),
    /// The newest that a drill has proven and that does not look wiped: the reports tell which.
    LatestProven,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "not `latest`, `latest-good`, `latest-proven`, a time such as 2026-11-21T12:00:00Z, or a backup's id; `list` shows them"
)]
pub struct BadAt;

impl FromStr for At {
    type Err = BadAt;

    fn from_str(text: &str) -> Result<Self, BadAt> {
        match text {
            "latest" => return Ok(Self::Select(Select::Latest)),
            "latest-good" => return Ok(Self::Select(Select::LatestGood)),
            "latest-proven" => return Ok(Self::LatestProven),
            _ => {}
        }
        let id = text.parse::<BackupId>().map(Select::Id);
        let time = || text.parse::<Timestamp>().map(Select::At);
        id.or_else(|_not_an_id| time()).map(Self::Select).map_err(|_neither| BadAt)
    }
}
