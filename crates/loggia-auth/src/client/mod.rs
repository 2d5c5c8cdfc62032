//! Tokens for a server: come by, kept alive, kept apart.
//!
//! [`OAuth`] is what a client of the SDK is given with `authorize`. It reads the server's refusals, signs the
//! person in, and renews tokens ahead of their end; for one credential one thing happens at a time, however
//! many tasks, processes and replicas want it, and what was given is written down before it is used.

mod builder;
pub(crate) mod credential;
mod error;
mod file;
pub(crate) mod flow;
pub(crate) mod lease;
mod person;
mod proof;
mod refresh;
mod renewal;
mod sign_in;
mod store;
pub(crate) mod token;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use loggia::client::{Authorize, Challenge};
use loggia::service::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use crate::clock::{self, Clock};
use crate::discovery::{AuthorizationServer, BearerChallenge};
use crate::dpop::DpopSigner;
use crate::extensions::Grant;
use crate::guard::RestrictedHttpClient;
use crate::registration::{ClientIdentity, Registrar};
use crate::scope::Scopes;
use crate::secret::Secret;
pub use builder::OAuthBuilder;
pub use credential::{Credential, KeptClient};
pub use error::{AuthError, is_passing, with_advice};
pub use file::FileStore;
pub use flow::AuthorizationRequest;
pub use person::{Answer, Answered, Person, Visit};
pub use proof::Proof;
use renewal::{Attempts, Reason};
pub use store::{MemoryStore, StoreFuture, Stored, TokenStore, UNREADABLE};
pub(crate) use token::plain;
pub use token::{AuthMethod, ClientAuth, KnownClient};

/// How often it is looked whether others have changed a credential that is in use.
const LOOK: Duration = Duration::from_secs(10);

/// When tokens are bound to a key of ours (RFC 9449).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DpopUse {
    /// Never.
    Never,
    /// Where the server asks for it and its authorization server can do it.
    #[default]
    WhenAsked,
    /// Always. A server that gives another token is refused.
    Always,
}

/// The state of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthStatus {
    /// Nothing was looked at yet.
    Unknown,
    /// There is no token.
    SignedOut,
    /// There is a token.
    SignedIn {
        /// Until when, where the server says. It is renewed before, if it can be.
        until: Option<SystemTime>,
    },
    /// There was one, and only the person can get another.
    SignInAgain(String),
}

/// Authorization for one server. Cheap to clone; clones share the token.
///
/// ```no_run
/// use std::sync::Arc;
/// use loggia_auth::client::{FileStore, OAuth};
/// use loggia_auth::loopback::Loopback;
/// use loggia_auth::registration::ClientIdentity;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let server = "https://mcp.example.com/mcp";
/// let person = Loopback::new(|page| {
///     eprintln!("Open this page to sign in: {page}");
///     Ok(())
/// });
/// let oauth = OAuth::builder(server.parse()?, ClientIdentity::new("My program"))
///     .person(person)
///     .store(Arc::new(FileStore::open("tokens")?), server)
///     .build()?;
/// oauth.ensure().await?;
/// let client = loggia::client::Client::builder().authorize(oauth).connect(server).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OAuth {
    inner: Arc<Inner>,
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { server, key, grant, .. } = &*self.inner;
        f.debug_struct("OAuth")
            .field("server", &server.as_str())
            .field("key", key)
            .field("grant", grant)
            .finish()
    }
}

struct Inner {
    server: Url,
    key: String,
    /// Who we are among those who lease the credential.
    holder: String,
    identity: ClientIdentity,
    grant: Grant,
    extra_scopes: Scopes,
    /// The issuer that the caller named.
    issuer: Option<String>,
    dpop: DpopUse,
    guard: RestrictedHttpClient,
    store: Arc<dyn TokenStore>,
    clock: Clock,
    /// One thing at a time.
    flight: tokio::sync::Mutex<()>,
    present: Mutex<Present>,
    attempts: Mutex<Attempts>,
    /// The authorization server that was asked last, for a while.
    known_server: Mutex<Option<(Instant, AuthorizationServer)>>,
    standing: watch::Sender<AuthStatus>,
}

