//! Lists the content of a directory in pages.

use loggia::JsonSchema;
use serde::Serialize;

use super::path::RelPath;
use super::walk::{FoundEntry, Walk, WalkFlow, WalkOptions};
use super::{Files, FilesError, Kind, Result};

/// The directory to list, and the depth.
#[derive(Debug, Clone)]
pub struct ListRequest {
    /// The directory.
    pub path: String,
    /// The number of levels below it.
    pub depth: usize,
    /// True if names that begin with a dot are listed.
    pub hidden: bool,
    /// True if paths that a `.gitignore` excludes are listed.
    pub ignored: bool,
    /// The maximum number of entries to return; by default the limit of a page.
    pub limit: Option<usize>,
    /// The cursor that the previous page returned.
    pub cursor: Option<String>,
}

impl Default for ListRequest {
    fn default() -> ListRequest {
        ListRequest {
            path: String::new(),
            depth: 1,
            hidden: false,
            ignored: false,
            limit: None,
            cursor: None,
        }
    }
}

/// A page of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Listing {
    /// The entries, sorted by path.
    pub entries: Vec<Entry>,
    /// The `cursor` of the request for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Notes on skipped entries, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Entry {
    /// The path, relative to the root of the folder.
    pub path: String,
    /// The kind of the entry.
    pub kind: Kind,
    /// The size of a file in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl Files {
    /// Lists a directory.
    pub fn list(&self, request: &ListRequest) -> Result<Listing> {
        if request.depth == 0 {
            return Err(FilesError::BadRequest { reason: "depth counts levels from 1".to_owned() });
        }
        let options = WalkOptions {
            hidden: request.hidden,
            ignored: request.ignored,
            depth: Some(request.depth),
            after: request.cursor.clone(),
        };
        self.page(&self.parse(&request.path)?, options, request.limit, |_| true)
    }

    /// Returns a page of everything below `start` that `wanted` accepts.
    pub(super) fn page(
        &self,
        start: &RelPath,
        options: WalkOptions,
        limit: Option<usize>,
        mut wanted: impl FnMut(&FoundEntry<'_>) -> bool,
    ) -> Result<Listing> {
        check_cursor(start, options.after.as_deref())?;
        let limit = limit.unwrap_or(self.limits().page).clamp(1, self.limits().page);
        let mut listing = Listing::default();
        let mut walk = Walk::new(options, self.budget());
        walk.run(self, start, &mut |found, _| {
            if !wanted(&found) {
                return WalkFlow::Continue;
            }
            if listing.entries.len() == limit {
                listing.next_cursor = listing.entries.last().map(|entry| entry.path.clone());
                return WalkFlow::Stop;
            }
            listing.entries.push(Entry::of(&found));
            WalkFlow::Continue
        })?;
        listing.next_cursor = listing.next_cursor.or_else(|| walk.cursor());
        listing.notes = walk.notes();
        Ok(listing)
    }
}

/// Fails unless `cursor` can be the path of something below `start`. It may be longer than the path of a caller.
pub(super) fn check_cursor(start: &RelPath, cursor: Option<&str>) -> Result<()> {
    let Some(cursor) = cursor else { return Ok(()) };
    let is_name = |name: &str| !name.is_empty() && name != "." && name != "..";
    let below =
        start.is_root() || cursor.strip_prefix(start.as_str()).is_some_and(|rest| rest.starts_with('/'));
    if below && cursor.split('/').all(is_name) {
        return Ok(());
    }
    let reason = "the cursor does not belong to this path; send next_cursor back exactly, with the other \
                  arguments unchanged, or leave it out to begin again";
    Err(FilesError::BadRequest { reason: reason.to_owned() })
}

impl Entry {
    fn of(found: &FoundEntry<'_>) -> Entry {
        let metadata = (found.kind == Kind::File).then(|| found.dir.symlink_metadata(found.os_name));
        let size = metadata.and_then(|m| Some(m.ok()?.len()));
        Entry { path: found.path.clone(), kind: found.kind, size }
    }
}
