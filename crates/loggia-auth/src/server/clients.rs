//! OAuth clients of the authorization server, and the authentication of each.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::jose::sha256;
use crate::secret::Secret;

/// The grant type of an identity provider's assertion (RFC 7523, section 2.1).
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The source of a client's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ClientOrigin {
    /// An administrator entered it.
    #[serde(rename = "Entered")]
    Administrator,
    /// It is a document at the client's identifier (Client ID Metadata Document).
    Document,
    /// The client registered itself (RFC 7591).
    #[serde(rename = "Registered")]
    Registration,
}

/// The credential with which a client authenticates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ClientCredential {
    /// A public client: every user can read its program, so it cannot keep a credential secret.
    #[serde(rename = "Nothing")]
    Public,
    /// The digest of a secret.
    #[serde(rename = "Secret")]
    SecretDigest(String),
    /// Keys for signatures (`private_key_jwt`), inline or at a URL.
    Keys {
        #[serde(rename = "published")]
        inline: Option<String>,
        #[serde(rename = "at")]
        url: Option<Url>,
    },
}

/// An OAuth client of the authorization server.
// The field names and their order are part of records and of the digests of consents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuthClient {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    #[serde(rename = "proves")]
    pub(super) credential: ClientCredential,
    #[serde(rename = "grants")]
    pub(super) grant_types: Vec<String>,
    #[serde(rename = "always_bound")]
    pub(super) requires_dpop: bool,
    pub(super) origin: ClientOrigin,
}

impl OAuthClient {
    /// Creates a public client that an administrator enters. It may use every grant type.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        redirect_uris: impl IntoIterator<Item = impl Into<String>>,
    ) -> OAuthClient {
        let grant_types = ["authorization_code", "refresh_token", JWT_BEARER];
        OAuthClient {
            id: id.into(),
            name: name.into(),
            redirect_uris: redirect_uris.into_iter().map(Into::into).collect(),
            credential: ClientCredential::Public,
            grant_types: grant_types.map(str::to_owned).to_vec(),
            requires_dpop: false,
            origin: ClientOrigin::Administrator,
        }
    }

    /// Sets the secret with which the client authenticates.
    pub fn secret(mut self, secret: &Secret) -> OAuthClient {
        self.credential = ClientCredential::SecretDigest(sha256(secret.expose()));
        self
    }

    pub(super) fn may_use(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|known| known == grant_type)
    }

    pub(super) fn is_public(&self) -> bool {
        self.credential == ClientCredential::Public
    }

    /// Returns the host that confirms the client's metadata: the one of its document.
    pub(super) fn verified_host(&self) -> Option<String> {
        if self.origin != ClientOrigin::Document {
            return None;
        }
        Url::parse(&self.id).ok()?.host_str().map(str::to_owned)
    }

    /// Returns whether an administrator entered the client's redirect URIs.
    pub(super) fn is_trusted(&self) -> bool {
        self.origin == ClientOrigin::Administrator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records and the digests of consents outlive a version of the program.
    #[test]
    fn clients_are_written_as_before() {
        let written = |client: &OAuthClient| serde_json::to_string(client).unwrap();
        let client = OAuthClient::new("a", "A", ["https://a.example/cb"]);
        assert_eq!(
            written(&client),
            r#"{"id":"a","name":"A","redirect_uris":["https://a.example/cb"],"proves":"Nothing","grants":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:jwt-bearer"],"always_bound":false,"origin":"Entered"}"#
        );
        let credentials = [
            (ClientCredential::SecretDigest("x".to_owned()), r#"{"Secret":"x"}"#),
            (
                ClientCredential::Keys { inline: Some("k".to_owned()), url: None },
                r#"{"Keys":{"published":"k","at":null}}"#,
            ),
        ];
        for (credential, expected) in credentials {
            let credential = serde_json::to_string(&credential).unwrap();
            assert_eq!(credential, expected);
        }
        for (origin, expected) in
            [(ClientOrigin::Document, "\"Document\""), (ClientOrigin::Registration, "\"Registered\"")]
        {
            assert_eq!(serde_json::to_string(&origin).unwrap(), expected);
        }
    }
}
