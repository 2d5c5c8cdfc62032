//! The identity of a program as an OAuth client, and its Client ID Metadata Document.
//!
//! A program with such a document needs no registration at servers that support it. Invariant: the `client_id` is the
//! URL of the document.

use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use super::authentication::{AuthMethod, ClientAuth, KnownClient};
use super::registered_client::RegisteredClient;
use crate::discovery::AuthorizationServerMetadata;
use crate::jose::{JwkSet, SigningKey};

/// The application type of a client (OpenID Connect Dynamic Client Registration 1.0, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApplicationType {
    /// A program on the user's machine, whose redirect URI is on the loopback.
    #[default]
    Native,
    /// A web server, whose redirect URI is at its own address.
    Web,
}

/// The identity of this program as an OAuth client.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// The name that users see.
    pub name: String,
    /// A page about the program.
    pub uri: Option<Url>,
    /// The application type.
    pub application_type: ApplicationType,
    /// The preregistered clients.
    pub registered: Vec<RegisteredClient>,
    /// A client that the user names for this sign-in. It is used before all others. After a successful sign-in it is
    /// saved in the store for its issuer, and used there for later sign-ins without a named client.
    pub named: Option<RegisteredClient>,
    /// The URL of the Client ID Metadata Document, which is the `client_id` at servers that support it.
    pub metadata_document: Option<Url>,
    /// The key whose public half is in that document, if its authentication method is `private_key_jwt`.
    pub document_key: Option<Arc<SigningKey>>,
    /// True if dynamic registration is used when no other client exists.
    pub dynamic: bool,
}

impl ClientIdentity {
    /// Creates the identity of a program on the user's machine.
    pub fn new(name: impl Into<String>) -> ClientIdentity {
        ClientIdentity {
            name: name.into(),
            uri: None,
            application_type: ApplicationType::Native,
            registered: Vec::new(),
            named: None,
            metadata_document: None,
            document_key: None,
            dynamic: true,
        }
    }

    /// Adds a preregistered client.
    #[must_use]
    pub fn registered(mut self, client: RegisteredClient) -> ClientIdentity {
        self.registered.push(client);
        self
    }

    /// Sets the URL of the Client ID Metadata Document: `https`, with a path.
    #[must_use]
    pub fn described_by(mut self, document: Url) -> ClientIdentity {
        self.metadata_document = Some(document);
        self
    }

    /// Sets the key of that document (`private_key_jwt`).
    #[must_use]
    pub fn signing(mut self, key: Arc<SigningKey>) -> ClientIdentity {
        self.document_key = Some(key);
        self
    }

    /// Returns the preregistered clients in the order in which they are tried.
    pub(crate) fn preregistered(&self) -> impl Iterator<Item = &RegisteredClient> {
        self.named.iter().chain(&self.registered)
    }

    /// Returns the document to publish at the URL of [`described_by`](ClientIdentity::described_by), with these
    /// redirect URIs. Returns `None` without such a URL.
    pub fn document(&self, redirect_uris: &[&str]) -> Option<Value> {
        let mut document = json!({
            "client_id": self.metadata_document.as_ref()?,
            "client_name": self.name,
            "redirect_uris": redirect_uris,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        });
        if let Some(uri) = &self.uri {
            document["client_uri"] = json!(uri);
        }
        if let Some(key) = &self.document_key {
            document["token_endpoint_auth_method"] = json!("private_key_jwt");
            document["token_endpoint_auth_signing_alg"] = json!(key.algorithm());
            document["jwks"] = json!(JwkSet { keys: vec![key.public().clone()] });
        }
        Some(document)
    }

    /// Returns the client of the document if a server supports such documents. If the server lists authentication
    /// methods or algorithms, they must include those of this client.
    pub(super) fn document_client_for(&self, server: &AuthorizationServerMetadata) -> Option<KnownClient> {
        let document = self.metadata_document.as_ref()?;
        let features = &server.features;
        let accepts_key = self.document_key.as_ref().is_none_or(|key| {
            let methods = features.token_endpoint_auth_methods_supported.as_ref();
            let algorithms = &features.token_endpoint_auth_signing_alg_values_supported;
            methods.is_none_or(|methods| methods.iter().any(|method| method == "private_key_jwt"))
                && (algorithms.is_empty() || algorithms.iter().any(|name| name == key.algorithm().as_str()))
        });
        (features.client_id_metadata_document_supported && accepts_key)
            .then(|| self.document_client(document))
    }

    /// Returns the client of the document if `client_id` is its URL.
    pub(super) fn document_client_with_id(&self, client_id: &str) -> Option<KnownClient> {
        let document = self.metadata_document.as_ref().filter(|document| document.as_str() == client_id);
        document.map(|document| self.document_client(document))
    }

    fn document_client(&self, document: &Url) -> KnownClient {
        let (auth, method) = match &self.document_key {
            Some(key) => (ClientAuth::Key(key.clone()), AuthMethod::PrivateKey),
            None => (ClientAuth::None, AuthMethod::None),
        };
        KnownClient { client_id: document.to_string(), auth, method }
    }
}
