//! Git repositories for a language model: history, differences, state and search, and (only if allowed) commits.
//!
//! Repositories are opened without the configuration of the machine and without trust in their own: no filter, hook,
//! pager or signing program of a repository runs. Each call opens the repository and checks that its git directory,
//! its work tree and the object stores that it borrows from are below a root. Invariant: nothing is fetched or pushed.
//!
//! [`Git`] blocks: call it from a thread that may block. It does not depend on MCP; [`server`] makes an MCP server of
//! it.

mod blame;
mod change;
mod commit;
mod content;
mod error;
mod history;
mod open;
mod patch;
mod path;
mod reference;
mod search;
mod serve;
mod show;
mod status;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use blame::{BlameHunk, BlameRequest, BlameResult};
pub use change::{GitChange, GitChangeKind};
pub use commit::{CommitRequest, CommitResult};
pub use error::{GitError, GitOpenError};
pub use history::{GitCommit, GitPerson, LogRequest, LogResult};
pub use open::GitRepositoryEntry;
pub use patch::{DiffRequest, DiffResult};
pub use reference::{GitReference, GitReferences};
pub use search::{SearchMatch, SearchRequest, SearchResult};
pub use serve::server;
pub use show::{GitFile, ReadFileRequest, ShowResult};
pub use status::{GitStatus, StatusEntry};

/// The repositories below some folders. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Git {
    /// The canonical paths of the folders.
    roots: Arc<[PathBuf]>,
    options: GitOptions,
}

/// The permissions and limits of repositories.
#[derive(Debug, Clone, Default)]
pub struct GitOptions {
    /// The author of commits; `None` if there are none.
    pub author: Option<GitAuthor>,
    /// The bounds.
    pub limits: GitLimits,
}

/// The author of commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitAuthor {
    /// The name.
    pub name: String,
    /// The mail address.
    pub email: String,
}

/// The bounds of one call.
#[derive(Debug, Clone)]
pub struct GitLimits {
    /// The maximum number of commits, references, matches and changed files of a result (1000).
    pub entries: usize,
    /// The maximum number of bytes of a patch or of the content of a file (1 MiB).
    pub bytes: usize,
    /// The maximum number of bytes of a file that is compared or searched (8 MiB).
    pub file: u64,
    /// The time limit of one call (30 s).
    pub time: Duration,
    /// The maximum number of running calls (4).
    pub running: usize,
    /// The maximum number of waiting calls; further ones are refused (64).
    pub waiting: usize,
}

impl Default for GitLimits {
    fn default() -> GitLimits {
        GitLimits {
            entries: 1000,
            bytes: 1 << 20,
            file: 8 << 20,
            time: Duration::from_secs(30),
            running: 4,
            waiting: 64,
        }
    }
}

impl GitAuthor {
    /// Reads `Name <mail@example.com>`.
    pub fn parse(text: &str) -> Option<GitAuthor> {
        let (name, rest) = text.split_once('<')?;
        let (name, email) = (name.trim(), rest.trim_end().strip_suffix('>')?.trim());
        let is_plain = |text: &str| !text.is_empty() && !text.contains(['<', '>', '\n', '\r', '\0']);
        (is_plain(name) && is_plain(email))
            .then(|| GitAuthor { name: name.to_owned(), email: email.to_owned() })
    }
}

impl Git {
    /// Opens the folders `roots`: each is a repository, or has repositories below it.
    pub fn open<P: AsRef<Path>>(roots: &[P], options: GitOptions) -> Result<Git, GitOpenError> {
        let canonical = |root: &P| {
            let root = root.as_ref();
            let canonical = std::fs::canonicalize(root).map_err(|error| GitOpenError::new(root, &error))?;
            std::fs::read_dir(&canonical).map_err(|error| GitOpenError::new(root, &error))?;
            Ok(canonical)
        };
        let roots = roots.iter().map(canonical).collect::<Result<Arc<[PathBuf]>, GitOpenError>>()?;
        Ok(Git { roots, options })
    }

    /// Returns the bounds.
    pub fn limits(&self) -> &GitLimits {
        &self.options.limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_are_read() {
        for (text, expected) in [
            ("Ada Lovelace <ada@example.com>", Some(("Ada Lovelace", "ada@example.com"))),
            (" Ada < ada@example.com > ", Some(("Ada", "ada@example.com"))),
            ("ada@example.com", None),
            ("<ada@example.com>", None),
            ("Ada <>", None),
            ("Ada <a> <b>", None),
            ("Ada\nBob <a@b>", None),
        ] {
            let author = GitAuthor::parse(text);
            let parts = author.as_ref().map(|author| (author.name.as_str(), author.email.as_str()));
            assert_eq!(parts, expected, "{text}");
        }
    }
}
