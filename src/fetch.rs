//! fetch: a backup's decrypted files in a folder, for whoever restores by hand with psql and pg_restore.

use crate::{
    failure::{Explain, Kind},
    manifest::{Contents, Receipt, Stream},
    progress::Progress,
    role::{Opened, Restorer, RoleError},
};
use futures_util::{StreamExt, TryStreamExt};
use std::{
    io,
    path::{Path, PathBuf},
};
use tokio::{fs, io::AsyncWriteExt};

const AT_ONCE: usize = 4;

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Vault(#[from] RoleError),
    #[error("cannot write {path}")]
    Unwritable { path: PathBuf, source: io::Error },
}

impl Explain for FetchError {
    fn kind(&self) -> Kind {
        match self {
            Self::Vault(error) => error.kind(),
            Self::Unwritable { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => Kind::Settings,
            Self::Unwritable { .. } => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Vault(error) => error.hint(),
            Self::Unwritable { .. } => {
                Some("--output must be a folder that does not exist yet, on a disk with room.".into())
            }
        }
    }
}

/// Writes `archive.dump`, `globals.sql` and `data/NNNNNN.sql` into a new folder that only we can enter.
pub async fn fetch(restorer: &Restorer, opened: &Opened, folder: &Path, progress: &Progress) -> Result<(), FetchError> {
    make_folder(folder).await?;
    make_folder(&folder.join("data")).await?;
    progress.expect(opened.closed.segments.iter().map(|contents| contents.raw_bytes).sum());
    for (stream, name) in [(Stream::Archive, "archive.dump"), (Stream::Globals, "globals.sql")] {
        let path = folder.join(name);
        let mut file = create(&path).await?;
        for (receipt, contents) in opened.segments().filter(|(receipt, _)| receipt.stream == stream) {
            append(restorer, receipt, contents, &mut file, &path, progress).await?;
        }
        sync(file, &path).await?;
    }
    let data =
        opened.segments().filter(|(receipt, _)| receipt.stream == Stream::Data).map(async |(receipt, contents)| {
            let path = folder.join(format!("data/{:06}.sql", receipt.ordinal));
            let mut file = create(&path).await?;
            append(restorer, receipt, contents, &mut file, &path, progress).await?;
            sync(file, &path).await
        });
    futures_util::stream::iter(data).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

async fn make_folder(path: &Path) -> Result<(), FetchError> {
    let made = fs::DirBuilder::new().mode(0o700).create(path).await;
    made.map_err(|source| FetchError::Unwritable { path: path.to_owned(), source })
}

async fn create(path: &Path) -> Result<fs::File, FetchError> {
    let created = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).await;
    created.map_err(|source| FetchError::Unwritable { path: path.to_owned(), source })
}

async fn append(
    restorer: &Restorer,
    receipt: &Receipt,
    contents: &Contents,
    file: &mut fs::File,
    path: &Path,
    progress: &Progress,
) -> Result<(), FetchError> {
    let plaintext = restorer.plaintext(receipt, contents).await?;
    let written = file.write_all(&plaintext).await;
    written.map_err(|source| FetchError::Unwritable { path: path.to_owned(), source })?;
    progress.read(plaintext.len() as u64, contents.pieces.iter().map(|piece| piece.rows).sum());
    progress.moved(receipt.size);
    Ok(())
}

/// Nothing is called written that a full disk or a power cut could still take away.
async fn sync(file: fs::File, path: &Path) -> Result<(), FetchError> {
    file.sync_all().await.map_err(|source| FetchError::Unwritable { path: path.to_owned(), source })
}
