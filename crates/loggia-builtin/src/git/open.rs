//! Opens repositories, and checks that each part of them is below a root.

use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use gix::open::Options;
use gix::sec::Trust;
use loggia::JsonSchema;
use serde::Serialize;

use super::{Git, GitError};
use crate::blocking::CallDeadline;

/// The memory for objects that a call reads again, in bytes.
const OBJECT_CACHE: usize = 32 << 20;

/// The levels of folders below a root that are searched for repositories.
const SEARCH_DEPTH: usize = 3;

/// The maximum number of folders that are searched for repositories.
const MOST_FOLDERS: usize = 5000;

/// The maximum number of object stores that a repository borrows from.
const MOST_ALTERNATES: usize = 8;

/// The longest revision, in bytes.
const MOST_REVISION: usize = 512;

/// The parts of a git directory, any of which could be a link.
const PARTS: &[&str] = &[
    "HEAD",
    "config",
    "index",
    "info",
    "logs",
    "objects",
    "objects/info",
    "objects/pack",
    "packed-refs",
    "refs",
    "refs/heads",
    "refs/tags",
    "shallow",
    "worktrees",
];

/// A repository below a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GitRepositoryEntry {
    /// The path, for the argument repository
    pub path: String,
    /// The branch that is checked out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// True if it has no work tree
    pub bare: bool,
}

/// A repository that is open for one call.
pub(super) struct OpenRepository {
    pub(super) repo: gix::Repository,
    pub(super) deadline: CallDeadline,
}

impl Git {
    /// Returns the repositories below the roots.
    pub(super) fn repositories(&self, deadline: &CallDeadline) -> Result<Vec<GitRepositoryEntry>, GitError> {
        let mut found = Vec::new();
        for path in self.repository_paths(deadline)? {
            // A repository that cannot be opened is not one of this server.
            let Ok(open) = self.open_path(&path, deadline) else { continue };
            let branch = open.repo.head_name().ok().flatten();
            let branch = branch.map(|name| name.shorten().to_str_lossy().into_owned());
            found.push(GitRepositoryEntry { path: self.shown(&path), branch, bare: open.repo.is_bare() });
        }
        Ok(found)
    }

    /// Opens the repository that a caller names; without a name, the only one.
    pub(super) fn open_repository(
        &self,
        name: Option<&str>,
        deadline: &CallDeadline,
    ) -> Result<OpenRepository, GitError> {
        if let Some(name) = name {
            let joined = self.roots.iter().map(|root| root.join(name)).find(|path| path.is_dir());
            let path = joined.and_then(|path| fs::canonicalize(path).ok());
            let path = path.filter(|path| self.is_inside(path)).ok_or_else(|| {
                GitError::bad(format!("there is no repository {name:?}; the tool repositories lists them"))
            })?;
            return self.open_path(&path, deadline);
        }
        if let [root] = &*self.roots
            && is_repository(root)
        {
            return self.open_path(root, deadline);
        }
        match self.repository_paths(deadline)?.as_slice() {
            [path] => self.open_path(path, deadline),
            [] => Err(GitError::bad("there is no git repository in the folders of this server")),
            paths => {
                let names: Vec<String> = paths.iter().take(20).map(|path| self.shown(path)).collect();
                Err(GitError::bad(format!("name the repository: {}", names.join(", "))))
            }
        }
    }

    fn open_path(&self, path: &Path, deadline: &CallDeadline) -> Result<OpenRepository, GitError> {
        // Sections of a configuration that is not trusted name no programs to run.
        let options = Options::isolated().with(Trust::Reduced).strict_config(false);
        let repo = options
            .open(path)
            .map_err(|error| GitError::bad(format!("{} is no git repository: {error}", self.shown(path))))?;
        let mut repo = repo.to_thread_local();
        self.check(&repo)?;
        repo.object_cache_size(OBJECT_CACHE);
        Ok(OpenRepository { repo, deadline: deadline.clone() })
    }

