//! The credential cache: the credential of one server in the memory of this process, in front of the store.
//!
//! Other processes and replicas change the same record, so the cache reloads it periodically. Invariant: a new
//! credential is saved in the store before it is in the cache.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::active::{ActiveCredential, CredentialSource};
use super::credential::Credential;
use crate::clock::{self, Clock};
use crate::error::AuthError;
use crate::store::TokenStore;
use crate::store::record;

/// The age at which a credential in use is compared with the store.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);
/// The number of attempts to save a credential that other processes save, too.
const SAVE_ATTEMPTS: usize = 3;

/// The status of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthStatus {
    /// The store was not read yet.
    Unknown,
    /// There is no token.
    SignedOut,
    /// There is a token.
    SignedIn {
        /// The expiry of the token, if the server reports it. The token is renewed before, if possible.
        until: Option<SystemTime>,
    },
    /// The session has ended, and only the user can sign in again.
    SignInAgain(String),
}

/// The cached credential of one store key, and its status.
pub(super) struct CredentialCache {
    store: Arc<dyn TokenStore>,
    key: String,
    clock: Clock,
    state: Mutex<CacheState>,
    status: watch::Sender<AuthStatus>,
}

#[derive(Default)]
struct CacheState {
    /// The time of the last load from the store.
    loaded_at: Option<SystemTime>,
    credential: Option<Arc<ActiveCredential>>,
}

impl CredentialCache {
    pub(super) fn new(store: Arc<dyn TokenStore>, key: String, clock: Clock) -> CredentialCache {
        let status = watch::Sender::new(AuthStatus::Unknown);
        CredentialCache { store, key, clock, state: Mutex::default(), status }
    }

    /// Returns the status, now and whenever it changes.
    pub(super) fn status(&self) -> watch::Receiver<AuthStatus> {
        self.status.subscribe()
    }

    /// Reports that only the user can get another token.
    pub(super) fn require_sign_in(&self, why: &str) {
        self.status.send_replace(AuthStatus::SignInAgain(why.to_owned()));
    }

    /// Returns the credential without asking the store.
    pub(super) fn cached(&self) -> Option<Arc<ActiveCredential>> {
        self.state().credential.clone()
    }

    /// Returns the credential, and loads it from the store the first time.
    pub(super) async fn get(&self) -> Result<Option<Arc<ActiveCredential>>, AuthError> {
        let (loaded_at, credential) = {
            let state = self.state();
            (state.loaded_at, state.credential.clone())
        };
        match loaded_at {
            Some(_) => Ok(credential),
            None => self.reload().await,
        }
    }

    /// Loads the credential from the store.
    pub(super) async fn reload(&self) -> Result<Option<Arc<ActiveCredential>>, AuthError> {
        let stored = record::load::<Credential>(&*self.store, &self.key).await?;
        let credential = {
            let mut state = self.state();
            state.loaded_at = Some((self.clock)());
            let revision = stored.as_ref().map(|stored| stored.revision);
            if state.credential.as_ref().map(|cached| cached.revision) != revision {
                let before = state.credential.as_deref();
                let after = stored.map(|stored| {
                    ActiveCredential::new(stored.record, stored.revision, CredentialSource::Store, before)
                });
                state.credential = after.transpose()?.map(Arc::new);
            }
            state.credential.clone()
        };
        self.update_status(credential.as_deref());
        Ok(credential)
    }

