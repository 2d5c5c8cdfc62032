//! Non-interactive token sources: enterprise-managed authorization (ID-JAG) and client credentials. The source is
//! stored with the credential, so that every command and every gateway can get the next token with it. Invariant: the
//! serialised form is on users' disks and does not change.

use std::sync::Arc;

use loggia_auth::error::AuthError;
use loggia_auth::extensions::{
    ClientCredentialsGrant, EnterpriseGrant, GrantType, IdentityProvider, SingleSignOn, SubjectTokenType,
};
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::registration::RegisteredClient;
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::secret::Secret;
use loggia_auth::store::TokenStore;
use serde::{Deserialize, Serialize};

use crate::server_url::server_url;

/// A source of tokens that does not use the sign-in page of the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum TokenSource {
    /// Enterprise-managed authorization: the identity provider of an organisation decides.
    #[serde(rename = "organisation")]
    EnterpriseManaged {
        /// The identity provider.
        issuer: String,
        /// The client at the identity provider.
        #[serde(rename = "there")]
        provider_client: PreregisteredClient,
        /// The client at the server's own authorization server.
        #[serde(rename = "here")]
        server_client: PreregisteredClient,
    },
    /// OAuth `client_credentials`: no user.
    #[serde(rename = "program")]
    ClientCredentials(PreregisteredClient),
}

/// A preregistered OAuth client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PreregisteredClient {
    /// The client id.
    pub id: String,
    /// The client secret, if it has one.
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

impl PreregisteredClient {
    /// Returns the client as a sign-in uses it.
    pub fn client(&self) -> RegisteredClient {
        match &self.secret {
            Some(secret) => RegisteredClient::with_secret(&self.id, secret.clone()),
            None => RegisteredClient::public(&self.id),
        }
    }
}

impl TokenSource {
    /// Allows the addresses of the identity provider, because the user named it.
    pub(crate) fn widened(&self, policy: FetchPolicy) -> Result<FetchPolicy, AuthError> {
        Ok(match self {
            TokenSource::EnterpriseManaged { issuer, .. } => policy.trusting(&server_url(issuer)?),
            TokenSource::ClientCredentials(_) => policy,
        })
    }

    /// Returns the grant. `browser` is the user agent for the sign-in at the identity provider; without it, no
    /// sign-in starts.
    pub(crate) fn grant(
        &self,
        store: Arc<dyn TokenStore>,
        policy: &FetchPolicy,
        browser: Option<LoopbackUserAgent>,
    ) -> Result<GrantType, AuthError> {
        let (issuer, provider_client, server_client) = match self {
            TokenSource::EnterpriseManaged { issuer, provider_client, server_client } => {
                (issuer, provider_client, server_client)
            }
            TokenSource::ClientCredentials(client) => {
                return Ok(GrantType::ClientCredentials(ClientCredentialsGrant { client: client.client() }));
            }
        };
        let provider = identity_provider(issuer, provider_client);
        let sign_on = SingleSignOn::new(provider.clone(), store, RestrictedHttpClient::new(policy.clone())?)?;
        let sign_on = match browser {
            Some(browser) => sign_on.user_agent(browser),
            None => sign_on,
        };
        Ok(GrantType::Enterprise(EnterpriseGrant {
            provider,
            subject: Arc::new(sign_on),
            subject_type: SubjectTokenType::IdToken,
            client: server_client.client(),
        }))
    }

    /// Deletes the sign-in at the identity provider.
    pub(crate) async fn sign_out(&self, store: Arc<dyn TokenStore>) -> Result<(), AuthError> {
        let TokenSource::EnterpriseManaged { issuer, provider_client, .. } = self else { return Ok(()) };
        let provider = identity_provider(issuer, provider_client);
        SingleSignOn::new(provider, store, RestrictedHttpClient::new(FetchPolicy::default())?)?
            .sign_out()
            .await
    }

    /// Returns whether both use the same sign-in at the same identity provider.
    pub(crate) fn shares_sign_in(&self, other: &TokenSource) -> bool {
        match (self, other) {
            (
                TokenSource::EnterpriseManaged { issuer, provider_client, .. },
                TokenSource::EnterpriseManaged { issuer: other, provider_client: known, .. },
            ) => issuer == other && provider_client.id == known.id,
            _ => false,
        }
    }
}

fn identity_provider(issuer: &str, client: &PreregisteredClient) -> IdentityProvider {
    IdentityProvider { issuer: issuer.to_owned(), token_endpoint: None, client: client.client() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_on_the_disk_keep_their_form() {
        for text in [
            r#"{"organisation":{"issuer":"https://login.example","there":{"id":"a","secret":"b"},"here":{"id":"c"}}}"#,
            r#"{"program":{"id":"a","secret":"b"}}"#,
        ] {
            let source: TokenSource = serde_json::from_str(text).expect("it is read");
            assert_eq!(serde_json::to_string(&source).expect("it is written"), text);
        }
    }
}
