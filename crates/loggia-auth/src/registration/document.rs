//! The document that describes a program and whose URL is its name (Client ID Metadata Documents): what it says,
//! and who the program is where such names are taken.

use serde_json::{Value, json};
use url::Url;

use super::ClientIdentity;
use crate::client::{AuthMethod, ClientAuth, KnownClient};
use crate::discovery::AuthorizationServer;
use crate::jose::JwkSet;

impl ClientIdentity {
    /// The document to publish at the URL of [`described_by`](ClientIdentity::described_by), for answers at
    /// these addresses. `None`: there is no such URL.
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

    /// Who we are to a server that takes such names. A server that says how clients prove themselves, and names
    /// neither our way nor our algorithm, does not take ours.
    pub(super) fn described_to(&self, server: &AuthorizationServer) -> Option<KnownClient> {
        let document = self.metadata_document.as_ref()?;
        let features = &server.features;
        let takes_key = self.document_key.as_ref().is_none_or(|key| {
            let methods = features.token_endpoint_auth_methods_supported.as_ref();
            let algorithms = &features.token_endpoint_auth_signing_alg_values_supported;
            methods.is_none_or(|methods| methods.iter().any(|method| method == "private_key_jwt"))
                && (algorithms.is_empty() || algorithms.iter().any(|name| name == key.algorithm().as_str()))
        });
        (features.client_id_metadata_document_supported && takes_key).then(|| self.described(document))
    }

    /// Who we are under a name, if that is the document's.
    pub(super) fn described_as(&self, client_id: &str) -> Option<KnownClient> {
        let document = self.metadata_document.as_ref().filter(|document| document.as_str() == client_id);
        document.map(|document| self.described(document))
    }

    fn described(&self, document: &Url) -> KnownClient {
        let (auth, method) = match &self.document_key {
            Some(key) => (ClientAuth::Key(key.clone()), AuthMethod::PrivateKey),
            None => (ClientAuth::None, AuthMethod::None),
        };
        KnownClient { client_id: document.to_string(), auth, method }
    }
}
