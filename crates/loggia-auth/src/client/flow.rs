//! One sign-in by authorization code (OAuth 2.1, section 4.1), from the page that is shown to the tokens.
//!
//! All that the answer is judged by lies in one record: issuer, verifier, redirect URI, resource. It is found
//! by the `state` of the answer, is good for one answer and a few minutes, and is kept in the store, so that
//! the answer may be heard by another process than the one that asked.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::credential::{self, Credential, KeptClient, Versioned};
use super::person::Answer;
use super::token::{Endpoint, Form, KnownClient, Tokens};
use super::{AuthError, TokenStore};
use crate::clock::{self, Clock};
use crate::discovery::Discovered;
use crate::dpop::DpopSigner;
use crate::guard::RestrictedHttpClient;
use crate::jose;
use crate::scope::Scopes;
use crate::secret::Secret;

/// How long a person may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// What an answer is judged by.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The record that the credential will be.
    pub(crate) key: String,
    pub(crate) issuer: String,
    #[serde(default)]
    pub(crate) of_march: bool,
    /// Whether the server promised to name itself in the answer.
    pub(crate) names_itself: bool,
    pub(crate) client: KeptClient,
    pub(crate) redirect_uri: String,
    pub(crate) resource: String,
    pub(crate) requested: Scopes,
    #[serde(serialize_with = "Secret::reveal")]
    pub(crate) verifier: Secret,
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub(crate) dpop_key: Option<Secret>,
    /// What an ID token has to hold.
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<Secret>,
    pub(crate) until: u64,
}

/// An authorization request (RFC 6749, section 4.1.1) whose response is awaited.
#[derive(Clone)]
pub struct AuthorizationRequest {
    /// The page to show.
    pub page: Url,
    /// What the answer will have as its `state`. Whoever hears answers for several people makes sure that
    /// this one comes from the browser that was shown the page.
    pub state: Secret,
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest of the URL holds the state.
        f.debug_struct("AuthorizationRequest")
            .field("page", &&self.page[..url::Position::AfterPath])
            .finish_non_exhaustive()
    }
}

/// Everything a sign-in is begun with.
pub(crate) struct Beginning<'a> {
    pub(crate) key: &'a str,
    pub(crate) guard: &'a RestrictedHttpClient,
    pub(crate) store: &'a dyn TokenStore,
    pub(crate) clock: &'a Clock,
    pub(crate) discovered: &'a Discovered,
    pub(crate) client: &'a KnownClient,
    pub(crate) redirect_uri: &'a str,
    /// What the token is for. Nothing: the person signs in at an identity provider, and at no server.
    pub(crate) resource: String,
    pub(crate) scopes: Scopes,
    pub(crate) prover: Option<&'a DpopSigner>,
    /// What an ID token has to hold, where one is wanted.
    pub(crate) nonce: Option<Secret>,
}

impl Beginning<'_> {
    /// Writes the record down and makes the URL of the page.
    pub(crate) async fn begin(self) -> Result<AuthorizationRequest, AuthError> {
        let server = &self.discovered.server;
        let endpoint = server.sign_in_endpoint()?;
        let (state, verifier) = (Secret::new(jose::random(32)), Secret::new(jose::random(32)));
        let challenge = jose::sha256(verifier.expose());
        let until = (self.clock)() + PATIENCE;
        let pending = Pending {
            key: self.key.to_owned(),
            issuer: server.issuer.clone(),
            of_march: server.of_march,
            names_itself: server.features.authorization_response_iss_parameter_supported,
            client: self.client.into(),
            redirect_uri: self.redirect_uri.to_owned(),
            resource: self.resource.clone(),
            requested: self.scopes.clone(),
            verifier,
            dpop_key: self.prover.map(DpopSigner::keep),
            nonce: self.nonce.clone(),
            until: clock::seconds(until),
        };
        let saved =
            self.store.save(&pending_key(&state), credential::written(&pending)?, None, Some(until)).await?;
        saved.ok_or_else(|| AuthError::Store("a random name is taken".to_owned()))?;

        let scope = self.scopes.to_string();
        let thumbprint = self.prover.map(DpopSigner::thumbprint);
        let mut form: Form<'_> = vec![
            ("response_type", "code"),
            ("redirect_uri", self.redirect_uri),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", state.expose()),
        ];
        form.extend(resource(server.of_march, &self.resource));
        form.extend((!scope.is_empty()).then_some(("scope", scope.as_str())));
        // OpenID Connect gives no refresh token for this scope unless the person is asked (Core, section 11).
        form.extend(self.scopes.contains("offline_access").then_some(("prompt", "consent")));
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

    /// Pushes the request to the server, where it wants that (RFC 9126).
    async fn pushed(&self, form: &Form<'_>) -> Result<Option<String>, AuthError> {
        #[derive(Deserialize)]
        struct Pushed {
            request_uri: String,
        }
        let server = &self.discovered.server;
        if !server.features.require_pushed_authorization_requests {
            return Ok(None);
        }
        let url = server.pushed_request_endpoint.as_ref().ok_or_else(|| {
            AuthError::Discovery(format!(
                "{} wants pushed requests, but has no endpoint for them",
                server.issuer
            ))
        })?;
        let endpoint = Endpoint {
            guard: self.guard,
            url,
            issuer: &server.issuer,
            client: self.client,
            prover: self.prover,
            clock: self.clock,
        };
        let reply = endpoint.request(form.clone()).await?;
        let pushed: Pushed = serde_json::from_slice(&reply.body).map_err(|error| {
            AuthError::Discovery(format!("{url} answers without a request_uri ({error})"))
        })?;
        Ok(Some(pushed.request_uri))
    }
}

