//! origin: where a configuration says that a secret or a public key is; it is fetched while the file is read.

use super::{World, mistake::with_causes, table::Found};
use crate::{
    failure::Explain,
    secret::{Secret, SecretError, SecretSource},
};
use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};
use toml::de::DeValue;

/// Stands in files that `init` leaves to be filled in.
pub const BLANK: &str = "FILL-IN";

/// What names in a configuration are relative to.
#[derive(Clone, Copy)]
pub struct Origins<'a> {
    /// The configuration's own folder.
    pub folder: &'a Path,
    pub world: &'a World,
}

/// What was fetched for a key, and from where.
pub struct Fetched<'n> {
    source: Found<'n, SecretSource>,
    secret: Secret,
}

impl<'a> Origins<'a> {
    pub fn path(self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Fetches the secret that `found` names: closed to others, and filled in.
    pub fn secret<'n>(self, found: Found<'n, DeValue<'_>>) -> Option<Fetched<'n>> {
        if !matches!(found.value, DeValue::Table(_)) {
            let key = found.key;
            let hint = format!(
                "Put it into a file that only its owner can read (chmod 600), and write {key} = {{ file = \"keys/{key}\" }}; \
                 {{ systemd = \"NAME\" }} and {{ command = [\"PROGRAM\"] }} do as well."
            );
            found.wrong(format!("`{key}` is written into the configuration, where no secret may be"), Some(hint));
            return None;
        }
        let source = self.source(found)?;
        let loaded = source.value.load();
        let fetched = Fetched::of(source, loaded)?;
        let blank = fetched.secret.reveal().windows(BLANK.len()).any(|window| window == BLANK.as_bytes());
        if blank {
            let hint = format!("Write the real values into it, in place of {BLANK}.");
            fetched.wrong("it is not filled in yet", Some(hint));
            return None;
        }
        Some(fetched)
    }

    /// Fetches a public key: others may read its file, and must not be able to change it.
    pub fn public<'n>(self, found: Found<'n, DeValue<'_>>) -> Option<Fetched<'n>> {
        if !matches!(found.value, DeValue::Table(_)) {
            let key = found.key;
            let hint = format!("Write {key} = {{ file = \"keys/{key}\" }}, or {{ systemd = \"NAME\" }}.");
            found.wrong(format!("`{key}` does not say where the key is"), Some(hint));
            return None;
        }
        let source = self.source(found)?;
        let SecretSource::File(path) = &source.value else {
            let loaded = source.value.load();
            return Fetched::of(source, loaded);
        };
        let unreadable = |source| SecretError::Unreadable { path: path.clone(), source };
        let loaded = read_public(path).map_err(unreadable);
        let open = matches!(loaded, Ok((_, true)));
        let hint = format!("Close it: chmod go-w {0} && chown \"$(id -u)\" {0}", path.display());
        let fetched = Fetched::of(source, loaded.map(|(bytes, _)| Secret::new(bytes)))?;
        if open {
            fetched.wrong("it can be changed by others, who could put a key of their own there", Some(hint));
            return None;
        }
        Some(fetched)
    }

    /// One of `{ file = ".." }`, `{ systemd = "name" }` and `{ command = ["program", "argument"] }`.
    fn source<'n>(self, found: Found<'n, DeValue<'_>>) -> Option<Found<'n, SecretSource>> {
        let place = found.place();
        let mut table = found.table(place.key)?;
        let file = table.take("file").map(|file| self.file(file));
        let systemd = table.take("systemd").map(|name| self.systemd(name));
        let command = table.take("command").map(command);
        table.finish();
        let mut given = [file, systemd, command].into_iter().flatten();
        let (Some(source), None) = (given.next(), given.next()) else {
            place.wrong(format!("`{}` needs exactly one of `file`, `systemd` and `command`", place.key), None);
            return None;
        };
        source.map(|source| place.with(source))
    }

    fn file(self, found: Found<'_, DeValue<'_>>) -> Option<SecretSource> {
        Some(SecretSource::File(self.path(&found.text()?.value)))
    }

    fn systemd(self, found: Found<'_, DeValue<'_>>) -> Option<SecretSource> {
        let directory = self.world.credentials_directory.clone();
        Some(SecretSource::Systemd { name: found.text()?.value, directory })
    }
}

/// The content of a file, and whether others than root and we could change it.
fn read_public(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    let mut file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    let ours = metadata.uid() == 0 || metadata.uid() == rustix::process::geteuid().as_raw();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((bytes, metadata.mode() & 0o022 != 0 || !ours))
}

fn command(found: Found<'_, DeValue<'_>>) -> Option<SecretSource> {
    Some(SecretSource::Command(found.texts()?.into_iter().map(|word| word.value).collect()))
}

impl<'n> Fetched<'n> {
    fn of(source: Found<'n, SecretSource>, loaded: Result<Secret, SecretError>) -> Option<Self> {
        match loaded {
            Ok(secret) => Some(Self { source, secret }),
            Err(error) => {
                source.wrong(format!("`{}`: {}", source.key, with_causes(&error)), error.hint());
                None
            }
        }
    }

    /// What `parse` makes of the secret; its error is the mistake.
    pub fn parse<T, E: Explain>(&self, parse: impl FnOnce(&Secret) -> Result<T, E>) -> Option<T> {
        match parse(&self.secret) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.wrong(&with_causes(&error), error.hint());
                None
            }
        }
    }

    pub fn wrong(&self, message: &str, hint: Option<String>) {
        let Found { key, value: source, .. } = &self.source;
        self.source.wrong(format!("`{key}`: {source}: {message}"), hint);
    }
}
