//! Assertions of identity providers as authorization grants (RFC 7523, and the Enterprise-Managed Authorization
//! extension, section 5.1), and the record of the assertions that were used.
//!
//! An assertion is accepted once among all replicas.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::clients::{JWT_BEARER, OAuthClient};
use super::http::{OAuthError, RequestParams};
use super::records::RecordStore;
use super::refresh_tokens::GrantedAccess;
use super::resources::{ProtectedResource, ProtectedResources};
use super::sign_in::AdmitFn;
use crate::jose::{Algorithm, ClaimRules, Claims, JoseError, Jwt, KeySource};

/// The maximum lifetime of an assertion. It is recorded until it expires.
const MAX_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// The maximum length of a `jti`, in bytes.
const MAX_JTI: usize = 512;

/// An identity provider whose assertions are accepted.
pub(super) struct AssertionIssuer {
    pub(super) issuer: String,
    pub(super) keys: Arc<dyn KeySource>,
    pub(super) admit: AdmitFn,
}

/// Exchanges assertions for access.
pub(super) struct AssertionGrant {
    issuers: Vec<AssertionIssuer>,
    resources: Arc<ProtectedResources>,
    used: UsedAssertions,
    records: RecordStore,
    audience: String,
    skew: Duration,
}

/// The claims of an ID-JAG beside the registered ones.
#[derive(Deserialize)]
struct IdJagClaims {
    client_id: Option<String>,
    resource: Option<String>,
    scope: Option<String>,
}

impl AssertionGrant {
    /// Creates the grant. `audience` is the issuer identifier of this authorization server.
    pub(super) fn new(
        issuers: Vec<AssertionIssuer>,
        resources: Arc<ProtectedResources>,
        records: RecordStore,
        audience: &str,
        skew: Duration,
    ) -> AssertionGrant {
        let used = UsedAssertions::new(records.clone(), skew);
        AssertionGrant { issuers, resources, used, records, audience: audience.to_owned(), skew }
    }

    /// Returns the access that the assertion of a token request grants to a client.
    pub(super) async fn exchange(
        &self,
        client: &OAuthClient,
        params: &RequestParams,
    ) -> Result<GrantedAccess, OAuthError> {
        if client.is_public() || !client.may_use(JWT_BEARER) {
            return Err(OAuthError::new(
                "unauthorized_client",
                "Assertions are accepted from clients that authenticate, and registered for that grant type",
            ));
        }
        let jwt = Jwt::parse(params.need("assertion")?).map_err(refused)?;
        jwt.expect_type("oauth-id-jag+jwt").map_err(refused)?;
        let issuer = self.issuer_of(&jwt)?;
        let keys = issuer.keys.keys(jwt.header().kid.as_deref(), jwt.algorithm()).await.map_err(refused)?;
        let verified = jwt.verify_with(&keys, Algorithm::ALL).map_err(refused)?;
        let claims: Claims = verified.claims().map_err(refused)?;
        self.check_claims(&claims, issuer)?;
        let own: IdJagClaims = verified.claims().map_err(refused)?;
        if own.client_id.as_deref() != Some(&client.id) {
            return Err(invalid("The assertion is for another client"));
        }
        let resource = own.resource.as_deref().and_then(|resource| self.resources.find(resource));
        let resource =
            resource.ok_or_else(|| invalid("The assertion is for a resource that is not known here"))?;
        self.resources.check_target(params, &resource.identifier)?;
        self.used.add("assertion", &claims).await?;
        let document: serde_json::Value = verified.claims().map_err(refused)?;
        let subject =
            (issuer.admit)(&document).ok_or_else(|| invalid("The user has no access to this server"))?;
        Ok(GrantedAccess {
            subject,
            client: client.id.clone(),
            scopes: scopes(params.get("scope"), own.scope.as_deref(), resource),
            resource: resource.identifier.clone(),
            refresh_key: None,
        })
    }

    fn issuer_of(&self, jwt: &Jwt<'_>) -> Result<&AssertionIssuer, OAuthError> {
        let claims: Claims = jwt.unverified().map_err(refused)?;
        let found = self.issuers.iter().find(|known| claims.iss.as_deref() == Some(known.issuer.as_str()));
        found.ok_or_else(|| invalid("Assertions of that identity provider are not accepted here"))
    }

    fn check_claims(&self, claims: &Claims, issuer: &AssertionIssuer) -> Result<(), OAuthError> {
        let audiences = [self.audience.as_str()];
        let now = self.records.now();
        let rules = ClaimRules { issuer: &issuer.issuer, audiences: &audiences, now, skew: self.skew };
        claims.check(&rules).map_err(refused)
    }
}

