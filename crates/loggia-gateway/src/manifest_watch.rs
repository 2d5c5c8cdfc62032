//! Watches the manifest files of connectors: a manifest changes without a change of the configuration that names it.
//!
//! Invariant: a change is reported once, after all files have stayed the same for an interval.

use std::path::PathBuf;

use crate::file_watch::{FileStamp, INTERVAL};

/// A watch on manifest files. A file that is watched may be absent, and appear.
#[derive(Default)]
pub(crate) struct ManifestWatch {
    seen: Vec<(PathBuf, FileStamp)>,
}

impl ManifestWatch {
    /// Watches these files. A file that was watched before is compared with its earlier state; others with their state now.
    pub(crate) fn set(&mut self, files: Vec<PathBuf>) {
        let before = std::mem::take(&mut self.seen);
        let stamp = |file: &PathBuf| {
            let known = before.iter().find(|(path, _)| path == file);
            known.map_or_else(|| FileStamp::of(file), |(_, stamp)| *stamp)
        };
        self.seen =
            files.into_iter().map(|file| (stamp(&file), file)).map(|(stamp, file)| (file, stamp)).collect();
    }

    /// Waits for a change, and returns the files that changed. Needs a tokio runtime with time.
    pub(crate) async fn changed(&mut self) -> Vec<PathBuf> {
        let mut latest = self.seen.clone();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let files: Vec<PathBuf> = self.seen.iter().map(|(file, _)| file.clone()).collect();
            let read = tokio::task::spawn_blocking(move || {
                files
                    .into_iter()
                    .map(|file| (FileStamp::of(&file), file))
                    .map(|(stamp, file)| (file, stamp))
                    .collect()
            });
            let Ok::<Vec<_>, _>(now) = read.await else { continue };
            if now != latest {
                latest = now;
            } else if now != self.seen {
                let before = std::mem::replace(&mut self.seen, now);
                let changed = self.seen.iter().zip(before).filter(|(now, before)| *now != before);
                return changed.map(|((file, _), _)| file.clone()).collect();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Each case: a change, and the files that are reported.
    #[tokio::test(start_paused = true)]
    async fn each_file_that_changes_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let [first, second] = ["a.toml", "b.toml"].map(|name| folder.path().join(name));
        fs::write(&first, "one").expect("written");
        let mut watch = ManifestWatch::default();
        watch.set(vec![first.clone(), second.clone()]);
        type Change = fn(&Path, &Path);
        let cases: [(Change, &[&PathBuf]); 4] = [
            (|first, _| fs::write(first, "two two").expect("written"), &[&first]),
            (|_, second| fs::write(second, "made").expect("written"), &[&second]),
            (
                |first, second| {
                    fs::write(first, "one").expect("written");
                    fs::remove_file(second).expect("removed");
                },
                &[&first, &second],
            ),
            (|first, _| fs::remove_file(first).expect("removed"), &[&first]),
        ];
        for (at, (change, expected)) in cases.into_iter().enumerate() {
            change(&first, &second);
            assert_eq!(watch.changed().await.iter().collect::<Vec<_>>(), expected, "case {at}");
            let again = tokio::time::timeout(INTERVAL * 10, watch.changed()).await;
            assert!(again.is_err(), "case {at} is reported twice");
        }
        // A file that is written before the list of files changes again is still a change.
        fs::write(&first, "late").expect("written");
        watch.set(vec![first.clone()]);
        assert_eq!(watch.changed().await, [first]);
    }
}
