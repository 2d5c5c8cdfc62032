//! Messages and events between the engine and a connection over any transport.

use bytes::Bytes;
use loggia_wire::jsonrpc;
use loggia_wire::{Message, Method, Version};

use crate::client::noise::UnreadableMessage;
use crate::error::Error;
use crate::transport::child::StartSign;

/// One message to send.
#[cfg_attr(not(feature = "http-client"), allow(dead_code, reason = "only HTTP has use for all of it"))]
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The kind of message.
    pub kind: OutgoingKind,
    /// The message as JSON, without line breaks.
    pub body: Bytes,
    /// The revision it is written in.
    pub version: Version,
    /// The value of the header `Mcp-Name`.
    pub name: Option<String>,
    /// The headers `Mcp-Param-…`: name and value, encoded.
    pub headers: Vec<(String, String)>,
}

/// Kind of a message.
#[cfg_attr(not(feature = "http-client"), allow(dead_code, reason = "only HTTP has use for all of it"))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OutgoingKind {
    /// A request with this id.
    Request { id: i64, method: Method },
    /// A notification.
    Notification(Method),
    /// The answer to a question of the server.
    Response,
}

/// A report of a link.
#[cfg_attr(not(feature = "http-client"), allow(dead_code, reason = "only HTTP has use for all of it"))]
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// A message. `stream` is the request whose own stream carried it (HTTP); `None` on a shared channel.
    Message { stream: Option<i64>, message: Message },
    /// Data that is not a message. `stream` as above.
    Unreadable { stream: Option<i64>, noise: UnreadableMessage },
    /// A child process has sent no message yet.
    Starting(StartSign),
    /// The request `id` will not be answered.
    Failed { id: i64, failure: RequestFailure },
    /// The server no longer has the session.
    SessionExpired,
    /// The outcome of opening the HTTP+SSE transport.
    SseOpened(Result<(), Error>),
    /// The connection ended. This is the last report.
    Closed(String),
}

/// The reason why a request will not be answered.
#[cfg_attr(not(feature = "http-client"), allow(dead_code, reason = "only HTTP has use for all of it"))]
#[derive(Debug)]
pub(crate) enum RequestFailure {
    /// An HTTP status without a JSON-RPC body.
    Status { status: u16, message: String },
    /// The server no longer has the session.
    Session(SessionRefusal),
    /// Its stream ended, and cannot be resumed.
    Ended,
    /// Any other error.
    Error(Error),
}

/// A request that was refused because its session is lost.
#[cfg_attr(not(feature = "http-client"), allow(dead_code, reason = "only HTTP has sessions"))]
#[derive(Debug)]
pub(crate) struct SessionRefusal {
    /// The answer of the server.
    pub error: Error,
    /// True if the server may have processed the request.
    pub may_have_run: bool,
    /// True if the session of the request is still current; false if a new one was opened meanwhile.
    pub current: bool,
}

impl RequestFailure {
    /// Returns the error for the program.
    pub(crate) fn into_error(self) -> Error {
        match self {
            RequestFailure::Status { message, .. } => Error::Connection(message),
            RequestFailure::Session(refusal) => refusal.error,
            RequestFailure::Ended => Error::Connection("the stream ended before the answer came".to_owned()),
            RequestFailure::Error(error) => error,
        }
    }
}

/// Writes a message to the log: target `loggia::wire`, level trace. The whole message is logged, with its secrets.
pub(crate) fn trace(sent: bool, text: &[u8]) {
    if tracing::enabled!(target: "loggia::wire", tracing::Level::TRACE) {
        let body = &*String::from_utf8_lossy(text);
        tracing::trace!(target: "loggia::wire", sent, body);
    }
}

/// Returns the messages in a text of the server.
pub(crate) fn decode(text: &Bytes) -> Vec<Result<Message, UnreadableMessage>> {
    trace(false, text);
    let unreadable = |error| UnreadableMessage::of_text(text, &error);
    match jsonrpc::decode_frame(text) {
        Ok(jsonrpc::Frame::Single(message)) => vec![Ok(message)],
        Ok(jsonrpc::Frame::Batch(members)) => {
            members.into_iter().map(|member| member.map_err(unreadable)).collect()
        }
        Err(error) => vec![Err(unreadable(error))],
    }
}
