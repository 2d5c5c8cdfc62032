//! Changes of clients' files: shown as a diff, and applied as a whole. A file that is a link stays one.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use similar::TextDiff;

use super::error::ClientError;
use crate::file_text::replace_file;

/// The longest file that is read. Some applications keep the history of their sessions in it.
const LONGEST: u64 = 64 << 20;
/// Most links that are followed.
const LINKS: usize = 16;
/// Lines around a change in a diff.
const CONTEXT: usize = 3;

/// A change of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The file.
    pub path: PathBuf,
    /// Its text before; `None` where there is no file.
    pub(super) before: Option<String>,
    /// Its text after; `None` where it is deleted.
    pub(super) after: Option<String>,
}

impl FileChange {
    /// Returns the change as a unified diff, with its path as it is.
    pub fn diff(&self) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (before, after) = (text(&self.before), text(&self.after));
        let name = |text: &Option<String>| match text {
            Some(_) => self.path.display().to_string(),
            None => "/dev/null".to_owned(),
        };
        let diff = TextDiff::from_lines(&before, &after);
        diff.unified_diff()
            .context_radius(CONTEXT)
            .header(&name(&self.before), &name(&self.after))
            .to_string()
    }

    /// Writes the file. Returns the folders that were made for it, the outermost first.
    pub(super) fn apply(&self) -> Result<Vec<PathBuf>, ClientError> {
        let fail = |error: io::Error| ClientError::unwritable(&self.path, &error);
        if read(&self.path)? != self.before {
            return Err(ClientError::ChangedFile(self.path.clone()));
        }
        let target = link_target(&self.path);
        let Some(after) = &self.after else {
            fs::remove_file(&target).map_err(fail)?;
            return Ok(Vec::new());
        };
        let missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let mut folders: Vec<PathBuf> =
            target.ancestors().skip(1).take_while(missing).map(Path::to_owned).collect();
        folders.reverse();
        if let Some(folder) = folders.last() {
            fs::create_dir_all(folder).map_err(fail)?;
        }
        replace_file(&target, after).map_err(fail)?;
        Ok(folders)
    }
}

/// Reads a file; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, ClientError> {
    let read = || {
        let mut text = String::new();
        fs::File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
        match text.len() as u64 > LONGEST {
            true => Err(io::Error::other("it is longer than 64 MiB")),
            false => Ok(text),
        }
    };
    match read() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ClientError::unreadable(path, &error)),
    }
}

/// Follows links, also to a file that does not exist.
fn link_target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map_or(target.clone(), |folder| folder.join(&target));
    }
    path
}

impl fmt::Debug for FileChange {
    /// The texts may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileChange").field("path", &self.path).finish_non_exhaustive()
    }
}
