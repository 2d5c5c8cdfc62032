//! Changed files: between two trees, and of the index and the work tree.

use gix::ObjectId;
use gix::bstr::BString;
use gix::diff::Rewrites;
use gix::object::tree::diff::Change;
use gix::objs::tree::EntryMode;
use loggia::JsonSchema;
use serde::Serialize;

use super::GitError;
use super::content::path_text;
use super::open::OpenRepository;
use super::path::RepoPath;

/// The maximum number of added and deleted files that are compared to find renames.
const MOST_RENAMES: usize = 200;

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GitChangeKind {
    /// The file is new.
    Added,
    /// The file is gone.
    Deleted,
    /// The content or the mode is another one.
    Modified,
    /// The file has another name.
    Renamed,
    /// The file is a copy of another.
    Copied,
    /// A file became a link, or the reverse.
    TypeChanged,
    /// A merge left several versions.
    Conflicted,
    /// Git does not know the file.
    Untracked,
}

/// A changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GitChange {
    /// The path
    pub path: String,
    /// The kind
    pub kind: GitChangeKind,
    /// The path before a rename
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    /// Number of added lines; absent for binary and large files
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added_lines: Option<usize>,
    /// Number of removed lines; absent for binary and large files
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_lines: Option<usize>,
}

/// One side of a changed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChangeSide {
    pub(super) path: BString,
    pub(super) mode: EntryMode,
    pub(super) id: ObjectId,
}

/// A file that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TreeChange {
    pub(super) kind: GitChangeKind,
    pub(super) old: Option<ChangeSide>,
    pub(super) new: Option<ChangeSide>,
}

impl TreeChange {
    pub(super) fn path(&self) -> &BString {
        match (&self.new, &self.old) {
            (Some(side), _) | (None, Some(side)) => &side.path,
            (None, None) => unreachable!("a change has a side"),
        }
    }

    /// Returns the change without its lines.
    pub(super) fn described(&self) -> GitChange {
        let path = path_text(self.path().as_ref());
        let old_path = self.old.as_ref().map(|old| path_text(old.path.as_ref()));
        GitChange {
            old_path: old_path.filter(|old| *old != path),
            path,
            kind: self.kind,
            added_lines: None,
            removed_lines: None,
        }
    }
}

impl OpenRepository {
    /// Returns the files below `path` that differ between the trees of two commits; `None` is the empty tree. The
    /// second value is true if there are more than `most`.
    pub(super) fn tree_changes(
        &self,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        path: &RepoPath,
        most: usize,
    ) -> Result<(Vec<TreeChange>, bool), GitError> {
        let failed = |error| self.failed(error);
        let tree = |id: Option<ObjectId>| match id {
            Some(id) => self.commit(id)?.tree().map_err(failed),
            None => Ok(self.repo.empty_tree()),
        };
        let (old, new) = (tree(old)?, tree(new)?);
        let mut changes = Vec::new();
        let mut is_more = false;
        let mut platform = old.changes().map_err(failed)?;
        let rewrites = Rewrites { limit: MOST_RENAMES, ..Rewrites::default() };
        platform.options(|options| {
            options.track_path().track_rewrites(Some(rewrites));
        });
        let compared = platform.for_each_to_obtain_tree(&new, |change| {
            if self.deadline.is_over() {
                return Ok(std::ops::ControlFlow::Break(()));
            }
            let Some(change) = converted(change).filter(|change| is_in(change, path)) else {
                return Ok(std::ops::ControlFlow::Continue(()));
            };
            if changes.len() == most {
                is_more = true;
                return Ok(std::ops::ControlFlow::Break(()));
            }
            changes.push(change);
            Ok(std::ops::ControlFlow::Continue(()))
        });
        self.check_time()?;
        compared.map_err(failed)?;
        changes.sort_by(|a, b| a.path().cmp(b.path()));
        Ok((changes, is_more))
    }
}

fn is_in(change: &TreeChange, path: &RepoPath) -> bool {
    let sides = change.old.iter().chain(&change.new);
    sides.into_iter().any(|side| path.contains(&side.path))
}

/// Returns a change of a file; `None` for a directory.
fn converted(change: Change<'_, '_, '_>) -> Option<TreeChange> {
    let side = |path: &gix::bstr::BStr, mode: EntryMode, id: gix::Id<'_>| {
        (!mode.is_tree()).then(|| ChangeSide { path: path.to_owned(), mode, id: id.detach() })
    };
    let (kind, old, new) = match change {
        Change::Addition { location, entry_mode, id, .. } => {
            (GitChangeKind::Added, None, side(location, entry_mode, id))
        }
        Change::Deletion { location, entry_mode, id, .. } => {
            (GitChangeKind::Deleted, side(location, entry_mode, id), None)
        }
        Change::Modification { location, previous_entry_mode, previous_id, entry_mode, id } => {
            let is_same_type = previous_entry_mode.is_link() == entry_mode.is_link()
                && previous_entry_mode.is_commit() == entry_mode.is_commit();
            let kind = if is_same_type { GitChangeKind::Modified } else { GitChangeKind::TypeChanged };
            (kind, side(location, previous_entry_mode, previous_id), side(location, entry_mode, id))
        }
        Change::Rewrite {
            source_location,
            source_entry_mode,
            source_id,
            entry_mode,
            location,
            id,
            copy,
            ..
        } => {
            let kind = if copy { GitChangeKind::Copied } else { GitChangeKind::Renamed };
            (kind, side(source_location, source_entry_mode, source_id), side(location, entry_mode, id))
        }
    };
    (old.is_some() || new.is_some()).then_some(TreeChange { kind, old, new })
}
