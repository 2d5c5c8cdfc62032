//! The credential of requests, at the place that the manifest names.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use loggia::server::ToolError;
use loggia_openapi::{CredentialPlace, SecurityScheme};

use super::access_token::AccessTokenSource;
use crate::manifest::{
    BackendAuth, BackendValueError, ConnectorValues, ManifestBackend, MissingValue, RequestPlace,
};
use crate::secret::Secret;

/// The credential of requests.
pub(super) struct RequestCredential {
    scheme: SecurityScheme,
    value: CredentialValue,
}

/// The value of a credential.
enum CredentialValue {
    /// It does not change.
    Fixed(Secret),
    /// It holds an access token, which is renewed.
    Renewed { source: Arc<dyn AccessTokenSource>, auth: Box<BackendAuth>, values: Box<ConnectorValues> },
}

impl RequestCredential {
    /// Returns the credential of a backend; `None` if it needs none.
    pub(super) fn of(
        backend: &ManifestBackend,
        values: &ConnectorValues,
    ) -> Result<Option<RequestCredential>, BackendValueError> {
        let sent = backend.sent_credential(values)?;
        Ok(sent.map(|(_, value)| RequestCredential {
            scheme: scheme(&backend.auth),
            value: CredentialValue::Fixed(value),
        }))
    }

    /// Returns a credential with the tokens of a source.
    pub(super) fn renewed(
        backend: &ManifestBackend,
        values: &ConnectorValues,
        source: Arc<dyn AccessTokenSource>,
    ) -> RequestCredential {
        let (auth, values) = (Box::new(backend.auth.clone()), Box::new(values.clone()));
        let value = CredentialValue::Renewed { source, auth, values };
        RequestCredential { scheme: scheme(&backend.auth), value }
    }

    /// Adds the credential to a request. Returns the access token, if it has one.
    pub(super) async fn add_to(&self, request: &mut Request<Bytes>) -> Result<Option<Secret>, ToolError> {
        match &self.value {
            CredentialValue::Fixed(value) => self.set(request, value).map(|()| None),
            CredentialValue::Renewed { source, .. } => {
                let token = source.token().await.map_err(ToolError::say)?;
                self.set_token(request, &token)?;
                Ok(Some(token))
            }
        }
    }

    /// Replaces an access token that the API refused. Returns `false` if the credential has none.
    pub(super) async fn replace_in(
        &self,
        request: &mut Request<Bytes>,
        refused: &Secret,
    ) -> Result<bool, ToolError> {
        let CredentialValue::Renewed { source, .. } = &self.value else { return Ok(false) };
        let token = source.replace(refused).await.map_err(ToolError::say)?;
        self.set_token(request, &token)?;
        Ok(true)
    }

    /// Returns the error for a credential that the API refuses after its renewal.
    pub(super) fn refusal(&self) -> Option<String> {
        match &self.value {
            CredentialValue::Fixed(_) => None,
            CredentialValue::Renewed { source, .. } => Some(source.refusal()),
        }
    }

    fn set_token(&self, request: &mut Request<Bytes>, token: &Secret) -> Result<(), ToolError> {
        let CredentialValue::Renewed { auth, values, .. } = &self.value else { return Ok(()) };
        let wrong = |missing: MissingValue| ToolError::say(missing.to_string());
        let value = auth.sent_value(&values.with_credential(token.clone())).map_err(wrong)?;
        self.set(request, &value)
    }

    fn set(&self, request: &mut Request<Bytes>, value: &Secret) -> Result<(), ToolError> {
        let added = self.scheme.authorize(request, value.expose());
        added.map_err(|error| ToolError::say(error.to_string()))
    }
}

fn scheme(auth: &BackendAuth) -> SecurityScheme {
    let name = auth.place_name().to_owned();
    SecurityScheme::ApiKey(match auth.place {
        RequestPlace::Header => CredentialPlace::Header(name),
        RequestPlace::Query => CredentialPlace::Query(name),
        RequestPlace::Cookie => CredentialPlace::Cookie(name),
    })
}
