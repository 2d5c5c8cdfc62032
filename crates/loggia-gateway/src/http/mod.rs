//! The paths of a gateway: one axum [`Router`] with every path except that of the MCP endpoint. The endpoint is the
//! SDK's service and is called before the router, which would otherwise route and box each message, and each part of
//! an event stream, once more.
//!
//! Invariant: a path that is not in the table gets the answer of the MCP endpoint, so that callers without a token
//! learn nothing about it.

mod connect;
mod health;
mod sdk_service;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::routing::{any, get};
use http::{Request, Response};
use loggia::service::BoxFuture;
use loggia::transport::Shutdown;
use loggia::transport::http::{Body, Endpoint};
use loggia_auth::resource::{ProtectedService, ResourceServerLayer};
use loggia_auth::server::AuthorizationServer;
use loggia_hub::Hub;
use tower_layer::Layer;
use tower_service::Service;

use crate::connector_factory::ConnectorFactory;
use connect::ConnectPages;
use health::HealthChecks;
use sdk_service::SdkService;

/// The parts of a gateway that answer paths, as a layer around the MCP endpoint.
#[derive(Clone)]
pub(crate) struct GatewayLayer {
    pub(crate) hub: Arc<Hub>,
    pub(crate) shutdown: Shutdown,
    /// The path of the MCP endpoint.
    pub(crate) path: String,
    /// The parts for signing in; `None` if callers need not sign in.
    pub(crate) sign_in: Option<SignInParts>,
    /// The paths of the console and of the admin API; `None` if they are not served.
    pub(crate) console: Option<Router>,
}

/// The parts of a gateway with sign-in.
#[derive(Clone)]
pub(crate) struct SignInParts {
    pub(crate) resource: ResourceServerLayer,
    pub(crate) server: AuthorizationServer,
    /// The connectors to which users sign in.
    pub(crate) factory: Arc<ConnectorFactory>,
}

impl GatewayLayer {
    /// Returns the table of routes.
    fn router(&self, mcp: McpService) -> Router {
        let mcp = SdkService::new(mcp);
        let health = HealthChecks::new(self.hub.clone(), self.shutdown.clone(), self.sign_in.is_none());
        let mut router = Router::new()
            .route("/healthz", get(health::live).fallback_service(mcp.clone()))
            .route("/readyz", get(health::ready).fallback_service(mcp.clone()).with_state(health));
        if let Some(SignInParts { server, factory, .. }) = &self.sign_in {
            let oauth = SdkService::new(server.layer().layer(mcp.clone().into_inner()));
            let pages = ConnectPages::new(server.clone(), self.hub.clone(), factory.clone(), mcp.clone());
            router = router
                .route_service("/.well-known/oauth-authorization-server", oauth.clone())
                .route_service("/.well-known/oauth-protected-resource", mcp.clone())
                .route_service("/.well-known/oauth-protected-resource/{*path}", mcp.clone())
                .route_service("/oauth/{endpoint}", oauth)
                .route("/connect/client.json", any(connect::document).with_state(pages.clone()))
                .route("/connect/{connector}", any(connect::page).with_state(pages.clone()))
                .route("/connect/{connector}/callback", any(connect::callback).with_state(pages));
        }
        if let Some(console) = &self.console {
            router = router.merge(console.clone());
        }
        router.fallback_service(mcp)
    }
}

impl Layer<Endpoint> for GatewayLayer {
    type Service = GatewayRoutes;

    fn layer(&self, endpoint: Endpoint) -> GatewayRoutes {
        let mcp = match &self.sign_in {
            None => McpService::Open(endpoint),
            Some(parts) => McpService::Protected(parts.resource.layer(endpoint)),
        };
        let path = self.path.trim_end_matches('/').to_owned();
        GatewayRoutes(Arc::new(RouteParts { router: self.router(mcp.clone()), mcp, path }))
    }
}

/// The MCP endpoint, open or behind the check of tokens.
#[derive(Clone)]
pub(crate) enum McpService {
    Open(Endpoint),
    Protected(ProtectedService<Endpoint>),
}

impl Service<Request<Body>> for McpService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // An endpoint is always ready, because it refuses requests above its bounds.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self {
            McpService::Open(endpoint) => endpoint.call(request),
            McpService::Protected(endpoint) => endpoint.call(request),
        }
    }
}

/// All paths of a gateway.
#[derive(Clone)]
pub(crate) struct GatewayRoutes(Arc<RouteParts>);

struct RouteParts {
    mcp: McpService,
    path: String,
    router: Router,
}

impl Service<Request<Body>> for GatewayRoutes {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path().trim_end_matches('/') == self.0.path {
            return self.0.mcp.clone().call(request);
        }
        let answer = self.0.router.clone().call(request);
        Box::pin(async move { Ok(answer.await?.map(Body::new)) })
    }
}
