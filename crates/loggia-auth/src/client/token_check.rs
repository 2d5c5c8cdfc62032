//! The token checker: asks the server whether it accepts the token.
//!
//! Only the server knows: a token that has not expired may be revoked. Invariant: a check sends a `ping` and changes
//! nothing at the server.

use std::sync::Arc;

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::cache::CredentialCache;
use super::settings::ClientSettings;
use crate::discovery::BearerChallenge;
use crate::error::AuthError;
use crate::restricted_http::{FetchRequest, FetchResponse};

/// The result of a token check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenCheck {
    /// The server accepts the token.
    Accepted,
    /// The server accepts requests without a token.
    NotNeeded,
    /// There is no token, and the server wants one.
    Missing(BearerChallenge),
    /// The server refuses the token.
    Refused(BearerChallenge),
}

/// The token checker of one server.
pub(super) struct TokenChecker {
    pub(super) settings: Arc<ClientSettings>,
    pub(super) cache: Arc<CredentialCache>,
}

impl TokenChecker {
    /// Checks the token in use. Fails if the response does not come from an MCP server.
    pub(super) async fn check(&self) -> Result<TokenCheck, AuthError> {
        let Some(current) = self.cache.get().await? else {
            let response = self.ping_mcp(&HeaderMap::new()).await?;
            return Ok(match refusal(&response) {
                Some(challenge) => TokenCheck::Missing(challenge),
                None => TokenCheck::NotNeeded,
            });
        };
        let ClientSettings { server, .. } = &*self.settings;
        let headers = || current.headers(&Method::POST, server, self.settings.now());
        let mut response = self.ping(&headers()?).await?;
        // The first proof may lack the nonce, which only the refusal has.
        if BearerChallenge::read(&response.headers).lacks_nonce() {
            response = self.ping(&headers()?).await?;
        }
        self.require_mcp(&response)?;
        Ok(match refusal(&response) {
            Some(challenge) => TokenCheck::Refused(challenge),
            None => TokenCheck::Accepted,
        })
    }

    /// Returns the challenge of the server to a request without a token.
    pub(super) async fn challenge(&self) -> Result<BearerChallenge, AuthError> {
        Ok(BearerChallenge::read(&self.ping(&HeaderMap::new()).await?.headers))
    }

    /// Sends a `ping` with these headers.
    pub(super) async fn ping(&self, authorization: &HeaderMap) -> Result<FetchResponse, AuthError> {
        let ping = r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#;
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        let mut request = FetchRequest::json(self.settings.server.clone(), ping).header(ACCEPT, accept);
        for (name, value) in authorization {
            request = request.header(name.clone(), value.clone());
        }
        let response = self.settings.http.send(request).await?;
        self.observe(authorization, response.status, &response.headers);
        Ok(response)
    }

    /// Learns from a response: the DPoP nonce, and whether the server accepted the token that was sent.
    pub(super) fn observe(&self, sent: &HeaderMap, status: StatusCode, headers: &HeaderMap) {
        let Some(current) = self.cache.cached() else { return };
        if let Some(signer) = &current.signer {
            signer.store_nonce(&self.settings.server, headers);
        }
        if status != StatusCode::UNAUTHORIZED && !current.is_accepted() && current.is_token_of(sent) {
            current.mark_accepted();
        }
    }

    async fn ping_mcp(&self, authorization: &HeaderMap) -> Result<FetchResponse, AuthError> {
        let response = self.ping(authorization).await?;
        self.require_mcp(&response)?;
        Ok(response)
    }

    /// Fails if a response comes from a wrong path, or from a proxy whose server is down.
    fn require_mcp(&self, response: &FetchResponse) -> Result<(), AuthError> {
        let status = response.status;
        let is_unexpected = status.is_server_error()
            || matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
        if is_unexpected && !is_message(&response.body) {
            return Err(AuthError::Discovery(format!(
                "{} answers {status}, which says nothing of a credential: is the URL that of an MCP endpoint, and is \
                 its server up?",
                self.settings.server
            )));
        }
        Ok(())
    }
}

/// Returns whether a status refuses the credential.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Returns the challenge of a response that refuses the credential.
fn refusal(response: &FetchResponse) -> Option<BearerChallenge> {
    is_refusal(response.status).then(|| BearerChallenge::read(&response.headers))
}

fn is_message(body: &[u8]) -> bool {
    let body: Result<serde_json::Value, _> = serde_json::from_slice(body);
    body.is_ok_and(|body| body.get("jsonrpc").is_some())
}
