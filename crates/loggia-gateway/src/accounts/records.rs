//! The records of accounts in the vault: JSON records of the sign-in pages, and the token store of one user at one
//! connector. They do not know the rules of links and sign-ins. Invariant: the vault seals each record.

use std::time::{Duration, SystemTime};

use loggia_auth::error::AuthError;
use loggia_auth::secret::Secret;
use loggia_auth::store::{StoreFuture, StoredRecord, TokenStore};
use loggia_store::Namespace;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Records of the sign-in pages, as JSON.
pub(super) struct JsonRecords(Namespace);

impl JsonRecords {
    pub(super) fn new(records: Namespace) -> JsonRecords {
        JsonRecords(records)
    }

    /// Deletes a record; `false` if it has another revision.
    pub(super) async fn remove(&self, name: &str, revision: u64) -> Result<bool, AuthError> {
        self.0.remove(name, revision).await
    }

    /// Returns a record and its revision.
    pub(super) async fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<(T, u64)>, AuthError> {
        let Some(stored) = self.0.load(name).await? else { return Ok(None) };
        let record = serde_json::from_str(stored.value.expose())
            .map_err(|_| AuthError::Store(format!("the record {name} cannot be read")))?;
        Ok(Some((record, stored.revision)))
    }

    /// Saves a record until a time; `false` if its revision is another than expected.
    pub(super) async fn save<T: Serialize>(
        &self,
        name: &str,
        record: &T,
        expected: Option<u64>,
        until: SystemTime,
    ) -> Result<bool, AuthError> {
        let text = serde_json::to_string(record).map_err(|error| AuthError::Store(error.to_string()))?;
        Ok(self.0.save(name, Secret::new(text), expected, Some(until)).await?.is_some())
    }
}

/// The records of one user at one connector. All users share the client registrations, so that the gateway registers
/// once.
pub(super) struct SplitStore {
    user: Namespace,
    clients: Namespace,
}

impl SplitStore {
    pub(super) fn new(user: Namespace, clients: Namespace) -> SplitStore {
        SplitStore { user, clients }
    }

    fn of(&self, key: &str) -> &Namespace {
        match key.starts_with("client/") || key.starts_with("bound/") {
            true => &self.clients,
            false => &self.user,
        }
    }
}

impl TokenStore for SplitStore {
    fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>> {
        self.of(key).load(key)
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        value: Secret,
        expected: Option<u64>,
        until: Option<SystemTime>,
    ) -> StoreFuture<'a, Option<u64>> {
        self.of(key).save(key, value, expected, until)
    }

    fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool> {
        self.of(key).remove(key, expected)
    }

    fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool> {
        self.of(key).lease(key, holder, time)
    }

    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
        self.of(key).release(key, holder)
    }

    fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>> {
        self.of(start).keys(start)
    }
}
