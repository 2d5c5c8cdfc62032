//! The errors of edits of clients' files. They name the file, the place in it and the next step.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::document::{EditError, SyntaxProblem};

/// The reason that the gateway cannot be added to an application, or removed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientError {
    /// The table has no such application.
    UnknownClient {
        /// The word that was given.
        word: String,
        /// Names that are like it; all names where none is.
        names: Vec<String>,
    },
    /// The application has no file of this kind.
    NoFile {
        /// The application.
        title: String,
        /// True if the file of a project was asked for.
        is_project: bool,
    },
    /// The application does not support the transport.
    NoTransport {
        /// The application.
        title: String,
        /// The transport, for people.
        transport: &'static str,
    },
    /// No application of the table was found on this machine. It holds the names of the table.
    NoneFound(Vec<String>),
    /// A name of an entry or of a toolset, or a URL, cannot be used.
    Request(String),
    /// The user has no folder on this system.
    NoHome,
    /// The file cannot be read.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file is broken.
    Syntax {
        /// The file.
        file: PathBuf,
        /// The place and the reason.
        problem: SyntaxProblem,
    },
    /// The file cannot be edited.
    Edit {
        /// The file.
        file: PathBuf,
        /// The reason.
        error: EditError,
        /// The lines to add by hand, where an entry should be added.
        lines: Option<String>,
    },
    /// The file has an entry of this name that is not of this program.
    OtherEntry {
        /// The file.
        file: PathBuf,
        /// The name.
        name: String,
    },
    /// The entry was changed since it was added, and names another server now.
    ChangedEntry {
        /// The file.
        file: PathBuf,
        /// The name.
        name: String,
    },
    /// The file changed while it was edited.
    ChangedFile(PathBuf),
    /// The file cannot be written.
    Unwritable {
        /// The file.
        file: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file has no entry of this name.
    NoEntry {
        /// The file.
        file: PathBuf,
        /// The name.
        name: String,
    },
}

impl ClientError {
    pub(super) fn unreadable(file: &Path, error: &io::Error) -> ClientError {
        ClientError::Unreadable { file: file.to_owned(), reason: error.to_string() }
    }

    pub(super) fn unwritable(file: &Path, error: &io::Error) -> ClientError {
        ClientError::Unwritable { file: file.to_owned(), reason: error.to_string() }
    }

    /// Returns the next step.
    pub fn next_step(&self) -> Option<String> {
        Some(match self {
            ClientError::UnknownClient { names, .. } => format!("the names are: {}", names.join(", ")),
            ClientError::NoneFound(names) => format!("name one: {}", names.join(", ")),
            ClientError::NoFile { is_project: true, .. } => {
                "leave --project out to use the file of the user".to_owned()
            }
            ClientError::NoFile { is_project: false, .. } => {
                "name the folder of its project with --project=DIR".to_owned()
            }
            ClientError::Syntax { .. } => "nothing was changed; correct the file and try again".to_owned(),
            ClientError::Edit { lines: Some(lines), .. } => {
                format!("nothing was changed; add these lines by hand:\n{}", lines.trim_end())
            }
            ClientError::OtherEntry { .. } => {
                "nothing was changed; --name gives another name, --replace replaces the entry".to_owned()
            }
            ClientError::ChangedEntry { .. } => "nothing was changed; remove it by hand".to_owned(),
            ClientError::ChangedFile(_) => "nothing was changed; try again".to_owned(),
            ClientError::NoEntry { .. } => {
                "--name names another entry, --project the file of a project".to_owned()
            }
            ClientError::Edit { .. } | ClientError::Unreadable { .. } | ClientError::Unwritable { .. } => {
                "nothing was changed".to_owned()
            }
            ClientError::NoTransport { .. } => "leave --stdio out".to_owned(),
            ClientError::Request(_) | ClientError::NoHome => return None,
        })
    }
}

impl std::error::Error for ClientError {}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::UnknownClient { word, .. } => write!(f, "no AI application is called {word:?}"),
            ClientError::NoFile { title, is_project: true } => write!(f, "{title} has no file for a project"),
            ClientError::NoFile { title, .. } => write!(f, "{title} has no file for a user"),
            ClientError::NoTransport { title, transport } => {
                write!(f, "{title} does not support a server by {transport}")
            }
            ClientError::NoneFound(_) => {
                f.write_str("no AI application that is known was found on this machine")
            }
            ClientError::Request(reason) => f.write_str(reason),
            ClientError::NoHome => f.write_str("this user has no folder, so no application can be found"),
            ClientError::Unreadable { file, reason } => write!(f, "cannot read {}: {reason}", file.display()),
            ClientError::Syntax { file, problem } => {
                let SyntaxProblem { line, column, reason } = problem;
                write!(f, "{}:{line}:{column}: {reason}", file.display())
            }
            ClientError::Edit { file, error, .. } => write!(f, "cannot edit {}: {error}", file.display()),
            ClientError::OtherEntry { file, name } => {
                write!(f, "{} has a server {name:?} already, which is another one", file.display())
            }
            ClientError::ChangedEntry { file, name } => {
                write!(f, "the server {name:?} of {} names something else now", file.display())
            }
            ClientError::ChangedFile(file) => write!(f, "{} changed meanwhile", file.display()),
            ClientError::Unwritable { file, reason } => {
                write!(f, "cannot write {}: {reason}", file.display())
            }
            ClientError::NoEntry { file, name } => {
                write!(f, "{} has no server {name:?}", file.display())
            }
        }
    }
}
