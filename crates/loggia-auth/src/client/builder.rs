//! What an [`OAuth`] is to be, before it is one.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use url::Url;

use super::{AuthError, AuthStatus, DpopUse, Inner, MemoryStore, OAuth, Person, TokenStore};
use crate::clock::{self, Clock};
use crate::extensions::Grant;
use crate::guard::{self, Policy, RestrictedHttpClient};
use crate::jose;
use crate::registration::{ClientIdentity, RegisteredClient};
use crate::scope::Scopes;

/// Makes an [`OAuth`].
pub struct OAuthBuilder {
    server: Url,
    identity: ClientIdentity,
    grant: Grant,
    store: Arc<dyn TokenStore>,
    key: String,
    scopes: Scopes,
    issuer: Option<String>,
    dpop: DpopUse,
    clock: Clock,
    policy: Policy,
    guard: Option<RestrictedHttpClient>,
}

impl OAuthBuilder {
    pub(super) fn new(server: Url, identity: ClientIdentity) -> OAuthBuilder {
        OAuthBuilder {
            key: format!("credential/{server}"),
            server,
            identity,
            grant: Grant::Nobody,
            store: Arc::new(MemoryStore::new()),
            scopes: Scopes::new(),
            issuer: None,
            dpop: DpopUse::default(),
            clock: clock::system(),
            policy: Policy::default(),
            guard: None,
        }
    }

    /// How tokens are come by. Unless it is said, nobody signs in.
    pub fn grant(mut self, grant: Grant) -> OAuthBuilder {
        self.grant = grant;
        self
    }

    /// A client that the person names now; see [`ClientIdentity::named`].
    pub fn named(mut self, client: Option<RegisteredClient>) -> OAuthBuilder {
        self.identity.named = client;
        self
    }

    /// The person who signs in.
    pub fn person(self, person: impl Person) -> OAuthBuilder {
        self.grant(Grant::Person(Arc::new(person)))
    }

    /// Where tokens are kept: in memory unless it is said. `key` names the credential: one person's access
    /// to one server.
    pub fn store(mut self, store: Arc<dyn TokenStore>, key: impl Into<String>) -> OAuthBuilder {
        self.store = store;
        self.key = format!("credential/{}", key.into());
        self
    }

    /// Scopes to ask for beside those that the server wants.
    pub fn scopes(mut self, scopes: Scopes) -> OAuthBuilder {
        self.scopes = scopes;
        self
    }

    /// The issuer that gives tokens for this server, as its own metadata names it. It is preferred where the server lists
    /// several, and accepted where the server lists it with a slash at the end too much or too little.
    pub fn issuer(mut self, issuer: impl Into<String>) -> OAuthBuilder {
        self.issuer = Some(issuer.into());
        self
    }

    /// When tokens are bound to a key.
    pub fn dpop(mut self, dpop: DpopUse) -> OAuthBuilder {
        self.dpop = dpop;
        self
    }

    /// Which URLs of others may be fetched. The server's own always may.
    pub fn policy(mut self, policy: Policy) -> OAuthBuilder {
        self.policy = policy;
        self
    }

    /// What fetches them, in place of one made by the policy.
    pub fn guard(mut self, guard: RestrictedHttpClient) -> OAuthBuilder {
        self.guard = Some(guard);
        self
    }

    /// Tells the time.
    pub fn clock(mut self, clock: Clock) -> OAuthBuilder {
        self.clock = clock;
        self
    }

    /// Makes it.
    pub fn build(self) -> Result<OAuth, AuthError> {
        let server = self.server;
        if !matches!(server.scheme(), "http" | "https") || !server.has_host() {
            return Err(AuthError::Configuration(format!("{server} is not the URL of a server")));
        }
        if server.scheme() == "http" && !guard::is_local(&server) {
            return Err(AuthError::Configuration(format!(
                "a token for {server} would cross the network in the clear: its URL has to begin with https"
            )));
        }
        if let Some(document) = self.identity.metadata_document.as_ref()
            && (!self.policy.is_safe(document) || document.path() == "/" || document.fragment().is_some())
        {
            return Err(AuthError::Configuration(format!(
                "the document that describes this client must have an https URL with a path, not {document}"
            )));
        }
        let guard = match self.guard {
            Some(guard) => guard,
            None => RestrictedHttpClient::new(self.policy.trusting(&server))?,
        };
        let inner = Inner {
            server,
            key: self.key,
            holder: jose::random(12),
            identity: self.identity,
            grant: self.grant,
            extra_scopes: self.scopes,
            issuer: self.issuer,
            dpop: self.dpop,
            guard,
            store: self.store,
            clock: self.clock,
            flight: tokio::sync::Mutex::new(()),
            present: Mutex::default(),
            attempts: Mutex::default(),
            known_server: Mutex::default(),
            standing: watch::Sender::new(AuthStatus::Unknown),
        };
        Ok(OAuth { inner: Arc::new(inner) })
    }
}
