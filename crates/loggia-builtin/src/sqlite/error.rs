//! The errors of a database, written for a language model: each names the cause and the next step. No message of a
//! call contains the place of the file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// The reason why a call failed. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqliteError {
    /// The statement does something that the tool does not allow.
    Denied {
        /// The refused action.
        action: String,
        /// True if the tool may change rows.
        writes: bool,
    },
    /// There is more than one statement, or none.
    NotOneStatement,
    /// Another program holds a lock.
    Busy,
    /// The call took longer than it may.
    Time,
    /// The engine's own message about the statement, and the place in it.
    Sql {
        /// The message.
        message: String,
        /// The text of the statement from the place on.
        near: Option<String>,
    },
    /// The file can no longer be opened or read.
    File(String),
    /// A parameter or an argument does not fit.
    BadRequest(String),
}

/// The longest excerpt of a statement in an error, in characters.
const MOST_NEAR: usize = 40;

impl SqliteError {
    /// Converts an error of opening the file.
    pub(super) fn open(error: rusqlite::Error) -> SqliteError {
        match SqliteError::from(error) {
            SqliteError::Sql { message, .. } => SqliteError::File(message),
            other => other,
        }
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> SqliteError {
        use rusqlite::Error;
        let near = match &error {
            Error::SqlInputError { sql, offset, .. } => {
                let rest = usize::try_from(*offset).ok().and_then(|offset| sql.get(offset..));
                rest.map(|rest| rest.chars().take(MOST_NEAR).collect())
                    .filter(|rest: &String| !rest.is_empty())
            }
            _ => None,
        };
        let message = match &error {
            Error::SqlInputError { msg, .. } => msg.clone(),
            Error::SqliteFailure(_, Some(message)) => message.clone(),
            other => other.to_string(),
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => SqliteError::Busy,
            Some(ErrorCode::OperationInterrupted) => SqliteError::Time,
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::NotADatabase
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::FileLockingProtocolFailed,
            ) => SqliteError::File(message),
            Some(ErrorCode::TooBig) => SqliteError::BadRequest(
                "a value is longer than 32 MiB, or the statement longer than 256 KiB".to_owned(),
            ),
            _ if matches!(error, Error::MultipleStatement) => SqliteError::NotOneStatement,
            _ => SqliteError::Sql { message, near },
        }
    }
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SqliteError::Denied { action, writes: false } => {
                write!(f, "this tool only reads, and the statement needs {action}; write a SELECT")
            }
            SqliteError::Denied { action, writes: true } => write!(
                f,
                "the statement needs {action}, which is not allowed; each call is one transaction of the statements in it"
            ),
            SqliteError::NotOneStatement => f.write_str("write one statement, not several and not none"),
            SqliteError::Busy => f.write_str(
                "another program holds a lock on the database; nothing was changed, try again in a moment",
            ),
            SqliteError::Time => f.write_str(
                "it took longer than a call may, or the caller has gone; nothing was changed. Add a condition on an indexed \
                 column, or a LIMIT",
            ),
            SqliteError::Sql { message, near: None } => f.write_str(message),
            SqliteError::Sql { message, near: Some(near) } => write!(f, "{message}, at: {near}"),
            SqliteError::File(message) => write!(
                f,
                "the database file cannot be used: {message}; a user has to look at it, a retry does not help"
            ),
            SqliteError::BadRequest(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for SqliteError {}

/// A file cannot be served.
#[derive(Debug)]
pub struct SqliteOpenError {
    path: PathBuf,
    kind: io::ErrorKind,
    reason: String,
}

impl SqliteOpenError {
    pub(super) fn io(path: &Path, error: &io::Error) -> SqliteOpenError {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "it does not exist; name another file".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "the account that runs this server may not use it; give it the permission, or name another file".to_owned()
            }
            _ => format!("it cannot be opened: {error}"),
        };
        SqliteOpenError { path: path.to_owned(), kind: error.kind(), reason }
    }

    pub(super) fn not_a_database(path: &Path) -> SqliteOpenError {
        let reason = "it is not a SQLite database, or it is encrypted; name another file".to_owned();
        SqliteOpenError { path: path.to_owned(), kind: io::ErrorKind::InvalidData, reason }
    }

    /// Returns the kind of the system's error.
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }
}

impl fmt::Display for SqliteOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database {}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for SqliteOpenError {}
