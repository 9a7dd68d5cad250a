//! verdict: what an error on the way says of the backup: that it failed, or nothing at all.

use crate::{
    clock::spoken,
    failure::{Explain, Kind, with_causes},
    restore::RestoreError,
    role::RoleError,
    source::{child::ChildError, postgres::PostgresError},
};
use std::time::Duration;

/// Why a drill did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The backup does not restore, or not to what was backed up.
    Failed(Vec<String>),
    /// Something else was in the way.
    CouldNotRun { reason: String, hint: Option<String> },
}

impl Stop {
    pub fn in_the_way(error: &dyn Explain) -> Self {
        Self::CouldNotRun { reason: told(error), hint: error.hint() }
    }

    pub fn deadline(deadline: Duration) -> Self {
        let deadline = spoken(deadline.try_into().unwrap_or(jiff::SignedDuration::MAX));
        Self::CouldNotRun {
            reason: format!("it was not done within its deadline of {deadline}"),
            hint: Some("Give the drill more time with `deadline` in [drill], or a faster machine.".into()),
        }
    }
}

/// Bytes that are not what was deposited are the backup's fault; a vault that does not answer, or a key that does not
/// open, says nothing of it.
impl From<RoleError> for Stop {
    fn from(error: RoleError) -> Self {
        match error.kind() {
            Kind::Mismatch => Self::Failed(vec![with_causes(&error)]),
            _ => Self::in_the_way(&error),
        }
    }
}

impl From<PostgresError> for Stop {
    fn from(error: PostgresError) -> Self {
        if lacks(&error, &SOFTWARE) {
            let hint = "Install on the drill's host what production has: libraries, extensions, locales.";
            return Self::CouldNotRun { reason: told(&error), hint: Some(hint.to_owned()) };
        }
        if is_of_the_backup(&error) { Self::Failed(vec![told(&error)]) } else { Self::in_the_way(&error) }
    }
}

impl From<RestoreError> for Stop {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Vault(error) => error.into(),
            RestoreError::Target(error) => error.into(),
            RestoreError::Differs { differences, .. } => Self::Failed(differences),
            RestoreError::Incomplete { step, source, .. } => Self::from(*source).at(step),
            RestoreError::Suspect { .. } | RestoreError::Machine { .. } => Self::in_the_way(&error),
        }
    }
}

impl Stop {
    fn at(self, step: &str) -> Self {
        match self {
            Self::Failed(differences) => {
                let told = |difference: String| format!("restoring {step}: {difference}");
                Self::Failed(differences.into_iter().map(told).collect())
            }
            Self::CouldNotRun { reason, hint } => {
                Self::CouldNotRun { reason: format!("restoring {step}: {reason}"), hint }
            }
        }
    }
}

/// An error with its causes, without the rows that PostgreSQL quotes: a report is plain text in a vault, on pages and in
/// alerts.
fn told(error: &dyn Explain) -> String {
    without_rows(&with_causes(error))
}

/// `DETAIL:  Key (email)=(...) is duplicated.`, `CONTEXT:  COPY people, line 1: "..."`, to where something else begins.
fn without_rows(text: &str) -> String {
    const QUOTING: [&str; 2] = ["DETAIL:", "CONTEXT:"];
    const ELSE: [&str; 4] = ["HINT:", "Command was:", "pg_restore:", "psql:"];
    let begins = |part: &str, heads: &[&str]| heads.iter().any(|head| part.starts_with(head));
    let mut quoted = false;
    let kept = text.split("; ").filter(|part| {
        quoted = begins(part, &QUOTING) || (quoted && !begins(part, &ELSE));
        !quoted
    });
    kept.collect::<Vec<_>>().join("; ")
}

