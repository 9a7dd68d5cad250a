//! systemd: the units are sound, their sandbox is tight and in force, and backups work inside of it.

use super::{checkout, deployed, is_refused, not_run, passes, readme_block, replaced, said};
use crate::support::Scratch;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_strongroom");
const INSTALLED: &str = "/usr/local/bin/strongroom";
const SERVICES: [&str; 2] = ["strongroom.service", "strongroom-backup@.service"];
/// Each with its exposure at most, in tenths: bubblewrap within the drill's unit needs what the others refuse.
const WATCHERS: [(&str, u32); 2] = [("strongroom-watch.service", 15), ("strongroom-drill.service", 25)];

/// The units in a folder of the test, each with the program that is tested: `verify` wants it to be there, and a test
/// installs nothing on the machine it runs on.
fn units(scratch: &Scratch) -> PathBuf {
    let folder = scratch.path().join("units");
    fs::create_dir(&folder).unwrap();
    for name in SERVICES.into_iter().chain(WATCHERS.map(|(name, _)| name)) {
        let text = fs::read_to_string(deployed("systemd").join(name)).unwrap();
        fs::write(folder.join(name), replaced(&text, INSTALLED, PROGRAM)).unwrap();
    }
    fs::copy(deployed("systemd/strongroom-backup@.timer"), folder.join("strongroom-backup@.timer")).unwrap();
    folder
}

fn verify(folder: &Path, units: &[&str]) -> Command {
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]).args(units).current_dir(folder);
    command.env("SYSTEMD_UNIT_PATH", format!("{}:", folder.display()));
    command
}

fn judged(folder: &Path, unit: &str, threshold: u32) -> Command {
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--no-pager", "--offline=true"]).arg(format!("--threshold={threshold}"));
    command.arg(folder.join(unit));
    command
}

#[test]
fn units_are_sound_and_exposed_no_more_than_they_must() {
    let scratch = Scratch::new();
    let folder = units(&scratch);
    let all = ["strongroom.service", "strongroom-backup@app.service", "strongroom-backup@app.timer"];
    assert_eq!(passes(&mut verify(&folder, &all)), "");
    assert_eq!(passes(&mut verify(&folder, &WATCHERS.map(|(name, _)| name))), "");
    for (unit, most) in SERVICES.map(|unit| (unit, 15)).into_iter().chain(WATCHERS) {
        passes(&mut judged(&folder, unit, most));
        is_refused(&mut judged(&folder, unit, 1)); // the threshold is read, and is no percentage
    }

    let text = fs::read_to_string(folder.join(SERVICES[0])).unwrap();
    fs::write(folder.join(SERVICES[0]), text + "ProtectSystm=yes\n").unwrap();
    let output = verify(&folder, &all[..1]).output().unwrap();
    assert!(said(&output).contains("ProtectSystm"), "a typing error passes: {}", said(&output));
}

#[test]
fn drop_ins_fit_both_services() {
    for entry in fs::read_dir(deployed("systemd/drop-ins")).unwrap() {
        let scratch = Scratch::new();
        let folder = units(&scratch);
        let drop_in = entry.unwrap().path();
        let text = fs::read_to_string(&drop_in).unwrap();
        for unit in SERVICES {
            let below = folder.join(format!("{unit}.d"));
            assert!(text.contains(&format!("{unit}.d")), "{drop_in:?} does not say that it fits {unit}");
            fs::create_dir(&below).unwrap();
            fs::copy(&drop_in, below.join(drop_in.file_name().unwrap())).unwrap();
        }
        assert_eq!(passes(&mut verify(&folder, &["strongroom.service", "strongroom-backup@app.service"])), "");
    }
}

/// The settings of a unit's [Service] that say who it is and what it may.
fn rights(unit: &str) -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(deployed("systemd").join(unit)).unwrap();
    let (_, from_user) = text.split_once("\nUser=").unwrap();
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let lines = from_user.lines().skip(1).take_while(|line| !line.starts_with('['));
    for (key, value) in lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')) {
        settings.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    settings
}

#[test]
fn the_daemon_and_a_single_backup_run_in_the_same_sandbox() {
    assert!(rights(SERVICES[0]).len() > 30, "{:?}", rights(SERVICES[0]));
    assert_eq!(rights(SERVICES[0]), rights(SERVICES[1]));
}

/// The settings of `unit` without those that say whose files it has and how it yields.
fn sandbox(unit: &str) -> BTreeMap<String, Vec<String>> {
    let mut settings = rights(unit);
    settings.retain(|key, _| !["Group", "StateDirectory", "Nice"].contains(&&**key) && !key.starts_with("IO"));
    settings
}

