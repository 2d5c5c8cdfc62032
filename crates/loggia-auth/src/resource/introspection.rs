//! Token introspection: asks the issuer of an opaque token whether it is valid (RFC 7662).
//!
//! The result is cached for a short time: not every request asks the issuer, and a revoked token is still refused
//! soon.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::sync::Semaphore;
use url::Url;

use super::token::{AuthorizationClaims, TokenError, VerifiedToken};
use crate::jose::{Claims, JoseError, sha256};
use crate::restricted_http::{FetchRequest, RestrictedHttpClient};
use crate::secret::Secret;

/// The maximum number of cached results.
const MAX_CACHED: usize = 10_000;
/// The maximum number of concurrent introspection requests.
const MAX_REQUESTS: usize = 64;

/// An introspection endpoint, with the credentials for it.
pub struct IntrospectionEndpoint {
    endpoint: Url,
    credentials: IntrospectionCredentials,
    http: RestrictedHttpClient,
    max_age: Duration,
    cache: Mutex<HashMap<String, CachedResult>>,
    permits: Semaphore,
}

enum IntrospectionCredentials {
    Basic(Secret),
    Bearer(Secret),
}

#[derive(Clone)]
struct CachedResult {
    result: Result<VerifiedToken, TokenError>,
    until: SystemTime,
}

impl fmt::Debug for IntrospectionEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionEndpoint")
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

impl IntrospectionEndpoint {
    /// Creates an endpoint at which this server authenticates as a client with a secret.
    pub fn new(
        endpoint: Url,
        client_id: &str,
        client_secret: &Secret,
        http: RestrictedHttpClient,
    ) -> IntrospectionEndpoint {
        // RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        let form = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", form(client_id), form(client_secret.expose()));
        IntrospectionEndpoint::with(
            endpoint,
            IntrospectionCredentials::Basic(Secret::new(STANDARD.encode(pair))),
            http,
        )
    }

    /// Creates an endpoint at which this server authenticates with a bearer token.
    pub fn with_token(endpoint: Url, token: Secret, http: RestrictedHttpClient) -> IntrospectionEndpoint {
        IntrospectionEndpoint::with(endpoint, IntrospectionCredentials::Bearer(token), http)
    }

    fn with(
        endpoint: Url,
        credentials: IntrospectionCredentials,
        http: RestrictedHttpClient,
    ) -> IntrospectionEndpoint {
        IntrospectionEndpoint {
            endpoint,
            credentials,
            http,
            max_age: Duration::from_secs(20),
            cache: Mutex::default(),
            permits: Semaphore::new(MAX_REQUESTS),
        }
    }

    /// Sets the time that a result is cached: 20 seconds by default. A revoked token may be accepted during this
    /// time.
    pub fn keep(mut self, max_age: Duration) -> IntrospectionEndpoint {
        self.max_age = max_age;
        self
    }

    /// Checks a token.
    pub(super) async fn check(
        &self,
        token: &str,
        issuer: &str,
        audiences: &[&str],
        now: SystemTime,
        skew: Duration,
    ) -> Result<VerifiedToken, TokenError> {
        let name = sha256(token);
        if let Some(result) = self.cached(&name, now) {
            return result;
        }
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        if let Some(result) = self.cached(&name, now) {
            return result;
        }
        let response = self.request(token).await?;
        let result = check_response(&response, issuer, audiences, now, skew);
        self.cache(name, result.clone(), now);
        result
    }

    fn cached(&self, name: &str, now: SystemTime) -> Option<Result<VerifiedToken, TokenError>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(name).filter(|cached| now < cached.until).map(|cached| cached.result.clone())
    }

    fn cache(&self, name: String, result: Result<VerifiedToken, TokenError>, now: SystemTime) {
        let expires = result.as_ref().ok().and_then(|token| token.expires);
        let until = expires.map_or(now + self.max_age, |expires| expires.min(now + self.max_age));
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MAX_CACHED {
            cache.retain(|_, cached| now < cached.until);
        }
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(name, CachedResult { result, until });
    }

    async fn request(&self, token: &str) -> Result<bytes::Bytes, TokenError> {
        let unavailable = |why: String| {
            tracing::warn!(endpoint = %self.endpoint, why, "a token could not be introspected");
            TokenError::Unavailable(why)
        };
        let form = FetchRequest::form(
            self.endpoint.clone(),
            [("token", token), ("token_type_hint", "access_token")],
        );
        let form = match &self.credentials {
            IntrospectionCredentials::Basic(pair) => form.authorization("Basic", pair),
            IntrospectionCredentials::Bearer(token) => form.authorization("Bearer", token),
        };
        let form = form.map_err(|error| unavailable(error.to_string()))?;
        let reply = self.http.send(form).await.map_err(|error| unavailable(error.to_string()))?;
        match reply.status.is_success() {
            true => Ok(reply.body),
            // The error is about this server, not about the token.
            false => Err(unavailable(format!("the introspection endpoint answers {}", reply.status))),
        }
    }
}

#[derive(Deserialize)]
struct ActiveClaim {
    active: bool,
}

/// Checks the response of an introspection endpoint.
fn check_response(
    response: &[u8],
    issuer: &str,
    audiences: &[&str],
    now: SystemTime,
    skew: Duration,
) -> Result<VerifiedToken, TokenError> {
    let unreadable =
        |_| TokenError::Unavailable("the introspection endpoint's answer cannot be read".to_owned());
    if !serde_json::from_slice::<ActiveClaim>(response).map_err(unreadable)?.active {
        return Err(TokenError::Invalid("the token is not active".to_owned()));
    }
    let claims: Claims = serde_json::from_slice(response).map_err(unreadable)?;
    let access: AuthorizationClaims = serde_json::from_slice(response).map_err(unreadable)?;
    // The issuer is optional, because its own endpoint was asked.
    if claims.iss.as_deref().is_some_and(|iss| iss != issuer) {
        return Err(TokenError::from(JoseError::Issuer));
    }
    if !audiences.iter().any(|audience| claims.aud.contains(audience)) {
        return Err(TokenError::from(JoseError::Audience));
    }
    if claims.exp.is_some() {
        claims.check_time(now, skew)?;
    }
    // A token without a user belongs to the client itself (RFC 9068, section 2.2).
    let subject = claims.sub.or_else(|| access.client().map(str::to_owned));
    let subject = subject.ok_or_else(|| TokenError::from(JoseError::Missing("sub")))?;
    access.into_token(issuer.to_owned(), subject, claims.exp)
}
