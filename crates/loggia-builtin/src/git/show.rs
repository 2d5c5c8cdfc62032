//! A commit with its changes, and a file or a directory as it was at a revision.

use gix::objs::tree::EntryKind;
use loggia::JsonSchema;
use serde::Serialize;

use super::content::{FileContent, path_text};
use super::history::GitCommit;
use super::patch::DiffResult;
use super::path::RepoPath;
use super::{Git, GitError};
use crate::blocking::CallDeadline;

/// A commit with its changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ShowResult {
    /// The commit
    pub commit: GitCommit,
    /// The changes since its first parent
    pub changes: DiffResult,
}

/// A request for a file at a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadFileRequest {
    /// The path.
    pub path: String,
    /// The revision; `HEAD` without one.
    pub revision: Option<String>,
    /// The first line, from 1.
    pub first_line: Option<usize>,
    /// The maximum number of lines.
    pub line_count: Option<usize>,
}

/// A file or a directory at a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GitFile {
    /// The path
    pub path: String,
    /// The commit
    pub commit: String,
    /// The kind: file, directory, link or submodule
    pub kind: &'static str,
    /// The size in bytes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The text of a file, or the target of a link
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The first line in text
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_line: Option<usize>,
    /// The names in a directory; those of directories end with a slash
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<String>>,
    /// A note on content that was left out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Git {
    /// Returns a commit with its changes below `path`.
    pub(super) fn show(
        &self,
        repository: Option<&str>,
        revision: Option<&str>,
        path: &str,
        max_bytes: Option<usize>,
        deadline: &CallDeadline,
    ) -> Result<ShowResult, GitError> {
        let open = self.open_repository(repository, deadline)?;
        let path = RepoPath::parse(path)?;
        let id = open.commit_id(revision)?;
        let commit = open.commit(id)?;
        let parent = commit.parent_ids().next().map(gix::Id::detach);
        // The parent of the last commit of a shallow clone is not there.
        let parent = parent.filter(|parent| open.repo.has_object(parent));
        let changes = self.commit_diff(&open, parent, Some(id), &path, self.patch_bytes(max_bytes))?;
        let commit = GitCommit::read(&commit).map_err(|error| open.failed(error))?;
        Ok(ShowResult { commit, changes })
    }

    /// Returns a file or a directory as it was at a revision.
    pub(super) fn read_file(
        &self,
        repository: Option<&str>,
        request: &ReadFileRequest,
        deadline: &CallDeadline,
    ) -> Result<GitFile, GitError> {
        let open = self.open_repository(repository, deadline)?;
        let path = RepoPath::parse(&request.path)?;
        let commit = open.commit_id(request.revision.as_deref())?;
        let (mode, id) = open.tree_entry(commit, &path)?.ok_or_else(|| {
            GitError::bad(format!(
                "there is no {:?} at this revision; read its directory, or search",
                path.as_str()
            ))
        })?;
        let mut file = GitFile {
            path: path.as_str().to_owned(),
            commit: commit.to_string(),
            kind: "file",
            size: None,
            text: None,
            first_line: None,
            entries: None,
            note: None,
        };
        match mode.kind() {
            EntryKind::Tree => {
                file.kind = "directory";
                let tree = open.repo.find_tree(id).map_err(|error| open.failed(error))?;
                let mut entries = Vec::new();
                for entry in tree.iter() {
                    let entry = entry.map_err(|error| open.failed(error))?;
                    if entries.len() == self.limits().entries {
                        file.note = Some("there are more names".to_owned());
                        break;
                    }
                    let slash = if entry.mode().is_tree() { "/" } else { "" };
                    entries.push(format!("{}{slash}", path_text(entry.filename())));
                }
                file.entries = Some(entries);
            }
            EntryKind::Commit => {
                file.kind = "submodule";
                file.text = Some(id.to_string());
            }
            kind => {
                file.kind = if kind == EntryKind::Link { "link" } else { "file" };
                let content = open.blob(id, self.limits().file)?;
                self.fill(&mut file, &content, request);
            }
        }
        Ok(file)
    }

    /// Adds the lines of a file.
    fn fill(&self, file: &mut GitFile, content: &FileContent, request: &ReadFileRequest) {
        file.size = Some(match content {
            FileContent::Bytes(bytes) => bytes.len() as u64,
            FileContent::Large(size) => *size,
            FileContent::Submodule(_) => 0,
        });
        let Some(text) = content.text() else {
            file.note = Some("it is binary, or too large to read".to_owned());
            return;
        };
        let first = request.first_line.unwrap_or(1).max(1);
        let mut lines = text.split_inclusive('\n').skip(first - 1);
        let mut read = String::new();
        let mut count = 0;
        for line in lines.by_ref().take(request.line_count.unwrap_or(usize::MAX)) {
            if read.len() + line.len() > self.limits().bytes {
                file.note = Some(match count {
                    0 => "the line is too long to return".to_owned(),
                    _ => format!("there is more; read on with first_line {}", first + count),
                });
                break;
            }
            read.push_str(line);
            count += 1;
        }
        if file.note.is_none() && lines.next().is_some() {
            file.note = Some(format!("there is more; read on with first_line {}", first + count));
        }
        file.first_line = Some(first);
        file.text = Some(read);
    }
}
