//! Sign-in at an identity provider, with OpenID Connect.
//!
//! The response must come from the browser that sent the request. Otherwise an attacker could sign in a victim under
//! the attacker's name.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Response};
use loggia::transport::http::Body;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::provider::OpenIdProvider;
use crate::error::AuthError;
use crate::jose::{random, sha256};
use crate::openid::IdTokenRules;
use crate::restricted_http::FetchRequest;
use crate::secret::Secret;
use crate::server::http::{RequestParams, ServerCookies, redirect};
use crate::server::pages;
use crate::server::pending_authorizations::PendingAuthorizations;
use crate::server::records::RecordStore;
use crate::server::return_pages::ReturnPages;
use crate::server::sessions::{SessionUser, Sessions};
use crate::server::urls::ServerUrls;

/// Time for a user to sign in at the identity provider.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Length of the cookie that identifies a browser.
const BROWSER_LENGTH: usize = 32;

/// The record of a request to the identity provider, by the `state`. It is used once.
#[derive(Serialize, Deserialize)]
struct ProviderRequest {
    #[serde(rename = "request")]
    sign_in: String,
    nonce: String,
    verifier: String,
    /// The digest of the browser's cookie.
    browser: String,
}

/// A sign-in that failed after the identity provider's response.
enum ProviderSignInError {
    /// The sign-in has expired.
    Expired,
    /// The user is refused, for this reason.
    Refused(String),
    Failed(AuthError),
}

impl From<AuthError> for ProviderSignInError {
    fn from(error: AuthError) -> ProviderSignInError {
        ProviderSignInError::Failed(error)
    }
}

fn refused(why: &str) -> ProviderSignInError {
    ProviderSignInError::Refused(why.to_owned())
}

/// Signs users in at an identity provider.
pub(in crate::server) struct ProviderSignIn {
    pub(in crate::server) provider: Arc<OpenIdProvider>,
    pub(in crate::server) urls: Arc<ServerUrls>,
    pub(in crate::server) records: RecordStore,
    pub(in crate::server) cookies: ServerCookies,
    pub(in crate::server) sessions: Sessions,
    pub(in crate::server) pending: PendingAuthorizations,
    pub(in crate::server) return_pages: ReturnPages,
    pub(in crate::server) skew: Duration,
}

