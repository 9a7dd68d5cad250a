//! server: a throwaway PostgreSQL on a unix socket, as another user where we are root (it refuses to run as root).

use super::{DemoError, machine};
use std::{
    os::unix::fs::{DirBuilderExt, chown},
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{io::AsyncWriteExt, process::Command};

pub struct Server {
    binaries: PathBuf,
    folder: PathBuf,
    other: Option<(u32, u32)>,
}

impl Server {
    /// Makes a cluster below `folder` and starts it; it listens on a socket there and nowhere else.
    pub async fn start(folder: &Path) -> Result<Self, DemoError> {
        let binaries = newest_binaries().ok_or(DemoError::NoPostgres)?;
        let other = if rustix::process::geteuid().is_root() { Some(postgres_user().await?) } else { None };
        let server = Self { binaries, folder: folder.join("postgres"), other };
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o711).create(folder);
        made.and_then(|()| std::fs::DirBuilder::new().mode(0o750).create(&server.folder))
            .map_err(machine("making the cluster's folder"))?;
        if let Some((uid, gid)) = other {
            chown(&server.folder, Some(uid), Some(gid)).map_err(machine("giving the cluster's folder away"))?;
        }
        let data = server.data();
        let initdb = [
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--pgdata",
            &data,
        ];
        server.run("initdb", &initdb).await?;
        let options = format!("-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off", server.socket());
        let log = format!("{}/log", server.socket());
        server.run("pg_ctl", &["start", "--wait", "--pgdata", &data, "--log", &log, "--options", &options]).await?;
        Ok(server)
    }

    pub async fn stop(&self) -> Result<(), DemoError> {
        self.run("pg_ctl", &["stop", "--wait", "--mode=immediate", "--pgdata", &self.data()]).await
    }

    /// The folder of the server's unix socket.
    pub fn socket(&self) -> String {
        self.folder.display().to_string()
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    /// Makes `command` run as the server's user, where that is another one than ours.
    pub fn become_other(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.other {
            command.uid(uid).gid(gid);
        }
    }

    /// Runs `script` as the database role `user` and gives what it printed.
    pub async fn psql(&self, user: &str, database: &str, script: &str) -> Result<String, DemoError> {
        let mut command = Command::new(self.binaries.join("psql"));
        command
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", &self.socket(), "-U", user, "-d", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut psql = command.spawn().map_err(machine("running psql"))?;
        let mut stdin = psql.stdin.take().expect("standard input is piped");
        stdin.write_all(script.as_bytes()).await.map_err(machine("feeding psql"))?;
        drop(stdin);
        let output = psql.wait_with_output().await.map_err(machine("running psql"))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() {
            return Err(DemoError::Failed {
                command: format!("psql -U {user}"),
                status: output.status,
                said: format!(": {said}"),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Result<(), DemoError> {
        let mut command = Command::new(self.binaries.join(program));
        command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        self.become_other(&mut command);
        let status = command.status().await.map_err(machine(program))?;
        let said = String::new();
        if status.success() { Ok(()) } else { Err(DemoError::Failed { command: program.to_owned(), status, said }) }
    }
}

/// The programs of the newest PostgreSQL server that Debian's packages put here.
fn newest_binaries() -> Option<PathBuf> {
    let majors = (14..=18).rev().map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")));
    majors.into_iter().find(|folder| folder.join("initdb").is_file())
}

/// The user that Debian's package makes for the server.
async fn postgres_user() -> Result<(u32, u32), DemoError> {
    let mut ids = Vec::new();
    for flag in ["-u", "-g"] {
        let output = Command::new("id").args([flag, "postgres"]).output().await.map_err(machine("running id"))?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ids.push(text.parse().map_err(|_why| DemoError::NoPostgres)?);
    }
    Ok((ids[0], ids[1]))
}
