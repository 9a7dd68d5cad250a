//! deep: every segment is read by its version, opened, and compared with its digests: what a vault says of itself is
//! not believed.

use super::{
    Confirmation, Order, Verdict,
    told::{self, Findings, Unread},
};
use crate::{
    digest::Blake3,
    failure::{Explain, Kind},
    finding::{Finding, FindingKind},
    layout::{self, BackupId},
    manifest::{Contents, Receipt, VersionId},
    progress::Progress,
    role::{Inspector, Opened, Restorer, RoleError, Select, Shelf, VaultError},
};
use futures_util::{StreamExt, stream};
use std::{collections::HashMap, time::Duration};

/// Each holds one segment, packed and opened, in memory.
const AT_ONCE: usize = 4;
const READ_WITHIN: Duration = Duration::from_secs(1800);
/// A vault that has failed to answer so often is not asked again.
const SILENCES_MAX: usize = 4;

/// What a segment must be: the same for all backups that refer to it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Wanted {
    key: String,
    version: VersionId,
    packed: Blake3,
    plaintext: Blake3,
}

#[derive(Clone)]
enum Read {
    Well,
    Broken(FindingKind, String),
    Unread,
}

struct Reading<'a> {
    restorer: &'a Restorer,
    progress: &'a Progress,
    expected_bytes: u64,
    silences: usize,
    done: HashMap<Wanted, Read>,
    findings: Findings,
    unread: Unread,
}

/// Reads every segment of the backups that `order` chooses among those of `confirmation`, each once, and adds to it what
/// is found. An error says that the identity opens none of it, or that the vault does not answer at all.
pub async fn deep(
    restorer: &Restorer,
    order: &Order,
    confirmation: &mut Confirmation,
    progress: &Progress,
) -> Result<(), RoleError> {
    let inspector = restorer.inspector();
    let shelf = inspector.shelf(&order.source).await?;
    let mut reading = Reading {
        restorer,
        progress,
        expected_bytes: 0,
        silences: 0,
        done: HashMap::new(),
        findings: Findings::default(),
        unread: Unread::default(),
    };
    let standing = confirmation.backups.iter_mut().filter(|judged| judged.verdict != Verdict::Lapsed);
    for judged in standing.take(order.newest.unwrap_or(usize::MAX)) {
        let read = match reading.open(inspector, order, &shelf, &judged.backup).await? {
            Some(opened) => reading.read_all(&opened).await?,
            None => Verdict::CouldNotVerify,
        };
        judged.verdict = match (judged.verdict, read) {
            (Verdict::Failed, _) | (_, Verdict::Failed) => Verdict::Failed,
            (_, Verdict::CouldNotVerify) => Verdict::CouldNotVerify,
            (before, _) => before,
        };
    }
    told::join(&mut confirmation.findings, reading.findings.into_told(&order.source));
    confirmation.unverified.extend(reading.unread.into_sentences());
    Ok(())
}

