//! keep: a drill's report outlives it: as files, signed where there is a key, and deposited under the vault's lock where
//! there is a credential for that.

use crate::{
    clock::Timestamp,
    failure::{Explain, Kind, with_causes},
    keyring::SigningKey,
    page,
    proof::DrillReport,
    role::{Reporter, RoleError, report_comment},
};
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// Where reports go, and who signs them.
#[derive(Default)]
pub struct Keeping {
    /// Without it, whoever can write where reports lie can write reports.
    pub signing: Option<SigningKey>,
    /// A folder for each drill is made in it.
    pub folder: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error("the report of the drill cannot be written to {path}")]
    Folder { path: PathBuf, source: io::Error },
    #[error("the report of the drill cannot be deposited")]
    Deposit(#[from] RoleError),
}

impl Explain for KeepError {
    fn kind(&self) -> Kind {
        match self {
            Self::Folder { .. } => Kind::Failed,
            Self::Deposit(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Folder { .. } => {
                Some("The drill itself has ended, and says how; only its report is not kept.".into())
            }
            Self::Deposit(error) => error.hint(),
        }
    }
}

/// What was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub folder: Option<PathBuf>,
    pub signed: bool,
    /// In a vault, under a lock that ends then.
    pub deposited: Option<(String, Option<Timestamp>)>,
}

/// The files of a report: as JSON and as a page, each with its signature where there is a key.
pub fn files(report: &DrillReport, signing: Option<&SigningKey>) -> Vec<(String, Vec<u8>)> {
    let json = format!("{:#}\n", serde_json::json!(report)).into_bytes();
    let html = page::drill_report(report).into_bytes();
    let comment = report_comment(&report.source, &report.drill);
    let both = [("report.html", html), ("report.json", json)];
    let signed = both.into_iter().flat_map(|(name, bytes)| {
        let signature = signing.map(|key| (format!("{name}.minisig"), key.sign(&bytes, &comment).into_bytes()));
        std::iter::once((name.to_owned(), bytes)).chain(signature)
    });
    signed.collect()
}

/// Writes and deposits what `keeping` and `reporter` ask for. Everything is tried; the first failure is told.
pub async fn keep(report: &DrillReport, keeping: &Keeping, reporter: Option<&Reporter>) -> (Kept, Option<KeepError>) {
    let files = files(report, keeping.signing.as_ref());
    let mut kept = Kept { signed: keeping.signing.is_some(), ..Kept::default() };
    let mut failure = None;
    if let Some(folder) = &keeping.folder {
        let folder = folder.join(report.source.as_str()).join(report.drill.as_str());
        match write(&folder, &files) {
            Ok(()) => kept.folder = Some(folder),
            Err(source) => failure = Some(KeepError::Folder { path: folder, source }),
        }
    }
    if let Some(reporter) = reporter {
        match deposit(report, &files, reporter).await {
            Ok(until) => kept.deposited = Some((reporter.vault().to_owned(), until)),
            // Of two failures the first is given back.
            Err(error) if failure.is_some() => {
                tracing::error!(error = with_causes(&error), "the report of the drill is not deposited");
            }
            Err(error) => failure = Some(error.into()),
        }
    }
    (kept, failure)
}

/// A reader takes what is signed: the signature of the JSON comes last, so that it is never there alone.
async fn deposit(
    report: &DrillReport,
    files: &[(String, Vec<u8>)],
    reporter: &Reporter,
) -> Result<Option<Timestamp>, RoleError> {
    let mut until = None;
    for (name, bytes) in files {
        until = reporter.deposit(&report.source, &report.drill, name, bytes.clone()).await?;
    }
    Ok(until)
}

/// Readable by the group: the inspector's daemon may be another user.
fn write(folder: &Path, files: &[(String, Vec<u8>)]) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
    for (name, bytes) in files {
        let mut whole = tempfile::NamedTempFile::new_in(folder)?;
        whole.write_all(bytes)?;
        whole.as_file().set_permissions(fs::Permissions::from_mode(0o640))?;
        whole.as_file().sync_all()?;
        whole.persist(folder.join(name)).map_err(|error| error.error)?;
    }
    Ok(())
}
