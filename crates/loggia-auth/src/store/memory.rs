//! Records in memory, for tests and for programs whose users sign in each time they start.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::token_store::{StoreFuture, StoredRecord, TokenStore};
use crate::secret::Secret;

/// A [`TokenStore`] in memory: the records are lost when the process ends.
#[derive(Default)]
pub struct MemoryStore {
    content: Mutex<MemoryContent>,
}

#[derive(Default)]
struct MemoryContent {
    records: HashMap<String, MemoryRecord>,
    leases: HashMap<String, (String, Instant)>,
    revision: u64,
}

struct MemoryRecord {
    stored: StoredRecord,
    until: Option<SystemTime>,
}

impl MemoryRecord {
    fn is_live(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn content(&self) -> MutexGuard<'_, MemoryContent> {
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
    fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>> {
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
        content
            .records
            .insert(key.to_owned(), MemoryRecord { stored: StoredRecord { value, revision }, until });
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

    /// Callers count records by their keys, so an expired record must not be listed.
    #[tokio::test]
    async fn an_expired_record_has_no_key() {
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