impl Reading<'_> {
    /// The manifest with its closed part; `None` where it could not be read, or is damaged, which is told.
    async fn open(
        &mut self,
        inspector: &Inspector,
        order: &Order,
        shelf: &Shelf,
        backup: &BackupId,
    ) -> Result<Option<Opened>, RoleError> {
        let select = Select::Id(backup.clone());
        let selected = inspector.select(&order.source, shelf, &select).await;
        let opened = selected.and_then(|(sealed, _)| self.restorer.open_closed(sealed));
        match opened {
            Ok(opened) => Ok(Some(opened)),
            Err(error) if error.kind() == Kind::CannotOpen => Err(error),
            Err(RoleError::Damaged { why, .. }) => {
                self.findings.add(Finding::new(FindingKind::Damaged, self.object(order, backup), why));
                Ok(None)
            }
            Err(RoleError::Unpack { why, .. }) => {
                let what = format!("has a closed part that {why}");
                self.findings.add(Finding::new(FindingKind::Damaged, self.object(order, backup), what));
                Ok(None)
            }
            Err(error) => {
                self.unread.add("manifests", &error);
                Ok(None)
            }
        }
    }

    fn object(&self, order: &Order, backup: &BackupId) -> String {
        layout::manifest(&order.source, backup).to_string()
    }

    /// Reads what no backup before had read, and says what that means for this one.
    async fn read_all(&mut self, opened: &Opened) -> Result<Verdict, RoleError> {
        let mut mine: HashMap<Wanted, (&Receipt, &Contents)> = HashMap::new();
        for (receipt, contents) in opened.segments() {
            mine.entry(wanted(receipt, contents)).or_insert((receipt, contents));
        }
        let fresh: Vec<_> = mine.iter().filter(|(wanted, _)| !self.done.contains_key(*wanted)).collect();
        self.expected_bytes += fresh.iter().map(|(_, (_, contents))| contents.raw_bytes).sum::<u64>();
        self.progress.expect(self.expected_bytes);
        let restorer = self.restorer;
        let mut reading = stream::iter(fresh)
            .map(|(wanted, (receipt, contents))| async move {
                (wanted, receipt, contents, read(restorer, receipt, contents).await)
            })
            .buffer_unordered(AT_ONCE);
        while self.silences < SILENCES_MAX {
            let Some((wanted, receipt, contents, read)) = reading.next().await else { break };
            let read = self.judge(read)?;
            self.progress.read(contents.raw_bytes, contents.pieces.iter().map(|piece| piece.rows).sum());
            self.progress.moved(receipt.size);
            self.done.insert(wanted.clone(), read);
        }
        drop(reading);
        let mut verdict = Verdict::Confirmed;
        for wanted in mine.keys() {
            match self.done.get(wanted) {
                Some(Read::Well) => {}
                Some(Read::Broken(kind, what)) => {
                    let backup = &opened.sealed.manifest.backup;
                    self.findings.add_needed(*kind, &wanted.key, what, backup);
                    verdict = Verdict::Failed;
                }
                Some(Read::Unread) | None => {
                    verdict = if verdict == Verdict::Failed { verdict } else { Verdict::CouldNotVerify };
                }
            }
        }
        Ok(verdict)
    }

    fn judge(&mut self, read: Result<(), RoleError>) -> Result<Read, RoleError> {
        let error = match read {
            Ok(()) => return Ok(Read::Well),
            Err(error) => error,
        };
        let digest = |what: String| Ok(Read::Broken(FindingKind::WrongDigest, what));
        match &error {
            RoleError::Vault(VaultError::Missing { version, .. }) => {
                Ok(Read::Broken(FindingKind::MissingVersion, format!("(version {version}) is gone")))
            }
            RoleError::Vault(VaultError::TooLarge { limit, .. }) => {
                digest(format!("has more than the {limit} bytes that were deposited"))
            }
            RoleError::Damaged { why, .. } => digest(why.clone()),
            RoleError::Unpack { why, .. } if why.kind() != Kind::CannotOpen => digest(why.to_string()),
            RoleError::Unpack { .. } => Err(error),
            _ => {
                self.silences += usize::from(error.kind() == Kind::Unreachable);
                self.unread.add("segments", &error);
                Ok(Read::Unread)
            }
        }
    }
}

fn wanted(receipt: &Receipt, contents: &Contents) -> Wanted {
    let (key, version) = (receipt.key.clone(), receipt.version.clone());
    Wanted { key, version, packed: receipt.blake3, plaintext: contents.blake3 }
}

async fn read(restorer: &Restorer, receipt: &Receipt, contents: &Contents) -> Result<(), RoleError> {
    match tokio::time::timeout(READ_WITHIN, restorer.plaintext(receipt, contents)).await {
        Ok(read) => read.map(drop),
        Err(_elapsed) => Err(restorer.inspector().silent_for(READ_WITHIN)),
    }
}
