//! The permission to change something, and the place of a change: a name in an open, locked directory.
//!
//! The state of the directory is checked while the lock is held, so that a change cannot undo another one. After its
//! directory is locked, an operation does not use the path again.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, TryLockError};
use std::thread;
use std::time::Duration;

use cap_std::fs::{Dir, File, Metadata};

use super::budget::Budget;
use super::error::excerpt;
use super::lock::{DirectoryLocks, LOCK_FILE, RETRY};
use super::path::RelPath;
use super::temporary::{self, TemporaryFile};
use super::walk::{Walk, WalkFlow, WalkOptions};
use super::{Files, FilesError, Kind, Limits, Result, open_regular};

/// The number of directory entries that a change examines to find leftover temporary files.
const LOOK_AT: usize = 1_000;

/// The maximum number of links that lead to links.
const MAX_LINKS: usize = 40;

/// The permission to change something. Changes of one [`Files`] happen one after the other.
pub(super) struct ChangePermit<'f> {
    files: &'f Files,
    /// The time for all waiting: for changes of this process and of others.
    waiting: Budget,
    _order: MutexGuard<'f, ()>,
}

/// A name in an open directory.
pub(super) struct DirectoryEntry {
    /// The path as the caller gave it, for errors.
    pub(super) path: RelPath,
    pub(super) dir: Dir,
    pub(super) name: OsString,
}

/// A name in a directory that stays locked.
pub(super) struct LockedEntry {
    pub(super) entry: DirectoryEntry,
    _locks: DirectoryLocks,
}

/// The content that a file must still have when it is replaced.
#[derive(Debug, Clone, Copy)]
pub(super) enum ExpectedContent<'c> {
    /// There must be no file.
    Absent,
    /// Any content may be replaced.
    Any,
    /// The content with this hash, as in [`super::Stat::hash`].
    Hash(&'c str),
}

impl Files {
    /// Waits for running changes, and returns the permission to change `path`.
    ///
    /// # Errors
    ///
    /// Fails if the folder is read-only, or if running changes do not end within the time of one operation, or before
    /// the caller has gone.
    pub(super) fn change(&self, path: &str) -> Result<ChangePermit<'_>> {
        if !self.options.writable {
            return Err(FilesError::ReadOnly);
        }
        let mut waiting = self.budget();
        loop {
            match self.changes.try_lock() {
                Ok(order) => return Ok(ChangePermit { files: self, waiting, _order: order }),
                // A panic during a change leaves the folder in a valid state.
                Err(TryLockError::Poisoned(poisoned)) => {
                    return Ok(ChangePermit { files: self, waiting, _order: poisoned.into_inner() });
                }
                Err(TryLockError::WouldBlock) => {}
            }
            if waiting.time().is_err() {
                return Err(FilesError::Busy { path: excerpt(path) });
            }
            thread::sleep(RETRY);
        }
    }

    /// Follows the links if `path` itself is a link, and returns the path of the last target, which need not exist.
    /// Links of parent directories are left to the system, which follows and confines them when a directory is
    /// opened.
    ///
    /// `canonicalize` cannot be used: it reads the path of an open file, and that path changes when the file is
    /// replaced.
    pub(super) fn follow_links(&self, path: &RelPath) -> Result<PathBuf> {
        let mut real = path.as_path().to_owned();
        for followed in 0..MAX_LINKS {
            match self.root.symlink_metadata(&real) {
                Ok(metadata) if metadata.is_symlink() => {
                    let target = self.root.read_link_contents(&real).map_err(|e| self.explain(path, &e))?;
                    real = real.parent().unwrap_or(Path::new("")).join(target);
                }
                // A link without a target would be replaced silently.
                Err(e) if e.kind() == io::ErrorKind::NotFound && followed > 0 => {
                    let advice = "it is a symbolic link that leads to nothing; write to the path it leads to";
                    return Err(FilesError::Exists { path: path.to_string(), advice });
                }
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(self.explain(path, &e)),
                _ => return Ok(real),
            }
        }
        let reason = "it is a symbolic link that leads to too many others";
        Err(FilesError::BadPath { path: path.to_string(), reason })
    }

    /// Removes the temporary files of ended processes in the whole folder, within the limits of one operation. A
    /// read-only folder is not changed.
    pub fn remove_leftovers(&self) {
        if !self.is_writable() {
            return;
        }
        let at_once = Limits { time: Duration::ZERO, ..self.limits().clone() };
        let options = WalkOptions { hidden: true, ignored: true, ..WalkOptions::default() };
        let walked = Walk::new(options, self.budget()).run(self, &RelPath::default(), &mut |found, _| {
            if found.kind == Kind::File && temporary::is_temporary(found.os_name) {
                let locks = DirectoryLocks::acquire(&[found.dir], &self.root, &mut self.budget_of(&at_once));
                if locks.as_ref().is_ok_and(DirectoryLocks::exclude_others) {
                    // A file that cannot be removed does no harm.
                    let _ = found.dir.remove_file(found.os_name);
                }
            }
            WalkFlow::Continue
        });
        // If a folder cannot be walked, there is nothing to remove; reading it reports the reason.
        drop(walked);
    }
}

