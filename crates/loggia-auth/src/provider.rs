//! An issuer elsewhere that is known by its name alone: its metadata says where its keys and its endpoints
//! are (RFC 8414, OpenID Connect Discovery).

use std::fmt;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::guard::{FetchError, RestrictedHttpClient};
use crate::jose::{Algorithm, JoseError, KeySource, KeysFuture, RemoteKeys};

/// How long after a failure the next try may follow.
const PAUSE: Duration = Duration::from_secs(5);

/// What an issuer says of itself.
#[derive(Debug, Clone, Deserialize)]
pub struct ProviderMetadata {
    /// Its name.
    pub issuer: String,
    /// Where people sign in.
    #[serde(default)]
    pub authorization_endpoint: Option<Url>,
    /// Where codes become tokens.
    #[serde(default)]
    pub token_endpoint: Option<Url>,
    /// Where its keys are.
    pub jwks_uri: Url,
    /// How clients may show who they are.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// An issuer and its keys. Its metadata is fetched when it is first needed.
pub struct Provider {
    issuer: Url,
    name: String,
    guard: RestrictedHttpClient,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    found: Option<(ProviderMetadata, std::sync::Arc<RemoteKeys>)>,
    failed: Option<(Instant, FetchError)>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.name).finish_non_exhaustive()
    }
}

impl Provider {
    /// The issuer of this name, as it writes it itself.
    pub fn new(issuer: &str, guard: RestrictedHttpClient) -> Result<Provider, url::ParseError> {
        Ok(Provider { issuer: issuer.parse()?, name: issuer.to_owned(), guard, known: Mutex::default() })
    }

    /// The issuer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The issuer's metadata.
    pub async fn metadata(&self) -> Result<ProviderMetadata, FetchError> {
        Ok(self.found().await?.0)
    }

    async fn found(&self) -> Result<(ProviderMetadata, std::sync::Arc<RemoteKeys>), FetchError> {
        let mut known = self.known.lock().await;
        if let Some(found) = &known.found {
            return Ok(found.clone());
        }
        if let Some((at, error)) = &known.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        match self.discover().await {
            Ok(metadata) => {
                let keys = RemoteKeys::new(metadata.jwks_uri.clone(), self.guard.clone());
                let found = (metadata, std::sync::Arc::new(keys));
                known.found = Some(found.clone());
                Ok(found)
            }
            Err(error) => {
                known.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn discover(&self) -> Result<ProviderMetadata, FetchError> {
        let mut last = None;
        for url in self.places() {
            let outcome = self.guard.get(&url).await;
            let found = outcome.and_then(|reply| {
                let wrong =
                    |why: &str| FetchError::Failed { url: url.as_str().to_owned(), why: why.to_owned() };
                if !reply.status.is_success() {
                    return Err(wrong("it does not answer with metadata"));
                }
                let metadata: ProviderMetadata =
                    serde_json::from_slice(&reply.body).map_err(|_| wrong("its metadata cannot be read"))?;
                // RFC 8414, section 3.3: metadata that names another issuer is not this issuer's.
                match metadata.issuer == self.name {
                    true => Ok(metadata),
                    false => Err(wrong("its metadata is that of another issuer")),
                }
            });
            match found {
                Ok(metadata) => return Ok(metadata),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("there are places to look at"))
    }

    /// Where the metadata can be: as OpenID Connect has it, then as RFC 8414 does.
    fn places(&self) -> [Url; 3] {
        let path = self.issuer.path().trim_end_matches('/');
        let at = |path: String| {
            let mut url = self.issuer.clone();
            url.set_path(&path);
            url.set_query(None);
            url
        };
        [
            at(format!("{path}/.well-known/openid-configuration")),
            at(format!("/.well-known/oauth-authorization-server{path}")),
            at(format!("/.well-known/openid-configuration{path}")),
        ]
    }
}

impl KeySource for Provider {
    fn keys<'a>(&'a self, kid: Option<&'a str>, algorithm: Algorithm) -> KeysFuture<'a> {
        Box::pin(async move {
            let (_, keys) = self.found().await.map_err(JoseError::Keys)?;
            keys.keys(kid, algorithm).await
        })
    }
}
