//! check: everything that can be known before an incident: databases, rights, programs, vaults and clocks, each
//! finding with its mend. It changes nothing and deposits nothing.

use crate::{
    clock::Timestamp,
    failure::{Explain, Kind},
    layout::SourceName,
    role::{Depositor, Inspector, Protection, RoleError},
    schedule::Schedule,
    source::postgres::{self, PostgresSettings},
};
use jiff::tz::TimeZone;
use std::path::Path;

/// Clocks that differ by more than this make locks end at other times than anybody thinks.
const SKEW_SECS_MAX: i64 = 60;
/// Enough to see that a schedule means what its author meant.
const SLOTS_SHOWN: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// Worth knowing; backups go on.
    Note,
    /// A backup or restore would fail, or would not be protected.
    Fault,
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Found {
    pub verdict: Verdict,
    pub place: String,
    pub what: String,
    pub hint: Option<String>,
    #[serde(skip)]
    pub kind: Option<Kind>,
}

impl Found {
    fn ok(place: &str, what: String) -> Self {
        Self { verdict: Verdict::Ok, place: place.to_owned(), what, hint: None, kind: None }
    }

    fn note(place: &str, what: String) -> Self {
        Self { verdict: Verdict::Note, ..Self::ok(place, what) }
    }

    fn fault(place: &str, error: &dyn Explain) -> Self {
        Self {
            verdict: Verdict::Fault,
            hint: error.hint(),
            kind: Some(error.kind()),
            ..Self::ok(place, error.to_string())
        }
    }
}

pub async fn source(name: &SourceName, settings: &PostgresSettings) -> Vec<Found> {
    let place = format!("source {name}");
    match postgres::look(settings).await {
        Ok(look) => {
            let what = format!(
                "PostgreSQL {} at {}, everything readable; {}; {} workers",
                look.server.version,
                settings.address.shown(),
                look.clients.version,
                settings.workers
            );
            let left_out =
                look.left_out.iter().map(|left| Found::note(&place, format!("left out: {}: {}", left.what, left.why)));
            std::iter::once(Found::ok(&place, what)).chain(left_out).collect()
        }
        Err(error) => vec![Found::fault(&place, &error)],
    }
}

/// The catalog's folder: one that cannot be written stops every backup.
pub fn state_dir(path: &Path) -> Found {
    let place = format!("state_dir {}", path.display());
    if !path.exists() && path.ancestors().all(|folder| !folder.exists() || folder.is_dir()) {
        let what =
            "is not there yet: the service's StateDirectory= makes it, or the first run, where it may".to_owned();
        return Found::note(&place, what);
    }
    if path.is_dir() && rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok() {
        return Found::ok(&place, "can be written".to_owned());
    }
    let what = "is no folder that this user may write".to_owned();
    let hint = Some("Make it, or let its owner be the user that runs the backups.".to_owned());
    Found { verdict: Verdict::Fault, hint, kind: Some(Kind::Settings), ..Found::ok(&place, what) }
}

/// A schedule is not a scheduler: until something calls us, nothing is backed up.
pub fn timing(name: &str, schedule: Option<&Schedule>, zone: &TimeZone, now: Timestamp) -> Option<Found> {
    let schedule = schedule?;
    let shown = |at: Timestamp| at.display_with_offset(zone.to_offset(at)).to_string();
    let next: Vec<String> = schedule.upcoming(zone, now).take(SLOTS_SHOWN).map(shown).collect();
    let what = format!(
        "backs up at `{schedule}` ({}), next {}; `strongroom run` does it, or let cron or a timer call `strongroom \
         backup {name}`",
        zone.iana_name().unwrap_or("UTC"),
        next.join(", ")
    );
    Some(Found::note(&format!("source {name}"), what))
}

pub async fn deposit(depositor: &Depositor) -> Vec<Found> {
    let place = format!("vault {}", depositor.vault());
    judged(&place, &depositor.describe(), depositor.vault(), depositor.protection().await)
}

/// A reader's vault: its settings, and whether this credential can list `sources` in it.
pub async fn reading(inspector: &Inspector, sources: &[&SourceName]) -> Vec<Found> {
    let place = format!("vault {}", inspector.vault());
    let mut found = judged(&place, &inspector.describe(), inspector.vault(), inspector.protection().await);
    for source in sources {
        found.push(match inspector.shelf(source).await {
            Ok(shelf) => Found::ok(&place, format!("{} backups of {source} listed", shelf.len())),
            Err(error) => Found::fault(&place, &error),
        });
    }
    found
}

fn judged(place: &str, describe: &str, vault: &str, protection: Result<Protection, RoleError>) -> Vec<Found> {
    let protection = match protection {
        Ok(protection) => protection,
        Err(error) => return vec![Found::fault(place, &error)],
    };
    let Protection { faults, notes, clock_skew_secs } = protection;
    let mut found: Vec<_> = notes.into_iter().map(|note| Found::note(place, note.text)).collect();
    if let Some(skew) = clock_skew_secs.filter(|skew| skew.abs() > SKEW_SECS_MAX) {
        let what = format!("its clock is {skew} s ahead of ours");
        let hint = Some("Let both follow NTP: locks end by the server's clock.".to_owned());
        found.push(Found { hint, ..Found::note(place, what) });
    }
    if faults.is_empty() {
        found.insert(0, Found::ok(place, describe.to_owned()));
    } else {
        let error = RoleError::NotProtected { vault: vault.to_owned(), faults };
        found.insert(0, Found::fault(place, &error));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_told_with_its_next_times_in_its_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let now = "2026-11-21T11:07:00Z".parse().unwrap();
        let found = timing("app", Some(&"*/15 * * * *".parse().unwrap()), &berlin, now).unwrap();
        assert_eq!((found.verdict, found.place.as_str()), (Verdict::Note, "source app"));
        assert_eq!(
            found.what,
            "backs up at `*/15 * * * *` (Europe/Berlin), next 2026-11-21T12:15:00+01:00, 2026-11-21T12:30:00+01:00, \
             2026-11-21T12:45:00+01:00; `strongroom run` does it, or let cron or a timer call `strongroom backup app`"
        );
        assert!(timing("app", None, &berlin, now).is_none());
    }
}
