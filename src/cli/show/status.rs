//! status: the health of every source on one screen: a table, then each problem as a sentence with its hint.

use super::{print, print_json, table};
use crate::{
    cli::Failure,
    clock::{Timestamp, spoken, whole_second},
    health::{Health, Ladder, LadderStep, Rung, SourceHealth, State, VaultHealth},
};
use owo_colors::OwoColorize;
use serde_json::json;

pub fn status(health: &Health, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return print_json(&json!(health));
    }
    print(&text(health))
}

fn text(health: &Health) -> String {
    let watched = health.sources.iter().any(|source| source.vaults.iter().any(|vault| vault.watched.is_some()));
    let ends = if watched { ["LADDER", "LAST DRILL"] } else { ["LAST RUN", "NEXT RUN"] };
    let mut rows = table(&[&["SOURCE", "STATE", "RECOVERY POINT", "PROTECTED", "LOCKS"][..], &ends].concat());
    for source in &health.sources {
        let locks: Vec<String> = source.vaults.iter().map(lock).collect();
        let ends = if watched {
            [ladder(source, health.at), last_drill(source, health.at)]
        } else {
            [last_run(source, health.at), next_run(source, health.at)]
        };
        let begins = [
            source.source.to_string(),
            source.state.word().to_owned(),
            recovery_point(source),
            format!("{} ({} needed)", source.holding, source.needed),
            locks.join("\n"),
        ];
        rows.add_row(begins.into_iter().chain(ends));
    }
    let mut text = format!("{rows}\n");
    for source in &health.sources {
        for problem in &source.problems {
            let word = coloured(problem.state());
            text += &format!("{word} {}: {problem}\n      hint: {}\n", source.source, problem.hint());
        }
    }
    text
}

/// The state of a problem, as wide as its hint is indented.
fn coloured(state: State) -> String {
    match state {
        State::Good | State::Waiting => state.word().green().to_string(),
        State::Suspect | State::Failing => state.word().yellow().to_string(),
        State::Overdue | State::Unprotected => state.word().red().bold().to_string(),
    }
}

/// `12m 5s ago (30m 0s allowed)`
fn recovery_point(source: &SourceHealth) -> String {
    let age = source.age.map_or("none".to_owned(), |age| format!("{} ago", spoken(age)));
    let allowed = source.objectives.recovery_point;
    age + &allowed.map_or(String::new(), |allowed| format!(" ({} allowed)", spoken(allowed)))
}

/// `offsite lapses in 34d 3h`
fn lock(vault: &VaultHealth) -> String {
    let says = match (&vault.last_good, vault.lapses_in) {
        (None, _) => "holds nothing good".to_owned(),
        (Some(_), None) => "is not locked".to_owned(),
        (Some(_), Some(left)) if left.is_zero() => "HAS LAPSED".to_owned(),
        (Some(_), Some(left)) => format!("lapses in {}", spoken(left)),
    };
    let failing = if vault.failing.is_some() { ", FAILING" } else { "" };
    format!("{} {says}{failing}", vault.vault)
}

fn last_run(source: &SourceHealth, now: Timestamp) -> String {
    let end = source.last_run.as_ref().and_then(|run| run.ended.as_ref());
    let last = end.map_or("never".to_owned(), |end| format!("{}, {}", end.outcome, relative(end.at.min(now), now)));
    let running = source.running_since.map(|since| format!("running since {}", whole_second(since)));
    running.map_or(last.clone(), |running| format!("{last}\n{running}"))
}

fn next_run(source: &SourceHealth, now: Timestamp) -> String {
    source.next_run_at.map_or("when asked".to_owned(), |at| relative(at, now))
}

/// `proven     7h 2m ago`: how old the data is that has come so far.
fn ladder(source: &SourceHealth, now: Timestamp) -> String {
    let Ladder { sealed, confirmed, proven } = &source.rung;
    let rungs = Rung::ALL.into_iter().zip([sealed, confirmed, proven]);
    let known = rungs.filter(|(rung, _)| *rung != Rung::Proven || source.drills.is_some());
    // A vault that no watcher looked into from here may have been confirmed elsewhere, or by hand.
    let watched = source.vaults.iter().filter_map(|vault| vault.watched.as_ref());
    let looked = watched.into_iter().any(|watched| watched.confirmed_at.is_some() || watched.unverified.is_some());
    let none = |rung| if rung == Rung::Confirmed && !looked { "not known here" } else { "never" };
    let line = |(rung, step): (Rung, &Option<LadderStep>)| {
        let age = step.as_ref().map_or(none(rung).to_owned(), |step| relative(step.snapshot_at.min(now), now));
        format!("{:<9} {age}", rung.word())
    };
    known.map(line).collect::<Vec<_>>().join("\n")
}

fn last_drill(source: &SourceHealth, now: Timestamp) -> String {
    let Some(drills) = &source.drills else { return "not known here".to_owned() };
    let last = drills.last.as_ref().map_or("never".to_owned(), |last| {
        format!("{}, {} (took {})", last.outcome.word(), relative(last.ended_at.min(now), now), spoken(last.took()))
    });
    let next = drills.next_at.map(|at| format!("\nnext {}", relative(at, now))).unwrap_or_default();
    last + &next
}

