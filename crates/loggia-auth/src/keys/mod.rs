//! Static API keys, for scripts that cannot sign in. A key is shown once, when it is made; what is kept is
//! its digest. A key says what it may do, can end, and can be taken back.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::clock;
use crate::error::AuthError;
use crate::jose::{random, sha256};
use crate::resource::{Grant, TokenError};
use crate::secret::Secret;
use crate::store::TokenStore;

/// What every key begins with: people, and tools that look for leaked secrets, know it by that.
const PREFIX: &str = "lgk_";
/// What the names of their records begin with.
const RECORD: &str = "api-key/";
/// Most keys.
const MOST_KEYS: usize = 10_000;
/// How long the known keys are good: a key that another replica took back is refused after that.
const FRESH: Duration = Duration::from_secs(10);
/// How long after one look at the store the next one may follow, when a key is not known.
const PAUSE: Duration = Duration::from_secs(1);

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its name: the part of the key that is not secret.
    pub id: String,
    /// The digest of the key.
    pub digest: String,
    /// Whose it is.
    pub subject: String,
    /// What it is for, in its owner's words.
    pub label: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When it ends.
    pub expires: Option<u64>,
    /// When it was taken back.
    pub revoked: Option<u64>,
}

/// What a new key is to be.
#[derive(Debug, Clone, Default)]
pub struct NewApiKey {
    /// Whose it is.
    pub subject: String,
    /// What it is for.
    pub label: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires: Option<SystemTime>,
}

/// The keys that are in use. They are held in memory, so that a request costs no look at the store.
pub struct ApiKeys {
    store: Arc<dyn TokenStore>,
    known: RwLock<Known>,
    loading: tokio::sync::Mutex<()>,
}

#[derive(Default, Clone)]
struct Known {
    keys: Arc<HashMap<String, ApiKey>>,
    loaded: Option<SystemTime>,
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").finish_non_exhaustive()
    }
}

impl ApiKeys {
    /// The keys in a store.
    pub fn new(store: Arc<dyn TokenStore>) -> ApiKeys {
        ApiKeys { store, known: RwLock::default(), loading: tokio::sync::Mutex::default() }
    }

    /// Makes a key. The secret is the key itself; it is not kept and cannot be had again.
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
        if self.store.keys(RECORD).await?.len() >= MOST_KEYS {
            return Err(AuthError::Store(format!("there are {MOST_KEYS} API keys; revoke and forget some")));
        }
        self.store.save(&record(&key.id), written(&key)?, None, None).await?;
        self.load(now).await?;
        Ok((key, Secret::new(secret)))
    }

    /// All keys, oldest first.
    pub async fn list(&self) -> Result<Vec<ApiKey>, AuthError> {
        let mut keys = self.stored().await?;
        keys.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(keys)
    }

    /// Takes a key back; whether there is one of that name. This process refuses it at once, others within
    /// ten seconds.
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

    /// Takes back all keys of somebody. How many there were.
    pub async fn revoke_all(&self, subject: &str, now: SystemTime) -> Result<usize, AuthError> {
        let mut revoked = 0;
        for key in self.stored().await?.iter().filter(|key| key.subject == subject && key.revoked.is_none()) {
            revoked += usize::from(self.mark(&key.id, clock::seconds(now)).await?);
        }
        self.load(now).await?;
        Ok(revoked)
    }

    /// Forgets a key for good; whether there was one of that name.
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
                // One that is damaged is nobody's key, and keeps nobody else out.
                Err(error) => tracing::error!(name, %error, "an API key is left out"),
            }
        }
        Ok(keys)
    }

    /// Whether a text looks like a key.
    pub fn is_key(&self, token: &str) -> bool {
        token.starts_with(PREFIX)
    }

    /// What a key grants.
    pub async fn verify(&self, key: &str, now: SystemTime) -> Result<Grant, TokenError> {
        let invalid = |why: &str| TokenError::Invalid(why.to_owned());
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
        Ok(Grant {
            subject: known.subject,
            issuer: None,
            client: Some(format!("key:{}", known.id)),
            scopes: known.scopes,
            expires: known.expires.map(clock::from_seconds),
            key: None,
        })
    }

    async fn find(&self, id: &str, now: SystemTime) -> Result<Option<ApiKey>, TokenError> {
        let known = self.known();
        let age = known.loaded.map(|loaded| now.duration_since(loaded).unwrap_or_default());
        let limit = if known.keys.contains_key(id) { FRESH } else { PAUSE };
        if age.is_some_and(|age| age < limit) {
            return Ok(known.keys.get(id).cloned());
        }
        let _alone = self.loading.lock().await;
        // Whoever was here before may have just loaded them.
        let current = self.known();
        let current = match current.loaded == known.loaded {
            true => self.load(now).await.map_err(unverified)?,
            false => current,
        };
        Ok(current.keys.get(id).cloned())
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn load(&self, now: SystemTime) -> Result<Known, AuthError> {
        let keys = self.stored().await?;
        let keys = keys.into_iter().map(|key| (key.id.clone(), key)).collect();
        let known = Known { keys: Arc::new(keys), loaded: Some(now) };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known.clone();
        Ok(known)
    }
}

/// The keys cannot be read. The caller learns no more than whether trying again helps; the log has the reason.
fn unverified(error: AuthError) -> TokenError {
    tracing::error!(%error, "API keys cannot be read");
    match error.is_unavailable() {
        true => TokenError::Unavailable(error.to_string()),
        false => TokenError::Failed(error.to_string()),
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
