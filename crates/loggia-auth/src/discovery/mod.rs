//! Finding out who gives tokens for a server: what the server's refusal says, the metadata of the protected
//! resource (RFC 9728), and the metadata of its authorization server (RFC 8414, OpenID Connect Discovery).
//!
//! Everything read here was written by somebody we do not know yet. Each document is believed only about
//! itself: the resource has to be the server we talk to, the issuer has to be the one we asked for.

mod challenge;
mod resource;
mod server;

use http::StatusCode;
use serde::de::DeserializeOwned;
use url::Url;

use crate::client::AuthError;
use crate::guard::{Fetch, RestrictedHttpClient};
pub use challenge::BearerChallenge;
pub use resource::{ResourceMetadata, covers};
pub use server::{AuthorizationServer, Kind};

/// Longest metadata that is read.
const MOST_BYTES: usize = 128 << 10;
/// Most authorization servers of one resource that are tried.
const MOST_SERVERS: usize = 4;

/// What is known of a protected server.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// The resource, byte for byte as it is published. A server without metadata has none.
    pub resource: Option<ResourceMetadata>,
    /// Who gives tokens for it.
    pub server: AuthorizationServer,
}

impl Discovered {
    /// What a token is asked for: the resource as it is published, or else the server's own URL.
    pub fn resource_identifier(&self, server: &Url) -> String {
        match &self.resource {
            Some(resource) => resource.resource.clone(),
            None => canonical(server),
        }
    }
}

/// A server's URL as a resource identifier: no fragment, no lone slash at its end.
fn canonical(server: &Url) -> String {
    let mut url = server.clone();
    url.set_fragment(None);
    let text = String::from(url.clone());
    match url.path() == "/" && url.query().is_none() {
        true => text.trim_end_matches('/').to_owned(),
        false => text,
    }
}

/// Finds the authorization server of a protected server. `wanted` is an issuer that is preferred where the resource lists
/// several, because it knows the client already. It is accepted where the resource lists it with a slash at the end too
/// much or too little.
pub async fn discover(
    guard: &RestrictedHttpClient,
    server: &Url,
    demand: &BearerChallenge,
    wanted: Option<&str>,
) -> Result<Discovered, AuthError> {
    let Some(resource) = resource::find(guard, server, demand.resource_metadata.as_deref()).await? else {
        let server = server::of_march(guard, server).await?;
        return Ok(Discovered { resource: None, server });
    };
    let issuers = resource.authorization_servers.iter().map(String::as_str);
    let (preferred, others): (Vec<&str>, Vec<&str>) = issuers.partition(|issuer| {
        wanted.is_some_and(|wanted| wanted == *issuer || server::differ_by_slash(wanted, issuer))
    });
    let mut failures = Vec::new();
    for issuer in preferred.into_iter().chain(others).take(MOST_SERVERS) {
        match server::find(guard, issuer, wanted).await {
            Ok(server) => return Ok(Discovered { resource: Some(resource), server }),
            Err(error) => failures.push(error.to_string()),
        }
    }
    Err(AuthError::Discovery(match failures.is_empty() {
        true => format!("the metadata of {} names no authorization server", resource.resource),
        false => failures.join("; "),
    }))
}

/// The metadata of an issuer that is known from before.
pub async fn issuer(guard: &RestrictedHttpClient, issuer: &str) -> Result<AuthorizationServer, AuthError> {
    server::find(guard, issuer, None).await
}

/// The authorization server of a server of 2025-03-26.
pub async fn of_march(guard: &RestrictedHttpClient, server: &Url) -> Result<AuthorizationServer, AuthError> {
    server::of_march(guard, server).await
}

/// Fetches a document. `None`: there is none at this URL.
async fn document<T: DeserializeOwned>(
    guard: &RestrictedHttpClient,
    url: &Url,
) -> Result<Option<T>, AuthError> {
    let reply = guard.send(Fetch::get(url.clone()).most_bytes(MOST_BYTES)).await?;
    // A server that is only busy may well have it.
    let busy = matches!(reply.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    let absent = reply.status.is_client_error() && !busy;
    if absent || (reply.status.is_success() && !reply.is_json()) {
        return Ok(None);
    }
    if !reply.status.is_success() {
        return Err(AuthError::Discovery(format!("{} answers {}", reply.url, reply.status)));
    }
    let parsed = serde_json::from_slice(&reply.body);
    parsed.map(Some).map_err(|error| AuthError::Discovery(format!("{url} is not metadata: {error}")))
}

/// The URL of a well-known document: its name is put between the host and the path.
fn well_known(url: &Url, name: &str) -> Url {
    let mut well_known = url.clone();
    well_known.set_fragment(None);
    well_known.set_path(&format!("/.well-known/{name}{}", url.path().trim_end_matches('/')));
    well_known
}
