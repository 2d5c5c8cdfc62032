//! An issuer at another server. Only its identifier is configured: its keys and endpoints are in its metadata (RFC
//! 8414, OpenID Connect Discovery).
//!
//! The metadata is fetched when it is first needed, so a program can start while the issuer is not reachable.
//! Invariant: metadata that names another issuer is refused.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::jose::{Algorithm, JoseError, KeySource, KeysFuture, RemoteKeys};
use crate::restricted_http::{FetchError, RestrictedHttpClient};

/// The time after a failure until the next attempt.
const PAUSE: Duration = Duration::from_secs(5);

/// The metadata of an issuer (RFC 8414, section 2).
#[derive(Debug, Clone, Deserialize)]
pub struct IssuerMetadata {
    /// The issuer identifier.
    pub issuer: String,
    /// The authorization endpoint.
    #[serde(default)]
    pub authorization_endpoint: Option<Url>,
    /// The token endpoint.
    #[serde(default)]
    pub token_endpoint: Option<Url>,
    /// The URL of the issuer's keys.
    pub jwks_uri: Url,
    /// The client authentication methods of the token endpoint.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// An issuer at another server, with its keys.
pub struct RemoteIssuer {
    issuer: Url,
    name: String,
    http: RestrictedHttpClient,
    state: Mutex<MetadataState>,
}

#[derive(Default)]
struct MetadataState {
    found: Option<(IssuerMetadata, std::sync::Arc<RemoteKeys>)>,
    failed: Option<(Instant, FetchError)>,
}

impl fmt::Debug for RemoteIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteIssuer").field("issuer", &self.name).finish_non_exhaustive()
    }
}

impl RemoteIssuer {
    /// Creates the issuer with this identifier, which has to be spelled as in its metadata.
    pub fn new(issuer: &str, http: RestrictedHttpClient) -> Result<RemoteIssuer, url::ParseError> {
        Ok(RemoteIssuer { issuer: issuer.parse()?, name: issuer.to_owned(), http, state: Mutex::default() })
    }

    /// Returns the issuer identifier.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the issuer's metadata. Fetches it the first time.
    pub async fn metadata(&self) -> Result<IssuerMetadata, FetchError> {
        Ok(self.found().await?.0)
    }

    async fn found(&self) -> Result<(IssuerMetadata, std::sync::Arc<RemoteKeys>), FetchError> {
        let mut state = self.state.lock().await;
        if let Some(found) = &state.found {
            return Ok(found.clone());
        }
        if let Some((at, error)) = &state.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        match self.discover().await {
            Ok(metadata) => {
                let keys = RemoteKeys::new(metadata.jwks_uri.clone(), self.http.clone());
                let found = (metadata, std::sync::Arc::new(keys));
                state.found = Some(found.clone());
                Ok(found)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn discover(&self) -> Result<IssuerMetadata, FetchError> {
        let mut last = None;
        for url in self.metadata_urls() {
            let outcome = self.http.get(&url).await;
            let found = outcome.and_then(|reply| {
                let wrong =
                    |why: &str| FetchError::Failed { url: url.as_str().to_owned(), why: why.to_owned() };
                if !reply.status.is_success() {
                    return Err(wrong("it does not answer with metadata"));
                }
                let metadata: IssuerMetadata =
                    serde_json::from_slice(&reply.body).map_err(|_| wrong("its metadata cannot be read"))?;
                // RFC 8414, section 3.3: metadata that names another issuer must not be used.
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
        Err(last.expect("there are three URLs"))
    }

    /// Returns the URLs at which the metadata may be: that of OpenID Connect, then those of RFC 8414.
    fn metadata_urls(&self) -> [Url; 3] {
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

impl KeySource for RemoteIssuer {
    fn keys<'a>(&'a self, kid: Option<&'a str>, algorithm: Algorithm) -> KeysFuture<'a> {
        Box::pin(async move {
            let (_, keys) = self.found().await.map_err(JoseError::Keys)?;
            keys.keys(kid, algorithm).await
        })
    }
}
