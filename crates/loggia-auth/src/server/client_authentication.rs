//! Client authentication at the token and revocation endpoints (RFC 6749, section 2.3, and RFC 7523, section 2.2).
//!
//! A client authenticates with the one method that it registered.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

use super::assertions::UsedAssertions;
use super::client_registry::ClientRegistry;
use super::clients::{ClientCredential, OAuthClient};
use super::http::{OAuthError, RequestParams};
use super::records::RecordStore;
use super::urls::ServerUrls;
use crate::jose::{Algorithm, ClaimRules, Claims, JoseError, Jwt, KeySource, sha256};
use crate::secret::Secret;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Authenticates the client of a request.
pub(super) struct ClientAuthenticator {
    clients: Arc<ClientRegistry>,
    used_assertions: UsedAssertions,
    records: RecordStore,
    /// The audiences that assertions may name: the issuer and the token endpoint.
    audiences: [String; 2],
    skew: Duration,
}

impl ClientAuthenticator {
    pub(super) fn new(
        clients: Arc<ClientRegistry>,
        urls: &ServerUrls,
        records: RecordStore,
        skew: Duration,
    ) -> ClientAuthenticator {
        ClientAuthenticator {
            clients,
            used_assertions: UsedAssertions::new(records.clone(), skew),
            records,
            audiences: [urls.issuer().to_owned(), urls.url("token")],
            skew,
        }
    }

    /// Returns the client that sends a request.
    pub(super) async fn authenticate(
        &self,
        headers: &HeaderMap,
        params: &RequestParams,
    ) -> Result<OAuthClient, OAuthError> {
        let basic = read_basic(headers)?;
        let assertion = params.get("client_assertion");
        let methods = [basic.is_some(), params.get("client_secret").is_some(), assertion.is_some()];
        if methods.iter().filter(|used| **used).count() > 1 {
            return Err(OAuthError::new("invalid_request", "Authenticate the client with one method only"));
        }
        let refused = |why: &str| OAuthError {
            is_basic_challenge: basic.is_some(),
            ..OAuthError::new("invalid_client", why)
        };
        let subject = assertion.map(assertion_subject).transpose();
        let subject = subject.map_err(|error| refused(&error.to_string()))?.flatten();
        let ids = [basic.as_ref().map(|(id, _)| &**id), params.get("client_id"), subject.as_deref()];
        let mut ids = ids.into_iter().flatten();
        let id = ids.next().ok_or_else(|| refused("The client_id is missing"))?;
        if ids.any(|other| other != id) {
            return Err(OAuthError::new("invalid_request", "Two different clients are named"));
        }
        let client = self.clients.find(id).await?.map_err(|rejection| refused(&rejection.reason))?;
        let secret = basic.as_ref().map(|(_, secret)| secret.expose()).or(params.get("client_secret"));
        match (&client.credential, secret, assertion) {
            // Some public clients send an empty secret, or an old one. It is ignored.
            (ClientCredential::Public, _, None) => Ok(client),
            (ClientCredential::SecretDigest(digest), Some(secret), None)
                if is_equal(&sha256(secret), digest) =>
            {
                Ok(client)
            }
            (ClientCredential::Keys { inline, url }, None, Some(assertion)) => {
                if params.get("client_assertion_type") != Some(ASSERTION_TYPE) {
                    let why = "The client_assertion_type is not the one of JWTs";
                    return Err(OAuthError::new("invalid_request", why));
                }
                let keys = self.clients.keys(inline.as_deref(), url.as_ref());
                self.check_assertion(&client.id, assertion, &*keys).await?;
                Ok(client)
            }
            _ => Err(refused("The client did not authenticate, or not with the method that it registered")),
        }
    }

