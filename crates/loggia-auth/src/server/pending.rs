//! Records that a request without authorization creates: unused registrations, and pending sign-ins.
//!
//! Their number is bounded. At the bound, the address with the most records loses its oldest one. So a flood from one
//! address removes its own records, and other clients are not refused.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use serde::Serialize;

use super::records::RecordStore;
use crate::clock;
use crate::error::AuthError;
use crate::jose::sha256;

/// The pending records of one kind.
#[derive(Clone)]
pub(super) struct PendingRecords {
    records: RecordStore,
    kind: &'static str,
    max: usize,
}

/// One pending record, from the name of its index entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PendingEntry {
    record: String,
    /// The digest of the address that the request came from.
    source: String,
    /// Creation time in seconds since the epoch, with leading zeros.
    at: String,
}

impl PendingRecords {
    pub(super) fn new(records: RecordStore, kind: &'static str, max: usize) -> PendingRecords {
        PendingRecords { records, kind, max }
    }

    /// Writes a new record. Returns `false` if there is no room, because all records are in use.
    pub(super) async fn add(
        &self,
        id: &str,
        value: &impl Serialize,
        source: Option<IpAddr>,
        (now, until): (SystemTime, SystemTime),
    ) -> Result<bool, AuthError> {
        if self.records.count(self.kind).await? >= self.max && !self.evict().await? {
            return Ok(false);
        }
        let name = RecordStore::hashed_name(self.kind, id);
        let source = sha256(source.map(|address| address.to_string()).unwrap_or_default());
        let index = format!("{}{source}/{:012}", self.index_of(&name), clock::seconds(now));
        self.records.add(&index, &(), Some(until)).await?;
        self.records.add(&name, value, Some(until)).await?;
        Ok(true)
    }

    /// Marks the record `name` as used or finished, so that it can no longer be evicted.
    pub(super) async fn finish(&self, name: &str) -> Result<(), AuthError> {
        for entry in self.entries(&self.index_of(name)).await? {
            self.remove_entry(&entry).await?;
        }
        Ok(())
    }