/// The token as this process knows it.
#[derive(Default)]
struct Present {
    /// When the store was asked last.
    asked: Option<SystemTime>,
    current: Option<Arc<Current>>,
}

/// A credential that is in use.
struct Current {
    credential: Credential,
    revision: u64,
    source: Source,
    prover: Option<Arc<DpopSigner>>,
    /// Whether the server took the token at least once.
    proved: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Store,
    Refresh,
    Grant,
}

impl Current {
    /// A credential in place of another. The same key goes on with the nonces it was given.
    fn new(
        credential: Credential,
        revision: u64,
        source: Source,
        before: Option<&Current>,
    ) -> Result<Current, AuthError> {
        let same = before.filter(|before| before.credential.dpop_key == credential.dpop_key);
        let prover = match (same, &credential.dpop_key) {
            (Some(before), _) => before.prover.clone(),
            (None, Some(key)) => Some(Arc::new(DpopSigner::restore(key)?)),
            (None, None) => None,
        };
        Ok(Current { credential, revision, source, prover, proved: AtomicBool::new(false) })
    }

    fn token(&self) -> &Secret {
        &self.credential.access_token
    }

    fn scheme(&self) -> &'static str {
        if self.credential.dpop { "DPoP" } else { "Bearer" }
    }
}

impl OAuth {
    /// Authorization for the server at a URL, for a client of an identity.
    pub fn builder(server: Url, identity: ClientIdentity) -> OAuthBuilder {
        OAuthBuilder::new(server, identity)
    }

    /// How things stand, now and whenever it changes.
    pub fn standing(&self) -> watch::Receiver<AuthStatus> {
        self.inner.standing.subscribe()
    }

    /// The credential, if there is one.
    pub async fn credential(&self) -> Result<Option<Credential>, AuthError> {
        Ok(self.inner.load().await?.map(|current| current.credential.clone()))
    }

    /// Signs in, whatever there was: asks the server what it demands, then the person or whoever else the
    /// grant names.
    pub async fn sign_in(&self) -> Result<Credential, AuthError> {
        let demand = self.inner.probe().await?;
        self.inner.make_room().await?;
        let current = self.inner.renewed(None, Reason::Wanted(demand)).await?;
        Ok(current.credential.clone())
    }

    /// Renews the token now, without a person.
    pub async fn refresh(&self) -> Result<Credential, AuthError> {
        let Some(current) = self.inner.load().await? else {
            return Err(AuthError::SignInAgain("there is no token yet".to_owned()));
        };
        let renewed = self.inner.renewed(Some(current.token().clone()), Reason::Forced).await?;
        Ok(renewed.credential.clone())
    }

    /// Forgets the token, here and, where the server can do that, there too. One that cannot be read any more is
    /// forgotten here.
    pub async fn sign_out(&self) -> Result<(), AuthError> {
        let inner = self.inner.clone();
        detached(async move { inner.sign_out().await }).await
    }

    /// Begins a sign-in whose answer will come to `redirect_uri`, which this process or another listens on.
    pub async fn begin(&self, redirect_uri: &str) -> Result<AuthorizationRequest, AuthError> {
        let demand = self.inner.probe().await?;
        self.inner.begin(redirect_uri, &demand).await
    }

    /// Ends a sign-in that was begun for this credential.
    pub async fn finish(&self, answer: Answer) -> Result<Credential, AuthError> {
        let inner = self.inner.clone();
        let current = detached(async move { inner.finish(&answer).await }).await?;
        Ok(current.credential.clone())
    }
}

/// Does something to its end, whether or not anybody still waits for it: a token that was rotated must be
/// written down even when the request that wanted it was cancelled.
async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, AuthError>> + Send + 'static,
) -> Result<T, AuthError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|_| Err(AuthError::Store("the work on a token broke off".to_owned())))
}

