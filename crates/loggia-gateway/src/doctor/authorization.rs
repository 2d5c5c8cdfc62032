//! The layer *authorization*: whether Loggia can sign a user in at the authorization server.

use loggia_auth::discovery::DiscoveryResult;

use super::configuration::ServerTarget;
use super::report::LayerFailure;

/// Checks the endpoints and features of an authorization server.
pub(super) fn check(
    name: &str,
    server: &ServerTarget,
    found: Option<&DiscoveryResult>,
) -> Result<((), String), LayerFailure> {
    let Some(DiscoveryResult { server: metadata, .. }) = found else {
        return Err(LayerFailure::unknown("its metadata are not known"));
    };
    metadata.sign_in_endpoint().map_err(|error| {
        LayerFailure::action(error, "ask the operator of the server").at(&metadata.issuer)
    })?;
    let can_register =
        metadata.registration_endpoint.is_some() || metadata.features.client_id_metadata_document_supported;
    match can_register || server.has_manifest {
        true => Ok(((), "users can sign in".to_owned())),
        false => Err(LayerFailure::action(
            format!("clients cannot register themselves at {}", metadata.issuer),
            format!("register a client there; `loggia auth login {name} --client-id ID` signs in with it"),
        )
        .at(&metadata.issuer)),
    }
}
