//! The server side of HTTP: one endpoint that serves every revision. [`Http`] listens on an address;
//! [`Endpoint`] is the same thing for a program that has its own HTTP stack.

#![allow(clippy::result_large_err, reason = "a refusal is a response; it is moved once or twice a request")]

mod admission;
mod call;
mod connection;
mod endpoint;
mod headers;
mod json_only;
mod legacy;
mod meta_cache;
mod modern;
mod nested;
mod origin;
mod respond;
mod state;
mod unfold;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::{Request, Response};

use tower_layer::{Identity, Layer, Stack};

pub use connection::PeerAddr;
pub use endpoint::Endpoint;
pub use legacy::SessionKey;
pub use nested::HttpService;

use self::connection::{Acceptor, HttpHandler};
use self::endpoint::EndpointRouter;
use self::legacy::LegacyState;
use self::origin::{OriginFilter, OriginRules, is_loopback};
use self::state::EndpointState;
use super::Body;
use crate::clock::{WallClock, system_clock};
use crate::error::{Error, Result};
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::service::Service;
use crate::shutdown::Shutdown;
use crate::transport::Serve;

/// Streamable HTTP at `address` (`host:port`; port 0 takes a free one), path `/mcp`.
///
/// ```no_run
/// # async fn run(service: std::sync::Arc<dyn loggia::Service>) -> loggia::Result<()> {
/// use loggia::limits::Limits;
/// use loggia::transport::http::http;
/// use loggia::transport::{Serve, Shutdown};
///
/// let http = http("127.0.0.1:0").bind().await?;
/// println!("http://{}/mcp", http.local_addr().expect("it is bound"));
/// http.serve(service, Limits::default(), Shutdown::new()).await
/// # }
/// ```
pub fn http(address: impl Into<String>) -> Http {
    Http {
        address: address.into(),
        listener: None,
        path: "/mcp".to_owned(),
        hosts: Vec::new(),
        origins: Vec::new(),
        limits: None,
        tls: None,
        legacy_sse: false,
        session_key: None,
        clock: system_clock(),
        with_peer_addr: false,
        layer: Identity::new(),
    }
}

/// An HTTP server to be. `L` is what [`layer`](Http::layer) put around its endpoint.
pub struct Http<L = Identity> {
    address: String,
    listener: Option<std::net::TcpListener>,
    path: String,
    hosts: Vec<String>,
    origins: Vec<String>,
    limits: Option<Limits>,
    tls: Option<Acceptor>,
    legacy_sse: bool,
    session_key: Option<SessionKey>,
    clock: WallClock,
    with_peer_addr: bool,
    layer: L,
}

impl<L> Http<L> {
    /// The endpoint's path; `/mcp` unless set.
    pub fn path(mut self, path: impl Into<String>) -> Http<L> {
        self.path = path.into();
        self
    }

    /// Names under which clients may address the server, on every path, as `host` or `host:port`. Without any, an
    /// endpoint on a loopback address answers to loopback names alone and any other to every name. `"*"`
    /// allows all.
    pub fn allowed_hosts(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> Http<L> {
        self.hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Web origins (`https://app.example.com`) whose pages may call the server, on every path, besides pages of its own
    /// hosts; a host that only `"*"` allows is not one of them. `"*"` allows all. Preflights of these origins are
    /// answered, and their pages may read the responses (CORS).
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Http<L> {
        self.origins.extend(origins.into_iter().map(Into::into));
        self
    }

    /// Bounds other than those of the server that is served.
    pub fn limits(mut self, limits: Limits) -> Http<L> {
        self.limits = Some(limits);
        self
    }

    /// Serves `https` with this certificate chain and private key, both in PEM.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, certificates: &[u8], key: &[u8]) -> Result<Http<L>> {
        self.tls = Some(Acceptor::new(certificates, key)?);
        Ok(self)
    }

    /// Also serves the HTTP+SSE transport of 2024-11-05, at `/sse` and `/messages`. Deprecated since
    /// 2025-03-26, so off unless asked for.
    pub fn legacy_sse(mut self, on: bool) -> Http<L> {
        self.legacy_sse = on;
        self
    }

    /// The key that seals session ids. Replicas with the same key serve each other's sessions; without one,
    /// legacy sessions end with the process.
    pub fn session_key(mut self, key: SessionKey) -> Http<L> {
        self.session_key = Some(key);
        self
    }

    /// Listens here, instead of at the address; a listener of tokio's becomes one with `into_std`.
    pub fn listener(mut self, listener: std::net::TcpListener) -> Http<L> {
        self.listener = Some(listener);
        self
    }

    /// The clock by which sessions expire. For tests.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Http<L> {
        self.clock = Arc::new(clock);
        self
    }

