//! demo: the nine-second incident, played for real on a throwaway database and a throwaway vault.
//!
//! It runs this very program as a user would, prints each command with what it answered, and tries what a stray
//! agent would try with the application's and with the depositor's rights.

mod server;

use super::Failure;
use crate::{
    clock::{Clock, SignedDuration, Timestamp, spoken},
    failure::{Explain, Kind},
};
use anstream::println;
use comfy_table::{Table, presets::NOTHING};
use owo_colors::OwoColorize;
use server::Server;
use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};
use tokio::process::Command;

const DROP_TRIES: u32 = 50;
const DROP_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
const RENTAL: &str = include_str!("demo/rental.sql");

/// A role that may read everything, as README tells the operator to make it; and the application's own, which owns
/// the database, as so often.
const ROLES: &str =
    "CREATE ROLE app LOGIN; CREATE ROLE strongroom LOGIN BYPASSRLS; GRANT pg_read_all_data TO strongroom;";
const MORNING: &str = "
    INSERT INTO rental.customers (name, email, phone, city, licence_no, born_on, created_at)
    SELECT 'Walk-in ' || n, 'walkin' || n || '@example.com', '+49 30 ' || n, 'Berlin', 'WALKIN' || n, '1990-01-01', now()
    FROM generate_series(1, 250) n;";
const ROWS: &str = "SELECT (SELECT count(*) FROM rental.customers) + (SELECT count(*) FROM rental.vehicles)
    + (SELECT count(*) FROM rental.reservations) + (SELECT count(*) FROM rental.payments)";

#[derive(clap::Args)]
pub struct DemoOptions {
    /// A folder to play in; else a new one below the temporary folder
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("{what}")]
    Machine { what: String, source: io::Error },
    #[error("no PostgreSQL server programs in /usr/lib/postgresql")]
    NoPostgres,
    #[error("`{command}` ended with {status}{said}")]
    Failed { command: String, status: ExitStatus, said: String },
    #[error("rows were lost: {before} before the incident, {after} after the restore")]
    Lost { before: String, after: String },
    #[error("{0} attacks on an immutable vault succeeded")]
    Breached(usize),
}

