//! A dump is code. What it runs as superuser of a scratch server, or in psql, finds nothing of its host.

use super::*;
use crate::secret::Secret;
use std::{net::TcpListener, process::Stdio};
use tokio::io::AsyncWriteExt;

/// What no program in a cage may ever say.
const SECRET: &str = "open-sesame-7471";

/// Secrets of the drill's user: a file closed to others, one that is not, a listener on loopback.
struct Host {
    place: TempDir,
    listener: TcpListener,
}

impl Host {
    fn new() -> Self {
        let place = place();
        for (name, mode) in [("closed", 0o600), ("open", 0o644)] {
            std::fs::write(place.path().join(name), SECRET).unwrap();
            std::fs::set_permissions(place.path().join(name), Permissions::from_mode(mode)).unwrap();
        }
        Self { place, listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    /// Everything an intruder would try first.
    fn attack(&self) -> String {
        let (folder, port) = (self.place.path().display(), self.listener.local_addr().unwrap().port());
        format!(
            r#"echo "id: $(id)"
            cat {folder}/closed {folder}/open
            for at in / /etc /root /home /tmp /work /var /var/lib /srv /mnt /run; do echo "$at:" $(ls -A $at); done
            echo "shadow: $(cat /etc/shadow /etc/ssh/* /root/.* )"
            echo "passwd: $(cat /etc/passwd)"
            echo "pids:" $(for at in /proc/[0-9]*; do cat $at/comm; done | sort -u)
            echo "environ:" $(cat /proc/*/environ | tr '\0' '\n' | sort -u)
            echo "descriptors:" $(ls -l /proc/self/fd /proc/1/fd | grep -o '[-]> .*')
            timeout 2 bash -c 'echo hello > /dev/tcp/127.0.0.1/{port}' && echo REACHED
            timeout 2 bash -c 'echo hello > /dev/tcp/1.1.1.1/53' && echo REACHED
            for at in /x /etc/x /usr/x /usr/local/x /dev/x /var/x; do touch $at && echo "WROTE $at"; done
            touch {folder}/x
            unshare --user true && echo UNSHARED
            mount -t tmpfs none /mnt && echo MOUNTED
            kill -9 {pid} && echo KILLED
            grep -h NoNewPrivs /proc/self/status; grep -h CapBnd /proc/self/status"#,
            pid = std::process::id()
        )
    }

    fn assert_nothing_was_found(&self, said: &str) {
        for word in [SECRET, "REACHED", "WROTE", "UNSHARED", "MOUNTED", "KILLED", "uid=0", "CARGO", "/deps/"] {
            assert!(!said.contains(word), "{word} in:\n{said}");
        }
        let line = |name: &str| {
            let found = said.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap_or_else(|| panic!("no {name} in:\n{said}")).trim().to_owned()
        };
        let names: Vec<String> = line("/:").split(' ').map(str::to_owned).collect();
        let shown =
            ["bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "tmp", "usr", "var"];
        assert!(names.iter().all(|name| shown.contains(&name.as_str())), "{names:?}");
        assert_eq!(line("/tmp:"), self.place.path().file_name().unwrap().to_str().unwrap());
        for empty in ["/root:", "/home:", "/work:", "/var/lib:", "/srv:", "/mnt:", "/run:", "shadow:"] {
            assert_eq!(line(empty), "", "{empty}");
        }
        assert_eq!(said.matches("passwd: postgres:x:").count(), 1);
        assert!(said.contains("NoNewPrivs: 1") && said.contains("CapBnd: 0000000000000000"), "{said}");
        // Pipes, its own files and its log, and what bubblewrap waits with.
        let theirs = ["pipe:", "anon_inode:", "/dev/null", "/proc/", "socket:"];
        let scratch = self.place.path().join("scratch").display().to_string();
        for descriptor in line("descriptors:").split("->").map(str::trim).filter(|descriptor| !descriptor.is_empty()) {
            let known = theirs.iter().any(|beginning| descriptor.starts_with(beginning));
            assert!(known || descriptor.starts_with(&scratch), "{descriptor}");
        }
        assert!(!self.place.path().join("x").exists());
        self.listener.set_nonblocking(true).unwrap();
        self.listener.accept().expect_err("nobody connects");
    }
}

#[tokio::test]
async fn a_server_in_a_sandbox_finds_nothing_of_its_host() {
    let host = Host::new();
    let server = start(&host.place).await;
    assert_eq!(server.confinement(), Confinement::Bubblewrap);
    let found = inside(&server, &host.attack()).await;
    eprintln!("{found}");
    host.assert_nothing_was_found(&found);
    let session = session(&server).await;
    for path in ["/etc/shadow", host.place.path().join("open").to_str().unwrap()] {
        let refused = session.client.query_one("SELECT pg_read_file($1)", &[&path]).await.unwrap_err();
        assert!(crate::failure::with_causes(&refused).contains("No such file"), "{path}: {refused:?}");
    }
    let running = processes(&server.folder.data());
    assert!(running.len() >= 2, "bubblewrap and the server: {running:?}");
    assert!(running.iter().all(|(_, uid)| *uid != 0), "root's are among {running:?}");
}

/// Runs `script` in the server's own psql; gives all it said.
async fn psql(server: &ScratchServer, script: &str) -> String {
    let (mut command, _connection) = server.clients().command("psql", &server.address("postgres")).unwrap();
    command
        .args(["--no-psqlrc", "--quiet", "--file=-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut psql = command.spawn().unwrap();
    drop(command);
    psql.stdin.take().unwrap().write_all(script.as_bytes()).await.unwrap();
    let output = psql.wait_with_output().await.unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_hostile_script_finds_nothing_in_psql_either() {
    let host = Host::new();
    let server = start(&host.place).await;
    // psql runs what is on one line.
    let attack = host.attack().lines().map(str::trim).collect::<Vec<_>>().join("; ").replace("do; ", "do ");
    let found = psql(&server, &format!("\\! {attack}\nSELECT 'still ' || 'here';\n")).await;
    eprintln!("{found}");
    let found = found.replace('\t', " ");
    host.assert_nothing_was_found(&found);
    assert!(found.contains("still here"));
    let data = server.folder.data().display().to_string();
    assert_eq!(psql(&server, &format!("\\! ls {data}\n")).await.matches("PG_VERSION").count(), 0);

    let folder = host.place.path().display();
    for script in [
        format!("CREATE TEMP TABLE t (line text);\n\\copy t from '{folder}/open'\nTABLE t;\n"),
        format!("CREATE TEMP TABLE t (line text);\n\\copy t from program 'cat {folder}/*'\nTABLE t;\n"),
        format!("\\i {folder}/open\n\\set x `cat {folder}/open`\n\\echo :x\n\\o {folder}/x\nSELECT 1;\n"),
        format!("\\i /etc/passwd\n\\w {folder}/x\n\\o | cat > {folder}/x\nSELECT 1;\n"),
    ] {
        let said = psql(&server, &script).await;
        assert!(!said.contains(SECRET) && !said.contains("root:"), "{script}{said}");
        assert!(!host.place.path().join("x").exists(), "{script}");
    }
}

#[tokio::test]
async fn a_server_cannot_send_us_to_another_one() {
    let host = Host::new();
    let (server, other) = (start(&host.place).await, start(&host.place).await);
    session(&other).await.client.batch_execute("CREATE ROLE other").await.unwrap();
    let (bound, elsewhere) = (server.folder.bound(), other.folder.sockets());
    let redirect =
        format!("cd {} && rm .s.PGSQL.5432 && ln -s {}/.s.PGSQL.5432 .", bound.display(), elsewhere.display());
    assert_eq!(inside(&server, &redirect).await, "");
    assert!(std::fs::metadata(bound.join(".s.PGSQL.5432")).is_ok(), "the link leads to the other server");
    let query = "SELECT count(*) FROM pg_roles WHERE rolname = 'other'";
    assert_eq!(session(&server).await.client.query_one(query, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert!(psql(&server, query).await.contains(" 0\n"));
}

#[tokio::test]
async fn a_client_reads_the_pass_file_that_is_its_own_and_no_other_memory() {
    let host = Host::new();
    let server = start(&host.place).await;
    let mut others = child::MemoryFile::create("others").unwrap();
    others.append(SECRET.as_bytes()).unwrap();
    let address = Address { password: Some(Secret::new(b"hush".to_vec())), ..server.address("postgres") };
    let (mut command, _connection) = server.clients().command("psql", &address).unwrap();
    let script = "\\! cat $PGPASSFILE; stat -L -c %a $PGPASSFILE; cat /proc/self/fd/[3-9] /proc/self/fd/[1-9][0-9]";
    command.args(["--no-psqlrc", "--quiet", "--command", script]).stdout(Stdio::piped());
    let (said, _) = child::output(command).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("*:*:*:*:hush\n600\n") && !said.contains(SECRET), "{said}");
}

#[tokio::test]
async fn nobody_else_of_this_host_reaches_what_a_server_opens_to_everybody() {
    let place = place();
    let server = start(&place).await;
    let data = server.folder.data();
    let open = format!("cp /usr/bin/id {0}/id && chmod 4755 {0}/id && chmod 777 {0}", data.display());
    assert_eq!(inside(&server, &open).await, "");
    if rustix::process::geteuid().is_root() {
        // setpriv itself still passes where root may; the shell that it becomes does not.
        let mut other = Command::new("setpriv");
        let other = other.args(["--reuid=1", "--regid=1", "--clear-groups", "--", "sh", "-c"]);
        let other = other.arg(data.join("id")).output().unwrap();
        assert!(!other.status.success() && other.stdout.is_empty(), "{other:?}");
    }
}
