//! runbook: the incident page of one configuration, for a person at three in the morning: what is where, who holds
//! which key, and each command with its real names. Pure: facts in, Markdown out.
//!
//! No role knows all: what is not known here, the page says on whose host it is.

mod by_hand;
mod commands;
mod first;
mod holders;
mod places;

use crate::{
    clock::Timestamp,
    config::{Plan, Role, Whence},
    keyring::VerifyingKey,
};
use std::path::Path;

/// What a page is made of.
pub struct Facts<'a> {
    pub plan: &'a Plan,
    pub whence: &'a Whence,
    /// The configuration's own file, absolute.
    pub config: &'a Path,
    /// Of signatures, which every role knows or can derive.
    pub verifying: &'a VerifyingKey,
    /// Age public keys that backups are encrypted to, as far as they are known here.
    pub recipients: &'a [String],
    pub host: &'a str,
    pub at: Timestamp,
}

/// The page, as Markdown.
pub fn page(facts: &Facts) -> String {
    let sections = [
        head(facts),
        first::section(facts),
        places::section(facts),
        holders::section(facts),
        commands::section(facts),
        by_hand::section(facts),
        by_hand::hidden(facts),
        LEFT_OUT.to_owned(),
    ];
    sections.join("\n")
}

fn head(facts: &Facts) -> String {
    let Facts { config, host, .. } = facts;
    let (role, version) = (facts.plan.role(), env!("CARGO_PKG_VERSION"));
    let at = facts.at.strftime("%Y-%m-%d %H:%M UTC");
    let sources: Vec<_> = facts.plan.sources.iter().map(|source| format!("`{}`", source.name)).collect();
    format!(
        "# Runbook: get {} back\n\n\
         Written {at} by `strongroom runbook` {version} on `{host}`, from `{}`, the {role}'s configuration. It holds no \
         secret. Print it, and keep it where you can read it when that host is gone. After a change of the \
         configuration, write it again.\n",
        sources.join(", "),
        config.display()
    )
}

impl Facts<'_> {
    fn role(&self) -> Role {
        self.plan.role()
    }

    /// The configuration of `role` as a command names it: this one, or the one that `init` wrote beside it.
    fn config_of(&self, role: Role) -> String {
        if role == self.role() {
            return shell(&self.config.display().to_string());
        }
        shell(&self.config.with_file_name(format!("{role}.toml")).display().to_string())
    }

    /// The origin of a key of [keys]: this configuration's words where the key is this role's, else what `init` names it.
    fn origin(&self, holder: Role, key: &str, by_init: &str) -> String {
        let own = self.whence.key(key).filter(|_| holder == self.role());
        own.unwrap_or_else(|| format!("`{by_init}` of `init`"))
    }
}

/// A word of a command line, quoted where it has to be.
fn shell(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-:@%+=,".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A table's row; no cell may end it.
fn row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

const LEFT_OUT: &str = "\
## 8. What is in no backup

- What was written after the backup's snapshot. Ask the applications what they still have: queues, logs, mails.
- Other databases of the server. Passwords of roles, unless the role that backs up may read them. Rows of foreign tables.
- Servers, DNS, object stores and volumes of the application.

When all is well again: write down what happened and when, take a backup, give everybody new credentials, and write this
page again.
";

#[cfg(test)]
mod tests {
    use super::shell;

    #[test]
    fn a_word_reaches_the_shell_as_it_is() {
        assert_eq!(shell("/etc/strongroom/a.toml"), "/etc/strongroom/a.toml");
        assert_eq!(shell("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell(""), "''");
    }
}
