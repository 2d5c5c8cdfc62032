//! The Client ID Metadata Document of a program: its content, and the client that it stands for.
//!
//! A program that publishes one needs no registration. Invariant: the `client_id` is the URL of the document.

use serde_json::{Value, json};
use url::Url;

use super::{AuthMethod, ClientAuth, ClientIdentity, KnownClient};
use crate::discovery::AuthorizationServerMetadata;
use crate::jose::JwkSet;

impl ClientIdentity {
    /// Returns the document to publish at the URL of [`described_by`](ClientIdentity::described_by), with these redirect
    /// URIs. Returns `None` without such a URL.
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

    /// Returns the client of the document if a server supports such documents. A server that lists authentication methods
    /// or algorithms has to list those of this client.
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
