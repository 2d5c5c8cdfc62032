//! `/healthz` and `/readyz` beside the endpoint, for whoever watches over the process.
//!
//! * `/healthz`: 200 as long as the process answers.
//! * `/readyz`: 200 once every connector has been tried, 503 before that and while it stops. A connector that
//!   is down does not make it unready: the others are served. It names the connectors where callers need not sign in.
//!   Reasons are for the operator: `loggia status`.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response, StatusCode, header};
use loggia::service::BoxFuture;
use loggia::transport::Shutdown;
use loggia::transport::http::Body;
use loggia_hub::Hub;
use serde_json::{Map, Value, json};
use tower_layer::Layer;
use tower_service::Service;

/// Adds the two paths.
#[derive(Clone)]
pub(crate) struct HealthLayer {
    hub: Arc<Hub>,
    shutdown: Shutdown,
    /// Whether every caller may know the connectors.
    names_connectors: bool,
}

impl HealthLayer {
    pub(crate) fn new(hub: Arc<Hub>, shutdown: Shutdown, names_connectors: bool) -> HealthLayer {
        HealthLayer { hub, shutdown, names_connectors }
    }

    fn answer(&self, path: &str) -> Option<(StatusCode, Value)> {
        match path {
            "/healthz" => Some((StatusCode::OK, json!({ "status": "ok" }))),
            "/readyz" => Some(self.ready()),
            _ => None,
        }
    }

    fn ready(&self) -> (StatusCode, Value) {
        let all = self.hub.status();
        let ready = !self.shutdown.is_begun() && all.iter().all(|status| status.tried);
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        if !self.names_connectors {
            return (status, json!({ "ready": ready }));
        }
        let connectors: Map<String, Value> =
            all.iter().map(|status| (status.name.to_string(), Value::from(status.state_name()))).collect();
        (status, json!({ "ready": ready, "connectors": connectors }))
    }
}

impl<S> Layer<S> for HealthLayer {
    type Service = WithHealth<S>;

    fn layer(&self, inner: S) -> WithHealth<S> {
        WithHealth { health: self.clone(), inner }
    }
}

/// A service with the two paths.
#[derive(Clone)]
pub(crate) struct WithHealth<S> {
    health: HealthLayer,
    inner: S,
}

impl<S> Service<Request<Body>> for WithHealth<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let asked = matches!(*request.method(), Method::GET | Method::HEAD);
        match self.health.answer(request.uri().path()).filter(|_| asked) {
            Some((status, body)) => Box::pin(std::future::ready(Ok(response(status, &body)))),
            None => Box::pin(self.inner.call(request)),
        }
    }
}

fn response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}
