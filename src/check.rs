//! check: everything that can be known before an incident: databases, rights, programs, vaults and clocks, each
//! finding with its mend. It changes nothing and deposits nothing.

use crate::{
    clock::{SignedDuration, Timestamp, spoken},
    failure::{Explain, Kind},
    layout::SourceName,
    proof::Confinement,
    role::{Depositor, Inspector, Protection, RoleError},
    schedule::Schedule,
    source::{
        postgres::{self, PostgresSettings},
        sandbox::{Cage, Sandbox, search_path},
    },
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

/// Whether drills can be confined on this host, and as what.
pub async fn drills(sandbox: Sandbox) -> Found {
    let place = "drill";
    match Cage::probe(sandbox, &search_path()).await {
        Ok(cage) if cage.confinement() == Confinement::Bubblewrap => {
            Found::ok(place, format!("scratch servers are {}", cage.confinement().words()))
        }
        Ok(cage) => Found::note(place, format!("scratch servers are {}: a dump is code", cage.confinement().words())),
        // A restore needs none.
        Err(error) => Found { hint: error.hint(), ..Found::note(place, format!("no drill can run here: {error}")) },
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

/// Nobody says how old a recovery point may become: the watch takes a day.
pub fn unasked(name: &SourceName, within: SignedDuration) -> Found {
    let what =
        format!("no recovery_point objective: `strongroom watch` alarms when it is older than {}", spoken(within));
    let hint = Some("Write objectives = { recovery_point = \"30m\" }, as in the depositor's configuration.".to_owned());
    Found { hint, ..Found::note(&format!("source {name}"), what) }
}

/// A credential that its file says will expire.
pub fn credential(vault: &str, expires_at: Option<Timestamp>, now: Timestamp) -> Option<Found> {
    const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
    let left = expires_at?.duration_since(now);
    let hint =
        "Let the custodian make a new one, and write it with its expires_at into the credentials file.".to_owned();
    let place = format!("vault {vault}");
    Some(match left {
        left if left.is_negative() || left.is_zero() => Found {
            verdict: Verdict::Fault,
            hint: Some(hint),
            kind: Some(Kind::Denied),
            ..Found::ok(&place, "its credential has expired".to_owned())
        },
        left => {
            let what = format!("its credential expires in {}", spoken(left));
            let soon = left < SOON;
            Found {
                hint: soon.then_some(hint),
                ..if soon { Found::note(&place, what) } else { Found::ok(&place, what) }
            }
        }
    })
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
