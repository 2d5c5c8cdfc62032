//! What the authorization server says of itself (RFC 8414).

use serde_json::{Value, json};

use super::Shared;
use super::clients::JWT_BEARER;
use crate::resource::PROOF_ALGORITHMS;

impl Shared {
    pub(super) fn metadata(&self) -> Value {
        let at = |what: &str| format!("{}{}", self.origin, self.path(what));
        let methods = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
        let mut scopes: Vec<&str> = Vec::new();
        for scope in self.resources.iter().flat_map(|resource| &resource.scopes) {
            if !scopes.contains(&scope.as_str()) {
                scopes.push(scope);
            }
        }
        scopes.push("offline_access");
        let mut grants = vec!["authorization_code", "refresh_token"];
        if !self.assertions.is_empty() {
            grants.push(JWT_BEARER);
        }
        let mut document = json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"),
            "revocation_endpoint": at("revoke"),
            "jwks_uri": at("jwks"),
            "scopes_supported": scopes,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": grants,
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": crate::jose::Algorithm::ALL,
            "revocation_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_signing_alg_values_supported": crate::jose::Algorithm::ALL,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": true,
            "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
            "protected_resources": self.resources.iter().map(|resource| &resource.identifier).collect::<Vec<_>>(),
        });
        if self.registers {
            document["registration_endpoint"] = at("register").into();
        }
        if !self.assertions.is_empty() {
            document["authorization_grant_profiles_supported"] =
                json!(["urn:ietf:params:oauth:grant-profile:id-jag"]);
        }
        document
    }
}
