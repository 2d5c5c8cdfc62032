//! The commits that lead to a revision, newest first, also those that changed one path.
//!
//! The history of a path is simplified as `git log` does it: if the path is the same in a parent, only this parent is
//! followed. Invariant: each commit is read once, and each tree of a path only where it differs from its child's.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use grep_matcher::Matcher as _;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use loggia::JsonSchema;
use serde::Serialize;

use super::open::OpenRepository;
use super::path::RepoPath;
use super::{Git, GitError};
use crate::blocking::CallDeadline;

/// The maximum size of a compiled regular expression, in bytes.
const MOST_REGEX: usize = 4 << 20;

/// The longest pattern, in bytes.
pub(super) const MOST_PATTERN: usize = 4096;

/// A person with a time, as a commit names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GitPerson {
    /// The name
    pub name: String,
    /// The mail address
    pub email: String,
    /// The time, in the zone of the person
    pub date: String,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GitCommit {
    /// The id
    pub id: String,
    /// The ids of its parents
    pub parents: Vec<String>,
    /// The author
    pub author: GitPerson,
    /// The committer, if that is not the author
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committer: Option<GitPerson>,
    /// The message
    pub message: String,
}

/// A request for the history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogRequest {
    /// The revision, or a range `A..B`; `HEAD` without one.
    pub revision: Option<String>,
    /// Only commits that changed this path.
    pub path: String,
    /// Only commits whose author contains this text.
    pub author: Option<String>,
    /// Only commits whose message this regular expression matches.
    pub message: Option<String>,
    /// Only commits after this time.
    pub since: Option<String>,
    /// Only commits before this time.
    pub until: Option<String>,
    /// The number of commits to leave out.
    pub skip: usize,
    /// The maximum number of commits.
    pub limit: Option<usize>,
}

/// A part of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LogResult {
    /// The commits, newest first
    pub commits: Vec<GitCommit>,
    /// The value of skip for the next page; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_skip: Option<usize>,
}

/// The ids of the entries that lead to a path, from the root tree on. The last one is that of the path.
type PathIds = Vec<Option<ObjectId>>;

/// A commit that is waiting, ordered by time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct QueuedCommit {
    time: i64,
    /// Commits of one time come in the order in which they were found.
    order: Reverse<usize>,
    id: ObjectId,
    path: PathIds,
    parents: Vec<ObjectId>,
}

/// Walks over commits, newest first.
struct HistoryWalk<'r> {
    open: &'r OpenRepository,
    parts: Vec<&'r str>,
    queue: BinaryHeap<QueuedCommit>,
    seen: HashSet<ObjectId>,
}

/// The conditions on commits.
struct LogFilter {
    author: Option<String>,
    message: Option<RegexMatcher>,
    since: Option<i64>,
    until: Option<i64>,
}

impl Git {
    /// Returns commits, newest first.
    pub(super) fn log(
        &self,
        repository: Option<&str>,
        request: &LogRequest,
        deadline: &CallDeadline,
    ) -> Result<LogResult, GitError> {
        let open = self.open_repository(repository, deadline)?;
        let path = RepoPath::parse(&request.path)?;
        let filter = LogFilter::new(request)?;
        let (start, hidden) = match request.revision.as_deref().and_then(|revision| revision.split_once(".."))
        {
            None => (open.commit_id(request.revision.as_deref())?, None),
            Some((_, end)) if end.starts_with('.') => {
                return Err(GitError::bad("write a range with two dots, for example v1.0..main"));
            }
            Some((start, end)) => {
                let or_head = |text| Some(text).filter(|text: &&str| !text.is_empty());
                (open.commit_id(or_head(end))?, Some(open.commit_id(or_head(start))?))
            }
        };
        let most = request.limit.unwrap_or(20).clamp(1, self.limits().entries);
        let seen = hidden.map(|hidden| open.ancestors(hidden)).transpose()?.unwrap_or_default();
        let mut walk =
            HistoryWalk { open: &open, parts: path.parts().collect(), queue: BinaryHeap::new(), seen };
        walk.push(start, None)?;
        let (mut commits, mut skipped, mut bytes) = (Vec::new(), 0, 0);
        while let Some(id) = walk.next_change()? {
            let commit = open.commit(id)?;
            if !filter.admits(&commit, &open)? {
                continue;
            }
            if skipped < request.skip {
                skipped += 1;
                continue;
            }
            let commit = GitCommit::read(&commit).map_err(|error| open.failed(error))?;
            bytes += commit.message.len() + 300;
            if commits.len() >= most || (bytes > self.limits().bytes && !commits.is_empty()) {
                return Ok(LogResult { next_skip: Some(request.skip + commits.len()), commits });
            }
            commits.push(commit);
        }
        Ok(LogResult { commits, next_skip: None })
    }
}

