//! Opens the folder. It is listed and entered immediately, so that an unusable folder is an error at the start and
//! not of every call.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use cap_fs_ext::MetadataExt as _;
use cap_std::fs::Dir;

/// The folder cannot be served.
#[derive(Debug)]
pub struct OpenError {
    root: PathBuf,
    step: OpenStep,
    error: io::Error,
}

/// A step of [`open`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpenStep {
    Open,
    List,
}

/// Opens the folder `root` and checks that it can be used. This uses the whole file system.
pub(super) fn open(root: &Path) -> Result<Dir, OpenError> {
    let failed = |step| move |error| OpenError { root: root.to_owned(), step, error };
    let dir = Dir::open_ambient_dir(root, cap_std::ambient_authority()).map_err(failed(OpenStep::Open))?;
    // A handle can be opened for every directory, whatever its permissions, so this lists it.
    list(&dir).map_err(failed(OpenStep::List))?;
    Ok(dir)
}

/// Reads the first name of `dir`, which needs the permissions to read and to search it.
fn list(dir: &Dir) -> io::Result<()> {
    dir.entries()?.next().transpose().map(drop)
}

/// Returns whether an open directory was deleted. Its handle stays valid, and shows an empty directory.
pub(super) fn is_deleted(dir: &Dir) -> bool {
    dir.dir_metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

impl OpenError {
    /// Creates the error for other failures of the system at `root`.
    pub(super) fn new(root: &Path, error: io::Error) -> OpenError {
        OpenError { root: root.to_owned(), step: OpenStep::Open, error }
    }

    /// Returns the kind of the system's error, which shows whether a retry may help.
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = self.root.display();
        match (self.error.kind(), self.step) {
            (io::ErrorKind::NotFound, _) => {
                write!(f, "the folder {root} does not exist; create it, or name another one")
            }
            (io::ErrorKind::NotADirectory, _) => {
                write!(f, "{root} is not a folder; name the folder that it is in, or another one")
            }
            (io::ErrorKind::PermissionDenied, OpenStep::Open) => write!(
                f,
                "the account that runs this server may not reach the folder {root}; give it the permission to \
                 search (x) every parent folder, or name another one"
            ),
            (io::ErrorKind::PermissionDenied, OpenStep::List) => write!(
                f,
                "the account that runs this server may not list the folder {root}; give it the permissions to \
                 read and search (rx), or name another one"
            ),
            _ => write!(f, "the folder {root} cannot be opened: {}", self.error),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An administrator may list everything, so the errors of permissions are made by hand.
    #[test]
    fn an_error_names_the_folder_and_the_next_step() {
        let table = [
            (io::ErrorKind::NotFound, OpenStep::Open, "create it"),
            (io::ErrorKind::NotFound, OpenStep::List, "create it"),
            (io::ErrorKind::NotADirectory, OpenStep::Open, "name the folder that it is in"),
            (io::ErrorKind::PermissionDenied, OpenStep::Open, "search (x) every parent folder"),
            (io::ErrorKind::PermissionDenied, OpenStep::List, "read and search (rx)"),
            (io::ErrorKind::TimedOut, OpenStep::List, "cannot be opened"),
        ];
        for (kind, step, expected) in table {
            let message = OpenError { root: "/srv/notes".into(), step, error: kind.into() }.to_string();
            assert!(message.contains("/srv/notes") && message.contains(expected), "{message}");
        }
    }
}
