//! Requests and responses of the restricted HTTP client.

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use loggia::wire::text::is_unsafe;
use url::Url;

use super::error::{FetchError, redacted};
use crate::secret::Secret;

/// A request of the [`RestrictedHttpClient`](super::RestrictedHttpClient).
#[derive(Debug, Clone)]
pub struct FetchRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) redirects: Option<usize>,
    pub(super) most_bytes: Option<usize>,
}

impl FetchRequest {
    /// Creates a GET request for a document.
    pub fn get(url: Url) -> FetchRequest {
        FetchRequest {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            redirects: None,
            most_bytes: None,
        }
        .header(ACCEPT, HeaderValue::from_static("application/json"))
    }

    /// Creates a request from its parts. Its URL must be absolute.
    pub fn from_http(request: http::Request<Bytes>) -> Result<FetchRequest, FetchError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string())
            .map_err(|error| FetchError::Configuration(format!("the URL cannot be requested: {error}")))?;
        Ok(FetchRequest {
            method: parts.method,
            url,
            headers: parts.headers,
            body,
            redirects: None,
            most_bytes: None,
        })
    }

    /// Creates a POST request with a form. It follows no redirect, because the form is only for this URL.
    pub fn form<'a>(url: Url, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> FetchRequest {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        FetchRequest::post(url, kind, form.finish())
    }

    /// Creates a POST request with JSON. It follows no redirect.
    pub fn json(url: Url, body: impl Into<Bytes>) -> FetchRequest {
        FetchRequest::post(url, HeaderValue::from_static("application/json"), body)
    }

    fn post(url: Url, kind: HeaderValue, body: impl Into<Bytes>) -> FetchRequest {
        let fetch = FetchRequest { method: Method::POST, body: body.into(), ..FetchRequest::get(url) };
        fetch.header(CONTENT_TYPE, kind).redirects(0)
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> FetchRequest {
        self.headers.insert(name, value);
        self
    }

    /// Adds an `Authorization` header. A redirect to another origin drops it.
    pub fn authorization(self, scheme: &str, credentials: &Secret) -> Result<FetchRequest, FetchError> {
        let value = format!("{scheme} {}", credentials.expose());
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            FetchError::Configuration("the credentials hold a character that no header may have".to_owned())
        })?;
        value.set_sensitive(true);
        Ok(self.header(AUTHORIZATION, value))
    }

    /// Lowers the number of redirects below that of the policy. Only GET requests follow redirects.
    pub fn redirects(mut self, most: usize) -> FetchRequest {
        self.redirects = Some(most);
        self
    }

    /// Lowers the number of bytes of the body below that of the policy.
    pub fn most_bytes(mut self, most: usize) -> FetchRequest {
        self.most_bytes = Some(most);
        self
    }
}

/// A response of any status.
#[derive(Clone)]
pub struct FetchResponse {
    /// The URL of the response, after redirects.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for FetchResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body may contain tokens.
        f.debug_struct("FetchResponse")
            .field("url", &redacted(&self.url))
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish()
    }
}

impl FetchResponse {
    /// Returns whether the content type is JSON.
    pub fn is_json(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
    }

    /// Returns the beginning of the body as text, for an error message.
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(2048)]).into_owned();
        let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
        plain.chars().filter(|c| !is_unsafe(*c)).take(200).collect()
    }
}
