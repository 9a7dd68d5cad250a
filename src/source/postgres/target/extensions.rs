//! extensions: which of a backup's extensions can be had at the target, and which came back.

use super::{Target, maintenance};
use crate::{
    manifest::Extension,
    source::postgres::{PostgresError, connect::connect, globals},
};
use std::collections::BTreeMap;

/// How a target's extensions compare with the backup's, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionsCompared {
    /// Missing there, or there and not in the backup.
    pub differences: Vec<String>,
    /// Of another version: an archive does not say which it was, so the target's packages decide.
    pub notes: Vec<String>,
}

impl Target {
    /// Those of the backup's extensions that are not installed at the target's host: creating them would fail.
    pub async fn missing_extensions(&self, extensions: &[Extension]) -> Result<Vec<String>, PostgresError> {
        const MISSING: &str = "
            SELECT e FROM unnest($1::text[]) e WHERE e NOT IN (SELECT name FROM pg_available_extensions) ORDER BY 1";
        let session =
            if self.created { maintenance(&self.address).await? } else { connect(&self.address, None).await? };
        let names: Vec<&str> = extensions.iter().map(|extension| extension.name.as_str()).collect();
        let rows = session.client.query(MISSING, &[&names]).await;
        let rows = rows.map_err(PostgresError::query("asking for extensions"))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    pub async fn compare_extensions(&self, expected: &[Extension]) -> Result<ExtensionsCompared, PostgresError> {
        let found = globals::extensions(&connect(&self.address, None).await?.client).await?;
        Ok(compared(expected, &found))
    }
}

fn compared(expected: &[Extension], found: &[Extension]) -> ExtensionsCompared {
    let versions = |extensions: &[Extension]| -> BTreeMap<String, String> {
        extensions.iter().map(|Extension { name, version }| (name.clone(), version.clone())).collect()
    };
    let (expected, found) = (versions(expected), versions(found));
    let mut compared = ExtensionsCompared::default();
    for (name, version) in &expected {
        match found.get(name) {
            None => compared.differences.push(format!("extension {name}: missing")),
            Some(found) if found != version => {
                compared.notes.push(format!("extension {name}: {version} in the backup, {found} restored"));
            }
            Some(_) => {}
        }
    }
    let more = found.keys().filter(|name| !expected.contains_key(*name));
    compared.differences.extend(more.map(|name| format!("extension {name}: not in the backup")));
    compared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_name_is_a_difference_and_another_version_a_note() {
        let of = |list: &[(&str, &str)]| -> Vec<Extension> {
            list.iter().map(|(name, version)| Extension { name: (*name).into(), version: (*version).into() }).collect()
        };
        let expected = of(&[("hstore", "1.8"), ("pg_trgm", "1.6"), ("plpgsql", "1.0")]);
        assert_eq!(compared(&expected, &expected), ExtensionsCompared::default());
        let found = of(&[("hstore", "1.7"), ("plpgsql", "1.0"), ("postgis", "3.4")]);
        let ExtensionsCompared { differences, notes } = compared(&expected, &found);
        assert_eq!(differences, ["extension pg_trgm: missing", "extension postgis: not in the backup"]);
        assert_eq!(notes, ["extension hstore: 1.8 in the backup, 1.7 restored"]);
    }
}
