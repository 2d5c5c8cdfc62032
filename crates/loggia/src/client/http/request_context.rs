//! The request that a response or a stream belongs to.

use http::HeaderValue;

/// The id of a request that was sent, and its session.
pub(crate) struct RequestContext {
    pub(super) id: i64,
    /// The session id that was sent with it.
    pub(super) session: Option<HeaderValue>,
}

impl RequestContext {
    /// Returns the context of a modern request.
    pub(crate) fn without_session(id: i64) -> RequestContext {
        RequestContext { id, session: None }
    }
}
