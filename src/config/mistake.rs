//! mistake: what is wrong in a configuration, where, and what to write instead; all of it, in one report.

use crate::failure::{Explain, Kind};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

/// One thing to mend; `message` never repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Both from 1, as editors count; columns in characters.
    pub line: usize,
    pub column: usize,
    pub message: String,
    pub hint: Option<String>,
}

#[derive(Debug)]
pub enum BadConfig {
    Unreadable {
        file: PathBuf,
        source: io::Error,
    },
    /// In the order of the file.
    Mistakes {
        file: PathBuf,
        mistakes: Vec<Mistake>,
    },
}

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, .. } => write!(f, "cannot read the configuration {}", file.display()),
            Self::Mistakes { file, mistakes } => {
                for (index, Mistake { line, column, message, hint }) in mistakes.iter().enumerate() {
                    let newline = if index == 0 { "" } else { "\n" };
                    write!(f, "{newline}{}:{line}:{column}: {message}", file.display())?;
                    hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))?;
                }
                Ok(())
            }
        }
    }
}

impl Error for BadConfig {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Mistakes { .. } => None,
        }
    }
}

impl Explain for BadConfig {
    fn kind(&self) -> Kind {
        Kind::Settings
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => {
                Some("Say where it is with -c FILE, or make one with `strongroom init DIR`.".to_owned())
            }
            // Each mistake has its own.
            Self::Mistakes { .. } => None,
        }
    }
}

/// What is noted while one file is read: its mistakes by byte offset, and every key that was asked for.
#[derive(Default)]
pub struct Notes {
    mistakes: RefCell<Vec<(usize, String, Option<String>)>>,
    asked: RefCell<BTreeSet<String>>,
}

impl Notes {
    pub fn add(&self, at: usize, message: impl Into<String>, hint: Option<String>) {
        self.mistakes.borrow_mut().push((at, message.into(), hint));
    }

    /// Notes that `key` of `section` is one that the reader knows.
    pub fn asked_for(&self, section: &str, key: &str) {
        self.asked.borrow_mut().insert(format!("{section}.{key}"));
    }

    #[cfg(test)]
    pub fn keys_asked_for(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    /// `read`, if nothing was wrong with it.
    pub fn conclude<T>(self, file: &Path, text: &str, read: Option<T>) -> Result<T, BadConfig> {
        let mut found = self.mistakes.into_inner();
        match read {
            Some(read) if found.is_empty() => Ok(read),
            _ => {
                found.sort_by_key(|(at, ..)| *at);
                let mistakes = found.into_iter().map(|(at, message, hint)| {
                    let (line, column) = position(text, at);
                    Mistake { line, column, message, hint }
                });
                Err(BadConfig::Mistakes { file: file.to_owned(), mistakes: mistakes.collect() })
            }
        }
    }
}

pub fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// An error and its causes on one line.
pub fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

/// What a user wrote, as a message may repeat it.
pub fn shown(text: &str) -> String {
    if could_hold_secret(text) { "what is written here".to_owned() } else { format!("`{text}`") }
}

/// `message` without `text`, where that could hold a secret.
pub fn without(text: &str, message: String) -> String {
    if could_hold_secret(text) { message.replace(text, "(not shown)") } else { message }
}

fn could_hold_secret(text: &str) -> bool {
    text.chars().count() > 40 || text.contains('@') || find_identity(text).is_some()
}

/// Where an age identity begins in `text`; Bech32 allows upper and lower case.
pub fn find_identity(text: &str) -> Option<usize> {
    text.to_ascii_uppercase().find("AGE-SECRET-KEY-")
}
