//! The keys of an issuer at another server: fetched when they are first needed, cached, and fetched again when a token
//! names an unknown key, because issuers change keys.
//!
//! Any caller can send a token with an unknown key. Invariant: keys are fetched at most once in five seconds, and all
//! callers that wait share one fetch.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use url::Url;

use super::algorithm::Algorithm;
use super::error::JoseError;
use super::jwk::JwkSet;
use crate::clock::{self, Clock};
use crate::restricted_http::{FetchError, FetchRequest, RestrictedHttpClient};

/// The time that fetched keys are used before they are fetched again.
const FRESH: Duration = Duration::from_secs(15 * 60);
/// The time that fetched keys are used while fetching fails.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// The least time between two fetches.
const PAUSE: Duration = Duration::from_secs(5);

/// The future of [`KeySource::keys`].
pub type KeysFuture<'a> = Pin<Box<dyn Future<Output = Result<Arc<JwkSet>, JoseError>> + Send + 'a>>;

/// A source of an issuer's keys.
pub trait KeySource: Send + Sync + 'static {
    /// Returns the keys. Fetches them again if no cached key matches `kid` and `algorithm`.
    fn keys<'a>(&'a self, kid: Option<&'a str>, algorithm: Algorithm) -> KeysFuture<'a>;
}

/// A fixed set of keys.
impl KeySource for JwkSet {
    fn keys<'a>(&'a self, _: Option<&'a str>, _: Algorithm) -> KeysFuture<'a> {
        let keys = Arc::new(self.clone());
        Box::pin(async move { Ok(keys) })
    }
}

/// The keys at a URL, cached.
pub struct RemoteKeys {
    url: Url,
    http: RestrictedHttpClient,
    clock: Clock,
    known: RwLock<Option<CachedKeys>>,
    /// The last fetch; held while one runs.
    fetching: Mutex<Option<LastFetch>>,
}

/// The start of the last fetch, and its error.
struct LastFetch {
    at: SystemTime,
    failed: Option<JoseError>,
}

#[derive(Clone)]
struct CachedKeys {
    keys: Arc<JwkSet>,
    fetched: SystemTime,
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl RemoteKeys {
    /// Creates the keys at `url`, the `jwks_uri` of their issuer.
    pub fn new(url: Url, http: RestrictedHttpClient) -> RemoteKeys {
        RemoteKeys { url, http, clock: clock::system(), known: RwLock::default(), fetching: Mutex::default() }
    }

    /// Sets the clock, for tests.
    pub fn clock(mut self, clock: Clock) -> RemoteKeys {
        self.clock = clock;
        self
    }

    fn known(&self, younger_than: Duration) -> Option<CachedKeys> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|known| self.age(known.fetched) < younger_than)
    }

    fn age(&self, time: SystemTime) -> Duration {
        (self.clock)().duration_since(time).unwrap_or_default()
    }

    async fn fetch(&self) -> Result<Arc<JwkSet>, JoseError> {
        let failed = |why: &str| {
            JoseError::Keys(FetchError::Failed { url: self.url.as_str().to_owned(), why: why.to_owned() })
        };
        let reply = self.http.send(FetchRequest::get(self.url.clone())).await.map_err(JoseError::Keys)?;
        if !reply.status.is_success() {
            return Err(failed(&format!("it answers {}", reply.status)));
        }
        JwkSet::parse(&reply.body).map(Arc::new).map_err(|_| failed("it is not a set of keys"))
    }

    async fn newer(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Arc<JwkSet>, JoseError> {
        let mut last = self.fetching.lock().await;
        // The last holder of the lock may have fetched the key.
        if let Some(known) = self.known(FRESH).filter(|known| has(&known.keys, kid, algorithm)) {
            return Ok(known.keys);
        }
        let stale = self.known(STALE).map(|known| known.keys);
        if let Some(LastFetch { at, failed }) = &*last
            && self.age(*at) < PAUSE
        {
            return stale.ok_or_else(|| failed.clone().unwrap_or(JoseError::UnknownKey));
        }
        let at = (self.clock)();
        let fetched = self.fetch().await;
        *last = Some(LastFetch { at, failed: fetched.as_ref().err().cloned() });
        match fetched {
            Ok(keys) => {
                let known = CachedKeys { keys: keys.clone(), fetched: (self.clock)() };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
                Ok(keys)
            }
            Err(error) => {
                tracing::warn!(%error, "the keys of an issuer cannot be fetched");
                stale.ok_or(error)
            }
        }
    }
}

fn has(keys: &JwkSet, kid: Option<&str>, algorithm: Algorithm) -> bool {
    keys.candidates(kid, algorithm).next().is_some()
}

impl KeySource for RemoteKeys {
    fn keys<'a>(&'a self, kid: Option<&'a str>, algorithm: Algorithm) -> KeysFuture<'a> {
        Box::pin(async move {
            match self.known(FRESH) {
                Some(known) if has(&known.keys, kid, algorithm) => Ok(known.keys),
                _ => self.newer(kid, algorithm).await,
            }
        })
    }
}
