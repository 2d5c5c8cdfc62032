//! Shows the messages of a connection to whoever asks for them: events of the target `loggia::wire` at the
//! level trace, with the fields `sent` (or else received) and `body`. They hold whatever the messages hold,
//! secrets too.

use loggia_wire::{Message, jsonrpc};

use crate::client::link::LinkEvent;

macro_rules! shown {
    () => {
        tracing::enabled!(target: "loggia::wire", tracing::Level::TRACE)
    };
}

/// A message is given to the link.
pub(crate) fn sent(body: &[u8]) {
    if shown!() {
        tracing::trace!(target: "loggia::wire", sent = true, body = &*String::from_utf8_lossy(body));
    }
}

/// A message came.
pub(crate) fn received(event: &LinkEvent) {
    if let LinkEvent::Message { message, .. } = event
        && shown!()
    {
        let body = written(message);
        tracing::trace!(target: "loggia::wire", sent = false, body = &*String::from_utf8_lossy(&body));
    }
}

/// The message as JSON again; its payload is the bytes that came.
fn written(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    let bytes = |params: &Option<loggia_wire::RawJson>| params.as_ref().map(|params| params.as_bytes().to_vec());
    match message {
        Message::Request { id, method, params } => {
            jsonrpc::write_request(&mut out, id, method, bytes(params).as_deref());
        }
        Message::Notification { method, params } => {
            jsonrpc::write_notification(&mut out, method, bytes(params).as_deref());
        }
        Message::Response { id: Some(id), outcome: Ok(result) } => {
            jsonrpc::write_result(&mut out, id, result.as_bytes());
        }
        Message::Response { id, outcome: Err(error) } => jsonrpc::write_error(&mut out, id.as_ref(), error),
        // A result without an id is not a message.
        Message::Response { id: None, outcome: Ok(_) } => {}
    }
    out
}
