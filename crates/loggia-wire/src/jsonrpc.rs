//! The JSON-RPC 2.0 envelope.
//!
//! It is read once, without a tree: only id and method are decoded, params and results stay the received bytes. It is
//! written once, into one buffer.

mod partial;
mod scanned;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::error::{ErrorCode, RpcError};
pub use crate::id::Id;
pub use crate::json::MAX_DEPTH;
use crate::json::{DecodeError, FromJson, RawJson, RawObject, ToJson, write_json, write_string};
use crate::method::Method;
use crate::params::Params;
pub use partial::PartialEnvelope;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A message that expects a response.
    Request {
        /// The id of the request, which the response repeats.
        id: Id,
        /// The method.
        method: Method,
        /// The params; an object if present.
        params: Option<Params>,
    },
    /// A message without a response.
    Notification {
        /// The method.
        method: Method,
        /// The params; an object if present.
        params: Option<RawJson>,
    },
    /// The response to a request.
    Response {
        /// The request's id; `None` if the sender could not read it.
        id: Option<Id>,
        /// The outcome.
        outcome: Result<RawJson, RpcError>,
    },
}

/// The content of a text: one message, or a batch (only 2024-11-05 and 2025-03-26).
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// One message.
    Single(Message),
    /// A batch; each member is checked on its own. Never empty.
    Batch(Vec<Result<Message, EnvelopeError>>),
}

/// The error for a text that is not a message, with the response for its sender.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvelopeError {
    /// The id, if it could be read: it is the id of the response.
    pub id: Option<Id>,
    /// The error to send.
    pub error: RpcError,
}

/// The maximum number of messages in one batch.
pub const MAX_BATCH: usize = 100;

/// Reads one message; a batch is refused.
pub fn decode(text: &Bytes) -> Result<Message, EnvelopeError> {
    match first_byte(text) {
        Some(b'[') => Err(EnvelopeError::invalid("This revision has no batches: send one message at a time")),
        _ => decode_single(text, text),
    }
}

/// Reads one message or a batch of them.
pub fn decode_frame(text: &Bytes) -> Result<Frame, EnvelopeError> {
    if first_byte(text) != Some(b'[') {
        return decode(text).map(Frame::Single);
    }
    let members: Vec<&RawValue> = serde_json::from_slice(text).map_err(EnvelopeError::parse)?;
    match members.len() {
        0 => Err(EnvelopeError::invalid("The batch is empty")),
        n if n > MAX_BATCH => Err(EnvelopeError::invalid(format!(
            "The batch has {n} messages; at most {MAX_BATCH} are allowed"
        ))),
        _ => Ok(Frame::Batch(
            members.into_iter().map(|raw| decode_single(text, raw.get().as_bytes())).collect(),
        )),
    }
}

fn first_byte(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|b| !b.is_ascii_whitespace())
}

/// Returns whether `text` nests deeper than [`MAX_DEPTH`]. Payloads stay raw, so no parser would find this out.
/// Almost all texts have few brackets, and need only be counted.
fn too_deep(text: &[u8]) -> bool {
    let opens = |byte: &u8| matches!(byte, b'[' | b'{');
    if text.iter().filter(|byte| opens(byte)).count() <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    text.iter().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            byte if !in_string && opens(byte) => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

fn decode_single(buffer: &Bytes, text: &[u8]) -> Result<Message, EnvelopeError> {
    match scanned::message(buffer, text) {
        Some(message) => Ok(message),
        None => parse_single(buffer, text),
    }
}

/// Reads any message. The errors say what is wrong with it.
pub(crate) fn parse_single(buffer: &Bytes, text: &[u8]) -> Result<Message, EnvelopeError> {
    if too_deep(text) {
        return Err(EnvelopeError::invalid(format!("The message nests deeper than {MAX_DEPTH} levels")));
    }
    let mut envelope = envelope(text)?;
    let mut member = |name| envelope.take_once(name).map_err(not_a_message);
    let version = string(member("jsonrpc")?)?;
    let (id, method) = (member("id")?.map(Id::read), string(member("method")?)?);
    let (params, result, error) = (some(member("params")?), member("result")?, some(member("error")?));
    let reply_to = id.as_ref().and_then(|id| id.as_ref().ok()).cloned();
    let invalid = |message: &'static str| EnvelopeError {
        id: reply_to.clone(),
        error: RpcError::invalid_request(message),
    };
    if version.as_deref() != Some("2.0") {
        return Err(invalid("The member \"jsonrpc\" must be \"2.0\""));
    }
    let raw = |text: &[u8]| RawJson::scanned(buffer, text);
    if let Some(method) = method {
        return decode_call(id, &method, params.map(raw), &invalid);
    }
    let outcome = match (result, error) {
        (Some(result), None) => Ok(raw(result)),
        (None, Some(error)) => Err(RpcError::from_json(error)
            .map_err(|_| invalid("The member \"error\" needs a code and a message"))?),
        (Some(_), Some(_)) => return Err(invalid("A response has a result or an error, not both")),
        (None, None) => return Err(invalid("A message has a method, a result or an error")),
    };
    match id {
        Some(Ok(id)) => Ok(Message::Response { id: Some(id), outcome }),
        // In JSON-RPC 2.0, the response to a request with an unreadable id has a null id.
        None | Some(Err(_)) if outcome.is_err() => Ok(Message::Response { id: None, outcome }),
        _ => Err(invalid("A result needs the id of its request")),
    }
}

