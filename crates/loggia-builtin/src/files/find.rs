//! Search by name: globs.

use super::walk::{FoundEntry, WalkOptions};
use super::{Files, FilesError, Listing, Result, error};
use crate::glob::{BoundedGlob, GlobOptions};

/// The pattern to find and the directory to search.
#[derive(Debug, Clone, Default)]
pub struct FindRequest {
    /// The glob. With a slash in it, it is matched against the path below `path`; otherwise against the name, at any
    /// depth.
    pub glob: String,
    /// The directory to search.
    pub path: String,
    /// True if upper and lower case are equal.
    pub ignore_case: bool,
    /// True if names that begin with a dot are searched.
    pub hidden: bool,
    /// True if paths that a `.gitignore` excludes are searched.
    pub ignored: bool,
    /// The maximum number of paths to return; by default the limit of a page.
    pub limit: Option<usize>,
    /// The cursor that the previous page returned.
    pub cursor: Option<String>,
}

impl Files {
    /// Finds paths by glob.
    pub fn find(&self, request: &FindRequest) -> Result<Listing> {
        let start = self.parse(&request.path)?;
        let glob = Glob::parse(&request.glob, request.ignore_case)?;
        let options = WalkOptions {
            hidden: request.hidden,
            ignored: request.ignored,
            depth: None,
            after: request.cursor.clone(),
        };
        self.page(&start, options, request.limit, |found| glob.matches(start.as_str(), found))
    }
}

/// A glob, and the text that it is matched against.
pub(super) struct Glob {
    matcher: BoundedGlob,
    whole_path: bool,
}

impl Glob {
    pub(super) fn parse(pattern: &str, ignore_case: bool) -> Result<Glob> {
        let relative = pattern.strip_prefix("./").unwrap_or(pattern).trim_start_matches('/');
        let options = GlobOptions { literal_separator: true, ignore_case };
        let matcher = BoundedGlob::compile(relative, options).map_err(|reason| FilesError::BadPattern {
            pattern: error::excerpt(pattern),
            reason: format!("{reason}; a glob is for example 'src/**/*.rs'"),
        })?;
        Ok(Glob { matcher, whole_path: pattern.contains('/') })
    }

    pub(super) fn matches(&self, start: &str, found: &FoundEntry<'_>) -> bool {
        if !self.whole_path {
            return self.matcher.is_match(found.name());
        }
        let below = if start.is_empty() { &found.path } else { &found.path[start.len() + 1..] };
        self.matcher.is_match(below)
    }
}
