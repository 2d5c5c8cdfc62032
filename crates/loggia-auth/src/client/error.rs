//! What can go wrong on the way to a token, and who has to do something about it.

use std::fmt;

use crate::guard::GuardError;
use crate::jose::JoseError;

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthError {
    /// A server could not be reached, or must not be.
    Guard(GuardError),
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
    /// Tokens could not be read or written.
    Store(String),
    /// What was kept makes no sense any more. Signing in again, or signing out, puts it away.
    Unreadable(String),
    /// The program or its user configured something wrongly.
    Configuration(String),
}

impl AuthError {
    /// Whether the same may succeed in a while, without anybody doing anything.
    pub fn is_temporary(&self) -> bool {
        match self {
            AuthError::Guard(error) => {
                matches!(error, GuardError::Failed { .. } | GuardError::TimedOut { .. })
            }
            AuthError::Refused { error, .. } => {
                matches!(error.as_str(), "temporarily_unavailable" | "server_error" | "slow_down")
            }
            AuthError::Store(_) => true,
            _ => false,
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthError::Guard(error) => error.fmt(f),
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
            | AuthError::Unreadable(what)
            | AuthError::Configuration(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for AuthError {}

impl From<GuardError> for AuthError {
    fn from(error: GuardError) -> AuthError {
        AuthError::Guard(error)
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
            AuthError::Guard(error) if matches!(error, GuardError::Configuration(_)) => {
                loggia::Error::Configuration(error.to_string())
            }
            AuthError::Configuration(what) => loggia::Error::Configuration(what),
            // Nobody who signs in helps there.
            AuthError::Store(what) => loggia::Error::Io(std::io::Error::other(what)),
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
        let guarded = |error| AuthError::Guard(error);
        let refused = |error: &str| AuthError::Refused { error: error.to_owned(), description: None };
        let table = [
            (AuthError::SignInAgain(text()), true),
            (AuthError::NotEnough(text()), true),
            (AuthError::Unreadable(text()), true),
            (refused("invalid_grant"), true),
            (refused("temporarily_unavailable"), false),
            (refused("slow_down"), false),
            (guarded(GuardError::TimedOut { url: text(), limit: Duration::ZERO }), false),
            (guarded(GuardError::Failed { url: text(), why: text() }), false),
            (guarded(GuardError::Configuration(text())), false),
            (AuthError::Store(text()), false),
            (AuthError::Configuration(text()), false),
        ];
        for (error, asks) in table {
            let what = format!("{error:?}");
            let asked = matches!(loggia::Error::from(error), loggia::Error::Unauthorized(_));
            assert_eq!(asked, asks, "{what}");
        }
    }
}
