//! What can go wrong with what lasts, and who has to do something about it.

use std::fmt;

use loggia_auth::client::AuthError;

/// Why something was not kept or not found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The configuration cannot be used; the text says what to change.
    Configuration(String),
    /// The database failed, and trying again does not help: it is damaged, or not ours to use.
    Database(String),
    /// The database cannot be used at the moment: it is away or busy, or its disk is full.
    Unavailable(String),
    /// The master key cannot be had.
    Key(String),
    /// A record cannot be opened with the master keys there are: it was sealed with another one, or somebody
    /// changed it.
    Sealed(String),
    /// A record can be opened, but not understood: it was written by a newer version.
    Unreadable(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Configuration(what) => f.write_str(what),
            StoreError::Database(what) => write!(f, "the database failed: {what}"),
            StoreError::Unavailable(what) => write!(f, "the database cannot be used at the moment: {what}"),
            StoreError::Key(what) => write!(f, "the master key cannot be had: {what}"),
            StoreError::Sealed(name) => write!(
                f,
                "the record {name} cannot be opened: its master key is missing, or it was changed from outside"
            ),
            StoreError::Unreadable(name) => {
                write!(f, "the record {name} was written by a version that is newer")
            }
        }
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> AuthError {
        match error {
            StoreError::Unavailable(_) => AuthError::StoreUnavailable(error.to_string()),
            _ => AuthError::Store(error.to_string()),
        }
    }
}
