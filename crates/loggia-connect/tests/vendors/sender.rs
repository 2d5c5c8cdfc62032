//! Requests of the connectors, sent to a mock on this machine instead of the vendor.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use loggia::service::BoxFuture;
use loggia_connect::openapi::HttpSender;
use tokio::net::TcpStream;

/// Sends each request to a mock. The next responses can be given in advance: the mock does not hear of these requests.
pub(crate) struct MockSender {
    /// `host:port`.
    mock: String,
    /// The part of the vendor's paths that the mock does not have.
    prefix: String,
    given: Mutex<VecDeque<Response<Bytes>>>,
    sent: AtomicUsize,
}

impl MockSender {
    pub(crate) fn new(mock: &str, prefix: &str) -> MockSender {
        MockSender {
            mock: mock.trim_start_matches("http://").to_owned(),
            prefix: prefix.to_owned(),
            given: Mutex::default(),
            sent: AtomicUsize::default(),
        }
    }

    /// Sets the responses of the next requests.
    pub(crate) fn give(&self, responses: impl IntoIterator<Item = Response<Bytes>>) {
        *self.given.lock().expect("no test panics with it") = responses.into_iter().collect();
    }

    /// Returns the number of requests so far.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    async fn forward(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(&self.mock).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (mut parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        parts.uri = target.strip_prefix(&self.prefix).unwrap_or(target).parse::<Uri>()?;
        parts.headers.insert(http::header::HOST, HeaderValue::from_str(&self.mock)?);
        let response = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
        let (parts, body) = response.into_parts();
        Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
    }
}

impl HttpSender for MockSender {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, String>> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let given = self.given.lock().expect("no test panics with it").pop_front();
        Box::pin(async move {
            match given {
                Some(response) => Ok(response),
                None => self.forward(request).await.map_err(|error| error.to_string()),
            }
        })
    }
}

/// Opens a URL of a mock as a browser does, without a credential, and returns the media type of the answer.
pub(crate) async fn media_type(url: &str) -> Result<String, String> {
    let uri: Uri = url.parse().map_err(|_| format!("{url} is no URL"))?;
    let mock = uri.authority().ok_or_else(|| format!("{url} has no host"))?.to_string();
    let request = Request::get(uri.path()).body(Bytes::new()).map_err(|error| error.to_string())?;
    let response = MockSender::new(&mock, "").send(request).await?;
    let media_type = response.headers().get(http::header::CONTENT_TYPE);
    Ok(media_type.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned())
}
