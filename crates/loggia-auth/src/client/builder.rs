//! The builder of an [`OAuth`]: collects and checks the settings, and creates the objects of the client.
//!
//! Invariant: a token is never sent over an unencrypted connection to another machine.

use std::sync::Arc;

use loggia::wire::text::redact_url;
use url::Url;

use super::OAuth;
use super::cache::CredentialCache;
use super::code_flow::CodeFlow;
use super::endpoints::AuthorizationEndpoints;
use super::grant_flow::GrantFlow;
use super::issuer_cache::IssuerCache;
use super::refresher::Refresher;
use super::renewer::Renewer;
use super::revoker::Revoker;
use super::settings::{ClientSettings, DpopUse};
use super::token_check::TokenChecker;
use crate::clock::{self, Clock};
use crate::error::AuthError;
use crate::extensions::GrantType;
use crate::registration::{ClientIdentity, RegisteredClient};
use crate::restricted_http::{self, FetchPolicy, RestrictedHttpClient};
use crate::scope::Scopes;
use crate::store::{MemoryStore, TokenStore};
use crate::user_agent::UserAgent;

/// The builder of an [`OAuth`].
pub struct OAuthBuilder {
    server: Url,
    identity: ClientIdentity,
    grant: GrantType,
    store: Arc<dyn TokenStore>,
    key: String,
    scopes: Scopes,
    issuer: Option<String>,
    resource: Option<String>,
    registration_endpoint: Option<Url>,
    endpoints: Option<AuthorizationEndpoints>,
    dpop: DpopUse,
    clock: Clock,
    policy: FetchPolicy,
    http: Option<RestrictedHttpClient>,
}

impl OAuthBuilder {
    pub(super) fn new(server: Url, identity: ClientIdentity) -> OAuthBuilder {
        OAuthBuilder {
            key: format!("credential/{server}"),
            server,
            identity,
            grant: GrantType::RefreshOnly,
            store: Arc::new(MemoryStore::new()),
            scopes: Scopes::new(),
            issuer: None,
            resource: None,
            registration_endpoint: None,
            endpoints: None,
            dpop: DpopUse::default(),
            clock: clock::system(),
            policy: FetchPolicy::default(),
            http: None,
        }
    }

    /// Sets the grant type. By default it is [`GrantType::RefreshOnly`].
    pub fn grant(mut self, grant: GrantType) -> OAuthBuilder {
        self.grant = grant;
        self
    }

    /// Sets the client that the user names for this sign-in; see [`ClientIdentity::named`].
    pub fn named(mut self, client: Option<RegisteredClient>) -> OAuthBuilder {
        self.identity.named = client;
        self
    }

    /// Sets the user agent with which the user signs in. The grant type then is [`GrantType::AuthorizationCode`].
    pub fn user_agent(self, user_agent: impl UserAgent) -> OAuthBuilder {
        self.grant(GrantType::AuthorizationCode(Arc::new(user_agent)))
    }

    /// Sets the store of the credential; the default is memory. `key` names the credential: the access of one user to
    /// one server.
    pub fn store(mut self, store: Arc<dyn TokenStore>, key: impl Into<String>) -> OAuthBuilder {
        self.store = store;
        self.key = format!("credential/{}", key.into());
        self
    }

    /// Sets scopes to request in addition to those that the server needs.
    pub fn scopes(mut self, scopes: Scopes) -> OAuthBuilder {
        self.scopes = scopes;
        self
    }

    /// Sets the issuer to use, spelled as in its own metadata. It is preferred if the server lists several issuers,
    /// accepted if the server lists it with a trailing slash too many or too few, and used if the server names none.
    pub fn issuer(mut self, issuer: impl Into<String>) -> OAuthBuilder {
        self.issuer = Some(issuer.into());
        self
    }

    /// Sets the `resource` parameter of requests (RFC 8707), in place of the identifier that the server publishes.
    pub fn resource(mut self, resource: impl Into<String>) -> OAuthBuilder {
        self.resource = Some(resource.into());
        self
    }

    /// Sets the endpoint for dynamic registration, in place of the one that the authorization server publishes.
    pub fn registration_endpoint(mut self, endpoint: Url) -> OAuthBuilder {
        self.registration_endpoint = Some(endpoint);
        self
    }

    /// Sets the endpoints of an authorization server that publishes no metadata. The server is then not probed, and
    /// requests have a `resource` parameter only if [`resource`](OAuthBuilder::resource) sets one. The endpoints are
    /// always allowed by the policy.
    pub fn endpoints(mut self, endpoints: AuthorizationEndpoints) -> OAuthBuilder {
        self.endpoints = Some(endpoints);
        self
    }

