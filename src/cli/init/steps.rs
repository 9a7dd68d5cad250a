//! steps: what is left to do after `init`, in the order in which to do it.

use super::{
    REPORTER,
    answers::{Answers, NewSource},
};
use crate::config::Role;
use std::{collections::BTreeSet, path::Path};

pub fn text(dir: &Path, answers: &Answers) -> String {
    let dir = dir.display();
    let mut steps = vec![format!(
        "Move {dir}/keys/recovery.key off this machine: on paper, or on two media in two places. It opens every\n\
         backup when all else is lost, and nobody can make it again."
    )];
    if answers.buckets().next().is_some() {
        steps.push(format!(
            "Let the custodian run {dir}/policies/custodian.sh once, make four users with one policy each\n\
             ({dir}/policies/ROLE.json; reporter is the drill host's second one), and park the credentials that did it. Fill in the access keys:\n{}",
            credentials(dir.to_string(), answers)
        ));
    }
    steps.extend(roles(answers));
    if answers.sources.iter().any(NewSource::over_tcp) {
        let files = answers.sources.iter().filter(|source| source.over_tcp());
        let files: Vec<_> = files.map(|source| format!("  {dir}/{}", source.password_file())).collect();
        steps.push(format!("Write the database's password, and nothing else, into:\n{}", files.join("\n")));
    }
    steps.push(format!(
        "Take what belongs elsewhere there, and away from here:\n\
         \x20 backup host   depositor.toml, keys/: recipients.txt signing.key digest.key{}\n\
         \x20 inspector     inspector.toml, keys/: signing.pub report.pub{}\n\
         \x20 drill host    restorer.toml, keys/: signing.pub drill.key report.key{}\n\
         On one machine all may stay side by side, for as long as you only try it out.",
        if answers.buckets().next().is_some() { " depositor*.toml, *.password" } else { " *.password" },
        if answers.buckets().next().is_some() { " inspector*.toml" } else { "" },
        if answers.buckets().next().is_some() { " restorer*.toml reporter*.toml" } else { "" },
    ));
    steps.push(format!(
        "Look whether all is well, and make the first backup:\n\
         \x20 strongroom -c {dir}/depositor.toml check\n  strongroom -c {dir}/depositor.toml backup"
    ));
    steps.push(format!(
        "Have it watched from elsewhere, and proven by restores; and print the page for the day on which you need it:\n\
         \x20 strongroom -c inspector.toml watch     on the inspector's host\n\
         \x20 strongroom -c restorer.toml watch      on the drill host\n\
         \x20 strongroom -c {dir}/depositor.toml runbook --output runbook.md"
    ));
    let numbered =
        steps.iter().enumerate().map(|(index, step)| format!("{}. {}\n", index + 1, step.replace('\n', "\n   ")));
    format!("{dir} is ready. What is left to do:\n\n{}", numbered.collect::<Vec<_>>().join("\n"))
}

fn credentials(dir: String, answers: &Answers) -> String {
    let holders = Role::ALL.map(Role::name).into_iter().chain([REPORTER]);
    let files = holders.flat_map(|holder| answers.buckets().map(move |vault| (holder, vault)));
    files
        .map(|(holder, vault)| format!("  {dir}/{}", answers.credentials_file(holder, vault)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// One step for each role of PostgreSQL that the addresses name.
fn roles(answers: &Answers) -> Vec<String> {
    let users: BTreeSet<_> =
        answers.sources.iter().map(|source| (source.address.user.as_str(), source.over_tcp())).collect();
    let step = |(user, over_tcp): (&str, bool)| {
        let user = identifier(user);
        let password = if over_tcp { format!("\n  \\password {user}") } else { String::new() };
        format!(
            "Make the role in PostgreSQL, as a superuser. It reads everything and changes nothing. (Large\n   objects of other owners it cannot read: `backup` then says so, with a GRANT for each.)\n\
             \x20 CREATE ROLE {user} LOGIN BYPASSRLS;\n  GRANT pg_read_all_data TO {user};{password}"
        )
    };
    users.into_iter().map(step).collect()
}

/// A name as SQL: quoted where it has to be.
fn identifier(name: &str) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
