//! The error of signed tokens and keys.

use std::fmt;

use crate::restricted_http::FetchError;

/// The reason why a token or a key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoseError {
    /// It is not a token or a key.
    Malformed(&'static str),
    /// The algorithm is not accepted.
    Algorithm(String),
    /// The token has another type than the expected one.
    Type(String),
    /// No key matches.
    UnknownKey,
    /// The key cannot be used for this.
    Key(&'static str),
    /// The signature is wrong.
    Signature,
    /// The token is from another issuer.
    Issuer,
    /// The token is for another audience.
    Audience,
    /// The token is too old.
    Expired,
    /// The token is not valid yet.
    TooEarly,
    /// A required claim is missing.
    Missing(&'static str),
    /// The keys could not be fetched.
    Keys(FetchError),
}

impl JoseError {
    /// Returns whether the keys could not be fetched, which is not the fault of the token.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, JoseError::Keys(_))
    }
}

impl fmt::Display for JoseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoseError::Malformed(what) => write!(f, "the token is malformed: {what}"),
            JoseError::Algorithm(name) => write!(f, "the algorithm '{name}' is not accepted"),
            JoseError::Type(name) => write!(f, "a token of type '{name}' is not accepted here"),
            JoseError::UnknownKey => {
                f.write_str("the token is signed with a key that its issuer does not publish")
            }
            JoseError::Key(why) => write!(f, "the key cannot be used: {why}"),
            JoseError::Signature => f.write_str("the signature is wrong"),
            JoseError::Issuer => f.write_str("the token comes from another issuer"),
            JoseError::Audience => f.write_str("the token is meant for another audience"),
            JoseError::Expired => f.write_str("the token has expired"),
            JoseError::TooEarly => f.write_str("the token is not valid yet"),
            JoseError::Missing(claim) => write!(f, "the token has no claim '{claim}'"),
            JoseError::Keys(error) => write!(f, "the issuer's keys cannot be fetched: {error}"),
        }
    }
}

impl std::error::Error for JoseError {}