impl ChangePermit<'_> {
    /// Opens the directory of `real`, the target of `path`, if it may be changed. With `create`, creates it.
    pub(super) fn open(&self, path: &RelPath, real: &Path, create: bool) -> Result<DirectoryEntry> {
        let name =
            real.file_name().ok_or_else(|| FilesError::not_a_file(path, Kind::Directory.noun()))?.to_owned();
        if temporary::is_temporary(&name) || name == LOCK_FILE {
            let reason = "this server keeps names of this form for its own files; choose another name";
            return Err(FilesError::BadPath { path: path.to_string(), reason });
        }
        self.files.check_sensitive(path, real)?;
        let parent = real.parent().unwrap_or(Path::new(""));
        if create {
            self.create_directories(&path.parent().unwrap_or_default(), parent)?;
        }
        let opened = if parent.as_os_str().is_empty() {
            self.files.root.try_clone()
        } else {
            self.files.root.open_dir(parent)
        };
        let dir = opened.map_err(|e| self.files.explain(path, &e))?;
        Ok(DirectoryEntry { path: path.clone(), dir, name })
    }

    fn create_directories(&self, path: &RelPath, real: &Path) -> Result<()> {
        if real == Path::new("") {
            return Ok(());
        }
        self.files.root.create_dir_all(real).map_err(|e| self.files.explain(path, &e))
    }

    /// Prevents other processes from changing the directory of `entry`.
    pub(super) fn lock(&self, entry: DirectoryEntry) -> Result<LockedEntry> {
        let locks = self.lock_all(&[&entry])?;
        if locks.exclude_others() {
            temporary::remove_leftovers(&entry.dir, LOOK_AT);
        }
        Ok(LockedEntry { entry, _locks: locks })
    }

    /// Locks the directories of several entries at once.
    pub(super) fn lock_all(&self, entries: &[&DirectoryEntry]) -> Result<DirectoryLocks> {
        let directories: Vec<&Dir> = entries.iter().map(|entry| &entry.dir).collect();
        let busy =
            |_| FilesError::Busy { path: entries.first().map_or_else(String::new, |e| e.path.to_string()) };
        DirectoryLocks::acquire(&directories, &self.files.root, &mut self.waiting.clone()).map_err(busy)
    }

    /// Replaces the file at `place` by one with the content `content` in one step, if it still has the content
    /// `expected`. `replaced` is the existing file.
    pub(super) fn replace(
        &self,
        place: &LockedEntry,
        content: &[u8],
        replaced: Option<&Metadata>,
        expected: ExpectedContent<'_>,
    ) -> Result<()> {
        let DirectoryEntry { path, dir, name } = &place.entry;
        let io = |e: io::Error| self.files.explain(path, &e);
        let mut temporary = TemporaryFile::create(dir, replaced).map_err(io)?;
        temporary.fill(content, replaced).map_err(io)?;
        // Programs that ignore the lock may have changed the file meanwhile.
        match expected {
            ExpectedContent::Absent => {
                return temporary.publish_new(name).map_err(|e| place.entry.refused(self.files, &e));
            }
            ExpectedContent::Any => {}
            ExpectedContent::Hash(hash) => self.check_unchanged(place, hash)?,
        }
        temporary.replace(name).map_err(io)
    }

    /// Fails unless the file at `place` has the hash `expected`.
    pub(super) fn check_unchanged(&self, place: &LockedEntry, expected: &str) -> Result<()> {
        let path = place.entry.path.to_string();
        let hashed = place
            .entry
            .open_file()
            .and_then(|(mut file, metadata)| self.files.hash_file(&mut file, &metadata));
        match hashed {
            Ok(Some(now)) if now == expected => Ok(()),
            Ok(now) => {
                Err(FilesError::Changed { path, now: Some(now.unwrap_or_else(|| "unknown".to_owned())) })
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(FilesError::Changed { path, now: None }),
            Err(e) => Err(self.files.explain(&place.entry.path, &e)),
        }
    }
}

