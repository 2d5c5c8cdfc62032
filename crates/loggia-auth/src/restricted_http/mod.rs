//! The HTTP client for URLs that another party chose.
//!
//! A server names its authorization server, which names its endpoints; a client names the document that describes it.
//! Each of these URLs could lead into the private network of this machine (server-side request forgery), so all of them
//! are fetched by this client. Invariant: it sends requests only by `https` and only to public addresses, which it checks
//! after resolving the name and again after each redirect, and it bounds size, time and redirects.

mod address;
mod connector;
mod redirect;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use loggia::wire::text::is_unsafe;
use url::{Host, Url};

use crate::secret::Secret;
pub use address::{IpNetwork, is_public};
use connector::{AddressError, RestrictedConnector};
use redirect::redirect;

/// The requests that a [`RestrictedHttpClient`] allows.
#[derive(Debug, Clone)]
pub struct FetchPolicy {
    /// Whether loopback addresses are allowed, by `http` too. For development and for tests.
    pub loopback: bool,
    /// Networks that are allowed although they are not public, by `https`.
    pub networks: Vec<IpNetwork>,
    /// Servers that the user or administrator configured: they are allowed at any address.
    pub trusted: Vec<Url>,
    /// The most bytes of a body that are read.
    pub most_bytes: usize,
    /// The time limit of a request, including name resolution, connection, redirects and body.
    pub timeout: Duration,
    /// The number of redirects that a GET request follows.
    pub redirects: usize,
    /// Root certificates beside the usual ones, each in PEM.
    pub roots: Vec<Vec<u8>>,
}

impl Default for FetchPolicy {
    fn default() -> FetchPolicy {
        FetchPolicy {
            loopback: false,
            networks: Vec::new(),
            trusted: Vec::new(),
            most_bytes: 256 << 10,
            timeout: Duration::from_secs(20),
            redirects: 3,
            roots: Vec::new(),
        }
    }
}

impl FetchPolicy {
    /// Returns the policy for development: loopback addresses are allowed, by `http` too.
    pub fn development() -> FetchPolicy {
        FetchPolicy { loopback: true, ..FetchPolicy::default() }
    }

    /// Adds a server that the user or administrator configured.
    pub fn trusting(mut self, server: &Url) -> FetchPolicy {
        self.trusted.push(server.clone());
        self
    }

    /// Returns whether a URL is fetched unaltered: by `https`, or from this machine if loopback is allowed.
    #[cfg(feature = "client")]
    pub(crate) fn is_safe(&self, url: &Url) -> bool {
        url.scheme() == "https" || (self.loopback && url.scheme() == "http" && is_local(url))
    }

    fn trusts(&self, url: &Url) -> bool {
        self.trusted.iter().any(|trusted| trusted.origin() == url.origin())
    }

    fn trusts_host(&self, host: &str) -> bool {
        let same = |trusted: &Url| trusted.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host));
        self.trusted.iter().any(same)
    }

    /// Returns whether connections to an address are allowed.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address)
            || (self.loopback && address.is_loopback())
            || self.networks.iter().any(|network| network.contains(address))
    }

    /// Checks a URL before its name is resolved.
    pub fn check(&self, url: &Url) -> Result<(), FetchError> {
        let refused = |why: &str| Err(FetchError::Refused { url: redacted(url), why: why.to_owned() });
        if !url.username().is_empty() || url.password().is_some() {
            return refused("it holds a user name or password");
        }
        if self.trusts(url) && matches!(url.scheme(), "http" | "https") {
            return Ok(());
        }
        if url.host().is_none() {
            return refused("it names no host");
        }
        let local = is_local(url);
        if local && !self.loopback {
            return refused("it points to the machine itself");
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            return refused("it is not an https URL");
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        match address {
            Some(address) if !self.permits(address) => refused("its address is not a public one"),
            _ => Ok(()),
        }
    }
}

/// Returns whether a URL is on this machine, judged without resolving its name.
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => false,
    }
}

/// Returns whether a name stands for this machine (RFC 6761, section 6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

/// A name resolver.
pub trait Resolver: Send + Sync + 'static {
    /// Resolves a host name.
    fn resolve<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;
}

/// The name resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(
            async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect()) },
        )
    }
}

/// The reason why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL may not be fetched.
    Refused {
        /// The URL without its query.
        url: String,
        /// The reason.
        why: String,
    },
    /// The server is unreachable, or the connection failed.
    Failed {
        /// The URL without its query.
        url: String,
        /// The reason.
        why: String,
    },
    /// The response did not arrive in time.
    TimedOut {
        /// The URL without its query.
        url: String,
        /// The limit.
        limit: Duration,
    },
    /// The response is longer than the limit.
    TooLong {
        /// The URL without its query.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The configuration cannot be used.
    Configuration(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::Refused { url, why } => write!(f, "{url} is not fetched: {why}"),
            FetchError::Failed { url, why } => write!(f, "{url} cannot be fetched: {why}"),
            FetchError::TimedOut { url, limit } => {
                write!(f, "{url} did not answer within {} seconds", limit.as_secs_f32())
            }
            FetchError::TooLong { url, limit } => write!(f, "{url} answers with more than {limit} bytes"),
            FetchError::Configuration(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for FetchError {}

/// A request of the [`RestrictedHttpClient`].
#[derive(Debug, Clone)]
pub struct FetchRequest {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    redirects: Option<usize>,
    most_bytes: Option<usize>,
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

    /// Creates a POST request with a form. It follows no redirect: the form is for this URL alone.
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

    /// Limits the redirects further than the policy does. Only GET requests follow any.
    pub fn redirects(mut self, most: usize) -> FetchRequest {
        self.redirects = Some(most);
        self
    }

    /// Limits the bytes of the body further than the policy does.
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
        // The body may hold tokens.
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

    /// Returns the start of the body as text, for an error message.
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(2048)]).into_owned();
        let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
        plain.chars().filter(|c| !is_unsafe(*c)).take(200).collect()
    }
}

