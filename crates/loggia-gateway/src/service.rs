//! A gateway as a service inside a program's own HTTP server. Invariant: it is the same service that a gateway with
//! its own listener serves, with the same checks in the same order.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use loggia::service::BoxFuture;
use loggia::transport::http::{Body, BodyError, HttpService};
use loggia_hub::Hub;
use tower_service::Service;

use crate::http::GatewayRoutes;
use crate::server::BackgroundTask;

/// A gateway as a [`tower_service::Service`]. Cheap to clone.
///
/// Rate limits count each client address if the program adds a [`PeerAddr`](loggia::transport::http::PeerAddr) to the
/// extensions of requests; requests without it share one limit.
#[derive(Clone)]
pub struct GatewayService {
    routes: HttpService<GatewayRoutes>,
    shared: Arc<SharedParts>,
}

struct SharedParts {
    hub: Arc<Hub>,
    url: Option<String>,
    _tasks: Vec<BackgroundTask>,
}

impl GatewayService {
    pub(crate) fn new(
        routes: HttpService<GatewayRoutes>,
        hub: Arc<Hub>,
        url: Option<String>,
        tasks: Vec<BackgroundTask>,
    ) -> GatewayService {
        GatewayService { routes, shared: Arc::new(SharedParts { hub, url, _tasks: tasks }) }
    }

    /// Returns the service as a router of axum, to be nested or merged.
    pub fn router(&self) -> axum::Router {
        axum::Router::new().fallback_service(self.clone())
    }

    /// Returns the URL of the MCP endpoint as clients know it, if there is a public URL.
    pub fn url(&self) -> Option<&str> {
        self.shared.url.as_deref()
    }

    /// Returns the hub: the state of the connectors, and their tools.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.shared.hub
    }

    /// Stops gracefully: event streams end, running requests may finish within the time to drain, and the connectors
    /// are closed.
    pub async fn shut_down(&self) {
        self.routes.shut_down().await;
        self.shared.hub.close().await;
    }
}

impl<B> Service<Request<B>> for GatewayService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.routes.call(request)
    }
}