impl Inner {
    fn now(&self) -> SystemTime {
        (self.clock)()
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registrar(&self) -> Registrar<'_> {
        Registrar {
            identity: &self.identity,
            guard: &self.guard,
            store: &*self.store,
            clock: &self.clock,
            resource: &self.server,
        }
    }

    /// The token in use, from the store the first time.
    async fn load(&self) -> Result<Option<Arc<Current>>, AuthError> {
        let present = {
            let present = self.present();
            (present.asked, present.current.clone())
        };
        match present {
            (Some(_), current) => Ok(current),
            (None, _) => self.reload().await,
        }
    }

    /// The token as the store has it now.
    async fn reload(&self) -> Result<Option<Arc<Current>>, AuthError> {
        let stored = credential::load::<Credential>(&*self.store, &self.key).await?;
        let mut present = self.present();
        present.asked = Some(self.now());
        let revision = stored.as_ref().map(|stored| stored.revision);
        if present.current.as_ref().map(|current| current.revision) != revision {
            present.current = match stored {
                Some(stored) => {
                    let before = present.current.as_deref();
                    Some(Arc::new(Current::new(stored.record, stored.revision, Source::Store, before)?))
                }
                None => None,
            };
        }
        let current = present.current.clone();
        drop(present);
        self.tell(current.as_deref());
        Ok(current)
    }

    /// What cannot be read would be in the way of what comes in its place.
    async fn make_room(&self) -> Result<(), AuthError> {
        credential::load_or_discard::<Credential>(&*self.store, &self.key).await.map(drop)
    }

    /// Takes what was just written for what is.
    fn hold(&self, current: Option<Arc<Current>>) {
        *self.present() = Present { asked: Some(self.now()), current };
    }

    /// Others change a credential too: whoever signs out, or in as somebody else, in another process. Now and then
    /// it is looked for beside a request, which does not wait for it.
    fn look_around(self: &Arc<Inner>) {
        let now = self.now();
        {
            let mut present = self.present();
            let recent = |asked: SystemTime| now.duration_since(asked).is_ok_and(|age| age < LOOK);
            match present.asked {
                Some(asked) if !recent(asked) => present.asked = Some(now),
                _ => return,
            }
        }
        let inner = self.clone();
        tokio::spawn(async move {
            // Whoever changes it here looks anyway.
            let Ok(_flight) = inner.flight.try_lock() else { return };
            if let Err(error) = inner.reload().await {
                tracing::warn!(%error, "whether a token is still kept cannot be found out");
            }
        });
    }

    fn tell(&self, current: Option<&Current>) {
        let standing = match current {
            Some(current) => {
                AuthStatus::SignedIn { until: current.credential.expires_at.map(clock::from_seconds) }
            }
            None => AuthStatus::SignedOut,
        };
        self.standing.send_if_modified(|present| {
            let over = matches!((&*present, &standing), (AuthStatus::SignInAgain(_), AuthStatus::SignedOut));
            let changes = !over && *present != standing;
            if changes {
                *present = standing;
            }
            changes
        });
    }

    /// A token that is good to use, renewed if it ends soon. `None`: there is none.
    async fn ready(self: &Arc<Inner>) -> Result<Option<Arc<Current>>, AuthError> {
        let Some(current) = self.load().await? else { return Ok(None) };
        let now = self.now();
        if !current.credential.ends_soon(now) || !self.can_renew(&current) {
            return Ok(Some(current).filter(|current| !current.credential.is_over(now)));
        }
        let over = current.credential.is_over(now);
        if !over && !self.attempts().may_renew() {
            return Ok(Some(current));
        }
        match self.renewed(Some(current.token().clone()), Reason::Ahead).await {
            Ok(renewed) => Ok(Some(renewed)),
            Err(error) if !over => {
                tracing::warn!(%error, "a token is not renewed yet");
                Ok(Some(current))
            }
            Err(error) if error.is_temporary() => Err(error),
            // The server will say what it demands now.
            Err(_) => Ok(None),
        }
    }

