//! container: the image is built from Debian packages alone, and backs up with neither a name, a right nor a disk.

use super::{deployed, is_refused, not_run, passes, replaced, said};
use crate::support::{Postgres, ROLE, Scratch, strongroom, succeed};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_strongroom");
/// Who the image runs as.
const UID: u32 = 10001;

/// An image in a storage of its own, and a database of each major, each in a folder that a container may look into.
struct Image {
    folder: PathBuf,
    servers: Vec<(u32, Postgres)>,
    _scratch: Scratch,
}

impl Image {
    fn built() -> Self {
        let scratch = Scratch::new();
        let folder = scratch.path().to_owned();
        let sources = folder.join("apt/sources.list.d");
        fs::create_dir_all(&sources).unwrap();
        fs::write(sources.join("bookworm.sources"), more_packages()).unwrap();
        let program = folder.join("strongroom");
        succeed(Command::new("strip").arg("-o").arg(&program).arg(PROGRAM));
        let mut build = Command::new(deployed("container/build"));
        build.arg("--program").arg(&program).args(["--builder", &storage("buildah", &folder)]).arg("--apt");
        build.arg(folder.join("apt")).args(["--clients", "postgresql-client-15 postgresql-client-17"]);
        // The machine that tests may itself be a container, where this is what works.
        passes(build.args(["--", "--quiet", "--isolation", "chroot"]));
        Self { folder, servers: Vec::new(), _scratch: scratch }
    }

    /// buildah or podman on the image's storage.
    fn tool(&self, name: &str) -> Command {
        let words = storage(name, &self.folder);
        let mut words = words.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        command
    }

    /// Servers of both majors, `init`'s keys as a cluster's secrets, and the configuration that is shipped, told of them.
    fn with_servers(mut self) -> Self {
        for major in [15, 17] {
            let server = Postgres::start(&self.folder.join(format!("postgres{major}")), major);
            server.psql("postgres", &format!("{ROLE} CREATE TABLE t AS SELECT generate_series(1, {major}000) AS n"));
            self.servers.push((major, server));
        }
        let made = self.folder.join("made");
        let options = ["--source", "app=postgres://strongroom@db.internal/app", "--vault", "offsite=file:///vault"];
        strongroom(&[&["init", made.to_str().unwrap(), "--yes"][..], &options].concat()).exits(0);
        let secrets = self.folder.join("secrets");
        fs::create_dir(&secrets).unwrap();
        for name in ["recipients.txt", "signing.key", "digest.key"] {
            // As Kubernetes mounts a Secret with defaultMode 0400 and an fsGroup: root's, and readable to the group.
            let secret = secrets.join(name);
            fs::copy(made.join("keys").join(name), &secret).unwrap();
            fs::set_permissions(&secret, Permissions::from_mode(0o440)).unwrap();
            chown(&secret, Some(0), Some(UID)).unwrap();
        }
        for name in ["state", "vault"] {
            fs::create_dir(self.folder.join(name)).unwrap();
            chown(self.folder.join(name), Some(UID), Some(UID)).unwrap();
        }
        fs::write(self.folder.join("depositor.toml"), configuration()).unwrap();
        self
    }

    /// As [`Image::run`], with the secrets as podman's own.
    fn run_with_secrets(&self, arguments: &[&str]) -> Command {
        let mut options = Vec::new();
        for entry in fs::read_dir(self.folder.join("secrets")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            passes(self.tool("podman").args(["secret", "create", name]).arg(&path));
            options.push(format!("--secret={name},uid={UID},mode=0400"));
        }
        self.podman(&options, arguments)
    }

    /// With the secrets as Kubernetes mounts them.
    fn run(&self, arguments: &[&str]) -> Command {
        let secrets = format!("--volume={}:/run/secrets:ro", self.folder.join("secrets").display());
        self.podman(if self.servers.is_empty() { &[] } else { std::slice::from_ref(&secrets) }, arguments)
    }

    /// `podman run` as restricted as a cluster's strictest policy wants it, without a network of any kind.
    fn podman(&self, options: &[String], arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        // crun refuses the two cgroup hierarchies side by side that some machines still have; it needs neither here.
        let unified = "[ \"$(stat -fc %T /sys/fs/cgroup)\" = cgroup2fs ] || \
                       { umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup; }; exec \"$@\"";
        command.args(["--mount", "sh", "-c", unified, "sh"]);
        command.args(storage("podman", &self.folder).split(' ')).args([
            "run",
            "--rm",
            "--network=none",
            "--cgroups=disabled",
        ]);
        // podman's own wish for open files is beyond what a container may ask for
        command.args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]);
        command.args(["--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges"]);
        let mount = |from: &Path, to: &str, mode: &str| format!("--volume={}:{to}:{mode}", from.display());
        if !self.servers.is_empty() {
            command.arg(mount(&self.folder.join("depositor.toml"), "/etc/strongroom/depositor.toml", "ro"));
            command.arg(mount(&self.folder.join("state"), "/var/lib/strongroom", "rw"));
            command.arg(mount(&self.folder.join("vault"), "/vault", "rw"));
        }
        for (major, server) in &self.servers {
            command.arg(mount(&server.socket, &format!("/run/postgresql{major}"), "rw"));
        }
        command.args(options).arg("localhost/strongroom").args(arguments);
        command
    }
}

