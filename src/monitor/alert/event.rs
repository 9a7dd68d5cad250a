//! event: what is worth a message: a source enters a problem, stays in it for a day, or is well again.

use crate::{
    clock::{SignedDuration, Timestamp, spoken, whole_second},
    health::{Health, Problem, SourceHealth, State},
    layout::SourceName,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A run, or a vault's share of it, did not work.
    Failed,
    /// The newest backup looks wiped.
    Suspect,
    /// What there is is too old, or its lock ends soon.
    Overdue,
    /// What there is was not proven to restore, or not lately, or proves not to.
    Unproven,
    /// A vault does not hold, or does not protect, what it did.
    Tampering,
    /// Every problem is over.
    Recovered,
}

impl EventKind {
    pub const ALL: [Self; 6] =
        [Self::Failed, Self::Suspect, Self::Overdue, Self::Unproven, Self::Tampering, Self::Recovered];

    /// As written in a configuration and in a webhook's JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Suspect => "suspect",
            Self::Overdue => "overdue",
            Self::Unproven => "unproven",
            Self::Tampering => "tampering",
            Self::Recovered => "recovered",
        }
    }

    fn of(problem: &Problem) -> Self {
        match problem {
            Problem::Failing { .. }
            | Problem::VaultFailing { .. }
            | Problem::NotProtected { .. }
            | Problem::ClockWrong { .. }
            | Problem::Unconfirmed { too_old: false, .. }
            | Problem::ClockSkew { .. }
            | Problem::CredentialExpires { .. } => Self::Failed,
            Problem::Suspect { .. } => Self::Suspect,
            Problem::NeverBackedUp { .. }
            | Problem::Overdue { .. }
            | Problem::Lapsing { .. }
            | Problem::Lapsed { .. }
            | Problem::Unconfirmed { too_old: true, .. } => Self::Overdue,
            Problem::NeverProven { .. }
            | Problem::Unproven { .. }
            | Problem::DrillFailed { .. }
            | Problem::DrillCouldNotRun { .. }
            | Problem::TooSlow { .. }
            | Problem::DiskShort { .. } => Self::Unproven,
            Problem::Tampered { .. }
            | Problem::LockShort { .. }
            | Problem::VaultWeakened { .. }
            | Problem::Loss { .. } => Self::Tampering,
        }
    }
}

/// One message to whoever wants to hear of its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub kind: EventKind,
    pub source: SourceName,
    pub state: State,
    /// All that the source has, those of this kind first.
    pub problems: Vec<Problem>,
    /// The recovery point's.
    pub age: Option<SignedDuration>,
    pub at: Timestamp,
    /// Until when each vault's last good backup is locked; `None` where there is none.
    pub locked_until: BTreeMap<String, Option<Timestamp>>,
    /// It has been told before, a day ago.
    pub reminder: bool,
}

impl Event {
    fn of(kind: EventKind, source: &SourceHealth, at: Timestamp, reminder: bool) -> Self {
        let SourceHealth { source: name, state, problems, age, .. } = source;
        let mut problems = problems.clone();
        problems.sort_by_key(|problem| EventKind::of(problem) != kind);
        let locked_until = source.vaults.iter().map(|vault| (vault.vault.clone(), vault.locked_until())).collect();
        Self { kind, source: name.clone(), state: *state, problems, age: *age, at, locked_until, reminder }
    }

    /// What happened, in a few words.
    pub fn title(&self) -> String {
        let what = match self.kind {
            EventKind::Failed => "backups fail",
            EventKind::Suspect => "the newest backup looks wiped",
            EventKind::Overdue => "backups are overdue",
            EventKind::Unproven => "backups are not proven to restore",
            EventKind::Tampering => "a vault is not as it was left",
            EventKind::Recovered => "all is well again",
        };
        let still = if self.reminder { " (still)" } else { "" };
        format!("{}: {what}{still}", self.source)
    }

    /// One sentence that says it all.
    pub fn summary(&self) -> String {
        let still = if self.reminder { " (still)" } else { "" };
        self.problems.first().map_or_else(|| self.title(), |problem| format!("{}: {problem}{still}", self.source))
    }

    /// The whole message for people, below its title.
    pub(super) fn text(&self, host: &str) -> String {
        let mut lines: Vec<String> = self.problems.iter().map(|problem| format!("- {problem}")).collect();
        lines.extend(self.problems.first().map(|problem| format!("hint: {}", problem.hint())));
        lines.extend(self.locked_until.iter().map(|(vault, until)| match until {
            Some(until) => format!("The last good backup in {vault} is locked until {}.", whole_second(*until)),
            None => format!("In {vault} there is no good backup under a lock."),
        }));
        lines.push(match self.age {
            Some(age) => format!("The recovery point is {} old. Strongroom on {host}.", spoken(age)),
            None => format!("There is no recovery point. Strongroom on {host}."),
        });
        lines.join("\n")
    }
}

/// A problem that stays is told again after this.
const REMIND_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Which problems have been told, and when last; kept over a restart, it keeps a restart from telling them again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told(BTreeMap<SourceName, BTreeMap<String, Timestamp>>);

/// What is to be told `now`, and what has been told thereafter. A problem is told when it begins and not at every run
/// that meets it again; problems of one kind that begin together are one event; what a source no longer has is
/// forgotten, so that it is told when it begins anew.
pub fn events(told: &Told, now: &Health) -> (Vec<Event>, Told) {
    let mut events = Vec::new();
    let mut telling = Told::default();
    for source in &now.sources {
        let before = told.0.get(&source.source);
        let after = events_of(source, before, now.at, &mut events);
        if !after.is_empty() {
            telling.0.insert(source.source.clone(), after);
        }
    }
    (events, telling)
}

fn events_of(
    source: &SourceHealth,
    before: Option<&BTreeMap<String, Timestamp>>,
    now: Timestamp,
    events: &mut Vec<Event>,
) -> BTreeMap<String, Timestamp> {
    if source.state.is_quiet() {
        events.extend(before.map(|_| Event::of(EventKind::Recovered, source, now, false)));
        return BTreeMap::new();
    }
    let mut after = BTreeMap::new();
    for kind in EventKind::ALL {
        let keys: Vec<String> =
            source.problems.iter().filter(|problem| EventKind::of(problem) == kind).map(key).collect();
        let told_at = |key: &String| before?.get(key).copied();
        let begun = keys.iter().any(|key| told_at(key).is_none());
        let stays = keys.iter().filter_map(told_at).any(|told_at| is_long_ago(told_at, now));
        if begun || stays {
            events.push(Event::of(kind, source, now, !begun));
        }
        let at = |key: &String| told_at(key).filter(|_| !begun && !stays).unwrap_or(now);
        after.extend(keys.into_iter().map(|key| {
            let at = at(&key);
            (key, at)
        }));
    }
    after
}

/// A clock that went back makes a reminder too many, never one too few.
fn is_long_ago(told_at: Timestamp, now: Timestamp) -> bool {
    let ago = now.duration_since(told_at);
    ago >= REMIND_AFTER || ago.is_negative()
}

/// Tells one problem from another: two vaults that fail are two, and one that has grown worse is another.
fn key(problem: &Problem) -> String {
    let of_vault = problem.vault().map_or(problem.word().to_owned(), |vault| format!("{}/{vault}", problem.word()));
    match problem.stage() {
        0 => of_vault,
        stage => format!("{of_vault}/{stage}"),
    }
}

#[cfg(test)]
mod tests;