    fn can_renew(&self, current: &Current) -> bool {
        let alone = !matches!(self.grant, Grant::Person(_) | Grant::Nobody);
        alone || current.credential.refresh_token.is_some()
    }

    async fn authorization(
        self: &Arc<Inner>,
        method: &http::Method,
        url: &Url,
    ) -> Result<HeaderMap, AuthError> {
        // A token is for its server and for nobody else.
        if url.origin() != self.server.origin() {
            return Ok(HeaderMap::new());
        }
        self.look_around();
        match self.ready().await? {
            Some(current) => self.carrying(&current, method, url),
            None => Ok(HeaderMap::new()),
        }
    }

    /// The headers that carry a token.
    fn carrying(&self, current: &Current, method: &http::Method, url: &Url) -> Result<HeaderMap, AuthError> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer(current)?);
        if let (Some(prover), true) = (&current.prover, current.credential.dpop) {
            let proof = prover.proof(method, url, Some(current.token()), self.now())?;
            headers.insert(HeaderName::from_static("dpop"), proof);
        }
        Ok(headers)
    }

    async fn challenged(self: &Arc<Inner>, challenge: Challenge) -> Result<bool, AuthError> {
        let demand = BearerChallenge::read(&challenge.headers);
        let sent = sent_token(&challenge.sent);
        if demand.lacks_nonce() && challenge.sent.contains_key("dpop") {
            // What came with the refusal was noted when it was heard.
            return Ok(challenge.headers.contains_key("dpop-nonce"));
        }
        let prover = self.present().current.as_ref().and_then(|current| current.prover.clone());
        if demand.refuses_proof() && prover.is_some_and(|own| own.note_time(&challenge.headers, self.now())) {
            return Ok(true);
        }
        let reason = match challenge.status {
            StatusCode::UNAUTHORIZED => Reason::Refused(demand),
            _ if demand.lacks_scope() => Reason::StepUp(demand),
            _ => return Ok(false),
        };
        self.renewed(sent, reason).await.map(|_| true)
    }

    fn heard(&self, sent: &HeaderMap, status: StatusCode, headers: &HeaderMap) {
        let Some(current) = self.present().current.clone() else { return };
        if let Some(prover) = &current.prover {
            prover.note(&self.server, headers);
        }
        let taken = status != StatusCode::UNAUTHORIZED;
        if taken
            && !current.proved.load(Ordering::Relaxed)
            && sent_token(sent).as_ref() == Some(current.token())
        {
            current.proved.store(true, Ordering::Relaxed);
        }
    }
}

fn bearer(current: &Current) -> Result<HeaderValue, AuthError> {
    let value = format!("{} {}", current.scheme(), current.token().expose());
    let mut value = HeaderValue::try_from(value).map_err(|_| {
        let issuer = &current.credential.issuer;
        AuthError::Discovery(format!("{issuer} gave a token that no header can hold"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn sent_token(sent: &HeaderMap) -> Option<Secret> {
    let value = sent.get(AUTHORIZATION)?.to_str().ok()?;
    value.split_once(' ').map(|(_, token)| Secret::new(token))
}

impl Authorize for OAuth {
    fn headers(&self, method: &http::Method, url: &Url) -> BoxFuture<'_, loggia::Result<HeaderMap>> {
        let (method, url) = (method.clone(), url.clone());
        Box::pin(async move { Ok(self.inner.authorization(&method, &url).await?) })
    }

    fn challenged(&self, challenge: Challenge) -> BoxFuture<'_, loggia::Result<bool>> {
        Box::pin(async move { Ok(self.inner.challenged(challenge).await?) })
    }

    fn heard(&self, sent: &HeaderMap, status: StatusCode, headers: &HeaderMap) {
        self.inner.heard(sent, status, headers);
    }

    fn context(&self) -> Option<String> {
        let present = self.inner.present();
        let session = present.current.as_ref().map_or("", |current| current.credential.session.as_str());
        Some(format!("{}#{session}", self.inner.key))
    }
}
