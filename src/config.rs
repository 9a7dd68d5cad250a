//! config: a configuration file becomes a checked [`Plan`] once, and all its mistakes are reported together.
//!
//! Nothing below the door sees raw settings. Secrets and keys are fetched here, so that a wrong mode or a
//! malformed key is one more mistake with a line, found before anything has begun.

mod alert;
mod bucket;
mod credentials;
mod daemon;
mod drill;
mod dump;
mod hook;
mod keys;
mod mistake;
mod origin;
mod place;
mod plan;
mod source;
mod table;
mod vault;
mod watch;
mod watching;
mod whence;

pub use self::{
    mistake::BadConfig,
    origin::BLANK,
    place::{BadEndpoint, BadPlace, Place, check_endpoint},
    plan::{DepositorKeys, DrillPlan, Keys, Plan, Role, SourcePlan, WatchPlan},
    vault::read_name as read_vault_name,
    whence::Whence,
};

use self::{
    mistake::{Notes, find_identity},
    origin::Origins,
    table::{Found, Table, nearest},
};
use crate::{
    monitor::AlertSettings,
    vault::{VaultAddress, VaultSettings},
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use toml::de::{DeTable, DeValue};

/// What the door knows and a configuration may refer to.
#[derive(Clone, Debug)]
pub struct World {
    /// `$CREDENTIALS_DIRECTORY`, where systemd puts credentials.
    pub credentials_directory: Option<PathBuf>,
    pub cores: usize,
}

/// The plan in `file`, or everything that is wrong with it.
pub fn load(file: &Path, world: &World) -> Result<Plan, BadConfig> {
    let text = fs::read_to_string(file).map_err(|source| BadConfig::Unreadable { file: file.to_owned(), source })?;
    let notes = Notes::default();
    let origins = Origins { folder: file.parent().unwrap_or(Path::new("")), world };
    let plan = read(&text, &notes, origins);
    notes.conclude(file, &text, plan)
}

fn read(text: &str, notes: &Notes, origins: Origins) -> Option<Plan> {
    if let Some(at) = find_identity(text) {
        let hint = "Move it into a file of the restorer's host, and take it for known to whoever saw this file.";
        notes.add(at, "an age identity is written into the configuration", Some(hint.to_owned()));
    }
    let (parsed, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        notes.add(error.span().map_or(text.len(), |span| span.start), error.message(), None);
    }
    // A file that is half understood would only yield wrong mistakes.
    if !errors.is_empty() {
        return None;
    }
    let mut table = Table::new(notes, "", parsed.span().start, parsed.into_inner());
    let role = table.required("role", |found| read_role(&found.text()?));
    let state_dir = table.required("state_dir", |found| Some(origins.path(&found.text()?.value)));
    // Without a role nobody knows which keys and sources are right.
    let keys = table.required("keys", |found| keys::read(found.table("[keys]")?, role?, origins));
    let vaults = table.required("vault", |found| read_vaults(found, role, origins));
    let (vaults, reporters) = vaults.unzip();
    let sources = table.required("source", |found| read_sources(found, role?, vaults.as_deref(), origins));
    let alerts = table.optional("alert", |found| read_alerts(found, origins));
    let daemon = match role {
        Some(Role::Inspector | Role::Restorer) => {
            let hint = "It belongs into the depositor's configuration.";
            table.forbid("daemon", "only the depositor runs as a daemon: no [daemon] here", hint);
            Some(None)
        }
        Some(Role::Depositor) | None => table.optional("daemon", |found| daemon::read(found.table("[daemon]")?)),
    };
    let drill = match role {
        Some(Role::Depositor | Role::Inspector) => {
            let hint = "It belongs into the restorer's configuration.";
            table.forbid("drill", "only the restorer can open backups: no [drill] here", hint);
            Some(None)
        }
        Some(Role::Restorer) | None => table.optional("drill", |found| drill::read(found.table("[drill]")?, origins)),
    };
    let watch = match role {
        Some(Role::Depositor) => {
            let hint = "It belongs into the inspector's or the restorer's configuration, on another host.";
            table.forbid("watch", "a depositor does not watch itself: no [watch] here", hint);
            Some(None)
        }
        Some(role) => table.optional("watch", |found| watching::read(found.table("[watch]")?, role, origins)),
        None => table.take("watch").map_or(Some(None), |_unread| None),
    };
    table.finish();
    let role = role?;
    Some(Plan {
        state_dir: state_dir?,
        keys: keys?,
        vaults: vaults?,
        sources: sources?,
        alerts: alerts?.unwrap_or_default(),
        daemon: daemon?.unwrap_or_default(),
        drill: drill?.unwrap_or_default(),
        reporters: reporters?,
        watch: watch?.unwrap_or_else(|| WatchPlan::of(role)),
    })
}

fn read_role(found: &Found<String>) -> Option<Role> {
    let role = Role::ALL.into_iter().find(|role| role.name() == found.value);
    if role.is_none() {
        let hint = nearest(&found.value, &Role::ALL.map(Role::name)).map(|role| format!("Did you mean `{role}`?"));
        found.wrong("`role` must be \"depositor\", \"inspector\" or \"restorer\"", hint);
    }
    role
}

type Vaults = (Vec<VaultSettings>, Vec<Option<VaultSettings>>);

/// The vaults, and for each as whom reports of drills are deposited there.
fn read_vaults(found: Found<DeValue>, role: Option<Role>, origins: Origins) -> Option<Vaults> {
    let tables = tables_of(found)?;
    let count = tables.len();
    let tables = tables.into_iter().filter_map(|found| found.table("[[vault]]"));
    let (mut vaults, mut reporters) = (Vec::<VaultSettings>::new(), Vec::new());
    for vault::Read { settings, reporter, name, url } in tables.filter_map(|table| vault::read(table, role, origins)) {
        if let Some(first) = vaults.iter().find(|first| first.name == settings.name) {
            name.wrong(format!("two vaults are named `{}`", first.name), None);
        }
        if let Some(first) = vaults.iter().find(|first| same_place(&first.address, &settings.address)) {
            let hint = "Two copies in one place are one copy; write two terms as two buckets or prefixes.";
            url.wrong(format!("this is the place of vault `{}`", first.name), Some(hint.to_owned()));
        }
        vaults.push(settings);
        reporters.push(reporter);
    }
    (vaults.len() == count).then_some((vaults, reporters))
}

fn same_place(one: &VaultAddress, other: &VaultAddress) -> bool {
    match (one, other) {
        (VaultAddress::Directory(one), VaultAddress::Directory(other)) => one == other,
        (VaultAddress::S3(one), VaultAddress::S3(other)) => {
            (&one.endpoint, &one.bucket, &one.prefix) == (&other.endpoint, &other.bucket, &other.prefix)
        }
        _ => false,
    }
}

fn read_sources(
    found: Found<DeValue>,
    role: Role,
    vaults: Option<&[VaultSettings]>,
    origins: Origins,
) -> Option<Vec<SourcePlan>> {
    let tables = tables_of(found)?;
    let count = tables.len();
    let tables = tables.into_iter().filter_map(|found| found.table("[[source]]"));
    let mut sources: Vec<SourcePlan> = Vec::new();
    for source::Read { plan, name } in tables.filter_map(|table| source::read(table, role, vaults, origins)) {
        if sources.iter().any(|first| first.name == plan.name) {
            name.wrong(format!("two sources are named `{}`", plan.name), None);
        }
        sources.push(plan);
    }
    (sources.len() == count).then_some(sources)
}

fn read_alerts(found: Found<DeValue>, origins: Origins) -> Option<Vec<AlertSettings>> {
    let tables = tables_of(found)?;
    let count = tables.len();
    let tables = tables.into_iter().filter_map(|found| found.table("[[alert]]"));
    let mut alerts: Vec<AlertSettings> = Vec::new();
    for alert::Read { settings, name } in tables.filter_map(|table| alert::read(table, origins)) {
        if alerts.iter().any(|first| first.name == settings.name) {
            name.wrong(format!("two alerts are named `{}`", settings.name), None);
        }
        alerts.push(settings);
    }
    (alerts.len() == count).then_some(alerts)
}

fn tables_of<'n, 'i>(found: Found<'n, DeValue<'i>>) -> Option<Vec<Found<'n, DeValue<'i>>>> {
    let place = found.place();
    let tables = found.list()?;
    if tables.is_empty() {
        place.wrong(format!("there is no [[{}]]", place.key), None);
        return None;
    }
    Some(tables)
}

#[cfg(test)]
mod tests;