    /// Returns whether a reload is due. Returns `true` to one caller for each interval.
    pub(super) fn take_due_reload(&self) -> bool {
        let now = (self.clock)();
        let mut state = self.state();
        let is_recent = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age < RELOAD_INTERVAL);
        match state.loaded_at {
            Some(at) if !is_recent(at) => {
                state.loaded_at = Some(now);
                true
            }
            _ => false,
        }
    }

    /// Saves a credential, and then uses it.
    pub(super) async fn save(
        &self,
        credential: Credential,
        source: CredentialSource,
        mut expected: Option<u64>,
    ) -> Result<Arc<ActiveCredential>, AuthError> {
        let value = record::encode(&credential)?;
        for _ in 0..SAVE_ATTEMPTS {
            if let Some(revision) = self.store.save(&self.key, value.clone(), expected, None).await? {
                let before = self.cached();
                let active = ActiveCredential::new(credential, revision, source, before.as_deref())?;
                let active = Arc::new(active);
                self.replace(Some(active.clone()));
                self.status.send_replace(status_of(Some(&active)));
                return Ok(active);
            }
            // Another process wrote without the lease, or the lease ended. The credential that was issued last is
            // kept.
            expected = self.store.load(&self.key).await?.map(|stored| stored.revision);
        }
        Err(AuthError::Store("the new token cannot be written: others write all the time".to_owned()))
    }

    /// Deletes the refresh token of a credential, which the authorization server refuses.
    pub(super) async fn delete_refresh_token(&self, current: &ActiveCredential) -> Result<(), AuthError> {
        let credential = Credential { refresh_token: None, ..current.credential.clone() };
        let value = record::encode(&credential)?;
        let Some(revision) = self.store.save(&self.key, value, Some(current.revision), None).await? else {
            return Ok(());
        };
        let active = ActiveCredential::new(credential, revision, current.source, Some(current))?;
        self.replace(Some(Arc::new(active)));
        Ok(())
    }

    /// Deletes a record that cannot be read, so that a new credential can be saved.
    pub(super) async fn delete_unreadable(&self) -> Result<(), AuthError> {
        record::load_or_discard::<Credential>(&*self.store, &self.key).await.map(drop)
    }

    /// Deletes the credential of a revision. With `None`, deletes the record even if it cannot be read.
    pub(super) async fn delete(&self, revision: Option<u64>) -> Result<(), AuthError> {
        match revision {
            Some(revision) => self.store.remove(&self.key, revision).await.map(drop)?,
            None => record::discard(&*self.store, &self.key).await?,
        }
        self.replace(None);
        self.status.send_replace(AuthStatus::SignedOut);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses a credential that was just written.
    fn replace(&self, credential: Option<Arc<ActiveCredential>>) {
        *self.state() = CacheState { loaded_at: Some((self.clock)()), credential };
    }

    /// Reports the credential that was loaded. The status `SignInAgain` stays until there is a credential.
    fn update_status(&self, credential: Option<&ActiveCredential>) {
        let status = status_of(credential);
        self.status.send_if_modified(|present| {
            let keeps = matches!((&*present, &status), (AuthStatus::SignInAgain(_), AuthStatus::SignedOut));
            let changes = !keeps && *present != status;
            if changes {
                *present = status;
            }
            changes
        });
    }
}