impl DirectoryEntry {
    pub(super) fn open_file(&self) -> io::Result<(File, Metadata)> {
        open_regular(&self.dir, self.as_path())
    }

    /// Returns the metadata of the entry that has the name, without following a link.
    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.dir.symlink_metadata(self.as_path())
    }

    pub(super) fn as_path(&self) -> &Path {
        Path::new::<OsStr>(&self.name)
    }

    /// Returns the error for a name that another program used just before.
    pub(super) fn refused(&self, files: &Files, error: &io::Error) -> FilesError {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return files.explain(&self.path, error);
        }
        let advice = "another program has just created it; read it before you decide what to do with it";
        FilesError::Exists { path: self.path.to_string(), advice }
    }
}

#[cfg(test)]
mod tests {
    use super::super::FilesOptions;
    use super::super::stat::hash;
    use super::*;

    /// A waiting call ends at its time limit or with its caller, also if the running change does not end.
    #[test]
    fn the_wait_for_the_change_under_way_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let options = FilesOptions { writable: true, ..FilesOptions::default() };
        let files = Files::open(folder.path(), options.clone()).unwrap();
        let at_once = Limits { time: Duration::ZERO, ..Limits::default() };
        let impatient =
            Files { options: FilesOptions { limits: at_once, ..options.clone() }, ..files.clone() };
        let gone = files.until(|| true);
        let busy = Err(FilesError::Busy { path: "file".to_owned() });
        for (what, waiting) in [("no time is left", &impatient), ("the caller has gone", &gone)] {
            let permit = files.change("file").unwrap();
            assert_eq!(waiting.change("file").map(drop), busy, "{what}");
            drop(permit);
            assert!(waiting.change("file").is_ok(), "{what}: nothing is waited for");
        }
        // The directory is locked by another process: the time before counts, too. A new budget would last an hour.
        let an_hour = Limits { time: Duration::from_secs(3600), ..Limits::default() };
        let patient = Files { options: FilesOptions { limits: an_hour, ..options }, ..files.clone() };
        let mut permit = patient.change("file").unwrap();
        permit.waiting = impatient.budget();
        let other = std::fs::File::open(folder.path()).unwrap();
        fs4::FileExt::lock(&other).unwrap();
        let path = files.parse("file").unwrap();
        let entry = permit.open(&path, Path::new("file"), false).unwrap();
        assert_eq!(permit.lock(entry).map(drop), busy);
    }

    /// Another program may change the file while the new content is being written.
    #[test]
    fn a_file_is_replaced_only_if_it_is_still_as_expected() {
        let folder = tempfile::tempdir().unwrap();
        let options = FilesOptions { writable: true, ..FilesOptions::default() };
        let files = Files::open(folder.path(), options).unwrap();
        let change = files.change("file").unwrap();
        let (old, other) = (hash(b"old"), hash(b"other"));
        let table = [
            (Some("old"), ExpectedContent::Hash(&old), true),
            (Some("old"), ExpectedContent::Any, true),
            (None, ExpectedContent::Absent, true),
            (Some("old"), ExpectedContent::Hash(&other), false),
            (None, ExpectedContent::Hash(&old), false),
            (Some("old"), ExpectedContent::Absent, false),
        ];
        for (there, expected, replaced) in table {
            let file = folder.path().join("file");
            match there {
                Some(content) => std::fs::write(&file, content).unwrap(),
                None => drop(std::fs::remove_file(&file)),
            }
            let path = files.parse("file").unwrap();
            let place = change.lock(change.open(&path, Path::new("file"), false).unwrap()).unwrap();
            assert_eq!(
                change.replace(&place, b"new", None, expected).is_ok(),
                replaced,
                "{there:?} {expected:?}"
            );
            let left = std::fs::read_to_string(&file).ok();
            assert_eq!(left.as_deref(), if replaced { Some("new") } else { there }, "{there:?} {expected:?}");
            assert!(folder.path().read_dir().unwrap().count() <= 1, "nothing is left behind");
        }
    }
}
