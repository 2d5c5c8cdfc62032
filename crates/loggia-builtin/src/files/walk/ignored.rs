//! The rules of `.gitignore` files. They are read with the walk's own directory handles. The crate `ignore`
//! implements git's rules and their precedence.
//!
//! Compiled rules need a hundred times the memory of their text, and each file with rules needs more while it is
//! matched. So the number and bytes of the rules that apply together are bounded, and the number of files. A walk
//! says when it left out some rules.

use std::io::Read as _;
use std::path::Path;

use cap_std::fs::Dir;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::super::path::RelPath;
use super::super::{Files, open_regular};
use crate::glob;

/// The maximum number of rules that apply together.
const MAX_RULES: usize = 4_000;

/// The maximum number of bytes of rules that apply together.
const MAX_BYTES: usize = 128 << 10;

/// The maximum number of directories whose rules apply together.
const MAX_DIRECTORIES: usize = 16;

/// The current rules, from the root to the current directory of the walk.
#[derive(Default)]
pub(super) struct IgnoreRules {
    levels: Vec<IgnoreLevel>,
    /// The first directory whose rules do not all apply.
    incomplete: Option<String>,
}

struct IgnoreLevel {
    /// The length of the path of this level's directory, with the slash after it.
    prefix: usize,
    rules: Gitignore,
    size: RuleSize,
}

/// The amount of rules that counts for the bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct RuleSize {
    rules: usize,
    bytes: usize,
    directories: usize,
}

impl IgnoreRules {
    /// Returns the rules of every directory above `start`.
    pub(super) fn above(files: &Files, start: &RelPath) -> IgnoreRules {
        let mut ancestors: Vec<RelPath> = std::iter::successors(start.parent(), RelPath::parent).collect();
        ancestors.reverse();
        let mut ignored = IgnoreRules::default();
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
        let (rules, size, complete) = match text(dir) {
            Some((text, whole)) => {
                let (rules, size, complete) = compile(&text, self.room());
                (rules, size, complete && whole)
            }
            None => (Gitignore::empty(), RuleSize::default(), true),
        };
        if !complete && self.incomplete.is_none() {
            self.incomplete = Some(if at.is_empty() { "." } else { at }.to_owned());
        }
        self.levels.push(IgnoreLevel { prefix, rules, size });
    }

    /// Leaves the directory that was entered last.
    pub(super) fn pop(&mut self) {
        self.levels.pop();
    }

    /// Returns whether the path is excluded. The deepest directory with a matching rule decides.
    pub(super) fn contains(&self, path: &str, name: &str, is_dir: bool) -> bool {
        let levels = self.levels.iter().rev();
        let decided = levels.map(|level| level.rules.matched(Path::new(&path[level.prefix..]), is_dir));
        name == ".git" || decided.into_iter().find(|m| !m.is_none()).is_some_and(|m| m.is_ignore())
    }

    /// Returns a text about the rules that do not apply, if there are any.
    pub(super) fn note(&self) -> Option<String> {
        let first = self.incomplete.as_ref()?;
        Some(format!(
            "not all rules of the .gitignore in '{first}' were applied, so what they exclude is shown: at most {MAX_RULES} \
             rules, {MAX_BYTES} bytes and {MAX_DIRECTORIES} files of rules apply at once, and no rule above {} bytes",
            glob::MAX_GLOB
        ))
    }

    fn room(&self) -> RuleSize {
        let max = RuleSize { rules: MAX_RULES, bytes: MAX_BYTES, directories: MAX_DIRECTORIES };
        self.levels.iter().fold(max, |room, level| RuleSize {
            rules: room.rules.saturating_sub(level.size.rules),
            bytes: room.bytes.saturating_sub(level.size.bytes),
            directories: room.directories.saturating_sub(level.size.directories),
        })
    }
}

/// Returns the lines of the `.gitignore` in `dir` that can apply, and whether these are all.
fn text(dir: &Dir) -> Option<(String, bool)> {
    let (file, metadata) = open_regular(dir, Path::new(".gitignore")).ok()?;
    if !metadata.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text).ok()?;
    let whole = text.len() <= MAX_BYTES;
    if !whole {
        // The last line may have been cut, which would change its meaning.
        text.truncate(text.iter().rposition(|byte| *byte == b'\n').unwrap_or_default());
    }
    Some((String::from_utf8_lossy(&text).into_owned(), whole))
}

/// Compiles the rules for which there is room. Returns their size, and whether these are all.
fn compile(text: &str, room: RuleSize) -> (Gitignore, RuleSize, bool) {
    let mut builder = GitignoreBuilder::new("");
    let mut size = RuleSize::default();
    let mut complete = true;
    for line in text.lines().filter(|line| is_rule(line)) {
        let fits = size.rules < room.rules && size.bytes + line.len() <= room.bytes && room.directories > 0;
        if !fits {
            complete = false;
            break;
        }
        if glob::check(line).is_err() {
            complete = false;
            continue;
        }
        // A line that cannot be parsed is ignored; the others apply.
        let _ = builder.add_line(None, line);
        size = RuleSize { rules: size.rules + 1, bytes: size.bytes + line.len(), directories: 1 };
    }
    match builder.build() {
        Ok(rules) => (rules, size, complete),
        Err(_) => (Gitignore::empty(), RuleSize::default(), false),
    }
}

fn is_rule(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_apply_as_far_as_there_is_room() {
        let room = RuleSize { rules: 3, bytes: 20, directories: 1 };
        let long = "a".repeat(glob::MAX_GLOB + 1);
        let wide = RuleSize { rules: 9_999, bytes: usize::MAX / 2, directories: 1 };
        let table = [
            ("# note\n\na\nb\n", room, RuleSize { rules: 2, bytes: 2, directories: 1 }, true),
            ("", room, RuleSize::default(), true),
            ("a\nb\nc\nd\n", room, RuleSize { rules: 3, bytes: 3, directories: 1 }, false),
            ("1234567890\n12345678901\n", room, RuleSize { rules: 1, bytes: 10, directories: 1 }, false),
            ("a\n", RuleSize { directories: 0, ..room }, RuleSize::default(), false),
            (&format!("{long}\na\n"), wide, RuleSize { rules: 1, bytes: 1, directories: 1 }, false),
            (&"{".repeat(1000), wide, RuleSize::default(), false),
            (&"*\n".repeat(9_000), wide, RuleSize { rules: 9_000, bytes: 9_000, directories: 1 }, true),
        ];
        for (text, room, size, complete) in table {
            let start: String = text.chars().take(30).collect();
            let (_, found, all) = compile(text, room);
            assert_eq!((found, all), (size, complete), "{start}");
        }
    }
}
