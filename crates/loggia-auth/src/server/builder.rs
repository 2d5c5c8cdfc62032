//! The configuration of an authorization server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::assertions::AssertionIssuer;
use super::authorization_server::AuthorizationServer;
use super::client_registry::ClientRegistry;
use super::clients::OAuthClient;
use super::composition::ServerStores;
use super::http::ServerCookies;
use super::metadata::OptionalFeatures;
use super::pending_authorizations::PendingAuthorizations;
use super::rate::{RateLimit, RateLimiter};
use super::records::RecordStore;
use super::refresh_tokens::{RefreshTokens, TokenLifetimes};
use super::resources::{ProtectedResource, ProtectedResources};
use super::return_pages::ReturnPages;
use super::sessions::Sessions;
use super::sign_in::{AdmitFn, SignInMethod};
use super::signing_keys::SigningKeys;
use super::urls::ServerUrls;
use crate::clock::{self, Clock};
use crate::error::AuthError;
use crate::jose::KeySource;
use crate::resource::{NonceKey, ProofVerifier};
use crate::restricted_http::RestrictedHttpClient;
use crate::store::TokenStore;

/// The maximum lifetime of an access token.
const MAX_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The configuration of an authorization server.
pub struct AuthorizationServerBuilder {
    issuer: String,
    store: Arc<dyn TokenStore>,
    http: RestrictedHttpClient,
    resources: Vec<ProtectedResource>,
    clients: Vec<OAuthClient>,
    has_registration: bool,
    sign_in: Option<SignInMethod>,
    session_lifetime: Duration,
    assertion_issuers: Vec<AssertionIssuer>,
    token_lifetime: Duration,
    refresh_lifetimes: TokenLifetimes,
    nonces: Option<NonceKey>,
    rate_limit: Option<RateLimit>,
    clock: Clock,
}

impl fmt::Debug for AuthorizationServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServerBuilder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl AuthorizationServer {
    /// Configures the server with this issuer identifier: the URL at which users and clients reach it, without a
    /// slash at its end. The server keeps its records in `store`, and fetches the documents of clients with `http`.
    pub fn builder(
        issuer: impl Into<String>,
        store: Arc<dyn TokenStore>,
        http: RestrictedHttpClient,
    ) -> AuthorizationServerBuilder {
        AuthorizationServerBuilder {
            issuer: issuer.into(),
            store,
            http,
            resources: Vec::new(),
            clients: Vec::new(),
            has_registration: true,
            sign_in: None,
            session_lifetime: Duration::from_secs(12 * 60 * 60),
            assertion_issuers: Vec::new(),
            token_lifetime: Duration::from_secs(15 * 60),
            refresh_lifetimes: TokenLifetimes::default(),
            nonces: None,
            rate_limit: Some(RateLimit::default()),
            clock: clock::system(),
        }
    }
}

impl AuthorizationServerBuilder {
    /// Adds a protected resource for which tokens are issued, with its scopes. The first resource is the default for
    /// requests that name none.
    pub fn resource(
        mut self,
        identifier: impl Into<String>,
        scopes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let scopes = scopes.into_iter().map(Into::into).collect();
        self.resources.push(ProtectedResource { identifier: identifier.into(), scopes });
        self
    }

    /// Sets the method with which users sign in.
    pub fn sign_in(mut self, sign_in: SignInMethod) -> Self {
        self.sign_in = Some(sign_in);
        self
    }

    /// Adds a client.
    pub fn client(mut self, client: OAuthClient) -> Self {
        self.clients.push(client);
        self
    }

    /// Sets whether clients can register (RFC 7591), which older clients need; on by default.
    pub fn registration(mut self, on: bool) -> Self {
        self.has_registration = on;
        self
    }

    /// Accepts assertions of an identity provider (ID-JAG). `admit` returns the subject of the user here.
    pub fn assertions(mut self, issuer: impl Into<String>, keys: Arc<dyn KeySource>, admit: AdmitFn) -> Self {
        self.assertion_issuers.push(AssertionIssuer { issuer: issuer.into(), keys, admit });
        self
    }

