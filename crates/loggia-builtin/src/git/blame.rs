//! The commit of each line of a file. Invariant: the walk over the history ends at the deadline: it reads its objects
//! through a store that fails then.

use gix::blame::{BlameRanges, Start};
use gix::objs::{Data, FindHeader};
use gix::{ObjectId, oid};
use loggia::JsonSchema;
use serde::Serialize;

use super::history::{GitCommit, GitPerson};
use super::open::OpenRepository;
use super::path::RepoPath;
use super::{Git, GitError};
use crate::blocking::CallDeadline;

/// A request for the commits of lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlameRequest {
    /// The file.
    pub path: String,
    /// The revision; `HEAD` without one.
    pub revision: Option<String>,
    /// The first line, from 1.
    pub first_line: Option<u32>,
    /// The last line.
    pub last_line: Option<u32>,
}

/// Lines that one commit wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlameHunk {
    /// The first line, from 1
    pub first_line: u32,
    /// The last line
    pub last_line: u32,
    /// The id of the commit
    pub commit: String,
    /// The author of the commit
    pub author: GitPerson,
    /// The first line of its message
    pub summary: String,
    /// The path of the file in that commit, if it is another one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    /// The lines
    pub text: String,
}

/// The commits of the lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlameResult {
    /// The path
    pub path: String,
    /// The commit at which the file was read
    pub commit: String,
    /// The lines with their commits, in order
    pub hunks: Vec<BlameHunk>,
    /// A note on lines that were left out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The objects of a repository until the deadline.
struct TimedObjects<'r>(&'r OpenRepository);

/// The time for reading objects is over.
#[derive(Debug)]
struct TimeIsOver;

impl std::fmt::Display for TimeIsOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the time is over")
    }
}

impl std::error::Error for TimeIsOver {}

impl TimedObjects<'_> {
    fn check(&self) -> Result<(), gix::Error> {
        if self.0.deadline.is_over() { Err(gix::Error::from_error(TimeIsOver)) } else { Ok(()) }
    }
}

impl gix::objs::Find for TimedObjects<'_> {
    fn try_find<'a>(&self, id: &oid, buffer: &'a mut Vec<u8>) -> Result<Option<Data<'a>>, gix::Error> {
        self.check()?;
        self.0.repo.objects.try_find(id, buffer)
    }
}

impl FindHeader for TimedObjects<'_> {
    fn try_header(&self, id: &oid) -> Result<Option<gix::objs::Header>, gix::Error> {
        self.check()?;
        FindHeader::try_header(&self.0.repo.objects, id)
    }
}

impl Git {
    /// Returns the commit of each line.
    pub(super) fn blame(
        &self,
        repository: Option<&str>,
        request: &BlameRequest,
        deadline: &CallDeadline,
    ) -> Result<BlameResult, GitError> {
        let open = self.open_repository(repository, deadline)?;
        let path = RepoPath::parse(&request.path)?;
        let commit = open.commit_id(request.revision.as_deref())?;
        let (mode, id) = open
            .tree_entry(commit, &path)?
            .ok_or_else(|| GitError::bad(format!("there is no {:?} at this revision", path.as_str())))?;
        let is_file = mode.is_blob();
        let size = open.repo.find_header(id).map_err(|error| open.failed(error))?.size();
        if !is_file || size > self.limits().file {
            return Err(GitError::bad(format!("{:?} is no file, or too large", path.as_str())));
        }
        let content = open.blob(id, self.limits().file)?;
        let text = content.text().filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| GitError::bad(format!("{:?} is binary or empty", path.as_str())))?;
        let count = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
        let outcome = open.blamed(commit, &path, lines(request, count)?)?;
        let lines: Vec<&[u8]> = outcome.blob.split_inclusive(|byte| *byte == b'\n').collect();
        let mut result = BlameResult {
            path: path.as_str().to_owned(),
            commit: commit.to_string(),
            hunks: Vec::new(),
            note: None,
        };
        let mut bytes = 0;
        for entry in &outcome.entries {
            let start = entry.start_in_blamed_file as usize;
            let end = (start + entry.len.get() as usize).min(lines.len());
            let text = String::from_utf8_lossy(&lines[start.min(end)..end].concat()).into_owned();
            bytes += text.len() + 300;
            if result.hunks.len() >= self.limits().entries || bytes > self.limits().bytes {
                result.note = Some(format!("there is more; read on with first_line {}", start + 1));
                break;
            }
            result.hunks.push(open.hunk(
                entry.commit_id,
                start,
                end,
                text,
                entry.source_file_name.as_ref(),
            )?);
        }
        Ok(result)
    }
}

/// Returns the lines of a request, of a file with `count` lines.
fn lines(request: &BlameRequest, count: u32) -> Result<BlameRanges, GitError> {
    let first = request.first_line.unwrap_or(1);
    let last = request.last_line.unwrap_or(count).min(count);
    let range = (first <= last).then(|| BlameRanges::from_one_based_inclusive_range(first..=last));
    let wrong = || GitError::bad(format!("these lines do not exist: the file has {count}"));
    range.and_then(Result::ok).ok_or_else(wrong)
}

impl OpenRepository {
    fn blamed(
        &self,
        commit: ObjectId,
        path: &RepoPath,
        ranges: BlameRanges,
    ) -> Result<gix::blame::Outcome, GitError> {
        let failed = |error| self.failed(error);
        let options = gix::blame::Options {
            diff_algorithm: gix::diff::blob::Algorithm::Histogram,
            ranges,
            since: None,
            rewrites: Some(gix::diff::Rewrites::default()),
            debug_track_path: false,
        };
        let graph = self.repo.commit_graph_if_enabled().map_err(failed)?;
        let mut cache = self.repo.diff_resource_cache_for_tree_diff().map_err(failed)?;
        let objects = TimedObjects(self);
        let blamed = gix::blame::file(
            &objects,
            Start::Commit(commit),
            graph,
            &mut cache,
            path.to_bstring().as_ref(),
            options,
        );
        blamed.map_err(failed)
    }

    fn hunk(
        &self,
        id: ObjectId,
        start: usize,
        end: usize,
        text: String,
        old_path: Option<&gix::bstr::BString>,
    ) -> Result<BlameHunk, GitError> {
        let commit = GitCommit::read(&self.commit(id)?).map_err(|error| self.failed(error))?;
        let line = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(BlameHunk {
            first_line: line(start + 1),
            last_line: line(end),
            commit: commit.id,
            author: commit.author,
            summary: commit.message.lines().next().unwrap_or_default().to_owned(),
            old_path: old_path.map(ToString::to_string),
            text,
        })
    }
}
