//! The token families that were revoked recently.
//!
//! An access token is valid by its signature and dates until it expires, so a resource server asks here whether its
//! family was revoked. Revocations of this process are known immediately. Those of other replicas are read from the
//! store: all names together, and not for each request.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use loggia::service::BoxFuture;

use super::records::RecordStore;
use crate::error::AuthError;
use crate::resource::RevocationCheck;

/// Lifetime of a revocation: longer than that of any access token.
const LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);
/// The age at which the names are read again.
const REFRESH_AGE: Duration = Duration::from_secs(5);
/// The age up to which a request uses the names. Above it, the request waits until the names are read.
const MAX_AGE: Duration = Duration::from_secs(10);
/// The maximum number of revocations in memory.
const MAX_KNOWN: usize = 100_000;
const KIND: &str = "ended";

/// The revoked token families.
pub(super) struct RevokedFamilies {
    records: RecordStore,
    names: Mutex<RevokedNames>,
    /// Held by the request that reads the names.
    reader: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct RevokedNames {
    local: HashMap<String, SystemTime>,
    stored: HashSet<String>,
    read_at: Option<SystemTime>,
}

impl RevokedFamilies {
    pub(super) fn new(records: RecordStore) -> RevokedFamilies {
        RevokedFamilies { records, names: Mutex::default(), reader: tokio::sync::Mutex::default() }
    }

    fn names(&self) -> MutexGuard<'_, RevokedNames> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a revocation, for this process and for other replicas.
    pub(super) async fn add(&self, name: &str) -> Result<(), AuthError> {
        let now = self.records.now();
        {
            let mut names = self.names();
            names.local.retain(|_, at| now.duration_since(*at).unwrap_or_default() < LIFETIME);
            if names.local.len() < MAX_KNOWN {
                names.local.insert(name.to_owned(), now);
            }
        }
        self.records.add(&format!("{KIND}/{name}"), &true, Some(now + LIFETIME)).await.map(drop)
    }

    /// Returns whether any replica has revoked a family, according to the store.
    pub(super) async fn contains(&self, name: &str) -> Result<bool, AuthError> {
        Ok(self.records.get::<bool>(&format!("{KIND}/{name}")).await?.is_some())
    }

    /// Returns the age of the names that were read. After the clock was set back, it is unknown.
    fn age(&self) -> Duration {
        let age = self.names().read_at.and_then(|read_at| self.records.now().duration_since(read_at).ok());
        age.unwrap_or(Duration::MAX)
    }

    async fn read(&self) {
        let _reader = match self.reader.try_lock() {
            Ok(reader) => reader,
            Err(_) if self.age() < MAX_AGE => return,
            Err(_) => self.reader.lock().await,
        };
        if self.age() < REFRESH_AGE {
            return;
        }
        let read_at = self.records.now();
        let stored = self.records.names(KIND).await;
        let mut names = self.names();
        names.read_at = Some(read_at);
        match stored {
            Ok(stored) => names.stored = stored.into_iter().take(MAX_KNOWN).collect(),
            // Users stay signed in. A token that another replica revoked is accepted until it expires.
            Err(error) => tracing::warn!(%error, "the revocations of other replicas cannot be read"),
        }
    }
}

impl RevocationCheck for RevokedFamilies {
    /// The `jti` of an access token begins with the name of its family.
    fn is_revoked(&self, jti: &str) -> bool {
        let Some((name, _)) = jti.split_once('.') else { return false };
        let names = self.names();
        names.local.contains_key(name) || names.stored.contains(name)
    }

    fn refresh(&self) -> Option<BoxFuture<'_, ()>> {
        (self.age() >= REFRESH_AGE).then(|| Box::pin(self.read()) as BoxFuture<'_, ()>)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

    use super::*;
    use crate::clock::{self, Clock};
    use crate::secret::Secret;
    use crate::store::{MemoryStore, StoreFuture, StoredRecord, TokenStore};

    /// A store that counts how often its names are read, and can be unavailable.
    #[derive(Default)]
    struct CountingStore {
        store: MemoryStore,
        reads: AtomicUsize,
        is_unavailable: AtomicBool,
    }

    impl TokenStore for CountingStore {
        fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>> {
            self.store.load(key)
        }

        fn save<'a>(
            &'a self,
            key: &'a str,
            value: Secret,
            expected: Option<u64>,
            // Records expire by the clock of the test, which is behind that of the store.
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
            self.reads.fetch_add(1, SeqCst);
            match self.is_unavailable.load(SeqCst) {
                true => Box::pin(std::future::ready(Err(AuthError::Store("it is unavailable".to_owned())))),
                false => self.store.keys(start),
            }
        }
    }

    #[tokio::test]
    async fn names_are_read_at_intervals_and_not_for_each_request() {
        let store = Arc::new(CountingStore::default());
        let time = Arc::new(AtomicU64::new(1_700_000_000));
        let replica = || {
            let time = time.clone();
            let clock: Clock = Arc::new(move || clock::from_seconds(time.load(SeqCst)));
            RevokedFamilies::new(RecordStore::new(store.clone(), clock))
        };
        let (one, other) = (replica(), replica());
        let refuses = async |revoked: &RevokedFamilies| {
            for _ in 0..100 {
                if let Some(refresh) = revoked.refresh() {
                    refresh.await;
                }
            }
            revoked.is_revoked("a.1")
        };
        assert!(!refuses(&other).await);
        assert_eq!(store.reads.load(SeqCst), 1, "a hundred requests, one read");
        one.add("a").await.unwrap();
        assert!(one.is_revoked("a.1") && !one.is_revoked("b.1") && !one.is_revoked("a"));
        assert!(!refuses(&other).await, "not yet");
        time.fetch_add(5, SeqCst);
        assert!(refuses(&other).await);
        assert_eq!(store.reads.load(SeqCst), 2);

        // Unavailable: the known names stay, and the store is read no more often.
        store.is_unavailable.store(true, SeqCst);
        time.fetch_add(3600, SeqCst);
        assert!(refuses(&other).await);
        assert_eq!(store.reads.load(SeqCst), 3);
        // The clock was set back, so the age of the names is unknown.
        store.is_unavailable.store(false, SeqCst);
        time.fetch_sub(7200, SeqCst);
        assert!(refuses(&replica()).await);
        assert!(refuses(&other).await);
        assert_eq!(store.reads.load(SeqCst), 5);
    }
}