#[test]
fn the_watcher_has_the_daemons_sandbox_and_drills_only_what_bubblewrap_needs_beside_it() {
    assert_eq!(sandbox(WATCHERS[0].0), sandbox(SERVICES[0]));
    let (drill, daemon) = (sandbox(WATCHERS[1].0), sandbox(SERVICES[0]));
    let keys: BTreeSet<_> = drill.keys().chain(daemon.keys()).collect();
    let other: Vec<_> = keys.into_iter().filter(|key| drill.get(*key) != daemon.get(*key)).map(|key| &**key).collect();
    let covers_proc = ["ProcSubset", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelTunables"];
    let narrower = ["RestrictAddressFamilies", "RestrictNamespaces", "SystemCallFilter"];
    assert_eq!(other, [&covers_proc[..], &narrower].concat());
    assert!(covers_proc.iter().all(|key| !drill.contains_key(*key)), "{drill:?}");
}

/// Why the drill's unit does without what the others have: systemd would cover parts of /proc, and the machine that
/// this file boots cannot show what follows from that, since it keeps its host's /proc below its own.
#[test]
fn bubblewrap_needs_a_proc_that_nothing_covers() {
    let (euid, bwrap) = (rustix::process::geteuid(), "bwrap --unshare-all --ro-bind / / --proc /proc true");
    if !euid.is_root() {
        return not_run("that bubblewrap needs a whole /proc", "only root can cover a part of it");
    }
    let nobody = format!("setpriv --reuid=65534 --regid=65534 --clear-groups {bwrap}");
    let within = |before: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation=private", "sh", "-c", &format!("{before} && {nobody}")]);
        command
    };
    let whole = within("true").output().unwrap();
    if !whole.status.success() {
        return not_run("that bubblewrap needs a whole /proc", &said(&whole));
    }
    for covered in ["mount --bind /proc/sys /proc/sys", "mount --bind /dev/null /proc/kmsg"] {
        assert!(is_refused(&mut within(covered)).contains("mount proc"), "{covered}");
    }
    passes(&mut within("mount -t proc -o hidepid=invisible proc /proc"));
}

/// A machine with systemd as its process 1, its own network and a fresh state; this machine's programs, read through an
/// overlay that forgets. `None`, and said loudly, where none can be booted.
pub struct Machine {
    scratch: Scratch,
}

const UNIT: &str = "[Unit]\nSuccessAction=exit\nFailureAction=exit\n[Service]\nType=oneshot\n\
                    ExecStart=/bin/sh /shared/machine.sh\nStandardOutput=file:/shared/machine.log\nStandardError=inherit\n";

const BOOT: &str = "mount --make-rprivate / && mkdir root && mount --bind / root && exec timeout --kill-after=5 180 \
    systemd-nspawn --quiet --register=no --keep-unit -D root --volatile=overlay --private-network --link-journal=no \
    --boot --console=pipe --bind=\"$PWD:/shared\" --bind-ro=\"$1:/checkout\" --bind-ro=\"$2:/program\" \
    --bind-ro=\"$PWD/test.service:/etc/systemd/system/test.service\" systemd.unit=test.service systemd.firstboot=off";

