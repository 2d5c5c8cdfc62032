//! The credential of requests, at the place that the manifest names.

use bytes::Bytes;
use http::Request;
use loggia_openapi::{ArgumentError, CredentialPlace, SecurityScheme};

use crate::manifest::{BackendValueError, ConnectorValues, ManifestBackend, RequestPlace};
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
    ) -> Result<Option<RequestCredential>, BackendValueError> {
        let Some((name, value)) = backend.sent_credential(values)? else { return Ok(None) };
        let place = match backend.auth.place {
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
