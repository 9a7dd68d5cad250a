//! filing: where a finished drill's report goes besides the catalog.

use crate::proof::DrillReport;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What filing needs: `drill::keep`'s key and depositing credential belong here, too.
pub struct Desk {
    pub state_dir: PathBuf,
}

/// SEAM: `drill::keep` is called here: it signs the report, writes it and its page into `state_dir/reports`, and
/// deposits both where that is configured. Until then the report alone is written, unsigned. Gives what failed.
pub async fn file(desk: &Desk, report: &DrillReport) -> Vec<String> {
    let folder = desk.state_dir.join("reports").join(report.source.as_str()).join(report.drill.as_str());
    write(&folder, report).err().map(|error| format!("{}: {error}", folder.display())).into_iter().collect()
}

fn write(folder: &Path, report: &DrillReport) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec_pretty(report)?)?;
    file.persist(folder.join("report.json"))?;
    Ok(())
}
