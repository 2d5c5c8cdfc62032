//! What can go wrong on the way to a token, and who has to do something about it.

use std::fmt;
use std::io;
use std::path::Path;

use crate::guard::FetchError;
use crate::jose::JoseError;

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthError {
    /// A server could not be reached, or must not be.
    Fetch(FetchError),
    /// What a server says of itself cannot be used.
    Discovery(String),
    /// The authorization server does not take us as a client.
    Registration(String),
    /// The authorization server refused, by an error code of its own.
    Refused {
        /// The code, such as `invalid_grant`.
        error: String,
        /// What it says beside.
        description: Option<String>,
    },
    /// The answer of the sign-in page is not one that can be believed.
    Answer(String),
    /// The person did not sign in.
    Declined(String),
    /// What was there is over: the person has to sign in again.
    SignInAgain(String),
    /// The token that was just given is not accepted, or not enough.
    NotEnough(String),
    /// Tokens could not be read or written, and trying again does not help: a file is damaged, or not ours to use.
    Store(String),
    /// Tokens cannot be read or written at the moment: the database is away or busy, or the disk is full.
    StoreUnavailable(String),
    /// What was kept makes no sense any more. Signing in again, or signing out, puts it away.
    Unreadable(String),
    /// The program or its user configured something wrongly.
    Configuration(String),
}

impl AuthError {
    /// Whether the same may succeed in a while, without anybody doing anything.
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

    /// Returns whether a request that failed with this error may succeed later: HTTP answers it with 503, and not
    /// with 500.
    pub fn is_unavailable(&self) -> bool {
        self.is_temporary() && !matches!(self, AuthError::Store(_))
    }

    /// The error of reading or writing the tokens in a file.
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
            | AuthError::Answer(what)
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

/// Returns whether an error of a file passes, because of what others do: the same may succeed later.
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
            // Signing in does not help.
            AuthError::Store(what) | AuthError::StoreUnavailable(what) => {
                loggia::Error::Io(std::io::Error::other(what))
            }
            passing if passing.is_temporary() => loggia::Error::Connection(passing.to_string()),
            other => loggia::Error::Unauthorized(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Where somebody is told to sign in, signing in has to help.
    #[test]
    fn only_what_a_sign_in_mends_asks_for_one() {
        let text = || "x".to_owned();
        let guarded = |error| AuthError::Fetch(error);
        let refused = |error: &str| AuthError::Refused { error: error.to_owned(), description: None };
        let table = [
            (AuthError::SignInAgain(text()), true),
            (AuthError::NotEnough(text()), true),
            (AuthError::Unreadable(text()), true),
            (refused("invalid_grant"), true),
            (refused("temporarily_unavailable"), false),
            (refused("slow_down"), false),
            (guarded(FetchError::TimedOut { url: text(), limit: Duration::ZERO }), false),
            (guarded(FetchError::Failed { url: text(), why: text() }), false),
            (guarded(FetchError::Configuration(text())), false),
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
