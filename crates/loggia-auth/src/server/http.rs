//! HTTP requests and responses of the authorization server: parameters, cookies, errors.
//!
//! All endpoints read bounded bodies with unambiguous parameters, and no cache keeps their responses.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, COOKIE,
    LOCATION, ORIGIN, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use loggia::transport::http::Body;
use serde::Serialize;

use crate::error::AuthError;

/// The maximum length of a body, in bytes.
const MAX_BYTES: usize = 64 << 10;
/// Time for a body to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The number of seconds after which a client can retry, if a retry can help.
pub(super) const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");
/// The maximum number of parameters of one request.
const MAX_PARAMETERS: usize = 64;

/// An error response (RFC 6749, section 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OAuthError {
    pub(super) code: &'static str,
    pub(super) description: String,
    pub(super) status: StatusCode,
    /// A nonce that the client should use in its next proof.
    pub(super) nonce: Option<String>,
    /// True if the response asks for HTTP Basic authentication, because the client used it.
    pub(super) is_basic_challenge: bool,
}

impl OAuthError {
    pub(super) fn new(code: &'static str, description: impl Into<String>) -> OAuthError {
        let status = match code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        OAuthError { code, description: description.into(), status, nonce: None, is_basic_challenge: false }
    }

    pub(super) fn response(&self) -> Response<Body> {
        let document = serde_json::json!({ "error": self.code, "error_description": self.description });
        let mut response = json(self.status, &document);
        let headers = response.headers_mut();
        if let Some(nonce) = self.nonce.as_deref().and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
            headers.insert(HeaderName::from_static("dpop-nonce"), nonce);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_SECONDS);
        }
        if self.is_basic_challenge && self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"clients\""));
        }
        response
    }
}

/// Logs an internal error. The client learns only that the server failed, and whether a retry can help.
impl From<AuthError> for OAuthError {
    fn from(error: AuthError) -> OAuthError {
        tracing::error!(%error, "the authorization server failed");
        match error.is_unavailable() {
            true => OAuthError::new(
                "temporarily_unavailable",
                "The authorization server cannot answer now; try again",
            ),
            false => {
                OAuthError::new("server_error", "The authorization server failed, and its log has the reason")
            }
        }
    }
}

/// Parameters of a query or a form.
#[derive(Default)]
pub(super) struct RequestParams {
    values: BTreeMap<String, String>,
    resources: Vec<String>,
}

/// Parameters that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParamsError(String);

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RequestParams {
    /// Parses parameters. A parameter without a value counts as absent, and none may be repeated (RFC 6749, section
    /// 3.1), except `resource` (RFC 8707, section 2).
    pub(super) fn parse(text: &[u8]) -> Result<RequestParams, ParamsError> {
        let mut params = RequestParams::default();
        for (n, (name, value)) in url::form_urlencoded::parse(text).enumerate() {
            if n >= MAX_PARAMETERS {
                return Err(ParamsError("There are too many parameters".to_owned()));
            }
            if value.is_empty() {
                continue;
            }
            if name == "resource" {
                params.resources.push(value.into_owned());
            } else if params.values.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                let name: String = name.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
                return Err(ParamsError(format!("The parameter {name} is repeated")));
            }
        }
        Ok(params)
    }

    /// Returns the value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Returns the value of a required parameter.
    pub(super) fn need(&self, name: &'static str) -> Result<&str, OAuthError> {
        let missing = || OAuthError::new("invalid_request", format!("The parameter {name} is missing"));
        self.get(name).ok_or_else(missing)
    }

    /// Returns the values of `resource`.
    pub(super) fn resources(&self) -> &[String] {
        &self.resources
    }
}

/// Reads a body within the bounds.
pub(super) async fn read_body(body: Body) -> Result<Bytes, OAuthError> {
    let read = tokio::time::timeout(READ_TIMEOUT, Limited::new(body, MAX_BYTES).collect()).await;
    let refused = |status, what: &str| OAuthError { status, ..OAuthError::new("invalid_request", what) };
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long")),
        Err(_) => Err(refused(StatusCode::REQUEST_TIMEOUT, "The body took too long to arrive")),
    }
}

/// Reads a form within the bounds.
pub(super) async fn read_form(headers: &HeaderMap, body: Body) -> Result<RequestParams, OAuthError> {
    let body = read_body(body).await?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Err(OAuthError::new(
            "invalid_request",
            "Send the parameters as application/x-www-form-urlencoded",
        ));
    }
    RequestParams::parse(&body).map_err(|error| OAuthError::new("invalid_request", error.to_string()))
}

/// Returns a JSON response that no cache keeps.
pub(super) fn json(status: StatusCode, document: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(document).expect("the document consists of texts, numbers and lists");
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns the response for an address that sends too many requests.
pub(super) fn too_many_requests(wait: Duration) -> Response<Body> {
    let error = OAuthError {
        status: StatusCode::TOO_MANY_REQUESTS,
        ..OAuthError::new(
            "temporarily_unavailable",
            "Too many requests come from this address; try again later",
        )
    };
    with_retry_after(error.response(), wait)
}

/// Sets the time after which the client can retry (RFC 9110, section 10.2.3).
pub(super) fn with_retry_after(mut response: Response<Body>, wait: Duration) -> Response<Body> {
    let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Returns a redirect.
pub(super) fn redirect(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match HeaderValue::from_str(to) {
        Ok(location) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, location);
        }
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns the response for a method that an endpoint does not allow.
pub(super) fn method_not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Allows web pages of any origin to read a response. The endpoint must not read cookies.
pub(super) fn with_cors(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = "DPoP-Nonce, Retry-After, WWW-Authenticate";
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    response
}

/// Returns the response to a preflight request of a browser.
pub(super) fn preflight() -> Response<Body> {
    let mut response = with_cors(Response::new(Body::empty()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    let allowed = "Authorization, Content-Type, DPoP, MCP-Protocol-Version";
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// The cookies of this server.
///
/// With `https`, the prefix of the name makes browsers refuse a cookie that another host set. Browsers send the
/// cookies of a host to all of its ports, so the name contains the port, to distinguish servers on the same machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerCookies {
    pub(super) secure: bool,
    pub(super) port: Option<u16>,
}

impl ServerCookies {
    fn name(self, suffix: &str) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        let port = self.port.map(|port| format!("{port}-")).unwrap_or_default();
        format!("{prefix}loggia-{port}{suffix}")
    }

    /// Returns the value of a cookie; `None` if there are two of the name, because another party set one of them.
    pub(super) fn get<'a>(self, headers: &'a HeaderMap, suffix: &str) -> Option<&'a str> {
        let name = self.name(suffix);
        let pairs = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'));
        let mut found =
            pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(known, _)| *known == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }

    /// Sets a cookie in a response.
    pub(super) fn set(self, response: &mut Response<Body>, suffix: &str, value: &str, life: Duration) {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.name(suffix);
        let cookie =
            format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}", life.as_secs());
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
}

/// Returns whether a form was sent from a page of this `origin`. Browsers always send the origin of a form.
pub(super) fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let text =
        |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned());
    let site = text(HeaderName::from_static("sec-fetch-site"));
    let from_here = site.is_none_or(|site| site == "same-origin" || site == "none");
    from_here && text(ORIGIN).is_none_or(|from| from == origin)
}
