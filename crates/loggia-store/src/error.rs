//! Errors of persistence. Each says whether a retry helps or the administrator has to act.

use std::fmt;

use loggia_auth::error::AuthError;

/// The reason why a record was not saved or not found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The configuration cannot be used; the text says what to change.
    Configuration(String),
    /// The database failed, and a retry does not help: it is damaged, or access is denied.
    Database(String),
    /// The database cannot be used at the moment: it is unreachable or busy, or its disk is full.
    Unavailable(String),
    /// The master key cannot be read.
    Key(String),
    /// A record cannot be decrypted with the given master keys: another key encrypted it, or it was modified.
    Sealed(String),
    /// A record was decrypted, but has an unknown form: a newer version wrote it.
    Unreadable(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Configuration(what) => f.write_str(what),
            StoreError::Database(what) => write!(f, "the database failed: {what}"),
            StoreError::Unavailable(what) => write!(f, "the database cannot be used at the moment: {what}"),
            StoreError::Key(what) => write!(f, "the master key cannot be read: {what}"),
            StoreError::Sealed(name) => write!(
                f,
                "the record {name} cannot be decrypted: its master key is missing, or the record was modified"
            ),
            StoreError::Unreadable(name) => {
                write!(f, "a newer version of Loggia wrote the record {name}")
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
