//! The token endpoint: exchanges codes, refresh tokens and assertions for access tokens (RFC 6749, section 3.2).

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use loggia::transport::http::Body;
use url::Url;

use super::access_tokens::AccessTokens;
use super::assertions::AssertionGrant;
use super::client_authentication::{ClientAuthenticator, is_equal};
use super::clients::{JWT_BEARER, OAuthClient};
use super::codes::{AuthorizationCodes, RedeemedCode};
use super::http::{OAuthError, RequestParams, json};
use super::pending_authorizations::PendingAuthorization;
use super::records::RecordStore;
use super::refresh_tokens::{GrantedAccess, RefreshTokens, family_name, new_seed};
use super::resources::ProtectedResources;
use crate::jose::sha256;
use crate::resource::{ProofError, ProofVerifier};

/// Lengths of a PKCE code verifier (RFC 7636, section 4.1).
const VERIFIER_LENGTHS: std::ops::RangeInclusive<usize> = 43..=128;

/// Answers token requests.
pub(super) struct TokenEndpoint {
    pub(super) authenticator: Arc<ClientAuthenticator>,
    pub(super) proofs: TokenProofs,
    pub(super) resources: Arc<ProtectedResources>,
    pub(super) codes: AuthorizationCodes,
    pub(super) refresh_tokens: RefreshTokens,
    pub(super) assertions: AssertionGrant,
    pub(super) access_tokens: Arc<AccessTokens>,
}

fn error(code: &'static str, why: &str) -> OAuthError {
    OAuthError::new(code, why)
}

impl TokenEndpoint {
    /// Answers `POST token`.
    pub(super) async fn handle(&self, headers: &HeaderMap, params: &RequestParams) -> Response<Body> {
        let mut response = match self.exchange(headers, params).await {
            Ok(document) => json(StatusCode::OK, &document),
            Err(error) => error.response(),
        };
        self.proofs.set_next_nonce(headers, &mut response);
        response
    }

    async fn exchange(
        &self,
        headers: &HeaderMap,
        params: &RequestParams,
    ) -> Result<serde_json::Value, OAuthError> {
        let client = self.authenticator.authenticate(headers, params).await?;
        let grant_type = params.need("grant_type")?;
        if !matches!(grant_type, "authorization_code" | "refresh_token" | JWT_BEARER) {
            return Err(error("unsupported_grant_type", "This grant_type is not supported"));
        }
        let key = self.proofs.key(headers, &client).await?;
        match grant_type {
            "authorization_code" => self.redeem_code(&client, params, key).await,
            "refresh_token" => self.refresh(&client, params, key).await,
            _ => {
                let access = self.assertions.exchange(&client, params).await?;
                // There is no refresh token, because the identity provider decides again each time.
                self.response(&family_name(&new_seed()), &access, &access.scopes, key, None).await
            }
        }
    }

    /// Redeems an authorization code (RFC 6749, section 4.1.3, with PKCE: RFC 7636, section 4.6).
    async fn redeem_code(
        &self,
        client: &OAuthClient,
        params: &RequestParams,
        key: Option<String>,
    ) -> Result<serde_json::Value, OAuthError> {
        let code = params.need("code")?;
        let verifier = params.need("code_verifier")?;
        let RedeemedCode { request, subject, seed } = self.codes.redeem(code, &client.id).await?;
        check_code_request(params, verifier, &request, key.as_deref())?;
        self.resources.check_target(params, &request.resource)?;
        let wants_refresh =
            client.may_use("refresh_token") || request.scopes.iter().any(|scope| scope == "offline_access");
        let access = GrantedAccess {
            subject,
            client: client.id.clone(),
            scopes: request.scopes,
            resource: request.resource,
            refresh_key: key.clone().filter(|_| client.is_public()),
        };
        let mut refresh_token = None;
        if wants_refresh {
            let started = self.refresh_tokens.start(&seed, access.clone()).await?;
            refresh_token = Some(started.ok_or_else(|| error("invalid_grant", "The code was used before"))?);
        }
        self.response(&family_name(&seed), &access, &access.scopes, key, refresh_token).await
    }