    /// Checks a client assertion (RFC 7523, section 3).
    async fn check_assertion(
        &self,
        id: &str,
        assertion: &str,
        keys: &dyn KeySource,
    ) -> Result<(), OAuthError> {
        let refused = |error: JoseError| {
            if error.is_unavailable() {
                // The cause is only logged, because the client chose the URL.
                tracing::info!(%error, "a client's keys could not be fetched");
                return OAuthError::new("invalid_client", "The client's keys cannot be had at its jwks_uri");
            }
            OAuthError::new("invalid_client", error.to_string())
        };
        let jwt = Jwt::parse(assertion).map_err(refused)?;
        let kid = jwt.header().kid.clone();
        let keys = keys.keys(kid.as_deref(), jwt.algorithm()).await.map_err(refused)?;
        let verified = jwt.verify_with(&keys, Algorithm::ALL).map_err(refused)?;
        let claims: Claims = verified.claims().map_err(refused)?;
        let audiences = self.audiences.each_ref().map(String::as_str);
        let rules =
            ClaimRules { issuer: id, audiences: &audiences, now: self.records.now(), skew: self.skew };
        claims.check(&rules).map_err(refused)?;
        if claims.sub.as_deref() != Some(id) {
            return Err(OAuthError::new("invalid_client", "The assertion is about another client"));
        }
        let used = self.used_assertions.add("client-assertion", &claims).await;
        used.map_err(|error| OAuthError { code: "invalid_client", ..error })
    }
}

/// Returns the subject of an unverified client assertion.
fn assertion_subject(assertion: &str) -> Result<Option<String>, JoseError> {
    Ok(Jwt::parse(assertion)?.unverified::<Claims>()?.sub)
}

/// Compares two digests in constant time.
pub(super) fn is_equal(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Reads the client identifier and the secret of HTTP Basic authentication (RFC 6749, section 2.3.1).
fn read_basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, OAuthError> {
    let wrong = || OAuthError::new("invalid_request", "The Authorization header cannot be read");
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(header) = values.next() else { return Ok(None) };
    let text = header.to_str().map_err(|_| wrong())?;
    let (scheme, encoded) = text.split_once(' ').ok_or_else(wrong)?;
    if values.next().is_some() || !scheme.eq_ignore_ascii_case("basic") {
        return Err(wrong());
    }
    let pair = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = pair.ok_or_else(wrong)?;
    let (id, secret) = pair.split_once(':').ok_or_else(wrong)?;
    Ok(Some((form_decode(id), Secret::new(form_decode(secret)))))
}

fn form_decode(text: &str) -> String {
    // A client that sends a bare `&` does not encode its secret.
    if text.contains('&') {
        return text.to_owned();
    }
    let pair = format!("v={text}");
    let value = url::form_urlencoded::parse(pair.as_bytes()).next();
    value.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::restricted_http::{FetchPolicy, RestrictedHttpClient};
    use crate::server::testing::TestClock;

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[tokio::test]
    async fn a_client_authenticates_with_the_method_that_it_registered() {
        let records = TestClock::new().records();
        let entered = vec![
            OAuthClient::new("public", "Public", ["https://a.example/cb"]),
            OAuthClient::new("web", "Web", ["https://a.example/cb"]).secret(&Secret::new("s&cret")),
        ];
        let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let clients = Arc::new(ClientRegistry::new(entered, records.clone(), http));
        let urls = ServerUrls::new("https://hub.example".to_owned()).unwrap();
        let authenticator = ClientAuthenticator::new(clients, &urls, records, Duration::from_secs(30));
        let table = [
            (None, "client_id=public", Ok("public")),
            (None, "client_id=public&client_secret=old", Ok("public")),
            (None, "client_id=web", Err("invalid_client")),
            (None, "client_id=web&client_secret=s%26cret", Ok("web")),
            (None, "client_id=web&client_secret=other", Err("invalid_client")),
            (None, "client_id=web&client_assertion=x.y.z", Err("invalid_client")),
            (None, "client_id=unknown", Err("invalid_client")),
            (None, "", Err("invalid_client")),
            (Some(basic("web:s%26cret")), "", Ok("web")),
            (Some(basic("web:s&cret")), "client_id=web", Ok("web")),
            (Some(basic("web:s%26cret")), "client_id=public", Err("invalid_request")),
            (Some(basic("web:s%26cret")), "client_secret=s%26cret", Err("invalid_request")),
            (Some(basic("web")), "", Err("invalid_request")),
            (Some("Bearer x".to_owned()), "client_id=public", Err("invalid_request")),
        ];
        for (header, form, expected) in table {
            let values = header.iter().map(|text| (AUTHORIZATION, HeaderValue::from_str(text).unwrap()));
            let headers = HeaderMap::from_iter(values);
            let params = RequestParams::parse(form.as_bytes()).unwrap();
            let client = authenticator.authenticate(&headers, &params).await;
            let client = client.as_ref().map(|client| &*client.id).map_err(|error| error.code);
            assert_eq!(client, expected, "{header:?} {form}");
        }
    }
}