/// Debian 12's packages for an image of Debian 13, so that there are two majors: what PGDG is for users.
fn more_packages() -> String {
    let known = ["indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"];
    let known = succeed(Command::new("apt-get").args(known));
    let mirror = known.lines().find_map(|line| line.strip_prefix("Debian ")).expect("apt knows a mirror of Debian");
    let key = "/usr/share/keyrings/debian-archive-keyring.gpg";
    format!("Types: deb\nURIs: {mirror}\nSuites: bookworm\nComponents: main\nSigned-By: {key}\n")
}

/// How `tool` is called with a storage in `folder`. Overlays where the machine has them; they spare a copy of all layers
/// for each run.
fn storage(tool: &str, folder: &Path) -> String {
    let words =
        |driver: &str| format!("--root {0}/storage --runroot {0}/run --storage-driver {driver}", folder.display());
    let overlay = Command::new("buildah").args(words("overlay").split(' ')).arg("info").output().unwrap();
    format!("{tool} {}", words(if overlay.status.success() { "overlay" } else { "vfs" }))
}

/// The configuration that is shipped, with a directory for its bucket and two sockets for its database.
fn configuration() -> String {
    let shipped = fs::read_to_string(deployed("container/depositor.toml")).unwrap();
    let text = replaced(&shipped, "s3://acme-vault-d35/prod", "file:///vault");
    let text = replaced(&text, "region = \"eu-central-1\"\n", "");
    let text = replaced(&text, "credentials = { systemd = \"depositor.toml\" }\n", "");
    let text = replaced(&text, "password = { systemd = \"app.password\" }\n", "");
    let text = replaced(&text, "strongroom@db.internal:5432/app", "strongroom@/postgres?host=/run/postgresql17");
    let (_, source) = text.split_once("[[source]]").unwrap();
    let older = replaced(&replaced(source, "\"app\"", "\"older\""), "postgresql17", "postgresql15");
    format!("{text}\n[[source]]{older}")
}

#[test]
#[ignore = "downloads a Debian: `make test-container`"]
fn the_image_backs_up_servers_of_two_majors_with_no_right_and_a_read_only_root() {
    if !rustix::process::geteuid().is_root() {
        not_run("the image: its build, its backups, its read-only root", "run `make test-container` as root");
        return;
    }
    let image = Image::built();
    let inspected = passes(image.tool("buildah").args(["inspect", "--type", "image", "localhost/strongroom"]));
    let version = format!("\"org.opencontainers.image.version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    for fact in [&version, "\"User\": \"10001:10001\"", "CREDENTIALS_DIRECTORY=/run/secrets"] {
        assert!(inspected.contains(fact), "{fact} is not in\n{inspected}");
    }

    let output = image.run(&["--version"]).output().unwrap();
    if !output.status.success() {
        not_run("the image through podman: its start, its backups, its read-only root", &said(&output));
        return;
    }
    assert_eq!(said(&output).trim(), concat!("strongroom ", env!("CARGO_PKG_VERSION")));

    let image = image.with_servers();
    let checked = passes(&mut image.run_with_secrets(&["check"]));
    for fact in ["pg_dump (PostgreSQL) 15", "pg_dump (PostgreSQL) 17", "ok    source app", "ok    source older"] {
        assert!(checked.contains(fact), "{fact} is not in\n{checked}");
    }
    let backed_up = passes(&mut image.run(&["backup"]));
    for fact in ["15000 rows", "17000 rows", "sealed in offsite"] {
        assert!(backed_up.contains(fact), "{fact} is not in\n{backed_up}");
    }
    assert!(fs::read_dir(image.folder.join("state")).unwrap().count() > 0, "the catalog is not kept");

    the_daemon_is_process_1_answers_and_ends(&image);

    // A secret that the container cannot read is a setting that is wrong: exit code 2, and its name.
    fs::set_permissions(image.folder.join("secrets/signing.key"), Permissions::from_mode(0o400)).unwrap();
    let output = image.run(&["backup"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("signing.key"), "{}", said(&output));
}

fn the_daemon_is_process_1_answers_and_ends(image: &Image) {
    let options =
        ["--name=daemon".to_owned(), format!("--volume={}:/run/secrets:ro", image.folder.join("secrets").display())];
    let mut daemon = image.podman(&options, &["run"]).spawn().unwrap();
    let check = super::manifests::health_check();
    let healthy = || image.tool("podman").args(["exec", "daemon"]).args(&check).output().unwrap();
    let began = Instant::now();
    let mut answered = healthy();
    while !answered.status.success() {
        let ended = daemon.try_wait().unwrap();
        assert!(ended.is_none() && began.elapsed() < Duration::from_secs(60), "{ended:?}: {}", said(&answered));
        std::thread::sleep(Duration::from_millis(200));
        answered = healthy();
    }
    passes(image.tool("podman").args(["kill", "--signal=TERM", "daemon"]));
    let told = Instant::now();
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(30), "it took {:?} to end", told.elapsed());
}

#[test]
fn the_build_says_what_is_missing() {
    let build = |arguments: &[&str]| is_refused(Command::new(deployed("container/build")).args(arguments));
    assert!(build(&["--program", "/nonexistent"]).contains("cargo build --release"));
    assert!(build(&["--program", PROGRAM, "--builder", "no-such-builder"]).contains("no-such-builder not found"));
    assert!(build(&["--fast"]).contains("unknown option --fast"));
    assert!(passes(Command::new(deployed("container/build")).arg("--help")).contains("--clients LIST"));
}
