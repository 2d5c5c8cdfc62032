//! Verification of ID tokens (OpenID Connect Core, section 3.1.3.7).
//!
//! The single sign-on of clients and the sign-in pages of the authorization server use it. Invariant: claims are
//! returned only from a token that passed every check.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use crate::jose::{Algorithm, ClaimRules, Claims, JoseError, Jwt, KeySource};
use crate::remote_issuer::RemoteIssuer;

/// The rules for an ID token.
pub(crate) struct IdTokenRules<'a> {
    pub(crate) provider: &'a RemoteIssuer,
    /// The client, which has to be the audience.
    pub(crate) client_id: &'a str,
    /// The nonce of the request. A renewed ID token has none (section 12.2).
    pub(crate) nonce: Option<&'a str>,
    pub(crate) now: SystemTime,
    pub(crate) skew: Duration,
}

impl IdTokenRules<'_> {
    /// Verifies an ID token and returns its claims.
    pub(crate) async fn verify(&self, token: &str) -> Result<Value, JoseError> {
        #[derive(Deserialize)]
        struct IdTokenClaims {
            nonce: Option<String>,
            azp: Option<String>,
        }
        let jwt = Jwt::parse(token)?;
        let kid = jwt.header().kid.clone();
        let keys = self.provider.keys(kid.as_deref(), jwt.algorithm()).await?;
        let verified = jwt.verify_with(&keys, Algorithm::ALL)?;
        let audiences = [self.client_id];
        let rules = ClaimRules {
            issuer: self.provider.name(),
            audiences: &audiences,
            now: self.now,
            skew: self.skew,
        };
        let claims: Claims = verified.claims()?;
        claims.check(&rules)?;
        let own: IdTokenClaims = verified.claims()?;
        if self.nonce.is_some() && own.nonce.as_deref() != self.nonce {
            return Err(JoseError::Missing("nonce"));
        }
        let for_another = own.azp.as_deref().is_some_and(|azp| azp != self.client_id);
        if for_another || (claims.aud.0.len() > 1 && own.azp.is_none()) {
            return Err(JoseError::Audience);
        }
        verified.claims()
    }
}
