//! OAuth `client_credentials`: no user (`io.modelcontextprotocol/oauth-client-credentials`).
//!
//! Programs that act for themselves use it. Invariant: the client has a secret or a key.

use super::grant_request::{GrantContext, GrantRequest};
use crate::error::AuthError;
use crate::registration::ClientAuth;
use crate::registration::RegisteredClient;

/// The client credentials grant (RFC 6749, section 4.4).
#[derive(Debug, Clone)]
pub struct ClientCredentialsGrant {
    /// The preregistered client, with a secret or, better, a key.
    pub client: RegisteredClient,
}

impl ClientCredentialsGrant {
    pub(crate) fn prepare(&self, context: &GrantContext<'_>) -> Result<GrantRequest, AuthError> {
        if matches!(self.client.auth, ClientAuth::None) {
            return Err(AuthError::Configuration(
                "a client that acts for itself needs a secret or a key to authenticate".to_owned(),
            ));
        }
        Ok(GrantRequest {
            client: self.client.to_client_of(&context.discovered.server),
            grant_type: "client_credentials",
            assertion: None,
            scope: context.scopes.to_string(),
        })
    }
}
