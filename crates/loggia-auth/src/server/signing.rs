//! The keys that access tokens are signed with. They are kept in the store, so that replicas sign with the
//! same one, and change by and by: a new one signs, older ones are published until nothing they signed is
//! valid any more.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::records::{Found, Records};
use crate::clock::{self, Clock};
use crate::error::AuthError;
use crate::jose::{self, Algorithm, JoseError, JwkSet, KeySource, KeysFuture, SigningKey};
use crate::secret::Secret;

const RECORD: &str = "signing-keys";
/// How long a key signs.
const SIGNS: Duration = Duration::from_secs(60 * 24 * 60 * 60);
/// How long it is published after that: longer than any token lasts.
const VERIFIES: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// How long what was read is good without reading again, and how soon an unknown key is looked for again.
const FRESH: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize, Default)]
struct Kept {
    /// Newest first.
    keys: Vec<KeptKey>,
}

#[derive(Serialize, Deserialize)]
struct KeptKey {
    #[serde(serialize_with = "Secret::reveal")]
    pkcs8: Secret,
    created: u64,
}

pub(super) struct Signing {
    records: Records,
    clock: Clock,
    known: RwLock<Option<Known>>,
    loading: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Known {
    signs: Arc<SigningKey>,
    published: Arc<JwkSet>,
    until: SystemTime,
    loaded: SystemTime,
}

impl Signing {
    pub(super) fn new(records: Records, clock: Clock) -> Signing {
        Signing { records, clock, known: RwLock::default(), loading: tokio::sync::Mutex::default() }
    }

    /// The key that signs now.
    pub(super) async fn key(&self) -> Result<Arc<SigningKey>, AuthError> {
        Ok(self.current(FRESH).await?.signs)
    }

    /// What is published.
    pub(super) async fn published(&self) -> Result<Arc<JwkSet>, AuthError> {
        Ok(self.current(FRESH).await?.published)
    }

    /// Has a new key sign from now on: because a key may be known to somebody it should not be. Tokens of
    /// the older keys are not valid any more.
    pub(super) async fn replace(&self) -> Result<(), AuthError> {
        let _alone = self.loading.lock().await;
        self.change(|_, now| Ok(Kept { keys: vec![made(now)?] })).await
    }

    async fn current(&self, fresh: Duration) -> Result<Known, AuthError> {
        let now = (self.clock)();
        let good = |known: &Known| now < known.until && age(known.loaded, now) < fresh;
        if let Some(known) = self.known().filter(good) {
            return Ok(known);
        }
        let _alone = self.loading.lock().await;
        if let Some(known) = self.known().filter(good) {
            return Ok(known);
        }
        let outcome = self.change(rotated).await;
        match (outcome, self.known()) {
            (Ok(()), Some(known)) => Ok(known),
            // What was known goes on while the store is away: nobody is signed out by that.
            (Err(error), Some(known)) if now < known.until => {
                tracing::warn!(%error, "the signing keys could not be read again");
                Ok(known)
            }
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(AuthError::Store("there is no signing key".to_owned())),
        }
    }

    fn known(&self) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the keys, changes what must be changed, and takes them over. Where another replica changed them
    /// meanwhile, its keys are the ones.
    async fn change(
        &self,
        change: impl Fn(Kept, SystemTime) -> Result<Kept, AuthError>,
    ) -> Result<(), AuthError> {
        for _ in 0..5 {
            let now = (self.clock)();
            let found = self.records.get::<Kept>(RECORD).await?;
            let (kept, revision) = match found {
                Some(Found { value, revision }) => (value, Some(revision)),
                None => (Kept::default(), None),
            };
            let before: Vec<u64> = kept.keys.iter().map(|key| key.created).collect();
            let kept = change(kept, now)?;
            let same = before.iter().eq(kept.keys.iter().map(|key| &key.created));
            let written = match revision {
                Some(_) if same => true,
                Some(revision) => self.records.replace(RECORD, &kept, revision, None).await?,
                None => self.records.add(RECORD, &kept, None).await?,
            };
            if written {
                let known = known(&kept, now)?;
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
                return Ok(());
            }
        }
        Err(AuthError::StoreUnavailable("the signing keys are changed by too many at once".to_owned()))
    }
}

fn age(time: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(time).unwrap_or_default()
}

/// The keys as they should be now.
fn rotated(mut kept: Kept, now: SystemTime) -> Result<Kept, AuthError> {
    let old = |key: &KeptKey, most: Duration| age(clock::from_seconds(key.created), now) >= most;
    if kept.keys.first().is_none_or(|newest| old(newest, SIGNS)) {
        kept.keys.insert(0, made(now)?);
    }
    kept.keys.retain(|key| !old(key, SIGNS + VERIFIES));
    Ok(kept)
}

fn made(now: SystemTime) -> Result<KeptKey, AuthError> {
    let key = SigningKey::generate(Algorithm::Es256)?;
    Ok(KeptKey { pkcs8: Secret::new(jose::encode(key.to_pkcs8())), created: clock::seconds(now) })
}

fn known(kept: &Kept, now: SystemTime) -> Result<Known, AuthError> {
    let read = |key: &KeptKey| -> Result<SigningKey, JoseError> {
        SigningKey::from_pkcs8(&jose::decode(key.pkcs8.expose())?, Some(Algorithm::Es256))
    };
    let mut keys = kept.keys.iter().map(read).collect::<Result<Vec<_>, _>>()?.into_iter();
    let newest = keys.next().ok_or_else(|| AuthError::Store("there is no signing key".to_owned()))?;
    let mut published = vec![newest.public().clone()];
    published.extend(keys.map(|key| key.public().clone()));
    let created = kept.keys.first().map_or(now, |key| clock::from_seconds(key.created));
    Ok(Known {
        signs: Arc::new(newest),
        published: Arc::new(JwkSet { keys: published }),
        until: created + SIGNS,
        loaded: now,
    })
}

/// A resource server beside us takes the keys from here. One that another replica made since is looked for.
impl KeySource for Signing {
    fn keys<'a>(&'a self, kid: Option<&'a str>, algorithm: Algorithm) -> KeysFuture<'a> {
        Box::pin(async move {
            let keys = |known: Result<Known, AuthError>| {
                let known = known.map_err(|error| {
                    let url = RECORD.to_owned();
                    JoseError::Keys(crate::restricted_http::FetchError::Failed {
                        url,
                        why: error.to_string(),
                    })
                })?;
                Ok::<_, JoseError>(known.published)
            };
            let known = keys(self.current(FRESH).await)?;
            let is_known = known.candidates(kid, algorithm).next().is_some();
            match is_known {
                true => Ok(known),
                false => keys(self.current(PAUSE).await),
            }
        })
    }
}