fn relative(at: Timestamp, now: Timestamp) -> String {
    let ago = now.duration_since(at);
    if ago.is_negative() { format!("in {}", spoken(-ago)) } else { format!("{} ago", spoken(ago)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::SignedDuration,
        health::{DrillFacts, Facts, Objectives, SealedFacts, VaultFacts, VaultWatched, judge},
        layout::BackupId,
        manifest::LockMode,
        run::{Bytes, End, Outcome, Phase, Record, Trigger},
    };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn facts(name: &str) -> Facts {
        let vault = |vault: &str| VaultFacts {
            vault: vault.to_owned(),
            every: None,
            last_sealed: None,
            last_good: None,
            failing: None,
            watched: None,
        };
        Facts {
            source: name.parse().unwrap(),
            objectives: Objectives { recovery_point: Some(SignedDuration::from_mins(30)), ..Objectives::default() },
            needed: 1,
            expected_since: at("2026-11-21T11:50:00Z"),
            vaults: vec![vault("offsite"), vault("archive")],
            last_run: None,
            running_since: None,
            next_run_at: None,
            suspicions: Vec::new(),
            drills: None,
        }
    }

    fn backed_up() -> Facts {
        let snapshot_at = at("2026-11-21T11:00:00Z");
        let sealed = SealedFacts {
            backup: BackupId::new(snapshot_at, [0; 4]),
            snapshot_at,
            sealed_at: snapshot_at,
            lock: LockMode::Compliance,
            locked_until: Some(at("2026-12-25T15:00:00Z")),
            packed_bytes: 5,
        };
        let mut facts = facts("app");
        facts.vaults[0].last_sealed = Some(sealed.clone());
        facts.vaults[0].last_good = Some(sealed);
        facts.vaults[1].failing = Some("denied".into());
        let end = End {
            at: at("2026-11-21T11:01:00Z"),
            outcome: Outcome::SomeFailed,
            why: None,
            bytes: Bytes::default(),
            rows: 1,
            tables: 1,
            segments: 1,
        };
        let (source, started_at) = (facts.source.clone(), snapshot_at);
        let ended = Some(end);
        let (trigger, phase) = (Trigger::First, Phase::Sealing);
        facts.last_run = Some(Record { source, backup: None, trigger, started_at, phase, ended });
        facts.next_run_at = Some(at("2026-11-21T12:15:00Z"));
        facts
    }

    #[test]
    fn who_watches_sees_the_ladder_and_the_last_drill() {
        let mut facts = backed_up();
        facts.vaults.truncate(1);
        let (last_confirmed, confirmed_at) = (facts.vaults[0].last_good.clone(), Some(at("2026-11-21T11:59:00Z")));
        facts.vaults[0].watched = Some(VaultWatched { last_confirmed, confirmed_at, ..VaultWatched::default() });
        (facts.last_run, facts.next_run_at, facts.objectives) = (None, None, Objectives::default());
        let health = judge(at("2026-11-21T12:00:00Z"), &[facts.clone()]);
        let expected = r" SOURCE  STATE  RECOVERY POINT  PROTECTED     LOCKS                     LADDER              LAST DRILL
 app     good   1h 0m ago       1 (1 needed)  offsite lapses in 34d 3h  sealed    1h 0m ago not known here
                                                                        confirmed 1h 0m ago";
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&plain(&text(&health))), squeezed(expected));
        facts.vaults[0].watched = Some(VaultWatched::default());
        let unwatched = plain(&text(&judge(at("2026-11-21T12:00:00Z"), &[facts.clone()])));
        assert!(unwatched.contains("confirmed not known here"), "{unwatched}");
        facts.drills = Some(DrillFacts {
            expected_since: at("2026-11-21T11:00:00Z"),
            last: None,
            last_passed: None,
            failed: None,
            stuck_since: None,
            running_since: None,
            next_at: Some(at("2026-11-21T13:00:00Z")),
            disk: None,
        });
        let text = plain(&text(&judge(at("2026-11-21T12:00:00Z"), &[facts])));
        for words in ["proven    never", "never\n", "next in 1h 0m"] {
            assert!(text.contains(words), "{text}");
        }
    }

    fn plain(text: &str) -> String {
        let lines = anstream::adapter::strip_str(text).to_string();
        lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn one_screen_tells_of_points_locks_runs_and_problems() {
        let health = judge(at("2026-11-21T12:00:00Z"), &[facts("new"), backed_up()]);
        let expected = r" SOURCE  STATE    RECOVERY POINT              PROTECTED     LOCKS                                LAST RUN                 NEXT RUN
 new     waiting  none (30m 0s allowed)       0 (1 needed)  offsite holds nothing good           never                    when asked
                                                            archive holds nothing good
 app     overdue  1h 0m ago (30m 0s allowed)  1 (1 needed)  offsite lapses in 34d 3h             some-failed, 59m 0s ago  in 15m 0s
                                                            archive holds nothing good, FAILING
overdue app: the recovery point is 1h 0m old, and 30m 0s is allowed
      hint: On the backup host `strongroom check` finds what is in its way, and `strongroom history` says what became of each run.
failing app: nothing arrives in vault `archive`: denied
      hint: `strongroom check` asks the vault what is wrong.";
        assert_eq!(plain(&text(&health)), expected);
    }
}
