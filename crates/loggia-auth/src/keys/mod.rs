//! Static API keys, for scripts that cannot sign in.
//!
//! A key has scopes, may expire, and can be revoked. Invariant: only the digest of a key is stored, so the key is
//! shown once, when it is created.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::clock;
use crate::error::AuthError;
use crate::jose::{random, sha256};
use crate::secret::Secret;
use crate::store::TokenStore;

/// The beginning of each key, by which users and scanners for leaked secrets recognise it.
const PREFIX: &str = "lgk_";
/// The beginning of the names of the records.
const RECORD: &str = "api-key/";
/// The maximum number of keys.
const MAX_KEYS: usize = 10_000;
/// The time that cached keys are used. After it, a key that another replica revoked is refused.
const FRESH: Duration = Duration::from_secs(10);
/// The least time between two reads of the store for unknown keys.
const PAUSE: Duration = Duration::from_secs(1);

/// The record of an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// The id of the key, which is its public part.
    pub id: String,
    /// The digest of the key.
    pub digest: String,
    /// The owner.
    pub subject: String,
    /// The purpose, in the owner's words.
    pub label: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The time of creation, in seconds since 1970.
    pub created: u64,
    /// The expiry, in seconds since 1970.
    pub expires: Option<u64>,
    /// The time of revocation, in seconds since 1970.
    pub revoked: Option<u64>,
}

/// The reason why an API key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiKeyError {
    /// The key is not valid.
    Invalid(&'static str),
    /// The key cannot be checked now; a retry may help.
    Unavailable(String),
    /// The key cannot be checked until the operator has repaired the store.
    Failed(String),
}

impl fmt::Display for ApiKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApiKeyError::Invalid(why) => f.write_str(why),
            ApiKeyError::Unavailable(why) => write!(f, "the API key cannot be checked now: {why}"),
            ApiKeyError::Failed(why) => write!(f, "the API key cannot be checked: {why}"),
        }
    }
}

impl std::error::Error for ApiKeyError {}

/// The properties of a new key.
#[derive(Debug, Clone, Default)]
pub struct NewApiKey {
    /// The owner.
    pub subject: String,
    /// The purpose.
    pub label: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The expiry.
    pub expires: Option<SystemTime>,
}

/// The API keys in a store, cached in memory, so that a request does not read the store.
pub struct ApiKeys {
    store: Arc<dyn TokenStore>,
    cache: RwLock<KeyCache>,
    loading: tokio::sync::Mutex<()>,
}

#[derive(Default, Clone)]
struct KeyCache {
    keys: Arc<HashMap<String, ApiKey>>,
    loaded: Option<SystemTime>,
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").finish_non_exhaustive()
    }
}

impl ApiKeys {
    /// Creates the set of keys in a store.
    pub fn new(store: Arc<dyn TokenStore>) -> ApiKeys {
        ApiKeys { store, cache: RwLock::default(), loading: tokio::sync::Mutex::default() }
    }

    /// Creates a key. Returns its record and the key itself, which is not stored.
    pub async fn create(&self, new: NewApiKey, now: SystemTime) -> Result<(ApiKey, Secret), AuthError> {
        let id = random(9).replace(['-', '_'], "0");
        let secret = format!("{PREFIX}{id}_{}", random(32));
        let key = ApiKey {
            digest: sha256(&secret),
            id,
            subject: new.subject,
            label: new.label,
            scopes: new.scopes,
            created: clock::seconds(now),
            expires: new.expires.map(clock::seconds),
            revoked: None,
        };
        if self.store.keys(RECORD).await?.len() >= MAX_KEYS {
            return Err(AuthError::Store(format!("there are {MAX_KEYS} API keys; revoke and forget some")));
        }
        self.store.save(&record(&key.id), written(&key)?, None, None).await?;
        self.load(now).await?;
        Ok((key, Secret::new(secret)))
    }

    /// Returns all keys, oldest first.
    pub async fn list(&self) -> Result<Vec<ApiKey>, AuthError> {
        let mut keys = self.stored().await?;
        keys.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(keys)
    }

    /// Revokes a key. Returns whether it exists. This process refuses it immediately, others within ten seconds.
    pub async fn revoke(&self, id: &str, now: SystemTime) -> Result<bool, AuthError> {
        let found = self.mark(id, clock::seconds(now)).await?;
        self.load(now).await?;
        Ok(found)
    }

