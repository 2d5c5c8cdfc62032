//! The routes of the admin API and of the console, in one table, and the guard before them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};

use crate::administration::Administration;
use crate::handlers::{
    ApiResult, add_connector, change_connector, document, list_accounts, list_connectors, list_directory,
    plan_connector, remove_connector, show_connector, show_gateway, show_sign_in, watch_events,
};
use crate::origin::OwnHosts;
use crate::problem::ProblemDetails;
use crate::{assets, openapi};

/// Returns the routes of the admin API and the console. `hosts` are the names by which the gateway may be addressed besides
/// those of the loopback.
pub fn console_router<A: Administration>(admin: Arc<A>, hosts: impl IntoIterator<Item = String>) -> Router {
    let api = Router::new()
        .route("/gateway", get(show_gateway::<A>))
        .route("/connectors", get(list_connectors::<A>).post(add_connector::<A>))
        .route(
            "/connectors/{name}",
            get(show_connector::<A>).patch(change_connector::<A>).delete(remove_connector::<A>),
        )
        .route("/directory", get(list_directory::<A>))
        .route("/plans", post(plan_connector::<A>))
        .route("/sign-in", get(show_sign_in::<A>))
        .route("/accounts", get(list_accounts::<A>))
        .route("/events", get(watch_events::<A>))
        .route("/openapi.json", get(describe))
        .fallback(not_found);
    Router::new()
        .nest("/api/v1", api)
        .merge(assets::PAGES.iter().fold(Router::new(), |router, path| router.route(path, get(assets::page))))
        .with_state(admin)
        .layer(from_fn_with_state(Arc::new(OwnHosts::new(hosts)), guard))
}

/// Refuses requests of other sites, and forbids all that a page of the console does not need.
async fn guard(State(own): State<Arc<OwnHosts>>, request: Request, next: Next) -> Response {
    let refusal = own.refusal(request.method(), request.headers());
    let mut response = match refusal {
        Some(reason) => ProblemDetails::new(StatusCode::FORBIDDEN, "other-site", reason).into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, assets::CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (http::HeaderName::from_static("cross-origin-opener-policy"), "same-origin-allow-popups"),
        (http::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn describe() -> ApiResult {
    document(StatusCode::OK, &openapi::openapi_description())
}

async fn not_found() -> ProblemDetails {
    ProblemDetails::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "the admin API has no such path: /api/v1/openapi.json lists them",
    )
}
