//! Moves and deletes, creates directories, and completes a path that the user types.

use std::io;

use cap_fs_ext::{DirExt as _, MetadataExt as _};
use cap_std::fs::Metadata;
use loggia::JsonSchema;
use serde::Serialize;

use super::change::DirectoryEntry;
use super::stat::Stat;
use super::temporary;
use super::walk::{Walk, WalkFlow, WalkOptions, first_names};
use super::{Files, FilesError, Kind, Result};

/// The maximum number of paths that a completion offers.
const MAX_COMPLETIONS: usize = 100;

/// The old and the new path of a move.
#[derive(Debug, Clone, Default)]
pub struct MoveRequest {
    /// The current path.
    pub from: String,
    /// The whole new path. Missing parent directories are created.
    pub to: String,
    /// True if an existing file may be replaced.
    pub overwrite: bool,
}

/// The path to delete.
#[derive(Debug, Clone, Default)]
pub struct DeleteRequest {
    /// The file, link or directory.
    pub path: String,
    /// True if a directory is deleted with all its content.
    pub recursive: bool,
}

/// The result of a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeleteResult {
    /// The path, relative to the root of the folder.
    pub path: String,
    /// The kind of thing that was deleted.
    pub kind: Kind,
}

impl Files {
    /// Moves or renames a file or a directory.
    pub fn rename(&self, request: &MoveRequest) -> Result<Stat> {
        let change = self.change(&request.from)?;
        let (from, to) = (self.parse(&request.from)?, self.parse(&request.to)?);
        if from.is_root() || to.is_root() {
            return Err(FilesError::Root { verb: "moved or replaced" });
        }
        self.root.symlink_metadata(from.as_path()).map_err(|e| self.explain(&from, &e))?;
        if to.as_str().strip_prefix(from.as_str()).is_some_and(|rest| rest.starts_with('/')) {
            let reason = format!("'{to}' is inside '{from}': a directory cannot be moved into itself");
            return Err(FilesError::BadRequest { reason });
        }
        for renamed in [&from, &to] {
            self.check_renamed_directory(renamed, &from)?;
        }
        let source = change.open(&from, from.as_path(), false)?;
        let target = change.open(&to, to.as_path(), true)?;
        let _locks = change.lock_all(&[&source, &target])?;
        self.rename_entry(&source, &target, request.overwrite)?;
        self.stat(to.as_str())
    }

    fn rename_entry(&self, from: &DirectoryEntry, to: &DirectoryEntry, overwrite: bool) -> Result<()> {
        if check_target(from, to, overwrite)? {
            let renamed = from.dir.rename(from.as_path(), &to.dir, to.as_path());
            return renamed.map_err(|e| self.explain(&to.path, &e));
        }
        temporary::rename_new(&from.dir, from.as_path(), &to.dir, &to.name).map_err(|e| to.refused(self, &e))
    }