impl Explain for DemoError {
    fn kind(&self) -> Kind {
        match self {
            Self::Lost { .. } => Kind::Mismatch,
            Self::Breached(_) => Kind::NotImmutable,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        matches!(self, Self::NoPostgres).then(|| "Install the server: apt-get install postgresql.".to_owned())
    }
}

/// Everything that the play needs.
struct Stage {
    folder: PathBuf,
    program: PathBuf,
    server: Server,
    clock: Clock,
    began_at: Timestamp,
    timeline: Vec<(SignedDuration, String)>,
}

pub async fn run(options: &DemoOptions, clock: Clock) -> Result<u8, Failure> {
    let folder = match &options.dir {
        Some(folder) => folder.clone(),
        None => {
            tempfile::Builder::new().prefix("strongroom-demo-").tempdir().map_err(machine("making a folder"))?.keep()
        }
    };
    let folder = std::path::absolute(&folder).map_err(machine("finding the folder"))?;
    let server = Server::start(&folder).await?;
    let program = std::env::current_exe().map_err(machine("finding this program"))?;
    let mut stage = Stage { folder, program, server, clock, began_at: clock.now(), timeline: Vec::new() };
    let played = stage.play().await;
    stage.server.stop().await?;
    played?;
    if options.dir.is_none() {
        let folder = stage.folder.display();
        println!("\nLeft to look at: {folder}\nTo remove it: sudo chattr -R -i {folder}; sudo rm -rf {folder}");
    }
    Ok(0)
}

fn machine(what: &str) -> impl FnOnce(io::Error) -> DemoError {
    let what = what.to_owned();
    move |source| DemoError::Machine { what, source }
}

impl Stage {
    async fn play(&mut self) -> Result<(), DemoError> {
        headline("A small car rental: customers, vehicles, reservations, payments");
        self.server.psql("postgres", "postgres", ROLES).await?;
        self.server.psql("postgres", "postgres", "CREATE DATABASE rental OWNER app;").await?;
        self.server.psql("app", "rental", RENTAL).await?;
        self.mark("the business is open");

        headline("Strongroom is set up: keys, a role for each of three configurations, a vault");
        let source = format!("rental=postgres://strongroom@/rental?host={}", self.server.socket());
        let vault = format!("local=file://{}", self.path("vault").display());
        let options = ["init", "strongroom", "--source", &source, "--vault", &vault, "--term", "35d", "--yes"];
        self.strongroom(&options, true).await?;

        headline("Two backups: every 15 minutes in real life");
        self.strongroom(&["-c", "strongroom/depositor.toml", "backup"], false).await?;
        self.mark("first backup sealed");
        self.server.psql("app", "rental", MORNING).await?;
        self.strongroom(&["-c", "strongroom/depositor.toml", "backup"], false).await?;
        let backed_up_at = self.clock.now();
        self.mark("second backup sealed");
        let before = self.server.psql("postgres", "rental", ROWS).await?;

        headline("The incident: an agent with the application's rights cleans up");
        let incident_at = self.clock.now();
        self.drop_database().await?;
        println!("app=> DROP DATABASE rental WITH (FORCE);\nDROP DATABASE");
        self.mark("the database is dropped");
        self.attacks().await?;
        self.mark("ten ways to destroy the backups were tried");

        headline("3 a.m.: what is there, and get it back");
        self.strongroom(&["-c", "strongroom/restorer.toml", "list"], false).await?;
        let to = format!("postgres://postgres@/rental?host={}", self.server.socket());
        self.strongroom(&["-c", "strongroom/restorer.toml", "restore", "rental", "--to", &to], false).await?;
        let recovered_at = self.clock.now();
        self.mark("restored, and every table compared with the backup");
        let after = self.server.psql("postgres", "rental", ROWS).await?;
        self.tell(&before, &after, incident_at.duration_since(backed_up_at), recovered_at.duration_since(incident_at));
        if before == after { Ok(()) } else { Err(DemoError::Lost { before, after }) }
    }

    /// The application may not end other roles' sessions, so it waits for those that are just going, as an agent would.
    async fn drop_database(&self) -> Result<(), DemoError> {
        let mut tried = 1;
        loop {
            match self.server.psql("app", "postgres", "DROP DATABASE rental WITH (FORCE);").await {
                Err(_still_in_use) if tried < DROP_TRIES => tokio::time::sleep(DROP_PAUSE).await,
                ended => return ended.map(drop),
            }
            tried += 1;
        }
    }

