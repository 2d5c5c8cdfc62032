//! Metadata for tests.

use serde_json::{Value, json};

use super::{AuthorizationServerMetadata, DiscoveryResult, MetadataOrigin};

/// Returns the metadata of `https://as.example`, with these features.
pub(crate) fn server_metadata(features: Value) -> AuthorizationServerMetadata {
    let url = |path: &str| format!("https://as.example{path}").parse().expect("it is a URL");
    AuthorizationServerMetadata {
        issuer: "https://as.example".to_owned(),
        origin: MetadataOrigin::Published,
        is_2025_03_26: false,
        authorization_endpoint: Some(url("/authorize")),
        token_endpoint: url("/token"),
        registration_endpoint: None,
        pushed_request_endpoint: None,
        revocation_endpoint: None,
        features: serde_json::from_value(features).expect("they are features"),
    }
}

/// Returns the result of a discovery, with members of the resource metadata and features of the authorization server.
pub(crate) fn discovery(resource: Value, features: Value) -> DiscoveryResult {
    let mut document = json!({ "resource": "https://a.example/mcp" });
    let members = resource.as_object().expect("it is an object").clone();
    document.as_object_mut().expect("it is an object").extend(members);
    DiscoveryResult {
        resource: Some(serde_json::from_value(document).expect("it is resource metadata")),
        server: server_metadata(features),
    }
}