impl<'r> HistoryWalk<'r> {
    /// Adds a commit to the queue, unless it was there. `child` has the path's ids in the commit that leads to it.
    fn push(&mut self, id: ObjectId, child: Option<&PathIds>) -> Result<(), GitError> {
        if !self.seen.insert(id) {
            return Ok(());
        }
        let queued = self.read(id, child)?;
        self.queue.extend(queued);
        Ok(())
    }

    /// Reads a commit; `None` if it is beyond the end of a shallow clone.
    fn read(&self, id: ObjectId, child: Option<&PathIds>) -> Result<Option<QueuedCommit>, GitError> {
        self.open.check_time()?;
        let failed = |error| self.open.failed(error);
        let Some(object) = self.open.repo.try_find_object(id).map_err(failed)? else { return Ok(None) };
        let commit = object.try_into_commit().map_err(|error| GitError::Repository(error.to_string()))?;
        let tree = commit.tree_id().map_err(failed)?.detach();
        let path = self.open.path_ids(tree, &self.parts, child)?;
        let time = commit.time().map_err(failed)?.seconds;
        let parents = commit.parent_ids().map(gix::Id::detach).collect();
        Ok(Some(QueuedCommit { time, order: Reverse(self.seen.len()), id, path, parents }))
    }

    /// Returns the next commit that changed the path.
    fn next_change(&mut self) -> Result<Option<ObjectId>, GitError> {
        while let Some(QueuedCommit { id, path, parents, .. }) = self.queue.pop() {
            let mut read = Vec::with_capacity(parents.len());
            let mut has_parent = false;
            let mut same = None;
            for parent in parents {
                let is_new = !self.seen.contains(&parent);
                let Some(queued) = self.read(parent, Some(&path))? else { continue };
                has_parent = true;
                if !self.parts.is_empty() && same.is_none() && queued.path.last() == path.last() {
                    same = Some(read.len());
                }
                read.push((is_new, queued));
            }
            let (followed, is_change) = match same {
                // The path came from this parent as it is.
                Some(index) => (vec![read.swap_remove(index)], false),
                None => {
                    let is_change = self.parts.is_empty() || has_parent || path.last() != Some(&None);
                    (read, is_change)
                }
            };
            for (is_new, mut queued) in followed {
                if is_new && self.seen.insert(queued.id) {
                    queued.order = Reverse(self.seen.len());
                    self.queue.push(queued);
                }
            }
            if is_change {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }
}

impl OpenRepository {
    pub(super) fn commit(&self, id: ObjectId) -> Result<gix::Commit<'_>, GitError> {
        self.repo.find_commit(id).map_err(|error| self.failed(error))
    }

    /// Returns the ids of all commits that lead to `id`, and its own.
    fn ancestors(&self, id: ObjectId) -> Result<HashSet<ObjectId>, GitError> {
        let mut found = HashSet::new();
        let walk = self.repo.rev_walk([id]).all().map_err(|error| self.failed(error))?;
        for commit in walk {
            self.check_time()?;
            found.insert(commit.map_err(|error| GitError::Repository(error.to_string()))?.id);
        }
        Ok(found)
    }

    /// Returns the ids of the entries that lead to a path. A tree that is the same as in `child` is not read again.
    fn path_ids(&self, tree: ObjectId, parts: &[&str], child: Option<&PathIds>) -> Result<PathIds, GitError> {
        let mut ids: PathIds = Vec::with_capacity(parts.len() + 1);
        ids.push(Some(tree));
        for part in parts {
            let level = ids.len() - 1;
            let above = ids[level];
            if let Some(child) = child.filter(|child| child[level] == above) {
                ids.extend(child[level + 1..].iter().copied());
                break;
            }
            let found = match above {
                None => None,
                Some(above) => self.entry_id(above, part)?,
            };
            ids.push(found);
        }
        Ok(ids)
    }

    /// Returns the id of an entry of a tree; `None` if `tree` is no tree, or has no such entry.
    fn entry_id(&self, tree: ObjectId, name: &str) -> Result<Option<ObjectId>, GitError> {
        let Some(object) = self.repo.try_find_object(tree).map_err(|error| self.failed(error))? else {
            return Ok(None);
        };
        let Ok(tree) = object.try_into_tree() else { return Ok(None) };
        Ok(tree.find_entry(name).map(|entry| entry.object_id()))
    }
}

impl GitCommit {
    pub(super) fn read(commit: &gix::Commit<'_>) -> gix::Result<GitCommit> {
        let (author, committer) = (commit.author()?, commit.committer()?);
        let is_same = author.name == committer.name && author.email == committer.email;
        Ok(GitCommit {
            id: commit.id.to_string(),
            parents: commit.parent_ids().map(|id| id.to_string()).collect(),
            author: GitPerson::read(author),
            committer: (!is_same).then(|| GitPerson::read(committer)),
            message: commit.message_raw()?.to_str_lossy().trim_end().to_owned(),
        })
    }
}

impl GitPerson {
    pub(super) fn read(signature: gix::actor::SignatureRef<'_>) -> GitPerson {
        let date =
            signature.time().ok().map(|time| time.format_or_unix(gix::date::time::format::ISO8601_STRICT));
        GitPerson {
            name: signature.name.to_str_lossy().into_owned(),
            email: signature.email.to_str_lossy().into_owned(),
            date: date.unwrap_or_default(),
        }
    }
}

impl LogFilter {
    fn new(request: &LogRequest) -> Result<LogFilter, GitError> {
        Ok(LogFilter {
            author: request.author.as_ref().map(|author| author.to_lowercase()),
            message: request.message.as_ref().map(|pattern| matcher(pattern, false, true)).transpose()?,
            since: request.since.as_deref().map(seconds).transpose()?,
            until: request.until.as_deref().map(seconds).transpose()?,
        })
    }

