//! What `.gitignore` files exclude. They are read through the walk's own directory handles; the rules and
//! their order of precedence are git's, by the `ignore` crate.

use std::io::Read as _;
use std::path::Path;

use cap_std::fs::Dir;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::super::path::RelPath;
use super::super::{Files, open_regular};

/// The longest `.gitignore` that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The rules in force, from the root to where the walk is.
#[derive(Default)]
pub(super) struct Ignored(Vec<Level>);

struct Level {
    /// How many bytes of a path name this level's directory, with the slash after it.
    prefix: usize,
    rules: Gitignore,
}

impl Ignored {
    /// The rules of every directory above `start`.
    pub(super) fn above(files: &Files, start: &RelPath) -> Ignored {
        let mut ancestors: Vec<RelPath> = std::iter::successors(start.parent(), RelPath::parent).collect();
        ancestors.reverse();
        let mut ignored = Ignored::default();
        for ancestor in ancestors {
            if let Ok(dir) = files.open_dir(&ancestor) {
                ignored.push(&dir, ancestor.as_str());
            }
        }
        ignored
    }

    /// Enters the directory `at`.
    pub(super) fn push(&mut self, dir: &Dir, at: &str) {
        let prefix = if at.is_empty() { 0 } else { at.len() + 1 };
        self.0.push(Level { prefix, rules: rules(dir).unwrap_or_else(Gitignore::empty) });
    }

    /// Leaves the directory entered last.
    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    /// Whether the path is excluded. The deepest directory with an opinion decides.
    pub(super) fn contains(&self, path: &str, name: &str, is_dir: bool) -> bool {
        let decided =
            self.0.iter().rev().map(|level| level.rules.matched(Path::new(&path[level.prefix..]), is_dir));
        name == ".git" || decided.into_iter().find(|m| !m.is_none()).is_some_and(|m| m.is_ignore())
    }
}

fn rules(dir: &Dir) -> Option<Gitignore> {
    let (file, metadata) = open_regular(dir, Path::new(".gitignore")).ok()?;
    if !metadata.is_file() {
        return None;
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).ok()?;
    let mut builder = GitignoreBuilder::new("");
    for line in text.lines() {
        // A line that does not parse is git's to complain about; the others still count.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok()
}
