//! The settings of an `OAuth`, which do not change after it was built.
//!
//! The objects of the client share them. Invariant: a credential is stored under `key`, and used only with `server`.

use std::sync::Arc;
use std::time::SystemTime;

use url::Url;

use super::endpoints::AuthorizationEndpoints;
use crate::clock::Clock;
use crate::discovery::{self, AuthorizationServerMetadata, BearerChallenge, DiscoveryResult};
use crate::dpop::DpopSigner;
use crate::error::{AuthError, printable};
use crate::extensions::GrantType;
use crate::registration::{ClientIdentity, KnownClient, Registrar};
use crate::restricted_http::RestrictedHttpClient;
use crate::scope::Scopes;
use crate::store::TokenStore;
use crate::token_endpoint::EndpointClient;

/// The condition under which tokens are bound to a key of the client (RFC 9449).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DpopUse {
    /// Never.
    Never,
    /// If the server asks for it and its authorization server supports it.
    #[default]
    WhenAsked,
    /// Always. Bearer tokens are refused.
    Always,
}

impl DpopUse {
    /// Fails if a token is not bound to a key although all tokens have to be.
    pub(super) fn check_token_type(self, token_type: &str) -> Result<(), AuthError> {
        if self == DpopUse::Always && !token_type.eq_ignore_ascii_case("dpop") {
            return Err(AuthError::Discovery(format!(
                "a token that is bound to a key was asked for, and one of the type '{}' was given",
                printable(token_type)
            )));
        }
        Ok(())
    }
}

/// The settings of an OAuth client for one server.
pub(super) struct ClientSettings {
    /// The protected server.
    pub(super) server: Url,
    /// The store key of the credential.
    pub(super) key: String,
    pub(super) identity: ClientIdentity,
    pub(super) grant: GrantType,
    /// Scopes to request in addition to those that the server needs.
    pub(super) extra_scopes: Scopes,
    /// The issuer that the caller prefers.
    pub(super) issuer: Option<String>,
    /// The `resource` parameter, if it is not the published one.
    pub(super) resource: Option<String>,
    /// The registration endpoint, if it is not the published one.
    pub(super) registration_endpoint: Option<Url>,
    /// The endpoints of an authorization server without metadata.
    pub(super) endpoints: Option<AuthorizationEndpoints>,
    pub(super) dpop: DpopUse,
    pub(super) http: RestrictedHttpClient,
    pub(super) store: Arc<dyn TokenStore>,
    pub(super) clock: Clock,
}

impl ClientSettings {
    pub(super) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// Returns whether only a user can get a token if there is no refresh token.
    pub(super) fn needs_user(&self) -> bool {
        matches!(self.grant, GrantType::AuthorizationCode(_) | GrantType::RefreshOnly)
    }

    /// Finds the authorization server: the one whose endpoints are given, or the one that the server names. `preferred` is
    /// the issuer to choose of several, and `configured` that of a server that names none.
    pub(super) async fn discover(
        &self,
        challenge: &BearerChallenge,
        preferred: Option<&str>,
        configured: Option<&str>,
    ) -> Result<DiscoveryResult, AuthError> {
        if let Some(endpoints) = &self.endpoints {
            return Ok(DiscoveryResult { resource: None, server: endpoints.metadata() });
        }
        let mut found =
            discovery::discover_or(&self.http, &self.server, challenge, preferred, configured).await?;
        if let Some(endpoint) = &self.registration_endpoint {
            found.server.registration_endpoint = Some(endpoint.clone());
        }
        Ok(found)
    }

    /// Returns the `resource` parameter (RFC 8707); empty if requests have none.
    pub(super) fn resource_of(&self, discovered: &DiscoveryResult) -> String {
        match (&self.resource, &self.endpoints) {
            (Some(resource), _) => resource.clone(),
            (None, Some(_)) => String::new(),
            (None, None) => discovered.resource_identifier(&self.server),
        }
    }

    pub(super) fn registrar(&self) -> Registrar<'_> {
        Registrar {
            identity: &self.identity,
            http: &self.http,
            store: &*self.store,
            clock: &self.clock,
            resource: &self.server,
        }
    }

    /// Returns a client of an endpoint of an authorization server.
    pub(super) fn endpoint<'a>(
        &'a self,
        url: &'a Url,
        server: &'a AuthorizationServerMetadata,
        client: &'a KnownClient,
        signer: Option<&'a DpopSigner>,
    ) -> EndpointClient<'a> {
        EndpointClient { http: &self.http, url, issuer: &server.issuer, client, signer, clock: &self.clock }
    }
}
