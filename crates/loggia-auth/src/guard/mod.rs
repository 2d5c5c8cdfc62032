//! The HTTP client for URLs that somebody else chose.
//!
//! A server names its authorization server, that one names its endpoints, a client names the document that
//! describes it: each of these is a way to make us talk to a machine of our own network on behalf of a
//! stranger. So whatever fetches such a URL does it here. The rules are the same for everyone: `https` only,
//! no address that is not public, looked at after the name was resolved and again after each redirect, and
//! a bound on size, time and redirects.

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
pub use address::{Network, is_public};
use connector::{Connector, Refusal};
use redirect::redirect;

/// The requests that a [`RestrictedHttpClient`] allows.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether the machine itself may be reached, by `http` too. For development and for tests.
    pub loopback: bool,
    /// Networks that may be reached although they are not public, by `https`.
    pub networks: Vec<Network>,
    /// Servers that we were told to talk to by whoever runs us: wherever they are, they may be reached.
    pub trusted: Vec<Url>,
    /// How many bytes of a body are read.
    pub most_bytes: usize,
    /// How long a request may take with everything that belongs to it: name, connection, redirects, body.
    pub timeout: Duration,
    /// How often a request for a document follows a redirect.
    pub redirects: usize,
    /// Certificates to trust beside the usual authorities, each in PEM.
    pub roots: Vec<Vec<u8>>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
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

impl Policy {
    /// The policy for development: the machine itself may be reached, by `http` too.
    pub fn development() -> Policy {
        Policy { loopback: true, ..Policy::default() }
    }

    /// The same policy for somebody who was told to talk to a server by whoever runs us.
    pub fn trusting(mut self, server: &Url) -> Policy {
        self.trusted.push(server.clone());
        self
    }

    /// Whether what a URL says can be relied on to come from there: it is an `https` URL, or this machine's own where
    /// that may be reached.
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

    /// Whether an address may be connected to.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address)
            || (self.loopback && address.is_loopback())
            || self.networks.iter().any(|network| network.contains(address))
    }

    /// Whether a URL may be fetched, as far as can be seen before its name is resolved.
    pub fn check(&self, url: &Url) -> Result<(), FetchError> {
        let refused = |why: &str| Err(FetchError::Refused { url: shown(url), why: why.to_owned() });
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

/// Whether a URL is that of the machine itself, as far as can be seen before its name is resolved.
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => false,
    }
}

/// Whether a name stands for the machine itself (RFC 6761, section 6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

/// Finds the addresses of a name.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a host.
    fn resolve<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;
}

/// The resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        Box::pin(
            async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect()) },
        )
    }
}

/// Why there is no answer.
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
    /// The server could not be reached, or broke off.
    Failed {
        /// The URL without its query.
        url: String,
        /// The reason.
        why: String,
    },
    /// The answer did not come in time.
    TimedOut {
        /// The URL without its query.
        url: String,
        /// The limit.
        limit: Duration,
    },
    /// The answer is longer than what is read.
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

/// A request.
#[derive(Debug, Clone)]
pub struct Fetch {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    redirects: Option<usize>,
    most_bytes: Option<usize>,
}

impl Fetch {
    /// Asks for a document.
    pub fn get(url: Url) -> Fetch {
        Fetch {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            redirects: None,
            most_bytes: None,
        }
        .header(ACCEPT, HeaderValue::from_static("application/json"))
    }

    /// Sends a form. It follows no redirect: what is in it is meant for this URL alone.
    pub fn form<'a>(url: Url, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Fetch {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        Fetch::post(url, kind, form.finish())
    }

    /// Sends a JSON text. It follows no redirect.
    pub fn json(url: Url, body: impl Into<Bytes>) -> Fetch {
        Fetch::post(url, HeaderValue::from_static("application/json"), body)
    }

    fn post(url: Url, kind: HeaderValue, body: impl Into<Bytes>) -> Fetch {
        let fetch = Fetch { method: Method::POST, body: body.into(), ..Fetch::get(url) };
        fetch.header(CONTENT_TYPE, kind).redirects(0)
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Fetch {
        self.headers.insert(name, value);
        self
    }

    /// Adds `Authorization`. It is not taken along to another origin.
    pub fn authorization(self, scheme: &str, credentials: &Secret) -> Result<Fetch, FetchError> {
        let value = format!("{scheme} {}", credentials.expose());
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            FetchError::Configuration("the credentials hold a character that no header may have".to_owned())
        })?;
        value.set_sensitive(true);
        Ok(self.header(AUTHORIZATION, value))
    }

    /// How often a redirect is followed, where that is less than what the policy says. A request that is not
    /// a GET follows none.
    pub fn redirects(mut self, most: usize) -> Fetch {
        self.redirects = Some(most);
        self
    }

    /// How many bytes of the body are read, where that is less than what the policy says.
    pub fn most_bytes(mut self, most: usize) -> Fetch {
        self.most_bytes = Some(most);
        self
    }
}

