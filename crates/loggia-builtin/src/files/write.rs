//! Writes a whole file.

use std::io;

use cap_std::fs::Metadata;
use loggia::JsonSchema;
use serde::Serialize;

use super::change::{ChangePermit, ExpectedContent, LockedEntry};
use super::path::RelPath;
use super::{Files, FilesError, Kind, Result, stat};

/// The file and its new content.
#[derive(Debug, Clone, Default)]
pub struct WriteRequest {
    /// The file. Missing parent directories are created.
    pub path: String,
    /// The whole content.
    pub content: Vec<u8>,
    /// True if an existing file may be replaced.
    pub overwrite: bool,
    /// The hash of the content that the caller wants to replace.
    pub if_unchanged: Option<String>,
}

/// The result of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WriteResult {
    /// The path, relative to the root of the folder.
    pub path: String,
    /// True if the file did not exist before.
    pub created: bool,
    /// The size in bytes.
    pub size: u64,
    /// The hash of the new content, for `if_unchanged`.
    pub hash: String,
}

impl Files {
    /// Creates a file, or replaces its content.
    pub fn write(&self, request: &WriteRequest) -> Result<WriteResult> {
        let change = self.change(&request.path)?;
        let path = self.parse(&request.path)?;
        self.check_size(&path, request.content.len() as u64)?;
        let place = self.place_to_write(&change, &path, request)?;
        let before = self.before_write(&change, &place, request)?;
        let expected = match (&before, &request.if_unchanged) {
            (None, _) => ExpectedContent::Absent,
            (Some(_), None) => ExpectedContent::Any,
            (Some(_), Some(hash)) => ExpectedContent::Hash(hash),
        };
        change.replace(&place, &request.content, before.as_ref(), expected)?;
        Ok(WriteResult {
            path: path.to_string(),
            created: before.is_none(),
            size: request.content.len() as u64,
            hash: stat::hash(&request.content),
        })
    }

    /// Locks the place of the path. Missing parent directories are created, unless the file must exist.
    fn place_to_write(
        &self,
        change: &ChangePermit<'_>,
        path: &RelPath,
        request: &WriteRequest,
    ) -> Result<LockedEntry> {
        if path.is_root() {
            return Err(FilesError::not_a_file(path, Kind::Directory.noun()));
        }
        let real = self.follow_links(path)?;
        let missing = || FilesError::Changed { path: path.to_string(), now: None };
        match change.open(path, &real, request.if_unchanged.is_none()) {
            Err(FilesError::NotFound { .. }) if request.if_unchanged.is_some() => Err(missing()),
            entry => change.lock(entry?),
        }
    }

    /// Returns the existing file, if it may be replaced.
    fn before_write(
        &self,
        change: &ChangePermit<'_>,
        place: &LockedEntry,
        request: &WriteRequest,
    ) -> Result<Option<Metadata>> {
        let path = &place.entry.path;
        let metadata = match place.entry.metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound && request.if_unchanged.is_some() => {
                return Err(FilesError::Changed { path: path.to_string(), now: None });
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.explain(path, &e)),
            Ok(metadata) => metadata,
        };
        let kind = Kind::of(metadata.file_type());
        if kind != Kind::File {
            return Err(FilesError::not_a_file(path, kind.noun()));
        }
        if let Some(expected) = &request.if_unchanged {
            change.check_unchanged(place, expected)?;
        } else if !request.overwrite {
            let advice = "change it with the tool edit, or set overwrite to replace all of it";
            return Err(FilesError::Exists { path: path.to_string(), advice });
        }
        Ok(Some(metadata))
    }

    pub(super) fn check_size(&self, path: &RelPath, size: u64) -> Result<()> {
        let limit = self.limits().write_max;
        if size <= limit {
            return Ok(());
        }
        let advice = "split it into several files, or leave it to a tool outside this server";
        Err(FilesError::TooLarge { path: path.to_string(), size, limit, advice })
    }
}
