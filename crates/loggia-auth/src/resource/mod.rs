//! An MCP server that only lets in who may come in: an OAuth 2.1 resource server as a `tower` layer around
//! the HTTP endpoint of the SDK, the hub's as well as anybody's.
//!
//! The layer reads the token before the request is looked at, puts a [`Principal`] into the request for
//! handlers (`cx.principal()`), checks the scopes that the operation needs, publishes the metadata that leads
//! clients to the authorization server (RFC 9728), and says in its refusals what to do (RFC 6750, RFC 9449).
//! The token itself goes no further than this layer: nothing behind it could pass it on.
//!
//! ```no_run
//! # async fn run(service: std::sync::Arc<dyn loggia::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use loggia::limits::Limits;
//! use loggia::transport::http::http;
//! use loggia::transport::{Serve, Shutdown};
//! use loggia_auth::restricted_http::{RestrictedHttpClient, FetchPolicy};
//! use loggia_auth::jose::RemoteKeys;
//! use loggia_auth::resource::{Issuer, Resource, ScopePolicy};
//!
//! let guard = RestrictedHttpClient::new(FetchPolicy::default())?;
//! let keys = RemoteKeys::new("https://id.example.com/jwks".parse()?, guard);
//! let resource = Resource::new("https://mcp.example.com/mcp".parse()?)?
//!     .issuer(Issuer::signing("https://id.example.com", Arc::new(keys)))
//!     .scopes(ScopePolicy::new().always("mcp").tool("delete_*", "mcp:write"));
//! http("0.0.0.0:8080").layer(resource.layer()).serve(service, Limits::default(), Shutdown::new()).await?;
//! # Ok(())
//! # }
//! ```

mod api_key_grant;
mod challenge;
mod completed;
mod dpop;
mod introspection;
mod issuer;
mod layer;
mod metadata;
mod operation;
mod scopes;
mod subject;
mod uri_rules;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use loggia::limits::Limits;
use loggia::service::Principal;
use url::Url;

use crate::clock::{self, Clock};
use crate::jose::Algorithm;
use crate::keys::ApiKeys;
pub use dpop::{Dpop, DpopProof, NonceKey, PROOF_ALGORITHMS, ProofError, ProofVerifier};
pub use introspection::Introspection;
pub use issuer::{Issuer, RevocationCheck};
pub use layer::{Protected, ResourceLayer};
pub use operation::Operation;
pub use scopes::ScopePolicy;
pub use subject::Subject;

/// Algorithms that access tokens may be signed with, unless fewer are named.
pub const TOKEN_ALGORITHMS: &[Algorithm] = Algorithm::ALL;

/// What a token grants, once it has been found good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Whom it is about.
    pub subject: String,
    /// Who issued it; `None` for an API key.
    pub issuer: Option<String>,
    /// The client it was issued to.
    pub client: Option<String>,
    /// What it allows.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires: Option<SystemTime>,
    /// The key it is bound to, by its thumbprint.
    pub key: Option<String>,
}

impl Grant {
    fn principal(&self) -> Principal {
        Principal { subject: self.subject.clone(), issuer: self.issuer.clone(), scopes: self.scopes.clone() }
    }
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The token is wrong, and a new one is needed. The text says why.
    Invalid(String),
    /// Whether it is good could not be found out, through no fault of the caller.
    Unavailable(String),
    /// Whether it is good cannot be found out until the operator has mended something here.
    Failed(String),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::Invalid(why) => f.write_str(why),
            TokenError::Unavailable(why) => write!(f, "the token cannot be checked now: {why}"),
            TokenError::Failed(why) => write!(f, "the token cannot be checked: {why}"),
        }
    }
}

impl std::error::Error for TokenError {}

/// The resource's own configuration is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAResource(String);

impl fmt::Display for NotAResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' cannot be the address of a protected server: give the full https URL that clients use, without query or fragment",
            self.0
        )
    }
}

impl std::error::Error for NotAResource {}

