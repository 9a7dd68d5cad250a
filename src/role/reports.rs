//! reports: what drills say of a source in a vault, as far as it can be verified.
//!
//! Anybody who may write there can put anything under those keys. A report counts where the reporter's key signed its
//! very bytes, for this source and this drill, and of several versions the earliest such one.

use super::{Inspector, RoleError};
use crate::{
    keyring::VerifyingKey,
    layout::{self, DrillId, ObjectKey, SourceName},
    proof::{DrillReport, FORMAT},
    vault::ObjectVersion,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

const REPORT: &str = "report.json";
const SIGNATURE: &str = "report.json.minisig";
const REPORT_BYTES_MAX: u64 = 16 << 20;
const SIGNATURE_BYTES_MAX: u64 = 4 << 10;
/// The authentic version is the oldest unless somebody foresaw the key; a flood is not read to its end.
const VERSIONS_TRIED: usize = 5;
/// Nor are so many folders of junk, for each report that is wanted, in the way of those that are older.
const FOLDERS_TRIED: usize = 10;

/// What the signature of a report says beside it, signed along.
pub fn trusted_comment(source: &SourceName, drill: &DrillId) -> String {
    format!("strongroom drill 1 {source} {drill}")
}

/// The report, if `signature` is the reporter's, over exactly these bytes, and for this source and drill.
pub fn verified(key: &VerifyingKey, source: &SourceName, report: &[u8], signature: &[u8]) -> Option<DrillReport> {
    let comment = key.verify(report, signature)?;
    let report: DrillReport = serde_json::from_slice(report).ok()?;
    let fits = report.format == FORMAT && report.source == *source;
    (fits && comment == trusted_comment(source, &report.drill)).then_some(report)
}

/// One drill's objects, the oldest versions first.
#[derive(Default)]
struct Filed {
    reports: Vec<ObjectVersion>,
    signatures: Vec<ObjectVersion>,
}

impl Inspector {
    /// The newest `limit` drills of `source` by the server's clock, without those that are `known`, as far as they are
    /// authentic; the newest first. Beside them those drills whose reports are signed, and not so that they count.
    pub async fn reports(
        &self,
        source: &SourceName,
        key: &VerifyingKey,
        known: &BTreeSet<DrillId>,
        limit: usize,
    ) -> Result<(Vec<DrillReport>, Vec<DrillId>), RoleError> {
        let mut filed: BTreeMap<DrillId, Filed> = BTreeMap::new();
        for version in self.vault.versions(&layout::drills(source)).await?.into_iter().filter(|listed| !listed.marker) {
            match named(source, &version.key) {
                Some((drill, REPORT)) => filed.entry(drill).or_default().reports.push(version),
                Some((drill, SIGNATURE)) => filed.entry(drill).or_default().signatures.push(version),
                _ => {}
            }
        }
        let mut filed: Vec<_> = filed.into_iter().collect();
        filed.sort_by_key(|(_, filed)| Reverse(filed.reports.first().map(|version| version.last_modified)));
        let (mut reports, mut doubtful) = (Vec::new(), Vec::new());
        let mut counted = 0;
        for (drill, filed) in filed.into_iter().take(limit * FOLDERS_TRIED) {
            if counted == limit {
                break;
            }
            if known.contains(&drill) {
                counted += 1;
                continue;
            }
            match self.authentic(source, &drill, key, &filed).await? {
                Some(report) => {
                    counted += 1;
                    reports.push(report);
                }
                // A signature comes last: without one the report may be on its way.
                None if !filed.signatures.is_empty() => doubtful.push(drill),
                None => {}
            }
        }
        Ok((reports, doubtful))
    }

    async fn authentic(
        &self,
        source: &SourceName,
        drill: &DrillId,
        key: &VerifyingKey,
        filed: &Filed,
    ) -> Result<Option<DrillReport>, RoleError> {
        let mut signatures = Vec::new();
        for version in filed.signatures.iter().take(VERSIONS_TRIED) {
            signatures.extend(self.read(version, SIGNATURE_BYTES_MAX).await?);
        }
        for version in filed.reports.iter().take(VERSIONS_TRIED) {
            let Some(bytes) = self.read(version, REPORT_BYTES_MAX).await? else { continue };
            let found = signatures.iter().find_map(|signature| verified(key, source, &bytes, signature));
            if let Some(report) = found.filter(|report| report.drill == *drill) {
                return Ok(Some(report));
            }
        }
        Ok(None)
    }
}

/// Has an object a name that the reporter gives?
pub(super) fn is_report(source: &SourceName, key: &ObjectKey) -> bool {
    const FILES: [&str; 4] = [REPORT, SIGNATURE, "report.html", "report.html.minisig"];
    named(source, key).is_some_and(|(_, file)| FILES.contains(&file))
}

fn named<'k>(source: &SourceName, key: &'k ObjectKey) -> Option<(DrillId, &'k str)> {
    let (drill, file) = key.as_str().strip_prefix(&layout::drills(source))?.split_once('/')?;
    Some((drill.parse().ok()?, file))
}
