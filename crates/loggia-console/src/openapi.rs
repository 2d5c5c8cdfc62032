//! The description of the admin API (OpenAPI 3.1), made from the handlers. The console's client is generated from it.

use utoipa::OpenApi;

use crate::model;
use crate::problem::ProblemDetails;
use crate::routes;

#[derive(OpenApi)]
#[openapi(
    info(title = "Loggia admin API", description = "The gateway as its administrator sees it."),
    paths(
        routes::show_gateway,
        routes::list_connectors,
        routes::add_connector,
        routes::show_connector,
        routes::change_connector,
        routes::remove_connector,
        routes::list_directory,
        routes::plan_connector,
        routes::show_sign_in,
        routes::list_accounts,
        routes::watch_events,
    ),
    components(schemas(ProblemDetails, model::ToolClass))
)]
struct AdminApi;

/// Returns the description of the admin API.
pub fn openapi_description() -> serde_json::Value {
    serde_json::to_value(AdminApi::openapi()).unwrap_or_default()
}
