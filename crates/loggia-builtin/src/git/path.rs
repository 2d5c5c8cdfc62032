//! Paths in a repository. Invariant: a path has no part that leads out of the tree or into a git directory.

use std::path::Path;

use gix::bstr::BString;

use super::GitError;

/// A path relative to the top of a repository, with forward slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RepoPath(String);

impl RepoPath {
    /// Reads a path of a caller. A slash at the end is left out; the empty path is the top.
    pub(super) fn parse(text: &str) -> Result<RepoPath, GitError> {
        let text = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
        let text = if text == "." { "" } else { text };
        let is_bad = |part: &str| part.is_empty() || part == "." || part == ".." || is_git_directory(part);
        let has_bad_parts = !text.is_empty() && text.split('/').any(is_bad);
        if has_bad_parts || text.contains(['\0', '\\']) || text.len() > 4096 {
            return Err(GitError::bad(format!(
                "{text:?} is no path in a repository: write it relative to the top, with forward slashes, without '..' and \
                 without .git"
            )));
        }
        Ok(RepoPath(text.to_owned()))
    }

    pub(super) fn is_top(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    pub(super) fn to_bstring(&self) -> BString {
        self.0.as_str().into()
    }

    /// Returns the names of the path.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// Returns whether `path` is this path, or below it.
    pub(super) fn contains(&self, path: &[u8]) -> bool {
        let own = self.0.as_bytes();
        self.is_top() || path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

/// Returns whether a file system may treat a name as `.git`.
fn is_git_directory(name: &str) -> bool {
    let visible: String = name.chars().filter(|c| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')).collect();
    let start = visible.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    start.eq_ignore_ascii_case(".git") || start.eq_ignore_ascii_case("git~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_tree() {
        for (text, expected) in [
            ("src/main.rs", Some("src/main.rs")),
            ("./src/", Some("src")),
            ("", Some("")),
            (".", Some("")),
            ("a b", Some("a b")),
            ("..a/b..", Some("..a/b..")),
            (".gitignore", Some(".gitignore")),
            ("..", None),
            ("a/../b", None),
            ("a/./b", None),
            ("/etc/passwd", None),
            ("a//b", None),
            (".git/config", None),
            ("a/.GIT/config", None),
            (".git./config", None),
            (".git::$INDEX_ALLOCATION/config", None),
            (".g\u{200c}it/config", None),
            ("git~1", None),
            ("a\\b", None),
            ("a\0b", None),
        ] {
            let path = RepoPath::parse(text).ok();
            assert_eq!(path.as_ref().map(RepoPath::as_str), expected, "{text:?}");
        }
        let folder = RepoPath::parse("src").expect("it is a path");
        for (path, expected) in [("src", true), ("src/a", true), ("srcs", false), ("a/src", false)] {
            assert_eq!(folder.contains(path.as_bytes()), expected, "{path}");
        }
    }
}
