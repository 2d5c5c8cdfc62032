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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restricted_http::{FetchPolicy, RestrictedHttpClient};
    use crate::server::testing::TestClock;

    #[tokio::test]
    async fn a_registered_client_is_known_and_has_the_secret_that_it_needs() {
        let records = TestClock::new().records();
        let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let clients = Arc::new(ClientRegistry::new(Vec::new(), records.clone(), http));
        let endpoint = RegistrationEndpoint::new(clients.clone(), records);
        let uri = r#""redirect_uris":["https://a.example/cb"]"#;
        let table = [
            (format!("{{{uri}}}"), Ok(true)),
            (format!(r#"{{{uri},"token_endpoint_auth_method":"none"}}"#), Ok(false)),
            ("{}".to_owned(), Err("invalid_redirect_uri")),
            ("no JSON".to_owned(), Err("invalid_client_metadata")),
        ];
        for (text, expected) in table {
            let outcome = endpoint.register(Body::full(text.clone()), None).await;
            if let Ok(document) = &outcome {
                let id = document["client_id"].as_str().unwrap();
                assert!(clients.find(id).await.unwrap().is_ok(), "{text}");
            }
            let has_secret = outcome.map(|document| document["client_secret"].is_string());
            assert_eq!(has_secret.map_err(|error| error.code), expected, "{text}");
        }
    }
}
