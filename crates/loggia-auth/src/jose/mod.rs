//! Signed tokens: JSON Web Signatures in compact form (RFC 7515), their keys (RFC 7517) and claims (RFC 7519).
//!
//! Every side of OAuth signs or verifies tokens. Invariant: only asymmetric algorithms exist, and the type of a key decides
//! which of them can be used with it (RFC 8725, sections 3.1 and 3.2), so `none` cannot be parsed and a public key cannot
//! be used as a shared secret.

mod algorithm;
mod jwk;
mod jwt;
mod remote;
mod signing;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::restricted_http::FetchError;
pub use algorithm::Algorithm;
pub use jwk::{Jwk, JwkSet};
pub use jwt::{Audience, ClaimRules, Claims, JoseHeader, Jwt, MOST_BYTES, NumericDate, VerifiedJwt};
pub use remote::{KeySource, KeysFuture, RemoteKeys};
pub use signing::SigningKey;

/// The reason why a token or a key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoseError {
    /// It is not a token or a key.
    Malformed(&'static str),
    /// The algorithm is not one that is accepted.
    Algorithm(String),
    /// The type of the token is not the one that is expected here.
    Type(String),
    /// No key fits.
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

/// Encodes bytes as base64url without padding (RFC 7515, section 2).
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url without padding, strictly, so that one value has one text.
pub fn decode(text: &str) -> Result<Vec<u8>, JoseError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JoseError::Malformed("a part is not base64url"))
}

/// Returns the SHA-256 digest of a text as base64url, as in `S256` (RFC 7636), `ath` and `jkt` (RFC 9449).
pub fn sha256(text: impl AsRef<[u8]>) -> String {
    encode(digest(&SHA256, text.as_ref()))
}

/// Returns `bytes` random bytes as base64url.
pub fn random(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    SystemRandom::new().fill(&mut buffer).expect("the operating system has random numbers");
    encode(buffer)
}
