//! The layer *discovery*: the metadata that lead from a server to its authorization server.

use loggia_auth::discovery::{DiscoveryResult, discover as discover_server};
use loggia_auth::error::AuthError;
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};

use super::configuration::ServerTarget;
use super::http_request::{self, EndpointAnswer};
use super::report::LayerFailure;

/// Finds the authorization server.
pub(super) async fn discover(
    server: &ServerTarget,
    answer: &EndpointAnswer,
    policy: FetchPolicy,
) -> Result<(DiscoveryResult, String), LayerFailure> {
    let http = RestrictedHttpClient::new(policy).map_err(|error| http_request::failure(&error))?;
    let challenge = answer.challenge.clone().unwrap_or_default();
    let found = discover_server(&http, &server.url, &challenge, server.issuer.as_deref()).await;
    let found = found.map_err(|error| match &error {
        AuthError::Fetch(error) => http_request::failure(error),
        _ => LayerFailure::action(
            &error,
            "the operator of the server must correct its metadata; `issuer` of the connector names another \
             authorization server",
        ),
    })?;
    let issuer = found.server.issuer.clone();
    Ok((found, format!("the authorization server is {issuer}")))
}