    /// Uses a refresh token (RFC 6749, section 6).
    async fn refresh(
        &self,
        client: &OAuthClient,
        params: &RequestParams,
        key: Option<String>,
    ) -> Result<serde_json::Value, OAuthError> {
        let token = params.need("refresh_token")?;
        let (family, access) = self.refresh_tokens.find(token).await?;
        if access.client != client.id {
            return Err(error("invalid_grant", "The refresh token is another client's"));
        }
        if access.refresh_key.is_some() && access.refresh_key != key {
            let why = "The refresh token is bound to another key: send a proof with that";
            return Err(error("invalid_grant", why));
        }
        self.resources.check_target(params, &access.resource)?;
        let scopes = narrowed_scopes(params.get("scope"), &access.scopes)?;
        let next = self.refresh_tokens.rotate(token).await?;
        self.response(&family, &access, &scopes, key, Some(next)).await
    }

    /// Returns the token response (RFC 6749, section 5.1).
    async fn response(
        &self,
        family: &str,
        access: &GrantedAccess,
        scopes: &[String],
        key: Option<String>,
        refresh_token: Option<String>,
    ) -> Result<serde_json::Value, OAuthError> {
        let token = self.access_tokens.issue(family, access, scopes, key.as_deref()).await?;
        let mut document = serde_json::json!({
            "access_token": token,
            "token_type": if key.is_some() { "DPoP" } else { "Bearer" },
            "expires_in": self.access_tokens.lifetime().as_secs(),
            "scope": scopes.join(" "),
        });
        if let Some(refresh_token) = refresh_token {
            document["refresh_token"] = refresh_token.into();
        }
        Ok(document)
    }
}

/// Checks that a token request belongs to the authorization request of its code.
fn check_code_request(
    params: &RequestParams,
    verifier: &str,
    request: &PendingAuthorization,
    key: Option<&str>,
) -> Result<(), OAuthError> {
    if params.need("redirect_uri")? != request.redirect_uri {
        return Err(error("invalid_grant", "The redirect_uri is not the one of the authorization request"));
    }
    if !VERIFIER_LENGTHS.contains(&verifier.len()) || !is_equal(&sha256(verifier), &request.code_challenge) {
        return Err(error("invalid_grant", "The code_verifier is wrong"));
    }
    if request.dpop_jkt.is_some() && request.dpop_jkt.as_deref() != key {
        let why = "The proof is not of the key of the authorization request (dpop_jkt)";
        return Err(error("invalid_dpop_proof", why));
    }
    Ok(())
}

/// Returns the scopes of a refresh: the requested ones, which may not exceed the granted ones.
fn narrowed_scopes(requested: Option<&str>, granted: &[String]) -> Result<Vec<String>, OAuthError> {
    let Some(requested) = requested else { return Ok(granted.to_vec()) };
    let requested: Vec<String> =
        requested.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    match requested.iter().all(|scope| granted.contains(scope)) {
        true => Ok(requested),
        false => Err(error("invalid_scope", "The user allowed less than that")),
    }
}

/// The DPoP proofs of token requests (RFC 9449, section 5).
pub(super) struct TokenProofs {
    verifier: ProofVerifier,
    records: RecordStore,
    token_url: Url,
}

impl TokenProofs {
    pub(super) fn new(verifier: ProofVerifier, records: RecordStore, token_url: Url) -> TokenProofs {
        TokenProofs { verifier, records, token_url }
    }

    /// Returns the thumbprint of the key of a request's proof; `None` for a request without a proof.
    async fn key(&self, headers: &HeaderMap, client: &OAuthClient) -> Result<Option<String>, OAuthError> {
        let now = self.records.now();
        match self.verifier.check(headers, &Method::POST, &[&self.token_url], None, now) {
            Ok(proof) if self.records.record_proof(&proof).await? => Ok(Some(proof.key)),
            Ok(_) => Err(error("invalid_dpop_proof", "The proof was used before (jti)")),
            Err(ProofError::Missing) if !client.requires_dpop => Ok(None),
            Err(ProofError::Missing) => {
                Err(error("invalid_dpop_proof", "This client registered to send a proof with each request"))
            }
            Err(ProofError::Invalid(why)) => Err(OAuthError::new("invalid_dpop_proof", why)),
            Err(ProofError::Nonce(nonce)) => Err(OAuthError {
                nonce: Some(nonce),
                ..error("use_dpop_nonce", "The proof must hold the nonce in the DPoP-Nonce header")
            }),
        }
    }

