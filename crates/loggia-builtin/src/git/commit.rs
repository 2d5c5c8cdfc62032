//! Commits of files of the work tree, as `git commit --only -- PATHS` makes them: other changes of the index stay
//! staged. Invariant: the branch moves only from the commit that was read, the index is locked meanwhile, and no hook
//! or signing program runs.

use std::io::Write as _;
use std::time::Duration;

use cap_std::fs::Dir;
use gix::ObjectId;
use gix::actor::Signature;
use gix::bstr::BString;
use gix::index::entry::{Flags, Mode, Stage, Stat};
use gix::lock::acquire::Fail;
use gix::objs::tree::EntryKind;
use loggia::JsonSchema;
use serde::Serialize;

use super::change::GitChangeKind;
use super::content::FileContent;
use super::open::OpenRepository;
use super::path::RepoPath;
use super::{Git, GitAuthor, GitError};
use crate::blocking::CallDeadline;

/// The time that a commit waits for the lock of the index.
const LOCK_TIME: Duration = Duration::from_secs(2);

/// The longest message, in bytes.
const MOST_MESSAGE: usize = 64 << 10;

/// A request for a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitRequest {
    /// The message.
    pub message: String,
    /// The files; one that is not in the work tree is deleted.
    pub paths: Vec<String>,
    /// True to add all changed files that git tracks.
    pub all: bool,
}

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CommitResult {
    /// The id
    pub commit: String,
    /// The branch; absent if HEAD is no branch
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The files that the commit changed
    pub files: Vec<String>,
}

/// A file as it is committed; `None` if it is deleted.
struct CommittedFile {
    path: RepoPath,
    content: Option<(EntryKind, ObjectId, Stat)>,
}

impl Git {
    /// Commits files of the work tree.
    pub(super) fn commit_files(
        &self,
        repository: Option<&str>,
        request: &CommitRequest,
        deadline: &CallDeadline,
    ) -> Result<CommitResult, GitError> {
        let author =
            self.options.author.as_ref().ok_or_else(|| GitError::bad("this server makes no commits"))?;
        let message = request.message.trim();
        if message.is_empty() || message.len() > MOST_MESSAGE || message.contains('\0') {
            return Err(GitError::bad(format!(
                "a message has at least one character, and at most {MOST_MESSAGE} bytes"
            )));
        }
        let open = self.open_repository(repository, deadline)?;
        if let Some(state) = open.repo.state() {
            return Err(GitError::bad(format!("a user has to finish the {state:?} first")));
        }
        let paths = open.committed_paths(request)?;
        open.commit_paths(author, message, paths, self.limits().file)
    }
}

impl OpenRepository {
    /// Returns the paths to commit.
    fn committed_paths(&self, request: &CommitRequest) -> Result<Vec<RepoPath>, GitError> {
        let mut paths =
            request.paths.iter().map(|path| RepoPath::parse(path)).collect::<Result<Vec<_>, GitError>>()?;
        if request.all {
            for entry in self.changed_files(None, &RepoPath::parse("")?)? {
                let is_conflict = entry.unstaged == Some(GitChangeKind::Conflicted);
                if is_conflict {
                    return Err(GitError::bad(format!(
                        "{:?} has a conflict that a user has to resolve",
                        entry.path
                    )));
                }
                if entry.unstaged != Some(GitChangeKind::Untracked) {
                    paths.push(RepoPath::parse(&entry.path)?);
                    let old = entry.old_path.filter(|_| entry.staged == Some(GitChangeKind::Renamed));
                    paths.extend(old.map(|old| RepoPath::parse(&old)).transpose()?);
                }
            }
        }
        paths.sort();
        paths.dedup();
        if paths.is_empty() || paths.iter().any(RepoPath::is_top) {
            return Err(GitError::bad(
                "name the files in paths, or set all; the tool status lists changed files",
            ));
        }
        Ok(paths)
    }

