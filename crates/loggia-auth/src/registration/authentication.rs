//! Client authentication (RFC 6749, section 2.3): the id and the credentials of a client at one authorization server.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::jose::SigningKey;
use crate::secret::Secret;

/// The credentials with which a client authenticates.
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// None: a public client sends only its `client_id`.
    None,
    /// A secret, sent with HTTP Basic or in the form, as the server requires.
    Secret(Secret),
    /// A key that signs assertions (`private_key_jwt`).
    Key(Arc<SigningKey>),
}

/// A token endpoint authentication method (RFC 7591, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthMethod {
    /// A public client.
    #[serde(rename = "none")]
    None,
    /// HTTP Basic.
    #[serde(rename = "client_secret_basic")]
    Basic,
    /// The secret in the form.
    #[serde(rename = "client_secret_post")]
    Post,
    /// A signed assertion.
    #[serde(rename = "private_key_jwt")]
    PrivateKey,
}

impl AuthMethod {
    /// Returns the method with a registered name.
    pub(crate) fn from_name(name: &str) -> Option<AuthMethod> {
        let all = [AuthMethod::None, AuthMethod::Basic, AuthMethod::Post, AuthMethod::PrivateKey];
        all.into_iter().find(|method| method.as_str() == name)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            AuthMethod::None => "none",
            AuthMethod::Basic => "client_secret_basic",
            AuthMethod::Post => "client_secret_post",
            AuthMethod::PrivateKey => "private_key_jwt",
        }
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A client as one authorization server knows it.
#[derive(Clone, Debug)]
pub struct KnownClient {
    /// The `client_id`.
    pub client_id: String,
    /// The credentials.
    pub auth: ClientAuth,
    /// The method with which the credentials are sent.
    pub method: AuthMethod,
}

/// The client that a stored credential was issued to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientRecord {
    /// The `client_id`.
    pub client_id: String,
    /// The authentication method.
    pub method: AuthMethod,
    /// The client secret, if the client has one.
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

impl From<&KnownClient> for ClientRecord {
    fn from(client: &KnownClient) -> ClientRecord {
        let secret = match &client.auth {
            ClientAuth::Secret(secret) => Some(secret.clone()),
            ClientAuth::None | ClientAuth::Key(_) => None,
        };
        ClientRecord { client_id: client.client_id.clone(), method: client.method, secret }
    }
}

impl ClientRecord {
    /// Returns the client with the stored secret.
    pub(crate) fn to_client(&self) -> KnownClient {
        let auth = self.secret.clone().map_or(ClientAuth::None, ClientAuth::Secret);
        KnownClient { client_id: self.client_id.clone(), auth, method: self.method }
    }
}
