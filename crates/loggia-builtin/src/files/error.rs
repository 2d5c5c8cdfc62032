//! The errors of file operations, written for a language model: each message names the cause and the next step. No
//! message contains the location of the folder on the machine.

use std::fmt;
use std::io;

use loggia::wire::text::{escape_except, escape_line, is_layout};

/// The reason why an operation on the folder was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilesError {
    /// There is nothing at this path.
    NotFound {
        /// The requested path.
        path: String,
        /// An existing path that may have been meant.
        suggestion: Option<String>,
    },
    /// The folder itself was deleted after it was opened.
    RootGone,
    /// The path, or a link in it, leads out of the folder.
    Outside {
        /// The requested path.
        path: String,
    },
    /// The path is invalid on any file system.
    BadPath {
        /// The requested path.
        path: String,
        /// The defect of the path.
        reason: &'static str,
    },
    /// The folder is read-only.
    ReadOnly,
    /// Other programs execute or trust the file, and the option to change such files is off.
    Sensitive {
        /// The path, or the path of something in it.
        path: String,
    },
    /// The operation needs a file.
    NotAFile {
        /// The requested path.
        path: String,
        /// The kind of thing that was found.
        found: &'static str,
        /// The next step for that kind.
        advice: &'static str,
    },
    /// The operation needs a directory.
    NotADirectory {
        /// The path, or the part of it, that is not a directory.
        path: String,
    },
    /// The path exists already.
    Exists {
        /// The path.
        path: String,
        /// The option that permits replacement, or another next step.
        advice: &'static str,
    },
    /// The directory to delete is not empty.
    NotEmpty {
        /// The directory.
        path: String,
    },
    /// The operation cannot apply to the folder itself.
    Root {
        /// The refused operation, as a verb.
        verb: &'static str,
    },
    /// The file or the content is above a limit.
    TooLarge {
        /// The file.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
        /// The next step.
        advice: &'static str,
    },
    /// The file differs from the one that the caller has seen.
    Changed {
        /// The file.
        path: String,
        /// The hash it has now, if it still exists.
        now: Option<String>,
    },
    /// The file is not UTF-8 text.
    NotText {
        /// The file.
        path: String,
    },
    /// The request is not possible: a range after the end of the file, or an invalid cursor.
    BadRequest {
        /// The defect, and the correct form.
        reason: String,
    },
    /// One of several edits cannot be made.
    Edit {
        /// The file.
        path: String,
        /// The number of the edit, counted from 1.
        edit: usize,
        /// The defect of the edit.
        problem: EditProblem,
    },
    /// A glob or a regular expression does not parse.
    BadPattern {
        /// The pattern.
        pattern: String,
        /// The parser's message.
        reason: String,
    },
    /// The user or process that runs the server has no permission.
    Denied {
        /// The path.
        path: String,
    },
    /// Other changes, of this process or of another one, took longer than the operation may wait.
    Busy {
        /// The path.
        path: String,
    },
    /// The operation did not end within its time limit.
    TimedOut {
        /// The path.
        path: String,
    },
    /// Another error of the operating system.
    Io {
        /// The path.
        path: String,
        /// The text of the operating system.
        reason: String,
    },
}

/// The reason why an edit cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditProblem {
    /// The old text is empty.
    Empty,
    /// The old and the new text are the same.
    NoChange,
    /// The old text does not occur.
    NoMatch,
    /// The old text does not occur, but a passage differs from it only in white space.
    WhiteSpace {
        /// The line on which the passage begins, counted from 1.
        line: usize,
        /// The passage as it is in the file.
        text: String,
    },
    /// The file would grow above the limit for writing.
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The old text occurs more than once.
    Ambiguous {
        /// The number of matches.
        count: usize,
        /// The lines of the first few occurrences.
        lines: Vec<usize>,
    },
}

impl FilesError {
    /// Returns the error for a path that is not a file but `found`, for example "a directory".
    pub(super) fn not_a_file(path: &impl fmt::Display, found: &'static str) -> FilesError {
        let advice = "give the path of a file, for example one in it";
        FilesError::NotAFile { path: path.to_string(), found, advice }
    }

    /// Creates the error for a path that cannot be used, with the beginning of the path on one line.
    pub(super) fn bad_path(path: &str, reason: &'static str) -> FilesError {
        FilesError::BadPath { path: excerpt(path), reason }
    }

    /// Converts an error of the operating system at `path`.
    pub(super) fn from_io(path: &str, error: &io::Error) -> FilesError {
        let path = path.to_owned();
        match error.kind() {
            _ if is_escape(error) => FilesError::Outside { path },
            io::ErrorKind::NotFound => FilesError::NotFound { path, suggestion: None },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                FilesError::Denied { path }
            }
            io::ErrorKind::NotADirectory => FilesError::NotADirectory { path },
            io::ErrorKind::DirectoryNotEmpty => FilesError::NotEmpty { path },
            io::ErrorKind::TimedOut => FilesError::TimedOut { path },
            _ => FilesError::Io { path, reason: error.to_string() },
        }
    }
}

/// The maximum number of characters of a caller's text in an error.
const MAX_EXCERPT: usize = 80;

/// Returns the beginning of a caller's text, on one line.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(MAX_EXCERPT) {
        Some((end, _)) => escape_line(&text[..end]) + "…",
        None => escape_line(text),
    }
}

/// Returns the first `most` characters of a message of several lines, which repeats text from outside.
pub(super) fn bounded(message: &str, most: usize) -> String {
    match message.char_indices().nth(most) {
        Some((end, _)) => escape_except(&message[..end], is_layout) + "…",
        None => escape_except(message, is_layout),
    }
}

