//! The private folder of a confined program: its temporary folder, a home if it has no lasting one, and the files that
//! the processes of the sandbox share.
//!
//! The supervisor removes it at the end. If the supervisor was killed, a later start does: the lock of a folder ends
//! with its process.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

/// The beginning of the names of private folders.
const PREFIX: &str = "loggia-sandbox-";
const LOCK: &str = "lock";
/// The maximum number of old folders that one start examines.
const EXAMINED: usize = 1000;
/// The age from which a folder without a lock is removed: a new one gets its lock a moment later.
const ABANDONED: Duration = Duration::from_secs(60);

/// A private folder, which is removed when the value is dropped.
pub(super) struct PrivateFolder {
    path: PathBuf,
    /// Locked as long as the folder is used.
    _lock: File,
}

impl PrivateFolder {
    /// Makes a folder below the folder for temporary files, and removes those of supervisors that were killed.
    pub(super) fn create() -> io::Result<PrivateFolder> {
        let parent = std::env::temp_dir();
        remove_abandoned(&parent);
        PrivateFolder::create_in(&parent)
    }

    fn create_in(parent: &Path) -> io::Result<PrivateFolder> {
        let mut attempt = 0_u32;
        let path = loop {
            let path = parent.join(format!("{PREFIX}{}-{attempt}", std::process::id()));
            match private(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => attempt += 1,
                Err(error) => return Err(error),
            }
        };
        let lock = File::create(path.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let folder = PrivateFolder { path, _lock: lock };
        private(&folder.path.join("tmp"))?;
        private(&folder.path.join("home"))?;
        Ok(folder)
    }

    /// Returns the path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // A later start removes what is left.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn private(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Removes the folders of this user whose supervisors have ended.
fn remove_abandoned(parent: &Path) {
    let user = rustix::process::geteuid().as_raw();
    let Ok(entries) = fs::read_dir(parent) else { return };
    let named = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for entry in named.take(EXAMINED) {
        let path = entry.path();
        let is_abandoned = fs::symlink_metadata(&path).is_ok_and(|meta| {
            let age = meta.modified().ok().and_then(|time| time.elapsed().ok());
            meta.is_dir() && meta.uid() == user && age.is_some_and(|age| age >= ABANDONED)
        });
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if is_abandoned && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // Another start may remove it at the same time.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_process_or_at_a_later_start() {
        let parent = tempfile::tempdir().expect("a folder");
        let used = PrivateFolder::create_in(parent.path()).expect("a folder");
        let ended = PrivateFolder::create_in(parent.path()).expect("a folder");
        let path = ended.path().to_owned();
        drop(ended);
        assert!(!path.exists());
        private(&path).expect("a folder");
        fs::write(path.join(LOCK), "").expect("a file");
        remove_abandoned(parent.path());
        assert!(path.exists(), "a start may be about to lock it");
        for folder in [&path, used.path()] {
            let folder = File::open(folder).expect("a folder");
            folder.set_modified(std::time::SystemTime::now() - ABANDONED).expect("it is ours");
        }
        remove_abandoned(parent.path());
        assert!(!path.exists() && used.path().join("tmp").is_dir());
    }
}
