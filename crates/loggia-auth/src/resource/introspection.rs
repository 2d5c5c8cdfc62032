//! Opaque tokens: their issuer is asked what they are worth (RFC 7662). The answer is kept for a short time,
//! so that a busy client does not make two requests of each of its own, and a token that was taken back is
//! refused soon.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::sync::Semaphore;
use url::Url;

use super::issuer::{AccessClaims, invalid};
use super::{Grant, TokenError};
use crate::jose::{Claims, JoseError, sha256};
use crate::restricted_http::{FetchRequest, RestrictedHttpClient};
use crate::secret::Secret;

/// Most answers that are kept.
const MOST_KEPT: usize = 10_000;
/// Most questions under way.
const MOST_ASKED: usize = 64;

/// An introspection endpoint, and how we show it who we are.
pub struct Introspection {
    endpoint: Url,
    credentials: Credentials,
    guard: RestrictedHttpClient,
    keep: Duration,
    kept: Mutex<HashMap<String, Kept>>,
    asking: Semaphore,
}

enum Credentials {
    Basic(Secret),
    Bearer(Secret),
}

#[derive(Clone)]
struct Kept {
    grant: Result<Grant, TokenError>,
    until: SystemTime,
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}

impl Introspection {
    /// An endpoint where we are a client with an id and a secret.
    pub fn new(
        endpoint: Url,
        client_id: &str,
        client_secret: &Secret,
        guard: RestrictedHttpClient,
    ) -> Introspection {
        // RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        let form = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", form(client_id), form(client_secret.expose()));
        Introspection::with(endpoint, Credentials::Basic(Secret::new(STANDARD.encode(pair))), guard)
    }

    /// An endpoint that wants a token of its own.
    pub fn with_token(endpoint: Url, token: Secret, guard: RestrictedHttpClient) -> Introspection {
        Introspection::with(endpoint, Credentials::Bearer(token), guard)
    }

    fn with(endpoint: Url, credentials: Credentials, guard: RestrictedHttpClient) -> Introspection {
        Introspection {
            endpoint,
            credentials,
            guard,
            keep: Duration::from_secs(20),
            kept: Mutex::default(),
            asking: Semaphore::new(MOST_ASKED),
        }
    }

    /// How long an answer is good; twenty seconds unless set. A token that is revoked may be accepted for as
    /// long.
    pub fn keep(mut self, keep: Duration) -> Introspection {
        self.keep = keep;
        self
    }

    pub(super) async fn check(
        &self,
        token: &str,
        issuer: &str,
        audiences: &[&str],
        now: SystemTime,
        skew: Duration,
    ) -> Result<Grant, TokenError> {
        let name = sha256(token);
        if let Some(kept) = self.kept(&name, now) {
            return kept;
        }
        let _place = self.asking.acquire().await.expect("it is never closed");
        if let Some(kept) = self.kept(&name, now) {
            return kept;
        }
        let answer = self.ask(token).await?;
        let grant = judge(&answer, issuer, audiences, now, skew);
        self.remember(name, grant.clone(), now);
        grant
    }

    fn kept(&self, name: &str, now: SystemTime) -> Option<Result<Grant, TokenError>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).filter(|kept| now < kept.until).map(|kept| kept.grant.clone())
    }

    fn remember(&self, name: String, grant: Result<Grant, TokenError>, now: SystemTime) {
        let ends = grant.as_ref().ok().and_then(|grant| grant.expires);
        let until = ends.map_or(now + self.keep, |ends| ends.min(now + self.keep));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, kept| now < kept.until);
        }
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(name, Kept { grant, until });
    }

    async fn ask(&self, token: &str) -> Result<bytes::Bytes, TokenError> {
        let unavailable = |why: String| {
            tracing::warn!(endpoint = %self.endpoint, why, "a token could not be introspected");
            TokenError::Unavailable(why)
        };
        let form = FetchRequest::form(
            self.endpoint.clone(),
            [("token", token), ("token_type_hint", "access_token")],
        );
        let form = match &self.credentials {
            Credentials::Basic(pair) => form.authorization("Basic", pair),
            Credentials::Bearer(token) => form.authorization("Bearer", token),
        };
        let form = form.map_err(|error| unavailable(error.to_string()))?;
        let reply = self.guard.send(form).await.map_err(|error| unavailable(error.to_string()))?;
        match reply.status.is_success() {
            true => Ok(reply.body),
            // It says so of us, not of the token.
            false => Err(unavailable(format!("the introspection endpoint answers {}", reply.status))),
        }
    }
}

#[derive(Deserialize)]
struct Activity {
    active: bool,
}

fn judge(
    answer: &[u8],
    issuer: &str,
    audiences: &[&str],
    now: SystemTime,
    skew: Duration,
) -> Result<Grant, TokenError> {
    let unreadable =
        |_| TokenError::Unavailable("the introspection endpoint's answer cannot be read".to_owned());
    if !serde_json::from_slice::<Activity>(answer).map_err(unreadable)?.active {
        return Err(TokenError::Invalid("the token is not active".to_owned()));
    }
    let claims: Claims = serde_json::from_slice(answer).map_err(unreadable)?;
    let access: AccessClaims = serde_json::from_slice(answer).map_err(unreadable)?;
    // The issuer is optional in an answer: it is known who was asked.
    if claims.iss.as_deref().is_some_and(|iss| iss != issuer) {
        return Err(invalid(JoseError::Issuer));
    }
    if !audiences.iter().any(|audience| claims.aud.contains(audience)) {
        return Err(invalid(JoseError::Audience));
    }
    if claims.exp.is_some() {
        claims.check_time(now, skew).map_err(invalid)?;
    }
    // A token that stands for no person is the client's own (RFC 9068, section 2.2).
    let subject = claims.sub.or_else(|| access.client().map(str::to_owned));
    let subject = subject.ok_or_else(|| invalid(JoseError::Missing("sub")))?;
    access.grant(issuer.to_owned(), subject, claims.exp)
}
