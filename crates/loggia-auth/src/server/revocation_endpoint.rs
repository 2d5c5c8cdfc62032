//! The revocation endpoint (RFC 7009): ends the token family of a refresh token or an access token.

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};
use loggia::transport::http::Body;

use super::access_tokens::AccessTokens;
use super::client_authentication::ClientAuthenticator;
use super::http::{OAuthError, RequestParams, json};
use super::refresh_tokens::{RefreshTokens, is_refresh_token};

/// Answers revocation requests.
pub(super) struct RevocationEndpoint {
    pub(super) authenticator: Arc<ClientAuthenticator>,
    pub(super) refresh_tokens: RefreshTokens,
    pub(super) access_tokens: Arc<AccessTokens>,
}

impl RevocationEndpoint {
    /// Answers `POST revoke`. The response for an unknown token is that for a revoked one.
    pub(super) async fn handle(&self, headers: &HeaderMap, params: &RequestParams) -> Response<Body> {
        match self.revoke(headers, params).await {
            Ok(()) => json(StatusCode::OK, &serde_json::json!({})),
            Err(error) => error.response(),
        }
    }

    async fn revoke(&self, headers: &HeaderMap, params: &RequestParams) -> Result<(), OAuthError> {
        let client = self.authenticator.authenticate(headers, params).await?;
        let Some((owner, family)) = self.find(params.need("token")?).await? else { return Ok(()) };
        if owner != client.id {
            return Err(OAuthError::new("invalid_grant", "The token is another client's"));
        }
        Ok(self.refresh_tokens.revoke(&family).await?)
    }

    /// Returns the client and the family of a token; `None` for an unknown one.
    async fn find(&self, token: &str) -> Result<Option<(String, String)>, OAuthError> {
        if !is_refresh_token(token) {
            let issued = self.access_tokens.read(token).await?;
            return Ok(issued.map(|issued| (issued.client, issued.family)));
        }
        match self.refresh_tokens.find(token).await {
            Ok((family, access)) => Ok(Some((access.client, family))),
            // A success would make the client believe that the token is revoked.
            Err(error) if error.status.is_server_error() => Err(error),
            Err(_) => Ok(None),
        }
    }
}