impl ProviderSignIn {
    /// Redirects the user to the identity provider.
    pub(super) async fn start(
        &self,
        sign_in: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, AuthError> {
        let metadata = self.provider.provider.metadata().await.map_err(AuthError::Fetch)?;
        let no_endpoint =
            || AuthError::Discovery("the identity provider has no authorization endpoint".to_owned());
        let mut url = metadata.authorization_endpoint.ok_or_else(no_endpoint)?;
        let cookie = self.cookies.get(headers, "browser").filter(|browser| browser.len() == BROWSER_LENGTH);
        let browser = cookie.map_or_else(|| random(24), str::to_owned);
        let (state, nonce, verifier) = (random(24), random(24), random(48));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.provider.client_id)
            .append_pair("redirect_uri", &self.urls.url("callback"))
            .append_pair("scope", &self.provider.scopes)
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &sha256(&verifier))
            .append_pair("code_challenge_method", "S256");
        let record =
            ProviderRequest { sign_in: sign_in.to_owned(), nonce, verifier, browser: sha256(&browser) };
        let expires = Some(self.records.now() + LIFETIME);
        self.records.add(&RecordStore::hashed_name("away", &state), &record, expires).await?;
        let mut response = redirect(url.as_str());
        self.cookies.set(&mut response, "browser", &browser, LIFETIME);
        Ok(response)
    }

    /// Answers the identity provider's authorization response.
    pub(super) async fn callback(&self, params: &RequestParams, headers: &HeaderMap) -> Response<Body> {
        self.try_callback(params, headers).await.unwrap_or_else(|error| match error {
            ProviderSignInError::Expired => pages::expired(),
            ProviderSignInError::Refused(why) => pages::not_signed_in(&why),
            ProviderSignInError::Failed(error) => pages::internal_error(&error),
        })
    }

    async fn try_callback(
        &self,
        params: &RequestParams,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, ProviderSignInError> {
        let state = params.get("state").ok_or_else(|| refused("The response is incomplete."))?;
        let record = self.records.take::<ProviderRequest>(&RecordStore::hashed_name("away", state)).await?;
        let request = record.ok_or(ProviderSignInError::Expired)?;
        let code = self.check_response(params, headers, &request)?;
        let claims = self.redeem(code, &request).await?;
        let subject = (self.provider.admit)(&claims)
            .ok_or_else(|| refused("You are signed in at the identity provider, but have no access here."))?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let name = text("name").or_else(|| text("email")).unwrap_or_else(|| subject.clone());
        if !self.is_waiting(&request.sign_in).await? {
            return Err(ProviderSignInError::Expired);
        }
        let mut response = redirect(&self.urls.continue_path(&request.sign_in));
        self.sessions.start(&SessionUser { subject, name }, &mut response).await?;
        Ok(response)
    }

    /// Checks an authorization response and returns its code.
    fn check_response<'p>(
        &self,
        params: &'p RequestParams,
        headers: &HeaderMap,
        request: &ProviderRequest,
    ) -> Result<&'p str, ProviderSignInError> {
        let browser = self.cookies.get(headers, "browser").map(sha256);
        if browser.as_deref() != Some(&request.browser) {
            return Err(refused("The sign-in was started in another browser."));
        }
        if params.get("iss").is_some_and(|iss| iss != self.provider.provider.name()) {
            return Err(refused("The response comes from another identity provider."));
        }
        if params.get("error").is_some() {
            return Err(refused("The identity provider did not sign you in."));
        }
        params.get("code").ok_or_else(|| refused("The response is incomplete."))
    }

    /// Returns whether a sign-in still waits for the user.
    async fn is_waiting(&self, sign_in: &str) -> Result<bool, AuthError> {
        Ok(self.pending.find(sign_in).await?.is_some() || self.return_pages.find(sign_in).await?.is_some())
    }

    /// Exchanges the provider's code for an ID token, and returns its checked claims (OpenID Connect Core, section
    /// 3.1.3).
    async fn redeem(&self, code: &str, request: &ProviderRequest) -> Result<Value, ProviderSignInError> {
        let id_token = self.fetch_id_token(code, &request.verifier).await;
        let expected = IdTokenRules {
            provider: &self.provider.provider,
            client_id: &self.provider.client_id,
            nonce: Some(&request.nonce),
            now: self.records.now(),
            skew: self.skew,
        };
        let claims = match id_token {
            Ok(id_token) => expected.verify(id_token.expose()).await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        claims.map_err(|why| {
            tracing::warn!(why, provider = self.provider.provider.name(), "a user could not be signed in");
            refused("The identity provider does not answer as it should. Try again.")
        })
    }

    /// Returns the ID token for a code; the error is the reason for the log.
    async fn fetch_id_token(&self, code: &str, verifier: &str) -> Result<Secret, String> {
        #[derive(Deserialize)]
        struct TokenResponse {
            id_token: Secret,
        }
        let fetch = self.token_request(code, verifier).await?;
        let reply = self.provider.http.send(fetch).await.map_err(|error| error.to_string())?;
        if !reply.status.is_success() {
            return Err(format!("its token endpoint answers {}", reply.status));
        }
        let response: TokenResponse =
            serde_json::from_slice(&reply.body).map_err(|_| "it gives no ID token".to_owned())?;
        Ok(response.id_token)
    }

    async fn token_request(&self, code: &str, verifier: &str) -> Result<FetchRequest, String> {
        let OpenIdProvider { provider, client_id, client_secret, .. } = &*self.provider;
        let metadata = provider.metadata().await.map_err(|error| error.to_string())?;
        let endpoint = metadata.token_endpoint.clone().ok_or("it names no token endpoint")?;
        let callback = self.urls.url("callback");
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &callback),
            ("code_verifier", verifier),
        ];
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        // This is the default method if the metadata names none (RFC 8414, section 2).
        let has_basic =
            methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
        match client_secret {
            Some(secret) if has_basic => {
                let credentials = basic_credentials(client_id, secret);
                let fetch = FetchRequest::form(endpoint, form).authorization("Basic", &credentials);
                return fetch.map_err(|error| error.to_string());
            }
            Some(secret) => form.extend([("client_id", &**client_id), ("client_secret", secret.expose())]),
            None => form.push(("client_id", client_id)),
        }
        Ok(FetchRequest::form(endpoint, form))
    }
}

/// Returns the credentials of HTTP Basic authentication (RFC 6749, section 2.3.1).
fn basic_credentials(id: &str, secret: &Secret) -> Secret {
    let form = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    Secret::new(STANDARD.encode(format!("{}:{}", form(id), form(secret.expose()))))
}
