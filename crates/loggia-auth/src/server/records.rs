//! What the authorization server remembers, as records in a store: each under a name that begins with what
//! it is. Whatever stands for a secret is named by its digest, so that the store's names give nothing away.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::{AuthError, TokenStore};
use crate::jose::sha256;
use crate::secret::Secret;

#[derive(Clone)]
pub(super) struct Records(Arc<dyn TokenStore>);

/// A record, and the revision it was read at.
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) revision: u64,
}

impl Records {
    pub(super) fn new(store: Arc<dyn TokenStore>) -> Records {
        Records(store)
    }

    /// The name of a record that stands for a secret.
    pub(super) fn named(kind: &str, secret: &str) -> String {
        format!("{kind}/{}", sha256(secret))
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<Found<T>>, AuthError> {
        let Some(stored) = self.0.load(name).await? else { return Ok(None) };
        match serde_json::from_str(stored.value.expose()) {
            Ok(value) => Ok(Some(Found { value, revision: stored.revision })),
            Err(_) => Err(AuthError::Store(format!("the record {name} cannot be read"))),
        }
    }

    /// Writes a new record; `false` where there is one already.
    pub(super) async fn add(
        &self,
        name: &str,
        value: &impl Serialize,
        until: Option<SystemTime>,
    ) -> Result<bool, AuthError> {
        Ok(self.0.save(name, written(value)?, None, until).await?.is_some())
    }

    /// Replaces a record that nobody changed since it was read; `false` where somebody did.
    pub(super) async fn replace(
        &self,
        name: &str,
        value: &impl Serialize,
        revision: u64,
        until: Option<SystemTime>,
    ) -> Result<bool, AuthError> {
        Ok(self.0.save(name, written(value)?, Some(revision), until).await?.is_some())
    }

    /// Takes a record away. Of several who try, one gets it.
    pub(super) async fn take<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, AuthError> {
        let Some(found) = self.get(name).await? else { return Ok(None) };
        Ok(self.0.remove(name, found.revision).await?.then_some(found.value))
    }

    pub(super) async fn count(&self, kind: &str) -> Result<usize, AuthError> {
        Ok(self.0.keys(&format!("{kind}/")).await?.len())
    }
}

fn written(value: &impl Serialize) -> Result<Secret, AuthError> {
    let text = serde_json::to_string(value);
    text.map(Secret::new).map_err(|error| AuthError::Store(format!("a record cannot be written: {error}")))
}
