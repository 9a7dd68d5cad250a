//! metrics: the board as a page for Prometheus, in OpenMetrics 1.0. Made anew at each scrape from the facts, so that
//! nothing stale can be on it and every series is there from the beginning, with 0 for "never".

mod watched;

use super::board::Shown;
use crate::{
    clock::Timestamp,
    health::{Health, SealedFacts, SourceHealth, VaultHealth, judge},
    run::{Bytes, End, Outcome},
};
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::sync::atomic::AtomicU64;

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The whole page.
pub fn page(now: Timestamp, shown: &Shown) -> String {
    let health = judge(now, &shown.facts);
    let mut page = Page(Registry::default());
    daemon(&mut page, shown);
    backups(&mut page, &health);
    standing(&mut page, &health);
    match shown.told_by.watcher() {
        Some(role) => watched::families(&mut page, role, &health),
        None => {
            last_runs(&mut page, &health);
            going_on(&mut page, &health);
            runs(&mut page, shown, &health);
        }
    }
    let mut written = String::new();
    text::encode(&mut written, &page.0).expect("a string takes all that is written to it");
    written
}

type Labels = Vec<(&'static str, String)>;

/// A family's name and help come without `_total` and full stop: the encoder writes both.
struct Page(Registry);

impl Page {
    fn gauge(&mut self, name: &str, help: &str, series: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in series {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }

    fn counter(&mut self, name: &str, help: &str, series: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Family::<Labels, Counter>::default();
        for (labels, value) in series {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help, family);
    }

    fn alone(&mut self, name: &str, help: &str, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    /// One series for each source of which `value` is known.
    fn by_source(&mut self, name: &str, help: &str, health: &Health, value: impl Fn(&SourceHealth) -> Option<f64>) {
        let series = health.sources.iter().filter_map(|source| Some((of_source(source), value(source)?)));
        self.gauge(name, help, series);
    }

    /// One series for each vault of each source.
    fn by_vault(&mut self, name: &str, help: &str, health: &Health, value: impl Fn(&VaultHealth) -> f64) {
        let value = &value;
        let series = health.sources.iter().flat_map(|source| {
            source.vaults.iter().map(move |vault| {
                let mut labels = of_source(source);
                labels.push(("vault", vault.vault.clone()));
                (labels, value(vault))
            })
        });
        self.gauge(name, help, series);
    }
}

fn of_source(source: &SourceHealth) -> Labels {
    vec![("source", source.source.to_string())]
}

fn daemon(page: &mut Page, shown: &Shown) {
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    page.gauge("strongroom_build_info", "Always 1; the label tells which version of Strongroom runs", [(version, 1.0)]);
    page.alone(
        "strongroom_config_reload_success",
        "1 if the configuration file was read without a mistake when it was last read, else 0: an older one is in force",
        one_if(shown.reload.succeeded),
    );
    page.alone(
        "strongroom_config_loaded_timestamp_seconds",
        "When the configuration that is in force was read",
        timestamp(shown.reload.loaded_at),
    );
    page.gauge(
        "strongroom_clock_skew_seconds",
        "The clock of the vault's server less the clock of this host, when they were last compared",
        shown.clock_skews.iter().map(|(vault, skew)| (vec![("vault", vault.clone())], *skew)),
    );
    page.gauge(
        "strongroom_credential_expires_timestamp_seconds",
        "When the credential for this vault expires, as its file says; absent where that does not",
        shown.credential_expires.iter().map(|(vault, at)| (vec![("vault", vault.clone())], timestamp(*at))),
    );
    page.counter(
        "strongroom_alerts_failed",
        "Messages that an alert could not deliver, after all tries, or dropped because too many were waiting",
        shown.totals.alerts_failed.iter().map(|(alert, count)| (vec![("alert", alert.clone())], *count)),
    );
}

fn backups(page: &mut Page, health: &Health) {
    let point = |of: Option<&SealedFacts>| timestamp_or_0(of.map(|sealed| sealed.snapshot_at));
    page.by_vault(
        "strongroom_last_sealed_timestamp_seconds",
        "When the newest backup in this vault was sealed, that is signed and complete; 0 before the first",
        health,
        |vault| timestamp_or_0(vault.last_sealed.as_ref().map(|sealed| sealed.sealed_at)),
    );
    page.by_vault(
        "strongroom_last_good_timestamp_seconds",
        "Of what time the data of the newest backup in this vault is that does not look wiped; 0 before the first",
        health,
        |vault| point(vault.last_good.as_ref()),
    );
    page.by_vault(
        "strongroom_lock_end_timestamp_seconds",
        "When the lock of the newest good backup in this vault ends: from then on it can be deleted; 0 without one",
        health,
        |vault| timestamp_or_0(vault.locked_until()),
    );
    page.by_source(
        "strongroom_recovery_point_timestamp_seconds",
        "Of what time the data is that can be restored from as many vaults as are needed; 0 while there is none",
        health,
        |source| Some(timestamp_or_0(source.recovery_point)),
    );
    page.by_source(
        "strongroom_recovery_point_objective_seconds",
        "How old the recovery point may become, as the configuration says; absent where it does not",
        health,
        |source| source.objectives.recovery_point.map(|objective| objective.as_secs_f64()),
    );
}

fn last_runs(page: &mut Page, health: &Health) {
    let end = |source: &SourceHealth| -> Option<End> { source.last_run.as_ref()?.ended.clone() };
    page.by_source(
        "strongroom_last_run_timestamp_seconds",
        "When the last run of this source ended, however it did; 0 before the first",
        health,
        |source| Some(timestamp_or_0(end(source).map(|end| end.at))),
    );
    page.by_source(
        "strongroom_last_run_success",
        "1 if the last run sealed a backup in as many vaults as are needed, else 0; 0 before the first",
        health,
        |source| Some(one_if(end(source).is_some_and(|end| is_success(end.outcome)))),
    );
    page.by_source("strongroom_last_run_duration_seconds", "How long the last run took", health, |source| {
        let took = source.last_run.as_ref().and_then(|run| run.took());
        Some(took.map_or(0.0, |took| took.as_secs_f64().max(0.0)))
    });
    page.by_source("strongroom_last_run_rows", "Rows that the last run read", health, |source| {
        Some(end(source).map_or(0.0, |end| end.rows as f64))
    });
    let bytes = health.sources.iter().flat_map(|source| {
        let Bytes { read, packed, sent, reused } = end(source).map_or(Bytes::default(), |end| end.bytes);
        [("read", read), ("packed", packed), ("sent", sent), ("reused", reused)].map(|(kind, bytes)| {
            let mut labels = of_source(source);
            labels.push(("kind", kind.to_owned()));
            (labels, bytes as f64)
        })
    });
    page.gauge(
        "strongroom_last_run_bytes",
        "What the last run moved: read from the source, packed (compressed and encrypted), sent to vaults, or reused \
         because a vault holds it already",
        bytes,
    );
}

/// A suspect backup was made as it should be; what it holds has a metric of its own.
fn is_success(outcome: Outcome) -> bool {
    outcome.is_good() || matches!(outcome, Outcome::Suspect | Outcome::NotDue)
}

fn standing(page: &mut Page, health: &Health) {
    let mut plain = |name, help, value: &dyn Fn(&SourceHealth) -> f64| {
        page.by_source(name, help, health, |source| Some(value(source)));
    };
    plain(
        "strongroom_suspect",
        "1 if the newest backup looks wiped or encrypted by somebody else, else 0: look at the database",
        &|source| one_if(source.is_suspect()),
    );
    plain(
        "strongroom_protected",
        "1 if as many vaults as are needed hold what they should, good and locked, else 0",
        &|source| one_if(source.holding >= source.needed),
    );
    plain("strongroom_vaults_needed", "How many vaults must hold a backup, as the configuration says", &|source| {
        source.needed as f64
    });
    plain("strongroom_vaults_holding", "How many vaults hold what they should, good and locked", &|source| {
        source.holding as f64
    });
}

/// What only who makes backups knows.
fn going_on(page: &mut Page, health: &Health) {
    page.by_vault(
        "strongroom_vault_failing",
        "1 if the last run could not deposit in this vault, else 0",
        health,
        |vault| one_if(vault.failing.is_some()),
    );
    page.by_source("strongroom_running", "1 while a run of this source is going on, else 0", health, |source| {
        Some(one_if(source.running_since.is_some()))
    });
    page.by_source(
        "strongroom_next_run_timestamp_seconds",
        "When the next run of this source begins; absent where none is planned",
        health,
        |source| source.next_run_at.map(timestamp),
    );
}

fn runs(page: &mut Page, shown: &Shown, health: &Health) {
    let series = health.sources.iter().flat_map(|source| {
        Outcome::ALL.map(|outcome| {
            let mut labels = of_source(source);
            labels.push(("outcome", outcome.word().to_owned()));
            (labels, shown.totals.runs.get(&(source.source.clone(), outcome)).copied().unwrap_or(0))
        })
    });
    page.counter("strongroom_runs", "Runs that have ended, by how they ended", series);
}

fn timestamp(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

fn timestamp_or_0(at: Option<Timestamp>) -> f64 {
    at.map_or(0.0, timestamp)
}

fn one_if(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests;