    /// Puts a layer around the endpoint: authorization, further paths, logging. The last one added sees a
    /// request first.
    pub fn layer<N>(self, layer: N) -> Http<Stack<L, N>> {
        Http {
            layer: Stack::new(self.layer, layer),
            address: self.address,
            listener: self.listener,
            path: self.path,
            hosts: self.hosts,
            origins: self.origins,
            limits: self.limits,
            tls: self.tls,
            legacy_sse: self.legacy_sse,
            session_key: self.session_key,
            clock: self.clock,
            with_peer_addr: self.with_peer_addr,
        }
    }

    /// Tells the layers where each request comes from, as a [`PeerAddr`] among its extensions. It costs every
    /// request a little, so it is off unless a layer wants it.
    pub fn with_peer_addr(mut self, on: bool) -> Http<L> {
        self.with_peer_addr = on;
        self
    }

    /// Takes the address now, so that [`local_addr`](Http::local_addr) is known and clients can connect
    /// before [`Serve::serve`] is called.
    pub async fn bind(mut self) -> Result<Http<L>> {
        if self.listener.is_none() {
            let listener = tokio::net::TcpListener::bind(&self.address).await;
            let listener = listener.and_then(tokio::net::TcpListener::into_std);
            let refused = |error| Error::Configuration(format!("cannot listen on {}: {error}", self.address));
            self.listener = Some(listener.map_err(refused)?);
        }
        Ok(self)
    }

    /// The address that is listened on, once bound.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// The endpoint alone, for a program with its own HTTP stack. What concerns connections (TLS, layers,
    /// the listener) is that program's; the address only tells which hosts and origins are its own.
    pub fn endpoint(self, service: Arc<dyn Service>) -> Endpoint {
        let filter = self.origin_filter();
        self.endpoint_for(service, Limits::default(), Shutdown::new(), Some(filter)).0
    }

    /// The endpoint in its layers, with the `Host` and `Origin` checks before them, for a program with its own HTTP stack.
    /// The address only tells which hosts and origins are its own. When `shutdown` begins, event streams end;
    /// [`HttpService::shut_down`] also waits for requests that run.
    pub fn into_service(
        self,
        service: Arc<dyn Service>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> HttpService<L::Service>
    where
        L: Layer<Endpoint>,
    {
        let filter = self.origin_filter();
        let (endpoint, layer) = self.endpoint_for(service, limits, shutdown, None);
        HttpService::new(layer.layer(endpoint.clone()), filter, endpoint)
    }

    fn origin_filter(&self) -> OriginFilter {
        let rules = OriginRules::new(self.is_local(), &self.hosts, &self.origins);
        OriginFilter::new(rules, !self.origins.is_empty())
    }

    fn endpoint_for(
        self,
        service: Arc<dyn Service>,
        limits: Limits,
        shutdown: Shutdown,
        filter: Option<OriginFilter>,
    ) -> (Endpoint, L) {
        let limits = self.limits.clone().unwrap_or(limits);
        let key = self.session_key.unwrap_or_else(SessionKey::random);
        let state = Arc::new(EndpointState::new(service, limits, shutdown));
        let legacy = Arc::new(LegacyState::new(state.clone(), key, self.clock, self.legacy_sse));
        let path = self.path.trim_end_matches('/').to_owned();
        (Endpoint(Arc::new(EndpointRouter { state, legacy, path, filter })), self.layer)
    }

    /// Returns whether only this machine can reach the endpoint.
    fn is_local(&self) -> bool {
        match self.local_addr() {
            Some(address) => address.ip().is_loopback(),
            None => is_loopback(self.address.rsplit_once(':').map_or(&*self.address, |(host, _)| host)),
        }
    }
}

impl<L> Serve for Http<L>
where
    L: Layer<Endpoint> + Send + 'static,
    L::Service: tower_service::Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    <L::Service as tower_service::Service<Request<Body>>>::Future: Send + 'static,
{
    fn serve(
        self,
        service: Arc<dyn Service>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let mut http = self.bind().await?;
            let listener = http.listener.take().expect("it is bound");
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let local = listener.local_addr()?;
            http.address = local.to_string();
            let (tls, with_peer_addr) = (http.tls.take(), http.with_peer_addr);
            let filter = Arc::new(http.origin_filter());
            let (endpoint, layer) = http.endpoint_for(service, limits, shutdown, None);
            tracing::info!(address = %local, path = endpoint.0.path, "listening");
            let handler = HttpHandler::new(layer.layer(endpoint.clone()), with_peer_addr, filter);
            connection::run(listener, tls, handler, endpoint).await
        })
    }
}
