//! The revoker: tells the authorization server that the tokens of a credential are not needed any more (RFC 7009).
//!
//! A user who signs out expects that the tokens are worthless. Invariant: the refresh token is revoked first, because it
//! could get new access tokens.

use std::sync::Arc;

use super::credential::Credential;
use super::issuer_cache::IssuerCache;
use super::settings::ClientSettings;
use crate::error::AuthError;

/// The revoker of the tokens of one server.
pub(super) struct Revoker {
    pub(super) settings: Arc<ClientSettings>,
    pub(super) issuers: Arc<IssuerCache>,
}

impl Revoker {
    /// Revokes the tokens, if the authorization server supports that.
    pub(super) async fn revoke(&self, credential: &Credential) -> Result<(), AuthError> {
        let server = self.issuers.metadata(&credential.issuer, credential.is_2025_03_26).await?;
        let Some(url) = &server.revocation_endpoint else { return Ok(()) };
        let client = self.settings.registrar().client_of_record(&server, &credential.client);
        let endpoint = self.settings.endpoint(url, &server, &client, None);
        if let Some(token) = &credential.refresh_token {
            endpoint.request(vec![("token", token.expose()), ("token_type_hint", "refresh_token")]).await?;
        }
        let form = vec![("token", credential.access_token.expose()), ("token_type_hint", "access_token")];
        endpoint.request(form).await.map(drop)
    }
}
