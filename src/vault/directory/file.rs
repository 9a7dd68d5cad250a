//! file: how bytes come to stay on a disk: written whole, synced with their folder, then held by the immutable flag.

use rustix::{
    fs::{IFlags, ioctl_getflags, ioctl_setflags},
    io::Errno,
};
use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};
use tempfile::NamedTempFile;

/// What a crash may leave behind begins so; listings pass over it.
pub const UNFINISHED: &str = ".tmp-";
const FILE_MODE: u32 = 0o440;
const FOLDER_MODE: u32 = 0o750;

/// Writes and syncs a whole file under a name that nobody looks at; dropped without a name, it is gone.
pub fn write_unnamed(folder: &Path, body: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    file.write_all(body)?;
    file.as_file().set_permissions(Permissions::from_mode(FILE_MODE))?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes a folder and those above it, each synced into its parent: a file is no safer than the way to it.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    make_folder(parent)?;
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {} // made by another put just now
        made => made?,
    }
    sync_folder(parent)
}

pub fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Sets the immutable flag where this process and this file system can. Where they cannot, the lock reads back as
/// none, which the caller checks: a missing flag is not an error here.
pub fn make_immutable(file: &File) -> io::Result<()> {
    let set = ioctl_getflags(file).and_then(|flags| ioctl_setflags(file, flags | IFlags::IMMUTABLE));
    match set {
        Ok(()) => file.sync_all(),
        Err(errno) if is_unsupported(errno) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

pub fn is_immutable(file: &File) -> io::Result<bool> {
    match ioctl_getflags(file) {
        Ok(flags) => Ok(flags.contains(IFlags::IMMUTABLE)),
        Err(errno) if is_unsupported(errno) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// No right to (EPERM, EACCES), or a file system without flags, which says so in many ways.
fn is_unsupported(errno: Errno) -> bool {
    [Errno::PERM, Errno::ACCESS, Errno::NOTTY, Errno::OPNOTSUPP, Errno::INVAL, Errno::NOSYS].contains(&errno)
}
