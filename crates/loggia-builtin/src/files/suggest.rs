//! "Did you mean": explains an error of the operating system, with the nearest existing path.

use std::io;

use super::error::FilesError;
use super::path::RelPath;
use super::walk::{Walk, WalkFlow, WalkOptions};
use super::{Files, Limits, root};

/// The similarity (Jaro-Winkler, 0 to 1) below which two names are unrelated.
const ALIKE: f64 = 0.85;

/// The number of directory entries that are examined for one suggestion.
const LOOK_AT: usize = 5_000;

impl Files {
    /// Returns the error for the caller.
    pub(super) fn explain(&self, path: &RelPath, error: &io::Error) -> FilesError {
        match FilesError::from_io(&path.to_string(), error) {
            FilesError::NotFound { .. } if root::is_deleted(&self.root) => FilesError::RootGone,
            FilesError::NotFound { path: text, .. } => {
                FilesError::NotFound { path: text, suggestion: self.suggest(path) }
            }
            FilesError::NotADirectory { .. } => FilesError::NotADirectory { path: self.blocking(path) },
            other => other,
        }
    }

    /// Returns the shortest part of `path` that exists and is not a directory.
    fn blocking(&self, path: &RelPath) -> String {
        let parts = std::iter::successors(Some(path.clone()), RelPath::parent);
        let in_the_way = parts.filter(|part| self.root.metadata(part.as_path()).is_ok_and(|m| !m.is_dir()));
        in_the_way.last().unwrap_or_else(|| path.clone()).to_string()
    }

    /// Returns an existing path that is similar to `path`: with a name that is similar to the first missing one, or
    /// the same name in another directory.
    fn suggest(&self, path: &RelPath) -> Option<String> {
        let (directory, missing) = self.first_missing(path)?;
        if let Some(alike) = self.name_alike(&directory, missing.name()) {
            let rest = &path.as_str()[missing.as_str().len()..];
            let whole = RelPath::from_walk(&format!("{}{rest}", directory.join(&alike)));
            if self.root.symlink_metadata(whole.as_path()).is_ok() {
                return Some(whole.to_string());
            }
        }
        self.same_name_elsewhere(path.name())
    }

    /// Returns the deepest existing parent directory of `path`, and the missing path below it.
    fn first_missing(&self, path: &RelPath) -> Option<(RelPath, RelPath)> {
        let mut missing = path.clone();
        loop {
            let parent = missing.parent()?;
            if self.root.metadata(parent.as_path()).is_ok_and(|m| m.is_dir()) {
                return Some((parent, missing));
            }
            missing = parent;
        }
    }

    fn name_alike(&self, directory: &RelPath, name: &str) -> Option<String> {
        let entries = self.root.read_dir(directory.as_path()).ok()?;
        let wanted = name.to_lowercase();
        let names = entries.take(LOOK_AT).filter_map(|e| e.ok()?.file_name().into_string().ok());
        let scored = names.map(|n| (strsim::jaro_winkler(&n.to_lowercase(), &wanted), n));
        let best = scored
            .filter(|(score, _)| *score >= ALIKE)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        best.map(|(_, name)| name)
    }

    fn same_name_elsewhere(&self, name: &str) -> Option<String> {
        let limits = Limits { entries: LOOK_AT, ..self.limits().clone() };
        let mut found = None;
        let mut walk = Walk::new(WalkOptions::default(), self.budget_of(&limits));
        let ended = walk.run(self, &RelPath::default(), &mut |entry, _| {
            if entry.name() != name {
                return WalkFlow::Continue;
            }
            found = Some(entry.path.clone());
            WalkFlow::Stop
        });
        ended.ok().and(found)
    }
}
