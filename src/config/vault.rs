//! vault: reads one `[[vault]]`.

use super::{
    bucket, credentials,
    origin::Origins,
    place::Place,
    plan::Role,
    table::{Found, Table},
};
use crate::{
    clock::{SignedDuration, spoken},
    layout::{BadName, is_name},
    term::{DAYS_UNASKED_MAX, Term, parse_span},
    vault::{S3Credentials, S3Settings, VaultAddress, VaultSettings},
};

/// A vault that was read, and where its name and address stand, for what only all vaults together can get wrong.
pub struct Read<'n> {
    pub settings: VaultSettings,
    /// The same, as whom reports of drills are deposited there.
    pub reporter: Option<VaultSettings>,
    pub name: Found<'n, ()>,
    pub url: Found<'n, ()>,
}

pub fn read<'n>(mut table: Table<'n, '_>, role: Option<Role>, origins: Origins) -> Option<Read<'n>> {
    for key in ["access_key_id", "secret_access_key", "session_token"] {
        table.forbid(
            key,
            format!("`{key}` is written into the configuration, where no secret may be"),
            "Put access_key_id and secret_access_key into a file that only its owner can read (chmod 600), \
             and write credentials = { file = \"keys/ROLE.toml\" }.",
        );
    }
    let name = table.required("name", Found::text);
    let named = name.as_ref().and_then(|name| name.parse(read_name));
    let url = table.required("url", Found::text);
    let place = url.as_ref().and_then(|url| url.parse(str::parse::<Place>));
    let address = match place {
        Some(Place::Directory(path)) => {
            bucket::refuse(&mut table);
            Some(VaultAddress::Directory(path))
        }
        Some(Place::Bucket { bucket, prefix }) => {
            bucket::read(&mut table, bucket, prefix, origins).map(|settings| VaultAddress::S3(Box::new(settings)))
        }
        None if url.as_ref().is_some_and(|url| url.value.starts_with("file:")) => {
            bucket::refuse(&mut table);
            None
        }
        // The other keys are read for their own mistakes, as those of the usual kind.
        None => bucket::read(&mut table, String::new(), String::new(), origins).and(None),
    };
    let term = read_term(&mut table);
    let slack = table.optional("slack", |found| read_slack(&found.text()?, term));
    let reporting = read_reporting(&mut table, role, origins);
    table.finish();
    let term = term?;
    let slack = slack?.unwrap_or(term.span() / SLACK_UNASKED);
    let settings = VaultSettings { name: named?, address: address?, term, slack };
    let reporter = reporter(&settings, reporting?, &url.as_ref()?.place())?;
    Some(Read { settings, reporter, name: name?.place(), url: url?.place() })
}

/// How reports of drills are deposited in a vault, as its table says.
enum Reporting {
    No,
    /// A directory needs no credential.
    Yes,
    As(Box<S3Credentials>),
}

fn read_reporting(table: &mut Table, role: Option<Role>, origins: Origins) -> Option<Reporting> {
    if let Some(Role::Depositor | Role::Inspector) = role {
        for key in ["report_credentials", "deposit_reports"] {
            let hint = "It belongs into the restorer's configuration.";
            table.forbid(key, format!("only the restorer has reports to deposit: no `{key}` here"), hint);
        }
        return Some(Reporting::No);
    }
    let credentials = table.optional("report_credentials", |found| credentials::read(found, origins));
    let asked = table.optional("deposit_reports", Found::flag);
    Some(match (credentials?, asked?.is_some_and(|asked| asked.value)) {
        (Some(credentials), _) => Reporting::As(Box::new(credentials)),
        (None, true) => Reporting::Yes,
        (None, false) => Reporting::No,
    })
}

/// Refuses what does not fit the vault's kind: the restorer's own credential may not deposit.
fn reporter(settings: &VaultSettings, reporting: Reporting, url: &Found<()>) -> Option<Option<VaultSettings>> {
    let address = match (&settings.address, reporting) {
        (_, Reporting::No) => return Some(None),
        (VaultAddress::Directory(path), Reporting::Yes) => VaultAddress::Directory(path.clone()),
        (VaultAddress::S3(s3), Reporting::As(credentials)) => {
            VaultAddress::S3(Box::new(S3Settings { credentials: *credentials, ..(**s3).clone() }))
        }
        (VaultAddress::Directory(_), Reporting::As(_)) => {
            return url.refuse(
                "`report_credentials` is for s3:// vaults; this one is a directory",
                "Write deposit_reports = true.",
            );
        }
        (VaultAddress::S3(_), Reporting::Yes) => {
            return url.refuse(
                "`deposit_reports` is for directories; this vault needs `report_credentials`",
                "Give an access key that may only put below v1/*/drills/ (policies/reporter.json).",
            );
        }
    };
    Some(Some(VaultSettings { address, ..settings.clone() }))
}

/// A fifth of the term: unchanged data is sent five times in a term, and a lock is never far from the whole of it.
const SLACK_UNASKED: i32 = 5;

fn read_slack(found: &Found<String>, term: Option<Term>) -> Option<SignedDuration> {
    let slack = found.parse(parse_span)?;
    let term = term?;
    if slack >= term.span() {
        let message = format!("a slack of {} is not shorter than the term of {term}", spoken(slack));
        return found.refuse(&message, "A fifth of the term is the default.");
    }
    Some(slack)
}

pub fn read_name(text: &str) -> Result<String, BadName> {
    if is_name(text) { Ok(text.to_owned()) } else { Err(BadName(text.to_owned())) }
}

fn read_term(table: &mut Table) -> Option<Term> {
    let confirmed = table.optional("i_understand_nobody_can_undo_this", Found::flag);
    let found = table.required("term", Found::text)?;
    let term = found.parse(str::parse::<Term>)?;
    if term.days() > DAYS_UNASKED_MAX && !confirmed?.is_some_and(|confirmed| confirmed.value) {
        let hint = "Nobody, the storage operator's support included, can shorten it. If that is meant, write \
                    i_understand_nobody_can_undo_this = true beside it.";
        found.wrong(format!("a term of {term} is longer than {DAYS_UNASKED_MAX} days"), Some(hint.to_owned()));
        return None;
    }
    Some(term)
}
