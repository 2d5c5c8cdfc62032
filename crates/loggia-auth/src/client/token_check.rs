//! The token checker: asks the server whether it accepts the token.
//!
//! Only the server can decide this: a token that has not expired may be revoked. Invariant: a check sends a `ping`
//! and changes nothing at the server.

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
    /// There is no token, and the server requires one.
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
    /// Checks the current token. Fails if the response does not come from an MCP server.
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
        // The first proof may lack the nonce, which is only in the refusal.
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

    /// Records the DPoP nonce of a response, and whether the server accepted the token.
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

    /// Fails if a response comes from a wrong path, or from a proxy whose server is not running.
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

/// Returns whether a status means that the credential is refused.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::active::CredentialSource;
    use crate::client::testing::{ClientParts, credential};
    use crate::testing::{answer, serve};

    fn checker(parts: &ClientParts) -> TokenChecker {
        TokenChecker { settings: parts.settings.clone(), cache: parts.cache.clone() }
    }

    #[tokio::test]
    async fn a_check_tells_the_states_of_a_token_apart() {
        let message = r#"{"jsonrpc":"2.0","id":0,"result":{}}"#;
        // The columns: there is a token; the response of the server; the result, `None` if it is not from an MCP
        // server.
        let table = [
            (false, 200, message, Some("NotNeeded")),
            (false, 401, "", Some("Missing")),
            (true, 200, message, Some("Accepted")),
            (true, 404, message, Some("Accepted")),
            (true, 401, "", Some("Refused")),
            (true, 403, "", Some("Refused")),
            (true, 404, "no such page", None),
            (true, 502, "", None),
        ];
        for (has_token, status, body, expected) in table {
            let server = serve(move |_| answer(status, body)).await;
            let parts = ClientParts::new(&server);
            if has_token {
                parts.cache.save(credential("t"), CredentialSource::Store, None).await.unwrap();
            }
            let found = checker(&parts).check().await.ok().map(|check| match check {
                TokenCheck::Accepted => "Accepted",
                TokenCheck::NotNeeded => "NotNeeded",
                TokenCheck::Missing(_) => "Missing",
                TokenCheck::Refused(_) => "Refused",
            });
            assert_eq!(found, expected, "{has_token} {status} {body}");
            let is_accepted = parts.cache.cached().map(|active| active.is_accepted());
            assert_eq!(is_accepted, has_token.then_some(status != 401), "{status}");
        }
    }

    #[tokio::test]
    async fn only_the_response_to_the_token_in_use_marks_it() {
        let server = serve(|_| answer(200, "")).await;
        let parts = ClientParts::new(&server);
        let checker = checker(&parts);
        let active = parts.cache.save(credential("t"), CredentialSource::Store, None).await.unwrap();
        let sent =
            |value| HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static(value))]);
        for (headers, status, is_accepted) in [
            (HeaderMap::new(), StatusCode::OK, false),
            (sent("Bearer other"), StatusCode::OK, false),
            (sent("Bearer t"), StatusCode::UNAUTHORIZED, false),
            (sent("Bearer t"), StatusCode::FORBIDDEN, true),
        ] {
            checker.observe(&headers, status, &HeaderMap::new());
            assert_eq!(active.is_accepted(), is_accepted, "{headers:?} {status}");
        }
    }
}
