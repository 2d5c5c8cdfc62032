//! The API key of one user for a connector. It is sent with each request while it is in the vault. Requests do not
//! wait for the vault: a revoked key is no longer sent after a few seconds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use loggia::client::{Authorize, Challenge};
use loggia::service::BoxFuture;
use loggia::{Error, Result};
use loggia_connect::config_file::KeyHeader;
use url::{Origin, Url};

use super::ConnectorAccounts;

/// The time between two checks of the vault for the key.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Sends an API key.
pub(super) struct ApiKeyAuth(Arc<ApiKeySource>);

struct ApiKeySource {
    accounts: ConnectorAccounts,
    owner: String,
    key_header: KeyHeader,
    /// The only origin to which the key is sent.
    origin: Origin,
    cache: Mutex<CachedHeaders>,
}

struct CachedHeaders {
    /// The header with the key; `None` if the vault no longer has it.
    headers: Option<HeaderMap>,
    checked: Instant,
}

impl ApiKeyAuth {
    /// Sends the key of `owner`, which `headers` contains now, to the origin of `server`.
    pub(super) fn new(
        accounts: ConnectorAccounts,
        owner: &str,
        key_header: KeyHeader,
        server: &Url,
        headers: HeaderMap,
    ) -> ApiKeyAuth {
        let cache = Mutex::new(CachedHeaders { headers: Some(headers), checked: Instant::now() });
        ApiKeyAuth(Arc::new(ApiKeySource {
            accounts,
            owner: owner.to_owned(),
            key_header,
            origin: server.origin(),
            cache,
        }))
    }

    /// Starts a check of the vault if the last one is too old.
    fn refresh(&self) {
        let mut cache = self.0.cache();
        if cache.checked.elapsed() < CHECK_INTERVAL {
            return;
        }
        cache.checked = Instant::now();
        let source = self.0.clone();
        tokio::spawn(async move {
            match source.accounts.key_headers(&source.owner, &source.key_header).await {
                Ok(headers) => source.cache().headers = headers,
                Err(error) => {
                    let connector = source.accounts.name();
                    tracing::warn!(connector, %error, "whether a key is kept is not known");
                }
            }
        });
    }
}

impl ApiKeySource {
    fn cache(&self) -> MutexGuard<'_, CachedHeaders> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authorize for ApiKeyAuth {
    fn headers(&self, _: &Method, url: &Url) -> BoxFuture<'_, Result<HeaderMap>> {
        self.refresh();
        let headers = match url.origin() == self.0.origin {
            true => self.0.cache().headers.clone(),
            false => Some(HeaderMap::new()),
        };
        let headers = headers.ok_or_else(|| Error::Unauthorized("the API key was taken back".to_owned()));
        Box::pin(std::future::ready(headers))
    }

    fn handle_challenge(&self, _: Challenge) -> BoxFuture<'_, Result<bool>> {
        Box::pin(std::future::ready(Ok(false)))
    }
}
