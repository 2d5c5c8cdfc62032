//! Requests to the token endpoint and similar endpoints (pushed requests, revocation).
//!
//! All of them need the same client authentication, DPoP proofs and error decoding. Invariant: a request is repeated
//! at most once, and only because of a DPoP nonce or a wrong clock.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use serde::{Deserialize, Deserializer};
use url::Url;
use url::form_urlencoded;

use crate::clock::{self, Clock};
use crate::dpop::DpopSigner;
use crate::error::{AuthError, printable};
use crate::jose;
use crate::registration::{AuthMethod, ClientAuth, KnownClient};
use crate::restricted_http::{FetchRequest, FetchResponse, RestrictedHttpClient};
use crate::scope::Scopes;
use crate::secret::Secret;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The lifetime of a client assertion.
const ASSERTION_LIFE: Duration = Duration::from_secs(60);
const MAX_BYTES: usize = 128 << 10;

/// An endpoint of an authorization server and the client that sends requests to it.
pub(crate) struct EndpointClient<'a> {
    pub(crate) http: &'a RestrictedHttpClient,
    pub(crate) url: &'a Url,
    /// The audience of assertions.
    pub(crate) issuer: &'a str,
    pub(crate) client: &'a KnownClient,
    pub(crate) signer: Option<&'a DpopSigner>,
    pub(crate) clock: &'a Clock,
}

/// The form parameters of a request.
pub(crate) type FormParams<'a> = Vec<(&'a str, &'a str)>;

/// A successful token response (RFC 6749, section 5.1).
#[derive(Debug, Deserialize)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: Secret,
    #[serde(default)]
    pub(crate) token_type: String,
    #[serde(default, deserialize_with = "seconds")]
    pub(crate) expires_in: Option<u64>,
    #[serde(default)]
    pub(crate) refresh_token: Option<Secret>,
    #[serde(default)]
    pub(crate) scope: Option<Scopes>,
    #[serde(default)]
    pub(crate) issued_token_type: Option<String>,
    #[serde(default)]
    pub(crate) id_token: Option<Secret>,
}

/// Reads a number of seconds, which some servers write as a string or with a fraction.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(match &value {
        serde_json::Value::Number(number) => {
            number.as_u64().or_else(|| number.as_f64().map(|n| n.max(0.0) as u64))
        }
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

impl TokenResponse {
    /// Returns whether the token is bound to a key (RFC 9449). Fails for token types other than `Bearer` and `DPoP`.
    pub(crate) fn is_bound(&self) -> Result<bool, AuthError> {
        match self.token_type.to_ascii_lowercase().as_str() {
            "bearer" | "" => Ok(false),
            "dpop" => Ok(true),
            other => Err(AuthError::Discovery(format!(
                "the authorization server gives a token of the type '{}', which cannot be used here",
                other.chars().filter(char::is_ascii_graphic).take(32).collect::<String>()
            ))),
        }
    }
}

/// An error response (RFC 6749, section 5.2).
#[derive(Deserialize)]
struct ErrorResponse {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

impl EndpointClient<'_> {
    /// Requests tokens.
    pub(crate) async fn tokens(&self, form: FormParams<'_>) -> Result<TokenResponse, AuthError> {
        let reply = self.request(form).await?;
        let tokens: TokenResponse = serde_json::from_slice(&reply.body).map_err(|error| {
            let what = error.classify();
            AuthError::Discovery(format!("{} answers with what is no token response ({what:?})", reply.url))
        })?;
        match tokens.access_token.expose().is_empty() {
            true => Err(AuthError::Discovery(format!("{} gives a token that is empty", reply.url))),
            false => Ok(tokens),
        }
    }

    /// Sends a request. Repeats it once if the server requires its nonce in the proof, or if its clock differs from
    /// the local one.
    pub(crate) async fn request(&self, form: FormParams<'_>) -> Result<FetchResponse, AuthError> {
        let reply = self.send(&form).await?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        let refused = error_of(&reply);
        let again = match (&refused, self.signer) {
            (AuthError::Refused { error, .. }, Some(_)) if error == "use_dpop_nonce" => true,
            (AuthError::Refused { error, .. }, Some(signer)) if error == "invalid_dpop_proof" => {
                signer.adjust_clock(&reply.headers, (self.clock)())
            }
            _ => false,
        };
        if again {
            let reply = self.send(&form).await?;
            return if reply.status.is_success() { Ok(reply) } else { Err(error_of(&reply)) };
        }
        Err(refused)
    }

