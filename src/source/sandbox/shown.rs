//! shown: whom root becomes, and which folders of PostgreSQL's programs a sandbox may show.

use super::CageError;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

/// One line of /etc/passwd.
struct Account {
    user: User,
    home: PathBuf,
}

impl User {
    /// PostgreSQL's own user, else nobody.
    pub fn other_than_root() -> Result<Self, CageError> {
        let failed = |source| CageError::Machine { step: "reading /etc/passwd", source };
        let accounts = accounts().map_err(failed)?;
        let named = |name: &str| accounts.iter().map(|account| &account.user).find(|user| user.name == name);
        let found = ["postgres", "nobody"].iter().find_map(|name| named(name).filter(|user| user.uid != 0));
        found.cloned().ok_or(CageError::NoUser)
    }
}

fn accounts() -> io::Result<Vec<Account>> {
    let text = fs::read("/etc/passwd")?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(account).collect())
}

fn account(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.split(':').collect();
    let user = User {
        name: fields.first()?.to_string(),
        uid: fields.get(2)?.parse().ok()?,
        gid: fields.get(3)?.parse().ok()?,
    };
    Some(Account { user, home: PathBuf::from(fields.get(5)?) })
}

/// What a sandbox must show for the PostgreSQL programs in `folder` to run: nothing more than /usr where they are there;
/// else the `usr` that they were unpacked with, or `bin`, `lib` and `share` of their own prefix. Never a home, and never
/// a folder that holds one.
pub fn home_of_programs(folder: &Path) -> Result<Vec<PathBuf>, CageError> {
    let failed = |source| CageError::Machine { step: "looking at PostgreSQL's folder", source };
    let folder = folder.canonicalize().map_err(failed)?;
    let homes: Vec<PathBuf> = accounts().map_err(failed)?.into_iter().map(|account| account.home).collect();
    shown_for(&folder, &homes)
}

fn shown_for(folder: &Path, homes: &[PathBuf]) -> Result<Vec<PathBuf>, CageError> {
    if folder.starts_with("/usr") {
        return Ok(Vec::new());
    }
    let mut above = folder.ancestors();
    let unpacked = above.find(|path| path.ends_with("usr") && folder.starts_with(path.join("lib/postgresql")));
    let shown: Vec<PathBuf> = match (unpacked, folder.parent()) {
        (Some(usr), _) => vec![usr.to_owned()],
        (None, Some(prefix)) => ["bin", "lib", "lib64", "share"].iter().map(|name| prefix.join(name)).collect(),
        (None, None) => return Err(CageError::Exposed { folder: folder.to_owned(), shown: "/".into() }),
    };
    let is_prefix_home = |home: &PathBuf| unpacked.is_none() && folder.parent() == Some(home);
    let holds_home =
        |path: &&PathBuf| path.parent() == Some(Path::new("/")) || homes.iter().any(|home| home.starts_with(path));
    let exposed = homes.iter().find(|home| is_prefix_home(home)).or_else(|| shown.iter().find(holds_home));
    match exposed {
        Some(exposed) => Err(CageError::Exposed { folder: folder.to_owned(), shown: exposed.clone() }),
        None => Ok(shown.into_iter().filter(|path| path.is_dir()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_home_is_ever_shown() {
        let homes = ["/root", "/home/dev", "/var/lib/postgresql", "/usr/games", "/nonexistent"].map(PathBuf::from);
        let exposed = |folder: &str| match shown_for(Path::new(folder), &homes) {
            Err(CageError::Exposed { shown, .. }) => shown,
            other => panic!("{folder}: {other:?}"),
        };
        assert_eq!(shown_for(Path::new("/usr/lib/postgresql/15/bin"), &homes).unwrap(), Vec::<PathBuf>::new());
        assert_eq!(exposed("/home/dev/bin"), Path::new("/home/dev"));
        assert_eq!(exposed("/root/bin"), Path::new("/root"));
        assert_eq!(exposed("/"), Path::new("/"));
        assert_eq!(exposed("/bin"), Path::new("/bin"));
        assert_eq!(exposed("/var/bin"), Path::new("/var/lib"));
    }

    #[test]
    fn an_unpacked_package_shows_its_usr_and_a_build_its_own_folders() {
        let scratch = tempfile::tempdir().unwrap();
        for folder in ["deb/usr/lib/postgresql/17/bin", "deb/etc", "built/bin", "built/share", "built/secrets"] {
            fs::create_dir_all(scratch.path().join(folder)).unwrap();
        }
        let shown = |folder: &str| home_of_programs(&scratch.path().join(folder)).unwrap();
        let below = |names: &[&str]| names.iter().map(|name| scratch.path().join(name)).collect::<Vec<_>>();
        assert_eq!(shown("deb/usr/lib/postgresql/17/bin"), below(&["deb/usr"]));
        assert_eq!(shown("built/bin"), below(&["built/bin", "built/share"]));
    }
}
