//! The flow of the grant types that need no user at a browser: one request to the token endpoint.
//!
//! Invariant: the client of a grant is sent only to the issuer that it is registered with.

use std::sync::Arc;

use super::active::{ActiveCredential, CredentialSource};
use super::cache::CredentialCache;
use super::credential::CredentialParts;
use super::plan::TokenRequestPlan;
use super::settings::ClientSettings;
use crate::dpop::DpopSigner;
use crate::error::AuthError;
use crate::extensions::GrantContext;
use crate::jose;

/// The non-interactive grant of one credential.
pub(super) struct GrantFlow {
    pub(super) settings: Arc<ClientSettings>,
    pub(super) cache: Arc<CredentialCache>,
}

impl GrantFlow {
    /// Requests a token and saves it instead of the revision `expected`. Returns `None` if the grant type needs a
    /// user. The caller holds the lease.
    pub(super) async fn request(
        &self,
        plan: TokenRequestPlan,
        expected: Option<u64>,
    ) -> Result<Option<Arc<ActiveCredential>>, AuthError> {
        let settings = &self.settings;
        let TokenRequestPlan { discovery, scopes, signer } = plan;
        let server = &discovery.server;
        let resource = settings.resource_of(&discovery);
        let context = GrantContext {
            http: &settings.http,
            clock: &settings.clock,
            discovered: &discovery,
            resource: &resource,
            scopes: &scopes,
        };
        let Some(request) = settings.grant.prepare(&context, &settings.registrar()).await? else {
            return Ok(None);
        };
        let endpoint = settings.endpoint(&server.token_endpoint, server, &request.client, signer.as_ref());
        let tokens = endpoint.tokens(request.form(server, &resource)).await?;
        settings.dpop.check_token_type(&tokens.token_type)?;
        let parts = CredentialParts {
            issuer: &server.issuer,
            is_2025_03_26: server.is_2025_03_26,
            resource: &resource,
            is_resource_configured: settings.resource.is_some(),
            client: &request.client,
            requested: &scopes,
            dpop_key: signer.as_ref().map(DpopSigner::to_secret),
            session: jose::random(12),
        };
        let credential = parts.into_credential(tokens, settings.now())?;
        self.cache.save(credential, CredentialSource::NewGrant, expected).await.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::testing::{ClientParts, authorization_server};
    use crate::extensions::{ClientCredentialsGrant, GrantType};
    use crate::registration::RegisteredClient;
    use crate::secret::Secret;

    #[tokio::test]
    async fn a_grant_saves_the_token_or_needs_a_user() {
        let server = authorization_server(200, r#"{"access_token":"t"}"#).await;
        let client = RegisteredClient::with_secret("c", Secret::new("s"));
        let foreign = client.clone().at("https://other.example");
        let credentials = |client| GrantType::ClientCredentials(ClientCredentialsGrant { client });
        // The grant, and the token, or the reason why there is none.
        let table = [
            (credentials(client), Ok(Some("t"))),
            (credentials(foreign), Err("registered with https://other.example")),
            (GrantType::RefreshOnly, Ok(None)),
        ];
        for (grant, expected) in table {
            let parts = ClientParts::new(&server).with_grant(grant);
            let flow = GrantFlow { settings: parts.settings.clone(), cache: parts.cache.clone() };
            let outcome = flow.request(parts.plan().await, None).await;
            let token = outcome.map(|active| active.map(|active| active.token().expose().to_owned()));
            match (token, expected) {
                (Ok(token), Ok(expected)) => assert_eq!(token.as_deref(), expected),
                (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
                (token, expected) => panic!("{token:?} instead of {expected:?}"),
            }
            let stored = parts.cache.reload().await.unwrap();
            assert_eq!(stored.is_some(), expected == Ok(Some("t")));
        }
    }
}
