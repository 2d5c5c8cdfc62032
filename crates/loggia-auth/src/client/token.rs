//! The token endpoint: how a client says who it is, what it asks for, and what it is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use loggia::wire::text::is_unsafe;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;
use url::form_urlencoded;

use super::AuthError;
use crate::clock::{self, Clock};
use crate::dpop::DpopSigner;
use crate::guard::{Fetch, Reply, RestrictedHttpClient};
use crate::jose::{self, SigningKey};
use crate::scope::Scopes;
use crate::secret::Secret;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion about ourselves is good for.
const ASSERTION_LIFE: Duration = Duration::from_secs(60);
const MOST_BYTES: usize = 128 << 10;

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// It does not: a public client only says its name.
    None,
    /// A secret; by HTTP Basic or in the form, as the server wants it.
    Secret(Secret),
    /// A signed assertion (`private_key_jwt`).
    Key(Arc<SigningKey>),
}

/// The ways that the registry of RFC 7591 names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthMethod {
    /// A public client.
    #[serde(rename = "none")]
    None,
    /// HTTP Basic.
    #[serde(rename = "client_secret_basic")]
    Basic,
    /// In the form.
    #[serde(rename = "client_secret_post")]
    Post,
    /// A signed assertion.
    #[serde(rename = "private_key_jwt")]
    PrivateKey,
}

impl AuthMethod {
    pub(crate) fn named(name: &str) -> Option<AuthMethod> {
        let all = [AuthMethod::None, AuthMethod::Basic, AuthMethod::Post, AuthMethod::PrivateKey];
        all.into_iter().find(|method| method.as_str() == name)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            AuthMethod::None => "none",
            AuthMethod::Basic => "client_secret_basic",
            AuthMethod::Post => "client_secret_post",
            AuthMethod::PrivateKey => "private_key_jwt",
        }
    }
}

/// A client as one authorization server knows it.
#[derive(Clone, Debug)]
pub struct KnownClient {
    /// Its name.
    pub client_id: String,
    /// What it proves itself with.
    pub auth: ClientAuth,
    /// How.
    pub method: AuthMethod,
}

/// A token endpoint and who talks to it.
pub(crate) struct Endpoint<'a> {
    pub(crate) guard: &'a RestrictedHttpClient,
    pub(crate) url: &'a Url,
    /// The audience of assertions.
    pub(crate) issuer: &'a str,
    pub(crate) client: &'a KnownClient,
    pub(crate) prover: Option<&'a DpopSigner>,
    pub(crate) clock: &'a Clock,
}

/// The parameters of a request.
pub(crate) type Form<'a> = Vec<(&'a str, &'a str)>;

/// What an endpoint gives.
#[derive(Debug, Deserialize)]
pub(crate) struct Tokens {
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

/// A number of seconds, which some servers write as a text or with a fraction.
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

impl Tokens {
    /// Whether the token is bound to our key. Any type but the two is one we could not use.
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

/// A refusal (RFC 6749, section 5.2).
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

impl Endpoint<'_> {
    /// Asks for tokens.
    pub(crate) async fn tokens(&self, form: Form<'_>) -> Result<Tokens, AuthError> {
        let reply = self.request(form).await?;
        let tokens: Tokens = serde_json::from_slice(&reply.body).map_err(|error| {
            let what = error.classify();
            AuthError::Discovery(format!("{} answers with what is no token response ({what:?})", reply.url))
        })?;
        match tokens.access_token.expose().is_empty() {
            true => Err(AuthError::Discovery(format!("{} gives a token that is empty", reply.url))),
            false => Ok(tokens),
        }
    }

    /// Makes a request; once more where the server wants its nonce in the proof, or has another time than we.
    pub(crate) async fn request(&self, form: Form<'_>) -> Result<Reply, AuthError> {
        let reply = self.send(&form).await?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        let refused = refusal(&reply);
        let again = match (&refused, self.prover) {
            (AuthError::Refused { error, .. }, Some(_)) if error == "use_dpop_nonce" => true,
            (AuthError::Refused { error, .. }, Some(prover)) if error == "invalid_dpop_proof" => {
                prover.note_time(&reply.headers, (self.clock)())
            }
            _ => false,
        };
        if again {
            let reply = self.send(&form).await?;
            return if reply.status.is_success() { Ok(reply) } else { Err(refusal(&reply)) };
        }
        Err(refused)
    }

    async fn send(&self, form: &Form<'_>) -> Result<Reply, AuthError> {
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
        let mut fetch = Fetch::form(self.url.clone(), form).most_bytes(MOST_BYTES);
        if let (ClientAuth::Secret(secret), AuthMethod::Basic) = (&self.client.auth, self.client.method) {
            fetch = fetch.authorization("Basic", &basic(client_id, secret))?;
        }
        if let Some(prover) = self.prover {
            let proof = prover.proof(&http::Method::POST, self.url, None, (self.clock)())?;
            fetch = fetch.header(HeaderName::from_static("dpop"), proof);
        }
        let reply = self.guard.send(fetch).await?;
        if let Some(prover) = self.prover {
            prover.note(self.url, &reply.headers);
        }
        Ok(reply)
    }

    /// What a client with a key says of itself (RFC 7523, section 3; the audience is the issuer, as the
    /// revision of that RFC wants it).
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

/// A name and a secret for HTTP Basic, each encoded as in a form before (RFC 6749, section 2.3.1).
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    Secret::new(STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret.expose()))))
}

fn refusal(reply: &Reply) -> AuthError {
    match serde_json::from_slice::<Refusal>(&reply.body) {
        Ok(refusal) => AuthError::Refused {
            error: plain(&refusal.error),
            description: refusal.error_description.as_deref().map(plain),
        },
        Err(_) if reply.status.is_server_error() || reply.status == http::StatusCode::TOO_MANY_REQUESTS => {
            AuthError::Refused { error: "temporarily_unavailable".to_owned(), description: Some(said(reply)) }
        }
        Err(_) => AuthError::Refused { error: "invalid_response".to_owned(), description: Some(said(reply)) },
    }
}

/// What is no refusal is not repeated: an error page may repeat the request, and the request is secret.
fn said(reply: &Reply) -> String {
    format!("{} answers {}", reply.url, reply.status)
}

/// Somebody else's text in a message of ours: short, on one line, and as it reads.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| !is_unsafe(*c)).take(300).collect()
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_however_they_are_written() {
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
            let tokens: Tokens =
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
