//! `/healthz` and `/readyz`, for programs that supervise the process.
//!
//! * `/healthz`: 200 while the process answers.
//! * `/readyz`: 200 when every connector has been tried, 503 before that and during shutdown. A connector that is
//!   down does not make the gateway unready, because the others are served. It names the connectors if callers need
//!   not sign in.
//!
//! Invariant: reasons are shown only to the administrator (`loggia status`).

use std::sync::Arc;

use axum::body::Body as AxumBody;
use axum::extract::State;
use http::{Response, StatusCode, header};
use loggia::transport::Shutdown;
use loggia_hub::Hub;
use serde_json::{Map, Value, json};

/// The state of a gateway as these paths report it.
#[derive(Clone)]
pub(super) struct HealthChecks {
    hub: Arc<Hub>,
    shutdown: Shutdown,
    /// True if the response may name the connectors.
    names_connectors: bool,
}

impl HealthChecks {
    pub(super) fn new(hub: Arc<Hub>, shutdown: Shutdown, names_connectors: bool) -> HealthChecks {
        HealthChecks { hub, shutdown, names_connectors }
    }
}

/// Answers `GET /healthz`.
pub(super) async fn live() -> Response<AxumBody> {
    response(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Answers `GET /readyz`.
pub(super) async fn ready(State(health): State<HealthChecks>) -> Response<AxumBody> {
    let all = health.hub.status();
    let ready = !health.shutdown.is_begun() && all.iter().all(|status| status.tried);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if !health.names_connectors {
        return response(status, &json!({ "ready": ready }));
    }
    let connectors: Map<String, Value> =
        all.iter().map(|status| (status.name.to_string(), Value::from(status.state_name()))).collect();
    response(status, &json!({ "ready": ready, "connectors": connectors }))
}

fn response(status: StatusCode, body: &Value) -> Response<AxumBody> {
    let mut response = Response::new(AxumBody::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}
