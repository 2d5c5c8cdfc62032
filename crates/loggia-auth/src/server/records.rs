//! The records of the authorization server in its store.
//!
//! Each record's name begins with its kind. A secret is in a name only as its digest, so that a list of the names
//! reveals no secret.

use std::sync::Arc;
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::{self, Clock};
use crate::error::AuthError;
use crate::jose::sha256;
use crate::resource::DpopProof;
use crate::secret::Secret;
use crate::store::TokenStore;

/// A store of JSON records that expire.
#[derive(Clone)]
pub(super) struct RecordStore {
    store: Arc<dyn TokenStore>,
    clock: Clock,
}

/// The value of a record at the revision at which it was read.
pub(super) struct RecordSnapshot<T> {
    pub(super) value: T,
    pub(super) revision: u64,
}

/// A record as it is written. A store may keep expired records, so the record contains its expiry.
#[derive(Serialize, Deserialize)]
struct RecordEnvelope<T> {
    value: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

/// The expiry of a record, without its value.
#[derive(Deserialize)]
struct RecordExpiry {
    #[serde(default)]
    until: Option<u64>,
}

impl RecordStore {
    pub(super) fn new(store: Arc<dyn TokenStore>, clock: Clock) -> RecordStore {
        RecordStore { store, clock }
    }

    /// Returns the name of a record that a secret identifies.
    pub(super) fn hashed_name(kind: &str, secret: &str) -> String {
        format!("{kind}/{}", sha256(secret))
    }

    /// Returns the current time, with which expiries are compared.
    pub(super) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    fn is_expired(&self, until: Option<u64>) -> bool {
        until.is_some_and(|until| until <= clock::seconds(self.now()))
    }

    /// Reads a record; `None` if it does not exist or has expired.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<RecordSnapshot<T>>, AuthError> {
        let Some(stored) = self.store.load(name).await? else { return Ok(None) };
        let RecordEnvelope { value, until } = read(name, &stored.value)?;
        Ok((!self.is_expired(until)).then_some(RecordSnapshot { value, revision: stored.revision }))
    }

    /// Writes a new record. Returns `false` if it exists already.
    pub(super) async fn add(
        &self,
        name: &str,
        value: &impl Serialize,
        until: Option<SystemTime>,
    ) -> Result<bool, AuthError> {
        let text = to_text(value, until)?;
        if self.store.save(name, text.clone(), None, until).await?.is_some() {
            return Ok(true);
        }
        // An expired record counts as absent.
        match self.store.load(name).await? {
            Some(stored) if self.is_expired(read::<RecordExpiry>(name, &stored.value)?.until) => {
                Ok(self.store.save(name, text, Some(stored.revision), until).await?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// Replaces a record. Returns `false` if another request changed it since it was read.
    pub(super) async fn replace(
        &self,
        name: &str,
        value: &impl Serialize,
        revision: u64,
        until: Option<SystemTime>,
    ) -> Result<bool, AuthError> {
        Ok(self.store.save(name, to_text(value, until)?, Some(revision), until).await?.is_some())
    }

    /// Reads and deletes a record. Of several concurrent callers, one gets it.
    pub(super) async fn take<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, AuthError> {
        let Some(found) = self.get(name).await? else { return Ok(None) };
        Ok(self.remove(name, found.revision).await?.then_some(found.value))
    }

    /// Deletes a record at this revision. Returns `false` if it has another one, or does not exist.
    pub(super) async fn remove(&self, name: &str, revision: u64) -> Result<bool, AuthError> {
        self.store.remove(name, revision).await
    }

    /// Returns the number of records of a kind.
    pub(super) async fn count(&self, kind: &str) -> Result<usize, AuthError> {
        Ok(self.store.keys(&format!("{kind}/")).await?.len())
    }

    /// Records a DPoP proof. Returns `false` if any replica has recorded it before.
    pub(super) async fn record_proof(&self, proof: &DpopProof) -> Result<bool, AuthError> {
        proof.record_once(&*self.store, self.now()).await
    }

    /// Returns the names of all records whose names begin with `prefix`.
    pub(super) async fn names_under(&self, prefix: &str) -> Result<Vec<String>, AuthError> {
        self.store.keys(prefix).await
    }

    /// Returns the names of the records of a kind, without the kind.
    pub(super) async fn names(&self, kind: &str) -> Result<Vec<String>, AuthError> {
        let names = self.store.keys(&format!("{kind}/")).await?;
        Ok(names
            .into_iter()
            .filter_map(|name| name.split_once('/').map(|(_, name)| name.to_owned()))
            .collect())
    }
}

fn read<T: DeserializeOwned>(name: &str, value: &Secret) -> Result<T, AuthError> {
    serde_json::from_str(value.expose())
        .map_err(|_| AuthError::Store(format!("the record {name} cannot be read")))
}

fn to_text(value: &impl Serialize, until: Option<SystemTime>) -> Result<Secret, AuthError> {
    let text = serde_json::to_string(&RecordEnvelope { value, until: until.map(clock::seconds) });
    text.map(Secret::new).map_err(|error| AuthError::Store(format!("a record cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::server::testing::TestClock;

    #[tokio::test]
    async fn records_are_added_once_and_expire() {
        let clock = TestClock::new();
        let records = clock.records();
        let expires = Some(clock.now() + Duration::from_secs(10));
        assert!(records.add("a/1", &"one", expires).await.unwrap());
        assert!(!records.add("a/1", &"two", expires).await.unwrap());
        let found = records.get::<String>("a/1").await.unwrap().unwrap();
        assert!(records.replace("a/1", &"two", found.revision, expires).await.unwrap());
        assert!(!records.replace("a/1", &"three", found.revision, expires).await.unwrap(), "changed since");
        assert_eq!(records.names("a").await.unwrap(), ["1"]);
        clock.advance(10);
        assert!(records.get::<String>("a/1").await.unwrap().is_none());
        assert!(records.add("a/1", &"four", None).await.unwrap(), "an expired record counts as none");
        assert_eq!(records.take::<String>("a/1").await.unwrap().as_deref(), Some("four"));
        assert_eq!(records.take::<String>("a/1").await.unwrap(), None);
    }
}
