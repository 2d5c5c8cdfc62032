//! A bare hyper reverse proxy that parses the body. It passes on the request and the answer unchanged.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::answer;

type Upstream = Client<HttpConnector, Full<Bytes>>;
type Answer = Either<Incoming, Full<Bytes>>;

#[tokio::main]
pub(crate) async fn run(upstream: &str, address: &str) -> io::Result<()> {
    let upstream: Uri = upstream.parse().map_err(io::Error::other)?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Upstream = Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (client, upstream) = (client.clone(), upstream.clone());
        let service = service_fn(move |request| relay(request, client.clone(), upstream.clone()));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn relay(
    request: Request<Incoming>,
    client: Upstream,
    upstream: Uri,
) -> Result<Response<Answer>, Infallible> {
    let answered = match forward(request, &client, upstream).await {
        Ok(response) => response.map(Either::Left),
        Err(error) => failed(&error.to_string()),
    };
    Ok(answered)
}

async fn forward(
    request: Request<Incoming>,
    client: &Upstream,
    upstream: Uri,
) -> Result<Response<Incoming>, bench_harness::Failure> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    answer::parse(&body)?;
    head.uri = upstream;
    head.headers.remove("host");
    Ok(client.request(Request::from_parts(head, Full::new(body))).await?)
}

fn failed(why: &str) -> Response<Answer> {
    let mut response = Response::new(Either::Right(Full::new(Bytes::copy_from_slice(why.as_bytes()))));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
