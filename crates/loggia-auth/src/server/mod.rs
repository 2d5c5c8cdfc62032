//! An authorization server small enough to live inside the program it protects, so that any MCP client can
//! sign in to a hub with no other product installed.
//!
//! It knows the authorization code grant with PKCE and nothing weaker, takes clients as they come (entered by
//! an administrator, described at the URL that is their name, or registered by themselves), rotates refresh
//! tokens, and asks a person each time before a program it does not know gets a token. People sign in by a
//! one-time link, or at their own identity provider.
//!
//! It is a layer: its own paths it answers, everything else goes on to what is behind it.
//!
//! ```no_run
//! # async fn run(service: std::sync::Arc<dyn loggia::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use loggia::limits::Limits;
//! use loggia::transport::http::http;
//! use loggia::transport::{Serve, Shutdown};
//! use loggia_auth::store::MemoryStore;
//! use loggia_auth::restricted_http::{RestrictedHttpClient, FetchPolicy};
//! use loggia_auth::resource::{Resource, ScopePolicy};
//! use loggia_auth::server::{AuthorizationServer, SignIn};
//!
//! let guard = RestrictedHttpClient::new(FetchPolicy::default())?;
//! let link = SignIn::Link { subject: "me".into(), show: Arc::new(|link| println!("Sign in at {}", link.url())) };
//! let server = AuthorizationServer::builder("http://127.0.0.1:8080", Arc::new(MemoryStore::new()), guard)
//!     .resource("http://127.0.0.1:8080/mcp", ["mcp"])
//!     .sign_in(link)
//!     .build()?;
//! let resource = Resource::new("http://127.0.0.1:8080/mcp".parse()?)?
//!     .issuer(server.issuer())
//!     .scopes(ScopePolicy::new().always("mcp"));
//! // The layer added last sees a request first.
//! let http = http("127.0.0.1:8080").layer(resource.layer()).layer(server.layer());
//! http.serve(service, Limits::default(), Shutdown::new()).await?;
//! # Ok(())
//! # }
//! ```

mod authorize;
mod builder;
mod clients;
mod ended;
mod family;
mod http;
mod leaving;
mod metadata;
mod pages;
mod pending;
mod rate;
mod records;
mod redirect_uri;
mod sign_in;
mod signing;
mod token;
mod visit;

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use ::http::request::Parts;
use ::http::{Method, Request, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loggia::transport::http::Body;
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use crate::clock::Clock;
use crate::error::AuthError;
use crate::jose::KeySource;
use crate::resource::{Issuer, Proofs};
use crate::restricted_http::RestrictedHttpClient;
use crate::secret::Secret;
use crate::store::TokenStore;
pub use builder::Builder;
pub use clients::Client;
use clients::Clients;
use family::Families;
use http::{Cookies, OAuthError, Params};
pub use leaving::People;
pub use pages::{escape, failed, page, problem};
use pending::PendingRecords;
pub use rate::RateLimit;
use rate::Rates;
use records::Records;
pub use sign_in::{Admit, OpenId, ShowLink, SignIn, SignInLink};
use signing::Signing;
pub use visit::{Form, Visitor};

/// An embedded authorization server. Cheap to clone.
#[derive(Clone)]
pub struct AuthorizationServer {
    shared: Arc<Shared>,
}

impl fmt::Debug for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServer").field("issuer", &self.shared.issuer).finish_non_exhaustive()
    }
}

struct Shared {
    issuer: String,
    /// Scheme, host and port of the issuer.
    origin: String,
    /// The path of the issuer, without a slash at its end.
    base: String,
    resources: Vec<Known>,
    records: Records,
    /// Authorization requests that wait for the person.
    requests: PendingRecords,
    visits: PendingRecords,
    clients: Clients,
    registers: bool,
    sign_in: SignIn,
    session_life: Duration,
    assertions: Vec<Trusted>,
    families: Families,
    signing: Arc<Signing>,
    token_life: Duration,
    skew: Duration,
    proofs: Proofs,
    rates: Rates,
    cookies: Cookies,
    clock: Clock,
}

/// A resource that tokens are issued for.
struct Known {
    identifier: String,
    scopes: Vec<String>,
}