    async fn mark(&self, id: &str, now: u64) -> Result<bool, AuthError> {
        for _ in 0..10 {
            let Some(stored) = self.store.load(&record(id)).await? else { return Ok(false) };
            let mut key = read(&stored.value)?;
            key.revoked.get_or_insert(now);
            if self.store.save(&record(id), written(&key)?, Some(stored.revision), None).await?.is_some() {
                return Ok(true);
            }
        }
        Err(AuthError::StoreUnavailable("the API key is changed by too many at once".to_owned()))
    }

    /// Revokes all keys of an owner. Returns their number.
    pub async fn revoke_all(&self, subject: &str, now: SystemTime) -> Result<usize, AuthError> {
        let mut revoked = 0;
        for key in self.stored().await?.iter().filter(|key| key.subject == subject && key.revoked.is_none()) {
            revoked += usize::from(self.mark(&key.id, clock::seconds(now)).await?);
        }
        self.load(now).await?;
        Ok(revoked)
    }

    /// Deletes a key. Returns whether it existed.
    pub async fn forget(&self, id: &str, now: SystemTime) -> Result<bool, AuthError> {
        let Some(stored) = self.store.load(&record(id)).await? else { return Ok(false) };
        let removed = self.store.remove(&record(id), stored.revision).await?;
        self.load(now).await?;
        Ok(removed)
    }

    async fn stored(&self) -> Result<Vec<ApiKey>, AuthError> {
        let mut keys = Vec::new();
        for name in self.store.keys(RECORD).await? {
            let Some(stored) = self.store.load(&name).await? else { continue };
            match read(&stored.value) {
                Ok(key) => keys.push(key),
                // A damaged key is not valid, and must not disable the others.
                Err(error) => tracing::error!(name, %error, "an API key is left out"),
            }
        }
        Ok(keys)
    }

    /// Returns whether a text has the form of a key.
    pub fn is_key(&self, token: &str) -> bool {
        token.starts_with(PREFIX)
    }

    /// Returns the record of a valid key.
    pub async fn verify(&self, key: &str, now: SystemTime) -> Result<ApiKey, ApiKeyError> {
        let invalid = ApiKeyError::Invalid;
        let id = key.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let (id, _) = id.ok_or_else(|| invalid("It is not an API key"))?;
        let known = self.find(id, now).await?.ok_or_else(|| invalid("There is no such API key"))?;
        if !bool::from(known.digest.as_bytes().ct_eq(sha256(key).as_bytes())) {
            return Err(invalid("There is no such API key"));
        }
        let now = clock::seconds(now);
        if known.revoked.is_some() {
            return Err(invalid("The API key was revoked"));
        }
        if known.expires.is_some_and(|expires| now >= expires) {
            return Err(invalid("The API key has expired"));
        }
        Ok(known)
    }

    async fn find(&self, id: &str, now: SystemTime) -> Result<Option<ApiKey>, ApiKeyError> {
        let known = self.cached();
        let age = known.loaded.map(|loaded| now.duration_since(loaded).unwrap_or_default());
        let limit = if known.keys.contains_key(id) { FRESH } else { PAUSE };
        if age.is_some_and(|age| age < limit) {
            return Ok(known.keys.get(id).cloned());
        }
        let _alone = self.loading.lock().await;
        // The last holder of the lock may have loaded the keys.
        let current = self.cached();
        let current = match current.loaded == known.loaded {
            true => self.load(now).await.map_err(unverified)?,
            false => current,
        };
        Ok(current.keys.get(id).cloned())
    }

    fn cached(&self) -> KeyCache {
        self.cache.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn load(&self, now: SystemTime) -> Result<KeyCache, AuthError> {
        let keys = self.stored().await?;
        let keys = keys.into_iter().map(|key| (key.id.clone(), key)).collect();
        let cache = KeyCache { keys: Arc::new(keys), loaded: Some(now) };
        *self.cache.write().unwrap_or_else(PoisonError::into_inner) = cache.clone();
        Ok(cache)
    }
}

/// Logs why the keys cannot be read. The returned error says only whether a retry may help.
fn unverified(error: AuthError) -> ApiKeyError {
    tracing::error!(%error, "API keys cannot be read");
    match error.is_unavailable() {
        true => ApiKeyError::Unavailable(error.to_string()),
        false => ApiKeyError::Failed(error.to_string()),
    }
}

fn record(id: &str) -> String {
    format!("{RECORD}{id}")
}

fn read(value: &Secret) -> Result<ApiKey, AuthError> {
    serde_json::from_str(value.expose())
        .map_err(|_| AuthError::Store("an API key's record cannot be read".to_owned()))
}

fn written(key: &ApiKey) -> Result<Secret, AuthError> {
    let text = serde_json::to_string(key);
    text.map(Secret::new).map_err(|error| AuthError::Store(format!("an API key cannot be written: {error}")))
}
