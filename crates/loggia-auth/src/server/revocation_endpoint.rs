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
    /// Answers `POST revoke`. An unknown token gets the same response as a revoked one.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::resource::ProofVerifier;
    use crate::server::refresh_tokens::tests::access;
    use crate::server::refresh_tokens::{family_name, new_seed};
    use crate::server::testing::{TestClock, stores};

    /// Each line: the client, the token, and whether that ends the family, or the error.
    #[tokio::test]
    async fn a_client_revokes_its_own_tokens() {
        enum TokenKind {
            Refresh,
            Access,
            Unknown,
        }
        let table = [
            ("cli", TokenKind::Refresh, Ok(true)),
            ("cli", TokenKind::Access, Ok(true)),
            ("cli", TokenKind::Unknown, Ok(false)),
            ("web", TokenKind::Refresh, Err("invalid_grant")),
            ("web", TokenKind::Access, Err("invalid_grant")),
            ("nobody", TokenKind::Refresh, Err("invalid_client")),
        ];
        let stores = stores(&TestClock::new());
        let token_url = "https://hub.example/oauth/token".parse().unwrap();
        let lifetime = Duration::from_secs(60);
        let (_, endpoint) = stores.token_endpoints(ProofVerifier::default(), token_url, Vec::new(), lifetime);
        for (n, (client, token, expected)) in table.into_iter().enumerate() {
            let (seed, access) = (new_seed(), access("ada"));
            let family = family_name(&seed);
            let refresh_token = endpoint.refresh_tokens.start(&seed, access.clone()).await.unwrap().unwrap();
            let token = match token {
                TokenKind::Refresh => refresh_token,
                TokenKind::Access => endpoint.access_tokens.issue(&family, &access, &[], None).await.unwrap(),
                TokenKind::Unknown => "x.y.z".to_owned(),
            };
            let form = format!("client_id={client}&token={token}");
            let params = RequestParams::parse(form.as_bytes()).unwrap();
            let outcome = endpoint.revoke(&HeaderMap::new(), &params).await;
            let is_revoked = endpoint.refresh_tokens.revoked().contains(&family).await.unwrap();
            assert_eq!(outcome.map(|()| is_revoked).map_err(|error| error.code), expected, "line {n}");
            assert_eq!(is_revoked, expected == Ok(true), "line {n}");
        }
    }
}
