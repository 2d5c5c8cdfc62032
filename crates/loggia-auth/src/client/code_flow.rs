//! The authorization code flow: asks the user to sign in, and exchanges the code for a credential.
//!
//! The response may arrive in this process ([`sign_in`](CodeFlow::sign_in)) or in another one
//! ([`start`](CodeFlow::start), [`redeem`](CodeFlow::redeem)). Invariant: a response is accepted only for the
//! credential for which its request was made.

use std::sync::Arc;

use super::active::{ActiveCredential, CredentialSource};
use super::cache::CredentialCache;
use super::credential::CredentialParts;
use super::issuer_cache::IssuerCache;
use super::plan::TokenRequestPlan;
use super::settings::ClientSettings;
use crate::authorization_code::{self, AuthorizationRequestParts};
use crate::discovery::DiscoveryResult;
use crate::dpop::DpopSigner;
use crate::error::AuthError;
use crate::jose;
use crate::registration::KnownClient;
use crate::user_agent::{AuthorizationRequest, AuthorizationResponse, UserAgent};

/// The authorization code flow of one credential.
pub(super) struct CodeFlow {
    pub(super) settings: Arc<ClientSettings>,
    pub(super) cache: Arc<CredentialCache>,
    pub(super) issuers: Arc<IssuerCache>,
}

impl CodeFlow {
    /// Shows the page to the user and waits for the response. `expected` is the revision of the credential to
    /// replace. The caller holds the lease.
    pub(super) async fn sign_in(
        &self,
        user_agent: &dyn UserAgent,
        plan: TokenRequestPlan,
        expected: Option<u64>,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let registrar = self.settings.registrar();
        let issuer = &plan.discovery.server.issuer;
        let last_redirect_uri = registrar.registered_redirect_uri(issuer).await?;
        let redirect = user_agent.prepare(last_redirect_uri.as_deref()).await?;
        let (client, is_named) =
            match registrar.client(&plan.discovery.server, redirect.redirect_uri()).await? {
                Some(client) => (client, self.settings.identity.named.is_some()),
                None => (self.client_of_user(user_agent, &plan.discovery).await?, true),
            };
        let request = self.request(&plan, &client, redirect.redirect_uri()).await?;
        let delivered = match redirect.show(request).await {
            Err(AuthError::Declined(why)) => {
                // A server that has deleted the registration shows no page, so the next sign-in registers again.
                registrar.forget(issuer).await?;
                return Err(AuthError::Declined(why));
            }
            other => other?,
        };
        let outcome = self.redeem(&delivered.response, expected).await;
        if is_named && outcome.is_ok() {
            registrar.save_named(issuer, &client).await?;
        }
        delivered.report(&outcome);
        outcome
    }

    /// Starts a sign-in whose response arrives at `redirect_uri`.
    pub(super) async fn start(
        &self,
        redirect_uri: &str,
        plan: TokenRequestPlan,
    ) -> Result<AuthorizationRequest, AuthError> {
        let server = &plan.discovery.server;
        let client = self.settings.registrar().client(server, redirect_uri).await?;
        let client = client.ok_or_else(|| {
            AuthError::Registration(format!(
                "{} does not let a program register itself. Register a client with the redirect URI {redirect_uri} \
                 in the vendor's own settings and configure its client id here",
                server.issuer
            ))
        })?;
        self.request(&plan, &client, redirect_uri).await
    }

    /// Exchanges the code of a response for a credential, and saves it instead of the revision `expected`.
    pub(super) async fn redeem(
        &self,
        response: &AuthorizationResponse,
        expected: Option<u64>,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let settings = &self.settings;
        let pending = authorization_code::take_pending(&*settings.store, &settings.clock, response).await?;
        if pending.key != settings.key {
            return Err(AuthError::AuthorizationResponse(
                "this answer belongs to another sign-in".to_owned(),
            ));
        }
        let code = pending.code(response)?;
        let server = self.issuers.metadata(&pending.issuer, pending.is_2025_03_26).await?;
        let client = settings.registrar().client_of_record(&server, &pending.client);
        let signer = pending.dpop_key.as_ref().map(DpopSigner::restore).transpose()?;
        let endpoint = settings.endpoint(&server.token_endpoint, &server, &client, signer.as_ref());
        let tokens = match pending.redeem(&endpoint, code).await {
            Err(AuthError::Refused { error, description }) if error == "invalid_client" => {
                settings.registrar().forget(&server.issuer).await?;
                return Err(AuthError::Refused { error, description });
            }
            other => other?,
        };
        settings.dpop.check_token_type(&tokens.token_type)?;
        let parts = CredentialParts {
            issuer: &server.issuer,
            is_2025_03_26: server.is_2025_03_26,
            resource: &pending.resource,
            is_resource_configured: settings.resource.is_some(),
            client: &client,
            requested: &pending.requested,
            dpop_key: pending.dpop_key.clone(),
            session: jose::random(12),
        };
        let credential = parts.into_credential(tokens, settings.now())?;
        self.cache.save(credential, CredentialSource::NewGrant, expected).await
    }

