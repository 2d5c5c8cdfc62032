//! Watches a file by reading its metadata at intervals. That also works where the system reports no changes (network
//! drives, containers' mounts) and where an editor replaces the file, at the cost of one system call per interval.
//!
//! Invariant: a change is reported once, after the file has stayed the same for an interval, so that a file that is being
//! written is not read in the middle.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The time between two looks.
pub(crate) const INTERVAL: Duration = Duration::from_millis(500);

/// The state of a file as its metadata shows it; `None` where there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStamp(Option<(Option<SystemTime>, u64, u64)>);

impl FileStamp {
    /// Reads the metadata of `path`.
    pub(crate) fn of(path: &Path) -> FileStamp {
        FileStamp(
            std::fs::metadata(path).ok().map(|found| (found.modified().ok(), found.len(), number(&found))),
        )
    }
}

/// Returns the number of the file at `path`, which differs when another file takes its place; `None` where there is none.
pub(crate) fn file_number(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|found| number(&found))
}

/// Returns the number of the file, which differs when another file takes its place.
#[cfg(unix)]
fn number(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_: &std::fs::Metadata) -> u64 {
    0
}

/// A watch on one file.
pub(crate) struct FileWatch {
    path: PathBuf,
    seen: FileStamp,
}

impl FileWatch {
    /// Watches `path` for differences from `seen`.
    pub(crate) fn new(path: PathBuf, seen: FileStamp) -> FileWatch {
        FileWatch { path, seen }
    }

    /// Waits for a change. Needs a tokio runtime with time.
    pub(crate) async fn changed(&mut self) {
        let mut latest = self.seen;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let path = self.path.clone();
            let Ok(stamp) = tokio::task::spawn_blocking(move || FileStamp::of(&path)).await else { continue };
            if stamp != latest {
                latest = stamp;
            } else if stamp != self.seen {
                self.seen = stamp;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Each case: a name, and a change of the file.
    #[tokio::test(start_paused = true)]
    async fn every_manner_of_change_is_reported_once() {
        type Change = fn(&Path);
        let cases: [(&str, Change); 5] = [
            ("written", |path| fs::write(path, "two two").expect("written")),
            ("replaced", |path| {
                let next = path.with_extension("next");
                fs::write(&next, "one").expect("written");
                fs::rename(next, path).expect("renamed");
            }),
            ("touched", |path| {
                let later = SystemTime::now() + Duration::from_secs(60);
                fs::File::options()
                    .write(true)
                    .open(path)
                    .and_then(|file| file.set_modified(later))
                    .expect("set");
            }),
            ("removed", |path| fs::remove_file(path).expect("removed")),
            ("made", |path| fs::write(path, "again").expect("written")),
        ];
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("loggia.toml");
        fs::write(&path, "one").expect("written");
        let mut watch = FileWatch::new(path.clone(), FileStamp::of(&path));
        for (name, change) in cases {
            change(&path);
            watch.changed().await;
            let again = tokio::time::timeout(INTERVAL * 10, watch.changed()).await;
            assert!(again.is_err(), "{name}: reported twice");
        }
    }
}
