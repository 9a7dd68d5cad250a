//! drill: reads `[drill]`, how and when the restorer proves backups; every key has a default.

use super::{
    mistake::shown,
    origin::Origins,
    plan::DrillPlan,
    table::{Found, Table},
    watch::read_span,
};
use crate::{drill::Sandbox, failure::Explain, schedule::Schedule};
use toml::de::DeValue;

const SAMPLE_MAX: usize = 100;

pub fn read(mut table: Table, origins: Origins) -> Option<DrillPlan> {
    let unasked = DrillPlan::default();
    let every = table.optional("every", read_span);
    let schedule = table.optional("schedule", read_schedule);
    let time_zone = table.optional("time_zone", |found| super::dump::read_time_zone(&found.text()?));
    let sample = table.optional("sample", |found| found.number(0..=SAMPLE_MAX));
    let scratch_dir = table.optional("scratch_dir", |found| Some(origins.path(&found.text()?.value)));
    let disk = table.optional("disk", |found| read_bytes(&found.text()?));
    let deadline = table.optional("deadline", read_span);
    let sandbox = table.optional("sandbox", |found| read_sandbox(&found.text()?));
    table.finish();
    let (every, schedule) = (every?, schedule?);
    if let (Some(_), Some(found)) = (every, &schedule) {
        return found.refuse("`every` and `schedule` are both given", "Keep one: a period, or times of day.");
    }
    Some(DrillPlan {
        every: every.or(if schedule.is_none() { unasked.every } else { None }),
        schedule: schedule.map(|schedule| schedule.value),
        time_zone: time_zone?.unwrap_or(unasked.time_zone),
        sample: sample?.map_or(unasked.sample, |sample| sample.value),
        scratch_dir: scratch_dir?,
        disk_bytes_max: disk?,
        deadline: deadline?.unwrap_or(unasked.deadline),
        sandbox: sandbox?.unwrap_or(unasked.sandbox),
    })
}

fn read_schedule<'n>(found: Found<'n, DeValue>) -> Option<Found<'n, Schedule>> {
    let found = found.text()?;
    match found.value.parse::<Schedule>() {
        Ok(schedule) => Some(found.with(schedule)),
        Err(error) => {
            found.wrong(format!("`schedule`: {error}"), error.hint());
            None
        }
    }
}

/// `50GB`, `20GiB`: as people write sizes.
fn read_bytes(found: &Found<String>) -> Option<u64> {
    match found.value.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() > 0 => Some(size.as_u64()),
        _ => found.refuse(&format!("{} is no size", shown(&found.value)), "Write \"50GB\" or \"20GiB\"."),
    }
}

fn read_sandbox(found: &Found<String>) -> Option<Sandbox> {
    match found.value.as_str() {
        "auto" => Some(Sandbox::Auto),
        "bubblewrap" => Some(Sandbox::Bubblewrap),
        "none" => Some(Sandbox::None),
        _ => found.refuse(
            "`sandbox` must be \"auto\", \"bubblewrap\" or \"none\"",
            "A dump is code: write \"none\" only where a container of its own confines the drill.",
        ),
    }
}