/// Returns whether cap-std made this error because a path leads out of the folder. Then it has no error number.
fn is_escape(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

impl std::error::Error for FilesError {}

impl fmt::Display for FilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FilesError::NotFound { path, suggestion: Some(other) } => {
                write!(f, "no file or directory '{path}'; did you mean '{other}'?")
            }
            FilesError::NotFound { path, suggestion: None } => {
                write!(f, "no file or directory '{path}'; list the directory to see what is there")
            }
            FilesError::RootGone => f.write_str(
                "the folder of this server was deleted, so there is nothing to read or change; the administrator can \
                 create it again and restart the server",
            ),
            FilesError::Outside { path } => write!(
                f,
                "the path '{path}' leaves the folder this server may use; give a path inside it, relative to \
                 its root, for example 'src/main.rs'"
            ),
            FilesError::BadPath { path, reason } => write!(f, "the path '{path}' cannot be used: {reason}"),
            FilesError::ReadOnly => f.write_str(
                "this server is read-only, so nothing was changed; its administrator can start it with --write",
            ),
            FilesError::Sensitive { path } => write!(
                f,
                "other programs execute or trust '{path}' (such as .git, shell profiles, editor tasks), so nothing was \
                 changed; the administrator can allow it with --write-sensitive, or with write_sensitive = true in \
                 loggia.toml"
            ),
            FilesError::NotAFile { path, found, advice } => {
                write!(f, "'{path}' is {found}, not a file; {advice}")
            }
            FilesError::NotADirectory { path } => {
                write!(f, "'{path}' is not a directory, so there is nothing in it; take its parent directory")
            }
            FilesError::Exists { path, advice } => write!(f, "'{path}' already exists; {advice}"),
            FilesError::NotEmpty { path } => write!(
                f,
                "the directory '{path}' is not empty; set recursive to delete everything that is in it"
            ),
            FilesError::Root { verb } => {
                write!(f, "the root of the folder cannot be {verb}; name something inside it")
            }
            FilesError::TooLarge { path, size, limit, advice } => {
                write!(f, "'{path}': {size} bytes is above the limit of {limit}; {advice}")
            }
            FilesError::Denied { path } => write!(
                f,
                "no permission for '{path}': the account that runs this server may not do that; nothing the \
                 caller sends can change it"
            ),
            FilesError::Busy { path } => write!(
                f,
                "other changes of this folder, by this server or another process, took too long, so '{path}' was not changed; try again later"
            ),
            FilesError::TimedOut { path } => write!(
                f,
                "reading '{path}' took too long and was stopped; ask for a smaller range, by offset and length, or for a \
                 smaller directory"
            ),
            FilesError::Io { path, reason } => write!(f, "'{path}': {reason}"),
            FilesError::Changed { path, now: Some(hash) } => write!(
                f,
                "'{path}' has changed since it was read (its hash is now {hash}), so nothing was written; read \
                 it again and repeat the change on what is there now"
            ),
            FilesError::Changed { path, now: None } => {
                write!(f, "'{path}' does not exist any more; leave out if_unchanged to create it")
            }
            FilesError::NotText { path } => write!(
                f,
                "'{path}' is not UTF-8 text, so it has no lines to read or edit; read it by offset and length"
            ),
            FilesError::BadRequest { reason } => f.write_str(reason),
            FilesError::BadPattern { pattern, reason } => {
                write!(f, "the pattern '{pattern}' does not parse: {reason}")
            }
            FilesError::Edit { path, edit, problem } => {
                write!(f, "edit {edit} of '{path}': {problem}. Nothing was changed")
            }
        }
    }
}

impl fmt::Display for EditProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EditProblem::Empty => {
                f.write_str("the old text is empty; to write a whole file use the tool write")
            }
            EditProblem::NoChange => f.write_str("the old and the new text are the same"),
            EditProblem::NoMatch => f.write_str(
                "the old text does not occur; read the file again and copy the passage exactly, white space \
                 included",
            ),
            EditProblem::WhiteSpace { line, text } => write!(
                f,
                "the old text does not occur, but the passage at line {line} differs from it only in white \
                 space; take this as the old text:\n{text}\n"
            ),
            EditProblem::TooLarge { limit } => {
                write!(f, "the file would grow above the limit of {limit} bytes")
            }
            EditProblem::Ambiguous { count, lines } => {
                let shown: Vec<String> = lines.iter().map(usize::to_string).collect();
                let more = if *count > lines.len() { ", …" } else { "" };
                write!(
                    f,
                    "the old text occurs {count} times (lines {}{more}); add neighbouring lines to make it \
                     unique, or set replace_all",
                    shown.join(", ")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_repeated_is_short_and_does_nothing_to_a_terminal() {
        let forged = "a\u{202e}b\u{2066}c\u{200b}d\u{1b}[2J\u{e0041}\r";
        let escaped = "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{1b}[2J\\u{e0041}\\r";
        assert_eq!(bounded(&format!("{forged}\n\tx"), 80), format!("{escaped}\n\tx"));
        assert_eq!(excerpt(&format!("{forged}\n\tx")), format!("{escaped}\\n\\tx"));
        assert_eq!(bounded("äöü", 2), "äö…");
        assert_eq!(bounded("äöü", 3), "äöü");
        assert_eq!(excerpt(&"ä".repeat(100)), "ä".repeat(80) + "…");
    }
}