    /// Deletes the oldest record of the address that has the most. Returns `false` if there is none.
    async fn evict(&self) -> Result<bool, AuthError> {
        let mut entries = self.entries(&format!("pending-{}/", self.kind)).await?;
        while let Some(entry) = next_to_evict(&entries) {
            entries.retain(|other| *other != entry);
            if self.evict_entry(&entry).await? {
                tracing::info!(kind = self.kind, "too many sign-ins or registrations; the oldest is dropped");
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes a record that is still pending. Another request may have used it since it was listed. Then its index
    /// entry is gone, or the record has another revision.
    async fn evict_entry(&self, entry: &PendingEntry) -> Result<bool, AuthError> {
        let name = self.name_of(entry);
        let found = self.records.get::<serde_json::Value>(&name).await?;
        if !self.remove_entry(entry).await? {
            return Ok(false);
        }
        match found {
            Some(found) => self.records.remove(&name, found.revision).await,
            None => Ok(false),
        }
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<PendingEntry>, AuthError> {
        let names = self.records.names_under(prefix).await?;
        Ok(names.iter().filter_map(|name| PendingEntry::parse(name)).collect())
    }

    /// Deletes an index entry. Returns `false` if another request deleted it.
    async fn remove_entry(&self, entry: &PendingEntry) -> Result<bool, AuthError> {
        let PendingEntry { source, at, .. } = entry;
        let name = format!("{}{source}/{at}", self.index_of(&self.name_of(entry)));
        Ok(self.records.take::<()>(&name).await?.is_some())
    }

    fn name_of(&self, entry: &PendingEntry) -> String {
        format!("{}/{}", self.kind, entry.record)
    }

    /// Returns the beginning of the names of a record's index entry.
    fn index_of(&self, name: &str) -> String {
        format!("pending-{name}/")
    }
}

impl PendingEntry {
    fn parse(name: &str) -> Option<PendingEntry> {
        let mut parts = name.split('/').skip(1).map(str::to_owned);
        Some(PendingEntry { record: parts.next()?, source: parts.next()?, at: parts.next()? })
    }
}

fn next_to_evict(entries: &[PendingEntry]) -> Option<PendingEntry> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    entries.iter().for_each(|entry| *counts.entry(&entry.source).or_default() += 1);
    let most = counts.values().copied().max()?;
    let candidates = entries.iter().filter(|entry| counts[&*entry.source] == most);
    candidates.min_by(|a, b| (&a.at, &a.record).cmp(&(&b.at, &b.record))).cloned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::secret::Secret;
    use crate::store::{MemoryStore, StoreFuture, StoredRecord, TokenStore};

    struct Fixture {
        pending: PendingRecords,
        records: RecordStore,
        now: SystemTime,
    }

    impl Fixture {
        fn new(max: usize) -> Fixture {
            let now = SystemTime::now();
            let records = RecordStore::new(Arc::new(MemoryStore::new()), Arc::new(move || now));
            Fixture { pending: PendingRecords::new(records.clone(), "client", max), records, now }
        }

        /// Adds `id` at a second, from an address that ends in `source`.
        async fn add(&self, id: &str, source: Option<u8>, second: u64) -> bool {
            let source = source.map(|last| IpAddr::from([192, 0, 2, last]));
            let now = self.now + Duration::from_secs(second);
            self.pending.add(id, &id, source, (now, now + Duration::from_secs(3600))).await.unwrap()
        }

        async fn left(&self, ids: &[&str]) -> Vec<String> {
            let mut left = Vec::new();
            for id in ids {
                let found =
                    self.records.get::<String>(&RecordStore::hashed_name("client", id)).await.unwrap();
                left.extend(found.map(|found| found.value));
            }
            left
        }
    }

    /// A record's id, and the end of the address that it comes from.
    type AddedRecord = (&'static str, Option<u8>);

    /// Each line: the added record, and the names of the records afterwards.
    #[tokio::test]
    async fn a_flood_takes_room_from_itself() {
        let table: [(&[AddedRecord], &[&str]); 4] = [
            (
                &[("a1", Some(1)), ("b1", Some(2)), ("a2", Some(1)), ("a3", Some(1)), ("b2", Some(2))],
                &["a3", "b1", "b2"],
            ),
            (&[("a1", Some(1)), ("b1", Some(2)), ("b2", Some(2)), ("c1", Some(3))], &["a1", "b2", "c1"]),
            (&[("a1", Some(1)), ("b1", Some(2)), ("c1", Some(3)), ("d1", Some(4))], &["b1", "c1", "d1"]),
            (&[("n1", None), ("n2", None), ("n3", None), ("n4", None)], &["n2", "n3", "n4"]),
        ];
        for (added, left) in table {
            let fixture = Fixture::new(3);
            for (second, (id, source)) in added.iter().enumerate() {
                assert!(fixture.add(id, *source, second as u64).await, "{id}");
            }
            let mut ids: Vec<&str> = added.iter().map(|(id, _)| *id).collect();
            ids.sort_unstable();
            assert_eq!(fixture.left(&ids).await, left, "{added:?}");
        }
    }

    #[tokio::test]
    async fn records_in_use_are_never_evicted() {
        let fixture = Fixture::new(2);
        assert!(fixture.add("a1", Some(1), 0).await && fixture.add("a2", Some(1), 1).await);
        fixture.pending.finish(&RecordStore::hashed_name("client", "a1")).await.unwrap();
        assert!(fixture.add("b1", Some(2), 2).await);
        assert_eq!(fixture.left(&["a1", "a2", "b1"]).await, ["a1", "b1"]);
        fixture.pending.finish(&RecordStore::hashed_name("client", "b1")).await.unwrap();
        assert!(!fixture.add("c1", Some(3), 3).await, "all are in use");
        assert_eq!(fixture.left(&["a1", "b1", "c1"]).await, ["a1", "b1"]);
    }

    /// The moment of an eviction at which another request puts the record into use.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Moment {
        AfterList,
        AfterIndexRemoval,
    }

    /// A store in which another request puts the client `a1` into use, once, at one moment.
    struct RacingStore {
        store: Arc<MemoryStore>,
        moment: Moment,
        armed: AtomicBool,
        now: SystemTime,
    }

    impl RacingStore {
        fn records(&self, store: Arc<dyn TokenStore>) -> RecordStore {
            let now = self.now;
            RecordStore::new(store, Arc::new(move || now))
        }

        async fn other_request(&self, moment: Moment) -> Result<(), AuthError> {
            if self.moment != moment || !self.armed.swap(false, Ordering::Relaxed) {
                return Ok(());
            }
            let records = self.records(self.store.clone());
            let name = RecordStore::hashed_name("client", "a1");
            PendingRecords::new(records.clone(), "client", 1).finish(&name).await?;
            let found = records.get::<String>(&name).await?.expect("the client is registered");
            assert!(records.replace(&name, &found.value, found.revision, None).await?);
            Ok(())
        }
    }

    impl TokenStore for RacingStore {
        fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>> {
            self.store.load(key)
        }

        fn save<'a>(
            &'a self,
            key: &'a str,
            value: Secret,
            expected: Option<u64>,
            until: Option<SystemTime>,
        ) -> StoreFuture<'a, Option<u64>> {
            self.store.save(key, value, expected, until)
        }

        fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool> {
            Box::pin(async move {
                let removed = self.store.remove(key, expected).await?;
                if key.starts_with("pending-") {
                    self.other_request(Moment::AfterIndexRemoval).await?;
                }
                Ok(removed)
            })
        }

        fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool> {
            self.store.lease(key, holder, time)
        }

        fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
            self.store.release(key, holder)
        }

        fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>> {
            Box::pin(async move {
                let keys = self.store.keys(start).await?;
                if start.starts_with("pending-") {
                    self.other_request(Moment::AfterList).await?;
                }
                Ok(keys)
            })
        }
    }

    #[tokio::test]
    async fn a_record_that_comes_into_use_during_an_eviction_stays() {
        for moment in [Moment::AfterList, Moment::AfterIndexRemoval] {
            let (store, now) = (Arc::new(MemoryStore::new()), SystemTime::now());
            let racing = Arc::new(RacingStore { store, moment, armed: AtomicBool::new(false), now });
            let records = racing.records(racing.clone());
            let pending = PendingRecords::new(records.clone(), "client", 1);
            let times = (now, now + Duration::from_secs(3600));
            assert!(pending.add("a1", &"a1", None, times).await.unwrap(), "{moment:?}");
            racing.armed.store(true, Ordering::Relaxed);
            assert!(
                !pending.add("b1", &"b1", None, times).await.unwrap(),
                "{moment:?}: the client is in use"
            );
            assert!(!racing.armed.load(Ordering::Relaxed), "{moment:?}");
            let kept = records.get::<String>(&RecordStore::hashed_name("client", "a1")).await.unwrap();
            assert!(kept.is_some(), "{moment:?}");
        }
    }
}
