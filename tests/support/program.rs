//! program: strongroom as a user runs it, and what it answered.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// What a run printed, and its exit code.
#[derive(Debug)]
pub struct Ran {
    pub arguments: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn new(arguments: String, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("strongroom prints UTF-8");
        let code = output.status.code().unwrap_or(-1);
        Self { arguments, code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        let Self { arguments, stdout, stderr, .. } = &self;
        assert_eq!(self.code, code, "exit code of strongroom {arguments}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        self
    }

    #[track_caller]
    pub fn says(self, fact: &str) -> Self {
        let Self { arguments, stdout, stderr, .. } = &self;
        let said = stdout.contains(fact) || stderr.contains(fact);
        assert!(said, "strongroom {arguments} does not say `{fact}`\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in\n{}", self.stdout))
    }
}

/// The program that is being tested, told nothing by our own environment.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    command.args(arguments).stdin(Stdio::null()).env("NO_COLOR", "1");
    let ours = |name: &str| ["STRONGROOM_", "PG", "AWS_"].iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
}

pub fn strongroom(arguments: &[&str]) -> Ran {
    Ran::new(arguments.join(" "), &command(arguments).output().unwrap())
}

/// A folder that `strongroom init` made.
pub struct Installation {
    pub folder: PathBuf,
}

impl Installation {
    /// `options`: what `init` is told. `programs`: where PostgreSQL's clients are.
    #[track_caller]
    pub fn new(folder: &Path, options: &[&str], programs: &Path) -> Self {
        let path = folder.to_str().unwrap();
        strongroom(&[&["init", path, "--yes"], options].concat()).exits(0);
        let installation = Self { folder: folder.to_owned() };
        let client_path = format!("[[source]]\nclient_path = [\"{}\"]\n", programs.display());
        for role in ["depositor", "restorer"] {
            installation.edit(role, |text| text.replace("[[source]]\n", &client_path));
        }
        let scratch_dir = format!("every = \"1d\"\nscratch_dir = \"{}\"\n", installation.scratch_dir().display());
        installation.edit("restorer", |text| text.replace("every = \"1d\"\n", &scratch_dir));
        installation
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where scratch servers are made: all users may pass through, and its path is short.
    pub fn scratch_dir(&self) -> PathBuf {
        self.folder.with_file_name("drills")
    }

    /// Changes the configuration of `role`.
    pub fn edit(&self, role: &str, change: impl FnOnce(String) -> String) {
        let path = self.path(&format!("{role}.toml"));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(text)).unwrap();
    }

    /// The program with the configuration of `role`.
    pub fn command(&self, role: &str, arguments: &[&str]) -> Command {
        let config = self.path(&format!("{role}.toml"));
        command(&[&["-c", config.to_str().unwrap()], arguments].concat())
    }

    pub fn run(&self, role: &str, arguments: &[&str]) -> Ran {
        let said = format!("-c {role}.toml {}", arguments.join(" "));
        Ran::new(said, &self.command(role, arguments).output().unwrap())
    }

    /// Takes one backup, insists that it is sealed, and gives its id.
    #[track_caller]
    pub fn backup(&self) -> String {
        let json = self.run("depositor", &["backup", "--json"]).exits(0).json();
        assert_eq!(super::text(&json, "/sources/0/vaults/0/outcome"), "sealed", "{json:#}");
        super::text(&json, "/sources/0/backup")
    }

    /// What `history` says: `runs` and `absences`, the newest first.
    #[track_caller]
    pub fn history(&self) -> Value {
        self.run("depositor", &["history", "--json", "--limit", "1000"]).exits(0).json()
    }

    /// The runs of `source` that have ended, the oldest first.
    #[track_caller]
    pub fn ended(&self, source: &str) -> Vec<Value> {
        let mut history = self.history();
        let Value::Array(mut runs) = history["runs"].take() else { panic!("no runs in {history:#}") };
        runs.retain(|run| run["source"] == source && !run["ended"].is_null());
        runs.reverse();
        runs
    }

    /// Waits until as many runs of `source` as `count` have ended; gives them, the oldest first.
    #[track_caller]
    pub fn until_ended(&self, source: &str, count: usize) -> Vec<Value> {
        super::until(&format!("{count} runs that have ended"), || {
            Some(self.ended(source)).filter(|runs| runs.len() >= count)
        })
    }

    /// What `list` says of the first source in the first vault.
    #[track_caller]
    pub fn list(&self, role: &str) -> Value {
        let ran = self.run(role, &["list", "--json"]);
        assert!([0, 13].contains(&ran.code), "{ran:?}");
        ran.json().pointer("/shelves/0").cloned().expect("list shows a shelf")
    }
}
