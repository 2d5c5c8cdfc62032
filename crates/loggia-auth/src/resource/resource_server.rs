//! The configuration of a resource server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use loggia::limits::Limits;
use url::Url;

use super::dpop::DpopPolicy;
use super::issuer::TrustedIssuer;
use super::metadata::ProtectedResourceMetadata;
use super::scopes::ScopePolicy;
use crate::clock::{self, Clock};
use crate::keys::ApiKeys;

/// An error for a URL that cannot be that of a protected server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceUriError(String);

impl fmt::Display for ResourceUriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' cannot be the address of a protected server: give the full https URL that clients use, without query or fragment",
            self.0
        )
    }
}

impl std::error::Error for ResourceUriError {}

/// A protected MCP server: the issuers that it trusts, and the scopes that it requires.
#[derive(Clone)]
pub struct ResourceServer {
    pub(super) uri: Url,
    pub(super) name: String,
    pub(super) audiences: Vec<String>,
    pub(super) issuers: Vec<Arc<TrustedIssuer>>,
    pub(super) keys: Option<Arc<ApiKeys>>,
    pub(super) scopes: ScopePolicy,
    supported_scopes: Vec<String>,
    pub(super) dpop: Option<DpopPolicy>,
    title: Option<String>,
    pub(super) skew: Duration,
    pub(super) max_bytes: usize,
    pub(super) max_resources: usize,
    pub(super) read_timeout: Duration,
    pub(super) clock: Clock,
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer").field("uri", &self.name).finish_non_exhaustive()
    }
}

impl ResourceServer {
    /// Creates the server at the URL that clients connect to (the canonical URI of the specification). Tokens must
    /// name it as their audience.
    pub fn new(uri: Url) -> Result<ResourceServer, ResourceUriError> {
        if uri.query().is_some()
            || uri.fragment().is_some()
            || !uri.has_host()
            || !uri.scheme().starts_with("http")
        {
            return Err(ResourceUriError(uri.into()));
        }
        let full = uri.as_str().to_owned();
        // A URL without a path is the same with and without the slash.
        let name = if uri.path() == "/" { full.trim_end_matches('/').to_owned() } else { full.clone() };
        Ok(ResourceServer {
            audiences: if name == full { vec![full] } else { vec![name.clone(), full] },
            name,
            uri,
            issuers: Vec::new(),
            keys: None,
            scopes: ScopePolicy::new(),
            supported_scopes: Vec::new(),
            dpop: None,
            title: None,
            skew: Duration::from_secs(30),
            max_bytes: 4 << 20,
            max_resources: Limits::default().subscriptions,
            read_timeout: Duration::from_secs(30),
            clock: clock::system(),
        })
    }

    /// Accepts the tokens of an issuer. The metadata lists the issuers in the order in which they are added.
    pub fn issuer(mut self, issuer: TrustedIssuer) -> ResourceServer {
        self.issuers.push(Arc::new(issuer));
        self
    }

    /// Accepts API keys.
    pub fn api_keys(mut self, keys: Arc<ApiKeys>) -> ResourceServer {
        self.keys = Some(keys);
        self
    }

    /// Sets the scopes that operations need.
    pub fn scopes(mut self, scopes: ScopePolicy) -> ResourceServer {
        self.scopes = scopes;
        self
    }

    /// Sets the scopes in the metadata; by default those that every request needs. According to the specification,
    /// they are the fewest scopes with which the server is useful.
    pub fn scopes_supported(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> ResourceServer {
        self.supported_scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Accepts or requires tokens that are bound to a key (RFC 9449).
    pub fn dpop(mut self, dpop: DpopPolicy) -> ResourceServer {
        self.dpop = Some(dpop);
        self
    }

    /// Accepts a further audience: an older URL of the same server, or its name at an authorization server without
    /// resource indicators.
    pub fn audience(mut self, audience: impl Into<String>) -> ResourceServer {
        self.audiences.push(audience.into());
        self
    }

    /// Sets the name to show to users.
    pub fn title(mut self, title: impl Into<String>) -> ResourceServer {
        self.title = Some(title.into());
        self
    }

    /// Sets the tolerance for the clocks of issuers: 30 seconds by default.
    pub fn skew(mut self, skew: Duration) -> ResourceServer {
        self.skew = skew;
        self
    }

    /// Sets the maximum length of a message whose operation is read, in bytes: 4 MiB by default. It should be equal
    /// to the limit of the endpoint.
    pub fn message_bytes(mut self, max: usize) -> ResourceServer {
        self.max_bytes = max;
        self
    }

    /// Sets the maximum number of resources in one request, if scope rules depend on resources: 1024 by default. It
    /// should be equal to the limit of the endpoint ([`Limits::subscriptions`]). A request with more resources is
    /// refused with `400`.
    pub fn resources_per_request(mut self, max: usize) -> ResourceServer {
        self.max_resources = max;
        self
    }

    /// Sets the clock, for tests.
    pub fn clock(mut self, clock: Clock) -> ResourceServer {
        self.clock = clock;
        self
    }

    /// Returns the resource identifier, which tokens name as their audience.
    pub fn identifier(&self) -> &str {
        &self.name
    }

    /// Returns the metadata document (RFC 9728).
    pub fn metadata(&self) -> serde_json::Value {
        let scopes = match self.supported_scopes.is_empty() {
            true => self.scopes.base().iter().map(String::as_str).collect(),
            false => self.supported_scopes.iter().map(String::as_str).collect(),
        };
        let document = ProtectedResourceMetadata {
            resource: &self.name,
            authorization_servers: self.issuers.iter().map(|issuer| issuer.name()).collect(),
            scopes,
            title: self.title.as_deref(),
            dpop: self.dpop.as_ref(),
        };
        document.to_json()
    }
}
