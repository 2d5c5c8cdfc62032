//! Fetching of metadata documents from well-known URLs (RFC 8615).

use http::StatusCode;
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::AuthError;
use crate::restricted_http::{FetchRequest, RestrictedHttpClient};

/// The longest metadata document that is read.
const MAX_BYTES: usize = 128 << 10;

/// Fetches a document. Returns `None` if the URL has none.
pub(super) async fn document<T: DeserializeOwned>(
    http: &RestrictedHttpClient,
    url: &Url,
) -> Result<Option<T>, AuthError> {
    let reply = http.send(FetchRequest::get(url.clone()).most_bytes(MAX_BYTES)).await?;
    // A server that is too busy may still have the document.
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

/// Returns the URL of a well-known document, whose name goes between the host and the path (RFC 8615).
pub(super) fn well_known(url: &Url, name: &str) -> Url {
    let mut well_known = url.clone();
    well_known.set_fragment(None);
    well_known.set_path(&format!("/.well-known/{name}{}", url.path().trim_end_matches('/')));
    well_known
}
