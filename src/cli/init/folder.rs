//! folder: makes new files and directories with the right modes from their first moment, and never overwrites.

use super::InitError;
use crate::secret::Secret;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// What a folder must not hold before.
const OURS: [&str; 5] = ["depositor.toml", "inspector.toml", "restorer.toml", "keys", "policies"];

/// A folder that holds nothing of ours yet.
pub struct Folder<'a>(&'a Path);

pub struct NewFile {
    /// Relative to the folder.
    name: String,
    content: Secret,
    mode: u32,
}

impl NewFile {
    pub fn secret(name: impl Into<String>, content: Secret) -> Self {
        Self { name: name.into(), content, mode: 0o600 }
    }

    pub fn public(name: impl Into<String>, content: String) -> Self {
        Self { name: name.into(), content: Secret::new(content.into_bytes()), mode: 0o644 }
    }

    pub fn program(name: impl Into<String>, content: String) -> Self {
        Self { mode: 0o700, ..Self::public(name, content) }
    }
}

impl<'a> Folder<'a> {
    pub fn new(dir: &'a Path) -> Result<Self, InitError> {
        let mut existing = Vec::new();
        for name in OURS {
            let path = dir.join(name);
            // A dangling link counts: writing would go through it.
            match fs::symlink_metadata(&path) {
                Ok(_) => existing.push(name),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(InitError::NotMade { path, source }),
            }
        }
        if existing.is_empty() { Ok(Self(dir)) } else { Err(InitError::Exists { dir: dir.to_owned(), existing }) }
    }

    pub fn fill(self, files: Vec<NewFile>) -> Result<(), InitError> {
        let Self(dir) = self;
        let mut directories = vec![dir.to_owned(), dir.join("state")];
        for file in &files {
            let parent = dir.join(&file.name).parent().map_or_else(|| dir.to_owned(), Path::to_owned);
            if !directories.contains(&parent) {
                directories.push(parent);
            }
        }
        directories.iter().try_for_each(|path| make_directory(path))?;
        for file in files {
            let path = dir.join(&file.name);
            write_new(&path, &file).map_err(|source| InitError::NotMade { path, source })?;
        }
        // A key that a power cut takes back is a key that is lost: the directories' entries must be on disk, too.
        for path in directories {
            let synced = File::open(&path).and_then(|directory| directory.sync_all());
            synced.map_err(|source| InitError::NotMade { path, source })?;
        }
        Ok(())
    }
}

/// Makes `path`, closed to others, with the parents it lacks; one that exists stays as it is.
pub fn make_directory(path: &Path) -> Result<(), InitError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| InitError::NotMade { path: PathBuf::from(path), source })
}

fn write_new(path: &Path, file: &NewFile) -> io::Result<()> {
    let mut output = OpenOptions::new().write(true).create_new(true).mode(file.mode).open(path)?;
    output.write_all(file.content.reveal())?;
    output.sync_all()
}
