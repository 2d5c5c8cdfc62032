//! The authorization code grant with PKCE (OAuth 2.1, section 4.1), from the page that is shown to the tokens.
//!
//! The response may reach another process than the one that sent the request, so the request is kept in the store:
//! one record with issuer, verifier, redirect URI and resource, found by the `state`. Invariant: a record is valid
//! for one response, and for ten minutes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{self, Clock};
use crate::discovery::DiscoveryResult;
use crate::dpop::DpopSigner;
use crate::error::AuthError;
use crate::jose;
use crate::registration::{ClientRecord, KnownClient};
use crate::restricted_http::RestrictedHttpClient;
use crate::scope::Scopes;
use crate::secret::Secret;
use crate::store::TokenStore;
use crate::store::lease::MAX_WAIT;
use crate::store::record::{self, VersionedRecord};
use crate::token_endpoint::{EndpointClient, FormParams, TokenResponse};
use crate::user_agent::{AuthorizationRequest, AuthorizationResponse};

/// The time for a user to sign in. Other processes wait as long for the lease of the credential.
const SIGN_IN_TIME: Duration = MAX_WAIT;

/// The stored part of an authorization request, with which the response is compared.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PendingAuthorization {
    /// The store key of the credential that the sign-in will save.
    pub(crate) key: String,
    pub(crate) issuer: String,
    #[serde(default, rename = "of_march")]
    pub(crate) is_2025_03_26: bool,
    /// True if the server promised an `iss` parameter in the response (RFC 9207).
    #[serde(rename = "names_itself")]
    pub(crate) has_iss_parameter: bool,
    pub(crate) client: ClientRecord,
    pub(crate) redirect_uri: String,
    pub(crate) resource: String,
    pub(crate) requested: Scopes,
    #[serde(serialize_with = "Secret::reveal")]
    pub(crate) verifier: Secret,
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub(crate) dpop_key: Option<Secret>,
    /// The nonce of the ID token.
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<Secret>,
    pub(crate) until: u64,
}

/// The parts of an authorization request.
pub(crate) struct AuthorizationRequestParts<'a> {
    pub(crate) key: &'a str,
    pub(crate) http: &'a RestrictedHttpClient,
    pub(crate) store: &'a dyn TokenStore,
    pub(crate) clock: &'a Clock,
    pub(crate) discovered: &'a DiscoveryResult,
    pub(crate) client: &'a KnownClient,
    pub(crate) redirect_uri: &'a str,
    /// The `resource` parameter. Empty for a sign-in at an identity provider, which has no resource.
    pub(crate) resource: String,
    pub(crate) scopes: Scopes,
    pub(crate) signer: Option<&'a DpopSigner>,
    /// The nonce of the ID token, if one is wanted.
    pub(crate) nonce: Option<Secret>,
    /// Parameters that this authorization server has beside those of the protocol.
    pub(crate) authorize_params: &'a [(String, String)],
}

impl AuthorizationRequestParts<'_> {
    /// Saves the record for the response and returns the page to show.
    pub(crate) async fn start(self) -> Result<AuthorizationRequest, AuthError> {
        let server = &self.discovered.server;
        let endpoint = server.sign_in_endpoint()?;
        let (state, verifier) = (Secret::new(jose::random(32)), Secret::new(jose::random(32)));
        let challenge = jose::sha256(verifier.expose());
        let until = (self.clock)() + SIGN_IN_TIME;
        let pending = PendingAuthorization {
            key: self.key.to_owned(),
            issuer: server.issuer.clone(),
            is_2025_03_26: server.is_2025_03_26,
            has_iss_parameter: server.features.authorization_response_iss_parameter_supported,
            client: self.client.into(),
            redirect_uri: self.redirect_uri.to_owned(),
            resource: self.resource.clone(),
            requested: self.scopes.clone(),
            verifier,
            dpop_key: self.signer.map(DpopSigner::to_secret),
            nonce: self.nonce.clone(),
            until: clock::seconds(until),
        };
        let saved =
            self.store.save(&pending_key(&state), record::encode(&pending)?, None, Some(until)).await?;
        saved.ok_or_else(|| AuthError::Store("a random name already exists".to_owned()))?;

        let scope = self.scopes.to_string();
        let thumbprint = self.signer.map(DpopSigner::thumbprint);
        let mut form: FormParams<'_> = vec![
            ("response_type", "code"),
            ("redirect_uri", self.redirect_uri),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", state.expose()),
        ];
        form.extend(resource_parameter(server.is_2025_03_26, &self.resource));
        form.extend((!scope.is_empty()).then_some(("scope", scope.as_str())));
        // OpenID Connect issues no refresh token for this scope unless the user consents (Core, section 11).
        let has_prompt = self.authorize_params.iter().any(|(name, _)| name == "prompt");
        let is_offline = self.scopes.contains("offline_access");
        form.extend((is_offline && !has_prompt).then_some(("prompt", "consent")));
        form.extend(self.authorize_params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        form.extend(thumbprint.as_deref().map(|thumbprint| ("dpop_jkt", thumbprint)));
        form.extend(self.nonce.as_ref().map(|nonce| ("nonce", nonce.expose())));
        let pushed = self.pushed(&form).await?;
        let mut page = endpoint.clone();
        let mut query = page.query_pairs_mut();
        query.append_pair("client_id", &self.client.client_id);
        match &pushed {
            Some(request) => query.append_pair("request_uri", request),
            None => query.extend_pairs(form),
        };
        drop(query);
        Ok(AuthorizationRequest { page, state })
    }

    /// Pushes the request to the server if the server requires it (RFC 9126). Returns the `request_uri`.
    async fn pushed(&self, form: &FormParams<'_>) -> Result<Option<String>, AuthError> {
        #[derive(Deserialize)]
        struct PushedResponse {
            request_uri: String,
        }
        let server = &self.discovered.server;
        if !server.features.require_pushed_authorization_requests {
            return Ok(None);
        }
        let url = server.pushed_request_endpoint.as_ref().ok_or_else(|| {
            AuthError::Discovery(format!(
                "{} demands pushed authorization requests, but has no endpoint for them",
                server.issuer
            ))
        })?;
        let endpoint = EndpointClient {
            http: self.http,
            url,
            issuer: &server.issuer,
            client: self.client,
            signer: self.signer,
            clock: self.clock,
        };
        let reply = endpoint.request(form.clone()).await?;
        let pushed: PushedResponse = serde_json::from_slice(&reply.body).map_err(|error| {
            AuthError::Discovery(format!("{url} answers without a request_uri ({error})"))
        })?;
        Ok(Some(pushed.request_uri))
    }
}