/// A protected MCP server: whom it trusts and what it demands.
#[derive(Clone)]
pub struct Resource {
    uri: Url,
    name: String,
    audiences: Vec<String>,
    issuers: Vec<Arc<Issuer>>,
    keys: Option<Arc<ApiKeys>>,
    scopes: ScopePolicy,
    supported: Vec<String>,
    dpop: Option<Dpop>,
    title: Option<String>,
    skew: Duration,
    most_bytes: usize,
    most_resources: usize,
    read_timeout: Duration,
    clock: Clock,
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("uri", &self.name).finish_non_exhaustive()
    }
}

impl Resource {
    /// The server at this URL: the one that clients connect to (the canonical URI of the specification),
    /// which tokens must name as their audience.
    pub fn new(uri: Url) -> Result<Resource, NotAResource> {
        if uri.query().is_some()
            || uri.fragment().is_some()
            || !uri.has_host()
            || !uri.scheme().starts_with("http")
        {
            return Err(NotAResource(uri.into()));
        }
        let slashed = uri.as_str().to_owned();
        // A URL without a path is written with and without the slash: both are the same server.
        let bare = if uri.path() == "/" { slashed.trim_end_matches('/').to_owned() } else { slashed.clone() };
        Ok(Resource {
            audiences: if bare == slashed { vec![slashed] } else { vec![bare.clone(), slashed] },
            name: bare,
            uri,
            issuers: Vec::new(),
            keys: None,
            scopes: ScopePolicy::new(),
            supported: Vec::new(),
            dpop: None,
            title: None,
            skew: Duration::from_secs(30),
            most_bytes: 4 << 20,
            most_resources: Limits::default().subscriptions,
            read_timeout: Duration::from_secs(30),
            clock: clock::system(),
        })
    }

    /// Accepts the tokens of an issuer. The first one named is the one clients are led to first.
    pub fn issuer(mut self, issuer: Issuer) -> Resource {
        self.issuers.push(Arc::new(issuer));
        self
    }

    /// Accepts static API keys too.
    pub fn api_keys(mut self, keys: Arc<ApiKeys>) -> Resource {
        self.keys = Some(keys);
        self
    }

    /// What operations demand.
    pub fn scopes(mut self, scopes: ScopePolicy) -> Resource {
        self.scopes = scopes;
        self
    }

    /// The scopes that the metadata names, where they are not those that every request needs. The
    /// specification means them to be the fewest with which the server is of use.
    pub fn scopes_supported(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Resource {
        self.supported = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Accepts tokens that are bound to a key (RFC 9449), or no others.
    pub fn dpop(mut self, dpop: Dpop) -> Resource {
        self.dpop = Some(dpop);
        self
    }

    /// A further audience that tokens may name: an older address of the same server, or the name under which
    /// an authorization server without resource indicators knows it.
    pub fn audience(mut self, audience: impl Into<String>) -> Resource {
        self.audiences.push(audience.into());
        self
    }

    /// A name for people.
    pub fn title(mut self, title: impl Into<String>) -> Resource {
        self.title = Some(title.into());
        self
    }

    /// How far issuers' clocks may be off; half a minute unless set.
    pub fn skew(mut self, skew: Duration) -> Resource {
        self.skew = skew;
        self
    }

    /// The longest message that is read to find out its operation. It should be the endpoint's own bound.
    pub fn message_bytes(mut self, most: usize) -> Resource {
        self.most_bytes = most;
        self
    }

    /// Sets the most resources that one request may name where scope rules are about resources; 1024 unless set. It
    /// should be the endpoint's own bound ([`Limits::subscriptions`]). A request that names more is refused with `400`.
    pub fn resources_per_request(mut self, most: usize) -> Resource {
        self.most_resources = most;
        self
    }

    /// Another clock. For tests.
    pub fn clock(mut self, clock: Clock) -> Resource {
        self.clock = clock;
        self
    }

    /// The layer that goes around the endpoint.
    pub fn layer(self) -> ResourceLayer {
        ResourceLayer::new(self)
    }

    /// The resource identifier: what tokens name as their audience.
    pub fn identifier(&self) -> &str {
        &self.name
    }
}
