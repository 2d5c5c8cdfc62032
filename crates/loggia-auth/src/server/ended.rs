//! The sign-ins that ended lately: access tokens of theirs are good by signature and date, and are refused all the
//! same. What this process ends it knows at once; what other replicas end it reads from the store, all names
//! at a time, and not for every request.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use loggia::service::BoxFuture;

use super::records::Records;
use crate::clock::Clock;
use crate::error::AuthError;
use crate::resource::RevocationCheck;

/// How long they are remembered: an access token lasts an hour at most.
const REMEMBERED: Duration = Duration::from_secs(2 * 60 * 60);
/// How long what the store said is good enough for everybody.
const RECENT: Duration = Duration::from_secs(5);
/// How long it is good enough for those who would have to wait for somebody else's question.
const LATEST: Duration = Duration::from_secs(10);
/// Most that are remembered.
const MOST: usize = 100_000;
const KIND: &str = "ended";

/// What is known of them.
pub(super) struct Ended {
    records: Records,
    clock: Clock,
    known: Mutex<Known>,
    /// Who asks the store.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    here: HashMap<String, SystemTime>,
    everywhere: HashSet<String>,
    asked: Option<SystemTime>,
}

impl Ended {
    pub(super) fn new(records: Records, clock: Clock) -> Ended {
        Ended { records, clock, known: Mutex::default(), flight: tokio::sync::Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers one, here and for the other replicas.
    pub(super) async fn remember(&self, name: &str, now: SystemTime) -> Result<(), AuthError> {
        {
            let mut known = self.known();
            known.here.retain(|_, at| now.duration_since(*at).unwrap_or_default() < REMEMBERED);
            if known.here.len() < MOST {
                known.here.insert(name.to_owned(), now);
            }
        }
        self.records.add(&format!("{KIND}/{name}"), &true, Some(now + REMEMBERED)).await.map(drop)
    }

    /// Whether one is remembered by any replica.
    pub(super) async fn holds(&self, name: &str) -> Result<bool, AuthError> {
        Ok(self.records.get::<bool>(&format!("{KIND}/{name}")).await?.is_some())
    }

    /// How long ago the store was asked. A clock that was set back says nothing.
    fn age(&self) -> Duration {
        let age = self.known().asked.and_then(|asked| (self.clock)().duration_since(asked).ok());
        age.unwrap_or(Duration::MAX)
    }

    async fn learn(&self) {
        let _flight = match self.flight.try_lock() {
            Ok(flight) => flight,
            Err(_) if self.age() < LATEST => return,
            Err(_) => self.flight.lock().await,
        };
        if self.age() < RECENT {
            return;
        }
        let asked = (self.clock)();
        let names = self.records.names(KIND).await;
        let mut known = self.known();
        known.asked = Some(asked);
        match names {
            Ok(names) => known.everywhere = names.into_iter().take(MOST).collect(),
            // Whoever signed in goes on; what was revoked elsewhere ends with its date.
            Err(error) => tracing::warn!(%error, "which sign-ins ended elsewhere cannot be read"),
        }
    }
}

impl RevocationCheck for Ended {
    /// The `jti` of an access token begins with its sign-in's name.
    fn is_withdrawn(&self, jti: &str) -> bool {
        let Some((name, _)) = jti.split_once('.') else { return false };
        let known = self.known();
        known.here.contains_key(name) || known.everywhere.contains(name)
    }

    fn catch_up(&self) -> Option<BoxFuture<'_, ()>> {
        (self.age() >= RECENT).then(|| Box::pin(self.learn()) as BoxFuture<'_, ()>)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

    use super::*;
    use crate::clock;
    use crate::secret::Secret;
    use crate::store::{MemoryStore, StoreFuture, StoredRecord, TokenStore};

    /// A store that counts how often its names are asked for, and can be out of reach.
    #[derive(Default)]
    struct Counting {
        store: MemoryStore,
        asked: AtomicUsize,
        is_gone: AtomicBool,
    }

    impl TokenStore for Counting {
        fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>> {
            self.store.load(key)
        }

        fn save<'a>(
            &'a self,
            key: &'a str,
            value: Secret,
            expected: Option<u64>,
            // The records of the test end by its own clock, which is behind the store's.
            _: Option<SystemTime>,
        ) -> StoreFuture<'a, Option<u64>> {
            self.store.save(key, value, expected, None)
        }

        fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool> {
            self.store.remove(key, expected)
        }

        fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool> {
            self.store.lease(key, holder, time)
        }

        fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
            self.store.release(key, holder)
        }

        fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>> {
            self.asked.fetch_add(1, SeqCst);
            match self.is_gone.load(SeqCst) {
                true => Box::pin(std::future::ready(Err(AuthError::Store("it is gone".to_owned())))),
                false => self.store.keys(start),
            }
        }
    }

    #[tokio::test]
    async fn the_store_is_asked_now_and_then_and_not_for_every_request() {
        let store = Arc::new(Counting::default());
        let time = Arc::new(AtomicU64::new(1_700_000_000));
        let replica = || {
            let time = time.clone();
            let clock: Clock = Arc::new(move || clock::from_seconds(time.load(SeqCst)));
            Ended::new(Records::new(store.clone(), clock.clone()), clock)
        };
        let (one, other) = (replica(), replica());
        let refuses = async |ended: &Ended| {
            for _ in 0..100 {
                if let Some(catching_up) = ended.catch_up() {
                    catching_up.await;
                }
            }
            ended.is_withdrawn("a.1")
        };
        assert!(!refuses(&other).await);
        assert_eq!(store.asked.load(SeqCst), 1, "a hundred requests, one question");
        one.remember("a", clock::from_seconds(time.load(SeqCst))).await.unwrap();
        assert!(one.is_withdrawn("a.1") && !one.is_withdrawn("b.1") && !one.is_withdrawn("a"));
        assert!(!refuses(&other).await, "not yet");
        time.fetch_add(5, SeqCst);
        assert!(refuses(&other).await);
        assert_eq!(store.asked.load(SeqCst), 2);

        // Out of reach: what is known stays known, and it is asked no more often.
        store.is_gone.store(true, SeqCst);
        time.fetch_add(3600, SeqCst);
        assert!(refuses(&other).await);
        assert_eq!(store.asked.load(SeqCst), 3);
        // Set back: the clock says nothing of how old that is.
        store.is_gone.store(false, SeqCst);
        time.fetch_sub(7200, SeqCst);
        assert!(refuses(&replica()).await);
        assert!(refuses(&other).await);
        assert_eq!(store.asked.load(SeqCst), 5);
    }
}