/// Returns the `resource` parameter (RFC 8707), which 2025-03-26 does not have.
pub(crate) fn resource_parameter(is_2025_03_26: bool, resource: &str) -> Option<(&'static str, &str)> {
    (!is_2025_03_26 && !resource.is_empty()).then_some(("resource", resource))
}

fn pending_key(state: &Secret) -> String {
    format!("sign-in/{}", jose::sha256(state.expose()))
}

/// Removes the record of a response from the store and returns it.
pub(crate) async fn take_pending(
    store: &dyn TokenStore,
    clock: &Clock,
    response: &AuthorizationResponse,
) -> Result<PendingAuthorization, AuthError> {
    let unknown = || {
        AuthError::AuthorizationResponse(
            "this answer belongs to no pending sign-in here: it was used already, came too late, or belongs to \
             another user. Begin again"
                .to_owned(),
        )
    };
    let key = pending_key(response.state.as_ref().ok_or_else(unknown)?);
    let Some(VersionedRecord { record, revision }) =
        record::load::<PendingAuthorization>(store, &key).await?
    else {
        return Err(unknown());
    };
    if !store.remove(&key, revision).await? || record.until <= clock::seconds(clock()) {
        return Err(unknown());
    }
    Ok(record)
}

impl PendingAuthorization {
    /// Returns the code of a response, after the checks of "Authorization Response Validation".
    pub(crate) fn code<'a>(&self, response: &'a AuthorizationResponse) -> Result<&'a Secret, AuthError> {
        match &response.issuer {
            Some(issuer) if *issuer != self.issuer => {
                return Err(AuthError::AuthorizationResponse(format!(
                    "the answer comes from another authorization server than {}, which was asked: it is not accepted",
                    self.issuer
                )));
            }
            None if self.has_iss_parameter => {
                return Err(AuthError::AuthorizationResponse(format!(
                    "the answer does not say that it comes from {}, although that server always says so: it is not \
                     accepted",
                    self.issuer
                )));
            }
            _ => {}
        }
        if let Some(error) = &response.error {
            let said = response.description.as_deref().unwrap_or(error);
            return Err(match error.as_str() {
                "access_denied" => AuthError::Declined(format!("the sign-in was declined: {said}")),
                _ => AuthError::Refused { error: error.clone(), description: response.description.clone() },
            });
        }
        response.code.as_ref().ok_or_else(|| {
            AuthError::AuthorizationResponse("the answer has neither a code nor an error".to_owned())
        })
    }

    /// Exchanges the code for tokens (RFC 6749, section 4.1.3).
    pub(crate) async fn redeem(
        &self,
        endpoint: &EndpointClient<'_>,
        code: &Secret,
    ) -> Result<TokenResponse, AuthError> {
        let mut form: FormParams<'_> = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", self.verifier.expose()),
        ];
        form.extend(resource_parameter(self.is_2025_03_26, &self.resource));
        endpoint.tokens(form).await
    }
}
