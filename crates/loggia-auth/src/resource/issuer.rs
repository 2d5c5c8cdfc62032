//! The issuers whose tokens are accepted. Signed tokens are verified with the issuer's keys; about opaque tokens the
//! issuer is asked.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use loggia::service::BoxFuture;

use super::introspection::IntrospectionEndpoint;
use super::token::{AuthorizationClaims, TokenError, VerifiedToken};
use crate::jose::{Algorithm, ClaimRules, Claims, JoseError, Jwt, KeySource};

/// Algorithms that access tokens may be signed with, by default.
pub const TOKEN_ALGORITHMS: &[Algorithm] = Algorithm::ALL;

/// A check for tokens that their issuer revoked before their expiry. Functions of the `jti` implement it.
pub trait RevocationCheck: Send + Sync + 'static {
    /// Returns whether a token is known to be revoked, by its `jti`.
    fn is_revoked(&self, jti: &str) -> bool;

    /// Reads new revocations; `None` if the known ones are recent enough.
    fn refresh(&self) -> Option<BoxFuture<'_, ()>> {
        None
    }
}

impl<F: Fn(&str) -> bool + Send + Sync + 'static> RevocationCheck for F {
    fn is_revoked(&self, jti: &str) -> bool {
        self(jti)
    }
}

/// An authorization server whose tokens a resource server accepts.
pub struct TrustedIssuer {
    name: String,
    keys: Option<Arc<dyn KeySource>>,
    introspection: Option<IntrospectionEndpoint>,
    algorithms: Vec<Algorithm>,
    accepts_any_type: bool,
    revocations: Option<Arc<dyn RevocationCheck>>,
}

impl fmt::Debug for TrustedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedIssuer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl TrustedIssuer {
    /// Creates an issuer of signed tokens (RFC 9068). `name` is its issuer identifier, exactly as the issuer writes it.
    pub fn signing(name: impl Into<String>, keys: Arc<dyn KeySource>) -> TrustedIssuer {
        TrustedIssuer { keys: Some(keys), ..TrustedIssuer::bare(name.into()) }
    }

    /// Creates an issuer of opaque tokens (RFC 7662).
    pub fn introspecting(name: impl Into<String>, introspection: IntrospectionEndpoint) -> TrustedIssuer {
        TrustedIssuer { introspection: Some(introspection), ..TrustedIssuer::bare(name.into()) }
    }

    fn bare(name: String) -> TrustedIssuer {
        TrustedIssuer {
            name,
            keys: None,
            introspection: None,
            algorithms: TOKEN_ALGORITHMS.to_vec(),
            accepts_any_type: false,
            revocations: None,
        }
    }

    /// Accepts opaque tokens of the issuer, too.
    pub fn and_introspecting(mut self, introspection: IntrospectionEndpoint) -> TrustedIssuer {
        self.introspection = Some(introspection);
        self
    }

    /// Sets the accepted signature algorithms.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> TrustedIssuer {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Accepts tokens without the type of access tokens (`at+jwt`), which authorization servers older than RFC 9068
    /// issue. Then only the audience distinguishes access tokens from other tokens of the issuer.
    pub fn any_token_type(mut self) -> TrustedIssuer {
        self.accepts_any_type = true;
        self
    }

    /// Checks each token for revocation, by its `jti`, before it is accepted.
    pub fn revocation_check(mut self, revocations: Arc<dyn RevocationCheck>) -> TrustedIssuer {
        self.revocations = Some(revocations);
        self
    }

    /// Returns the issuer identifier.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn introspection(&self) -> Option<&IntrospectionEndpoint> {
        self.introspection.as_ref()
    }

    /// Returns whether the issuer signs its tokens.
    pub(super) fn signs(&self) -> bool {
        self.keys.is_some()
    }

    /// Verifies a signed token of this issuer.
    pub(super) async fn verify(
        &self,
        jwt: Jwt<'_>,
        audiences: &[&str],
        now: SystemTime,
        skew: Duration,
    ) -> Result<VerifiedToken, TokenError> {
        let keys =
            self.keys.as_ref().ok_or_else(|| TokenError::Invalid("the issuer signs no tokens".to_owned()))?;
        self.check_type(&jwt)?;
        let kid = jwt.header().kid.clone();
        let keys = keys.keys(kid.as_deref(), jwt.algorithm()).await?;
        let verified = jwt.verify_with(&keys, &self.algorithms)?;
        let claims: Claims = verified.claims()?;
        claims.check(&ClaimRules { issuer: &self.name, audiences, now, skew })?;
        let access: AuthorizationClaims = verified.claims()?;
        if let (Some(revocations), Some(jti)) = (&self.revocations, &claims.jti) {
            if let Some(refresh) = revocations.refresh() {
                refresh.await;
            }
            if revocations.is_revoked(jti) {
                return Err(TokenError::Invalid("the token was revoked".to_owned()));
            }
        }
        let subject = claims.sub.ok_or_else(|| TokenError::from(JoseError::Missing("sub")))?;
        access.into_token(self.name.clone(), subject, claims.exp)
    }

    fn check_type(&self, jwt: &Jwt<'_>) -> Result<(), JoseError> {
        match (self.accepts_any_type, jwt.header().typ.as_deref()) {
            (true, None) => Ok(()),
            (true, Some(typ)) if typ.eq_ignore_ascii_case("jwt") => Ok(()),
            _ => jwt.expect_type("at+jwt"),
        }
    }
}
