//! The server of the floor: a hyper handler without an MCP library.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::answer;

const PROGRESS: &[u8] = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":7,\"progress\":0.5}}\n\n";

#[tokio::main]
pub(crate) async fn http(address: &str, canned: Option<Vec<u8>>) -> io::Result<()> {
    let canned = canned.map(Bytes::from);
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let canned = canned.clone();
        let service = service_fn(move |request| handle(request, canned.clone()));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn handle(request: Request<Incoming>, canned: Option<Bytes>) -> Result<Response<Answer>, Infallible> {
    let is_modern =
        request.headers().get("mcp-protocol-version").is_some_and(|version| version == "2026-07-28");
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if let Some(canned) = canned {
        let parsed: Result<Envelope, _> = serde_json::from_slice(&body);
        return Ok(json(if parsed.is_ok() { canned } else { Bytes::new() }));
    }
    // A message that is not a call, such as `initialize`, gets an empty answer.
    let Ok(call) = answer::parse(&body) else { return Ok(json(Bytes::new())) };
    let answered = if is_modern { answer::modern(&call) } else { answer::legacy(&call) };
    let answered = answered.unwrap_or_default();
    Ok(if call.tells_progress() { events(&answered) } else { json(answered.into()) })
}

#[derive(serde::Deserialize)]
struct Envelope {
    #[serde(rename = "id")]
    _id: u64,
}

type Answer = Either<Full<Bytes>, StreamBody<Events>>;
type Events = stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 2>>;

fn json(body: Bytes) -> Response<Answer> {
    with_type("application/json", Either::Left(Full::new(body)))
}

/// Creates a stream of two events.
fn events(answered: &[u8]) -> Response<Answer> {
    let answered = Bytes::from([b"data: ", answered, b"\n\n"].concat());
    let frames = [Bytes::from_static(PROGRESS), answered].map(|event| Ok(Frame::data(event)));
    with_type("text/event-stream", Either::Right(StreamBody::new(stream::iter(frames))))
}

fn with_type(kind: &'static str, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