    async fn request(
        &self,
        plan: &TokenRequestPlan,
        client: &KnownClient,
        redirect_uri: &str,
    ) -> Result<AuthorizationRequest, AuthError> {
        let settings = &self.settings;
        let parts = AuthorizationRequestParts {
            key: &settings.key,
            http: &settings.http,
            store: &*settings.store,
            clock: &settings.clock,
            discovered: &plan.discovery,
            client,
            redirect_uri,
            resource: settings.resource_of(&plan.discovery),
            scopes: plan.scopes.clone(),
            signer: plan.signer.as_ref(),
            nonce: None,
            authorize_params: settings.endpoints.as_ref().map_or(&[], |one| &one.authorize_params),
        };
        parts.start().await
    }

    /// Asks the user for a client, because the server offers no registration.
    async fn client_of_user(
        &self,
        user_agent: &dyn UserAgent,
        discovered: &DiscoveryResult,
    ) -> Result<KnownClient, AuthError> {
        let issuer = &discovered.server.issuer;
        match user_agent.client(issuer).await {
            Some(client) => {
                self.settings.registrar().check_issuer(&client, issuer).await?;
                Ok(client.to_client_of(&discovered.server))
            }
            None => Err(AuthError::Registration(format!(
                "{issuer} does not let a program register itself. Register a client in the vendor's own \
                 settings and configure its client id here, or use an API key if the vendor gives one"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::testing::{ClientParts, authorization_server};

    /// Starts a sign-in and returns the response of a server that lets the user in.
    async fn response(parts: &ClientParts) -> AuthorizationResponse {
        let plan = parts.plan().await;
        let request = parts.code_flow().start("http://127.0.0.1:1/callback", plan).await.unwrap();
        let text = format!("code=c&state={}", request.state.expose());
        AuthorizationResponse::parse(&text).unwrap()
    }

    #[tokio::test]
    async fn a_response_is_redeemed_once_and_for_its_credential_only() {
        let server = authorization_server(200, r#"{"access_token":"t","scope":"a"}"#).await;
        let parts = ClientParts::new(&server);
        let first = response(&parts).await;
        let active = parts.code_flow().redeem(&first, None).await.unwrap();
        assert_eq!((active.token().expose(), active.source), ("t", CredentialSource::NewGrant));
        assert_eq!(parts.cache.cached().map(|cached| cached.revision), Some(active.revision));

        let other = parts.with_key("credential/other");
        let unknown = AuthorizationResponse::parse("code=c&state=unknown").unwrap();
        let second = response(&parts).await;
        // The credential that gets the response, the response, and the reason why it is refused.
        let table = [
            (&parts, &first, "used already"),
            (&parts, &unknown, "belongs to no pending sign-in"),
            (&other, &second, "another sign-in"),
        ];
        for (parts, response, why) in table {
            let error = parts.code_flow().redeem(response, None).await.map(drop).unwrap_err();
            assert!(
                matches!(&error, AuthError::AuthorizationResponse(text) if text.contains(why)),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_bearer_token_is_refused_if_dpop_is_always_wanted() {
        let server = authorization_server(200, r#"{"access_token":"t","token_type":"Bearer"}"#).await;
        let parts = ClientParts::new(&server).with_dpop(crate::client::DpopUse::Always);
        let response = response(&parts).await;
        let error = parts.code_flow().redeem(&response, None).await.map(drop).unwrap_err();
        assert!(error.to_string().contains("bound to a key"), "{error}");
        assert!(parts.cache.reload().await.unwrap().is_none());
    }
}
