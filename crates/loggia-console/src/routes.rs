//! The routes of the admin API and of the console, in one table. Each handler translates: a request into a call of the
//! [`Administration`], its result into a document.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::administration::{AdminResult, Administration};
use crate::model::{
    AccountInfo, AddRequest, AddedConnectorInfo, ConnectorDetail, ConnectorInfo, ConnectorPatch,
    DirectoryEntry, GatewayInfo, ListPage, PlanInfo, PlanRequest, SignInInfo,
};
use crate::origin::OwnHosts;
use crate::problem::ProblemDetails;
use crate::{assets, events, openapi};

/// The size of the longest request.
const MAX_REQUEST: usize = 1 << 20;

/// The result of a handler.
type ApiResult = Result<Response, ProblemDetails>;

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

/// The facts about the gateway.
#[utoipa::path(get, path = "/api/v1/gateway", responses((status = 200, body = GatewayInfo)))]
pub(crate) async fn show_gateway<A: Administration>(State(admin): State<Arc<A>>) -> ApiResult {
    document(StatusCode::OK, &admin.gateway())
}

/// The connectors, served or not.
#[utoipa::path(get, path = "/api/v1/connectors", responses((status = 200, body = ListPage<ConnectorInfo>)))]
pub(crate) async fn list_connectors<A: Administration>(State(admin): State<Arc<A>>) -> ApiResult {
    page(admin.connectors().await)
}

/// Proves a connector and adds it.
#[utoipa::path(
    post,
    path = "/api/v1/connectors",
    request_body = AddRequest,
    responses(
        (status = 201, body = AddedConnectorInfo),
        (status = 409, description = "There is one of this name", body = ProblemDetails),
        (status = 422, description = "Values are missing or wrong", body = ProblemDetails),
        (status = 502, description = "The system does not work", body = ProblemDetails),
    )
)]
pub(crate) async fn add_connector<A: Administration>(
    State(admin): State<Arc<A>>,
    request: Request,
) -> ApiResult {
    let request = body::<AddRequest>(request).await?;
    document(StatusCode::CREATED, &admin.add(request).await?)
}

/// One connector with its tools.
#[utoipa::path(
    get,
    path = "/api/v1/connectors/{name}",
    params(("name" = String, Path)),
    responses((status = 200, body = ConnectorDetail), (status = 404, body = ProblemDetails))
)]
pub(crate) async fn show_connector<A: Administration>(
    State(admin): State<Arc<A>>,
    Path(name): Path<String>,
) -> ApiResult {
    document(StatusCode::OK, &admin.connector(&name).await?)
}

/// Switches a connector on or off.
#[utoipa::path(
    patch,
    path = "/api/v1/connectors/{name}",
    params(("name" = String, Path)),
    request_body = ConnectorPatch,
    responses((status = 204), (status = 404, body = ProblemDetails), (status = 409, body = ProblemDetails))
)]
pub(crate) async fn change_connector<A: Administration>(
    State(admin): State<Arc<A>>,
    Path(name): Path<String>,
    request: Request,
) -> ApiResult {
    let ConnectorPatch { is_enabled } = body(request).await?;
    admin.set_enabled(&name, is_enabled).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Removes a connector with its accounts.
#[utoipa::path(
    delete,
    path = "/api/v1/connectors/{name}",
    params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDetails), (status = 409, body = ProblemDetails))
)]
pub(crate) async fn remove_connector<A: Administration>(
    State(admin): State<Arc<A>>,
    Path(name): Path<String>,
) -> ApiResult {
    admin.remove(&name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The directory.
#[utoipa::path(get, path = "/api/v1/directory", responses((status = 200, body = ListPage<DirectoryEntry>)))]
pub(crate) async fn list_directory<A: Administration>(State(admin): State<Arc<A>>) -> ApiResult {
    page(admin.directory().await)
}

/// Says what a source would be as a connector. Nothing is stored.
#[utoipa::path(
    post,
    path = "/api/v1/plans",
    request_body = PlanRequest,
    responses((status = 200, body = PlanInfo), (status = 404, body = ProblemDetails), (status = 422, body = ProblemDetails))
)]
pub(crate) async fn plan_connector<A: Administration>(
    State(admin): State<Arc<A>>,
    request: Request,
) -> ApiResult {
    let request = body::<PlanRequest>(request).await?;
    document(StatusCode::OK, &admin.plan(request).await?)
}

/// The page at which the user has to sign in now, for an addition that is under way.
#[utoipa::path(get, path = "/api/v1/sign-in", responses((status = 200, body = SignInInfo)))]
pub(crate) async fn show_sign_in<A: Administration>(State(admin): State<Arc<A>>) -> ApiResult {
    document(StatusCode::OK, &admin.sign_in_page())
}

/// The saved accounts.
#[utoipa::path(get, path = "/api/v1/accounts", responses((status = 200, body = ListPage<AccountInfo>)))]
pub(crate) async fn list_accounts<A: Administration>(State(admin): State<Arc<A>>) -> ApiResult {
    page(admin.accounts().await)
}

/// An event stream: `changed` after each change that a page may show. `Last-Event-ID` resumes.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    responses((status = 200, content_type = "text/event-stream", body = String))
)]
pub(crate) async fn watch_events<A: Administration>(
    State(admin): State<Arc<A>>,
    headers: HeaderMap,
) -> Response {
    events::stream(admin, events::last_id(&headers))
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

fn page<T: Serialize>(items: AdminResult<Vec<T>>) -> ApiResult {
    document(StatusCode::OK, &ListPage { items: items?, next_cursor: None })
}

fn document(status: StatusCode, value: &impl Serialize) -> ApiResult {
    let failed = |error: serde_json::Error| {
        ProblemDetails::new(StatusCode::INTERNAL_SERVER_ERROR, "gateway-failed", error.to_string())
    };
    let mut response = Response::new(Body::from(serde_json::to_vec(value).map_err(failed)?));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Reads the document of a request. A form of another site cannot send this content type.
async fn body<T: DeserializeOwned>(request: Request) -> Result<T, ProblemDetails> {
    let is_json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !request.headers().get(header::CONTENT_TYPE).is_some_and(is_json) {
        let reason = "the body must be application/json";
        return Err(ProblemDetails::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            reason,
        ));
    }
    let too_large =
        |_| ProblemDetails::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is larger than 1 MiB");
    let bytes: Bytes = to_bytes(request.into_body(), MAX_REQUEST).await.map_err(too_large)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        ProblemDetails::new(StatusCode::BAD_REQUEST, "malformed", format!("the body: {error}"))
    })
}
