//! dump: the keys of a `[[source]]` that say how to dump it; only a depositor's file may have them.

use super::{
    mistake::shown,
    origin::Origins,
    plan::{DumpPlan, Role},
    table::{Found, Table},
    watch::{self, Watch},
};
use crate::{
    failure::Explain,
    schedule::Schedule,
    source::postgres::{AcceptedLoss, Address, PostgresSettings, Tls},
};
use std::path::PathBuf;
use toml::de::DeValue;

const WORKERS_MAX: usize = 64;
/// More by default would be a load that nobody asked for.
const WORKERS_UNASKED_MAX: usize = 8;

/// `client_path`, which every role may set, is `None` where it is absent.
pub fn read(table: &mut Table, client_path: Option<Vec<PathBuf>>, origins: Origins) -> Option<DumpPlan> {
    let engine = table.required("engine", |found| read_engine(&found.text()?));
    let address = table.required("url", |found| read_address(&found.text()?, origins));
    let password = table.optional("password", |found| {
        origins.secret(found)?.parse(|secret| secret.reveal_text().map(|_| secret.clone()))
    });
    let schedule = table.optional("schedule", |found| read_schedule(&found.text()?));
    let time_zone = table.optional("time_zone", |found| read_time_zone(&found.text()?));
    let workers = table.optional("workers", |found| found.number(1..=WORKERS_MAX));
    let accept_missing = table.optional("accept_missing", read_losses);
    let watch = watch::read(table, origins);
    engine?;
    let unasked = origins.world.cores.clamp(1, WORKERS_UNASKED_MAX);
    let postgres = PostgresSettings {
        address: Address { password: password?, ..address? },
        workers: workers?.map_or(unasked, |workers| workers.value),
        client_path: client_path.unwrap_or_default(),
        accept_missing: accept_missing?.unwrap_or_default(),
    };
    let Watch { jitter, deadline, stalled_after, suspect, ping } = watch?;
    let time_zone = time_zone?.unwrap_or(jiff::tz::TimeZone::UTC);
    Some(DumpPlan { postgres, schedule: schedule?, time_zone, jitter, deadline, stalled_after, suspect, ping })
}

pub fn refuse(table: &mut Table, role: Role) {
    for key in watch::KEYS {
        table.forbid(
            key,
            format!("the {role} makes no backups: no `{key}` here"),
            "It belongs into the depositor's configuration; here the source's name is enough.",
        );
    }
    for key in ["engine", "url", "password", "schedule", "time_zone", "workers", "accept_missing"] {
        table.forbid(
            key,
            format!("the {role} has no way to the database: no `{key}` here"),
            "It belongs into the depositor's configuration; here the source's name is enough.",
        );
    }
}

fn read_engine(found: &Found<String>) -> Option<()> {
    if found.value == "postgres" {
        return Some(());
    }
    let known_elsewhere = matches!(found.value.as_str(), "mariadb" | "mysql" | "command");
    let message = if known_elsewhere { "is not supported yet" } else { "is no engine" };
    found.refuse(&format!("{} {message}", shown(&found.value)), "Today there is one engine: \"postgres\".")
}

fn read_address(found: &Found<String>, origins: Origins) -> Option<Address> {
    match Address::parse(&found.value) {
        Ok(mut address) => {
            if let Tls::VerifyFull { roots: Some(roots) } = &mut address.tls {
                *roots = origins.folder.join(&*roots);
            }
            Some(address)
        }
        Err(error) => {
            found.wrong(format!("`url`: {error}"), error.hint());
            None
        }
    }
}

fn read_schedule(found: &Found<String>) -> Option<Schedule> {
    match found.value.parse::<Schedule>() {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            found.wrong(format!("`schedule`: {error}"), error.hint());
            None
        }
    }
}

pub fn read_time_zone(found: &Found<String>) -> Option<jiff::tz::TimeZone> {
    match jiff::tz::TimeZone::get(&found.value) {
        Ok(zone) => Some(zone),
        // What jiff adds repeats the name and lists directories; the name alone says it.
        Err(_unknown_zone) => found.refuse(
            &format!("there is no time zone {}", shown(&found.value)),
            "Write a name of the tz database, like Europe/Berlin or UTC, and see that tzdata is installed.",
        ),
    }
}

fn read_losses(found: Found<DeValue>) -> Option<Vec<AcceptedLoss>> {
    let read = |found: Found<String>| match found.value.as_str() {
        "user-mappings" => Some(AcceptedLoss::UserMappings),
        "subscriptions" => Some(AcceptedLoss::Subscriptions),
        _ => found.refuse(
            &format!("{} is no loss that can be accepted", shown(&found.value)),
            "Only \"user-mappings\" and \"subscriptions\" can be.",
        ),
    };
    found.texts()?.into_iter().map(read).collect()
}
