//! What an authorization server is to be, before it is one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::authorize::MOST_WAITING;
use super::clients::{Client, Clients};
use super::family::Families;
use super::http::Cookies;
use super::pending::PendingRecords;
use super::rate::{RateLimit, Rates};
use super::records::Records;
use super::sign_in::{Admit, SignIn};
use super::signing::Signing;
use super::{AuthorizationServer, Known, Shared, Trusted, redirect_uri};
use crate::clock::{self, Clock};
use crate::error::AuthError;
use crate::jose::KeySource;
use crate::resource::{NonceKey, Proofs};
use crate::restricted_http::RestrictedHttpClient;
use crate::store::TokenStore;

/// What an authorization server is to be.
pub struct Builder {
    issuer: String,
    store: Arc<dyn TokenStore>,
    guard: RestrictedHttpClient,
    resources: Vec<Known>,
    clients: Vec<Client>,
    registers: bool,
    sign_in: Option<SignIn>,
    session_life: Duration,
    assertions: Vec<Trusted>,
    token_life: Duration,
    refresh_idle: Duration,
    refresh_longest: Duration,
    refresh_grace: Duration,
    nonces: Option<NonceKey>,
    rate_limit: Option<RateLimit>,
    clock: Clock,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new(issuer: String, store: Arc<dyn TokenStore>, guard: RestrictedHttpClient) -> Builder {
        let day = Duration::from_secs(24 * 60 * 60);
        Builder {
            issuer,
            store,
            guard,
            resources: Vec::new(),
            clients: Vec::new(),
            registers: true,
            sign_in: None,
            session_life: day / 2,
            assertions: Vec::new(),
            token_life: Duration::from_secs(15 * 60),
            refresh_idle: 30 * day,
            refresh_longest: 365 * day,
            refresh_grace: Duration::from_secs(30),
            nonces: None,
            rate_limit: Some(RateLimit::default()),
            clock: clock::system(),
        }
    }

    /// Issues tokens for a resource, by its identifier, with these scopes. The first one is meant where a
    /// client names none.
    pub fn resource(
        mut self,
        identifier: impl Into<String>,
        scopes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Builder {
        let scopes = scopes.into_iter().map(Into::into).collect();
        self.resources.push(Known { identifier: identifier.into(), scopes });
        self
    }

    /// How people sign in.
    pub fn sign_in(mut self, sign_in: SignIn) -> Builder {
        self.sign_in = Some(sign_in);
        self
    }

    /// A client that an administrator entered.
    pub fn client(mut self, client: Client) -> Builder {
        self.clients.push(client);
        self
    }

    /// Whether clients may register themselves (RFC 7591), as older ones want to; they may unless this says
    /// no.
    pub fn registration(mut self, on: bool) -> Builder {
        self.registers = on;
        self
    }

    /// Takes assertions of an identity provider (ID-JAG). `admit` says who the person is here.
    pub fn assertions(
        mut self,
        issuer: impl Into<String>,
        keys: Arc<dyn KeySource>,
        admit: Admit,
    ) -> Builder {
        self.assertions.push(Trusted { issuer: issuer.into(), keys, admit });
        self
    }

    /// How long an access token lasts: a quarter of an hour unless set, an hour at most.
    pub fn token_life(mut self, life: Duration) -> Builder {
        self.token_life = life.min(Duration::from_secs(60 * 60));
        self
    }

    /// How long a refresh token lasts unused, and how long all that come from one sign-in last together.
    pub fn refresh_life(mut self, idle: Duration, longest: Duration) -> Builder {
        (self.refresh_idle, self.refresh_longest) = (idle, longest);
        self
    }

    /// How long a refresh token that was used still counts while none of its successors was; half a minute
    /// unless set. It is for clients that died before they could write the new one down.
    pub fn refresh_grace(mut self, grace: Duration) -> Builder {
        self.refresh_grace = grace;
        self
    }

    /// How long people stay signed in; half a day unless set.
    pub fn session_life(mut self, life: Duration) -> Builder {
        self.session_life = life;
        self
    }

    /// Demands nonces in proofs (RFC 9449, section 8).
    pub fn nonces(mut self, key: NonceKey) -> Builder {
        self.nonces = Some(key);
        self
    }

    /// How much one address may ask for, where the listener says where requests come from
    /// ([`with_peer_addr`](loggia::transport::http::Http::with_peer_addr)). `None`: as much as it likes.
    pub fn rate_limit(mut self, limit: Option<RateLimit>) -> Builder {
        self.rate_limit = limit;
        self
    }

    /// Another clock. For tests.
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.clock = clock;
        self
    }

    /// The server.
    pub fn build(self) -> Result<AuthorizationServer, AuthError> {
        let wrong = |what: &str| AuthError::Configuration(what.to_owned());
        let url = Url::parse(&self.issuer).map_err(|_| wrong("the issuer is not a URL"))?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !plain || self.issuer.ends_with('/') {
            return Err(wrong("the issuer must be a URL without query, fragment or a slash at its end"));
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && redirect_uri::is_local(&url)) {
            return Err(wrong("the issuer must be an https URL, or an http URL of this machine alone"));
        }
        if self.resources.is_empty() {
            return Err(wrong("the authorization server needs a resource to issue tokens for"));
        }
        let sign_in = self.sign_in.ok_or_else(|| wrong("the authorization server needs a way to sign in"))?;
        let records = Records::new(self.store, self.clock.clone());
        let families = Families::new(
            records.clone(),
            self.clock.clone(),
            self.refresh_idle,
            self.refresh_longest,
            self.refresh_grace,
        );
        let shared = Shared {
            origin: url.origin().ascii_serialization(),
            base: url.path().trim_end_matches('/').to_owned(),
            issuer: self.issuer,
            resources: self.resources,
            clients: Clients::new(self.clients, records.clone(), self.guard),
            registers: self.registers,
            sign_in,
            session_life: self.session_life,
            assertions: self.assertions,
            families,
            signing: Arc::new(Signing::new(records.clone(), self.clock.clone())),
            requests: PendingRecords::new(records.clone(), "request", MOST_WAITING),
            visits: PendingRecords::new(records.clone(), "visit", MOST_WAITING),
            records,
            token_life: self.token_life,
            skew: Duration::from_secs(30),
            proofs: self.nonces.map_or_else(Proofs::default, Proofs::with_nonces),
            rates: Rates::new(self.rate_limit),
            cookies: Cookies { secure: url.scheme() == "https", port: url.port() },
            clock: self.clock,
        };
        Ok(AuthorizationServer { shared: Arc::new(shared) })
    }
}
