//! table: one table of the file, whose keys are taken by name; a key that nobody took is unknown.

use super::mistake::{Notes, shown, without};
use std::{fmt, ops::RangeInclusive};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A table that is being read.
pub struct Table<'n, 'i> {
    notes: &'n Notes,
    /// As a message names it: `[[vault]]`.
    section: &'static str,
    /// Where it begins, for what it lacks.
    at: usize,
    entries: DeTable<'i>,
    known: Vec<&'static str>,
}

/// A key's value, or what was made of it, and where it stands. Turning it into something narrower either
/// succeeds or notes a mistake: `None` means "noted".
pub struct Found<'n, T> {
    notes: &'n Notes,
    pub key: &'static str,
    key_at: usize,
    at: usize,
    pub value: T,
}

impl<'n, 'i> Table<'n, 'i> {
    pub fn new(notes: &'n Notes, section: &'static str, at: usize, entries: DeTable<'i>) -> Self {
        Self { notes, section, at, entries, known: Vec::new() }
    }

    /// What `read` makes of `key`, whose absence is a mistake.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Found<'n, DeValue<'i>>) -> Option<T>,
    ) -> Option<T> {
        let found = self.take(key);
        if found.is_none() {
            self.lacks(key);
        }
        read(found?)
    }

    /// What `read` makes of `key`: `Some(None)` where the file does not have it.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Found<'n, DeValue<'i>>) -> Option<T>,
    ) -> Option<Option<T>> {
        self.take(key).map_or(Some(None), |found| read(found).map(Some))
    }

    /// The value of `key`, unread, if the file has it.
    pub fn take(&mut self, key: &'static str) -> Option<Found<'n, DeValue<'i>>> {
        self.notes.asked_for(self.section, key);
        self.known.push(key);
        self.remove(key)
    }

    /// Refuses a key that belongs elsewhere, with the reason: it is no unknown key, and no known one either.
    pub fn forbid(&mut self, key: &'static str, reason: impl Into<String>, hint: &str) {
        if let Some(found) = self.remove(key) {
            self.notes.add(found.key_at, reason, Some(hint.to_owned()));
        }
    }

    fn lacks(&self, key: &str) {
        let place = if self.section.is_empty() { "the configuration" } else { self.section };
        self.notes.add(self.at, format!("`{key}` is missing in {place}"), None);
    }

    /// Whatever is left now is unknown.
    pub fn finish(self) {
        for (key, _) in self.entries {
            let hint = nearest(key.get_ref(), &self.known).map(|known| format!("Did you mean `{known}`?"));
            self.notes.add(key.span().start, format!("unknown key {}", shown(key.get_ref())), hint);
        }
    }

    fn remove(&mut self, key: &'static str) -> Option<Found<'n, DeValue<'i>>> {
        let (name, value) = self.entries.remove_entry(key)?;
        let (key_at, at) = (name.span().start, value.span().start);
        Some(Found { notes: self.notes, key, key_at, at, value: value.into_inner() })
    }
}

impl<'n, T> Found<'n, T> {
    pub fn wrong(&self, message: impl Into<String>, hint: Option<String>) {
        self.notes.add(self.at, message, hint);
    }

    /// Notes the mistake, and is what a reader then returns.
    pub fn refuse<U>(&self, message: &str, hint: &str) -> Option<U> {
        self.wrong(message, Some(hint.to_owned()));
        None
    }

    pub fn place(&self) -> Found<'n, ()> {
        self.with(())
    }

    /// The same place with another value.
    pub fn with<U>(&self, value: U) -> Found<'n, U> {
        Found { notes: self.notes, key: self.key, key_at: self.key_at, at: self.at, value }
    }
}

impl<'n, 'i> Found<'n, DeValue<'i>> {
    pub fn text(self) -> Option<Found<'n, String>> {
        self.narrow("a string", |value| match value {
            DeValue::String(text) => Ok(text.into_owned()),
            other => Err(other),
        })
    }

    pub fn flag(self) -> Option<Found<'n, bool>> {
        self.narrow("true or false", |value| value.as_bool().ok_or(value))
    }

    pub fn number(self, range: RangeInclusive<usize>) -> Option<Found<'n, usize>> {
        self.narrow(&format!("a whole number from {} to {}", range.start(), range.end()), |value| {
            let number = value.as_integer().map(|number| usize::from_str_radix(number.as_str(), number.radix()));
            number.and_then(Result::ok).filter(|number| range.contains(number)).ok_or(value)
        })
    }

    pub fn list(self) -> Option<Vec<Found<'n, DeValue<'i>>>> {
        let Found { notes, key, key_at, value, .. } = self.narrow("a list", |value| match value {
            DeValue::Array(items) => Ok(items),
            other => Err(other),
        })?;
        let items = value.into_iter();
        let found = |item: Spanned<_>| Found { notes, key, key_at, at: item.span().start, value: item.into_inner() };
        Some(items.map(found).collect())
    }

    /// A list of strings; the first that is none is noted.
    pub fn texts(self) -> Option<Vec<Found<'n, String>>> {
        self.list()?.into_iter().map(Found::text).collect()
    }

    pub fn table(self, section: &'static str) -> Option<Table<'n, 'i>> {
        let found = self.narrow("a table", |value| match value {
            DeValue::Table(entries) => Ok(entries),
            other => Err(other),
        })?;
        Some(Table::new(found.notes, section, found.at, found.value))
    }

    fn narrow<T>(
        self,
        expected: &str,
        narrow: impl FnOnce(DeValue<'i>) -> Result<T, DeValue<'i>>,
    ) -> Option<Found<'n, T>> {
        let Self { notes, key, key_at, at, value } = self;
        match narrow(value) {
            Ok(value) => Some(Found { notes, key, key_at, at, value }),
            Err(value) => Found { notes, key, key_at, at, value }.not(expected),
        }
    }

    /// Notes that the value is not `expected`.
    fn not<T>(&self, expected: &str) -> Option<T> {
        let found = match &self.value {
            DeValue::Integer(number) => format!("{number}"),
            DeValue::Boolean(flag) => format!("{flag}"),
            other => format!("a {}", other.type_str()),
        };
        self.wrong(format!("`{}` must be {expected}, not {found}", self.key), None);
        None
    }
}

impl<'n> Found<'n, String> {
    /// What `parse` makes of the text; its error is the mistake.
    pub fn parse<T, E: fmt::Display>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match parse(&self.value) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.wrong(format!("`{}`: {}", self.key, without(&self.value, error.to_string())), None);
                None
            }
        }
    }
}

/// The known word that `word` most likely was meant to be.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let distances = known.iter().map(|known| (edits(word, known), *known));
    distances.min().filter(|(edits, known)| *edits <= (known.len() / 3).max(1)).map(|(_, known)| known)
}

/// Levenshtein's distance: insertions, deletions and replacements of one character.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.chars().count()]
}
