//! Answers for clients that accept `application/json` and no event streams: the responses are taken out of the stream,
//! and what a stream carries besides (progress, log messages) is left out.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use loggia_wire::jsonrpc::{self, Frame, Id, Message};
use loggia_wire::{ErrorCode, RpcError};

use super::accept::EVENT_STREAM;
use super::lasting::Lasts;
use super::respond;
use crate::transport::http::Body;
use crate::transport::sse::Parser;

/// Turns an event stream into JSON; any other response stays as it is. `id` is that of the request, where it is one.
pub(super) async fn without_stream(response: Response<Body>, id: Option<&Id>, batch: bool) -> Response<Body> {
    let is_stream = response.headers().get(CONTENT_TYPE) == Some(&HeaderValue::from_static(EVENT_STREAM));
    if !is_stream {
        return response;
    }
    if response.extensions().get::<Lasts>().is_some() {
        let message = "The answer is an event stream: the Accept header must allow text/event-stream";
        return respond::refuse(StatusCode::NOT_ACCEPTABLE, message);
    }
    let mut body = response.into_body();
    let permit = body.take_permit();
    let response = match responses(body).await {
        Ok((responses, frames)) => {
            let text = match &responses[..] {
                [response] if !batch => response.to_vec(),
                all => [b"[", &*all.join(&b","[..]), b"]"].concat(),
            };
            // The frames hold what bounds the results: they stay until the client has taken the answer.
            respond::json(StatusCode::OK, respond::guarded(text, Some(frames)))
        }
        Err(error) => respond::error(StatusCode::OK, id, &error),
    };
    match permit {
        Some(permit) => response.map(|body| body.holding(permit)),
        None => response,
    }
}

/// Reads the responses of a stream, and returns them with the frames that they came in.
async fn responses(mut body: Body) -> Result<(Vec<Bytes>, Vec<Bytes>), RpcError> {
    let mut parser = Parser::new(usize::MAX);
    let (mut responses, mut frames) = (Vec::new(), Vec::new());
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.into_data().unwrap_or_default();
        parser.feed(&data);
        frames.push(data);
        while let Ok(Some(event)) = parser.next_event() {
            let message = Bytes::from(event.data);
            match jsonrpc::decode_frame(&message) {
                Ok(Frame::Single(Message::Response { .. })) => responses.push(message),
                Ok(Frame::Single(Message::Request { .. })) => return Err(needs_stream()),
                // A notification, or an event that only has an id.
                _ => {}
            }
        }
    }
    Ok((responses, frames))
}

fn needs_stream() -> RpcError {
    RpcError::new(
        ErrorCode::INVALID_REQUEST,
        "The request needs input from the client, which can only be asked for on an event stream: send the Accept \
         header application/json, text/event-stream",
    )
}
