//! Whether a token is good is known by the server alone: a token that is there, and not over, may have been
//! revoked an hour ago. So it is asked.

use std::sync::Arc;

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use loggia::client::Challenge;

use super::{AuthError, Credential, Inner, OAuth};
use crate::discovery::BearerChallenge;
use crate::guard::{Fetch, Reply};

/// What a server says to a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// It takes it.
    Taken,
    /// It takes requests without any.
    NotNeeded,
    /// There is none, and the server wants one.
    Missing(BearerChallenge),
    /// It refuses it.
    Refused(BearerChallenge),
}

/// How often a request is tried: without a token, with one, with the nonce that is wanted, with more scopes.
const TRIES: usize = 4;

impl OAuth {
    /// Asks the server whether it takes the token that is there now. Nothing is renewed, and nobody is asked
    /// to sign in. An answer that comes from no MCP server proves nothing, and is an error.
    pub async fn prove(&self) -> Result<Proof, AuthError> {
        let inner = &self.inner;
        let Some(current) = inner.load().await? else {
            let reply = inner.spoken(inner.ping(&HeaderMap::new()).await?)?;
            return Ok(match is_refusal(reply.status) {
                true => Proof::Missing(BearerChallenge::read(&reply.headers)),
                false => Proof::NotNeeded,
            });
        };
        // A proof of possession may lack the nonce that only the refusal tells.
        let mut reply = inner.ping(&inner.carrying(&current, &Method::POST, &inner.server)?).await?;
        if BearerChallenge::read(&reply.headers).lacks_nonce() {
            reply = inner.ping(&inner.carrying(&current, &Method::POST, &inner.server)?).await?;
        }
        let reply = inner.spoken(reply)?;
        Ok(match is_refusal(reply.status) {
            true => Proof::Refused(BearerChallenge::read(&reply.headers)),
            false => Proof::Taken,
        })
    }

    /// Sees to it that the server takes our requests: by the token that is there, or by another, or by
    /// signing in. `None`: it wants none. Call this before connecting where a person may have to sign in:
    /// people take longer than connections wait.
    pub async fn ensure(&self) -> Result<Option<Credential>, AuthError> {
        let inner = &self.inner;
        inner.make_room().await?;
        for _ in 0..TRIES {
            let sent = inner.authorization(&Method::POST, &inner.server).await?;
            let Reply { status, headers, .. } = inner.ping(&sent).await?;
            if !is_refusal(status) {
                return self.credential().await;
            }
            if !inner.challenged(Challenge { status, headers, sent }).await? {
                return Err(AuthError::NotEnough(format!("{} answers {status}", inner.server)));
            }
        }
        Err(AuthError::NotEnough(format!("{} refuses every token that it is shown", inner.server)))
    }
}

fn is_message(body: &[u8]) -> bool {
    let body: Result<serde_json::Value, _> = serde_json::from_slice(body);
    body.is_ok_and(|body| body.get("jsonrpc").is_some())
}

fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

impl Inner {
    /// A request that does nothing.
    async fn ping(self: &Arc<Inner>, authorization: &HeaderMap) -> Result<Reply, AuthError> {
        let ping = r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#;
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        let mut fetch = Fetch::json(self.server.clone(), ping).header(ACCEPT, accept);
        for (name, value) in authorization {
            fetch = fetch.header(name.clone(), value.clone());
        }
        let reply = self.guard.send(fetch).await?;
        self.heard(authorization, reply.status, &reply.headers);
        Ok(reply)
    }

    /// An answer of the server's own, and not of a wrong path or of a gateway whose server is down.
    fn spoken(&self, reply: Reply) -> Result<Reply, AuthError> {
        let status = reply.status;
        let strange = status.is_server_error()
            || matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
        if strange && !is_message(&reply.body) {
            return Err(AuthError::Discovery(format!(
                "{} answers {status}, which says nothing of a credential: is the URL that of an MCP endpoint, and is \
                 its server up?",
                self.server
            )));
        }
        Ok(reply)
    }

    /// Asks the server what it demands, without a token.
    pub(super) async fn probe(self: &Arc<Inner>) -> Result<BearerChallenge, AuthError> {
        Ok(BearerChallenge::read(&self.ping(&HeaderMap::new()).await?.headers))
    }
}
