//! The errors of git calls, written for a language model: each names the cause and the next step.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The reason why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GitError {
    /// The request does not fit; the text says how to write it.
    BadRequest(String),
    /// A repository, or a part of it, is not below a root.
    Outside(String),
    /// The call took longer than it may, or the caller has gone.
    Time,
    /// The repository cannot be read.
    Repository(String),
}

impl GitError {
    pub(super) fn bad(message: impl Into<String>) -> GitError {
        GitError::BadRequest(message.into())
    }
}

impl From<gix::Error> for GitError {
    fn from(error: gix::Error) -> GitError {
        GitError::Repository(error.to_string())
    }
}

impl From<io::Error> for GitError {
    fn from(error: io::Error) -> GitError {
        GitError::Repository(error.to_string())
    }
}

impl fmt::Display for GitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GitError::BadRequest(message) => f.write_str(message),
            GitError::Outside(part) => write!(
                f,
                "{part} is outside of the folders that this server may read; a user has to add it to the configuration"
            ),
            GitError::Time => f.write_str(
                "it took longer than a call may; name a path, a shorter range of revisions or lines",
            ),
            GitError::Repository(message) => write!(f, "the repository cannot be read: {message}"),
        }
    }
}

impl std::error::Error for GitError {}

/// A folder cannot be served.
#[derive(Debug)]
pub struct GitOpenError {
    root: PathBuf,
    kind: io::ErrorKind,
    reason: String,
}

impl GitOpenError {
    pub(super) fn new(root: &Path, error: &io::Error) -> GitOpenError {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "it does not exist; name another one".to_owned(),
            io::ErrorKind::NotADirectory => "it is not a folder; name the folder that it is in".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "the account that runs this server may not list it; give it the permission".to_owned()
            }
            _ => format!("it cannot be opened: {error}"),
        };
        GitOpenError { root: root.to_owned(), kind: error.kind(), reason }
    }

    /// Returns the kind of the system's error.
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }
}

impl fmt::Display for GitOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the folder {}: {}", self.root.display(), self.reason)
    }
}

impl std::error::Error for GitOpenError {}