/// What the server's machine lacks, and what passes, is not the backup's fault; what PostgreSQL itself refuses in the
/// backup is.
fn is_of_the_backup(error: &PostgresError) -> bool {
    let of_the_machine = error.may_pass() || lacks(error, &ROOM);
    let of_the_backup = matches!(
        error,
        PostgresError::Query { .. }
            | PostgresError::Child(ChildError::Failed { .. })
            | PostgresError::ClaimBroken { .. }
            | PostgresError::Load { .. }
            | PostgresError::Script { .. }
            | PostgresError::MissingRoles(_)
    );
    of_the_backup && !of_the_machine
}

/// As the server and the kernel say it, in a child's words, too.
const ROOM: [&str; 4] =
    ["No space left on device", "Disk quota exceeded", "out of memory", "could not resize shared memory"];
/// Of functions in C, extensions, and collations of the system.
const SOFTWARE: [&str; 5] = [
    "could not access file",
    "could not load library",
    "could not open extension control file",
    "invalid locale name",
    "could not create locale",
];

fn lacks(error: &PostgresError, words: &[&str]) -> bool {
    let text = with_causes(error);
    words.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::VaultError;

    fn failed(error: impl Into<Stop>) -> bool {
        matches!(error.into(), Stop::Failed(_))
    }

    fn damaged() -> RoleError {
        RoleError::Damaged { vault: "v".into(), object: "o".into(), why: "is not what was deposited".into() }
    }

    #[test]
    fn damage_fails_and_absence_of_the_vault_does_not() {
        assert!(failed(damaged()));
        let gone = VaultError::Unreachable { vault: "v".into(), endpoint: "e".into(), why: "refused".into() };
        assert!(!failed(RoleError::from(gone)));
        let denied = VaultError::Denied { vault: "v".into(), action: "download", key: "k".into(), why: "no".into() };
        assert!(!failed(RoleError::from(denied)));
    }

    #[test]
    fn what_the_server_refuses_fails_and_what_it_lacks_does_not() {
        let load = |why: &str| PostgresError::Load { object: "public.t".into(), why: why.into() };
        assert!(failed(load("invalid byte sequence")));
        assert!(!failed(load("could not extend file: No space left on device")));
        assert!(!failed(load("could not access file \"$libdir/postgis-3\": No such file or directory")));
        let query = |state: &str| PostgresError::Query {
            step: "comparing".into(),
            why: "said so".into(),
            state: Some(tokio_postgres::error::SqlState::from_code(state)),
        };
        assert!(failed(query("42P01")));
        assert!(!failed(query("53100")));
        assert!(!failed(query("57P01")));
        assert!(!failed(PostgresError::NoClient { program: "pg_dump", major: 18, searched: Vec::new() }));
    }

    #[test]
    fn no_row_is_in_what_a_report_says() {
        let said = "pg_restore: error: could not execute query: ERROR:  could not create unique index \"one\"; \
                    DETAIL:  Key (email)=(alice; bob) is duplicated.; Command was: CREATE UNIQUE INDEX one;; ; \
                    pg_restore: error: COPY failed: ERROR:  no; CONTEXT:  COPY people, line 1: \"carol\"";
        let left = "pg_restore: error: could not execute query: ERROR:  could not create unique index \"one\"; \
                    Command was: CREATE UNIQUE INDEX one;; ; pg_restore: error: COPY failed: ERROR:  no";
        assert_eq!(without_rows(said), left);
        let load = PostgresError::Load { object: "people".into(), why: "refused; DETAIL:  Failing row: dave".into() };
        assert_eq!(Stop::from(load), Stop::Failed(vec!["loading people: refused".into()]));
    }

    #[test]
    fn a_step_that_failed_is_named() {
        let error = RestoreError::Incomplete {
            database: "d".into(),
            step: "rows",
            source: Box::new(RestoreError::Vault(damaged())),
        };
        let Stop::Failed(differences) = Stop::from(error) else { panic!("damage fails") };
        assert_eq!(differences, ["restoring rows: vault `v`: `o` is not what was deposited"]);
    }
}
