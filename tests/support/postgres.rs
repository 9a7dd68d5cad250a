//! postgres: a throwaway PostgreSQL on a unix socket, as another user where we are root (it refuses to run as root).

use super::cache;
use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File},
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub struct Postgres {
    /// The folder of initdb, pg_dump and all others of this version.
    pub programs: PathBuf,
    pub socket: PathBuf,
    port: u16,
    options: Vec<String>,
    postmaster: Child,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Postgres {
    pub fn start(folder: &Path, major: u32) -> Self {
        Self::start_with(folder, major, 5432, &["-c", "listen_addresses="], |_| {})
    }

    /// Starts with a port and more `options`, after `prepare` has changed what it likes in the data folder.
    pub fn start_with(folder: &Path, major: u32, port: u16, options: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let programs = programs(major);
        DirBuilder::new().mode(0o755).create(folder).unwrap();
        let mut initdb = Self::as_server(&[]);
        if rustix::process::geteuid().is_root() {
            succeed(Command::new("chown").arg("postgres:postgres").arg(folder));
        }
        initdb.arg(programs.join("initdb")).arg("--pgdata").arg(folder.join("data"));
        let locale = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        succeed(initdb.args(locale).current_dir("/"));
        prepare(&folder.join("data"));

        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        let postmaster = Self::serve(&programs, folder, port, &options);
        let mut postgres = Self { programs, socket: folder.to_owned(), port, options, postmaster };
        postgres.wait_until_ready();
        postgres
    }

    fn serve(programs: &Path, folder: &Path, port: u16, options: &[String]) -> Child {
        let log = File::create(folder.join("log")).unwrap();
        // The kernel tells the server when we are gone. SIGQUIT is its immediate shutdown.
        let mut server = Self::as_server(&["--pdeathsig=QUIT"]);
        server.arg(programs.join("postgres")).arg("-D").arg(folder.join("data")).args(["-k"]).arg(folder);
        server.args(["-c", "fsync=off", "-p", &port.to_string()]).args(options);
        server.current_dir("/").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        server.spawn().expect("setpriv (util-linux) runs")
    }

    /// Ends the server as a crash does; [`Self::start_again`] recovers it.
    pub fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.postmaster);
        let _ended_already = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        drop(self.postmaster.wait()); // whatever it says of its end: it is gone
    }

    pub fn start_again(&mut self) {
        self.postmaster = Self::serve(&self.programs, &self.socket, self.port, &self.options);
        self.wait_until_ready();
    }

    /// The user that Debian's package makes for the server, where we are root, and ourselves where we are not.
    fn as_server(options: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        if rustix::process::geteuid().is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        command.args(options).arg("--");
        command
    }

    fn wait_until_ready(&mut self) {
        let log = self.socket.join("log");
        let began = Instant::now();
        while !self.command("pg_isready", "postgres").output().unwrap().status.success() {
            let ended = self.postmaster.try_wait().unwrap();
            let said = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "PostgreSQL does not start: {ended:?}\n{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@/{database}?host={}", self.socket.display())
    }

    /// One of the server's own programs, on its way to `database` as superuser.
    pub fn command(&self, program: &str, database: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.envs(self.environment()).env("PGDATABASE", database);
        command
    }

    /// How libpq finds the server, and reads values the same way everywhere.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("PGHOST", self.socket.display().to_string()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", "postgres".to_owned()),
            ("PGOPTIONS", "-c timezone=UTC -c bytea_output=hex".to_owned()),
        ]
    }

    /// Runs `script` as superuser; gives what it printed, unaligned and without headers.
    #[track_caller]
    pub fn psql(&self, database: &str, script: &str) -> String {
        self.try_psql("postgres", database, script).unwrap_or_else(|said| panic!("{script}\n{said}"))
    }

    /// Runs `script` as `user`; an error is what psql said of it.
    pub fn try_psql(&self, user: &str, database: &str, script: &str) -> Result<String, String> {
        let mut command = self.command("psql", database);
        command.env("PGUSER", user).args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        let mut psql =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("psql runs");
        let mut stdin = psql.stdin.take().unwrap();
        let script = script.to_owned();
        let feeding = std::thread::spawn(move || drop(stdin.write_all(script.as_bytes()))); // psql says why
        let output = psql.wait_with_output().unwrap();
        feeding.join().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// What pg_dump writes of `database` with `options`, to compare it with another one's, whose name may be another:
    /// a name that occurs nowhere else.
    #[track_caller]
    pub fn dump(&self, database: &str, options: &[&str]) -> Dump {
        let output = succeed(self.command("pg_dump", database).args(options));
        let mut lines = BTreeMap::new();
        let differs = |line: &str| [r"\restrict ", r"\unrestrict ", "-- Dumped "].iter().any(|no| line.starts_with(no));
        for line in output.split('\n').filter(|line| !differs(line)) {
            *lines.entry(line.replace(database, "@")).or_default() += 1;
        }
        Dump(lines)
    }

    /// The names of all databases that are no templates, sorted.
    pub fn databases(&self) -> Vec<String> {
        let names = self.psql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1");
        names.lines().map(str::to_owned).collect()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A plain dump's lines, and how often each is there. In which order rows lie is no part of a database.
#[derive(Debug, PartialEq, Eq)]
pub struct Dump(BTreeMap<String, i64>);

impl Dump {
    /// Fails with the lines that only one of the two has.
    #[track_caller]
    pub fn assert_equal(&self, other: &Self) {
        let count = |dump: &Self, line: &String| dump.0.get(line).copied().unwrap_or(0);
        let lines = self.0.keys().chain(other.0.keys().filter(|line| !self.0.contains_key(*line)));
        let mut differences: Vec<String> = Vec::new();
        for line in lines {
            let (ours, theirs) = (count(self, line), count(other, line));
            if ours != theirs {
                let shown: String = line.chars().take(300).collect();
                differences.push(format!("{ours} times, and {theirs} times: {shown}"));
            }
        }
        differences.truncate(40);
        assert!(differences.is_empty(), "the dumps differ:\n{}", differences.join("\n"));
    }

    /// The lines that `other` has not, sorted.
    pub fn beyond(&self, other: &Self) -> Vec<&str> {
        let more = |(line, count): &(&String, &i64)| other.0.get(*line).copied().unwrap_or(0) < **count;
        self.0.iter().filter(more).map(|(line, _)| line.as_str()).collect()
    }
}

/// Debian 12 has PostgreSQL 15; others are unpacked into the cache.
fn programs(major: u32) -> PathBuf {
    let folder = format!("usr/lib/postgresql/{major}/bin");
    let folder =
        if major == 15 { Path::new("/").join(folder) } else { cache().join(format!("pg{major}")).join(folder) };
    assert!(folder.join("initdb").is_file(), "no PostgreSQL {major} in {}: `make test` sets it up", folder.display());
    folder
}

/// Runs `command`, insists that it succeeds, and gives its standard output.
#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: `make test` sets it up"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
