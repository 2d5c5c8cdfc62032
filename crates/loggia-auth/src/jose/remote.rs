//! The keys of an issuer elsewhere. They are fetched when they are first needed, kept for a while, and
//! fetched again when a token names a key that is not among them: that is how issuers change keys. Because
//! anybody can name such a key, fetching again is limited in time, and one fetch serves all who wait for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use url::Url;

use super::{Algorithm, JoseError, JwkSet};
use crate::clock::{self, Clock};
use crate::guard::{Fetch, FetchError, RestrictedHttpClient};

/// How long fetched keys are good without asking again.
const FRESH: Duration = Duration::from_secs(15 * 60);
/// How long they are used while they cannot be fetched.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after one fetch the next one may follow.
const PAUSE: Duration = Duration::from_secs(5);

/// What [`KeySource::keys`] gives.
pub type KeysFuture<'a> = Pin<Box<dyn Future<Output = Result<Arc<JwkSet>, JoseError>> + Send + 'a>>;

/// Where the keys of an issuer come from.
pub trait KeySource: Send + Sync + 'static {
    /// The keys, newer ones where the known ones have none for `kid` and `algorithm`.
    fn keys<'a>(&'a self, kid: Option<&'a str>, algorithm: Algorithm) -> KeysFuture<'a>;
}

/// Keys that do not change.
impl KeySource for JwkSet {
    fn keys<'a>(&'a self, _: Option<&'a str>, _: Algorithm) -> KeysFuture<'a> {
        let keys = Arc::new(self.clone());
        Box::pin(async move { Ok(keys) })
    }
}

/// The keys at a URL.
pub struct RemoteKeys {
    url: Url,
    guard: RestrictedHttpClient,
    clock: Clock,
    known: RwLock<Option<Known>>,
    /// The last fetch; held while one runs.
    fetching: Mutex<Option<Fetched>>,
}

/// When a fetch was begun, and why it failed.
struct Fetched {
    at: SystemTime,
    failed: Option<JoseError>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<JwkSet>,
    fetched: SystemTime,
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl RemoteKeys {
    /// The keys that are published at `url`, its issuer's `jwks_uri`.
    pub fn new(url: Url, guard: RestrictedHttpClient) -> RemoteKeys {
        RemoteKeys {
            url,
            guard,
            clock: clock::system(),
            known: RwLock::default(),
            fetching: Mutex::default(),
        }
    }

    /// With another clock. For tests.
    pub fn clock(mut self, clock: Clock) -> RemoteKeys {
        self.clock = clock;
        self
    }

    fn known(&self, younger_than: Duration) -> Option<Known> {
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
        let reply = self.guard.send(Fetch::get(self.url.clone())).await.map_err(JoseError::Keys)?;
        if !reply.status.is_success() {
            return Err(failed(&format!("it answers {}", reply.status)));
        }
        JwkSet::parse(&reply.body).map(Arc::new).map_err(|_| failed("it is not a set of keys"))
    }

    async fn newer(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Arc<JwkSet>, JoseError> {
        let mut last = self.fetching.lock().await;
        // Whoever held the lock before may have brought what is looked for.
        if let Some(known) = self.known(FRESH).filter(|known| has(&known.keys, kid, algorithm)) {
            return Ok(known.keys);
        }
        let stale = self.known(STALE).map(|known| known.keys);
        if let Some(Fetched { at, failed }) = &*last
            && self.age(*at) < PAUSE
        {
            return stale.ok_or_else(|| failed.clone().unwrap_or(JoseError::UnknownKey));
        }
        let at = (self.clock)();
        let fetched = self.fetch().await;
        *last = Some(Fetched { at, failed: fetched.as_ref().err().cloned() });
        match fetched {
            Ok(keys) => {
                let known = Known { keys: keys.clone(), fetched: (self.clock)() };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
                Ok(keys)
            }
            Err(error) => {
                tracing::warn!(%error, "keys were not fetched");
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
