//! The errors of a database, written for a language model. No message contains the user or the password.

use std::error::Error as _;
use std::fmt;

use tokio_postgres::error::SqlState;

/// The reason why a call failed. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PostgresError {
    /// The server's own message about the statement.
    Sql {
        /// The message.
        message: String,
        /// The server's hint or detail.
        hint: Option<String>,
    },
    /// The tool only reads.
    ReadOnly,
    /// The statement is one that no call may use.
    Refused(String),
    /// The statement took longer than it may.
    Time,
    /// Another session holds a lock.
    Locked,
    /// The server cannot be reached, or refuses the connection.
    Connection(String),
    /// A parameter or an argument does not fit.
    BadRequest(String),
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> PostgresError {
        let Some(told) = error.as_db_error() else {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            return match error.to_string() {
                text if text.starts_with("error serializing") => {
                    PostgresError::BadRequest(format!("a parameter does not fit{cause}"))
                }
                text => PostgresError::Connection(format!("{text}{cause}")),
            };
        };
        match *told.code() {
            SqlState::READ_ONLY_SQL_TRANSACTION => PostgresError::ReadOnly,
            SqlState::QUERY_CANCELED => PostgresError::Time,
            SqlState::LOCK_NOT_AVAILABLE => PostgresError::Locked,
            _ => PostgresError::Sql {
                message: told.message().to_owned(),
                hint: told.hint().or(told.detail()).map(str::to_owned),
            },
        }
    }
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PostgresError::Sql { message, hint: None } => f.write_str(message),
            PostgresError::Sql { message, hint: Some(hint) } => write!(f, "{message} ({hint})"),
            PostgresError::ReadOnly => f.write_str("this tool only reads, and the statement changes something"),
            PostgresError::Refused(reason) | PostgresError::BadRequest(reason) => f.write_str(reason),
            PostgresError::Time => f.write_str(
                "it took longer than a call may; nothing was changed. Add a condition on an indexed column, or a LIMIT",
            ),
            PostgresError::Locked => {
                f.write_str("another session holds a lock; nothing was changed, try again in a moment")
            }
            PostgresError::Connection(reason) => {
                write!(f, "the database cannot be reached: {reason}; a user has to look at it if it lasts")
            }
        }
    }
}

impl std::error::Error for PostgresError {}

/// The URL or the certificates of a database cannot be used. The text does not repeat the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresOpenError(pub(super) String);

impl fmt::Display for PostgresOpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PostgresOpenError {}