    /// Sets the whole name of the credential's record, for a store in which `credential/…` has another meaning. Call it
    /// after [`store`](OAuthBuilder::store).
    pub fn record_name(mut self, name: impl Into<String>) -> OAuthBuilder {
        self.key = name.into();
        self
    }

    /// Sets when tokens are bound to a key.
    pub fn dpop(mut self, dpop: DpopUse) -> OAuthBuilder {
        self.dpop = dpop;
        self
    }

    /// Sets the policy for URLs that other parties choose. The server's own URL is always allowed.
    pub fn policy(mut self, policy: FetchPolicy) -> OAuthBuilder {
        self.policy = policy;
        self
    }

    /// Sets the HTTP client, instead of one that follows the policy.
    pub fn http_client(mut self, http: RestrictedHttpClient) -> OAuthBuilder {
        self.http = Some(http);
        self
    }

    /// Sets the clock.
    pub fn clock(mut self, clock: Clock) -> OAuthBuilder {
        self.clock = clock;
        self
    }

    /// Builds the authorization. Fails if a setting is not valid.
    pub fn build(self) -> Result<OAuth, AuthError> {
        self.check()?;
        let http = match self.http {
            Some(http) => http,
            None => {
                let endpoints = self.endpoints.iter();
                let own = endpoints.flat_map(|one| [&one.authorization_endpoint, &one.token_endpoint]);
                let trusted = own.chain([&self.server]).fold(self.policy, FetchPolicy::trusting);
                RestrictedHttpClient::new(trusted)?
            }
        };
        Ok(assemble(ClientSettings {
            server: self.server,
            key: self.key,
            identity: self.identity,
            grant: self.grant,
            extra_scopes: self.scopes,
            issuer: self.issuer,
            resource: self.resource,
            registration_endpoint: self.registration_endpoint,
            endpoints: self.endpoints,
            dpop: self.dpop,
            http,
            store: self.store,
            clock: self.clock,
        }))
    }

    fn check(&self) -> Result<(), AuthError> {
        let server = &self.server;
        let shown = redact_url(server.as_str());
        if !matches!(server.scheme(), "http" | "https") || !server.has_host() {
            return Err(AuthError::Configuration(format!("{shown} is not the URL of a server")));
        }
        if server.scheme() == "http" && !restricted_http::is_local(server) {
            return Err(AuthError::Configuration(format!(
                "cannot sign in to {shown}: the token would be sent unencrypted. Use https"
            )));
        }
        if let Some(endpoints) = &self.endpoints {
            endpoints.check()?;
            let token_endpoint = &endpoints.token_endpoint;
            if token_endpoint.scheme() != "https" && !restricted_http::is_local(token_endpoint) {
                return Err(AuthError::Configuration(format!(
                    "cannot sign in at {token_endpoint}: the token would be sent unencrypted. Use https"
                )));
            }
        }
        if let Some(document) = self.identity.metadata_document.as_ref()
            && (!self.policy.is_safe(document) || document.path() == "/" || document.fragment().is_some())
        {
            return Err(AuthError::Configuration(format!(
                "the document that describes this client must have an https URL with a path, not {document}"
            )));
        }
        Ok(())
    }
}

/// Creates the objects of a client.
fn assemble(settings: ClientSettings) -> OAuth {
    let cache = CredentialCache::new(settings.store.clone(), settings.key.clone(), settings.clock.clone());
    let issuers = Arc::new(IssuerCache::new(
        settings.http.clone(),
        settings.server.clone(),
        settings.endpoints.clone(),
    ));
    let (settings, cache) = (Arc::new(settings), Arc::new(cache));
    let shared = || (settings.clone(), cache.clone(), issuers.clone());
    let refresher = {
        let (settings, cache, issuers) = shared();
        Refresher { settings, cache, issuers }
    };
    let code_flow = {
        let (settings, cache, issuers) = shared();
        CodeFlow { settings, cache, issuers }
    };
    let grant_flow = GrantFlow { settings: settings.clone(), cache: cache.clone() };
    let revoker = Revoker { settings: settings.clone(), issuers };
    let renewer = Renewer::new(settings.clone(), cache.clone(), refresher, code_flow, grant_flow, revoker);
    let checker = TokenChecker { settings: settings.clone(), cache: cache.clone() };
    OAuth { settings, cache, renewer: Arc::new(renewer), checker: Arc::new(checker) }
}
