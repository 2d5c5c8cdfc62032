//! ID tokens (OpenID Connect Core, section 3.1.3.7): what an identity provider says of a person who signed in.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use crate::jose::{Algorithm, Claims, JoseError, Jwt, KeySource, Rules};
use crate::provider::Provider;

/// What an ID token has to be.
pub(crate) struct Expected<'a> {
    pub(crate) provider: &'a Provider,
    /// The client that it is for.
    pub(crate) client_id: &'a str,
    /// What it was asked for with. One that renews another has none (section 12.2).
    pub(crate) nonce: Option<&'a str>,
    pub(crate) now: SystemTime,
    pub(crate) skew: Duration,
}

impl Expected<'_> {
    /// The claims of a token that is what it has to be.
    pub(crate) async fn claims(&self, token: &str) -> Result<Value, JoseError> {
        #[derive(Deserialize)]
        struct Own {
            nonce: Option<String>,
            azp: Option<String>,
        }
        let jwt = Jwt::parse(token)?;
        let kid = jwt.header().kid.clone();
        let keys = self.provider.keys(kid.as_deref(), jwt.algorithm()).await?;
        let verified = jwt.verify_with(&keys, Algorithm::ALL)?;
        let audiences = [self.client_id];
        let rules =
            Rules { issuer: self.provider.name(), audiences: &audiences, now: self.now, skew: self.skew };
        let claims: Claims = verified.claims()?;
        claims.check(&rules)?;
        let own: Own = verified.claims()?;
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
