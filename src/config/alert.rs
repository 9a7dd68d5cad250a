//! alert: reads one `[[alert]]`: whom to tell of what, and where that is.

use super::{
    hook,
    mistake::shown,
    origin::Origins,
    table::{Found, Table, nearest},
    vault::read_name,
};
use crate::monitor::{AlertSettings, EventKind, Form};
use std::collections::BTreeSet;
use toml::de::DeValue;

/// An alert that was read, and where its name stands.
pub struct Read<'n> {
    pub settings: AlertSettings,
    pub name: Found<'n, ()>,
}

pub fn read<'n>(mut table: Table<'n, '_>, origins: Origins) -> Option<Read<'n>> {
    let name = table.required("name", Found::text);
    let named = name.as_ref().and_then(|name| name.parse(read_name));
    let form = table.required("kind", |found| read_form(&found.text()?));
    let hook = hook::read(&mut table, origins);
    let token = table.optional("token", |found| {
        if form.is_some_and(|form| !form.takes_token()) {
            return found.refuse("`token` is for webhook and ntfy alerts", "Here the url is all the secret there is.");
        }
        origins.secret(found)?.parse(|secret| secret.reveal_text().map(|_| secret.clone()))
    });
    let on = table.optional("on", read_events);
    table.finish();
    let on = on?.unwrap_or_else(|| EventKind::ALL.into());
    let settings = AlertSettings { name: named?, form: form?, hook: hook?, token: token?, on };
    Some(Read { settings, name: name?.place() })
}

fn read_form(found: &Found<String>) -> Option<Form> {
    let form = Form::ALL.into_iter().find(|form| form.word() == found.value);
    if form.is_none() {
        let hint = nearest(&found.value, &Form::ALL.map(Form::word)).map(|form| format!("Did you mean `{form}`?"));
        found.wrong("`kind` must be \"webhook\", \"slack\", \"discord\" or \"ntfy\"", hint);
    }
    form
}

fn read_events(found: Found<DeValue>) -> Option<BTreeSet<EventKind>> {
    let place = found.place();
    let read = |found: Found<String>| {
        let kind = EventKind::ALL.into_iter().find(|kind| kind.word() == found.value);
        if kind.is_none() {
            let words = EventKind::ALL.map(EventKind::word);
            let hint = nearest(&found.value, &words).map(|word| format!("Did you mean `{word}`?"));
            let message = format!("{} is no event: there are {}", shown(&found.value), words.join(", "));
            found.wrong(message, hint);
        }
        kind
    };
    let on: BTreeSet<EventKind> = found.texts()?.into_iter().map(read).collect::<Option<_>>()?;
    if on.is_empty() {
        return place.refuse("`on` names no event", "Leave it out to be told of all.");
    }
    Some(on)
}
