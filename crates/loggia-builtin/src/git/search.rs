//! Searches the content of files at a revision, line by line.

use gix::bstr::ByteSlice as _;
use grep_matcher::Matcher as _;
use loggia::JsonSchema;
use serde::Serialize;

use super::content::{FileContent, is_binary, path_text};
use super::history::matcher;
use super::open::OpenRepository;
use super::path::RepoPath;
use super::{Git, GitError};
use crate::blocking::CallDeadline;
use crate::glob::{BoundedGlob, GlobOptions};

/// The longest line of a result, in bytes.
const MOST_LINE: usize = 500;

/// A request for lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// The regular expression.
    pub pattern: String,
    /// The revision; `HEAD` without one.
    pub revision: Option<String>,
    /// Only files below this path.
    pub path: String,
    /// Only files whose path, or name, this glob matches.
    pub glob: Option<String>,
    /// True if the pattern is plain text.
    pub literal: bool,
    /// True to ignore upper and lower case.
    pub ignore_case: bool,
    /// The maximum number of matches.
    pub limit: Option<usize>,
}

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SearchMatch {
    /// The path
    pub path: String,
    /// The number of the line, from 1
    pub line: usize,
    /// The line; a long one is cut
    pub text: String,
}

/// The lines that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SearchResult {
    /// The commit at which the files were read
    pub commit: String,
    /// The lines, by path
    pub matches: Vec<SearchMatch>,
    /// A note on matches or files that were left out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Git {
    /// Searches the files at a revision.
    pub(super) fn search(
        &self,
        repository: Option<&str>,
        request: &SearchRequest,
        deadline: &CallDeadline,
    ) -> Result<SearchResult, GitError> {
        let open = self.open_repository(repository, deadline)?;
        let path = RepoPath::parse(&request.path)?;
        let matcher = matcher(&request.pattern, request.literal, request.ignore_case)?;
        let options = GlobOptions { literal_separator: true, ignore_case: request.ignore_case };
        let glob = request.glob.as_deref().map(|glob| {
            let compiled = BoundedGlob::compile(glob, options);
            compiled.map_err(|reason| GitError::bad(format!("the glob {glob:?}: {reason}")))
        });
        let glob = glob.transpose()?;
        let by_name = request.glob.as_deref().is_some_and(|glob| !glob.contains('/'));
        let commit = open.commit_id(request.revision.as_deref())?;
        let most = request.limit.unwrap_or(100).clamp(1, self.limits().entries);
        let mut result = SearchResult { commit: commit.to_string(), matches: Vec::new(), note: None };
        for (file, id) in open.files(commit, &path)? {
            let shown = path_text(file.as_ref());
            let tested = if by_name { shown.rsplit('/').next().unwrap_or_default() } else { &shown };
            if glob.as_ref().is_some_and(|glob| !glob.is_match(tested)) {
                continue;
            }
            let FileContent::Bytes(bytes) = open.blob(id, self.limits().file)? else { continue };
            if is_binary(&bytes) {
                continue;
            }
            for (number, line) in bytes.lines().enumerate() {
                if !matcher.is_match(line).map_err(|error| GitError::bad(error.to_string()))? {
                    continue;
                }
                if result.matches.len() == most {
                    result.note =
                        Some(format!("stopped at {most} matches; name a path or a glob, or a greater limit"));
                    return Ok(result);
                }
                let text = String::from_utf8_lossy(&line[..line.len().min(MOST_LINE)]).into_owned();
                result.matches.push(SearchMatch { path: shown.clone(), line: number + 1, text });
            }
        }
        Ok(result)
    }
}

impl OpenRepository {
    /// Returns the files below a path of a commit, by path.
    fn files(
        &self,
        commit: gix::ObjectId,
        path: &RepoPath,
    ) -> Result<Vec<(gix::bstr::BString, gix::ObjectId)>, GitError> {
        let failed = |error| self.failed(error);
        let (mode, id) = self
            .tree_entry(commit, path)?
            .ok_or_else(|| GitError::bad(format!("there is no {:?} at this revision", path.as_str())))?;
        if !mode.is_tree() {
            return Ok(vec![(path.to_bstring(), id)]);
        }
        let mut found = Vec::new();
        let mut trees = vec![(path.to_bstring(), id)];
        while let Some((above, id)) = trees.pop() {
            self.check_time()?;
            let tree = self.repo.find_tree(id).map_err(failed)?;
            for entry in tree.iter() {
                let entry = entry.map_err(failed)?;
                let mut below = above.clone();
                if !below.is_empty() {
                    below.push(b'/');
                }
                below.extend_from_slice(entry.filename());
                match entry.mode() {
                    mode if mode.is_tree() => trees.push((below, entry.object_id())),
                    mode if mode.is_blob() => found.push((below, entry.object_id())),
                    _ => {}
                }
            }
        }
        found.sort();
        Ok(found)
    }
}
