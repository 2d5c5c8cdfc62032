//! The handlers of the admin API. Each translates: a request into a call of the [`Administration`], its result into a document.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::administration::{AdminResult, Administration};
use crate::events;
use crate::model::{
    AccountInfo, AddRequest, AddedConnectorInfo, ConnectorDetail, ConnectorInfo, ConnectorPatch,
    DirectoryEntry, GatewayInfo, ListPage, PlanInfo, PlanRequest, SignInInfo,
};
use crate::problem::ProblemDetails;

/// The size of the longest request.
const MAX_REQUEST: usize = 1 << 20;

/// The result of a handler.
pub(crate) type ApiResult = Result<Response, Box<ProblemDetails>>;

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

/// The page at which the user has to sign in now, for an addition that is not finished.
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

fn page<T: Serialize>(items: AdminResult<Vec<T>>) -> ApiResult {
    document(StatusCode::OK, &ListPage { items: items?, next_cursor: None })
}

pub(crate) fn document(status: StatusCode, value: &impl Serialize) -> ApiResult {
    let failed = |error: serde_json::Error| {
        Box::new(ProblemDetails::new(StatusCode::INTERNAL_SERVER_ERROR, "gateway-failed", error.to_string()))
    };
    let mut response = Response::new(Body::from(serde_json::to_vec(value).map_err(failed)?));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Reads the document of a request. A form of another site cannot send this content type.
async fn body<T: DeserializeOwned>(request: Request) -> Result<T, Box<ProblemDetails>> {
    let is_json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    if !request.headers().get(header::CONTENT_TYPE).is_some_and(is_json) {
        let reason = "the body must be application/json";
        return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", reason));
    }
    let too_large = |_| problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is larger than 1 MiB");
    let bytes: Bytes = to_bytes(request.into_body(), MAX_REQUEST).await.map_err(too_large)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| problem(StatusCode::BAD_REQUEST, "malformed", &format!("the body: {error}")))
}

fn problem(status: StatusCode, kind: &str, detail: &str) -> Box<ProblemDetails> {
    Box::new(ProblemDetails::new(status, kind, detail))
}
