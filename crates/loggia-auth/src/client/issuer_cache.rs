//! The metadata of the authorization server that was used last.
//!
//! Otherwise each renewal would fetch it. Invariant: metadata is used only for its own issuer, and for ten minutes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::endpoints::AuthorizationEndpoints;
use crate::discovery::{self, AuthorizationServerMetadata};
use crate::error::AuthError;
use crate::restricted_http::RestrictedHttpClient;

/// The time that metadata is used before it is fetched again.
const LIFETIME: Duration = Duration::from_secs(600);

/// A cache of one authorization server's metadata.
pub(super) struct IssuerCache {
    http: RestrictedHttpClient,
    /// The protected server.
    server: Url,
    endpoints: Option<AuthorizationEndpoints>,
    cached: Mutex<Option<(Instant, AuthorizationServerMetadata)>>,
}

impl IssuerCache {
    pub(super) fn new(
        http: RestrictedHttpClient,
        server: Url,
        endpoints: Option<AuthorizationEndpoints>,
    ) -> IssuerCache {
        IssuerCache { http, server, endpoints, cached: Mutex::default() }
    }

    /// Returns the metadata of an issuer. If `is_2025_03_26` is true, the issuer is at the root of the protected
    /// server.
    pub(super) async fn metadata(
        &self,
        issuer: &str,
        is_2025_03_26: bool,
    ) -> Result<AuthorizationServerMetadata, AuthError> {
        if let Some(endpoints) = &self.endpoints {
            if endpoints.issuer == issuer {
                return Ok(endpoints.metadata());
            }
            // A refresh token of one authorization server is not sent to another.
            return Err(AuthError::SignInAgain(format!(
                "the token is of {issuer}, and the authorization server is now {}",
                endpoints.issuer
            )));
        }
        let fresh = self.cached().clone();
        let fresh = fresh.filter(|(at, server)| server.issuer == issuer && at.elapsed() < LIFETIME);
        if let Some((_, server)) = fresh {
            return Ok(server);
        }
        let server = if is_2025_03_26 {
            discovery::discover_2025_03_26(&self.http, &self.server).await?
        } else {
            discovery::discover_issuer(&self.http, issuer).await?
        };
        *self.cached() = Some((Instant::now(), server.clone()));
        Ok(server)
    }

    fn cached(&self) -> MutexGuard<'_, Option<(Instant, AuthorizationServerMetadata)>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;
    use crate::restricted_http::FetchPolicy;
    use crate::testing::{answer, serve};

    #[tokio::test]
    async fn metadata_is_fetched_once_for_each_issuer_in_a_row() {
        let fetches = Arc::new(AtomicUsize::new(0));
        let counted = fetches.clone();
        let server = serve(move |request| {
            counted.fetch_add(1, SeqCst);
            let (host, path) = (request.headers()["host"].to_str().unwrap(), request.uri().path());
            let tenant = path.strip_prefix("/.well-known/oauth-authorization-server").unwrap();
            let issuer = format!("http://{host}{tenant}");
            answer(200, &format!(r#"{{"issuer":"{issuer}","token_endpoint":"{issuer}/token"}}"#))
        })
        .await;
        let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let cache = IssuerCache::new(http, server.url("/mcp"), None);
        for (tenant, expected) in [("a", 1), ("a", 1), ("b", 2), ("b", 2), ("a", 3)] {
            let issuer = String::from(server.url(tenant));
            let found = cache.metadata(&issuer, false).await.unwrap();
            assert_eq!((found.issuer, fetches.load(SeqCst)), (issuer, expected), "{tenant}");
        }
    }
}
