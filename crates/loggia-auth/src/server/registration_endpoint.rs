//! The client registration endpoint (RFC 7591).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::{Response, StatusCode};
use loggia::transport::http::Body;

use super::client_metadata::ClientMetadata;
use super::client_registry::ClientRegistry;
use super::clients::OAuthClient;
use super::http::{OAuthError, json, read_body};
use super::records::RecordStore;
use crate::clock;
use crate::secret::Secret;

/// Answers registration requests.
pub(super) struct RegistrationEndpoint {
    clients: Arc<ClientRegistry>,
    records: RecordStore,
}

impl RegistrationEndpoint {
    pub(super) fn new(clients: Arc<ClientRegistry>, records: RecordStore) -> RegistrationEndpoint {
        RegistrationEndpoint { clients, records }
    }

    /// Answers `POST register`. `source` is the address that the request comes from.
    pub(super) async fn handle(&self, body: Body, source: Option<IpAddr>) -> Response<Body> {
        match self.register(body, source).await {
            Ok(document) => json(StatusCode::CREATED, &document),
            Err(error) => error.response(),
        }
    }

    async fn register(&self, body: Body, source: Option<IpAddr>) -> Result<serde_json::Value, OAuthError> {
        let text = read_body(body).await?;
        let metadata: ClientMetadata<'_> = serde_json::from_slice(&text).map_err(|error| {
            OAuthError::new("invalid_client_metadata", format!("The registration cannot be read: {error}"))
        })?;
        let method = metadata.token_endpoint_auth_method.clone();
        let method = method.unwrap_or_else(|| "client_secret_basic".to_owned());
        match self.clients.register(metadata, source).await? {
            Ok((client, secret)) => {
                Ok(client_information(&client, secret.as_ref(), &method, self.records.now()))
            }
            Err(rejection) => Err(OAuthError::new(rejection.code, rejection.reason)),
        }
    }
}

/// Returns the client information response (RFC 7591, section 3.2.1).
fn client_information(
    client: &OAuthClient,
    secret: Option<&Secret>,
    method: &str,
    now: SystemTime,
) -> serde_json::Value {
    let mut document = serde_json::json!({
        "client_id": client.id,
        "client_id_issued_at": clock::seconds(now),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": client.grant_types,
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
        "dpop_bound_access_tokens": client.requires_dpop,
    });
    if let Some(secret) = secret {
        document["client_secret"] = secret.expose().into();
        document["client_secret_expires_at"] = 0.into();
    }
    document
}
