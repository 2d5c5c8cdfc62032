//! The error of this crate: the reason why there is no token, and who can solve the problem.
//!
//! All modules use it, so it is below all of them. Invariant: only [`AuthError::is_temporary`] decides whether a
//! caller may retry.

use std::fmt;
use std::io;
use std::path::Path;

use crate::jose::JoseError;
use crate::restricted_http::FetchError;

/// The reason why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthError {
    /// A server is unreachable, or its URL must not be fetched.
    Fetch(FetchError),
    /// The metadata of a server cannot be used.
    Discovery(String),
    /// The authorization server does not accept this program as a client.
    Registration(String),
    /// The authorization server answered with an error code (RFC 6749, section 5.2).
    Refused {
        /// The code, such as `invalid_grant`.
        error: String,
        /// The `error_description`.
        description: Option<String>,
    },
    /// The authorization response is not valid for a sign-in of this program.
    AuthorizationResponse(String),
    /// The user did not sign in.
    Declined(String),
    /// The session has ended, and the user has to sign in again.
    SignInAgain(String),
    /// The server does not accept a token that was just issued, or needs more scopes than it has.
    NotEnough(String),
    /// Tokens cannot be read or written, and a retry does not help: for example, the file belongs to another user.
    Store(String),
    /// Tokens cannot be read or written at the moment: the database is unreachable or busy, or the disk is full.
    StoreUnavailable(String),
    /// A stored record is damaged. Signing in again, or signing out, deletes it.
    Unreadable(String),
    /// The configuration of the program is wrong.
    Configuration(String),
}

impl AuthError {
    /// Returns whether the same request may succeed later without any action.
    pub fn is_temporary(&self) -> bool {
        match self {
            AuthError::Fetch(error) => {
                matches!(error, FetchError::Failed { .. } | FetchError::TimedOut { .. })
            }
            AuthError::Refused { error, .. } => {
                matches!(error.as_str(), "temporarily_unavailable" | "server_error" | "slow_down")
            }
            AuthError::Store(_) | AuthError::StoreUnavailable(_) => true,
            _ => false,
        }
    }

    /// Returns whether a request that failed with this error may succeed later. HTTP then answers 503, otherwise 500.
    pub fn is_unavailable(&self) -> bool {
        self.is_temporary() && !matches!(self, AuthError::Store(_))
    }

    /// Creates the error for a failure to read or write a file of tokens.
    pub(crate) fn of_file(path: &Path, error: &io::Error) -> AuthError {
        let text = format!("the tokens in {} cannot be used: {}", path.display(), with_advice(error));
        match is_passing(error) {
            true => AuthError::StoreUnavailable(text),
            false => AuthError::Store(text),
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthError::Fetch(error) => error.fmt(f),
            AuthError::Refused { error, description: Some(description) } => {
                write!(f, "the authorization server refuses with {error}: {description}")
            }
            AuthError::Refused { error, description: None } => {
                write!(f, "the authorization server refuses with {error}")
            }
            AuthError::SignInAgain(why) => write!(f, "sign in again: {why}"),
            AuthError::Discovery(what)
            | AuthError::Registration(what)
            | AuthError::AuthorizationResponse(what)
            | AuthError::Declined(what)
            | AuthError::NotEnough(what)
            | AuthError::Store(what)
            | AuthError::StoreUnavailable(what)
            | AuthError::Unreadable(what)
            | AuthError::Configuration(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for AuthError {}

/// Returns whether a file error is temporary, so that the same operation may succeed later.
pub fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, QuotaExceeded, ResourceBusy, StorageFull, TimedOut, WouldBlock};
    matches!(error.kind(), StorageFull | QuotaExceeded | ResourceBusy | TimedOut | WouldBlock | Interrupted)
}

/// Returns the text of an error of a file, and what to do about it.
pub fn with_advice(error: &io::Error) -> String {
    use io::ErrorKind::{
        IsADirectory, NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let advice = match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => {
            "; let the user who runs this program read and write it and its folder"
        }
        StorageFull | QuotaExceeded => "; free some space on its disk",
        IsADirectory | NotADirectory => "; something else has its name: move that away",
        _ => "",
    };
    format!("{error}{advice}")
}

impl From<FetchError> for AuthError {
    fn from(error: FetchError) -> AuthError {
        AuthError::Fetch(error)
    }
}

impl From<JoseError> for AuthError {
    fn from(error: JoseError) -> AuthError {
        AuthError::Configuration(error.to_string())
    }
}

impl From<AuthError> for loggia::Error {
    fn from(error: AuthError) -> loggia::Error {
        match error {
            AuthError::Fetch(error) if matches!(error, FetchError::Configuration(_)) => {
                loggia::Error::Configuration(error.to_string())
            }
            AuthError::Configuration(what) => loggia::Error::Configuration(what),
            // A sign-in does not solve these.
            AuthError::Store(what) | AuthError::StoreUnavailable(what) => {
                loggia::Error::Io(std::io::Error::other(what))
            }
            passing if passing.is_temporary() => loggia::Error::Connection(passing.to_string()),
            other => loggia::Error::Unauthorized(other.to_string()),
        }
    }
}

/// Returns text of another party for an error message: printable characters on one line, at most 300.
#[cfg(feature = "client")]
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|c| !loggia::wire::text::is_unsafe(*c)).take(300).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_errors_that_a_sign_in_repairs_ask_for_one() {
        let text = || "x".to_owned();
        let fetch = AuthError::Fetch;
        let refused = |error: &str| AuthError::Refused { error: error.to_owned(), description: None };
        let table = [
            (AuthError::SignInAgain(text()), true),
            (AuthError::NotEnough(text()), true),
            (AuthError::Unreadable(text()), true),
            (refused("invalid_grant"), true),
            (refused("temporarily_unavailable"), false),
            (refused("slow_down"), false),
            (fetch(FetchError::TimedOut { url: text(), limit: Duration::ZERO }), false),
            (fetch(FetchError::Failed { url: text(), why: text() }), false),
            (fetch(FetchError::Configuration(text())), false),
            (AuthError::Store(text()), false),
            (AuthError::StoreUnavailable(text()), false),
            (AuthError::Configuration(text()), false),
        ];
        for (error, asks) in table {
            let what = format!("{error:?}");
            let asked = matches!(loggia::Error::from(error), loggia::Error::Unauthorized(_));
            assert_eq!(asked, asks, "{what}");
        }
    }

    #[test]
    fn a_file_that_fails_is_named_with_the_next_step() {
        use io::ErrorKind;
        for (kind, passes, advice) in [
            (ErrorKind::PermissionDenied, false, "let the user who runs this program"),
            (ErrorKind::ReadOnlyFilesystem, false, "let the user who runs this program"),
            (ErrorKind::StorageFull, true, "free some space"),
            (ErrorKind::QuotaExceeded, true, "free some space"),
            (ErrorKind::IsADirectory, false, "move that away"),
            (ErrorKind::WouldBlock, true, ""),
            (ErrorKind::InvalidData, false, ""),
        ] {
            let error = AuthError::of_file(Path::new("/x/tokens"), &io::Error::from(kind));
            assert_eq!(error.is_unavailable(), passes, "{kind}");
            let text = error.to_string();
            assert!(text.contains("/x/tokens") && text.contains(advice), "{text}");
        }
    }
}