    async fn send(&self, form: &FormParams<'_>) -> Result<FetchResponse, AuthError> {
        let assertion = self.assertion()?;
        let mut form = form.clone();
        let client_id = self.client.client_id.as_str();
        match (&self.client.auth, self.client.method) {
            (ClientAuth::Secret(secret), AuthMethod::Post) => {
                form.extend([("client_id", client_id), ("client_secret", secret.expose())]);
            }
            (ClientAuth::Secret(_), AuthMethod::Basic) => {}
            (ClientAuth::Key(_), AuthMethod::PrivateKey) => form.push(("client_assertion_type", ASSERTION)),
            _ => form.push(("client_id", client_id)),
        }
        if let Some(assertion) = &assertion {
            form.push(("client_assertion", assertion.expose()));
        }
        let mut fetch = FetchRequest::form(self.url.clone(), form).most_bytes(MAX_BYTES);
        if let (ClientAuth::Secret(secret), AuthMethod::Basic) = (&self.client.auth, self.client.method) {
            fetch = fetch.authorization("Basic", &basic(client_id, secret))?;
        }
        if let Some(signer) = self.signer {
            let proof = signer.proof(&http::Method::POST, self.url, None, (self.clock)())?;
            fetch = fetch.header(HeaderName::from_static("dpop"), proof);
        }
        let reply = self.http.send(fetch).await?;
        if let Some(signer) = self.signer {
            signer.store_nonce(self.url, &reply.headers);
        }
        Ok(reply)
    }

    /// Signs a client assertion (RFC 7523, section 3). The audience is the issuer, as draft-ietf-oauth-rfc7523bis
    /// requires.
    fn assertion(&self) -> Result<Option<Secret>, AuthError> {
        let (ClientAuth::Key(key), AuthMethod::PrivateKey) = (&self.client.auth, self.client.method) else {
            return Ok(None);
        };
        let now = clock::seconds((self.clock)());
        let client_id = &self.client.client_id;
        let claims = serde_json::json!({
            "iss": client_id, "sub": client_id, "aud": self.issuer, "jti": jose::random(16),
            "iat": now, "exp": now + ASSERTION_LIFE.as_secs(),
        });
        Ok(Some(Secret::new(key.sign("JWT", &claims)?)))
    }
}

/// Encodes an id and a secret for HTTP Basic, each form-encoded first (RFC 6749, section 2.3.1).
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    Secret::new(STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret.expose()))))
}

fn error_of(reply: &FetchResponse) -> AuthError {
    match serde_json::from_slice::<ErrorResponse>(&reply.body) {
        Ok(refusal) => AuthError::Refused {
            error: printable(&refusal.error),
            description: refusal.error_description.as_deref().map(printable),
        },
        Err(_) if reply.status.is_server_error() || reply.status == http::StatusCode::TOO_MANY_REQUESTS => {
            AuthError::Refused {
                error: "temporarily_unavailable".to_owned(),
                description: Some(summary(reply)),
            }
        }
        Err(_) => {
            AuthError::Refused { error: "invalid_response".to_owned(), description: Some(summary(reply)) }
        }
    }
}

/// Describes a reply without its body, because an error page may contain the request, which is secret.
fn summary(reply: &FetchResponse) -> String {
    format!("{} answers {}", reply.url, reply.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_in_all_their_forms() {
        let table = [
            ("3600", Some(3600)),
            ("3600.9", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("-1", Some(0)),
            ("null", None),
            ("\"soon\"", None),
            ("[]", None),
        ];
        for (text, expected) in table {
            let tokens: TokenResponse =
                serde_json::from_str(&format!(r#"{{"access_token":"t","expires_in":{text}}}"#)).unwrap();
            assert_eq!(tokens.expires_in, expected, "{text}");
        }
    }

    #[test]
    fn basic_credentials_are_encoded_twice() {
        let encoded = basic("a:b", &Secret::new("c d%"));
        assert_eq!(STANDARD.decode(encoded.expose()).unwrap(), b"a%3Ab:c+d%25");
    }
}