impl Known {
    /// Whether a client means this one: letter by letter, but scheme and host in any case, and with or
    /// without a slash at the end.
    fn is(&self, asked: &str) -> bool {
        let plain =
            |text: &str| Url::parse(text).ok().map(|url| url.as_str().trim_end_matches('/').to_owned());
        self.identifier == asked || (!asked.contains('#') && plain(&self.identifier) == plain(asked))
    }
}

/// An identity provider whose assertions are taken.
struct Trusted {
    issuer: String,
    keys: Arc<dyn KeySource>,
    admit: Admit,
}

impl AuthorizationServer {
    /// The server of this name, which is the URL that people and clients reach it under, without a slash at
    /// its end. What it remembers is in `store`; what clients name is fetched through `guard`.
    pub fn builder(
        issuer: impl Into<String>,
        store: Arc<dyn TokenStore>,
        guard: RestrictedHttpClient,
    ) -> Builder {
        Builder::new(issuer.into(), store, guard)
    }

    /// The layer that goes around everything else.
    pub fn layer(&self) -> ServerLayer {
        ServerLayer { server: self.clone() }
    }

    /// This server as a resource beside it trusts it: without a request to itself. What this process revokes
    /// is refused at once; what another replica revokes, within ten seconds, or when its access token ends if the store
    /// cannot be asked.
    pub fn issuer(&self) -> Issuer {
        let ended = self.shared.families.ended.clone();
        Issuer::signing(self.shared.issuer.clone(), self.shared.signing.clone()).withdrawn(ended)
    }

    /// A new link by which the person of [`SignIn::Link`] signs in, once, within ten minutes.
    pub async fn sign_in_link(&self) -> Result<Url, AuthError> {
        match &self.shared.sign_in {
            SignIn::Link { subject, .. } => self.shared.link(subject, None).await,
            SignIn::OpenId(_) => {
                Err(AuthError::Configuration("people sign in at their identity provider".to_owned()))
            }
        }
    }

    /// Has a new key sign, and takes back what the older ones signed.
    pub async fn replace_keys(&self) -> Result<(), AuthError> {
        self.shared.signing.replace().await
    }

    /// What the server says of itself.
    pub fn metadata(&self) -> serde_json::Value {
        self.shared.metadata()
    }
}

/// The endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Metadata,
    Jwks,
    Register,
    Token,
    Revoke,
    Authorize,
    Continue,
    Consent,
    SignIn,
    Callback,
}

impl Endpoint {
    fn is_for_programs(self) -> bool {
        use Endpoint::{Jwks, Metadata, Register, Revoke, Token};
        matches!(self, Metadata | Jwks | Register | Token | Revoke)
    }
}

impl Shared {
    fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// The path of an endpoint.
    fn path(&self, what: &str) -> String {
        format!("{}/oauth/{what}", self.base)
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        if path.strip_prefix("/.well-known/oauth-authorization-server") == Some(&self.base) {
            return Some(Endpoint::Metadata);
        }
        Some(match path.strip_prefix(&self.base)?.strip_prefix("/oauth/")? {
            "jwks" => Endpoint::Jwks,
            "register" if self.registers => Endpoint::Register,
            "token" => Endpoint::Token,
            "revoke" => Endpoint::Revoke,
            "authorize" => Endpoint::Authorize,
            "continue" => Endpoint::Continue,
            "consent" => Endpoint::Consent,
            "signin" => Endpoint::SignIn,
            "callback" => Endpoint::Callback,
            _ => return None,
        })
    }

    async fn serve(&self, endpoint: Endpoint, request: Request<Body>) -> Response<Body> {
        if endpoint.is_for_programs() && request.method() == Method::OPTIONS {
            return http::preflight();
        }
        let counted = self.rates.count(endpoint, (request.headers(), request.extensions()), self.now());
        if let Err(wait) = counted {
            return match endpoint.is_for_programs() {
                true => http::open_to_pages(http::too_many(wait)),
                false => pages::too_many(wait),
            };
        }
        match endpoint.is_for_programs() {
            true => http::open_to_pages(self.serve_program(endpoint, request).await),
            false => self.serve_person(endpoint, request).await,
        }
    }