    /// Creates a directory and its missing parents. Returns whether the directory is new.
    pub fn create_directory(&self, path: &str) -> Result<bool> {
        let change = self.change(path)?;
        let path = self.parse(path)?;
        if path.is_root() {
            return Ok(false);
        }
        let entry = change.open(&path, &self.follow_links(&path)?, true)?;
        match entry.dir.create_dir(entry.as_path()) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => Ok(false),
                Ok(_) => Err(FilesError::Exists {
                    path: path.to_string(),
                    advice: "it is not a directory; choose another name, or move it away first",
                }),
                Err(e) => Err(self.explain(&path, &e)),
            },
            Err(e) => Err(self.explain(&path, &e)),
        }
    }

    /// Deletes a file, a link (not its target) or a directory.
    pub fn delete(&self, request: &DeleteRequest) -> Result<DeleteResult> {
        let change = self.change(&request.path)?;
        let path = self.parse(&request.path)?;
        if path.is_root() {
            return Err(FilesError::Root { verb: "deleted" });
        }
        let explain = |e: io::Error| self.explain(&path, &e);
        self.root.symlink_metadata(path.as_path()).map_err(explain)?;
        let place = change.lock(change.open(&path, path.as_path(), false)?)?;
        let (dir, name) = (&place.entry.dir, place.entry.as_path());
        let kind = Kind::of(place.entry.metadata().map_err(explain)?.file_type());
        if kind == Kind::Directory && request.recursive {
            self.check_sensitive_below(&path)?;
        }
        let deleted = match kind {
            Kind::Directory if request.recursive => dir.remove_dir_all(name),
            Kind::Directory => dir.remove_dir(name),
            _ => dir.remove_file_or_symlink(name),
        };
        deleted.map_err(explain)?;
        Ok(DeleteResult { path: path.to_string(), kind })
    }

    /// Returns the number of files and directories that a recursive deletion of `path` deletes, counted up to `most`;
    /// 0 for a file or a link.
    ///
    /// # Errors
    ///
    /// Fails if `path` must not be deleted, or if the time of one operation is over before.
    pub(super) fn count_deleted(&self, path: &str, most: usize) -> Result<usize> {
        let path = self.parse(path)?;
        if path.is_root() {
            return Err(FilesError::Root { verb: "deleted" });
        }
        let metadata = self.root.symlink_metadata(path.as_path()).map_err(|e| self.explain(&path, &e))?;
        self.check_sensitive(&path, path.as_path())?;
        if !metadata.is_dir() {
            return Ok(0);
        }
        self.check_sensitive_below(&path)?;
        self.count_below(path.as_str(), most)
    }

    /// Returns the number of files and directories below `path`, counted up to `most`.
    ///
    /// # Errors
    ///
    /// Fails if the budget of one operation is used up before `most` is reached, because the count would be too
    /// small.
    pub fn count_below(&self, path: &str, most: usize) -> Result<usize> {
        let path = self.parse(path)?;
        let options = WalkOptions { hidden: true, ignored: true, ..WalkOptions::default() };
        let mut walk = Walk::new(options, self.budget());
        let mut count = 0;
        walk.run(self, &path, &mut |_, _| {
            count += 1;
            if count < most { WalkFlow::Continue } else { WalkFlow::Stop }
        })?;
        match walk.budget.spent() {
            Some(_) => Err(FilesError::TimedOut { path: path.to_string() }),
            None => Ok(count),
        }
    }

    /// Returns the paths that begin with `typed`, one level deep; directories end in a slash.
    pub fn complete(&self, typed: &str) -> Vec<String> {
        let (directory, begun) = typed.rsplit_once('/').unwrap_or(("", typed));
        let Ok(directory) = self.parse(directory) else { return Vec::new() };
        let Ok(dir) = self.open_dir(&directory) else { return Vec::new() };
        let wanted =
            |name: &str| name.starts_with(begun) && (begun.starts_with('.') || !name.starts_with('.'));
        let found = first_names(&dir, MAX_COMPLETIONS, &mut self.budget(), wanted).unwrap_or_default();
        found
            .into_iter()
            .map(|(name, kind)| {
                let slash = if kind == Kind::Directory { "/" } else { "" };
                format!("{}{slash}", directory.join(&name))
            })
            .collect()
    }
}

/// Returns whether something with the new name may be replaced; fails if it must not.
fn check_target(from: &DirectoryEntry, to: &DirectoryEntry, overwrite: bool) -> Result<bool> {
    let Ok(metadata) = to.metadata() else { return Ok(false) };
    let advice = match Kind::of(metadata.file_type()) {
        Kind::Directory => "give the whole new path, with the name it shall have in that directory",
        _ if overwrite || is_same_name_in_other_case(from, to, &metadata) => return Ok(true),
        _ => "set overwrite to replace it, or choose another name",
    };
    Err(FilesError::Exists { path: to.path.to_string(), advice })
}

/// Returns whether `to` is `from` under a name that differs only in case, as on a file system that ignores case. On
/// other file systems these can be two files.
fn is_same_name_in_other_case(from: &DirectoryEntry, to: &DirectoryEntry, target: &Metadata) -> bool {
    let (old, new) = (from.path.as_str(), to.path.as_str());
    let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    let is_same_file = || from.metadata().is_ok_and(|source| identity(&source) == identity(target));
    old != new && old.to_lowercase() == new.to_lowercase() && is_same_file()
}
