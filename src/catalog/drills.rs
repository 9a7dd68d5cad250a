//! drills: every report of a drill that a watcher knows: its own, and those that it could verify.

use super::{
    Catalog, CatalogError,
    column::{At, Json, Word},
};
use crate::{layout::SourceName, proof::DrillReport};

impl Catalog {
    /// The first report under a drill's id stays: a later one under the same id is another's.
    pub async fn keep_drill(&self, report: &DrillReport) -> Result<(), CatalogError> {
        let keep = "INSERT OR IGNORE INTO drills (source, drill, ended_at, outcome, manifest, report)
                    VALUES (?, ?, ?, ?, ?, ?)";
        let keep = sqlx::query(keep).bind(Word(&report.source)).bind(Word(&report.drill)).bind(At(report.ended_at));
        let keep = keep.bind(Word(report.outcome)).bind(report.manifest.map(Word)).bind(Json(report));
        keep.execute(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(())
    }

    /// Of one source, the newest first.
    pub async fn drills(&self, source: &SourceName, limit: u32) -> Result<Vec<DrillReport>, CatalogError> {
        let drills = "SELECT report FROM drills WHERE source = ? ORDER BY ended_at DESC, drill DESC LIMIT ?";
        let drills = sqlx::query_scalar(drills).bind(Word(source)).bind(limit);
        let rows: Vec<Json<DrillReport>> =
            drills.fetch_all(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(rows.into_iter().map(|Json(report)| report).collect())
    }

    /// The passed report of a source whose data is the newest, however long ago that was.
    pub async fn last_passed_drill(&self, source: &SourceName) -> Result<Option<DrillReport>, CatalogError> {
        let passed = "SELECT report FROM drills WHERE source = ? AND outcome = 'passed'
                      ORDER BY json_extract(report, '$.suspect') <> '[]', json_extract(report, '$.snapshot_at') DESC,
                      ended_at DESC LIMIT 1";
        let passed = sqlx::query_scalar(passed).bind(Word(source));
        let row: Option<Json<DrillReport>> =
            passed.fetch_optional(&mut *self.store.connection().await?).await.map_err(self.store.failed())?;
        Ok(row.map(|Json(report)| report))
    }
}
