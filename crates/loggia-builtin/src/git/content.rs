//! The content of files: of objects, of the index, and of the work tree. Invariant: a file of the work tree is reached
//! below a handle of its directory, so no link leads out.

use std::io::Read as _;

use cap_fs_ext::OpenOptionsSyncExt as _;
use cap_std::fs::{Dir, OpenOptions};
use gix::ObjectId;
use gix::bstr::BStr;
use gix::objs::tree::EntryKind;

use super::GitError;
use super::open::OpenRepository;
use super::path::RepoPath;

/// The content of a file, as it is in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileContent {
    /// The bytes.
    Bytes(Vec<u8>),
    /// It is larger than may be read; the size.
    Large(u64),
    /// A commit of a submodule.
    Submodule(ObjectId),
}

impl FileContent {
    /// Returns the content as text; `None` if it is binary or too large.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            FileContent::Bytes(bytes) if !is_binary(bytes) => {
                Some(String::from_utf8_lossy(bytes).into_owned())
            }
            FileContent::Submodule(id) => Some(format!("Subproject commit {id}\n")),
            FileContent::Bytes(_) | FileContent::Large(_) => None,
        }
    }
}

/// Returns whether content is binary, as git decides it: there is a NUL in its first 8000 bytes.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(8000).any(|byte| *byte == 0)
}

impl OpenRepository {
    /// Reads a blob.
    pub(super) fn blob(&self, id: ObjectId, most: u64) -> Result<FileContent, GitError> {
        self.check_time()?;
        let size = self.repo.find_header(id).map_err(|error| self.failed(error))?.size();
        if size > most {
            return Ok(FileContent::Large(size));
        }
        let mut object = self.repo.find_object(id).map_err(|error| self.failed(error))?;
        Ok(FileContent::Bytes(std::mem::take(&mut object.data)))
    }

    /// Opens the work tree.
    pub(super) fn work_tree(&self) -> Result<Dir, GitError> {
        let folder = self
            .repo
            .workdir()
            .ok_or_else(|| GitError::bad("the repository is bare: it has no work tree"))?;
        Ok(Dir::open_ambient_dir(folder, cap_std::ambient_authority())?)
    }

    /// Reads a file of the work tree as it would be committed; `None` if there is none.
    pub(super) fn work_file(
        &self,
        work_tree: &Dir,
        path: &RepoPath,
        most: u64,
    ) -> Result<Option<(EntryKind, FileContent)>, GitError> {
        self.check_time()?;
        let Ok(metadata) = work_tree.symlink_metadata(path.as_path()) else { return Ok(None) };
        if metadata.is_symlink() {
            let target = work_tree.read_link_contents(path.as_path())?;
            let target = target.as_os_str().as_encoded_bytes().to_vec();
            return Ok(Some((EntryKind::Link, FileContent::Bytes(target))));
        }
        if !metadata.is_file() {
            return Ok(None);
        }
        let kind = if is_executable(&metadata) { EntryKind::BlobExecutable } else { EntryKind::Blob };
        if metadata.len() > most {
            return Ok(Some((kind, FileContent::Large(metadata.len()))));
        }
        let file = work_tree.open_with(path.as_path(), OpenOptions::new().read(true).nonblock(true))?;
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        Ok(Some((kind, FileContent::Bytes(self.normalized(path, bytes)?))))
    }

    /// Converts line ends as the attributes of the repository say it. No program of a filter runs.
    fn normalized(&self, path: &RepoPath, bytes: Vec<u8>) -> Result<Vec<u8>, GitError> {
        let (mut pipeline, index) = self.repo.filter_pipeline(None).map_err(|error| self.failed(error))?;
        let mut converted = pipeline
            .convert_to_git(bytes.as_slice(), path.as_path(), &index)
            .map_err(|error| self.failed(error))?;
        let mut normalized = Vec::with_capacity(bytes.len());
        converted.read_to_end(&mut normalized)?;
        Ok(normalized)
    }

    /// Returns the entry of a tree at a path.
    pub(super) fn tree_entry(
        &self,
        commit: ObjectId,
        path: &RepoPath,
    ) -> Result<Option<(gix::objs::tree::EntryMode, ObjectId)>, GitError> {
        let failed = |error| self.failed(error);
        let tree = self.commit(commit)?.tree().map_err(failed)?;
        if path.is_top() {
            return Ok(Some((EntryKind::Tree.into(), tree.id)));
        }
        let entry = tree.lookup_entry(path.parts()).map_err(failed)?;
        Ok(entry.map(|entry| (entry.mode(), entry.object_id())))
    }
}

/// Returns the text of a path; a name that is no UTF-8 is shown with replacement characters.
pub(super) fn path_text(path: &BStr) -> String {
    path.to_string()
}

#[cfg(unix)]
fn is_executable(metadata: &cap_std::fs::Metadata) -> bool {
    use cap_std::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &cap_std::fs::Metadata) -> bool {
    false
}
