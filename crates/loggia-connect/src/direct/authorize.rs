//! The credential of requests, at the place that the manifest names.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use loggia_openapi::{ArgumentError, CredentialPlace, SecurityScheme};

use super::ManifestApiError;
use crate::manifest::{AuthClass, ConnectorValues, ManifestBackend, RequestPlace};
use crate::secret::Secret;

/// The credential of requests.
pub(super) struct RequestCredential {
    scheme: SecurityScheme,
    value: Secret,
}

impl RequestCredential {
    /// Returns the credential of a backend; `None` if it needs none.
    pub(super) fn of(
        backend: &ManifestBackend,
        values: &ConnectorValues,
    ) -> Result<Option<RequestCredential>, ManifestApiError> {
        let auth = &backend.auth;
        if auth.class == AuthClass::None && values.credential().is_none() {
            return Ok(None);
        }
        let credential = values.needed_credential()?;
        let is_authorization =
            auth.place == RequestPlace::Header && auth.place_name().eq_ignore_ascii_case("Authorization");
        let value = match &auth.value {
            Some(text) => values.text(text)?,
            None if auth.class == AuthClass::Basic => {
                Secret::new(format!("Basic {}", STANDARD.encode(credential.expose())))
            }
            None if is_authorization => Secret::new(format!("Bearer {}", credential.expose())),
            None => credential.clone(),
        };
        let name = auth.place_name().to_owned();
        let place = match auth.place {
            RequestPlace::Header => CredentialPlace::Header(name),
            RequestPlace::Query => CredentialPlace::Query(name),
            RequestPlace::Cookie => CredentialPlace::Cookie(name),
        };
        Ok(Some(RequestCredential { scheme: SecurityScheme::ApiKey(place), value }))
    }

    pub(super) fn add_to(&self, request: &mut Request<Bytes>) -> Result<(), ArgumentError> {
        self.scheme.authorize(request, self.value.expose())
    }
}
