//! The request that a response or a stream belongs to.

use http::HeaderValue;

/// Id of a request that was sent, and the session it belongs to.
pub(crate) struct RequestContext {
    pub(super) id: i64,
    /// The session id it was sent with.
    pub(super) session: Option<HeaderValue>,
}

impl RequestContext {
    /// Returns the context of a request of the modern era.
    pub(crate) fn without_session(id: i64) -> RequestContext {
        RequestContext { id, session: None }
    }
}
