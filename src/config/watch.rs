//! watch: the keys of a `[[source]]` that say how its runs are timed and watched, and who is told that it lives.

use super::{
    hook,
    origin::Origins,
    table::{Found, Table, nearest},
};
use crate::{
    clock::SignedDuration,
    monitor::{PingKind, PingSettings},
    suspect::Thresholds,
    term::parse_span,
};
use toml::de::DeValue;

pub const KEYS: [&str; 4] = ["jitter", "deadline", "stalled_after", "suspect"];

/// So that the sources of one schedule, or of many hosts, do not begin in the same second.
const JITTER_UNASKED: SignedDuration = SignedDuration::from_secs(30);
const DEADLINE_UNASKED: SignedDuration = SignedDuration::from_hours(24);
const STALLED_AFTER_UNASKED: SignedDuration = SignedDuration::from_mins(10);

/// What [`super::plan::DumpPlan`] holds of it.
pub struct Watch {
    pub jitter: SignedDuration,
    pub deadline: SignedDuration,
    pub stalled_after: SignedDuration,
    pub suspect: Thresholds,
    pub ping: Option<PingSettings>,
}

pub fn read(table: &mut Table, origins: Origins) -> Option<Watch> {
    let jitter = table.optional("jitter", |found| found.text()?.parse(parse_span));
    let deadline = table.optional("deadline", read_span);
    let stalled_after = table.optional("stalled_after", read_span);
    let suspect = table.optional("suspect", read_thresholds);
    let ping = read_pings(table, origins);
    Some(Watch {
        jitter: jitter?.unwrap_or(JITTER_UNASKED),
        deadline: deadline?.unwrap_or(DEADLINE_UNASKED),
        stalled_after: stalled_after?.unwrap_or(STALLED_AFTER_UNASKED),
        suspect: suspect?.unwrap_or_default(),
        ping: ping?,
    })
}

/// A span longer than nothing.
pub fn read_span(found: Found<DeValue>) -> Option<SignedDuration> {
    let found = found.text()?;
    let span = found.parse(parse_span)?;
    if span.is_zero() {
        found.wrong(format!("`{}` must be longer than nothing", found.key), None);
        return None;
    }
    Some(span)
}

fn read_thresholds(found: Found<DeValue>) -> Option<Thresholds> {
    let mut table = found.table("suspect")?;
    let mut percent = |key| table.optional(key, |found| found.number(1..=100));
    let (rows, bytes, compression) = (percent("rows"), percent("bytes"), percent("compression"));
    let ignore = table.optional("ignore", read_patterns);
    table.finish();
    let unasked = Thresholds::default();
    let or = |found: Option<Found<usize>>, unasked| {
        found.map_or(unasked, |percent| u32::try_from(percent.value).expect("it is at most 100"))
    };
    Some(Thresholds {
        rows_lost_percent: or(rows?, unasked.rows_lost_percent),
        bytes_lost_percent: or(bytes?, unasked.bytes_lost_percent),
        compression_lost_percent: or(compression?, unasked.compression_lost_percent),
        ignore: ignore?.unwrap_or(unasked.ignore),
    })
}

/// `schema.table`, `schema.*` or `schema.tmp_*`: the first dot divides them, as a schema's name seldom has one.
fn read_patterns(found: Found<DeValue>) -> Option<Vec<String>> {
    let read = |found: Found<String>| match found.value.split_once('.') {
        Some((schema, table)) if !schema.is_empty() && !table.is_empty() => Some(found.value),
        _ => found.refuse(
            "`ignore` holds schema.table or schema.*",
            "Write \"public.jobs\", \"public.tmp_*\" or \"cache.*\".",
        ),
    };
    found.texts()?.into_iter().map(read).collect()
}

/// Who hears of each run, or of each look.
pub fn read_pings(table: &mut Table, origins: Origins) -> Option<Option<PingSettings>> {
    table.optional("ping", |found| read_ping(found.table("ping")?, origins))
}

fn read_ping(mut table: Table, origins: Origins) -> Option<PingSettings> {
    let kind = table.required("kind", |found| read_ping_kind(&found.text()?));
    let hook = hook::read(&mut table, origins);
    table.finish();
    Some(PingSettings { kind: kind?, hook: hook? })
}

fn read_ping_kind(found: &Found<String>) -> Option<PingKind> {
    let kind = PingKind::ALL.into_iter().find(|kind| kind.word() == found.value);
    if kind.is_none() {
        let hint = nearest(&found.value, &PingKind::ALL.map(PingKind::word));
        let hint = hint.map(|kind| format!("Did you mean `{kind}`?"));
        found.wrong("`kind` must be \"healthchecks\" or \"uptime-kuma\"", hint);
    }
    kind
}