/// An answer, whatever its status.
#[derive(Clone)]
pub struct Reply {
    /// The URL that answered, after redirects.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body may hold tokens.
        f.debug_struct("Reply")
            .field("url", &shown(&self.url))
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish()
    }
}

impl Reply {
    /// Whether the body is said to be JSON.
    pub fn is_json(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
    }

    /// The beginning of a body that is text, for an error message.
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(2048)]).into_owned();
        let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
        plain.chars().filter(|c| !is_unsafe(*c)).take(200).collect()
    }
}

/// An HTTP client for URLs that another party chose: it follows a [`Policy`] on schemes, addresses, redirects and sizes.
/// Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct RestrictedHttpClient {
    policy: Arc<Policy>,
    client: Client<Connector, Full<Bytes>>,
}

impl fmt::Debug for RestrictedHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestrictedHttpClient").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl RestrictedHttpClient {
    /// A client that resolves names as the operating system does.
    pub fn new(policy: Policy) -> Result<RestrictedHttpClient, FetchError> {
        RestrictedHttpClient::with_resolver(policy, SystemResolver)
    }

    /// A client with a resolver of its own.
    pub fn with_resolver(policy: Policy, resolver: impl Resolve) -> Result<RestrictedHttpClient, FetchError> {
        let policy = Arc::new(policy);
        let client = connector::client(&policy, Arc::new(resolver))?;
        Ok(RestrictedHttpClient { policy, client })
    }

    /// What is let through.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Asks for a document.
    pub async fn get(&self, url: &Url) -> Result<Reply, FetchError> {
        self.send(Fetch::get(url.clone())).await
    }

    /// Makes a request. The answer may have any status but a redirect that is not followed.
    pub async fn send(&self, fetch: Fetch) -> Result<Reply, FetchError> {
        let limit = self.policy.timeout;
        let url = shown(&fetch.url);
        let timed = tokio::time::timeout(limit, Box::pin(self.followed(fetch))).await;
        timed.unwrap_or(Err(FetchError::TimedOut { url, limit }))
    }

    async fn followed(&self, mut fetch: Fetch) -> Result<Reply, FetchError> {
        let most = match fetch.method {
            Method::GET => fetch.redirects.unwrap_or(usize::MAX).min(self.policy.redirects),
            _ => 0,
        };
        for _ in 0..=most {
            self.policy.check(&fetch.url)?;
            let response = self.once(&fetch).await?;
            let Some(target) = redirect(&fetch.url, &response)? else {
                return self.reply(fetch, response).await;
            };
            if most == 0 {
                let why = format!("it answers {} and points to {}", response.status(), shown(&target));
                return Err(FetchError::Refused { url: shown(&fetch.url), why });
            }
            if target.origin() != fetch.url.origin() {
                fetch.headers.remove(AUTHORIZATION);
            }
            fetch.url = target;
        }
        let why = format!("it is behind more than {most} redirects");
        Err(FetchError::Refused { url: shown(&fetch.url), why })
    }

    async fn once(&self, fetch: &Fetch) -> Result<http::Response<Incoming>, FetchError> {
        let failed = |why: String| FetchError::Failed { url: shown(&fetch.url), why };
        let mut request = http::Request::new(Full::new(fetch.body.clone()));
        *request.method_mut() = fetch.method.clone();
        *request.uri_mut() = fetch.url[..url::Position::AfterQuery]
            .parse()
            .map_err(|error| failed(format!("it cannot be requested ({error})")))?;
        *request.headers_mut() = fetch.headers.clone();
        let agent = HeaderValue::from_static(concat!("loggia/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        self.client.request(request).await.map_err(|error| match refusal(&error) {
            Some(why) => FetchError::Refused { url: shown(&fetch.url), why },
            None => failed(with_sources(&error)),
        })
    }

    async fn reply(&self, fetch: Fetch, response: http::Response<Incoming>) -> Result<Reply, FetchError> {
        let limit = fetch.most_bytes.unwrap_or(usize::MAX).min(self.policy.most_bytes);
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, limit).collect().await.map_err(|error| {
            let url = shown(&fetch.url);
            match error.is::<LengthLimitError>() {
                true => FetchError::TooLong { url, limit },
                false => FetchError::Failed { url, why: with_sources(&*error) },
            }
        })?;
        Ok(Reply { url: fetch.url, status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }
}

/// A URL as it may be shown: what follows its path may hold a secret.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// The connector's own refusal, if that is what an error comes from.
fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Some(refusal.to_string());
        }
        if let Some(refusal) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<Refusal>())
        {
            return Some(refusal.to_string());
        }
        cause = error.source();
    }
    None
}

/// An error with everything that led to it.
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