    /// Sets the lifetime of access tokens: 15 minutes by default, an hour at most.
    pub fn token_life(mut self, life: Duration) -> Self {
        self.token_lifetime = life.min(MAX_TOKEN_LIFETIME);
        self
    }

    /// Sets two lifetimes of refresh tokens: of an unused token, and of all tokens of one sign-in. 30 days and 365
    /// days by default.
    pub fn refresh_life(mut self, idle: Duration, longest: Duration) -> Self {
        (self.refresh_lifetimes.idle, self.refresh_lifetimes.longest) = (idle, longest);
        self
    }

    /// Sets the time that a used refresh token stays valid while none of its successors is used: 30 seconds by
    /// default. It is for clients that crash before they save the new token.
    pub fn refresh_grace(mut self, grace: Duration) -> Self {
        self.refresh_lifetimes.grace = grace;
        self
    }

    /// Sets how long users stay signed in: 12 hours by default.
    pub fn session_life(mut self, life: Duration) -> Self {
        self.session_lifetime = life;
        self
    }

    /// Requires nonces in DPoP proofs (RFC 9449, section 8).
    pub fn nonces(mut self, key: NonceKey) -> Self {
        self.nonces = Some(key);
        self
    }

    /// Sets the rate limit for each address; `None` for no limit. The listener must pass on the addresses of clients
    /// ([`with_peer_addr`](loggia::transport::http::Http::with_peer_addr)).
    pub fn rate_limit(mut self, limit: Option<RateLimit>) -> Self {
        self.rate_limit = limit;
        self
    }

    /// Sets the clock, for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Creates the server. Returns a configuration error for a wrong issuer, and without a resource or a sign-in
    /// method.
    pub fn build(self) -> Result<AuthorizationServer, AuthError> {
        let wrong = |what: &str| AuthError::Configuration(what.to_owned());
        let urls = Arc::new(ServerUrls::new(self.issuer)?);
        if self.resources.is_empty() {
            return Err(wrong("the authorization server needs a resource to issue tokens for"));
        }
        let sign_in = self.sign_in.ok_or_else(|| wrong("the authorization server needs a sign-in method"))?;
        let token_url = Url::parse(&urls.url("token")).map_err(|_| wrong("the issuer is not a URL"))?;
        let records = RecordStore::new(self.store, self.clock);
        let cookies = ServerCookies { secure: urls.is_https(), port: urls.port() };
        let stores = ServerStores {
            resources: Arc::new(ProtectedResources::new(self.resources)),
            clients: Arc::new(ClientRegistry::new(self.clients, records.clone(), self.http)),
            limiter: Arc::new(RateLimiter::new(self.rate_limit)),
            sessions: Sessions::new(records.clone(), cookies, self.session_lifetime),
            pending: PendingAuthorizations::new(records.clone()),
            return_pages: ReturnPages::new(records.clone()),
            refresh_tokens: RefreshTokens::new(records.clone(), self.refresh_lifetimes),
            signing_keys: Arc::new(SigningKeys::new(records.clone())),
            cookies,
            records,
            urls,
        };
        let verifier = self.nonces.map_or_else(ProofVerifier::default, ProofVerifier::with_nonces);
        let features = OptionalFeatures {
            registration: self.has_registration,
            assertions: !self.assertion_issuers.is_empty(),
        };
        let (token, revocation) =
            stores.token_endpoints(verifier, token_url, self.assertion_issuers, self.token_lifetime);
        let sign_in = Arc::new(stores.sign_in_pages(sign_in));
        let router = stores.router(token, revocation, sign_in.clone(), features);
        let revoked = stores.refresh_tokens.revoked().clone();
        Ok(AuthorizationServer::new(router, stores.page_access(sign_in), revoked))
    }
}
