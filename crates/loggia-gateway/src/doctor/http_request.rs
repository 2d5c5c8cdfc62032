//! The layer *http*: the answer of the endpoint to a `ping` without a saved credential.

use std::time::Duration;

use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};
use loggia_auth::discovery::BearerChallenge;
use loggia_auth::restricted_http::{
    FetchError, FetchPolicy, FetchRequest, FetchResponse, RestrictedHttpClient, is_local,
};
use serde_json::Value;

use super::configuration::ServerTarget;
use super::report::LayerFailure;
use crate::credentials::Credentials;

/// The longest wait for the stream of a server that speaks HTTP+SSE.
const STREAM_WAIT: Duration = Duration::from_secs(2);

/// The answer of an endpoint.
pub(super) struct EndpointAnswer {
    /// The challenge, if it asks for authorization.
    pub(super) challenge: Option<BearerChallenge>,
}

/// Returns the policy of the requests to a server and to its authorization server.
pub(super) fn policy(
    server: &ServerTarget,
    credentials: &Credentials,
    roots: &[Vec<u8>],
    timeout: Duration,
) -> FetchPolicy {
    let policy = credentials.policy(is_local(&server.url)).trusting(&server.url);
    FetchPolicy { roots: roots.to_vec(), timeout, ..policy }
}

/// Sends a `ping`.
pub(super) async fn probe(
    server: &ServerTarget,
    policy: FetchPolicy,
) -> Result<(EndpointAnswer, String), LayerFailure> {
    let http = RestrictedHttpClient::new(policy.clone()).map_err(|error| failure(&error))?;
    let ping = r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#;
    let accept = HeaderValue::from_static("application/json, text/event-stream");
    let request = FetchRequest::json(server.url.clone(), ping).header(ACCEPT, accept);
    let request = server
        .headers
        .iter()
        .fold(request, |request, (name, value)| request.header(name.clone(), value.clone()));
    let response = http.send(request).await.map_err(|error| failure(&error))?;
    let status = response.status;
    let is_wrong_path = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    if is_wrong_path && server.is_sse_allowed && is_stream(server, policy).await {
        return Ok((EndpointAnswer { challenge: None }, "it answers with HTTP+SSE".to_owned()));
    }
    judge(&response)
}

fn judge(response: &FetchResponse) -> Result<(EndpointAnswer, String), LayerFailure> {
    let status = response.status;
    let answer = |challenge| Ok((EndpointAnswer { challenge }, format!("it answers {status}")));
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return answer(Some(BearerChallenge::read(&response.headers)));
    }
    if is_message(&response.body) {
        return answer(None);
    }
    let reason = format!("{} answers {status}", response.url.path());
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(LayerFailure::retry(reason, "try again later, or ask the operator of the server"));
    }
    let kind = response.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_page = kind.is_some_and(|kind| kind.starts_with("text/html"));
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE) || is_page
    {
        let what = if is_page { " with a web page" } else { "" };
        let next = "check the path of the URL: the documentation of the server names its MCP endpoint";
        return Err(LayerFailure::action(format!("{reason}{what}"), next));
    }
    answer(None)
}

fn is_message(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body.get("jsonrpc").is_some())
}

/// Returns whether the URL answers a GET with a stream, which does not end.
async fn is_stream(server: &ServerTarget, policy: FetchPolicy) -> bool {
    let policy = FetchPolicy { timeout: STREAM_WAIT, ..policy };
    let Ok(http) = RestrictedHttpClient::new(policy) else { return false };
    let request =
        FetchRequest::get(server.url.clone()).header(ACCEPT, HeaderValue::from_static("text/event-stream"));
    match http.send(request).await {
        Err(FetchError::TimedOut { .. }) => true,
        Ok(response) => {
            let kind = response.headers.get(http::header::CONTENT_TYPE);
            kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
        }
        Err(_) => false,
    }
}

/// Returns the failure of a request.
pub(super) fn failure(error: &FetchError) -> LayerFailure {
    match error {
        FetchError::Failed { .. } | FetchError::TimedOut { .. } => {
            LayerFailure::retry(error, "try again later")
        }
        FetchError::Refused { .. } | FetchError::Host { .. } => {
            LayerFailure::action(error, "correct the URL; --allow-network NETWORK allows a private network")
        }
        _ => LayerFailure::unknown(error),
    }
}