    /// What a stray agent would do to the backups, with the rights of the application's user and of the depositor's.
    async fn attacks(&self) -> Result<(), DemoError> {
        let vault = self.path("vault");
        let victim = first_object(&vault).await.map_err(machine("looking for an object"))?;
        let (vault, victim) = (vault.display(), victim.display());
        let immutable = self.shell("depositor", &format!("lsattr {victim} | cut -d' ' -f1 | grep -q i")).await?;
        // Where nothing holds the vault, the attacks go to a copy: the play shall go on, and say what it saw.
        let prey = if immutable { vault.to_string() } else { self.path("canary").display().to_string() };
        if !immutable {
            self.shell("depositor", &format!("cp -a {vault} {prey}")).await?;
        }
        let object = if immutable { victim.to_string() } else { victim.to_string().replace(&vault.to_string(), &prey) };
        let scripts = [
            ("app", "delete the vault", format!("rm -rf {prey}/v1")),
            ("app", "read a backup", format!("cat {object} >/dev/null")),
            ("depositor", "overwrite an object", format!("echo wiped > {object}")),
            ("depositor", "truncate an object", format!("truncate -s 0 {object}")),
            ("depositor", "rename an object", format!("mv {object} {object}.gone")),
            ("depositor", "change its mode", format!("chmod 777 {object}")),
            ("depositor", "delete an object", format!("rm -f {object}")),
            ("depositor", "delete all objects", format!("rm -rf {prey}/v1")),
        ];
        let mut rows = Table::new();
        rows.load_style(NOTHING).set_header(["WHO", "TRIES TO", "OUTCOME"]);
        let mut breached = 0;
        for (who, what, script) in &scripts {
            let succeeded = self.shell(who, script).await?;
            breached += usize::from(succeeded);
            let outcome = if succeeded { "BREACHED".red().bold().to_string() } else { "held".green().to_string() };
            rows.add_row([*who, what, &outcome]);
        }
        for (what, statement) in
            [("drop the database", "DROP DATABASE postgres"), ("delete rows", "DELETE FROM pg_authid")]
        {
            let refused = self.server.psql("strongroom", "template1", statement).await.is_err();
            breached += usize::from(!refused);
            let outcome = if refused { "held".green().to_string() } else { "BREACHED".red().bold().to_string() };
            rows.add_row(["depositor", what, &outcome]);
        }
        println!("{rows}");
        match (immutable, breached) {
            (true, 0) => println!(
                "Only this machine's root could still do it, with chattr -i first: that is why a real vault is a bucket with \
                 Object Lock in another account."
            ),
            (true, breached) => return Err(DemoError::Breached(breached)),
            (false, _) => println!(
                "{} this directory vault is NOT immutable here (no right to set the immutable flag), so the attacks were \
                 made on a copy. Run the demo as root, or use an S3 bucket with Object Lock.",
                "note:".yellow()
            ),
        }
        Ok(())
    }

    /// Runs `script`, as the application's user where there is another one to be. Did it succeed?
    async fn shell(&self, who: &str, script: &str) -> Result<bool, DemoError> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if who == "app" {
            self.server.become_other(&mut command);
        }
        Ok(command.status().await.map_err(machine("running sh"))?.success())
    }

    /// Runs this program in the play's folder as a user would, and shows both.
    async fn strongroom(&self, arguments: &[&str], quiet: bool) -> Result<(), DemoError> {
        println!("{} strongroom {}", "$".bold(), arguments.join(" "));
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        if quiet {
            command.stdout(Stdio::null());
        }
        let status = command.status().await.map_err(machine("running strongroom"))?;
        let command = format!("strongroom {}", arguments.join(" "));
        if status.success() { Ok(()) } else { Err(DemoError::Failed { command, status, said: String::new() }) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn mark(&mut self, what: &str) {
        self.timeline.push((self.clock.now().duration_since(self.began_at), what.to_owned()));
    }

    fn tell(&self, before: &str, after: &str, age: SignedDuration, recovery: SignedDuration) {
        headline("The timeline");
        for (at, what) in &self.timeline {
            println!("{:>8}  {what}", spoken(*at));
        }
        let lost = if before == after { "nothing".green().bold().to_string() } else { "ROWS".red().bold().to_string() };
        println!("\n  lost                 {lost} ({before} rows before, {after} after)");
        println!("  age of last backup   {}", spoken(age));
        println!("  incident to restored {}", spoken(recovery));
    }
}

fn headline(text: &str) {
    println!("\n{}", text.bold().underline());
}

/// The first file of the vault, by path: any object will do.
async fn first_object(folder: &Path) -> io::Result<PathBuf> {
    let mut folder = folder.to_owned();
    loop {
        let mut entries = tokio::fs::read_dir(&folder).await?;
        let mut first: Option<PathBuf> = None;
        while let Some(entry) = entries.next_entry().await? {
            first = Some(first.map_or(entry.path(), |first| first.min(entry.path())));
        }
        let first = first.ok_or_else(|| io::Error::other("the vault is empty"))?;
        if first.is_file() {
            return Ok(first);
        }
        folder = first;
    }
}
