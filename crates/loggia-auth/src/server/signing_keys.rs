//! The keys that sign access tokens.
//!
//! They are kept in the store, so that all replicas sign with the same key. A new key periodically replaces the
//! current one; older keys are published until no token that they signed is valid.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::records::{RecordSnapshot, RecordStore};
use crate::clock;
use crate::error::AuthError;
use crate::jose::{self, Algorithm, JoseError, JwkSet, KeySource, KeysFuture, SigningKey};
use crate::secret::Secret;

const RECORD: &str = "signing-keys";
/// The time that a key signs.
const SIGNING_PERIOD: Duration = Duration::from_secs(60 * 24 * 60 * 60);
/// The time that a key is published after that: longer than any token is valid.
const VERIFYING_PERIOD: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// The age up to which loaded keys are used.
const MAX_AGE: Duration = Duration::from_secs(60);
/// The same for a token with an unknown key, because another replica may have made the key.
const MAX_AGE_UNKNOWN: Duration = Duration::from_secs(2);
/// The maximum number of attempts to write the keys while other replicas write them.
const MAX_ATTEMPTS: usize = 5;

/// The record of all keys.
#[derive(Serialize, Deserialize, Default)]
struct KeysRecord {
    /// Newest first.
    keys: Vec<KeyRecord>,
}

#[derive(Serialize, Deserialize)]
struct KeyRecord {
    #[serde(serialize_with = "Secret::reveal")]
    pkcs8: Secret,
    created: u64,
}

/// Signs access tokens and publishes the keys, with rotation.
pub(super) struct SigningKeys {
    records: RecordStore,
    loaded: RwLock<Option<LoadedKeys>>,
    loading: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct LoadedKeys {
    current: Arc<SigningKey>,
    published: Arc<JwkSet>,
    /// The time at which the current key stops signing.
    rotates_at: SystemTime,
    loaded_at: SystemTime,
}

impl SigningKeys {
    pub(super) fn new(records: RecordStore) -> SigningKeys {
        SigningKeys { records, loaded: RwLock::default(), loading: tokio::sync::Mutex::default() }
    }

    /// Returns the key that signs now.
    pub(super) async fn current(&self) -> Result<Arc<SigningKey>, AuthError> {
        Ok(self.load(MAX_AGE).await?.current)
    }

    /// Returns the keys to publish.
    pub(super) async fn published(&self) -> Result<Arc<JwkSet>, AuthError> {
        Ok(self.load(MAX_AGE).await?.published)
    }

    /// Replaces all keys by a new one, because an attacker may know one. Tokens of the older keys become invalid.
    pub(super) async fn replace(&self) -> Result<(), AuthError> {
        let _loading = self.loading.lock().await;
        self.update(|_, now| Ok(KeysRecord { keys: vec![new_key(now)?] })).await
    }

    async fn load(&self, max_age: Duration) -> Result<LoadedKeys, AuthError> {
        let now = self.records.now();
        let is_usable = |keys: &LoadedKeys| now < keys.rotates_at && age(keys.loaded_at, now) < max_age;
        if let Some(keys) = self.loaded().filter(is_usable) {
            return Ok(keys);
        }
        let _loading = self.loading.lock().await;
        if let Some(keys) = self.loaded().filter(is_usable) {
            return Ok(keys);
        }
        let outcome = self.update(rotate).await;
        match (outcome, self.loaded()) {
            (Ok(()), Some(keys)) => Ok(keys),
            // The loaded keys stay in use while the store is unavailable, so that users stay signed in.
            (Err(error), Some(keys)) if now < keys.rotates_at => {
                tracing::warn!(%error, "the signing keys could not be read again");
                Ok(keys)
            }
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(no_key()),
        }
    }

