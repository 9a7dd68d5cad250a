//! draft: from the first receipt to a manifest that may be sealed, in the only order there is.

use super::{Chain, Closed, Engine, FORMAT, LockMode, Manifest, Receipt, SealComment};
use crate::{
    clock::Timestamp,
    digest::Blake3,
    layout::{BackupId, SourceName},
    term::Term,
};
use std::process::ExitStatus;

/// The proof that a dump completed: everything it packed, made only where every stream ended well and every
/// child exited with 0. Without it nothing can be sealed.
pub struct DumpComplete {
    closed: Closed,
    suspect: Vec<String>,
    engine: Engine,
    snapshot_at: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error("{program} ended with {status}: the dump is not complete")]
    ChildFailed { program: String, status: ExitStatus },
    #[error("{packed} segments were packed and {deposited} deposited")]
    Missing { packed: usize, deposited: usize },
    #[error("segment {ordinal} of {stream:?} was packed and not deposited")]
    Unmatched { stream: super::Stream, ordinal: u32 },
    #[error("a manifest could not be written as JSON")]
    Unwritable(#[from] serde_json::Error),
}

impl DumpComplete {
    /// `children`: every program that took part, with the status it ended with.
    pub fn prove(
        closed: Closed,
        engine: Engine,
        snapshot_at: Timestamp,
        children: &[(&str, ExitStatus)],
    ) -> Result<Self, DraftError> {
        for &(program, status) in children {
            if !status.success() {
                return Err(DraftError::ChildFailed { program: program.to_owned(), status });
            }
        }
        Ok(Self { closed, suspect: Vec::new(), engine, snapshot_at })
    }

    pub fn closed(&self) -> &Closed {
        &self.closed
    }

    /// Marks the data as looking wiped: `words` for everybody, `sentences` for those who may read names.
    pub fn mark_suspect(&mut self, words: Vec<String>, sentences: Vec<String>) {
        self.suspect = words;
        self.closed.suspicions = sentences;
    }

    pub fn suspicions(&self) -> &[String] {
        &self.closed.suspicions
    }

    pub fn snapshot_at(&self) -> Timestamp {
        self.snapshot_at
    }
}

/// What is known of a backup before its first byte.
#[derive(Clone, Debug)]
pub struct Header {
    pub source: SourceName,
    pub backup: BackupId,
    pub chain: Chain,
    pub strongroom: String,
    pub started_at: Timestamp,
    pub term: Term,
    pub recipients: Vec<String>,
}

/// A manifest in the making: one for each vault of a run.
pub struct ManifestDraft {
    header: Header,
    receipts: Vec<Receipt>,
}

/// A complete manifest's exact bytes. Depositing their signature seals the backup.
pub struct Complete {
    pub manifest: Manifest,
    pub bytes: Vec<u8>,
    pub seal_comment: SealComment,
}

impl ManifestDraft {
    pub fn begin(header: Header) -> Self {
        Self { header, receipts: Vec::new() }
    }

    pub fn record(&mut self, receipt: Receipt) {
        self.receipts.push(receipt);
    }

    /// `closed`: the dump's closed part, encrypted to the recipients.
    pub fn complete(mut self, dump: &DumpComplete, closed: String, now: Timestamp) -> Result<Complete, DraftError> {
        self.receipts.sort_by_key(|receipt| (receipt.stream, receipt.ordinal));
        let packed = &dump.closed.segments;
        if packed.len() != self.receipts.len() {
            return Err(DraftError::Missing { packed: packed.len(), deposited: self.receipts.len() });
        }
        for (contents, receipt) in packed.iter().zip(&self.receipts) {
            if (contents.stream, contents.ordinal) != (receipt.stream, receipt.ordinal) {
                return Err(DraftError::Unmatched { stream: contents.stream, ordinal: contents.ordinal });
            }
        }
        let lock = self.receipts.iter().map(|receipt| receipt.lock).max().unwrap_or(LockMode::None);
        let unlocked = self.receipts.iter().any(|receipt| receipt.locked_until.is_none());
        let first_end = self.receipts.iter().filter_map(|receipt| receipt.locked_until).min();
        let Header { source, backup, chain, strongroom, started_at, term, recipients } = self.header;
        let manifest = Manifest {
            format: FORMAT,
            source,
            backup,
            chain,
            strongroom,
            engine: dump.engine.clone(),
            started_at,
            snapshot_at: dump.snapshot_at,
            completed_at: now,
            term,
            lock,
            locked_until: if unlocked { None } else { first_end },
            suspect: dump.suspect.clone(),
            recipients,
            segments: self.receipts,
            closed,
        };
        let bytes = serde_json::to_vec_pretty(&manifest)?;
        let seal_comment = SealComment {
            source: manifest.source.clone(),
            backup: manifest.backup.clone(),
            sequence: manifest.chain.sequence,
            manifest: Blake3::of(&bytes),
        };
        Ok(Complete { manifest, bytes, seal_comment })
    }
}
