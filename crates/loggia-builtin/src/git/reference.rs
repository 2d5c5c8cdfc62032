//! Branches and tags.

use gix::bstr::ByteSlice as _;
use loggia::JsonSchema;
use serde::Serialize;

use super::history::GitCommit;
use super::{Git, GitError};
use crate::blocking::CallDeadline;

/// A branch or a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GitReference {
    /// The short name
    pub name: String,
    /// The kind: branch, remote_branch or tag
    pub kind: &'static str,
    /// The commit that it leads to; absent for a tag of something else
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The time of the commit
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The first line of the commit's message
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// The branches and tags of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GitReferences {
    /// The branch that is checked out; absent if HEAD is no branch
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The branches and tags, by name
    pub references: Vec<GitReference>,
    /// A note on names that were left out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Git {
    /// Returns the branches and tags whose name contains `filter`.
    pub(super) fn references(
        &self,
        repository: Option<&str>,
        filter: Option<&str>,
        deadline: &CallDeadline,
    ) -> Result<GitReferences, GitError> {
        let open = self.open_repository(repository, deadline)?;
        let failed = |error| open.failed(error);
        let head = open.repo.head_name().map_err(failed)?;
        let head = head.map(|name| name.shorten().to_str_lossy().into_owned());
        let mut result = GitReferences { head, references: Vec::new(), note: None };
        let platform = open.repo.references().map_err(failed)?;
        for reference in platform.all().map_err(failed)? {
            open.check_time()?;
            // A reference that is broken is not one to show.
            let Ok(mut reference) = reference else { continue };
            let kind = match reference.name().category() {
                Some(gix::refs::Category::LocalBranch) => "branch",
                Some(gix::refs::Category::RemoteBranch) => "remote_branch",
                Some(gix::refs::Category::Tag) => "tag",
                _ => continue,
            };
            let name = reference.name().shorten().to_str_lossy().into_owned();
            if filter.is_some_and(|filter| !name.contains(filter)) {
                continue;
            }
            if result.references.len() == self.limits().entries {
                result.note = Some("there are more; filter selects names that contain a text".to_owned());
                break;
            }
            let commit = reference.peel_to_commit().ok().and_then(|commit| GitCommit::read(&commit).ok());
            result.references.push(GitReference {
                name,
                kind,
                date: commit.as_ref().map(|commit| commit.author.date.clone()),
                summary: commit.as_ref().and_then(|commit| commit.message.lines().next().map(str::to_owned)),
                commit: commit.map(|commit| commit.id),
            });
        }
        Ok(result)
    }
}
