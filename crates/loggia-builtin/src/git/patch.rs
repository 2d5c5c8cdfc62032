//! Differences as text, in the form of `git diff`, within bounds.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use gix::ObjectId;
use gix::objs::tree::EntryKind;
use loggia::JsonSchema;
use serde::Serialize;
use similar::{Algorithm, ChangeTag, TextDiff};

use super::change::{GitChange, GitChangeKind, TreeChange};
use super::content::{FileContent, path_text};
use super::open::OpenRepository;
use super::path::RepoPath;
use super::{Git, GitError};
use crate::blocking::CallDeadline;

/// The time for the shortest difference of one file; after it, a longer one is found.
const FILE_TIME: Duration = Duration::from_secs(1);

/// The number of lines around a change.
const CONTEXT: usize = 3;

/// A request for a difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiffRequest {
    /// The old revision; `HEAD` without one.
    pub from: Option<String>,
    /// The new revision; the work tree without one.
    pub to: Option<String>,
    /// True to compare with the index in place of the work tree.
    pub staged: bool,
    /// Only files below this path.
    pub path: String,
    /// The maximum number of bytes of the patch.
    pub max_bytes: Option<usize>,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DiffResult {
    /// The changed files, by path
    pub files: Vec<GitChange>,
    /// The patch
    pub patch: String,
    /// A note on files or lines that were left out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A file of a difference, with its content on each side.
pub(super) struct ComparedFile {
    pub(super) change: GitChange,
    pub(super) old: Option<(EntryKind, FileContent)>,
    pub(super) new: Option<(EntryKind, FileContent)>,
}

/// Writes a patch until a bound is reached.
pub(super) struct PatchWriter {
    result: DiffResult,
    most_bytes: usize,
    left_out: usize,
}

impl Git {
    /// Compares two revisions, or a revision with the index or the work tree.
    pub(super) fn diff(
        &self,
        repository: Option<&str>,
        request: &DiffRequest,
        deadline: &CallDeadline,
    ) -> Result<DiffResult, GitError> {
        let open = self.open_repository(repository, deadline)?;
        let path = RepoPath::parse(&request.path)?;
        let most = self.patch_bytes(request.max_bytes);
        let from = open.commit_id(request.from.as_deref())?;
        match &request.to {
            Some(_) if request.staged => {
                Err(GitError::bad("staged compares with the index; leave out the argument to"))
            }
            Some(to) => {
                let to = open.commit_id(Some(to))?;
                self.commit_diff(&open, Some(from), Some(to), &path, most)
            }
            None => self.work_diff(&open, from, request.staged, &path, most),
        }
    }

    /// Returns the bound of a patch that a caller wants.
    pub(super) fn patch_bytes(&self, wanted: Option<usize>) -> usize {
        wanted.unwrap_or(64 << 10).clamp(1, self.limits().bytes)
    }

    /// Compares the trees of two commits.
    pub(super) fn commit_diff(
        &self,
        open: &OpenRepository,
        old: Option<ObjectId>,
        new: Option<ObjectId>,
        path: &RepoPath,
        most_bytes: usize,
    ) -> Result<DiffResult, GitError> {
        let (changes, is_more) = open.tree_changes(old, new, path, self.limits().entries)?;
        let mut writer = PatchWriter::new(most_bytes);
        for change in changes {
            if writer.is_full() {
                writer.leave_out(change.described());
                continue;
            }
            writer.add(open.compared(&change, self.limits().file)?);
        }
        Ok(writer.end(is_more))
    }
}

impl OpenRepository {
    /// Reads both sides of a change.
    fn compared(&self, change: &TreeChange, most: u64) -> Result<ComparedFile, GitError> {
        let read = |side: &Option<super::change::ChangeSide>| match side {
            None => Ok(None),
            Some(side) if side.mode.is_commit() => {
                Ok(Some((EntryKind::Commit, FileContent::Submodule(side.id))))
            }
            Some(side) => Ok::<_, GitError>(Some((side.mode.kind(), self.blob(side.id, most)?))),
        };
        Ok(ComparedFile { change: change.described(), old: read(&change.old)?, new: read(&change.new)? })
    }
}

impl PatchWriter {
    pub(super) fn new(most_bytes: usize) -> PatchWriter {
        let result = DiffResult { files: Vec::new(), patch: String::new(), note: None };
        PatchWriter { result, most_bytes, left_out: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.left_out > 0 || self.result.patch.len() >= self.most_bytes
    }

    /// Notes a file without its lines.
    pub(super) fn leave_out(&mut self, change: GitChange) {
        self.left_out += 1;
        self.result.files.push(change);
    }

    /// Adds a file.
    pub(super) fn add(&mut self, file: ComparedFile) {
        let ComparedFile { mut change, old, new } = file;
        let mut patch = header(&change, old.as_ref().map(|side| side.0), new.as_ref().map(|side| side.0));
        let text = |side: &Option<(EntryKind, FileContent)>| match side {
            None => Some(String::new()),
            Some((_, content)) => content.text(),
        };
        let is_same = matches!((&old, &new), (Some((_, old)), Some((_, new))) if old == new);
        match (text(&old), text(&new)) {
            _ if is_same => {}
            (Some(old_text), Some(new_text)) => {
                let hunks = hunks(&old_text, &new_text, &mut change);
                if !hunks.is_empty() {
                    let name = |prefix: char, path: &str, side: bool| match side {
                        true => format!("{prefix}/{path}"),
                        false => "/dev/null".to_owned(),
                    };
                    let old_path = change.old_path.as_deref().unwrap_or(&change.path);
                    let _ = writeln!(patch, "--- {}", name('a', old_path, old.is_some()));
                    let _ = writeln!(patch, "+++ {}", name('b', &change.path, new.is_some()));
                    patch.push_str(&hunks);
                }
            }
            _ => patch.push_str("Binary or large files differ\n"),
        }
        if self.result.patch.len() + patch.len() > self.most_bytes {
            self.leave_out(change);
            return;
        }
        self.result.patch.push_str(&patch);
        self.result.files.push(change);
    }

    /// Ends the patch. `is_more` is true if there are more files than may be listed.
    pub(super) fn end(mut self, is_more: bool) -> DiffResult {
        let lines = (self.left_out > 0).then(|| {
            format!(
                "the patch has no lines of {} of these files: it has at most {} bytes. Name a path, or a greater max_bytes",
                self.left_out, self.most_bytes
            )
        });
        let files = is_more.then(|| "there are more changed files; name a path".to_owned());
        let notes: Vec<String> = lines.into_iter().chain(files).collect();
        self.result.note = (!notes.is_empty()).then(|| notes.join(". "));
        self.result
    }
}

/// Returns the first lines of a file's patch, as `git diff` writes them.
fn header(change: &GitChange, old: Option<EntryKind>, new: Option<EntryKind>) -> String {
    let mode = |kind: EntryKind| format!("{:06o}", kind as u16);
    let old_path = change.old_path.as_deref().unwrap_or(&change.path);
    let mut text = format!("diff --git a/{old_path} b/{}\n", change.path);
    let _ = match (old, new) {
        (None, Some(new)) => writeln!(text, "new file mode {}", mode(new)),
        (Some(old), None) => writeln!(text, "deleted file mode {}", mode(old)),
        (Some(old), Some(new)) if old != new => {
            writeln!(text, "old mode {}\nnew mode {}", mode(old), mode(new))
        }
        _ => Ok(()),
    };
    let word = match change.kind {
        GitChangeKind::Renamed => "rename",
        GitChangeKind::Copied => "copy",
        _ => return text,
    };
    let _ = writeln!(text, "{word} from {old_path}\n{word} to {}", change.path);
    text
}

/// Returns the hunks of a difference, and counts its lines.
fn hunks(old: &str, new: &str, change: &mut GitChange) -> String {
    let mut config = TextDiff::configure();
    config.algorithm(Algorithm::Myers).deadline(Instant::now() + FILE_TIME);
    let diff = config.diff_lines(old, new);
    let (mut added, mut removed) = (0, 0);
    for line in diff.iter_all_changes() {
        match line.tag() {
            ChangeTag::Insert => added += 1,
            ChangeTag::Delete => removed += 1,
            ChangeTag::Equal => {}
        }
    }
    change.added_lines = Some(added);
    change.removed_lines = Some(removed);
    diff.unified_diff().context_radius(CONTEXT).to_string()
}

/// Returns a change of a path, without its lines.
pub(super) fn change_of(path: &gix::bstr::BStr, kind: GitChangeKind) -> GitChange {
    GitChange { path: path_text(path), kind, old_path: None, added_lines: None, removed_lines: None }
}
