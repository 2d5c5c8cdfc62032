//! What the authorization server remembers, as records in a store: each under a name that begins with what
//! it is. Whatever stands for a secret is named by its digest, so that the store's names give nothing away.

use std::sync::Arc;
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::{self, Clock};
use crate::error::AuthError;
use crate::jose::sha256;
use crate::resource::Proof;
use crate::secret::Secret;
use crate::store::TokenStore;

#[derive(Clone)]
pub(super) struct Records {
    store: Arc<dyn TokenStore>,
    clock: Clock,
}

/// A record, and the revision it was read at.
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) revision: u64,
}

/// A record as it is written. A store may forget what has ended, but need not: so the end is in it.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    value: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

/// Only the end of a record.
#[derive(Deserialize)]
struct Ends {
    #[serde(default)]
    until: Option<u64>,
}

impl Records {
    pub(super) fn new(store: Arc<dyn TokenStore>, clock: Clock) -> Records {
        Records { store, clock }
    }

    /// The name of a record that stands for a secret.
    pub(super) fn named(kind: &str, secret: &str) -> String {
        format!("{kind}/{}", sha256(secret))
    }

    fn is_over(&self, until: Option<u64>) -> bool {
        until.is_some_and(|until| until <= clock::seconds((self.clock)()))
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<Found<T>>, AuthError> {
        let Some(stored) = self.store.load(name).await? else { return Ok(None) };
        let Kept { value, until } = read(name, &stored.value)?;
        Ok((!self.is_over(until)).then_some(Found { value, revision: stored.revision }))
    }

    /// Writes a new record; `false` where there is one already.
    pub(super) async fn add(
        &self,
        name: &str,
        value: &impl Serialize,
        until: Option<SystemTime>,
    ) -> Result<bool, AuthError> {
        let text = written(value, until)?;
        if self.store.save(name, text.clone(), None, until).await?.is_some() {
            return Ok(true);
        }
        // One that has ended is as good as none.
        match self.store.load(name).await? {
            Some(stored) if self.is_over(read::<Ends>(name, &stored.value)?.until) => {
                Ok(self.store.save(name, text, Some(stored.revision), until).await?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// Replaces a record that nobody changed since it was read; `false` where somebody did.
    pub(super) async fn replace(
        &self,
        name: &str,
        value: &impl Serialize,
        revision: u64,
        until: Option<SystemTime>,
    ) -> Result<bool, AuthError> {
        Ok(self.store.save(name, written(value, until)?, Some(revision), until).await?.is_some())
    }

    /// Takes a record away. Of several who try, one gets it.
    pub(super) async fn take<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, AuthError> {
        let Some(found) = self.get(name).await? else { return Ok(None) };
        Ok(self.remove(name, found.revision).await?.then_some(found.value))
    }

    /// Deletes a record that has this revision. Returns `false` where it has another one, or is gone.
    pub(super) async fn remove(&self, name: &str, revision: u64) -> Result<bool, AuthError> {
        self.store.remove(name, revision).await
    }

    pub(super) async fn count(&self, kind: &str) -> Result<usize, AuthError> {
        Ok(self.store.keys(&format!("{kind}/")).await?.len())
    }

    /// Whether a proof is shown for the first time, to any replica.
    pub(super) async fn is_new(&self, proof: &Proof, now: SystemTime) -> Result<bool, AuthError> {
        proof.count_once(&*self.store, now).await
    }

    /// Returns the names of all records whose names begin like this.
    pub(super) async fn names_under(&self, prefix: &str) -> Result<Vec<String>, AuthError> {
        self.store.keys(prefix).await
    }

    /// What the records of a kind are named for.
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

fn written(value: &impl Serialize, until: Option<SystemTime>) -> Result<Secret, AuthError> {
    let text = serde_json::to_string(&Kept { value, until: until.map(clock::seconds) });
    text.map(Secret::new).map_err(|error| AuthError::Store(format!("a record cannot be written: {error}")))
}
