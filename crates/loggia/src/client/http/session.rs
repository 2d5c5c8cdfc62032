//! Refusals that mean that the server no longer has the session of a request.
//!
//! The specification has one such status: 404 ("Session Management"). After a restart, servers send many others: the
//! reference servers 400 with an error without an id of ours, others 401, 410, 422, 503, or a JSON-RPC error in a
//! 200. Every later request would get the same refusal, so each of these starts a new session, once.
//!
//! Invariant: a refusal for another reason (the request itself, its rate, its rights) starts no session, and a
//! request that may have run is marked.

use http::{HeaderMap, StatusCode, header};
use loggia_wire::{ErrorCode, RpcError};

/// The error response to a request of a session.
pub(super) struct SessionErrorResponse<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    /// The JSON-RPC error in the body.
    pub(super) error: Option<&'a RpcError>,
    /// True if this error has the id of the request: then the server has read the request.
    pub(super) answers: bool,
}

impl SessionErrorResponse<'_> {
    /// Returns `Some` if the session is lost; the value says whether the request may have run.
    pub(super) fn loses_session(&self) -> Option<bool> {
        if is_gone(self.status) {
            return Some(false);
        }
        if self.error.is_some_and(names_session) {
            // An answer in a 200 may be about a session of the tool itself, after the tool ran.
            return Some(self.answers && self.status.is_success());
        }
        if self.answers {
            return None;
        }
        match self.status.as_u16() {
            400 | 401 | 409 | 421 | 422 | 440 => Some(false),
            // A proxy sends these also if the server stopped during a request.
            502 | 503 if !self.headers.contains_key(header::RETRY_AFTER) => Some(true),
            _ => None,
        }
    }
}

/// Returns whether a stream of an open session cannot be opened again because the session is lost.
pub(super) fn ends_stream(status: StatusCode) -> bool {
    is_gone(status) || matches!(status.as_u16(), 400 | 401 | 409 | 421 | 422 | 440)
}

/// Returns whether the status means a lost session: "MUST respond … with HTTP 404 Not Found"; 410 means the same.
fn is_gone(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE)
}

/// Returns whether an error is about the session and not about the request.
pub(super) fn names_session(error: &RpcError) -> bool {
    const DEFECTS: [&str; 14] = [
        "not found",
        "no valid",
        "invalid",
        "expired",
        "unknown",
        "terminated",
        "missing",
        "required",
        "closed",
        "gone",
        "not exist",
        "no such",
        "not known",
        "no longer",
    ];
    let of_server = error.code == ErrorCode::INVALID_REQUEST || (-32099..=-32000).contains(&error.code.0);
    let elsewhere = error.code.is_modern() || error.code == ErrorCode::RESOURCE_NOT_FOUND;
    if !of_server || elsewhere {
        return false;
    }
    let said = error.message.to_lowercase();
    said.contains("not initialized")
        || (said.contains("session") && DEFECTS.iter().any(|defect| said.contains(defect)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loses(status: u16, error: Option<(i64, &str)>, answers: bool, retry_after: bool) -> Option<bool> {
        let mut headers = HeaderMap::new();
        if retry_after {
            headers.insert(header::RETRY_AFTER, http::HeaderValue::from_static("1"));
        }
        let error = error.map(|(code, message)| RpcError::new(ErrorCode(code), message.to_owned()));
        let status = StatusCode::from_u16(status).expect("a status");
        SessionErrorResponse { status, headers: &headers, error: error.as_ref(), answers }.loses_session()
    }

    /// The real answers of servers, and what each means: `Some(true)` may have run.
    #[test]
    fn refusals_that_lose_the_session_are_told_from_others() {
        // The status, the error, whether it has our id, whether there is Retry-After; and whether the session is
        // lost.
        type Case = (u16, Option<(i64, &'static str)>, bool, bool, Option<bool>);
        let cases: &[Case] = &[
            // The specification.
            (404, None, false, false, Some(false)),
            (404, Some((-32001, "Session not found")), false, false, Some(false)),
            (404, Some((-32600, "Session not found")), true, false, Some(false)),
            // The reference servers in TypeScript and Python, restarted.
            (400, Some((-32000, "Bad Request: No valid session ID provided")), false, false, Some(false)),
            (400, Some((-32000, "Bad Request: Server not initialized")), false, false, Some(false)),
            (400, Some((-32600, "Bad Request: Missing session ID")), false, false, Some(false)),
            (400, None, false, false, Some(false)),
            // The SDK in Rust, and gateways.
            (401, None, false, false, Some(false)),
            (422, None, false, false, Some(false)),
            (410, None, false, false, Some(false)),
            (503, Some((-32000, "Session expired or unknown")), false, false, Some(false)),
            (503, None, false, false, Some(true)),
            (502, None, false, false, Some(true)),
            (200, Some((-32001, "Session not found")), true, false, Some(true)),
            (200, Some((-32000, "Browser session expired")), true, false, Some(true)),
            (200, Some((-32000, "Bad Request: No valid session ID provided")), false, false, Some(false)),
            // A request that the server read, or does not want now.
            (400, Some((-32602, "Invalid params")), true, false, None),
            (400, Some((-32602, "No session of this name, unknown")), true, false, None),
            (200, Some((-32603, "The browser session is closed")), true, false, None),
            (200, Some((-32002, "Resource session://7 not found")), true, false, None),
            (503, Some((-32603, "The server is busy: try again in a moment")), false, true, None),
            (503, None, false, true, None),
            (403, None, false, false, None),
            (413, None, false, false, None),
            (429, None, false, false, None),
            (500, None, false, false, None),
        ];
        for &(status, error, answers, retry_after, expected) in cases {
            assert_eq!(
                loses(status, error, answers, retry_after),
                expected,
                "{status} {error:?} answers: {answers} retry-after: {retry_after}"
            );
        }
    }
}
