//! Whose tokens are accepted, and how they are found good: by the issuer's keys where they are signed, by
//! asking the issuer where they are opaque.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use loggia::service::BoxFuture;
use serde::Deserialize;

use super::introspection::Introspection;
use super::{Grant, TOKEN_ALGORITHMS, TokenError};
use crate::jose::{Algorithm, Audience, ClaimRules, Claims, JoseError, Jwt, KeySource, NumericDate};

/// Tells which tokens their issuer has revoked before they expire. A function of the `jti` is one.
pub trait RevocationCheck: Send + Sync + 'static {
    /// Whether a token was taken back, by its `jti`, as far as is known.
    fn is_revoked(&self, jti: &str) -> bool;

    /// Finds out what is new. `None`: what is known is recent enough.
    fn refresh(&self) -> Option<BoxFuture<'_, ()>> {
        None
    }
}

impl<F: Fn(&str) -> bool + Send + Sync + 'static> RevocationCheck for F {
    fn is_revoked(&self, jti: &str) -> bool {
        self(jti)
    }
}

/// An authorization server whose tokens are accepted.
pub struct Issuer {
    name: String,
    keys: Option<Arc<dyn KeySource>>,
    introspection: Option<Introspection>,
    algorithms: Vec<Algorithm>,
    any_type: bool,
    revocations: Option<Arc<dyn RevocationCheck>>,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Issuer {
    /// An issuer of signed tokens (RFC 9068). `name` is its issuer identifier, exactly as it writes it.
    pub fn signing(name: impl Into<String>, keys: Arc<dyn KeySource>) -> Issuer {
        Issuer { keys: Some(keys), ..Issuer::bare(name.into()) }
    }

    /// An issuer of opaque tokens (RFC 7662).
    pub fn introspecting(name: impl Into<String>, introspection: Introspection) -> Issuer {
        Issuer { introspection: Some(introspection), ..Issuer::bare(name.into()) }
    }

    fn bare(name: String) -> Issuer {
        Issuer {
            name,
            keys: None,
            introspection: None,
            algorithms: TOKEN_ALGORITHMS.to_vec(),
            any_type: false,
            revocations: None,
        }
    }

    /// It issues opaque tokens too.
    pub fn and_introspecting(mut self, introspection: Introspection) -> Issuer {
        self.introspection = Some(introspection);
        self
    }

    /// The only algorithms it signs with.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Issuer {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Accepts tokens that do not say they are access tokens (`typ` of `at+jwt`). Servers older than RFC
    /// 9068 need it; it gives up one of the things that keep other tokens of the issuer from being used as
    /// access tokens, and leaves the audience.
    pub fn any_token_type(mut self) -> Issuer {
        self.any_type = true;
        self
    }

    /// Asks `revocations` with a token's `jti` before it is accepted.
    pub fn revocation_check(mut self, revocations: Arc<dyn RevocationCheck>) -> Issuer {
        self.revocations = Some(revocations);
        self
    }

    /// The issuer identifier.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn introspection(&self) -> Option<&Introspection> {
        self.introspection.as_ref()
    }

    pub(super) fn signs(&self) -> bool {
        self.keys.is_some()
    }

    /// Finds out whether a signed token of this issuer is good.
    pub(super) async fn verify(
        &self,
        jwt: Jwt<'_>,
        audiences: &[&str],
        now: SystemTime,
        skew: Duration,
    ) -> Result<Grant, TokenError> {
        let keys =
            self.keys.as_ref().ok_or_else(|| TokenError::Invalid("the issuer signs no tokens".to_owned()))?;
        self.check_type(&jwt).map_err(invalid)?;
        let kid = jwt.header().kid.clone();
        let keys = keys.keys(kid.as_deref(), jwt.algorithm()).await.map_err(invalid)?;
        let verified = jwt.verify_with(&keys, &self.algorithms).map_err(invalid)?;
        let claims: Claims = verified.claims().map_err(invalid)?;
        claims.check(&ClaimRules { issuer: &self.name, audiences, now, skew }).map_err(invalid)?;
        let access: AccessClaims = verified.claims().map_err(invalid)?;
        if let (Some(revocations), Some(jti)) = (&self.revocations, &claims.jti) {
            if let Some(refresh) = revocations.refresh() {
                refresh.await;
            }
            if revocations.is_revoked(jti) {
                return Err(TokenError::Invalid("the token was revoked".to_owned()));
            }
        }
        let subject = claims.sub.ok_or_else(|| invalid(JoseError::Missing("sub")))?;
        access.grant(self.name.clone(), subject, claims.exp)
    }

    fn check_type(&self, jwt: &Jwt<'_>) -> Result<(), JoseError> {
        match (self.any_type, jwt.header().typ.as_deref()) {
            (true, None) => Ok(()),
            (true, Some(typ)) if typ.eq_ignore_ascii_case("jwt") => Ok(()),
            _ => jwt.expect_type("at+jwt"),
        }
    }
}

pub(super) fn invalid(error: JoseError) -> TokenError {
    match error.is_unavailable() {
        true => TokenError::Unavailable(error.to_string()),
        false => TokenError::Invalid(error.to_string()),
    }
}

/// The claims of an access token beside the registered ones (RFC 9068, section 2.2).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AccessClaims {
    client_id: Option<String>,
    azp: Option<String>,
    scope: Option<String>,
    /// How some providers write scopes.
    scp: Audience,
    cnf: Option<Confirmation>,
}

/// What a token is bound to (RFC 7800).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Confirmation {
    jkt: Option<String>,
}

impl AccessClaims {
    pub(super) fn client(&self) -> Option<&str> {
        self.client_id.as_deref().or(self.azp.as_deref())
    }

    pub(super) fn grant(
        self,
        issuer: String,
        subject: String,
        expires: Option<NumericDate>,
    ) -> Result<Grant, TokenError> {
        let bound = |confirmation: Confirmation| {
            let why = "the token is bound to its holder in a way that is not supported";
            confirmation.jkt.ok_or_else(|| TokenError::Invalid(why.to_owned()))
        };
        let scopes = match self.scope {
            Some(scope) => scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
            None => self.scp.0.iter().flat_map(|scopes| scopes.split(' ')).map(str::to_owned).collect(),
        };
        Ok(Grant {
            subject,
            issuer: Some(issuer),
            client: self.client_id.or(self.azp),
            scopes,
            expires: expires.map(NumericDate::time),
            key: self.cnf.map(bound).transpose()?,
        })
    }
}
