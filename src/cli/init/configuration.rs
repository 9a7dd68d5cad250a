//! configuration: the text of each role's file, with a comment where one would ask "why?".

use super::{
    REPORTER,
    answers::{Answers, NewSource, NewVault},
};
use crate::config::{Place, Role};

const RESTORERS_DRILL: &str = "\
# `strongroom watch` with this file restores the newest backup, and an older one
# chosen at random, into a scratch server of its own, and says how that went.
[drill]
every = \"1d\"

";

/// For those who want other than the defaults, so it stays a comment.
const INSPECTORS_WATCH: &str = "\
# `strongroom watch` with this file looks after every source below. Defaults:
# [watch]
# listen = \"127.0.0.1:7471\"
# confirm_every = \"5m\"
# confirm_all_every = \"1d\"
";

const RESTORERS_WATCH: &str = "\
# [watch]
# listen = \"127.0.0.1:7472\"
";

pub fn text(role: Role, answers: &Answers) -> String {
    let sections = [
        head(role).to_owned(),
        format!("role = \"{role}\"\nstate_dir = \"{}\"\n\n[keys]\n{}", state_dir(role), keys(role),),
        watching(role),
        answers.vaults.iter().map(|vault| self::vault(role, vault, answers)).collect::<Vec<_>>().join("\n"),
        answers.sources.iter().map(|source| self::source(role, source)).collect::<Vec<_>>().join("\n"),
    ];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

fn watching(role: Role) -> String {
    match role {
        Role::Depositor => String::new(),
        Role::Inspector => INSPECTORS_WATCH.to_owned(),
        Role::Restorer => format!("{RESTORERS_DRILL}{RESTORERS_WATCH}"),
    }
}

fn head(role: Role) -> &'static str {
    match role {
        Role::Depositor => {
            "# Strongroom, the depositor's configuration: for the backup host. It deposits; it cannot read, list or delete.\n\
             # It holds no age identity on purpose. On one machine the three files may lie side by side; elsewhere the\n\
             # inspector's and the restorer's files, and their keys, belong on hosts of their own.\n\
             # Relative paths are relative to this file's folder.\n"
        }
        Role::Inspector => {
            "# Strongroom, the inspector's configuration: for another user, better another host, than the depositor's.\n\
             # It lists, reads locks and verifies manifests; it can neither write nor read data.\n\
             # Relative paths are relative to this file's folder.\n"
        }
        Role::Restorer => {
            "# Strongroom, the restorer's configuration: for the drill host, and for a human in an incident.\n\
             # It reads backups, and writes nothing to any vault but reports of drills. It belongs on no host that runs the depositor.\n\
             # Relative paths are relative to this file's folder.\n"
        }
    }
}

/// Each role remembers for itself, and each daemon runs on a folder of its own.
fn state_dir(role: Role) -> &'static str {
    match role {
        Role::Depositor => "state",
        Role::Inspector => "state-inspector",
        Role::Restorer => "state-restorer",
    }
}

fn keys(role: Role) -> &'static str {
    match role {
        Role::Depositor => {
            "# Every segment is encrypted to these public keys: the recovery key's and the drill's.\n\
             recipients = { file = \"keys/recipients.txt\" }\n\
             # Seals manifests. Whoever has it can forge backups, not read or delete them.\n\
             signing = { file = \"keys/signing.key\" }\n\
             # Names segments, so that only the depositor recognises equal ones.\n\
             digest = { file = \"keys/digest.key\" }\n"
        }
        Role::Inspector => {
            "# The public half of the depositor's signing key.\nverifying = { file = \"keys/signing.pub\" }\n\
             # The public half of the drill host's report key: without it nothing is known to be proven.\n\
             reports = { file = \"keys/report.pub\" }\n"
        }
        Role::Restorer => {
            "# The public half of the depositor's signing key.\n\
             verifying = { file = \"keys/signing.pub\" }\n\
             # Opens backups. In an incident without the drill key, fetch the recovery key from where it is kept and\n\
             # write { file = \"recovery.key\" } instead (chmod 600); take it away again afterwards.\n\
             identity = { file = \"keys/drill.key\" }\n\
             # Signs drill reports, so that the inspector knows them for ours. It opens nothing and seals no backup.\n\
             # A restore needs neither this nor `report_credentials`: where their files are missing, take the lines out.\n\
             report = { file = \"keys/report.key\" }\n"
        }
    }
}

fn vault(role: Role, vault: &NewVault, answers: &Answers) -> String {
    let mut lines = vec![
        "[[vault]]".to_owned(),
        format!("name = {}", quoted(&vault.name)),
        format!("url = {}", quoted(&vault.url)),
    ];
    if let Place::Bucket { .. } = vault.place {
        lines.extend(answers.endpoint.iter().map(|endpoint| format!("endpoint = {}", quoted(endpoint))));
        lines.extend(answers.region.iter().map(|region| format!("region = {}", quoted(region))));
        let file = quoted(&answers.credentials_file(role.name(), vault));
        lines.push("# An access key of this role alone; \"aws-chain\" instead asks AWS's own chain.".to_owned());
        lines.push(format!("credentials = {{ file = {file} }}"));
        if role == Role::Restorer {
            let reporter = quoted(&answers.credentials_file(REPORTER, vault));
            lines.push(
                "# Another one that may only put drill reports there, where the inspector finds them.".to_owned(),
            );
            lines.push(format!("report_credentials = {{ file = {reporter} }}"));
        }
    } else if role == Role::Restorer {
        lines.push("# Drill reports are put beside the backups, where the inspector finds them.".to_owned());
        lines.push("deposit_reports = true".to_owned());
    }
    lines.push("# How long each object is locked. Nobody can shorten it afterwards.".to_owned());
    lines.push(format!("term = \"{}\"\n", answers.term));
    lines.join("\n")
}

fn source(role: Role, source: &NewSource) -> String {
    let mut lines = vec!["[[source]]".to_owned(), format!("name = \"{}\"", source.name)];
    if role == Role::Depositor {
        lines.push("engine = \"postgres\"".to_owned());
        lines.push(format!("url = {}", quoted(&source.url)));
        if source.over_tcp() {
            lines.push(format!("password = {{ file = {} }}", quoted(&source.password_file())));
        }
        lines.push("# Five fields as in crontab(5), in UTC; `time_zone` changes that.".to_owned());
        lines.push("schedule = \"*/15 * * * *\"".to_owned());
    }
    lines.push("# What you expect; a miss is an alarm.".to_owned());
    lines.push("objectives = { recovery_point = \"30m\", proven_within = \"26h\" }".to_owned());
    if role == Role::Restorer {
        lines.push("# A drill runs these on the restored database; the first column must be true.".to_owned());
        lines.push("# checks = [\"SELECT count(*) > 0 FROM customers\"]".to_owned());
    }
    lines.join("\n") + "\n"
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
