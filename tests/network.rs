//! A database over TCP: the link is verified unless told otherwise, and the password reaches every program.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};
use support::{Installation, Postgres, Scratch, succeed};

/// A password with everything that a pass file has to escape.
const PASSWORD: &str = r"p:w\d";

struct Network {
    port: u16,
    authority: PathBuf,
    installation: Installation,
    _postgres: Postgres,
    _scratch: Scratch,
}

fn network() -> Network {
    let scratch = Scratch::new();
    let folder = scratch.path();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    certificates(folder);
    let options = ["-c", "listen_addresses=localhost", "-c", "ssl=on"];
    let postgres = Postgres::start_with(&folder.join("postgres"), 15, port, &options, |data| {
        fs::write(data.join("pg_hba.conf"), "local all postgres trust\nhost all all all scram-sha-256\n").unwrap();
        for name in ["server.crt", "server.key"] {
            fs::copy(folder.join(name), data.join(name)).unwrap();
            if rustix::process::geteuid().is_root() {
                succeed(Command::new("chown").arg("postgres:postgres").arg(data.join(name)));
            }
            succeed(Command::new("chmod").arg("600").arg(data.join(name)));
        }
    });
    let quoted = PASSWORD.replace('\'', "''");
    postgres.psql("postgres", &format!("CREATE ROLE strongroom LOGIN BYPASSRLS CREATEDB PASSWORD '{quoted}'"));
    postgres.psql("postgres", "GRANT pg_read_all_data TO strongroom");
    postgres.psql("postgres", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    let authority = folder.join("authority.crt");
    let source = format!("app=postgres://strongroom@localhost:{port}/postgres?sslrootcert={}", authority.display());
    let vault = format!("local=file://{}", folder.join("vault").display());
    let installation =
        Installation::new(&folder.join("strongroom"), &["--source", &source, "--vault", &vault], &postgres.programs);
    fs::write(installation.path("keys/app.password"), format!("{PASSWORD}\n")).unwrap();
    Network { port, authority, installation, _postgres: postgres, _scratch: scratch }
}

/// An authority of our own, and a certificate for `localhost` that it signed.
fn certificates(folder: &Path) {
    let script = "set -e
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout authority.key -out authority.crt
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
        printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' >extensions
        openssl x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days 2 \\
          -extfile extensions -out server.crt";
    succeed(Command::new("sh").args(["-c", script]).current_dir(folder));
}

impl Network {
    fn with_url(&self, rest: &str) {
        let url = format!("url = \"postgres://strongroom@{rest}\"");
        self.installation.edit("depositor", |text| {
            let lines =
                text.lines().map(|line| if line.starts_with("url = \"postgres://") { url.as_str() } else { line });
            lines.collect::<Vec<_>>().join("\n") + "\n"
        });
    }
}

#[test]
fn a_verified_link_and_a_password_with_odd_characters_reach_every_program() {
    let network = network();
    network.installation.run("depositor", &["backup"]).exits(0);
    let target = format!(
        "postgres://strongroom@localhost:{}/restored?sslrootcert={}",
        network.port,
        network.authority.display()
    );
    let password = network.installation.path("keys/app.password");
    let options =
        ["restore", "app", "--no-owner", "--no-privileges", "--password-file", password.to_str().unwrap(), "--to"];
    network.installation.run("restorer", &[&options[..], &[&target]].concat()).exits(0).says("1000 rows");
}

#[test]
fn a_link_that_is_not_what_was_asked_for_is_no_link() {
    let network = network();
    let (port, authority) = (network.port, network.authority.display());
    network.with_url(&format!("localhost:{port}/postgres"));
    network.installation.run("depositor", &["backup"]).exits(1).says("UnknownIssuer").says("sslrootcert");
    network.with_url(&format!("127.0.0.1:{port}/postgres?sslrootcert={authority}"));
    network.installation.run("depositor", &["backup"]).exits(1).says("not valid for name");
    network.with_url(&format!("localhost:{port}/postgres?sslmode=require"));
    network.installation.run("depositor", &["backup"]).exits(0);
    network.with_url(&format!("localhost:{port}/postgres?sslmode=prefer"));
    network.installation.run("depositor", &["backup"]).exits(2).says("sslmode=prefer is not offered");
}

#[test]
fn a_wrong_password_is_denied_and_never_repeated() {
    let network = network();
    fs::write(network.installation.path("keys/app.password"), "wrong-secret-word\n").unwrap();
    let ran = network.installation.run("depositor", &["backup"]).exits(11).says("password authentication failed");
    assert!(!ran.stderr.contains("wrong-secret-word") && !ran.stdout.contains("wrong-secret-word"));
}