fn status_of(credential: Option<&ActiveCredential>) -> AuthStatus {
    match credential {
        Some(active) => AuthStatus::SignedIn { until: active.credential.expires_at.map(clock::from_seconds) },
        None => AuthStatus::SignedOut,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use super::*;
    use crate::client::testing::credential;
    use crate::secret::Secret;
    use crate::store::{MemoryStore, UNREADABLE};

    const KEY: &str = "credential/a";

    /// A cache of one process, over a store that it shares with others.
    fn cache(store: &Arc<MemoryStore>, now: &Arc<AtomicU64>) -> CredentialCache {
        let now = now.clone();
        let clock: Clock = Arc::new(move || clock::from_seconds(now.load(SeqCst)));
        CredentialCache::new(store.clone(), KEY.to_owned(), clock)
    }

    fn token(active: Option<Arc<ActiveCredential>>) -> Option<String> {
        active.map(|active| active.token().expose().to_owned())
    }

    #[tokio::test]
    async fn processes_see_what_others_save_when_they_reload() {
        let (store, now) = (Arc::new(MemoryStore::new()), Arc::new(AtomicU64::new(1000)));
        let (one, other) = (cache(&store, &now), cache(&store, &now));
        assert!(one.get().await.unwrap().is_none() && other.get().await.unwrap().is_none());
        let saved = one.save(credential("t1"), CredentialSource::NewGrant, None).await.unwrap();
        assert_eq!(token(one.cached()), Some("t1".to_owned()));
        assert_eq!(token(other.get().await.unwrap()), None, "it is cached");
        assert_eq!(token(other.reload().await.unwrap()), Some("t1".to_owned()));
        assert_eq!(other.cached().unwrap().source, CredentialSource::Store);

        // A record that did not change keeps the credential in use, with its history.
        saved.mark_accepted();
        assert!(one.reload().await.unwrap().unwrap().is_accepted());

        // A writer that expects an old revision still saves: the last issued credential counts.
        let newer = other.save(credential("t2"), CredentialSource::Refresh, Some(99)).await.unwrap();
        assert_eq!(token(one.reload().await.unwrap()), Some("t2".to_owned()));
        one.delete(Some(newer.revision)).await.unwrap();
        assert_eq!(token(other.reload().await.unwrap()), None);
    }

    #[tokio::test]
    async fn one_caller_reloads_after_each_interval() {
        let (store, now) = (Arc::new(MemoryStore::new()), Arc::new(AtomicU64::new(1000)));
        let cache = cache(&store, &now);
        assert!(!cache.take_due_reload(), "it was never loaded");
        cache.get().await.unwrap();
        for (time, is_due) in [(1009, false), (1010, true), (1010, false), (1019, false), (1020, true)] {
            now.store(time, SeqCst);
            assert_eq!(cache.take_due_reload(), is_due, "{time}");
        }
    }

    #[tokio::test]
    async fn the_status_follows_the_credential() {
        let (store, now) = (Arc::new(MemoryStore::new()), Arc::new(AtomicU64::new(1000)));
        let cache = cache(&store, &now);
        let status = cache.status();
        assert_eq!(*status.borrow(), AuthStatus::Unknown);
        cache.get().await.unwrap();
        assert_eq!(*status.borrow(), AuthStatus::SignedOut);
        cache.require_sign_in("it has ended");
        cache.reload().await.unwrap();
        assert_eq!(*status.borrow(), AuthStatus::SignInAgain("it has ended".to_owned()));
        let ends = Credential { expires_at: Some(2000), ..credential("t") };
        let active = cache.save(ends, CredentialSource::NewGrant, None).await.unwrap();
        assert_eq!(*status.borrow(), AuthStatus::SignedIn { until: Some(clock::from_seconds(2000)) });
        cache.delete(Some(active.revision)).await.unwrap();
        assert_eq!(*status.borrow(), AuthStatus::SignedOut);
    }

    #[tokio::test]
    async fn a_refused_refresh_token_is_deleted_unless_the_record_changed() {
        let (store, now) = (Arc::new(MemoryStore::new()), Arc::new(AtomicU64::new(1000)));
        let cache = cache(&store, &now);
        let renewable =
            |token: &str| Credential { refresh_token: Some(Secret::new("r")), ..credential(token) };
        let old = cache.save(renewable("t1"), CredentialSource::NewGrant, None).await.unwrap();
        let new = cache.save(renewable("t2"), CredentialSource::Refresh, Some(old.revision)).await.unwrap();
        let has_refresh_token =
            |active: Option<Arc<ActiveCredential>>| active.unwrap().credential.refresh_token.is_some();
        for (refused, remains) in [(&old, true), (&new, false)] {
            cache.delete_refresh_token(refused).await.unwrap();
            assert_eq!(has_refresh_token(cache.reload().await.unwrap()), remains);
        }
    }

    #[tokio::test]
    async fn an_unreadable_record_is_an_error_until_it_is_deleted() {
        let (store, now) = (Arc::new(MemoryStore::new()), Arc::new(AtomicU64::new(1000)));
        for by_sign_out in [true, false] {
            let cache = cache(&store, &now);
            store
                .save(KEY, Secret::new("{"), None, None)
                .await
                .unwrap()
                .filter(|it| *it != UNREADABLE)
                .unwrap();
            assert!(matches!(cache.get().await, Err(AuthError::Unreadable(_))));
            match by_sign_out {
                true => cache.delete(None).await.unwrap(),
                false => cache.delete_unreadable().await.unwrap(),
            }
            assert!(cache.reload().await.unwrap().is_none());
        }
    }
}
