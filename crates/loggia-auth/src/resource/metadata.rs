//! The metadata of the protected resource (RFC 9728), which tells clients its authorization servers.

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use loggia::transport::http::Body;
use serde::Serialize;
use url::Url;

use super::dpop::{DpopPolicy, PROOF_ALGORITHMS};
use crate::jose::Algorithm;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The content of the metadata.
pub(super) struct ProtectedResourceMetadata<'a> {
    pub(super) resource: &'a str,
    pub(super) authorization_servers: Vec<&'a str>,
    pub(super) scopes: Vec<&'a str>,
    pub(super) title: Option<&'a str>,
    pub(super) dpop: Option<&'a DpopPolicy>,
}

#[derive(Serialize)]
struct ResourceMetadataDocument<'a> {
    resource: &'a str,
    authorization_servers: &'a [&'a str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<&'a str>,
    bearer_methods_supported: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_signing_alg_values_supported: Option<&'a [Algorithm]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_bound_access_tokens_required: Option<bool>,
}

impl ProtectedResourceMetadata<'_> {
    /// Returns the document.
    pub(super) fn to_json(&self) -> serde_json::Value {
        // A resource server does not use refresh tokens (specification, "Refresh Tokens").
        let scopes = self.scopes.iter().copied().filter(|scope| *scope != "offline_access");
        let document = ResourceMetadataDocument {
            resource: self.resource,
            authorization_servers: &self.authorization_servers,
            scopes_supported: scopes.collect(),
            bearer_methods_supported: &["header"],
            resource_name: self.title,
            dpop_signing_alg_values_supported: self.dpop.map(|_| PROOF_ALGORITHMS),
            dpop_bound_access_tokens_required: self.dpop.map(DpopPolicy::is_required),
        };
        serde_json::to_value(document).expect("the document consists of texts and lists")
    }
}

/// The endpoint that publishes the metadata.
pub(super) struct MetadataEndpoint {
    path: String,
    url: String,
    document: serde_json::Value,
}

impl MetadataEndpoint {
    /// Creates the endpoint of a resource. Its path is the well-known name and then the path of the resource (RFC 9728,
    /// section 3.1).
    pub(super) fn new(resource: &Url, document: serde_json::Value) -> MetadataEndpoint {
        let path = format!("{WELL_KNOWN}{}", resource.path().trim_end_matches('/'));
        let url = format!("{}{path}", resource.origin().ascii_serialization());
        MetadataEndpoint { path, url, document }
    }

    /// Returns the URL of the metadata, for challenges.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Returns whether the metadata is at a path: its own one, or the one at the root, which clients try next.
    pub(super) fn is_at(&self, path: &str) -> bool {
        path == WELL_KNOWN || path.trim_end_matches('/') == self.path
    }

    /// Answers a request for the metadata.
    pub(super) fn handle(&self, method: &Method) -> Response<Body> {
        if method != Method::GET && method != Method::HEAD {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let mut response = Response::new(Body::full(self.document.to_string()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
        // The document is public, and clients that are web pages must be able to read it.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_is_below_the_well_known_name() {
        for (resource, path, url) in [
            ("https://mcp.example/mcp", "/.well-known/oauth-protected-resource/mcp", "/mcp"),
            ("https://mcp.example/", "/.well-known/oauth-protected-resource", ""),
        ] {
            let endpoint = MetadataEndpoint::new(&resource.parse().unwrap(), serde_json::Value::Null);
            assert_eq!(
                endpoint.url(),
                format!("https://mcp.example/.well-known/oauth-protected-resource{url}")
            );
            for (path, is_at) in [(path, true), (WELL_KNOWN, true), ("/mcp", false)] {
                assert_eq!(endpoint.is_at(path), is_at, "{resource} {path}");
            }
        }
    }
}