/// Returns the members of a message of any kind. The kind follows from the members that are present.
fn envelope(text: &[u8]) -> Result<RawObject<'_>, EnvelopeError> {
    std::str::from_utf8(text).map_err(EnvelopeError::parse)?;
    RawObject::read(text).map_err(|e| match e.classify() {
        serde_json::error::Category::Data => not_a_message(e),
        _ => EnvelopeError::parse(e),
    })
}

fn not_a_message(reason: impl fmt::Display) -> EnvelopeError {
    EnvelopeError::invalid(format!("Not a JSON-RPC message: {reason}"))
}

/// Returns a member if it is present and not `null`.
fn some(member: Option<&[u8]>) -> Option<&[u8]> {
    member.filter(|text| *text != b"null")
}

fn string(member: Option<&[u8]>) -> Result<Option<String>, EnvelopeError> {
    some(member).map(String::from_json).transpose().map_err(not_a_message)
}

fn decode_call(
    id: Option<Result<Id, DecodeError>>,
    method: &str,
    params: Option<RawJson>,
    invalid: &dyn Fn(&'static str) -> EnvelopeError,
) -> Result<Message, EnvelopeError> {
    if params.as_ref().is_some_and(|p| !p.is_object()) {
        return Err(invalid("The member \"params\" must be an object"));
    }
    let method = Method::from(method);
    match id {
        Some(Ok(id)) => Ok(Message::Request { id, method, params: params.map(Params::from) }),
        Some(Err(_)) => Err(invalid("The member \"id\" must be a string or an integer")),
        None => Ok(Message::Notification { method, params }),
    }
}

impl EnvelopeError {
    fn parse(error: impl fmt::Display) -> EnvelopeError {
        EnvelopeError {
            id: None,
            error: RpcError::new(ErrorCode::PARSE_ERROR, format!("Parse error: {error}")),
        }
    }

    fn invalid(message: impl Into<Cow<'static, str>>) -> EnvelopeError {
        EnvelopeError { id: None, error: RpcError::invalid_request(message) }
    }
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for EnvelopeError {}

/// Writes a request.
pub fn write_request(out: &mut Vec<u8>, id: &Id, method: &Method, params: Option<&[u8]>) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    id.write(out);
    write_call(out, method, params);
}

/// Writes a notification.
pub fn write_notification(out: &mut Vec<u8>, method: &Method, params: Option<&[u8]>) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0""#);
    write_call(out, method, params);
}

fn write_call(out: &mut Vec<u8>, method: &Method, params: Option<&[u8]>) {
    out.extend_from_slice(br#","method":"#);
    write_string(out, method.as_str());
    if let Some(params) = params {
        out.extend_from_slice(br#","params":"#);
        out.extend_from_slice(params);
    }
    out.push(b'}');
}

/// Writes a response that carries `result`, which must be JSON.
pub fn write_result(out: &mut Vec<u8>, id: &Id, result: &[u8]) {
    write_result_with(out, id, |out| out.extend_from_slice(result));
}

/// Writes a response whose result `write` appends.
pub fn write_result_with(out: &mut Vec<u8>, id: &Id, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    id.write(out);
    out.extend_from_slice(br#","result":"#);
    write(out);
    out.push(b'}');
}

/// Writes a response with `error`. If there is no id, the member is `null`, as JSON-RPC 2.0 requires; in the modern
/// era it is absent, see [`write_error_without_id`].
pub fn write_error(out: &mut Vec<u8>, id: Option<&Id>, error: &RpcError) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    match id {
        Some(id) => id.write(out),
        None => out.extend_from_slice(b"null"),
    }
    write_error_member(out, error);
}

/// Writes an error that is not the response to a request.
pub fn write_error_without_id(out: &mut Vec<u8>, error: &RpcError) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0""#);
    write_error_member(out, error);
}

fn write_error_member(out: &mut Vec<u8>, error: &RpcError) {
    out.extend_from_slice(br#","error":"#);
    write_json(out, &error.to_json());
    out.push(b'}');
}