/// The parameter that says what the token is for. 2025-03-26 does not know it.
pub(crate) fn resource(of_march: bool, resource: &str) -> Option<(&'static str, &str)> {
    (!of_march && !resource.is_empty()).then_some(("resource", resource))
}

fn pending_key(state: &Secret) -> String {
    format!("sign-in/{}", jose::sha256(state.expose()))
}

/// The record that an answer belongs to. It is there once.
pub(crate) async fn take(
    store: &dyn TokenStore,
    clock: &Clock,
    answer: &Answer,
) -> Result<Pending, AuthError> {
    let unknown = || {
        AuthError::Answer(
            "this answer belongs to no sign-in that is under way here: it was used already, came too late, or was \
             made by somebody else. Begin again"
                .to_owned(),
        )
    };
    let key = pending_key(answer.state.as_ref().ok_or_else(unknown)?);
    let Some(Versioned { record, revision }) = credential::load::<Pending>(store, &key).await? else {
        return Err(unknown());
    };
    if !store.remove(&key, revision).await? || record.until <= clock::seconds(clock()) {
        return Err(unknown());
    }
    Ok(record)
}

impl Pending {
    /// The code of an answer that can be believed (the table of "Authorization Response Validation").
    pub(crate) fn code<'a>(&self, answer: &'a Answer) -> Result<&'a Secret, AuthError> {
        match &answer.issuer {
            Some(issuer) if *issuer != self.issuer => {
                return Err(AuthError::Answer(format!(
                    "the answer comes from another authorization server than {}, which was asked: it is not believed",
                    self.issuer
                )));
            }
            None if self.names_itself => {
                return Err(AuthError::Answer(format!(
                    "the answer does not say that it comes from {}, although that server always says so: it is not \
                     believed",
                    self.issuer
                )));
            }
            _ => {}
        }
        if let Some(error) = &answer.error {
            let said = answer.description.as_deref().unwrap_or(error);
            return Err(match error.as_str() {
                "access_denied" => AuthError::Declined(format!("the sign-in was declined: {said}")),
                _ => AuthError::Refused { error: error.clone(), description: answer.description.clone() },
            });
        }
        answer
            .code
            .as_ref()
            .ok_or_else(|| AuthError::Answer("the answer has neither a code nor an error".to_owned()))
    }

    /// Exchanges the code for tokens.
    pub(crate) async fn redeem(&self, endpoint: &Endpoint<'_>, code: &Secret) -> Result<Tokens, AuthError> {
        let mut form: Form<'_> = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", self.verifier.expose()),
        ];
        form.extend(resource(self.of_march, &self.resource));
        endpoint.tokens(form).await
    }
}

/// What a credential is made with, beside the tokens.
pub(crate) struct Given<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) of_march: bool,
    pub(crate) resource: &'a str,
    pub(crate) client: &'a KnownClient,
    pub(crate) requested: &'a Scopes,
    pub(crate) dpop_key: Option<Secret>,
    pub(crate) session: String,
}

impl Given<'_> {
    pub(crate) fn credential(
        self,
        tokens: Tokens,
        now: std::time::SystemTime,
    ) -> Result<Credential, AuthError> {
        let now = clock::seconds(now);
        let dpop = tokens.is_bound()?;
        Ok(Credential {
            issuer: self.issuer.to_owned(),
            of_march: self.of_march,
            resource: self.resource.to_owned(),
            client: self.client.into(),
            session: self.session,
            dpop,
            dpop_key: self.dpop_key,
            access_token: tokens.access_token,
            obtained_at: now,
            expires_at: tokens.expires_in.map(|life| now.saturating_add(life)),
            refresh_token: tokens.refresh_token.filter(|token| !token.expose().is_empty()),
            // What is not said is as it was asked for (RFC 6749, section 5.1).
            granted: tokens.scope.unwrap_or_else(|| self.requested.clone()),
            requested: self.requested.clone(),
        })
    }
}