fn invalid(why: &str) -> OAuthError {
    OAuthError::new("invalid_grant", why)
}

fn refused(error: JoseError) -> OAuthError {
    match error.is_unavailable() {
        true => OAuthError::new("temporarily_unavailable", error.to_string()),
        false => invalid(&format!("The assertion is refused: {error}")),
    }
}

/// Returns the scopes to grant: those of the request, otherwise of the assertion, otherwise of the resource; never
/// more than the assertion and the resource allow.
fn scopes(requested: Option<&str>, asserted: Option<&str>, resource: &ProtectedResource) -> Vec<String> {
    let Some(wanted) = requested.or(asserted) else { return resource.scopes.clone() };
    let is_asserted =
        |scope: &str| asserted.is_none_or(|asserted| asserted.split(' ').any(|known| known == scope));
    let is_known = |scope: &str| resource.scopes.iter().any(|known| known == scope);
    let allowed = wanted.split(' ').filter(|scope| is_asserted(scope) && is_known(scope));
    allowed.map(str::to_owned).collect()
}

/// The assertions that were used and have not expired.
pub(super) struct UsedAssertions {
    records: RecordStore,
    skew: Duration,
}

impl UsedAssertions {
    pub(super) fn new(records: RecordStore, skew: Duration) -> UsedAssertions {
        UsedAssertions { records, skew }
    }

    /// Records an assertion until it expires. Returns an error for one that was used before, or that cannot be
    /// recorded: without `jti`, with a long lifetime, or for several audiences.
    pub(super) async fn add(&self, kind: &str, claims: &Claims) -> Result<(), OAuthError> {
        let (Some(iss), Some(jti), Some(exp)) = (&claims.iss, &claims.jti, claims.exp) else {
            return Err(invalid("The assertion needs iss, jti and exp"));
        };
        // A server with another audience could present the assertion here.
        if claims.aud.0.len() != 1 {
            return Err(invalid("The assertion has to be for this server alone (aud)"));
        }
        let latest = self.records.now() + MAX_LIFETIME + self.skew;
        if exp.time() > latest || jti.len() > MAX_JTI {
            return Err(invalid("The assertion lasts longer than an hour, or its jti is too long"));
        }
        let name = RecordStore::hashed_name(kind, &format!("{iss}\n{jti}"));
        match self.records.add(&name, &true, Some(exp.time() + self.skew)).await? {
            true => Ok(()),
            false => Err(invalid("The assertion was used before")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::server::testing::TestClock;

    #[tokio::test]
    async fn an_assertion_is_used_once() {
        let clock = TestClock::new();
        let used = UsedAssertions::new(clock.records(), Duration::from_secs(30));
        let now = clock::seconds(clock.now());
        let claims = |text: String| serde_json::from_str::<Claims>(&text).unwrap();
        let table = [
            (format!(r#"{{"iss":"a","jti":"1","exp":{},"aud":"hub"}}"#, now + 60), true),
            (format!(r#"{{"iss":"a","jti":"1","exp":{},"aud":"hub"}}"#, now + 60), false),
            (format!(r#"{{"iss":"b","jti":"1","exp":{},"aud":"hub"}}"#, now + 60), true),
            (format!(r#"{{"iss":"a","exp":{},"aud":"hub"}}"#, now + 60), false),
            (format!(r#"{{"iss":"a","jti":"2","exp":{},"aud":["hub","other"]}}"#, now + 60), false),
            (format!(r#"{{"iss":"a","jti":"3","exp":{},"aud":"hub"}}"#, now + 2 * 60 * 60), false),
            (format!(r#"{{"iss":"a","jti":"{}","exp":{},"aud":"hub"}}"#, "x".repeat(513), now + 60), false),
        ];
        for (text, is_accepted) in table {
            assert_eq!(used.add("assertion", &claims(text.clone())).await.is_ok(), is_accepted, "{text}");
        }
    }

    #[test]
    fn an_assertion_bounds_the_scopes() {
        let resource = ProtectedResource {
            identifier: "https://hub.example/mcp".to_owned(),
            scopes: ["read", "write"].map(str::to_owned).to_vec(),
        };
        let table: [(Option<&str>, Option<&str>, &[&str]); 5] = [
            (None, None, &["read", "write"]),
            (None, Some("read admin"), &["read"]),
            (Some("write"), None, &["write"]),
            (Some("read write"), Some("read"), &["read"]),
            (Some("write"), Some("read"), &[]),
        ];
        for (requested, asserted, expected) in table {
            assert_eq!(scopes(requested, asserted, &resource), expected, "{requested:?} {asserted:?}");
        }
    }
}
