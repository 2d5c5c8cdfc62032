//! Requests and answers of the authorization server: parameters that are there once, cookies, and answers
//! that no cache keeps and no other page can frame.

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

/// Longest body that is read.
const MOST_BYTES: usize = 64 << 10;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// In how many seconds a client tries again where that helps.
pub(super) const TRY_AGAIN: HeaderValue = HeaderValue::from_static("5");
/// Most parameters of one request.
const MOST_PARAMETERS: usize = 64;

/// An error as RFC 6749, section 5.2, has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OAuthError {
    pub(super) code: &'static str,
    pub(super) description: String,
    pub(super) status: StatusCode,
    /// A nonce that the client should use in its next proof.
    pub(super) nonce: Option<String>,
    /// Whether the client tried to show who it is by HTTP's own authentication.
    pub(super) basic: bool,
}

impl OAuthError {
    pub(super) fn new(code: &'static str, description: impl Into<String>) -> OAuthError {
        let status = match code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        OAuthError { code, description: description.into(), status, nonce: None, basic: false }
    }

    pub(super) fn response(&self) -> Response<Body> {
        let document = serde_json::json!({ "error": self.code, "error_description": self.description });
        let mut response = json(self.status, &document);
        let headers = response.headers_mut();
        if let Some(nonce) = self.nonce.as_deref().and_then(|nonce| HeaderValue::from_str(nonce).ok()) {
            headers.insert(HeaderName::from_static("dpop-nonce"), nonce);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, TRY_AGAIN);
        }
        if self.basic && self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"clients\""));
        }
        response
    }
}

/// What fails inside goes to the log; the client learns that it was not its fault.
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
pub(super) struct Params {
    once: BTreeMap<String, String>,
    resources: Vec<String>,
}

/// What is wrong with parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadParams(String);

impl fmt::Display for BadParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Params {
    /// RFC 6749, section 3.1: a parameter without a value counts as none, and none may be there twice; but
    /// RFC 8707 lets `resource` be.
    pub(super) fn parse(text: &[u8]) -> Result<Params, BadParams> {
        let mut params = Params::default();
        for (n, (name, value)) in url::form_urlencoded::parse(text).enumerate() {
            if n >= MOST_PARAMETERS {
                return Err(BadParams("There are too many parameters".to_owned()));
            }
            if value.is_empty() {
                continue;
            }
            if name == "resource" {
                params.resources.push(value.into_owned());
            } else if params.once.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                let name: String = name.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
                return Err(BadParams(format!("The parameter {name} is there more than once")));
            }
        }
        Ok(params)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.once.get(name).map(String::as_str)
    }

    pub(super) fn need(&self, name: &'static str) -> Result<&str, OAuthError> {
        let missing = || OAuthError::new("invalid_request", format!("The parameter {name} is missing"));
        self.get(name).ok_or_else(missing)
    }

    pub(super) fn resources(&self) -> &[String] {
        &self.resources
    }
}

/// Reads a body.
pub(super) async fn read(body: Body) -> Result<Bytes, OAuthError> {
    let read = tokio::time::timeout(PATIENCE, Limited::new(body, MOST_BYTES).collect()).await;
    let refused = |status, what: &str| OAuthError { status, ..OAuthError::new("invalid_request", what) };
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long")),
        Err(_) => Err(refused(StatusCode::REQUEST_TIMEOUT, "The body took too long to arrive")),
    }
}

/// Reads a form.
pub(super) async fn form(headers: &HeaderMap, body: Body) -> Result<Params, OAuthError> {
    let body = read(body).await?;
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
    Params::parse(&body).map_err(|error| OAuthError::new("invalid_request", error.to_string()))
}

/// A JSON document that nobody keeps.
pub(super) fn json(status: StatusCode, document: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(document).expect("documents of ours can be written");
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Too many requests came from one address.
pub(super) fn too_many(wait: Duration) -> Response<Body> {
    let error = OAuthError {
        status: StatusCode::TOO_MANY_REQUESTS,
        ..OAuthError::new(
            "temporarily_unavailable",
            "Too many requests come from this address; try again later",
        )
    };
    retry_after(error.response(), wait)
}

/// Says when to come again (RFC 9110, section 10.2.3).
pub(super) fn retry_after(mut response: Response<Body>, wait: Duration) -> Response<Body> {
    let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// A page that is sent elsewhere.
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

/// The path is right and the method is not.
pub(super) fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Lets clients that are web pages use an endpoint. None of these endpoints reads a cookie.
pub(super) fn open_to_pages(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = "DPoP-Nonce, Retry-After, WWW-Authenticate";
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    response
}

/// What a browser asks before it lets a page use an endpoint.
pub(super) fn preflight() -> Response<Body> {
    let mut response = open_to_pages(Response::new(Body::empty()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    let allowed = "Authorization, Content-Type, DPoP, MCP-Protocol-Version";
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

/// Cookies of ours. On `https` their name makes browsers refuse them from anywhere else. Browsers send a host's cookies
/// to all of its ports, so that of another server on the same machine is in the name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cookies {
    pub(super) secure: bool,
    pub(super) port: Option<u16>,
}

impl Cookies {
    fn name(self, what: &str) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        let port = self.port.map(|port| format!("{port}-")).unwrap_or_default();
        format!("{prefix}loggia-{port}{what}")
    }

    /// The value of a cookie. Where there are two, neither counts: one of them is not ours.
    pub(super) fn get<'a>(self, headers: &'a HeaderMap, what: &str) -> Option<&'a str> {
        let name = self.name(what);
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

    pub(super) fn set(self, response: &mut Response<Body>, what: &str, value: &str, life: Duration) {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.name(what);
        let cookie =
            format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}", life.as_secs());
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
}

/// Whether a form was sent from a page of `origin`'s own. Browsers always say where a form comes from.
pub(super) fn comes_from(headers: &HeaderMap, origin: &str) -> bool {
    let text =
        |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned());
    let site = text(HeaderName::from_static("sec-fetch-site"));
    let from_here = site.is_none_or(|site| site == "same-origin" || site == "none");
    from_here && text(ORIGIN).is_none_or(|from| from == origin)
}
