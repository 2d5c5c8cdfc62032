//! The API key of one user for a connector, sent with each request while the vault has it. No request waits for the
//! vault: a revoked key is no longer sent a few seconds later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use loggia::client::{Authorize, Challenge};
use loggia::service::BoxFuture;
use loggia::{Error, Result};
use loggia_connect::manifest::KeyHeader;
use url::{Origin, Url};

use super::people::Account;

/// How often it is looked whether it is still kept.
const LOOK: Duration = Duration::from_secs(10);

/// An API key in use.
pub(crate) struct ApiKeyAuth(Arc<Held>);

struct Held {
    account: Account,
    owner: String,
    header: KeyHeader,
    /// Whom it is shown to.
    origin: Origin,
    known: Mutex<Known>,
}

struct Known {
    shown: Option<HeaderMap>,
    asked: Instant,
}

impl ApiKeyAuth {
    /// The key of `owner`, which is shown by these headers now.
    pub(crate) fn new(
        account: Account,
        owner: &str,
        header: KeyHeader,
        server: &Url,
        shown: HeaderMap,
    ) -> ApiKeyAuth {
        let known = Mutex::new(Known { shown: Some(shown), asked: Instant::now() });
        ApiKeyAuth(Arc::new(Held {
            account,
            owner: owner.to_owned(),
            header,
            origin: server.origin(),
            known,
        }))
    }

    fn look_around(&self) {
        let mut known = self.0.known();
        if known.asked.elapsed() < LOOK {
            return;
        }
        known.asked = Instant::now();
        let held = self.0.clone();
        tokio::spawn(async move {
            match held.account.key_headers(&held.owner, &held.header).await {
                Ok(shown) => held.known().shown = shown,
                Err(error) => {
                    tracing::warn!(connector = held.account.name(), %error, "whether a key is kept is not known");
                }
            }
        });
    }
}

impl Held {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authorize for ApiKeyAuth {
    fn headers(&self, _: &Method, url: &Url) -> BoxFuture<'_, Result<HeaderMap>> {
        self.look_around();
        let shown = match url.origin() == self.0.origin {
            true => self.0.known().shown.clone(),
            false => Some(HeaderMap::new()),
        };
        let shown = shown.ok_or_else(|| Error::Unauthorized("the API key was taken back".to_owned()));
        Box::pin(std::future::ready(shown))
    }

    fn challenged(&self, _: Challenge) -> BoxFuture<'_, Result<bool>> {
        Box::pin(std::future::ready(Ok(false)))
    }
}
