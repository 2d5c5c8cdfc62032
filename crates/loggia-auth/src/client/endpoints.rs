//! The endpoints of an authorization server that publishes no metadata.
//!
//! The APIs of many vendors are not MCP servers: they have no resource metadata, and their OAuth endpoints are only in the
//! vendor's documentation. Invariant: with given endpoints, a client fetches no metadata and probes no server.

use url::Url;

use crate::discovery::{AuthorizationServerFeatures, AuthorizationServerMetadata, MetadataOrigin};
use crate::error::AuthError;

/// The parameters of an authorization request that a client sets itself.
const RESERVED: [&str; 10] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "redirect_uri",
    "request_uri",
    "resource",
    "response_type",
    "scope",
    "state",
];

/// The endpoints of an authorization server that publishes no metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationEndpoints {
    /// The issuer, which is the `iss` parameter of responses (RFC 9207) if the server sends one.
    pub issuer: String,
    /// The page at which the user signs in.
    pub authorization_endpoint: Url,
    /// The endpoint that issues and renews tokens.
    pub token_endpoint: Url,
    /// Further parameters of the page, such as `access_type`.
    pub authorize_params: Vec<(String, String)>,
}

impl AuthorizationEndpoints {
    /// Fails if a parameter would replace one of the protocol.
    pub(super) fn check(&self) -> Result<(), AuthError> {
        match self.authorize_params.iter().find(|(name, _)| RESERVED.contains(&name.as_str())) {
            Some((name, _)) => Err(AuthError::Configuration(format!(
                "the parameter {name:?} of the sign-in page of {} is set by the client itself",
                self.issuer
            ))),
            None => Ok(()),
        }
    }

    /// Returns the endpoints as metadata. PKCE with S256 is used, because servers ignore parameters that they do not know
    /// (RFC 6749, section 3.1).
    pub(super) fn metadata(&self) -> AuthorizationServerMetadata {
        AuthorizationServerMetadata {
            issuer: self.issuer.clone(),
            origin: MetadataOrigin::Configured,
            is_2025_03_26: false,
            authorization_endpoint: Some(self.authorization_endpoint.clone()),
            token_endpoint: self.token_endpoint.clone(),
            registration_endpoint: None,
            pushed_request_endpoint: None,
            revocation_endpoint: None,
            features: AuthorizationServerFeatures {
                code_challenge_methods_supported: vec!["S256".to_owned()],
                ..AuthorizationServerFeatures::default()
            },
        }
    }
}
