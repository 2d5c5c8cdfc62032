//! Discovery of the authorization server of a protected server: the challenge in its refusal, its resource metadata
//! (RFC 9728), and the metadata of the authorization server (RFC 8414, OpenID Connect Discovery).
//!
//! A client needs them to find the page where the user signs in. Invariant: the documents come from parties that are
//! not trusted yet, so each is used only for its own subject: the resource must be the server in use, and the issuer
//! must be the requested one.

mod challenge;
mod document;
mod resource;
mod server;
#[cfg(test)]
pub(crate) mod testing;

use url::Url;

use crate::error::AuthError;
use crate::restricted_http::RestrictedHttpClient;
pub use challenge::BearerChallenge;
pub use resource::{ResourceMetadata, covers};
pub use server::{AuthorizationServerFeatures, AuthorizationServerMetadata, MetadataOrigin};

/// The maximum number of authorization servers of one resource that are tried.
const MAX_SERVERS: usize = 4;

/// The metadata of a protected server and of its authorization server.
#[derive(Debug, Clone)]
pub struct DiscoveryResult {
    /// The resource metadata. A server of 2025-03-26 has none.
    pub resource: Option<ResourceMetadata>,
    /// The authorization server.
    pub server: AuthorizationServerMetadata,
}

impl DiscoveryResult {
    /// Returns the `resource` parameter (RFC 8707) of token requests: the published identifier, otherwise the
    /// server's URL.
    pub fn resource_identifier(&self, server: &Url) -> String {
        match &self.resource {
            Some(resource) => resource.resource.clone(),
            None => canonical(server),
        }
    }
}

/// Returns a server's URL as a resource identifier: without a fragment, and without the slash of an empty path.
fn canonical(server: &Url) -> String {
    let mut url = server.clone();
    url.set_fragment(None);
    let text = String::from(url.clone());
    match url.path() == "/" && url.query().is_none() {
        true => text.trim_end_matches('/').to_owned(),
        false => text,
    }
}

/// Finds the authorization server of a protected server. `wanted` is an issuer that is preferred if the resource lists
/// several, because the client is registered there. It is accepted if the resource lists it with a trailing slash too
/// many or too few.
pub async fn discover(
    http: &RestrictedHttpClient,
    server: &Url,
    challenge: &BearerChallenge,
    wanted: Option<&str>,
) -> Result<DiscoveryResult, AuthError> {
    discover_or(http, server, challenge, wanted, None).await
}

/// Finds the authorization server like [`discover`]. `configured` is the issuer of a server that names none.
pub(crate) async fn discover_or(
    http: &RestrictedHttpClient,
    server: &Url,
    challenge: &BearerChallenge,
    wanted: Option<&str>,
    configured: Option<&str>,
) -> Result<DiscoveryResult, AuthError> {
    let resource = resource::find(http, server, challenge.resource_metadata.as_deref()).await?;
    let names_none = resource.as_ref().is_none_or(|resource| resource.authorization_servers.is_empty());
    if let Some(issuer) = configured.filter(|_| names_none) {
        let server = server::find(http, issuer, None).await?;
        return Ok(DiscoveryResult { resource, server });
    }
    let Some(resource) = resource else {
        let server = server::find_2025_03_26(http, server).await?;
        return Ok(DiscoveryResult { resource: None, server });
    };
    let issuers = resource.authorization_servers.iter().map(String::as_str);
    let (preferred, others): (Vec<&str>, Vec<&str>) = issuers.partition(|issuer| {
        wanted.is_some_and(|wanted| wanted == *issuer || server::differ_by_slash(wanted, issuer))
    });
    let mut failures = Vec::new();
    for issuer in preferred.into_iter().chain(others).take(MAX_SERVERS) {
        match server::find(http, issuer, wanted).await {
            Ok(server) => return Ok(DiscoveryResult { resource: Some(resource), server }),
            Err(error) => failures.push(error.to_string()),
        }
    }
    Err(AuthError::Discovery(match failures.is_empty() {
        true => format!("the metadata of {} names no authorization server", resource.resource),
        false => failures.join("; "),
    }))
}

/// Fetches the metadata of an issuer.
pub async fn discover_issuer(
    http: &RestrictedHttpClient,
    issuer: &str,
) -> Result<AuthorizationServerMetadata, AuthError> {
    server::find(http, issuer, None).await
}

/// Finds the authorization server of a server of 2025-03-26.
pub async fn discover_2025_03_26(
    http: &RestrictedHttpClient,
    server: &Url,
) -> Result<AuthorizationServerMetadata, AuthError> {
    server::find_2025_03_26(http, server).await
}