    /// Sets the nonce for the next proof of a client that sends proofs.
    fn set_next_nonce(&self, headers: &HeaderMap, response: &mut Response<Body>) {
        if !ProofVerifier::is_present(headers) {
            return;
        }
        let nonce = self.verifier.nonce(self.records.now());
        if let Some(nonce) = nonce.and_then(|nonce| HeaderValue::from_str(&nonce).ok()) {
            response.headers_mut().insert(HeaderName::from_static("dpop-nonce"), nonce);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::server::pending_authorizations::tests::{VERIFIER, authorization};
    use crate::server::testing::{TestClock, stores};

    #[tokio::test]
    async fn a_code_and_each_refresh_token_give_the_next_tokens() {
        let token_url = "https://hub.example/oauth/token".parse().unwrap();
        let (endpoint, _) = stores(&TestClock::new()).token_endpoints(
            ProofVerifier::default(),
            token_url,
            Vec::new(),
            Duration::from_secs(60),
        );
        let exchange = async |form: &str| {
            let params = RequestParams::parse(form.as_bytes()).unwrap();
            endpoint.exchange(&HeaderMap::new(), &params).await
        };
        let code = endpoint.codes.issue(authorization("cli"), "ada").await.unwrap();
        let redeem = format!(
            "grant_type=authorization_code&client_id=cli&code={code}&redirect_uri=https://app.example/cb\
             &code_verifier={VERIFIER}"
        );
        let refresh = |tokens: &serde_json::Value| {
            let token = tokens["refresh_token"].as_str().unwrap();
            format!("grant_type=refresh_token&client_id=cli&refresh_token={token}")
        };
        let first = exchange(&redeem).await.unwrap();
        assert_eq!(
            (&first["token_type"], &first["scope"], &first["expires_in"]),
            (&"Bearer".into(), &"mcp".into(), &60.into())
        );
        let second = exchange(&refresh(&first)).await.unwrap();
        for (form, expected) in [
            ("client_id=cli", "invalid_request"),
            ("client_id=cli&grant_type=password", "unsupported_grant_type"),
            ("client_id=unknown&grant_type=refresh_token", "invalid_client"),
            (&refresh(&second).replace("=cli", "=web"), "invalid_grant"),
            // A second use of the code revokes the tokens.
            (&redeem, "invalid_grant"),
            (&refresh(&second), "invalid_grant"),
        ] {
            assert_eq!(exchange(form).await.map_err(|error| error.code), Err(expected), "{form}");
        }
    }

    #[test]
    fn a_token_request_belongs_to_its_authorization_request() {
        let uri = "redirect_uri=https://app.example/cb";
        let table = [
            (uri, VERIFIER, None, None, Ok(())),
            (uri, VERIFIER, Some("key"), Some("key"), Ok(())),
            (uri, VERIFIER, None, Some("key"), Ok(())),
            (uri, VERIFIER, Some("key"), Some("other"), Err("invalid_dpop_proof")),
            (uri, VERIFIER, Some("key"), None, Err("invalid_dpop_proof")),
            (uri, "short", None, None, Err("invalid_grant")),
            (uri, &"a".repeat(43), None, None, Err("invalid_grant")),
            ("redirect_uri=https://app.example/other", VERIFIER, None, None, Err("invalid_grant")),
            ("", VERIFIER, None, None, Err("invalid_request")),
        ];
        for (form, verifier, dpop_jkt, key, expected) in table {
            let params = RequestParams::parse(form.as_bytes()).unwrap();
            let request =
                PendingAuthorization { dpop_jkt: dpop_jkt.map(str::to_owned), ..authorization("cli") };
            let checked = check_code_request(&params, verifier, &request, key);
            assert_eq!(
                checked.map_err(|error| error.code),
                expected,
                "{form} {verifier} {dpop_jkt:?} {key:?}"
            );
        }
    }

    #[test]
    fn a_refresh_does_not_widen_the_scopes() {
        let granted = ["a", "b"].map(str::to_owned);
        let table = [
            (None, Ok("a b")),
            (Some(" b "), Ok("b")),
            (Some("a c"), Err("invalid_scope")),
            (Some("c"), Err("invalid_scope")),
        ];
        for (requested, expected) in table {
            let scopes = narrowed_scopes(requested, &granted);
            let scopes = scopes.map(|scopes| scopes.join(" ")).map_err(|error| error.code);
            assert_eq!(scopes, expected.map(str::to_owned), "{requested:?}");
        }
    }
}
