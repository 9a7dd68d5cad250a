//! source: reads one `[[source]]`: where its backups go and what is expected of them, for every role.

use super::{
    dump,
    origin::Origins,
    plan::{Deposit, Role, SourcePlan},
    table::{Found, Table, nearest},
    watch::{read_pings, read_span},
};
use crate::{clock::spoken, health::Objectives, layout::SourceName, vault::VaultSettings};
use std::path::PathBuf;
use toml::de::DeValue;

/// A source that was read, and where its name stands.
pub struct Read<'n> {
    pub plan: SourcePlan,
    pub name: Found<'n, ()>,
}

/// `vaults` is `None` when some vault could not be read: then no name of a vault is known to be wrong.
pub fn read<'n>(
    mut table: Table<'n, '_>,
    role: Role,
    vaults: Option<&[VaultSettings]>,
    origins: Origins,
) -> Option<Read<'n>> {
    let name = table.required("name", Found::text);
    let named = name.as_ref().and_then(|name| name.parse(str::parse::<SourceName>));
    let client_path = table.optional("client_path", |found| read_paths(found, origins));
    let dump = match role {
        Role::Depositor => dump::read(&mut table, client_path.clone().flatten(), origins).map(Some),
        Role::Inspector | Role::Restorer => {
            dump::refuse(&mut table, role);
            Some(None)
        }
    };
    let ping = match role {
        Role::Depositor => Some(None),
        Role::Inspector | Role::Restorer => read_pings(&mut table, origins),
    };
    let deposits = match table.take("deposit") {
        Some(found) => read_deposits(found, vaults),
        None => vaults.map(|vaults| (0..vaults.len()).map(|vault| Deposit { vault, every: None }).collect()),
    };
    let needed = table.optional("needed", |found| found.number(1..=deposits.as_ref().map_or(usize::MAX, Vec::len)));
    let objectives = table.optional("objectives", read_objectives);
    let checks = table.optional("checks", read_checks);
    table.finish();
    let deposits = deposits?;
    let plan = SourcePlan {
        name: named?,
        needed: needed?.map_or(deposits.len(), |needed| needed.value),
        deposits,
        objectives: objectives?.unwrap_or_default(),
        checks: checks?.unwrap_or_default(),
        client_path: client_path?.unwrap_or_default(),
        dump: dump?,
        ping: ping?,
    };
    Some(Read { plan, name: name?.place() })
}

fn read_paths(found: Found<DeValue>, origins: Origins) -> Option<Vec<PathBuf>> {
    Some(found.texts()?.into_iter().map(|path| origins.path(&path.value)).collect())
}

fn read_deposits(found: Found<DeValue>, vaults: Option<&[VaultSettings]>) -> Option<Vec<Deposit>> {
    let place = found.place();
    let mut read = Vec::new();
    for entry in found.list()? {
        let mut table = entry.table("deposit")?;
        let vault = table.required("vault", Found::text);
        let every = table.optional("every", read_span);
        table.finish();
        read.push((vault?, every?));
    }
    let vaults = vaults?;
    let mut deposits: Vec<Deposit> = Vec::new();
    for (name, every) in read {
        let Some(vault) = vaults.iter().position(|vault| vault.name == name.value) else {
            let names: Vec<_> = vaults.iter().map(|vault| vault.name.as_str()).collect();
            let hint = nearest(&name.value, &names).map(|vault| format!("Did you mean `{vault}`?"));
            name.wrong(format!("there is no vault {}", super::mistake::shown(&name.value)), hint);
            return None;
        };
        if deposits.iter().any(|deposit| deposit.vault == vault) {
            name.wrong(format!("vault `{}` is given twice", name.value), None);
            return None;
        }
        if let Some(every) = every.filter(|every| *every > vaults[vault].term.span()) {
            let term = vaults[vault].term;
            name.wrong(
                format!("a backup every {} in a vault of {term} leaves times without any", spoken(every)),
                Some("Deposit more often, or in a vault with a longer term.".to_owned()),
            );
            return None;
        }
        deposits.push(Deposit { vault, every });
    }
    if deposits.is_empty() {
        return place.refuse("`deposit` names no vault", "Leave it out to deposit in every vault.");
    }
    Some(deposits)
}

fn read_objectives(found: Found<DeValue>) -> Option<Objectives> {
    let mut table = found.table("objectives")?;
    let recovery_point = table.optional("recovery_point", read_span);
    let proven_within = table.optional("proven_within", read_span);
    let recovery_time = table.optional("recovery_time", read_span);
    table.finish();
    Some(Objectives { recovery_point: recovery_point?, proven_within: proven_within?, recovery_time: recovery_time? })
}

fn read_checks(found: Found<DeValue>) -> Option<Vec<String>> {
    let checks = found.texts()?;
    if let Some(empty) = checks.iter().find(|check| check.value.trim().is_empty()) {
        return empty.refuse("a check is empty", "A check is a SELECT whose first column must be true.");
    }
    Some(checks.into_iter().map(|check| check.value).collect())
}
