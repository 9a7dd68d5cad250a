//! segments: what each place holds of a source already, so that it need not be sent again.

use super::{
    CatalogError, ChainRecord,
    column::{At, Word, count},
};
use crate::{
    clock::Timestamp,
    digest::{Blake3, Md5, SegmentId},
    manifest::{LockMode, VersionId},
};

/// A segment that was deposited, and its lock as it was read back then.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub id: SegmentId,
    pub version: VersionId,
    pub size: u64,
    /// Of the packed bytes.
    pub blake3: Blake3,
    pub md5: Md5,
    pub lock: LockMode,
    pub locked_until: Option<Timestamp>,
}

type Row = (Word<VersionId>, u64, Word<Blake3>, Word<Md5>, Word<LockMode>, Option<At>);

impl ChainRecord {
    /// The version of a segment that is locked for longest, as far as we remember. Whether its lock suffices is for
    /// who asks to judge.
    pub async fn held(&self, id: SegmentId) -> Result<Option<Held>, CatalogError> {
        let row = "SELECT version, size, blake3, md5, lock, locked_until FROM segments WHERE chain = ? AND segment = ?";
        let row = sqlx::query_as(row).bind(self.id).bind(Word(id));
        let row: Option<Row> =
            row.fetch_optional(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(row.map(|(Word(version), size, Word(blake3), Word(md5), Word(lock), locked_until)| {
            let locked_until = locked_until.map(|At(at)| at);
            Held { id, version, size, blake3, md5, lock, locked_until }
        }))
    }

    /// Remembers deposits, all or none of them. Of two versions of one segment the one that is locked for longer
    /// stays, and the newer one of two that are locked alike.
    pub async fn hold(&self, deposits: &[Held]) -> Result<(), CatalogError> {
        let hold = "INSERT INTO segments (chain, segment, version, size, blake3, md5, lock, locked_until)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (chain, segment) DO UPDATE SET version = excluded.version, size = excluded.size,
                    blake3 = excluded.blake3, md5 = excluded.md5, lock = excluded.lock,
                    locked_until = excluded.locked_until
                    WHERE coalesce(excluded.locked_until, '') >= coalesce(segments.locked_until, '')";
        let mut writing = self.store.begin().await?;
        for held in deposits {
            let hold = sqlx::query(hold).bind(self.id).bind(Word(held.id)).bind(Word(&held.version));
            let hold = hold.bind(count(held.size)).bind(Word(held.blake3)).bind(Word(held.md5));
            let hold = hold.bind(Word(held.lock)).bind(held.locked_until.map(At));
            hold.execute(&mut *writing).await.map_err(self.store.failed())?;
        }
        writing.commit().await.map_err(self.store.failed())
    }

    /// What we remember of a segment is not so: the next deposit is remembered, whatever its lock.
    pub async fn forget(&self, id: SegmentId) -> Result<(), CatalogError> {
        let mut writing = self.store.begin().await?;
        let forget = sqlx::query("DELETE FROM segments WHERE chain = ? AND segment = ?").bind(self.id).bind(Word(id));
        forget.execute(&mut *writing).await.map_err(self.store.failed())?;
        writing.commit().await.map_err(self.store.failed())
    }
}
