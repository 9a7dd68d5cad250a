//! watching: reads `[watch]`, how an inspector's or a restorer's daemon looks; every key has a default.

use super::{
    daemon::read_listen,
    mistake::shown,
    origin::Origins,
    plan::{Role, WatchPlan},
    table::{Found, Table, nearest},
    watch::read_span,
};
use crate::finding::FindingKind;
use std::collections::BTreeSet;
use toml::de::DeValue;

pub fn read(mut table: Table, role: Role, origins: Origins) -> Option<WatchPlan> {
    let unasked = WatchPlan::of(role);
    let listen = table.optional("listen", |found| read_listen(&found.text()?));
    let confirm_every = table.optional("confirm_every", read_span);
    let confirm_all_every = table.optional("confirm_all_every", read_span);
    let accepted = table.optional("accepted", read_accepted);
    let reports_dir = match role {
        Role::Restorer => {
            let hint = "Its own reports are in state_dir/reports; an inspector may read them there.";
            table.forbid("reports_dir", "the restorer makes reports and reads none: no `reports_dir` here", hint);
            Some(None)
        }
        Role::Inspector | Role::Depositor => {
            table.optional("reports_dir", |found| Some(origins.path(&found.text()?.value)))
        }
    };
    table.finish();
    Some(WatchPlan {
        listen: listen?.unwrap_or(unasked.listen),
        confirm_every: confirm_every?,
        confirm_all_every: confirm_all_every?.unwrap_or(unasked.confirm_all_every),
        accepted: accepted?.unwrap_or_default(),
        reports_dir: reports_dir?,
    })
}

/// `kind object`, as a finding is named where it is shown.
fn read_accepted(found: Found<DeValue>) -> Option<BTreeSet<String>> {
    let read = |found: Found<String>| {
        let (kind, object) = found.value.split_once(' ').unwrap_or((&found.value, ""));
        let words = FindingKind::ALL.map(FindingKind::word);
        if !words.contains(&kind) {
            let hint = nearest(kind, &words).map(|word| format!("Did you mean `{word}`?"));
            found.wrong(format!("{} begins with no kind of finding", shown(&found.value)), hint);
            return None;
        }
        if object.is_empty() {
            let hint = "Write `kind object`, as `confirm` shows it: a kind alone would accept what is yet to come.";
            return found.refuse("an accepted finding names its object", hint);
        }
        Some(found.value)
    };
    found.texts()?.into_iter().map(read).collect()
}