    fn admits(&self, commit: &gix::Commit<'_>, open: &OpenRepository) -> Result<bool, GitError> {
        let failed = |error| open.failed(error);
        if self.since.is_some() || self.until.is_some() {
            let time = commit.time().map_err(failed)?.seconds;
            if self.since.is_some_and(|since| time < since) || self.until.is_some_and(|until| time > until) {
                return Ok(false);
            }
        }
        if let Some(author) = &self.author {
            let found = commit.author().map_err(failed)?;
            let shown = format!("{} <{}>", found.name.to_str_lossy(), found.email.to_str_lossy());
            if !shown.to_lowercase().contains(author) {
                return Ok(false);
            }
        }
        match &self.message {
            Some(matcher) => {
                let message = commit.message_raw().map_err(failed)?;
                matcher.is_match(message).map_err(|error| GitError::bad(error.to_string()))
            }
            None => Ok(true),
        }
    }
}

/// Compiles a regular expression of a caller.
pub(super) fn matcher(pattern: &str, literal: bool, ignore_case: bool) -> Result<RegexMatcher, GitError> {
    if pattern.len() > MOST_PATTERN {
        return Err(GitError::bad(format!(
            "the pattern is longer than {MOST_PATTERN} bytes; make it shorter"
        )));
    }
    let mut builder = RegexMatcherBuilder::new();
    builder
        .case_insensitive(ignore_case)
        .fixed_strings(literal)
        .size_limit(MOST_REGEX)
        .dfa_size_limit(MOST_REGEX);
    builder.multi_line(true);
    builder
        .build(pattern)
        .map_err(|error| GitError::bad(format!("the pattern {pattern:?} does not parse: {error}")))
}

/// Reads a time of a caller as seconds since 1970.
fn seconds(text: &str) -> Result<i64, GitError> {
    gix::date::parse(text, Some(gix::date::Zoned::now())).map(|time| time.seconds).map_err(|_| {
        GitError::bad(format!(
            "{text:?} is no time: write 2026-01-31, 2026-01-31T12:00:00Z or \"2 weeks ago\""
        ))
    })
}
