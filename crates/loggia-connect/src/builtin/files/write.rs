//! Writing a whole file. The content goes to a temporary file in the same directory and takes the name in
//! one step, so that a reader sees the old content or the new and never a part, and a crash loses nothing.

use std::io::{self, Write as _};
use std::path::Path;

use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use loggia::JsonSchema;
use serde::Serialize;

use super::path::RelPath;
use super::{Files, FilesError, Kind, Result, stat};

/// What to write.
#[derive(Debug, Clone, Default)]
pub struct WriteRequest {
    /// The file. Directories on the way to it are created.
    pub path: String,
    /// All of its content.
    pub content: Vec<u8>,
    /// Whether a file that exists may be replaced.
    pub overwrite: bool,
    /// The hash of the content that the caller means to replace.
    pub if_unchanged: Option<String>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Written {
    /// The path, relative to the root of the folder.
    pub path: String,
    /// Whether there was no such file before.
    pub created: bool,
    /// The size in bytes.
    pub size: u64,
    /// Stands for the new content, for `if_unchanged`.
    pub hash: String,
}

impl Files {
    /// Creates a file, or replaces its content.
    pub fn write(&self, request: &WriteRequest) -> Result<Written> {
        let mut change = self.change()?;
        let path = self.parse(&request.path)?;
        self.check_size(&path, request.content.len() as u64)?;
        let before = self.before_write(&path, request)?;
        if before.is_none() {
            self.create_parents(&path)?;
        }
        self.replace(&mut change, &path, &request.content, before.as_ref())?;
        Ok(Written {
            path: path.to_string(),
            created: before.is_none(),
            size: request.content.len() as u64,
            hash: stat::hash(&request.content),
        })
    }

    /// What is there now, if it may be replaced.
    fn before_write(&self, path: &RelPath, request: &WriteRequest) -> Result<Option<Metadata>> {
        let metadata = match self.root.metadata(path.as_path()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && request.if_unchanged.is_some() => {
                return Err(FilesError::Changed { path: path.to_string(), now: None });
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => return self.nothing_there(path),
            Err(e) => return Err(self.explain(path, &e)),
            Ok(metadata) => metadata,
        };
        let kind = Kind::of(metadata.file_type());
        if kind != Kind::File {
            let advice = "give the path of a file, for example one in it";
            return Err(FilesError::NotAFile { path: path.to_string(), found: kind.noun(), advice });
        }
        if let Some(expected) = &request.if_unchanged {
            self.check_unchanged(path, expected)?;
        } else if !request.overwrite {
            let advice = "change it with the tool edit, or set overwrite to replace all of it";
            return Err(FilesError::Exists { path: path.to_string(), advice });
        }
        Ok(Some(metadata))
    }

    /// Nothing has the name; a link that leads nowhere would be replaced unseen.
    fn nothing_there(&self, path: &RelPath) -> Result<Option<Metadata>> {
        if self.root.symlink_metadata(path.as_path()).is_err() {
            return Ok(None);
        }
        let advice = "it is a symbolic link that leads to nothing; write to the path it leads to";
        Err(FilesError::Exists { path: path.to_string(), advice })
    }

    pub(super) fn check_unchanged(&self, path: &RelPath, expected: &str) -> Result<()> {
        let (mut file, metadata) = self.open_file(path)?;
        let now = self.hash_file(&mut file, &metadata).map_err(|e| self.explain(path, &e))?;
        if now.as_deref() == Some(expected) {
            return Ok(());
        }
        Err(FilesError::Changed {
            path: path.to_string(),
            now: Some(now.unwrap_or_else(|| "unknown".to_owned())),
        })
    }

    pub(super) fn check_size(&self, path: &RelPath, size: u64) -> Result<()> {
        let limit = self.limits().write_max;
        if size <= limit {
            return Ok(());
        }
        let advice = "split it into several files, or leave it to a tool outside this server";
        Err(FilesError::TooLarge { path: path.to_string(), size, limit, advice })
    }

    pub(super) fn create_parents(&self, path: &RelPath) -> Result<()> {
        match path.parent() {
            Some(parent) if !parent.is_root() => {
                self.root.create_dir_all(parent.as_path()).map_err(|e| self.explain(&parent, &e))
            }
            _ => Ok(()),
        }
    }

    /// Puts `content` at `path` in one step. What a link leads to is replaced, not the link.
    pub(super) fn replace(
        &self,
        serial: &mut u64,
        path: &RelPath,
        content: &[u8],
        before: Option<&Metadata>,
    ) -> Result<()> {
        let io = |e: io::Error| self.explain(path, &e);
        let real = match before {
            Some(_) => self.root.canonicalize(path.as_path()).map_err(io)?,
            None => path.as_path().to_owned(),
        };
        let name = real.file_name().ok_or(FilesError::Root { verb: "written" })?;
        let directory = match real.parent() {
            Some(parent) if parent != Path::new("") => self.root.open_dir(parent),
            _ => self.root.try_clone(),
        };
        let directory = directory.map_err(io)?;
        let (temporary, file) = create_temporary(&directory, serial).map_err(io)?;
        let result =
            fill(file, content, before).and_then(|()| directory.rename(&temporary, &directory, name));
        result.map_err(|e| {
            // The first error is the one to report; the leftover has a name that says what it is.
            let _ = directory.remove_file(&temporary);
            io(e)
        })
    }
}

/// Another process may have left a file of the same name, so that several names are tried.
fn create_temporary(directory: &Dir, serial: &mut u64) -> io::Result<(String, File)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    for _ in 0..100 {
        *serial += 1;
        let name = format!(".loggia-{}-{serial}.tmp", std::process::id());
        match directory.open_with(&name, &options) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (name, file)),
        }
    }
    Err(io::Error::other("no name is free for a temporary file"))
}

fn fill(mut file: File, content: &[u8], before: Option<&Metadata>) -> io::Result<()> {
    file.write_all(content)?;
    if let Some(before) = before {
        file.set_permissions(before.permissions())?;
    }
    file.sync_all()
}
