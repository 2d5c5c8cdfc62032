//! The document that leads clients to the authorization server: protected resource metadata (RFC 9728).

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use loggia::transport::http::Body;
use serde::Serialize;

use super::{PROOF_ALGORITHMS, Resource};
use crate::jose::Algorithm;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

#[derive(Serialize)]
struct Document<'a> {
    resource: &'a str,
    authorization_servers: Vec<&'a str>,
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

impl Resource {
    /// The path of the metadata: the well-known name, and then the resource's own path (RFC 9728, section
    /// 3.1).
    fn metadata_path(&self) -> String {
        format!("{WELL_KNOWN}{}", self.uri.path().trim_end_matches('/'))
    }

    /// The URL of the metadata, for challenges.
    pub(super) fn metadata_url(&self) -> String {
        format!("{}{}", self.uri.origin().ascii_serialization(), self.metadata_path())
    }

    /// Whether a path is that of the metadata: its own, or the one at the root where clients look next.
    pub(super) fn is_metadata(&self, path: &str) -> bool {
        path == WELL_KNOWN || path.trim_end_matches('/') == self.metadata_path()
    }

    /// The metadata as it is published.
    pub fn metadata(&self) -> serde_json::Value {
        let supported: Vec<&str> = match self.supported.is_empty() {
            true => self.scopes.base().iter().map(String::as_str).collect(),
            false => self.supported.iter().map(String::as_str).collect(),
        };
        let document = Document {
            resource: &self.name,
            authorization_servers: self.issuers.iter().map(|issuer| issuer.name()).collect(),
            // Refresh tokens are not this server's business (specification, "Refresh Tokens").
            scopes_supported: supported.into_iter().filter(|scope| *scope != "offline_access").collect(),
            bearer_methods_supported: &["header"],
            resource_name: self.title.as_deref(),
            dpop_signing_alg_values_supported: self.dpop.as_ref().map(|_| PROOF_ALGORITHMS),
            dpop_bound_access_tokens_required: self.dpop.as_ref().map(|dpop| dpop.is_required()),
        };
        serde_json::to_value(document).expect("texts and lists can be written")
    }

    pub(super) fn metadata_response(&self, method: &Method) -> Response<Body> {
        if method != Method::GET && method != Method::HEAD {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let mut response = Response::new(Body::full(self.metadata().to_string()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
        // It is public, and clients that are web pages must be able to read it.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response
    }
}
