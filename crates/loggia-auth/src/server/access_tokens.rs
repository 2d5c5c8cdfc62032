//! Access tokens: signed JWTs of the authorization server (RFC 9068).
//!
//! The `jti` begins with the name of the token family, so that a resource server can recognise a revoked one.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::records::RecordStore;
use super::refresh_tokens::GrantedAccess;
use super::signing_keys::SigningKeys;
use crate::error::AuthError;
use crate::jose::{Algorithm, Jwt, NumericDate, random};

#[derive(Serialize)]
struct AccessTokenClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    scope: String,
    iat: NumericDate,
    exp: NumericDate,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<KeyConfirmation<'a>>,
}

/// The key that a token is bound to (RFC 9449, section 6.1).
#[derive(Serialize)]
struct KeyConfirmation<'a> {
    jkt: &'a str,
}

/// The parts of an access token of this server that revocation needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IssuedToken {
    pub(super) client: String,
    pub(super) family: String,
}

/// Signs access tokens, and reads its own.
pub(super) struct AccessTokens {
    issuer: String,
    keys: Arc<SigningKeys>,
    records: RecordStore,
    lifetime: Duration,
}

impl AccessTokens {
    pub(super) fn new(
        issuer: &str,
        keys: Arc<SigningKeys>,
        records: RecordStore,
        lifetime: Duration,
    ) -> AccessTokens {
        AccessTokens { issuer: issuer.to_owned(), keys, records, lifetime }
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Signs a token of a family. `key` is the thumbprint of the key that the token is bound to.
    pub(super) async fn issue(
        &self,
        family: &str,
        access: &GrantedAccess,
        scopes: &[String],
        key: Option<&str>,
    ) -> Result<String, AuthError> {
        let now = self.records.now();
        // The resource does not use refresh tokens.
        let scopes: Vec<&str> =
            scopes.iter().map(String::as_str).filter(|scope| *scope != "offline_access").collect();
        let claims = AccessTokenClaims {
            iss: &self.issuer,
            sub: &access.subject,
            aud: &access.resource,
            client_id: &access.client,
            scope: scopes.join(" "),
            iat: NumericDate::of(now),
            exp: NumericDate::of(now + self.lifetime),
            jti: format!("{family}.{}", random(12)),
            cnf: key.map(|jkt| KeyConfirmation { jkt }),
        };
        Ok(self.keys.current().await?.sign("at+jwt", &claims)?)
    }

    /// Reads a token that this server signed, expired or not; `None` for any other text.
    pub(super) async fn read(&self, token: &str) -> Result<Option<IssuedToken>, AuthError> {
        #[derive(Deserialize)]
        struct TokenIds {
            client_id: String,
            jti: String,
        }
        let published = self.keys.published().await?;
        let verified = Jwt::parse(token).and_then(|jwt| jwt.verify_with(&published, &[Algorithm::Es256]));
        let Ok(ids) = verified.and_then(|verified| verified.claims::<TokenIds>()) else { return Ok(None) };
        let family = ids.jti.split_once('.').map(|(family, _)| family.to_owned());
        Ok(family.map(|family| IssuedToken { client: ids.client_id, family }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::refresh_tokens::tests::access;
    use crate::server::testing::TestClock;

    #[tokio::test]
    async fn a_token_is_read_again_and_no_other_is() {
        let clock = TestClock::new();
        let access = access("ada");
        let server = || {
            let keys = Arc::new(SigningKeys::new(clock.records()));
            AccessTokens::new("https://hub.example", keys, clock.records(), Duration::from_secs(60))
        };
        let (tokens, other) = (server(), server());
        let scopes = ["mcp".to_owned(), "offline_access".to_owned()];
        let token = tokens.issue("family", &access, &scopes, Some("thumbprint")).await.unwrap();
        let claims: serde_json::Value = Jwt::parse(&token).unwrap().unverified().unwrap();
        assert_eq!((&claims["scope"], &claims["cnf"]["jkt"]), (&"mcp".into(), &"thumbprint".into()));
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
        let issued = IssuedToken { client: "cli".to_owned(), family: "family".to_owned() };
        assert_eq!(tokens.read(&token).await.unwrap(), Some(issued));
        for text in [&*other.issue("family", &access, &scopes, None).await.unwrap(), "x.y.z", "x"] {
            assert_eq!(tokens.read(text).await.unwrap(), None, "{text}");
        }
    }
}
