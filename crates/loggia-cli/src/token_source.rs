//! Non-interactive token sources: enterprise-managed authorization (ID-JAG) and client credentials. The source is kept
//! beside the credential, so that every command and `loggia up` get the next token in the same way.

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

use crate::credentials::server;

/// The way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TokenSource {
    /// The identity provider of an organisation decides.
    Organisation {
        /// The identity provider.
        issuer: String,
        /// Who we are there.
        there: Known,
        /// Who we are at the server's own authorization server.
        here: Known,
    },
    /// Nobody's program.
    Program(Known),
}

/// A client that somebody registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) id: String,
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Secret>,
}

impl Known {
    pub(crate) fn client(&self) -> RegisteredClient {
        match &self.secret {
            Some(secret) => RegisteredClient::with_secret(&self.id, secret.clone()),
            None => RegisteredClient::public(&self.id),
        }
    }
}

impl TokenSource {
    /// What may be fetched on it, where that much may be fetched anyway: the person named the identity provider.
    pub(crate) fn widened(&self, policy: FetchPolicy) -> Result<FetchPolicy, AuthError> {
        Ok(match self {
            TokenSource::Organisation { issuer, .. } => policy.trusting(&server(issuer)?),
            TokenSource::Program(_) => policy,
        })
    }

    /// The grant. If somebody has to sign in for it, `person` does, if they are there.
    pub(crate) fn grant(
        &self,
        store: Arc<dyn TokenStore>,
        policy: &FetchPolicy,
        person: Option<LoopbackUserAgent>,
    ) -> Result<GrantType, AuthError> {
        let (issuer, there, here) = match self {
            TokenSource::Organisation { issuer, there, here } => (issuer, there, here),
            TokenSource::Program(known) => {
                return Ok(GrantType::ClientCredentials(ClientCredentialsGrant { client: known.client() }));
            }
        };
        let provider =
            IdentityProvider { issuer: issuer.clone(), token_endpoint: None, client: there.client() };
        let sign_on = SingleSignOn::new(provider.clone(), store, RestrictedHttpClient::new(policy.clone())?)?;
        let sign_on = match person {
            Some(person) => sign_on.user_agent(person),
            None => sign_on,
        };
        Ok(GrantType::Enterprise(EnterpriseGrant {
            provider,
            subject: Arc::new(sign_on),
            subject_type: SubjectTokenType::IdToken,
            client: here.client(),
        }))
    }

    /// Forgets what the identity provider said of the person.
    pub(crate) async fn sign_out(&self, store: Arc<dyn TokenStore>) -> Result<(), AuthError> {
        let TokenSource::Organisation { issuer, there, .. } = self else { return Ok(()) };
        let provider =
            IdentityProvider { issuer: issuer.clone(), token_endpoint: None, client: there.client() };
        SingleSignOn::new(provider, store, RestrictedHttpClient::new(FetchPolicy::default())?)?
            .sign_out()
            .await
    }

    /// Whether the same person signed in at the same place for another server.
    pub(crate) fn shares_sign_in(&self, other: &TokenSource) -> bool {
        match (self, other) {
            (
                TokenSource::Organisation { issuer, there, .. },
                TokenSource::Organisation { issuer: other, there: known, .. },
            ) => issuer == other && there.id == known.id,
            _ => false,
        }
    }
}