impl Machine {
    fn played() -> Option<Self> {
        let what = "the units on a booted systemd: README's installation, backups inside the sandbox, encrypted keys";
        if !rustix::process::geteuid().is_root() {
            not_run(what, "only root can boot a machine in a container: run `make test` as root");
            return None;
        }
        let machine = Self { scratch: Scratch::new() };
        let folder = machine.scratch.path();
        for script in ["machine.sh", "probe.sh", "probe-drill.sh", "watchers.sh"] {
            fs::copy(checkout().join("tests/deploy").join(script), folder.join(script)).unwrap();
        }
        let install = replaced(&readme_block("install"), "target/release/strongroom", "/program");
        let bucket = "offsite=s3://acme-vault-d35/prod --region eu-central-1";
        fs::write(folder.join("install.sh"), replaced(&install, bucket, "offsite=file:///srv/strongroom")).unwrap();
        fs::write(folder.join("check.sh"), readme_block("check")).unwrap();
        for name in ["watch", "drill"] {
            let install = replaced(&readme_block(name), "target/release/strongroom", "/program");
            fs::write(folder.join(format!("install-{name}.sh")), install).unwrap();
        }
        fs::write(folder.join("test.service"), UNIT).unwrap();
        let mut boot = Command::new("unshare");
        boot.args(["--mount", "sh", "-c", BOOT, "boot"]).arg(checkout()).arg(PROGRAM);
        let output = boot.current_dir(folder).stdin(Stdio::null()).output().expect("unshare (util-linux) runs");
        if !folder.join("booted").exists() {
            not_run(what, &format!("no machine can be booted in this place: {}", said(&output)));
            return None;
        }
        assert!(folder.join("finished").exists(), "{}\n{}", said(&output), machine.text("machine.log"));
        Some(machine)
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.scratch.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Insists that the step `name` ended well; gives what it said.
    #[track_caller]
    pub fn done(&self, name: &str) -> String {
        let said = self.text(&format!("{name}.out"));
        assert_eq!(self.text(&format!("{name}.code")), "0\n", "{name}: {said}");
        said
    }
}

#[test]
fn a_fresh_machine_that_follows_the_readme_backs_up_inside_the_whole_sandbox() {
    let Some(machine) = Machine::played() else { return };
    for step in ["install", "initdb", "postgres"] {
        machine.done(step);
    }
    assert_eq!(machine.text("sql.out"), "");

    assert_eq!(machine.text("refused.code"), "1\n", "a unit starts beside the keys that open its backups");
    assert!(machine.text("refused.out").contains("Assertion failed"), "{}", machine.text("refused.out"));

    let checked = machine.done("check");
    assert!(checked.contains("ok    source app") && checked.contains("ok    source billing"), "{checked}");

    // Peer authentication by the service's name, and a password that only memory ever held.
    for (name, rows, lock) in [
        ("by_socket", 1000, "immutable flag"),
        ("by_password", 2000, "immutable flag"),
        ("shipped_by_socket", 1000, "NOT immutable"),
        ("shipped_by_password", 2000, "NOT immutable"),
        ("encrypted", 1000, "immutable flag"),
    ] {
        let said = machine.done(name);
        assert!(said.contains(&format!("{rows} rows")), "{name}: {said}");
        assert!(said.contains(&format!("sealed in offsite, {lock}")), "{name}: {said}");
    }
    let vault = machine.text("vault.txt");
    assert!(vault.lines().any(|line| line.starts_with("----i") && line.contains(".minisig@")), "{vault}");

    let owners = machine.text("owners.txt");
    for line in ["root 755 /etc/strongroom", "root 700 /etc/strongroom/keys", "strongroom 700 /var/lib/strongroom"] {
        assert!(owners.lines().any(|owner| owner == line), "{line} is not in\n{owners}");
    }

    assert_eq!(machine.text("wrong_settings.status"), "2\n");
    assert!(machine.text("wrong_settings.out").contains("depositor.toml:"), "{}", machine.text("wrong_settings.out"));

    super::daemon::it_backs_up_answers_reloads_and_ends(&machine);
    sandboxes_are_in_force(&machine);
    watchers_are_installed_apart_and_a_scratch_server_runs_in_the_drills_sandbox(&machine);
}

fn sandboxes_are_in_force(machine: &Machine) {
    let expected = "NoNewPrivs: 1
                    Seccomp: 2
                    CapEff: 0000000000000000
                    CapBnd: 0000000000000000
                    CapAmb: 0000000000000000
                    user strongroom
                    writes-usr no
                    writes-etc no
                    writes-vault no
                    writes-state yes
                    reads-keys no
                    reads-config yes
                    reads-credential yes
                    sees-others no
                    sees-sysctl no
                    sees-own-descriptors yes
                    new-namespace no
                    mounts no
                    sees-disks no
                    other-family no
                    internet-family yes
                    unix-family yes
                    umask 0077
                    core 0";
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
        lines.sort();
        lines
    };
    for name in ["sandbox_run", "sandbox_backup"] {
        assert_eq!(sorted(&machine.done(name)), sorted(expected), "{name}");
    }
}

fn watchers_are_installed_apart_and_a_scratch_server_runs_in_the_drills_sandbox(machine: &Machine) {
    for name in ["watch", "drill"] {
        machine.done(&format!("install_{name}"));
        let refused = machine.text(&format!("refused_{name}.out"));
        assert!(refused.contains("Assertion failed"), "it starts beside keys of others: {refused}");
        let listed = machine.done(&format!("credentials_{name}"));
        assert!(listed.contains("BACKUP") && listed.contains("sealed"), "{name}: {listed}");
    }
    let expected = |text: &str, facts: &[&str]| {
        for fact in facts {
            assert!(text.lines().any(|line| line == *fact), "no `{fact}` in\n{text}");
        }
    };
    let same = ["NoNewPrivs: 1", "Seccomp: 2", "CapEff: 0000000000000000", "CapBnd: 0000000000000000", "writes-usr no"];
    let same =
        [&same[..], &["writes-etc no", "reads-keys no", "sees-others no", "mounts no", "sees-disks no"]].concat();
    let watch = machine.done("sandbox_watch");
    expected(&watch, &same);
    expected(&watch, &["user strongroom-watch", "new-namespace no", "sees-sysctl no", "other-family no"]);
    let drill = machine.done("sandbox_drill");
    expected(&drill, &same);
    expected(&drill, &["user strongroom-drill", "new-namespace yes", "sees-sysctl yes"]);
    expected(&machine.done("bubblewrap"), &["apart", "PostgreSQL answers 1", "no network", "no keys", "ended"]);
}