    fn commit_paths(
        &self,
        author: &GitAuthor,
        message: &str,
        paths: Vec<RepoPath>,
        most: u64,
    ) -> Result<CommitResult, GitError> {
        let failed = |error| self.failed(error);
        let index_path = self.repo.index_path();
        let mut lock = gix::lock::File::acquire_to_update_resource(
            &index_path,
            Fail::AfterDurationWithBackoff(LOCK_TIME),
            None,
            0o666,
        )
        .map_err(|_| {
            GitError::bad("another program holds the lock of the index; nothing was committed, try again")
        })?;
        let mut index = match index_path.exists() {
            true => self.repo.open_index().map_err(failed)?,
            false => {
                gix::index::File::from_state(gix::index::State::new(self.repo.object_hash()), index_path)
            }
        };
        let parent = self.repo.head_id().ok().map(gix::Id::detach);
        let tree = match parent {
            Some(parent) => self.commit(parent)?.tree_id().map_err(failed)?.detach(),
            None => self.repo.empty_tree().id,
        };
        let files = self.committed_files(paths, parent, &index, most)?;
        let mut editor = self.repo.edit_tree(tree).map_err(failed)?;
        for CommittedFile { path, content } in &files {
            match content {
                Some((kind, id, _)) => editor.upsert(path.as_str(), *kind, *id).map(drop).map_err(failed)?,
                None => editor.remove(path.as_str()).map(drop).map_err(failed)?,
            }
            set_entry(&mut index, path, content.as_ref());
        }
        let new_tree = editor.write().map_err(failed)?.detach();
        if new_tree == tree {
            return Err(GitError::bad("these files are as in the last commit; nothing was committed"));
        }
        index.sort_entries();
        index.remove_tree();
        self.check_time()?;
        write_index(&index, &mut lock)?;
        let time = gix::date::Time::now_local_or_utc();
        let signature =
            Signature { name: author.name.as_str().into(), email: author.email.as_str().into(), time };
        let mut buffer = gix::date::parse::TimeBuf::default();
        let signature = signature.to_ref(&mut buffer);
        let message = format!("{message}\n");
        let id = self.repo.commit_as(signature, signature, "HEAD", message, new_tree, parent).map_err(
            |error| {
                GitError::bad(format!(
                    "the branch was moved meanwhile, or it is locked: {error}; nothing was committed"
                ))
            },
        )?;
        lock.commit().map_err(|error| {
            GitError::Repository(format!("commit {id} was made, but the index was not updated: {error}"))
        })?;
        let branch = self.repo.head_name().map_err(failed)?;
        Ok(CommitResult {
            commit: id.to_string(),
            branch: branch.map(|name| name.shorten().to_string()),
            files: files.iter().map(|file| file.path.as_str().to_owned()).collect(),
        })
    }

    /// Writes the files as blobs.
    fn committed_files(
        &self,
        paths: Vec<RepoPath>,
        parent: Option<ObjectId>,
        index: &gix::index::File,
        most: u64,
    ) -> Result<Vec<CommittedFile>, GitError> {
        let work_tree = self.work_tree()?;
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let is_committed = match parent {
                Some(parent) => self.tree_entry(parent, &path)?.is_some_and(|(mode, _)| !mode.is_tree()),
                None => false,
            };
            let content = self.written(&work_tree, &path, is_committed, index, most)?;
            files.push(CommittedFile { path, content });
        }
        Ok(files)
    }

    fn written(
        &self,
        work_tree: &Dir,
        path: &RepoPath,
        is_committed: bool,
        index: &gix::index::File,
        most: u64,
    ) -> Result<Option<(EntryKind, ObjectId, Stat)>, GitError> {
        let known = index.entry_by_path(path.to_bstring().as_ref());
        if known.is_some_and(|entry| entry.mode == Mode::COMMIT) {
            return Err(GitError::bad(format!(
                "{:?} is a submodule; commit in its own repository",
                path.as_str()
            )));
        }
        let Some((kind, content)) = self.work_file(work_tree, path, most)? else {
            let is_there = work_tree.symlink_metadata(path.as_path()).is_ok();
            return match is_committed || known.is_some() {
                true if !is_there => Ok(None),
                _ if is_there => {
                    Err(GitError::bad(format!("{:?} is no file; name the files in it", path.as_str())))
                }
                _ => Err(GitError::bad(format!("there is no file {:?}", path.as_str()))),
            };
        };
        if known.is_none() && self.is_ignored(path)? {
            return Err(GitError::bad(format!("a .gitignore excludes {:?}", path.as_str())));
        }
        let FileContent::Bytes(bytes) = content else {
            return Err(GitError::bad(format!("{:?} is larger than {most} bytes", path.as_str())));
        };
        let id = self.repo.write_blob(bytes).map_err(|error| self.failed(error))?.detach();
        // Without its times, git compares the content at the next status and stores them.
        Ok(Some((kind, id, Stat::default())))
    }

    fn is_ignored(&self, path: &RepoPath) -> Result<bool, GitError> {
        let failed = |error| self.failed(error);
        let index = self.repo.index_or_empty().map_err(failed)?;
        let source = gix::worktree::stack::state::ignore::Source::WorktreeThenIdMappingIfNotSkipped;
        let mut excludes = self.repo.excludes(&index, None, source).map_err(failed)?;
        let platform = excludes.at_entry(path.as_str(), Some(Mode::FILE))?;
        Ok(platform.is_excluded())
    }
}

/// Replaces the entry of a path; the stages of a conflict go.
fn set_entry(index: &mut gix::index::File, path: &RepoPath, content: Option<&(EntryKind, ObjectId, Stat)>) {
    let name: BString = path.to_bstring();
    index.remove_entries(|_, found, _| found == name);
    let Some((kind, id, stat)) = content else { return };
    let mode = match kind {
        EntryKind::BlobExecutable => Mode::FILE_EXECUTABLE,
        EntryKind::Link => Mode::SYMLINK,
        _ => Mode::FILE,
    };
    index.dangerously_push_entry(*stat, *id, Flags::from_stage(Stage::Unconflicted), mode, name.as_ref());
}

fn write_index(index: &gix::index::File, lock: &mut gix::lock::File) -> Result<(), GitError> {
    let mut bytes = Vec::new();
    index
        .write_to(&mut bytes, gix::index::write::Options::default())
        .map_err(|error| GitError::Repository(error.to_string()))?;
    Ok(lock.with_mut(|file| file.write_all(&bytes))?)
}
