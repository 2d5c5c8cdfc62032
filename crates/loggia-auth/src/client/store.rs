//! Where tokens are kept.
//!
//! A refresh token that is rotated exists once: whoever uses an old one signs the person out. So a store
//! does not only keep records. It writes one only where nobody else wrote in between, and it lends the right
//! to renew a record to one holder at a time, across tasks, processes and replicas.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use loggia::service::BoxFuture;
use tokio::time::Instant;

use super::AuthError;
use crate::secret::Secret;

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The record. It holds secrets: a store on a disk or in a database encrypts it, or keeps it from
    /// everybody else's eyes.
    pub value: Secret,
    /// Grows with every write.
    pub revision: u64,
}

/// What a store answers.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, AuthError>>;

/// The revision of a record that is there and cannot be read.
pub const UNREADABLE: u64 = 0;

/// Keeps records by name.
pub trait TokenStore: Send + Sync + 'static {
    /// Reads a record.
    fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Stored>>;

    /// Writes a record whole or not at all, if it still has the revision `expected` (`None`: if there is
    /// none). The answer is its new revision, or `None` where somebody else wrote in between. When this
    /// returns the record is safe from a crash. After `until`, where it is given, it may be forgotten.
    fn save<'a>(
        &'a self,
        key: &'a str,
        value: Secret,
        expected: Option<u64>,
        until: Option<SystemTime>,
    ) -> StoreFuture<'a, Option<u64>>;

    /// Removes a record if it still has the revision `expected`. One of several who try gets `true`. A record that
    /// cannot be loaded because it is damaged has the revision [`UNREADABLE`].
    fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool>;

    /// Lends the right to change a record, for a time. `false`: somebody else has it. Whoever has it
    /// already has it for longer.
    fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool>;

    /// Gives the right back.
    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()>;

    /// The names of the records that begin with a text.
    fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>>;
}

/// Keeps records as long as the process lives.
#[derive(Default)]
pub struct MemoryStore {
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    records: HashMap<String, Kept>,
    leases: HashMap<String, (String, Instant)>,
    revision: u64,
}

struct Kept {
    stored: Stored,
    until: Option<SystemTime>,
}

impl Kept {
    fn is_live(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").field("records", &self.content().records.len()).finish()
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> StoreFuture<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl TokenStore for MemoryStore {
    fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Stored>> {
        ready(self.content().records.get(key).map(|kept| kept.stored.clone()))
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        value: Secret,
        expected: Option<u64>,
        until: Option<SystemTime>,
    ) -> StoreFuture<'a, Option<u64>> {
        let mut content = self.content();
        let now = SystemTime::now();
        content.records.retain(|_, kept| kept.is_live(now));
        if content.records.get(key).map(|kept| kept.stored.revision) != expected {
            return ready(None);
        }
        content.revision += 1;
        let revision = content.revision;
        content.records.insert(key.to_owned(), Kept { stored: Stored { value, revision }, until });
        ready(Some(revision))
    }

    fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool> {
        let mut content = self.content();
        let same = content.records.get(key).is_some_and(|kept| kept.stored.revision == expected);
        if same {
            content.records.remove(key);
        }
        ready(same)
    }

    fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool> {
        let mut content = self.content();
        let now = Instant::now();
        let taken = content.leases.get(key).is_some_and(|(other, until)| other != holder && *until > now);
        if !taken {
            content.leases.insert(key.to_owned(), (holder.to_owned(), now + time));
        }
        ready(!taken)
    }

    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
        let mut content = self.content();
        if content.leases.get(key).is_some_and(|(other, _)| other == holder) {
            content.leases.remove(key);
        }
        ready(())
    }

    fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>> {
        let now = SystemTime::now();
        let content = self.content();
        let live = content.records.iter().filter(|(_, kept)| kept.is_live(now));
        let mut keys: Vec<String> =
            live.map(|(key, _)| key).filter(|key| key.starts_with(start)).cloned().collect();
        keys.sort();
        ready(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What counts records must not count those that are over.
    #[tokio::test]
    async fn a_record_that_is_over_has_no_key() {
        let store = MemoryStore::new();
        let now = SystemTime::now();
        let times =
            [("a/over", Some(now)), ("a/later", Some(now + Duration::from_secs(3600))), ("a/ever", None)];
        for (key, until) in times {
            store.save(key, Secret::new("x"), None, until).await.unwrap();
        }
        assert_eq!(store.keys("a/").await.unwrap(), ["a/ever", "a/later"]);
    }
}
