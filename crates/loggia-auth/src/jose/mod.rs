//! Signed tokens: JSON Web Signatures in compact form (RFC 7515), their keys (RFC 7517) and claims (RFC 7519).
//!
//! All sides of OAuth sign or verify tokens. Invariant: only asymmetric algorithms exist, and the type of a key
//! decides which of them can be used with it (RFC 8725, sections 3.1 and 3.2). So `none` cannot be parsed, and a
//! public key cannot be used as a shared secret.

mod algorithm;
mod encoding;
mod error;
mod jwk;
mod jwt;
mod remote;
mod signing;
#[cfg(test)]
mod tests;

pub use algorithm::Algorithm;
pub use encoding::{decode, encode, random, sha256};
pub use error::JoseError;
pub use jwk::{Jwk, JwkSet};
pub use jwt::{Audience, ClaimRules, Claims, JoseHeader, Jwt, MAX_BYTES, NumericDate, VerifiedJwt};
pub use remote::{KeySource, KeysFuture, RemoteKeys};
pub use signing::SigningKey;
