//! The metadata of the authorization server (RFC 8414).

use serde_json::{Value, json};

use super::clients::JWT_BEARER;
use super::resources::ProtectedResources;
use super::urls::ServerUrls;
use crate::resource::PROOF_ALGORITHMS;

/// The parts of the server that are optional.
#[derive(Debug, Clone, Copy)]
pub(super) struct OptionalFeatures {
    /// Clients can register.
    pub(super) registration: bool,
    /// Assertions of identity providers are accepted.
    pub(super) assertions: bool,
}

/// Returns the metadata document.
pub(super) fn metadata(
    urls: &ServerUrls,
    resources: &ProtectedResources,
    features: OptionalFeatures,
) -> Value {
    let methods = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
    let mut grant_types = vec!["authorization_code", "refresh_token"];
    if features.assertions {
        grant_types.push(JWT_BEARER);
    }
    let mut document = json!({
        "issuer": urls.issuer(),
        "authorization_endpoint": urls.url("authorize"),
        "token_endpoint": urls.url("token"),
        "revocation_endpoint": urls.url("revoke"),
        "jwks_uri": urls.url("jwks"),
        "scopes_supported": scopes(resources),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grant_types,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": crate::jose::Algorithm::ALL,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": crate::jose::Algorithm::ALL,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
        "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
        "protected_resources": resources.iter().map(|resource| &resource.identifier).collect::<Vec<_>>(),
    });
    if features.registration {
        document["registration_endpoint"] = urls.url("register").into();
    }
    if features.assertions {
        document["authorization_grant_profiles_supported"] =
            json!(["urn:ietf:params:oauth:grant-profile:id-jag"]);
    }
    document
}

/// Returns the scopes of all resources, each once, and that of refresh tokens.
fn scopes(resources: &ProtectedResources) -> Vec<&str> {
    let mut scopes: Vec<&str> = Vec::new();
    for scope in resources.iter().flat_map(|resource| &resource.scopes) {
        if !scopes.contains(&scope.as_str()) {
            scopes.push(scope);
        }
    }
    scopes.push("offline_access");
    scopes
}
