//! The state of the index and the work tree, and their differences to a commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::diff::index::Change as IndexChange;
use gix::objs::tree::EntryKind;
use gix::status::index_worktree::iter::Summary;
use gix::status::{Item, UntrackedFiles};
use loggia::JsonSchema;
use serde::Serialize;

use super::change::GitChangeKind;
use super::content::{FileContent, path_text};
use super::open::OpenRepository;
use super::patch::{ComparedFile, DiffResult, PatchWriter, change_of};
use super::path::RepoPath;
use super::{Git, GitError};
use crate::blocking::CallDeadline;

/// The time between two looks at the deadline.
const LOOK: Duration = Duration::from_millis(50);

/// A file whose state is not that of the last commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StatusEntry {
    /// The path
    pub path: String,
    /// The change between the last commit and the index
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staged: Option<GitChangeKind>,
    /// The change between the index and the work tree
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unstaged: Option<GitChangeKind>,
    /// The path before a rename
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
}

/// The state of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GitStatus {
    /// The branch that is checked out; absent if HEAD is no branch
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The last commit; absent if there is none
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The operation that is not finished, such as a merge or a rebase
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<String>,
    /// The files, by path
    pub files: Vec<StatusEntry>,
    /// A note on files that were left out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Git {
    /// Returns the state of the index and the work tree.
    pub(super) fn status(
        &self,
        repository: Option<&str>,
        path: &str,
        deadline: &CallDeadline,
    ) -> Result<GitStatus, GitError> {
        let open = self.open_repository(repository, deadline)?;
        let path = RepoPath::parse(path)?;
        let branch = open.repo.head_name().map_err(|error| open.failed(error))?;
        let commit = open.repo.head_id().ok().map(|id| id.to_string());
        let mut files = open.changed_files(None, &path)?;
        let is_more = files.len() > self.limits().entries;
        files.truncate(self.limits().entries);
        Ok(GitStatus {
            branch: branch.map(|name| name.shorten().to_str_lossy().into_owned()),
            commit,
            in_progress: open.repo.state().map(|state| format!("{state:?}")),
            files,
            note: is_more.then(|| "there are more files; name a path".to_owned()),
        })
    }

    /// Compares a commit with the index or the work tree.
    pub(super) fn work_diff(
        &self,
        open: &OpenRepository,
        from: ObjectId,
        staged: bool,
        path: &RepoPath,
        most_bytes: usize,
    ) -> Result<DiffResult, GitError> {
        let files = open.changed_files(Some(from), path)?;
        let is_more = files.len() > self.limits().entries;
        let work_tree = open.work_tree()?;
        let index = open.repo.index_or_empty().map_err(|error| open.failed(error))?;
        let most = self.limits().file;
        let mut writer = PatchWriter::new(most_bytes);
        for file in files.into_iter().take(self.limits().entries) {
            let relevant = if staged { file.staged } else { file.unstaged.or(file.staged) };
            let Some(kind) = relevant.filter(|kind| *kind != GitChangeKind::Untracked) else { continue };
            let Ok(path) = RepoPath::parse(&file.path) else { continue };
            let change = change_of(path.to_bstring().as_ref(), kind);
            if writer.is_full() {
                writer.leave_out(change);
                continue;
            }
            let side = |mode: EntryKind, id: ObjectId| match mode {
                EntryKind::Commit => Ok((mode, FileContent::Submodule(id))),
                mode => Ok::<_, GitError>((mode, open.blob(id, most)?)),
            };
            let old = open.tree_entry(from, &path)?.filter(|(mode, _)| !mode.is_tree());
            let old = old.map(|(mode, id)| side(mode.kind(), id)).transpose()?;
            let new = if staged {
                let entry = index.entry_by_path(path.to_bstring().as_ref());
                let entry = entry.and_then(|entry| Some((entry.mode.to_tree_entry_mode()?.kind(), entry.id)));
                entry.map(|(mode, id)| side(mode, id)).transpose()?
            } else {
                open.work_file(&work_tree, &path, most)?
            };
            // A change that was staged and undone in the work tree is none.
            if old == new {
                continue;
            }
            let kind = match (&old, &new) {
                (None, _) => GitChangeKind::Added,
                (_, None) => GitChangeKind::Deleted,
                _ => GitChangeKind::Modified,
            };
            writer.add(ComparedFile { change: change_of(path.to_bstring().as_ref(), kind), old, new });
        }
        Ok(writer.end(is_more))
    }
}

