//! The stored credential of a client: tokens with their issuer, resource, client and key.
//!
//! A token must never reach another server. Invariant: a credential names its issuer and its resource, and is used
//! only with them.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::error::AuthError;
use crate::registration::{ClientRecord, KnownClient};
use crate::scope::Scopes;
use crate::secret::Secret;
use crate::token_endpoint::TokenResponse;

/// An access token with everything that is needed to use and renew it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credential {
    /// The issuer of the token.
    pub issuer: String,
    /// True if the issuer was found at the root of the protected server, as 2025-03-26 specifies.
    #[serde(default, rename = "of_march")]
    pub is_2025_03_26: bool,
    /// The resource of the token.
    pub resource: String,
    /// True if the program chose the resource, so that the server may publish another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_resource_configured: bool,
    /// The client that the token was issued to.
    pub client: ClientRecord,
    /// The id of the sign-in: it stays the same when the token is renewed.
    #[serde(default)]
    pub session: String,
    /// The access token.
    #[serde(serialize_with = "Secret::reveal")]
    pub access_token: Secret,
    /// True if the token is bound to a key (RFC 9449), and not a bearer token.
    #[serde(default)]
    pub dpop: bool,
    /// The key that the token is bound to: PKCS #8 in base64url.
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub dpop_key: Option<Secret>,
    /// The time of issue, in seconds since 1970.
    pub obtained_at: u64,
    /// The time at which the token expires, if the server reports it.
    #[serde(default)]
    pub expires_at: Option<u64>,
    /// The refresh token.
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// The scopes that were requested.
    #[serde(default)]
    pub requested: Scopes,
    /// The scopes that were granted.
    #[serde(default)]
    pub granted: Scopes,
}

/// The longest time before its expiry that a token is renewed, in seconds.
const MAX_AHEAD: u64 = 120;

impl Credential {
    /// Returns whether the token has expired.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expires_at.is_some_and(|end| end <= clock::seconds(now))
    }

    /// Returns whether the token expires soon: within a tenth of its lifetime, and within two minutes. So a clock
    /// that is wrong by less than that does no harm.
    pub fn expires_soon(&self, now: SystemTime) -> bool {
        let Some(end) = self.expires_at else { return false };
        let life = end.saturating_sub(self.obtained_at);
        end.saturating_sub((life / 10).min(MAX_AHEAD)) <= clock::seconds(now)
    }

    /// Returns the time until the token expires, if the server reports it.
    pub fn remaining(&self, now: SystemTime) -> Option<Duration> {
        self.expires_at.map(|end| Duration::from_secs(end.saturating_sub(clock::seconds(now))))
    }
}

/// The parts of a credential that are not in the token response.
pub(crate) struct CredentialParts<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) is_2025_03_26: bool,
    pub(crate) resource: &'a str,
    pub(crate) is_resource_configured: bool,
    pub(crate) client: &'a KnownClient,
    pub(crate) requested: &'a Scopes,
    pub(crate) dpop_key: Option<Secret>,
    pub(crate) session: String,
}

impl CredentialParts<'_> {
    /// Creates the credential from a token response that arrived at `now`.
    pub(crate) fn into_credential(
        self,
        tokens: TokenResponse,
        now: SystemTime,
    ) -> Result<Credential, AuthError> {
        let now = clock::seconds(now);
        let dpop = tokens.is_bound()?;
        Ok(Credential {
            issuer: self.issuer.to_owned(),
            is_2025_03_26: self.is_2025_03_26,
            resource: self.resource.to_owned(),
            is_resource_configured: self.is_resource_configured,
            client: self.client.into(),
            session: self.session,
            dpop,
            dpop_key: self.dpop_key,
            access_token: tokens.access_token,
            obtained_at: now,
            expires_at: tokens.expires_in.map(|life| now.saturating_add(life)),
            refresh_token: tokens.refresh_token.filter(|token| !token.expose().is_empty()),
            // Without a scope in the response the requested scopes were granted (RFC 6749, section 5.1).
            granted: tokens.scope.unwrap_or_else(|| self.requested.clone()),
            requested: self.requested.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_before_they_expire() {
        let credential = |life: Option<u64>| -> Credential {
            serde_json::from_value(serde_json::json!({
                "issuer": "i", "resource": "r", "client": { "client_id": "c", "method": "none" }, "access_token": "t",
                "obtained_at": 1000, "expires_at": life.map(|life| 1000 + life),
            }))
            .unwrap()
        };
        // Lifetime, seconds since the issue, expires soon, is expired.
        let table = [
            (None, u64::MAX >> 20, false, false),
            (Some(3600), 0, false, false),
            (Some(3600), 3479, false, false),
            (Some(3600), 3480, true, false),
            (Some(3600), 3600, true, true),
            (Some(60), 53, false, false),
            (Some(60), 54, true, false),
            (Some(0), 0, true, true),
        ];
        for (life, after, soon, over) in table {
            let (credential, now) = (credential(life), clock::from_seconds(1000 + after));
            assert_eq!(
                (credential.expires_soon(now), credential.is_expired(now)),
                (soon, over),
                "{life:?} {after}"
            );
        }
    }

    #[test]
    fn a_credential_is_not_shown() {
        let text = r#"{"issuer":"i","resource":"r","client":{"client_id":"c","method":"none"},"access_token":"sesame",
            "refresh_token":"open","obtained_at":1}"#;
        let credential: Credential = serde_json::from_str(text).unwrap();
        let shown = format!("{credential:?}");
        assert!(!shown.contains("sesame") && !shown.contains("open"), "{shown}");
        assert!(serde_json::to_string(&credential).unwrap().contains("sesame"));
    }
}