    fn loaded(&self) -> Option<LoadedKeys> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the keys, changes and writes them, and loads the result. If another replica wrote them meanwhile, starts
    /// again with the keys of that replica.
    async fn update(
        &self,
        change: impl Fn(KeysRecord, SystemTime) -> Result<KeysRecord, AuthError>,
    ) -> Result<(), AuthError> {
        for _ in 0..MAX_ATTEMPTS {
            let now = self.records.now();
            let (record, revision) = match self.records.get::<KeysRecord>(RECORD).await? {
                Some(RecordSnapshot { value, revision }) => (value, Some(revision)),
                None => (KeysRecord::default(), None),
            };
            let before: Vec<u64> = record.keys.iter().map(|key| key.created).collect();
            let record = change(record, now)?;
            let is_same = before.iter().eq(record.keys.iter().map(|key| &key.created));
            let is_written = match revision {
                Some(_) if is_same => true,
                Some(revision) => self.records.replace(RECORD, &record, revision, None).await?,
                None => self.records.add(RECORD, &record, None).await?,
            };
            if is_written {
                let keys = decode_keys(&record, now)?;
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
                return Ok(());
            }
        }
        let why = "the signing keys could not be written: other replicas write them at the same time";
        Err(AuthError::StoreUnavailable(why.to_owned()))
    }
}

fn no_key() -> AuthError {
    AuthError::Store("there is no signing key".to_owned())
}

fn age(time: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(time).unwrap_or_default()
}

/// Adds a key if the newest one no longer signs, and removes the keys that are no longer needed.
fn rotate(mut record: KeysRecord, now: SystemTime) -> Result<KeysRecord, AuthError> {
    let is_older = |key: &KeyRecord, max_age: Duration| age(clock::from_seconds(key.created), now) >= max_age;
    if record.keys.first().is_none_or(|newest| is_older(newest, SIGNING_PERIOD)) {
        record.keys.insert(0, new_key(now)?);
    }
    record.keys.retain(|key| !is_older(key, SIGNING_PERIOD + VERIFYING_PERIOD));
    Ok(record)
}

fn new_key(now: SystemTime) -> Result<KeyRecord, AuthError> {
    let key = SigningKey::generate(Algorithm::Es256)?;
    Ok(KeyRecord { pkcs8: Secret::new(jose::encode(key.to_pkcs8())), created: clock::seconds(now) })
}

fn decode_keys(record: &KeysRecord, now: SystemTime) -> Result<LoadedKeys, AuthError> {
    let decode = |key: &KeyRecord| -> Result<SigningKey, JoseError> {
        SigningKey::from_pkcs8(&jose::decode(key.pkcs8.expose())?, Some(Algorithm::Es256))
    };
    let mut keys = record.keys.iter().map(decode).collect::<Result<Vec<_>, _>>()?.into_iter();
    let newest = keys.next().ok_or_else(no_key)?;
    let mut published = vec![newest.public().clone()];
    published.extend(keys.map(|key| key.public().clone()));
    let created = record.keys.first().map_or(now, |key| clock::from_seconds(key.created));
    Ok(LoadedKeys {
        current: Arc::new(newest),
        published: Arc::new(JwkSet { keys: published }),
        rotates_at: created + SIGNING_PERIOD,
        loaded_at: now,
    })
}

/// A resource server in this process verifies tokens with these keys.
impl KeySource for SigningKeys {
    fn keys<'a>(&'a self, kid: Option<&'a str>, algorithm: Algorithm) -> KeysFuture<'a> {
        Box::pin(async move {
            let published = |keys: Result<LoadedKeys, AuthError>| match keys {
                Ok(keys) => Ok(keys.published),
                Err(error) => {
                    let url = RECORD.to_owned();
                    Err(JoseError::Keys(crate::restricted_http::FetchError::Failed {
                        url,
                        why: error.to_string(),
                    }))
                }
            };
            let known = published(self.load(MAX_AGE).await)?;
            if known.candidates(kid, algorithm).next().is_some() {
                return Ok(known);
            }
            published(self.load(MAX_AGE_UNKNOWN).await)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::TestClock;

    const DAY: u64 = 24 * 60 * 60;

    /// Each line: a pause, and the number of published keys and of key changes since the start.
    #[tokio::test]
    async fn keys_rotate_and_stay_published_while_their_tokens_are_valid() {
        let clock = TestClock::new();
        let keys = SigningKeys::new(clock.records());
        let mut seen = Vec::new();
        for (pause, published, changes) in [(0, 1, 0), (59 * DAY, 1, 0), (DAY, 2, 1), (2 * DAY, 1, 1)] {
            clock.advance(pause);
            let current = keys.current().await.unwrap().public().thumbprint();
            if seen.last() != Some(&current) {
                seen.push(current);
            }
            let found = (keys.published().await.unwrap().keys.len(), seen.len() - 1);
            assert_eq!(found, (published, changes), "after {pause} s");
        }
        keys.replace().await.unwrap();
        assert_ne!(seen.last(), Some(&keys.current().await.unwrap().public().thumbprint()));
        assert_eq!(keys.published().await.unwrap().keys.len(), 1);
    }
}