impl OpenRepository {
    /// Returns the files below `path` that differ between a commit (`HEAD` without one), the index and the work tree,
    /// by path.
    pub(super) fn changed_files(
        &self,
        commit: Option<ObjectId>,
        path: &RepoPath,
    ) -> Result<Vec<StatusEntry>, GitError> {
        let failed = |error| self.failed(error);
        if self.repo.workdir().is_none() {
            return Err(GitError::bad("the repository is bare: it has no work tree"));
        }
        let tree =
            commit.map(|id| self.commit(id)?.tree_id().map_err(failed).map(gix::Id::detach)).transpose()?;
        let mut files: BTreeMap<BString, StatusEntry> = BTreeMap::new();
        self.interrupted(|interrupt| {
            let platform = self.repo.status(gix::progress::Discard)?;
            let platform = platform
                .untracked_files(UntrackedFiles::Collapsed)
                .index_worktree_submodules(None)
                .should_interrupt_owned(interrupt);
            let platform = match tree {
                Some(tree) => platform.head_tree(tree),
                None => platform,
            };
            for item in platform.into_iter(None)? {
                note(&mut files, &item?);
            }
            Ok(())
        })?;
        let is_in = |entry: &StatusEntry| {
            path.contains(entry.path.as_bytes())
                || entry.old_path.as_ref().is_some_and(|old| path.contains(old.as_bytes()))
        };
        Ok(files.into_values().filter(is_in).collect())
    }

    /// Runs work that ends if a flag is set; another thread sets it at the deadline.
    fn interrupted(&self, work: impl FnOnce(Arc<AtomicBool>) -> gix::Result<()>) -> Result<(), GitError> {
        let flag = Arc::new(AtomicBool::new(false));
        let (done, watched) = channel::<()>();
        let (deadline, interrupt) = (self.deadline.clone(), flag.clone());
        std::thread::spawn(move || {
            while watched.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if deadline.is_over() {
                    interrupt.store(true, Ordering::Relaxed);
                    break;
                }
            }
        });
        let result = work(flag);
        drop(done);
        self.check_time()?;
        result.map_err(|error| self.failed(error))
    }
}

/// Adds a change to the files.
fn note(files: &mut BTreeMap<BString, StatusEntry>, item: &Item) {
    let (path, old_path, staged, unstaged) = match item {
        Item::TreeIndex(change) => {
            let (path, _, _, _) = change.fields();
            let (kind, old_path) = match change {
                IndexChange::Addition { .. } => (GitChangeKind::Added, None),
                IndexChange::Deletion { .. } => (GitChangeKind::Deleted, None),
                IndexChange::Modification { .. } => (GitChangeKind::Modified, None),
                IndexChange::Rewrite { source_location, copy, .. } => {
                    let kind = if *copy { GitChangeKind::Copied } else { GitChangeKind::Renamed };
                    (kind, Some(path_text(source_location.as_ref())))
                }
            };
            (path.to_owned(), old_path, Some(kind), None)
        }
        Item::IndexWorktree(item) => {
            let Some(summary) = item.summary() else { return };
            let kind = match summary {
                Summary::Removed => GitChangeKind::Deleted,
                Summary::Added => GitChangeKind::Untracked,
                Summary::Modified => GitChangeKind::Modified,
                Summary::TypeChange => GitChangeKind::TypeChanged,
                Summary::Renamed => GitChangeKind::Renamed,
                Summary::Copied => GitChangeKind::Copied,
                Summary::IntentToAdd => GitChangeKind::Added,
                Summary::Conflict => GitChangeKind::Conflicted,
            };
            (item.rela_path().to_owned(), None, None, Some(kind))
        }
    };
    let shown = path_text(path.as_ref());
    let entry = files.entry(path).or_insert(StatusEntry {
        path: shown,
        staged: None,
        unstaged: None,
        old_path: None,
    });
    entry.staged = entry.staged.or(staged);
    entry.unstaged = entry.unstaged.or(unstaged);
    entry.old_path = entry.old_path.take().or(old_path);
}
