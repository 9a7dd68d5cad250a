//! watching: `strongroom watch` of a test's world: its configuration, what it shows, and whom it tells.

use super::{Daemon, Ear, Installation, text};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

/// Makes the configuration of `role` a watch's, out of what `init` wrote: `objectives`, pages on a port that the system
/// chooses, a look each second, and `more` among the keys of [watch].
pub fn watches(installation: &Installation, role: &str, objectives: &str, more: &str) {
    installation.edit(role, |text| {
        let watch = format!("[watch]\nlisten = \"127.0.0.1:0\"\nconfirm_every = \"1s\"\n{more}\n\n[[source]]\n");
        let old = "objectives = { recovery_point = \"30m\", proven_within = \"26h\" }";
        assert!(text.contains(old), "{text}");
        text.replacen("[[source]]\n", &watch, 1).replace(old, &format!("objectives = {{ {objectives} }}"))
    });
}

pub fn told_to(installation: &Installation, role: &str, ear: &Ear) {
    let file = format!("keys/alert-{role}.url");
    let path = installation.path(&file);
    fs::write(&path, ear.url("/alert")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    installation.edit(role, |text| {
        let alert =
            format!("[[alert]]\nname = \"team\"\nkind = \"webhook\"\nurl = {{ file = \"{file}\" }}\n\n[[source]]\n");
        text.replacen("[[source]]\n", &alert, 1)
    });
}

#[track_caller]
pub fn start(installation: &Installation, role: &str) -> Daemon {
    Daemon::start_as(&installation.command(role, &["watch"]))
}

/// The words of the source's problems.
pub fn problems(watch: &Daemon) -> Vec<String> {
    let problems = watch.health("/sources/0/problems");
    problems.as_array().unwrap().iter().map(|problem| text(problem, "/problem")).collect()
}

/// The newest backup of which everything was read back, where there is one.
pub fn confirmed(watch: &Daemon) -> Option<String> {
    watch.health("/sources/0").pointer("/rung/confirmed/backup").map(|backup| backup.as_str().unwrap().to_owned())
}

/// `event: word word` of what the ear heard, in its order.
pub fn heard(ear: &Ear) -> Vec<String> {
    let line = |body: &str| {
        let told: Value = serde_json::from_str(body).unwrap();
        let words: Vec<_> =
            told["problems"].as_array().unwrap().iter().map(|problem| text(problem, "/problem")).collect();
        format!("{}: {}", text(&told, "/event"), words.join(" "))
    };
    ear.heard("/alert").iter().map(|heard| line(&heard.body)).collect()
}

/// Takes the flags away (`-i`) or gives them back (`+i`), where the file system has any.
pub fn flag(change: &str, paths: &[PathBuf]) {
    drop(Command::new("chattr").arg(change).args(paths).output());
}

/// The number of a series whose labels are written with apostrophes.
#[track_caller]
pub fn metric(watch: &Daemon, series: &str) -> f64 {
    watch.metric(&series.replace('\'', "\""))
}
