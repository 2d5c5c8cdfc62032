//! Advisory locks on directories, which order the changes of several processes in one folder.
//!
//! A change reads a name of a directory, decides, and renames. A concurrent change of another process would undo it.
//! The lock is on the directory that contains the name, and not on the folder, so that two servers with overlapping
//! folders exclude each other, too. The kernel releases it when the process ends for any reason.
//!
//! If directories cannot be locked, a file in the folder is locked. Then only servers of the same folder exclude each
//! other. With a lock file in each directory, overlapping folders would work, too, but no directory could be deleted
//! as an empty one.

use std::io;
use std::thread;
use std::time::Duration;

use cap_fs_ext::MetadataExt as _;
use cap_std::fs::{Dir, OpenOptions};
use fs4::{FileExt, TryLockError};

use super::budget::Budget;

/// The time between two attempts to take a lock that another process holds.
pub(super) const RETRY: Duration = Duration::from_millis(2);

/// The file that is locked if directories cannot be locked, as on Windows and NFS.
pub(super) const LOCK_FILE: &str = ".loggia.lock";

/// The locks of one change, released on drop.
#[derive(Debug, Default)]
pub(super) struct DirectoryLocks {
    held: Vec<std::fs::File>,
}

/// The lock was not released within the time limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LockTimeout;

impl DirectoryLocks {
    /// Locks `directories`, always in the same order, so that two changes cannot wait for each other. If the file
    /// system has no locks, returns none: then only the changes of this process are ordered.
    pub(super) fn acquire(
        directories: &[&Dir],
        root: &Dir,
        budget: &mut Budget,
    ) -> Result<DirectoryLocks, LockTimeout> {
        let mut ordered: Vec<((u64, u64), &Dir)> =
            directories.iter().filter_map(|dir| Some((identity(dir).ok()?, *dir))).collect();
        ordered.sort_by_key(|(identity, _)| *identity);
        ordered.dedup_by_key(|(identity, _)| *identity);
        let mut locks = DirectoryLocks::default();
        for (_, dir) in ordered {
            locks.add(dir, root, budget)?;
        }
        Ok(locks)
    }

    /// Returns whether other processes are excluded.
    pub(super) fn exclude_others(&self) -> bool {
        !self.held.is_empty()
    }

    fn add(&mut self, dir: &Dir, root: &Dir, budget: &mut Budget) -> Result<(), LockTimeout> {
        match directory_file(dir).and_then(|file| wait_for(file, budget)) {
            Ok(file) => self.held.push(file.ok_or(LockTimeout)?),
            // Two directories share the lock file, and must not wait for each other.
            Err(_) if self.exclude_others() => {}
            Err(_) => {
                if let Ok(file) = lock_file(root).and_then(|file| wait_for(file, budget)) {
                    self.held.push(file.ok_or(LockTimeout)?);
                }
            }
        }
        Ok(())
    }
}

/// Returns the identity of a directory on this machine.
fn identity(dir: &Dir) -> io::Result<(u64, u64)> {
    let metadata = dir.dir_metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

fn directory_file(dir: &Dir) -> io::Result<std::fs::File> {
    dir.open(".").map(cap_std::fs::File::into_std)
}

fn lock_file(root: &Dir) -> io::Result<std::fs::File> {
    let options = OpenOptions::new().write(true).create(true).to_owned();
    root.open_with(LOCK_FILE, &options).map(cap_std::fs::File::into_std)
}

/// Returns the locked file; `None` if the budget is used up.
fn wait_for(file: std::fs::File, budget: &mut Budget) -> io::Result<Option<std::fs::File>> {
    loop {
        match FileExt::try_lock(&file) {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if budget.time().is_err() {
            return Ok(None);
        }
        thread::sleep(RETRY);
    }
}