    /// Fails if a part of the repository is not below a root.
    fn check(&self, repo: &gix::Repository) -> Result<(), GitError> {
        let outside = |part: &str| GitError::Outside(part.to_owned());
        let check = |path: &Path, part: &str| match fs::canonicalize(path) {
            Ok(path) if self.is_inside(&path) => Ok(()),
            Ok(_) => Err(outside(part)),
            // A part that is not there leads nowhere; a link that leads nowhere may lead somewhere later.
            Err(_) if fs::symlink_metadata(path).is_err() => Ok(()),
            Err(_) => Err(outside(part)),
        };
        check(repo.git_dir(), "the git directory")?;
        check(repo.common_dir(), "the git directory of the main work tree")?;
        if let Some(work_dir) = repo.workdir() {
            check(work_dir, "the work tree")?;
        }
        for part in PARTS {
            check(&repo.git_dir().join(part), part)?;
            check(&repo.common_dir().join(part), part)?;
        }
        let mut stores = vec![repo.common_dir().join("objects")];
        let mut next = 0;
        while let Some(store) = stores.get(next).cloned() {
            next += 1;
            let Ok(alternates) = fs::read(store.join("info/alternates")) else { continue };
            for line in alternates.lines().filter(|line| !line.is_empty() && !line.starts_with(b"#")) {
                let borrowed = store.join(line.to_path_lossy());
                check(&borrowed, "an object store that it borrows from")?;
                if stores.len() > MOST_ALTERNATES {
                    return Err(GitError::bad("the repository borrows from too many object stores"));
                }
                stores.push(borrowed);
            }
        }
        Ok(())
    }

    fn is_inside(&self, canonical: &Path) -> bool {
        self.roots.iter().any(|root| canonical.starts_with(root))
    }

    /// Returns the name of a repository: its path below its root, or the whole path.
    fn shown(&self, path: &Path) -> String {
        let below = self.roots.iter().find_map(|root| path.strip_prefix(root).ok());
        match below.filter(|_| self.roots.len() == 1) {
            Some(below) if below.as_os_str().is_empty() => ".".to_owned(),
            Some(below) => below.display().to_string(),
            None => path.display().to_string(),
        }
    }

    /// Returns the paths of repositories: the roots, and folders below them.
    fn repository_paths(&self, deadline: &CallDeadline) -> Result<Vec<PathBuf>, GitError> {
        let mut found = Vec::new();
        let mut seen = 0;
        let mut folders: Vec<(PathBuf, usize)> = self.roots.iter().map(|root| (root.clone(), 0)).collect();
        while let Some((folder, depth)) = folders.pop() {
            seen += 1;
            if deadline.is_over() || seen > MOST_FOLDERS {
                break;
            }
            if is_repository(&folder) {
                found.push(folder);
                continue;
            }
            if depth >= SEARCH_DEPTH {
                continue;
            }
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            let below = entries.filter_map(Result::ok).filter(|entry| {
                let is_folder = entry.file_type().is_ok_and(|file_type| file_type.is_dir());
                is_folder && !entry.file_name().as_encoded_bytes().starts_with(b".")
            });
            folders.extend(below.map(|entry| (entry.path(), depth + 1)));
        }
        found.sort();
        Ok(found)
    }
}

/// Returns whether a folder looks like a work tree or a bare repository.
fn is_repository(folder: &Path) -> bool {
    let is_bare =
        || folder.join("HEAD").is_file() && folder.join("objects").is_dir() && folder.join("refs").is_dir();
    folder.join(".git").exists() || is_bare()
}

impl OpenRepository {
    /// Fails if the time is over, or the caller has gone.
    pub(super) fn check_time(&self) -> Result<(), GitError> {
        if self.deadline.is_over() { Err(GitError::Time) } else { Ok(()) }
    }

    /// Converts an error of the library: of one that the deadline caused, the cause is the time.
    pub(super) fn failed(&self, error: gix::Error) -> GitError {
        if self.deadline.is_over() { GitError::Time } else { error.into() }
    }

    /// Resolves a revision to a commit; without one, `HEAD`.
    pub(super) fn commit_id(&self, revision: Option<&str>) -> Result<ObjectId, GitError> {
        let revision = revision.map_or("HEAD", str::trim);
        // These two forms search the messages of the whole history.
        let is_search = revision.starts_with(":/") || revision.contains("^{/");
        if revision.is_empty() || revision.len() > MOST_REVISION || is_search || revision.starts_with('-') {
            return Err(GitError::bad(format!(
                "{revision:?} is no revision: write a branch, a tag, an id, HEAD~2 or main@{{1}}; the tool log searches messages"
            )));
        }
        let unborn = || self.repo.head().is_ok_and(|head| head.is_unborn());
        let found = self.repo.rev_parse_single(revision).map_err(|error| {
            if revision == "HEAD" && unborn() {
                return GitError::bad("the repository has no commit yet");
            }
            GitError::bad(format!(
                "there is no revision {revision:?} ({error}); the tool references lists branches and tags"
            ))
        })?;
        let object = found.object().map_err(|error| self.failed(error))?;
        let commit = object.peel_to_kind(gix::object::Kind::Commit).map_err(|_| {
            GitError::bad(format!("{revision:?} is no commit; name the path in an argument of its own"))
        })?;
        Ok(commit.id)
    }
}
