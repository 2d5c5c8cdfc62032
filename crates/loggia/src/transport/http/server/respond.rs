//! The answers that are not results: refusals, acknowledgements, and the head of a stream.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode, Version};
use loggia_wire::jsonrpc::{self, EnvelopeError, Id};
use loggia_wire::{ErrorCode, RpcError};

use super::admission::Overload;
use super::headers::{EVENT_STREAM, JSON};
use crate::transport::http::Body;
use crate::transport::http::body::BodyReadError;

/// A response to a request, or the refusal of the request.
pub(super) type ResponseResult = Result<Response<Body>, Response<Body>>;

/// Mark of a response, in its extensions, that is an event stream which may stay open for days.
#[derive(Debug, Clone, Copy)]
pub(super) struct DetachOnSend;

/// Keeps nginx and its kin from holding events back.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Bytes that keep `guard` until the last of them was sent or dropped.
pub(super) fn guarded<G: Send + 'static>(bytes: Vec<u8>, guard: Option<G>) -> Bytes {
    struct GuardedBytes<G>(Vec<u8>, #[allow(dead_code, reason = "it is only dropped")] G);
    impl<G> AsRef<[u8]> for GuardedBytes<G> {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    match guard {
        Some(guard) => Bytes::from_owner(GuardedBytes(bytes, guard)),
        None => bytes.into(),
    }
}

/// One JSON document.
pub(super) fn json(status: StatusCode, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::full(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

/// A JSON-RPC error. Without an id the member is left out ("an error response that has no `id`").
pub(super) fn error(status: StatusCode, id: Option<&Id>, error: &RpcError) -> Response<Body> {
    let mut out = Vec::with_capacity(192);
    match id {
        Some(id) => jsonrpc::write_error(&mut out, Some(id), error),
        None => jsonrpc::write_error_without_id(&mut out, error),
    }
    json(status, out)
}

/// A refusal that is the HTTP client's fault and has no code of its own.
pub(super) fn refuse(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Response<Body> {
    error(status, None, &RpcError::invalid_request(message))
}

/// A body that is no message.
pub(super) fn undecodable(error: &EnvelopeError) -> Response<Body> {
    self::error(StatusCode::BAD_REQUEST, error.id.as_ref(), &error.error)
}

/// The refusal of a request whose body could not be read. Its connection is of no further use.
pub(super) fn unread(error: &BodyReadError, version: Version) -> Response<Body> {
    let status = match error {
        BodyReadError::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
        BodyReadError::Failed(_) => StatusCode::BAD_REQUEST,
        BodyReadError::TimedOut => StatusCode::REQUEST_TIMEOUT,
    };
    let mut response = refuse(status, error.to_string());
    if version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The method is not offered here; `allowed` is.
pub(super) fn method_not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = refuse(
        StatusCode::METHOD_NOT_ALLOWED,
        "Send messages with POST; GET and DELETE need the Mcp-Session-Id of a session",
    );
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Too much runs already.
pub(super) fn busy(id: Option<&Id>, why: &Overload) -> Response<Body> {
    let mut response = self::error(StatusCode::SERVICE_UNAVAILABLE, id, &too_busy(why));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The same inside a batch, where each member has its own answer.
pub(super) fn busy_message(id: &Id, why: &Overload) -> Bytes {
    let mut out = Vec::with_capacity(128);
    jsonrpc::write_error(&mut out, Some(id), &too_busy(why));
    out.into()
}

fn too_busy(why: &Overload) -> RpcError {
    RpcError::new(ErrorCode::INTERNAL_ERROR, why.to_string())
}

/// Nothing to say: `202` for a message that wants no answer, `204` for a session that is gone.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An event stream.
pub(super) fn event_stream(events: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    events_of(Body::stream(events))
}

/// An event stream that stays open while nothing happens.
pub(super) fn detached_event_stream(events: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let mut response = event_stream(events);
    response.extensions_mut().insert(DetachOnSend);
    response
}

/// An event stream of which every event is known already.
pub(super) fn whole_event_stream(events: impl Into<Bytes>) -> Response<Body> {
    events_of(Body::full(events))
}

fn events_of(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Waits as long as a stream may stay silent, then yields the comment that keeps it open.
pub(super) async fn keep_alive(after: Duration) -> Bytes {
    tokio::time::sleep(after).await;
    Bytes::from_static(crate::transport::sse::KEEP_ALIVE)
}