/// An HTTP client for URLs that another party chose: it follows a [`FetchPolicy`] on schemes, addresses, redirects and sizes.
/// Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct RestrictedHttpClient {
    policy: Arc<FetchPolicy>,
    client: Client<RestrictedConnector, Full<Bytes>>,
}

impl fmt::Debug for RestrictedHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestrictedHttpClient").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl RestrictedHttpClient {
    /// Creates a client that resolves names by the operating system.
    pub fn new(policy: FetchPolicy) -> Result<RestrictedHttpClient, FetchError> {
        RestrictedHttpClient::with_resolver(policy, SystemResolver)
    }

    /// Creates a client with another resolver.
    pub fn with_resolver(
        policy: FetchPolicy,
        resolver: impl Resolver,
    ) -> Result<RestrictedHttpClient, FetchError> {
        let policy = Arc::new(policy);
        let client = connector::client(&policy, Arc::new(resolver))?;
        Ok(RestrictedHttpClient { policy, client })
    }

    /// Returns the policy.
    pub fn policy(&self) -> &FetchPolicy {
        &self.policy
    }

    /// Fetches a document.
    pub async fn get(&self, url: &Url) -> Result<FetchResponse, FetchError> {
        self.send(FetchRequest::get(url.clone())).await
    }

    /// Sends a request. A redirect that is not followed is an error; any other status is a response.
    pub async fn send(&self, fetch: FetchRequest) -> Result<FetchResponse, FetchError> {
        let limit = self.policy.timeout;
        let url = redacted(&fetch.url);
        let timed = tokio::time::timeout(limit, Box::pin(self.send_following(fetch))).await;
        timed.unwrap_or(Err(FetchError::TimedOut { url, limit }))
    }

    async fn send_following(&self, mut fetch: FetchRequest) -> Result<FetchResponse, FetchError> {
        let most = match fetch.method {
            Method::GET => fetch.redirects.unwrap_or(usize::MAX).min(self.policy.redirects),
            _ => 0,
        };
        for _ in 0..=most {
            self.policy.check(&fetch.url)?;
            let response = self.send_once(&fetch).await?;
            let Some(target) = redirect(&fetch.url, &response)? else {
                return self.reply(fetch, response).await;
            };
            if most == 0 {
                let why = format!("it answers {} and points to {}", response.status(), redacted(&target));
                return Err(FetchError::Refused { url: redacted(&fetch.url), why });
            }
            if target.origin() != fetch.url.origin() {
                fetch.headers.remove(AUTHORIZATION);
            }
            fetch.url = target;
        }
        let why = format!("it is behind more than {most} redirects");
        Err(FetchError::Refused { url: redacted(&fetch.url), why })
    }

    async fn send_once(&self, fetch: &FetchRequest) -> Result<http::Response<Incoming>, FetchError> {
        let failed = |why: String| FetchError::Failed { url: redacted(&fetch.url), why };
        let mut request = http::Request::new(Full::new(fetch.body.clone()));
        *request.method_mut() = fetch.method.clone();
        *request.uri_mut() = fetch.url[..url::Position::AfterQuery]
            .parse()
            .map_err(|error| failed(format!("it cannot be requested ({error})")))?;
        *request.headers_mut() = fetch.headers.clone();
        let agent = HeaderValue::from_static(concat!("loggia/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        self.client.request(request).await.map_err(|error| match address_error(&error) {
            Some(why) => FetchError::Refused { url: redacted(&fetch.url), why },
            None => failed(with_sources(&error)),
        })
    }

    async fn reply(
        &self,
        fetch: FetchRequest,
        response: http::Response<Incoming>,
    ) -> Result<FetchResponse, FetchError> {
        let limit = fetch.most_bytes.unwrap_or(usize::MAX).min(self.policy.most_bytes);
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, limit).collect().await.map_err(|error| {
            let url = redacted(&fetch.url);
            match error.is::<LengthLimitError>() {
                true => FetchError::TooLong { url, limit },
                false => FetchError::Failed { url, why: with_sources(&*error) },
            }
        })?;
        Ok(FetchResponse {
            url: fetch.url,
            status: parts.status,
            headers: parts.headers,
            body: body.to_bytes(),
        })
    }
}

/// Returns a URL for messages, without credentials, query and fragment, which may be secret.
fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// Returns the text of an [`AddressError`] in the chain of an error's causes.
fn address_error(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<AddressError>() {
            return Some(refusal.to_string());
        }
        if let Some(refusal) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<AddressError>())
        {
            return Some(refusal.to_string());
        }
        cause = error.source();
    }
    None
}

/// Returns the text of an error and of its causes.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