    async fn serve_program(&self, endpoint: Endpoint, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match (endpoint, &parts.method) {
            (Endpoint::Metadata, &Method::GET | &Method::HEAD) => {
                http::json(StatusCode::OK, &self.metadata())
            }
            (Endpoint::Jwks, &Method::GET | &Method::HEAD) => match self.signing.published().await {
                Ok(keys) => http::json(StatusCode::OK, &*keys),
                Err(error) => OAuthError::from(error).response(),
            },
            (Endpoint::Metadata | Endpoint::Jwks, _) => http::not_allowed("GET, HEAD, OPTIONS"),
            (_, &Method::POST) if endpoint == Endpoint::Register => self.register(&parts, body).await,
            (_, &Method::POST) => match http::form(&parts.headers, body).await {
                Ok(params) if endpoint == Endpoint::Token => self.token(&parts.headers, &params).await,
                Ok(params) => self.revoke(&parts.headers, &params).await,
                Err(error) => error.response(),
            },
            _ => http::not_allowed("POST, OPTIONS"),
        }
    }

    async fn serve_person(&self, endpoint: Endpoint, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let is_form = parts.method == Method::POST;
        let takes_form = matches!(endpoint, Endpoint::Authorize | Endpoint::Consent | Endpoint::SignIn);
        let takes_query = endpoint != Endpoint::Consent;
        match parts.method {
            Method::GET | Method::HEAD if takes_query => {}
            Method::POST if takes_form => {}
            _ if !takes_form => return http::not_allowed("GET, HEAD"),
            _ if !takes_query => return http::not_allowed("POST"),
            _ => return http::not_allowed("GET, HEAD, POST"),
        }
        let text = match is_form {
            true => match http::read(body).await {
                Ok(text) => String::from_utf8_lossy(&text).into_owned(),
                Err(error) => return pages::problem(error.status, "This cannot be done", &error.description),
            },
            false => parts.uri.query().unwrap_or_default().to_owned(),
        };
        if endpoint == Endpoint::Authorize {
            return self.authorize(&text, &parts).await;
        }
        let params = match Params::parse(text.as_bytes()) {
            Ok(params) => params,
            Err(error) => {
                return pages::problem(StatusCode::BAD_REQUEST, "This cannot be done", &error.to_string());
            }
        };
        match endpoint {
            Endpoint::Consent => self.decide(&params, &parts.headers).await,
            Endpoint::SignIn if is_form => self.enter(&params, &parts.headers).await,
            Endpoint::SignIn => self.opened(&params),
            Endpoint::Callback => self.came_back(&params, &parts.headers).await,
            _ => self.go_on(params.get("request").unwrap_or_default(), &parts).await,
        }
    }

    /// `POST register`.
    async fn register(&self, parts: &Parts, body: Body) -> Response<Body> {
        let text = match http::read(body).await {
            Ok(text) => text,
            Err(error) => return error.response(),
        };
        let described: clients::Described<'_> = match serde_json::from_slice(&text) {
            Ok(described) => described,
            Err(error) => {
                let why = format!("The registration cannot be read: {error}");
                return OAuthError::new("invalid_client_metadata", why).response();
            }
        };
        let usual = "client_secret_basic".to_owned();
        let method = described.token_endpoint_auth_method.clone().unwrap_or(usual);
        match self.clients.register(described, self.rates.address(parts), self.now()).await {
            Ok(Ok((client, secret))) => {
                let document = clients::registered(&client, secret.as_ref(), &method, self.now());
                http::json(StatusCode::CREATED, &document)
            }
            Ok(Err(clients::Refused(code, why))) => OAuthError::new(code, why).response(),
            Err(error) => OAuthError::from(error).response(),
        }
    }
}

/// A name and a secret as HTTP's own authentication carries them (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &Secret) -> Secret {
    let form = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    Secret::new(STANDARD.encode(format!("{}:{}", form(id), form(secret.expose()))))
}

/// The layer that [`AuthorizationServer::layer`] makes.
#[derive(Debug, Clone)]
pub struct ServerLayer {
    server: AuthorizationServer,
}

impl<S> Layer<S> for ServerLayer {
    type Service = WithServer<S>;

    fn layer(&self, inner: S) -> WithServer<S> {
        WithServer { inner, server: self.server.clone() }
    }
}

/// Something with an authorization server before it.
#[derive(Debug, Clone)]
pub struct WithServer<S> {
    inner: S,
    server: AuthorizationServer,
}

impl<S> Service<Request<Body>> for WithServer<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.server.shared.endpoint(request.uri().path()) {
            None => Box::pin(self.inner.call(request)),
            Some(endpoint) => {
                let shared = self.server.shared.clone();
                Box::pin(async move { Ok(shared.serve(endpoint, request).await) })
            }
        }
    }
}
