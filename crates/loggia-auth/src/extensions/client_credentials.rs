//! The client credentials grant: a program that acts for itself
//! (`io.modelcontextprotocol/oauth-client-credentials`).

use super::{Asking, Prepared};
use crate::client::{AuthError, ClientAuth};
use crate::registration::RegisteredClient;

/// A client that acts for itself.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The client, as it was registered: with a secret, or better with a key.
    pub client: RegisteredClient,
}

impl ClientCredentials {
    pub(crate) fn prepare(&self, asking: &Asking<'_>) -> Result<Prepared, AuthError> {
        if matches!(self.client.auth, ClientAuth::None) {
            return Err(AuthError::Configuration(
                "a client that acts for itself needs a secret or a key to prove who it is".to_owned(),
            ));
        }
        Ok(Prepared {
            client: self.client.known_to(&asking.discovered.server),
            grant_type: "client_credentials",
            assertion: None,
            scope: asking.scopes.to_string(),
        })
    }
}
