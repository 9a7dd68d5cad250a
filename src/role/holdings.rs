//! holdings: everything that a vault holds of a source, from one listing: its backups, and each version of every key.

use super::{RoleError, Shelf, reports};
use crate::{
    layout::{self, ObjectKey, SourceName},
    vault::ObjectVersion,
};
use std::{collections::BTreeMap, time::Duration};

/// A flood of junk is listed to its end, a thousand at a time; a server that is slow beyond that is not waited for.
const LISTED_WITHIN: Duration = Duration::from_secs(1800);

pub struct Holdings {
    pub shelf: Shelf,
    /// Versions and markers of each key that is one of ours, the oldest first.
    pub keys: BTreeMap<ObjectKey, Vec<ObjectVersion>>,
    /// Keys that we never write, each with how many versions it has.
    pub strangers: BTreeMap<ObjectKey, usize>,
}

impl super::Inspector {
    /// Lists all of `source` once: manifests, seals, segments, and what has no business there. Reports of drills are
    /// left aside.
    pub async fn holdings(&self, source: &SourceName) -> Result<Holdings, RoleError> {
        let listed = self.in_time(LISTED_WITHIN, self.vault.versions(&layout::source(source))).await?;
        let mut holdings =
            Holdings { shelf: Shelf::arrange(source, Vec::new()), keys: BTreeMap::new(), strangers: BTreeMap::new() };
        let mut backups = Vec::new();
        for version in listed.into_iter().filter(|version| !reports::is_report(source, &version.key)) {
            if layout::read_backup_key(source, &version.key).is_some() {
                backups.push(version.clone());
            } else if layout::read_segment_key(source, &version.key).is_none() {
                *holdings.strangers.entry(version.key).or_default() += 1;
                continue;
            }
            holdings.keys.entry(version.key.clone()).or_default().push(version);
        }
        holdings.shelf = Shelf::arrange(source, backups);
        Ok(holdings)
    }
}
