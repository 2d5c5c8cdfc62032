//! One preregistered client, with the authentication method that a server accepts from it.
//!
//! It is separate from the choice among such clients. Invariant: a client secret is sent in the form only to a server
//! that does not accept HTTP Basic.

use super::authentication::{AuthMethod, ClientAuth, KnownClient};
use crate::discovery::AuthorizationServerMetadata;
use crate::secret::Secret;

/// A preregistered client.
#[derive(Debug, Clone)]
pub struct RegisteredClient {
    /// The issuer with which it is registered. `None` means the issuer that the server names at the first sign-in;
    /// from then on it is used with no other issuer.
    pub issuer: Option<String>,
    /// The `client_id`.
    pub client_id: String,
    /// The credentials of the client.
    pub auth: ClientAuth,
}

impl RegisteredClient {
    /// Creates a client without a secret.
    pub fn public(client_id: impl Into<String>) -> RegisteredClient {
        RegisteredClient { issuer: None, client_id: client_id.into(), auth: ClientAuth::None }
    }

    /// Creates a client with a secret.
    pub fn with_secret(client_id: impl Into<String>, secret: Secret) -> RegisteredClient {
        RegisteredClient { issuer: None, client_id: client_id.into(), auth: ClientAuth::Secret(secret) }
    }

    /// Sets the issuer with which the client is registered.
    #[must_use]
    pub fn at(mut self, issuer: impl Into<String>) -> RegisteredClient {
        self.issuer = Some(issuer.into());
        self
    }

    /// Returns the client for a server whose metadata is not known: a secret is sent with HTTP Basic.
    pub(crate) fn to_client(&self) -> KnownClient {
        let method = match &self.auth {
            ClientAuth::None => AuthMethod::None,
            ClientAuth::Key(_) => AuthMethod::PrivateKey,
            ClientAuth::Secret(_) => AuthMethod::Basic,
        };
        KnownClient { client_id: self.client_id.clone(), auth: self.auth.clone(), method }
    }

    /// Returns the client with the authentication method that an authorization server accepts.
    pub(crate) fn to_client_of(&self, server: &AuthorizationServerMetadata) -> KnownClient {
        let known = self.to_client();
        match known.method {
            AuthMethod::Basic => KnownClient { method: secret_method(server), ..known },
            _ => known,
        }
    }
}

/// Returns the method with which a client secret is sent to a server.
pub(super) fn secret_method(server: &AuthorizationServerMetadata) -> AuthMethod {
    let post_only = !server.accepts_auth_method("client_secret_basic")
        && server.accepts_auth_method("client_secret_post");
    if post_only { AuthMethod::Post } else { AuthMethod::Basic }
}
