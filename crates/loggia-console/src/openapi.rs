//! The description of the admin API (OpenAPI 3.1), made from the handlers. The console's client is generated from it.

use utoipa::OpenApi;

use crate::handlers;
use crate::model;
use crate::problem::ProblemDetails;

#[derive(OpenApi)]
#[openapi(
    info(title = "Loggia admin API", description = "The gateway as its administrator sees it."),
    paths(
        handlers::show_gateway,
        handlers::list_connectors,
        handlers::add_connector,
        handlers::show_connector,
        handlers::change_connector,
        handlers::remove_connector,
        handlers::list_directory,
        handlers::plan_connector,
        handlers::show_sign_in,
        handlers::list_accounts,
        handlers::watch_events,
    ),
    components(schemas(ProblemDetails, model::ToolClass))
)]
struct AdminApi;

/// Returns the description of the admin API.
pub fn openapi_description() -> serde_json::Value {
    serde_json::to_value(AdminApi::openapi()).unwrap_or_default()
}
