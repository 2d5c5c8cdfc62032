//! Answers for clients that accept `application/json` and no event streams: the responses are taken out of the stream,
//! and what a stream carries besides (progress, log messages) is left out.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use loggia_wire::jsonrpc::{self, Frame, Message};
use loggia_wire::{ErrorCode, RpcError};

use super::headers::EVENT_STREAM;
use super::respond::{self, DetachOnSend};
use crate::transport::http::Body;
use crate::transport::sse::SseParser;

/// Turns the event stream that answers `posted` into JSON; any other response stays as it is.
pub(super) async fn without_stream(response: Response<Body>, posted: &Bytes) -> Response<Body> {
    let is_stream = response.headers().get(CONTENT_TYPE) == Some(&HeaderValue::from_static(EVENT_STREAM));
    if !is_stream {
        return response;
    }
    if response.extensions().get::<DetachOnSend>().is_some() {
        let message = "The answer is an event stream: the Accept header must allow text/event-stream";
        return respond::refuse(StatusCode::NOT_ACCEPTABLE, message);
    }
    let (id, batch) = match jsonrpc::decode_frame(posted) {
        Ok(Frame::Single(Message::Request { id, .. })) => (Some(id), false),
        Ok(frame) => (None, matches!(frame, Frame::Batch(_))),
        Err(_) => (None, false),
    };
    let mut body = response.into_body();
    let permit = body.take_permit();
    let response = match responses(body).await {
        Ok((responses, _)) if responses.is_empty() => {
            respond::error(StatusCode::OK, id.as_ref(), &without_response())
        }
        Ok((responses, frames)) => {
            let text = match &responses[..] {
                [response] if !batch => response.to_vec(),
                all => [b"[", &*all.join(&b","[..]), b"]"].concat(),
            };
            // The frames hold what bounds the results: they stay until the client has taken the answer.
            respond::json(StatusCode::OK, respond::guarded(text, Some(frames)))
        }
        Err(error) => respond::error(StatusCode::OK, id.as_ref(), &error),
    };
    match permit {
        Some(permit) => response.map(|body| body.holding(permit)),
        None => response,
    }
}

/// Reads the responses of a stream, and returns them with the frames that they came in.
async fn responses(mut body: Body) -> Result<(Vec<Bytes>, Vec<Bytes>), RpcError> {
    let mut parser = SseParser::new(usize::MAX);
    let (mut responses, mut frames) = (Vec::new(), Vec::new());
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.into_data().unwrap_or_default();
        parser.feed(&data);
        let before = responses.len();
        while let Ok(Some(event)) = parser.next_event() {
            let message = Bytes::from(event.data);
            match jsonrpc::decode_frame(&message) {
                Ok(Frame::Single(Message::Response { .. })) => responses.push(message),
                Ok(Frame::Single(Message::Request { .. })) => return Err(needs_stream()),
                // A notification, or an event that only has an id.
                _ => {}
            }
        }
        if responses.len() > before {
            frames.push(data);
        }
    }
    Ok((responses, frames))
}

/// The error of a request whose call was cancelled, or whose session ended.
fn without_response() -> RpcError {
    RpcError::new(
        ErrorCode::INTERNAL_ERROR,
        "The request has no response: it was cancelled, or its session ended",
    )
}

fn needs_stream() -> RpcError {
    RpcError::new(
        ErrorCode::INVALID_REQUEST,
        "The request needs input from the client, which can only be asked for on an event stream: send the Accept \
         header application/json, text/event-stream",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::http::server::unfold::unfold;

    /// A frame may hold what bounds a result, so it stays as long as the response; the others can be many.
    #[tokio::test]
    async fn frames_are_kept_for_their_responses_alone() {
        let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
        let response = |id: i64| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
        let texts = [progress.to_owned(), response(1), progress.to_owned(), response(2), progress.to_owned()];
        let mut events = texts.map(|text| Bytes::from(format!("data: {text}\n\n"))).into_iter();
        let expected = [events.as_slice()[1].clone(), events.as_slice()[3].clone()];
        let body = Body::stream(unfold((), move |()| {
            let next = events.next().map(|event| (event, ()));
            async { next }
        }));
        let (responses, frames) = super::responses(body).await.expect("responses");
        assert_eq!((responses.len(), frames), (2, expected.to_vec()));
    }
}
