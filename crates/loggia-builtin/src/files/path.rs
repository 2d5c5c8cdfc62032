//! Paths of callers in one normal form: relative to the folder's root, with forward slashes, without `.` and `..`.
//! The form is only for clear names and errors. The operating system keeps a path inside the folder, through cap-std,
//! each time that a path is opened.
//!
//! Parsing uses [`std::path`], so back slashes and drive letters have their meaning on Windows, and are parts of a
//! name on other systems.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use super::error::{self, FilesError};

/// The maximum length of a caller's path, in bytes.
const MAX_PATH: usize = 4096;

/// A path in normal form. The root is the empty path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RelPath(String);

impl RelPath {
    /// Parses a caller's path. An absolute path must begin with one of `roots`.
    pub(super) fn parse(input: &str, roots: &[PathBuf]) -> Result<RelPath, FilesError> {
        let bad = |reason| FilesError::bad_path(input, reason);
        if input.len() > MAX_PATH {
            return Err(bad("it is longer than 4096 bytes"));
        }
        if input.contains('\0') {
            return Err(bad("it has a NUL character in it"));
        }
        let outside = || FilesError::Outside { path: error::excerpt(input) };
        let relative = strip_root(Path::new(input), roots).ok_or_else(outside)?;
        normalise(relative).map(RelPath).ok_or_else(outside)
    }

    /// Creates a path from a walk, which is in normal form already.
    pub(super) fn from_walk(path: &str) -> RelPath {
        RelPath(path.to_owned())
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the text, which is empty for the root.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path for file operations, `.` for the root.
    pub(super) fn as_path(&self) -> &Path {
        Path::new(if self.is_root() { "." } else { &self.0 })
    }

    /// Returns the last name, which is empty for the root.
    pub(super) fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the parent directory; `None` for the root.
    pub(super) fn parent(&self) -> Option<RelPath> {
        if self.is_root() {
            return None;
        }
        Some(RelPath(self.0.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned())))
    }

    pub(super) fn join(&self, name: &str) -> RelPath {
        RelPath(join(&self.0, name))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

/// Returns `directory/name`, or only the name in the root.
pub(super) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

fn strip_root<'p>(path: &'p Path, roots: &[PathBuf]) -> Option<&'p Path> {
    if path.has_root() || matches!(path.components().next(), Some(Component::Prefix(_))) {
        return roots.iter().find_map(|root| path.strip_prefix(root).ok());
    }
    Some(path)
}

/// Returns the normal form; `None` if the path goes above the root.
fn normalise(path: &Path) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str()?),
            Component::ParentDir => drop(names.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(names.join("/"))
}
