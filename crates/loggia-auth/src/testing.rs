//! A web server on the loopback for tests: every request is answered by a function.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::Url;

/// A server that ends with the test.
pub(crate) struct TestServer {
    base: Url,
    task: AbortHandle,
}

impl TestServer {
    /// Returns a URL of the server.
    pub(crate) fn url(&self, path: &str) -> Url {
        self.base.join(path).expect("it is a path")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Creates a JSON answer.
pub(crate) fn answer(status: u16, body: &str) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Bytes::from(body.to_owned())).expect("it is a response")
}

/// Serves `answers` until the result is dropped.
pub(crate) async fn serve(
    answers: impl Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
) -> TestServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let base = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let answers = Arc::new(answers);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = answers.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let answers = answers.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                    Ok::<_, Infallible>(answers(Request::from_parts(parts, body)).map(Full::new))
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    TestServer { base: base.parse().expect("it is a URL"), task: task.abort_handle() }
}
