//! JSON records in a [`TokenStore`], each with the revision that a later write must name.

use serde::{Deserialize, Serialize};

use super::token_store::{StoredRecord, TokenStore, UNREADABLE};
use crate::error::AuthError;
use crate::secret::Secret;

/// A decoded record with the revision at which it was read.
#[derive(Debug, Clone)]
pub(crate) struct VersionedRecord<T> {
    pub(crate) record: T,
    pub(crate) revision: u64,
}

/// Reads and decodes a record.
pub(crate) async fn load<T: for<'de> Deserialize<'de>>(
    store: &dyn TokenStore,
    key: &str,
) -> Result<Option<VersionedRecord<T>>, AuthError> {
    let Some(StoredRecord { value, revision }) = store.load(key).await? else { return Ok(None) };
    let record = serde_json::from_str(value.expose()).map_err(|error| {
        // The text around the error may be part of a secret, so the message has only the kind of error.
        AuthError::Unreadable(format!("the record {key} cannot be read ({:?})", error.classify()))
    })?;
    Ok(Some(VersionedRecord { record, revision }))
}

/// Removes a record, whether or not it can be read.
pub(crate) async fn discard(store: &dyn TokenStore, key: &str) -> Result<(), AuthError> {
    let revision = match store.load(key).await {
        Ok(None) => return Ok(()),
        Ok(Some(stored)) => stored.revision,
        Err(AuthError::Unreadable(_)) => UNREADABLE,
        Err(error) => return Err(error),
    };
    store.remove(key, revision).await.map(drop)
}

/// Reads a record that can be obtained again. Deletes an unreadable record and returns `None`, so that a new one can
/// be saved.
pub(crate) async fn load_or_discard<T: for<'de> Deserialize<'de>>(
    store: &dyn TokenStore,
    key: &str,
) -> Result<Option<VersionedRecord<T>>, AuthError> {
    match load(store, key).await {
        Err(AuthError::Unreadable(why)) => {
            tracing::warn!(why, "an unreadable record is deleted");
            discard(store, key).await?;
            Ok(None)
        }
        other => other,
    }
}

/// Encodes a record.
pub(crate) fn encode<T: Serialize>(record: &T) -> Result<Secret, AuthError> {
    let text = serde_json::to_string(record);
    text.map(Secret::new).map_err(|error| AuthError::Store(format!("a record cannot be written: {error}")))
}
