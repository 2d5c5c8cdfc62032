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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::restricted_http::{FetchPolicy, RestrictedHttpClient};
    use crate::server::client_registry::ClientRegistry;
    use crate::server::clients::OAuthClient;
    use crate::server::refresh_tokens::tests::access;
    use crate::server::refresh_tokens::{TokenLifetimes, family_name, new_seed};
    use crate::server::signing_keys::SigningKeys;
    use crate::server::testing::TestClock;
    use crate::server::urls::ServerUrls;

    fn endpoint() -> RevocationEndpoint {
        let records = TestClock::new().records();
        let client = |id: &str| OAuthClient::new(id, id, ["https://app.example/cb"]);
        let guard = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let clients = ClientRegistry::new(vec![client("cli"), client("web")], records.clone(), guard);
        let urls = ServerUrls::new("https://hub.example".to_owned()).unwrap();
        let (skew, lifetime) = (Duration::from_secs(30), Duration::from_secs(60));
        let keys = Arc::new(SigningKeys::new(records.clone()));
        RevocationEndpoint {
            authenticator: Arc::new(ClientAuthenticator::new(
                Arc::new(clients),
                &urls,
                records.clone(),
                skew,
            )),
            refresh_tokens: RefreshTokens::new(records.clone(), TokenLifetimes::default()),
            access_tokens: Arc::new(AccessTokens::new(urls.issuer(), keys, records, lifetime)),
        }
    }

    /// Each line: the client, the token, and whether that ends the family, or the error.
    #[tokio::test]
    async fn a_client_revokes_its_own_tokens() {
        enum Token {
            Refresh,
            Access,
            Unknown,
        }
        let table = [
            ("cli", Token::Refresh, Ok(true)),
            ("cli", Token::Access, Ok(true)),
            ("cli", Token::Unknown, Ok(false)),
            ("web", Token::Refresh, Err("invalid_grant")),
            ("web", Token::Access, Err("invalid_grant")),
            ("nobody", Token::Refresh, Err("invalid_client")),
        ];
        let endpoint = endpoint();
        for (n, (client, token, expected)) in table.into_iter().enumerate() {
            let (seed, access) = (new_seed(), access("ada"));
            let family = family_name(&seed);
            let refresh_token = endpoint.refresh_tokens.start(&seed, access.clone()).await.unwrap().unwrap();
            let token = match token {
                Token::Refresh => refresh_token,
                Token::Access => endpoint.access_tokens.issue(&family, &access, &[], None).await.unwrap(),
                Token::Unknown => "x.y.z".to_owned(),
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
