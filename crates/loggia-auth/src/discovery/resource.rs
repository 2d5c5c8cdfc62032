//! The metadata of a protected resource (RFC 9728).

use loggia::wire::text::redact_url;
use serde::Deserialize;
use url::Url;

use super::document::{document, well_known};
use crate::error::AuthError;
use crate::restricted_http::RestrictedHttpClient;
use crate::scope::Scopes;

/// The metadata of a protected resource (RFC 9728, section 2). Members that are not used here are ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct ResourceMetadata {
    /// The resource identifier, byte for byte.
    pub resource: String,
    /// The issuers of tokens for it.
    #[serde(default)]
    pub authorization_servers: Vec<String>,
    /// The scopes that basic use of the server needs.
    #[serde(default)]
    pub scopes_supported: Option<Vec<String>>,
    /// The name for users.
    #[serde(default)]
    pub resource_name: Option<String>,
    /// True if the server accepts only tokens that are bound to a key.
    #[serde(default)]
    pub dpop_bound_access_tokens_required: bool,
    /// The algorithms of the DPoP proofs that the server accepts.
    #[serde(default)]
    pub dpop_signing_alg_values_supported: Vec<String>,
}

impl ResourceMetadata {
    /// Returns the scopes that basic use of the server needs, if it publishes them.
    pub fn scopes(&self) -> Option<Scopes> {
        let scopes: Scopes = self.scopes_supported.as_ref()?.iter().collect();
        (!scopes.is_empty()).then_some(scopes)
    }

    /// Returns whether the server supports DPoP.
    pub fn supports_dpop(&self) -> bool {
        self.dpop_bound_access_tokens_required || !self.dpop_signing_alg_values_supported.is_empty()
    }
}

const NAME: &str = "oauth-protected-resource";

/// Fetches the metadata from the URL of the challenge, or otherwise from the two well-known URLs. A server of
/// 2025-03-26 has none.
pub(super) async fn find(
    http: &RestrictedHttpClient,
    server: &Url,
    hint: Option<&str>,
) -> Result<Option<ResourceMetadata>, AuthError> {
    let mut urls = Vec::new();
    if let Some(hint) = hint {
        let url = server.join(hint).map_err(|_| {
            let (server, hint) = (redact_url(server.as_str()), redact_url(hint));
            AuthError::Discovery(format!("{server} points to '{hint}' for its metadata, which is not a URL"))
        })?;
        urls.push(url);
    }
    let specific = well_known(server, NAME);
    let mut root = well_known(server, NAME);
    root.set_path(&format!("/.well-known/{NAME}"));
    root.set_query(None);
    urls.extend([specific, root]);
    urls.dedup();
    for url in urls {
        if let Some(metadata) = document::<ResourceMetadata>(http, &url).await? {
            return checked(metadata, server, &url).map(Some);
        }
    }
    match hint {
        Some(hint) => Err(AuthError::Discovery(format!(
            "{} points to {} for its metadata, but there is none",
            redact_url(server.as_str()),
            redact_url(hint)
        ))),
        None => Ok(None),
    }
}

fn checked(metadata: ResourceMetadata, server: &Url, url: &Url) -> Result<ResourceMetadata, AuthError> {
    if !covers(&metadata.resource, server) {
        return Err(AuthError::Discovery(format!(
            "{} describes the resource '{}', which is not {}: a token for it would belong to another server. The operator of the \
             server has to correct its metadata",
            redact_url(url.as_str()),
            metadata.resource,
            redact_url(server.as_str())
        )));
    }
    Ok(metadata)
}

/// Returns whether a resource identifier covers a server: it is the same URL, or a prefix of the server's path (RFC
/// 9728, section 3.3, widened as in draft-mcguinness-oauth-rfc9728bis, which servers with metadata at the root need).
pub fn covers(resource: &str, server: &Url) -> bool {
    let Ok(url) = Url::parse(resource) else { return false };
    if url.fragment().is_some() || url.origin() != server.origin() || !url.origin().is_tuple() {
        return false;
    }
    if url.query().is_some() && url.query() != server.query() {
        return false;
    }
    let own = url.path().trim_end_matches('/');
    server.path().strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_covers_the_paths_below_it() {
        let server = Url::parse("https://a.example/one/mcp").unwrap();
        let table = [
            ("https://a.example/one/mcp", true),
            ("https://A.example:443/one/mcp", true),
            ("https://a.example/one/mcp/", true),
            ("https://a.example/one", true),
            ("https://a.example/", true),
            ("https://a.example", true),
            ("https://a.example/one/mc", false),
            ("https://a.example/one/mcp/two", false),
            ("https://a.example/two", false),
            ("https://a.example/one/mcp?x=1", false),
            ("https://a.example/one/mcp#f", false),
            ("http://a.example/one/mcp", false),
            ("https://a.example:8443/one/mcp", false),
            ("https://b.example/one/mcp", false),
            ("https://a.example.evil.example/one/mcp", false),
            ("urn:a", false),
            ("a.example", false),
            ("", false),
        ];
        for (resource, covered) in table {
            assert_eq!(covers(resource, &server), covered, "{resource}");
        }
    }
}
