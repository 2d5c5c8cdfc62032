//! Serves a connection with hyper: HTTP/1.1, whose last stream may be detached from hyper, or HTTP/2. Each request goes to
//! the [`HttpHandler`]: the checks of [`OriginFilter`] first, then the endpoint in its layers.
//!
//! The handler erases the type of the layers, so that the HTTP stack is compiled once, in this crate, and not again in
//! every program that serves.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::EXPECT;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
#[cfg(feature = "http2")]
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::detached_stream::{DetachedResponse, DetachedStream};
use super::idle_monitor::{CountedBody, IdleMonitor, OpenRequest};
use super::preface::{Http1Watchers, PrefacedStream, Protocol};
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::transport::http::server::origin::{self, OriginFilter, OriginVerdict};
use crate::transport::http::{Body, BodyError};

/// Settings of hyper for both versions.
pub(super) struct ConnectionBuilders {
    http1: http1::Builder,
    #[cfg(feature = "http2")]
    http2: http2::Builder<TokioExecutor>,
}

impl ConnectionBuilders {
    pub(super) fn new(limits: &Limits) -> ConnectionBuilders {
        let mut http1 = http1::Builder::new();
        // The watch over each connection's monitor closes it: no timer for each request.
        http1
            .header_read_timeout(None)
            // hyper wants at least its own first read.
            .max_buf_size(limits.header_bytes.max(8 << 10));
        ConnectionBuilders {
            http1,
            #[cfg(feature = "http2")]
            http2: ConnectionBuilders::http2(limits),
        }
    }

    #[cfg(feature = "http2")]
    fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
        let bytes = u32::try_from(limits.header_bytes).unwrap_or(u32::MAX);
        let streams = u32::try_from(limits.requests_per_connection).unwrap_or(u32::MAX);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(bytes)
            .max_concurrent_streams(streams)
            .max_send_buf_size(64 << 10)
            .keep_alive_interval(limits.idle)
            .keep_alive_timeout(limits.read_timeout);
        http2
    }

    pub(super) fn connect<S: ConnectionIo>(
        &self,
        protocol: Protocol,
        stream: PrefacedStream<S>,
        handler: HttpHandler,
        monitor: IdleMonitor,
    ) -> Pin<Box<dyn HttpConnection>> {
        let detached = DetachedResponse::default();
        let service = HyperService { handler, monitor: monitor.clone(), detached: detached.clone() };
        #[cfg(feature = "http2")]
        if protocol == Protocol::Http2 {
            return Box::pin(Http2Connection(self.http2.serve_connection(TokioIo::new(stream), service)));
        }
        // Without HTTP/2, HTTP/1.1 refuses its preface.
        #[cfg(not(feature = "http2"))]
        let _ = protocol;
        // Frames of HTTP/2 come between requests, too: there the stream is not watched.
        let stream = stream.watched(Http1Watchers { monitor, detached: detached.clone() });
        let connection = self.http1.serve_connection(TokioIo::new(stream), service);
        Box::pin(Http1Connection { connection: Some(connection), detached })
    }
}

/// The byte stream under a connection.
pub(super) trait ConnectionIo: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> ConnectionIo for S {}

/// A connection. It ends when the peer closes it, or after what runs when it is told to; or it goes on as another.
pub(super) trait HttpConnection:
    Future<Output = Result<Option<NextConnection>, BodyError>> + Send
{
    fn graceful_shutdown(self: Pin<&mut Self>);
}

/// The future that takes over a connection.
pub(super) struct NextConnection(pub(super) Pin<Box<dyn HttpConnection>>);

/// HTTP/1.1, until a stream lasts.
struct Http1Connection<S: ConnectionIo> {
    /// There until it is over.
    connection: Option<http1::Connection<TokioIo<PrefacedStream<S>>, HyperService>>,
    detached: DetachedResponse,
}

impl<S: ConnectionIo> Future for Http1Connection<S> {
    type Output = Result<Option<NextConnection>, BodyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let http1 = &mut *self;
        let Some(connection) = &mut http1.connection else { return Poll::Ready(Ok(None)) };
        if let Poll::Ready(served) = Pin::new(connection).poll(cx) {
            return Poll::Ready(served.map(|()| None).map_err(Into::into));
        }
        let Some(response) = http1.detached.take() else { return Poll::Pending };
        let connection = http1.connection.take().expect("it was there a moment ago");
        let stream = connection.into_parts().io.into_inner().unwatched();
        Poll::Ready(Ok(Some(NextConnection(Box::pin(DetachedConnection(DetachedStream::new(
            stream, response,
        )))))))
    }
}

impl<S: ConnectionIo> HttpConnection for Http1Connection<S> {
    fn graceful_shutdown(mut self: Pin<&mut Self>) {
        if let Some(connection) = &mut self.connection {
            Pin::new(connection).graceful_shutdown();
        }
    }
}

/// The last stream of a connection.
struct DetachedConnection<S: ConnectionIo>(DetachedStream<PrefacedStream<S>>);

impl<S: ConnectionIo> Future for DetachedConnection<S> {
    type Output = Result<Option<NextConnection>, BodyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_ok(|()| None)
    }
}

impl<S: ConnectionIo> HttpConnection for DetachedConnection<S> {
    /// Does nothing: the stream ends at the shutdown without it.
    fn graceful_shutdown(self: Pin<&mut Self>) {}
}

#[cfg(feature = "http2")]
struct Http2Connection<S: ConnectionIo>(http2::Connection<TokioIo<S>, HyperService, TokioExecutor>);

#[cfg(feature = "http2")]
impl<S: ConnectionIo> Future for Http2Connection<S> {
    type Output = Result<Option<NextConnection>, BodyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_ok(|()| None).map_err(Into::into)
    }
}

#[cfg(feature = "http2")]
impl<S: ConnectionIo> HttpConnection for Http2Connection<S> {
    fn graceful_shutdown(mut self: Pin<&mut Self>) {
        Pin::new(&mut self.0).graceful_shutdown();
    }
}

/// Address of the peer of the connection that a request came on: the client, or a proxy before the server. Among the
/// extensions of requests if [`Http::with_peer_addr`](crate::transport::http::Http::with_peer_addr) is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// The endpoint in its layers, without its type.
pub(in crate::transport::http::server) struct HttpHandler {
    service: Box<dyn HandleRequest>,
    with_peer_addr: bool,
    filter: Arc<OriginFilter>,
}

trait HandleRequest: Send {
    fn call(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>>;
    fn boxed_clone(&self) -> Box<dyn HandleRequest>;
}

impl<S> HandleRequest for S
where
    S: tower_service::Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    fn call(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let mut service = self.clone();
        Box::pin(async move {
            let answered = async {
                std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
                tower_service::Service::call(&mut service, request).await
            };
            match answered.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        })
    }

    fn boxed_clone(&self) -> Box<dyn HandleRequest> {
        Box::new(self.clone())
    }
}

/// The handler of one connection, which adds the [`PeerAddr`] to each request.
struct PeerAddrHandler {
    service: Box<dyn HandleRequest>,
    peer: PeerAddr,
}

impl HandleRequest for PeerAddrHandler {
    fn call(&self, mut request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        request.extensions_mut().insert(self.peer);
        self.service.call(request)
    }

    fn boxed_clone(&self) -> Box<dyn HandleRequest> {
        Box::new(PeerAddrHandler { service: self.service.boxed_clone(), peer: self.peer })
    }
}

impl HttpHandler {
    pub(in crate::transport::http::server) fn new<S>(
        service: S,
        with_peer_addr: bool,
        filter: Arc<OriginFilter>,
    ) -> HttpHandler
    where
        S: tower_service::Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
    {
        HttpHandler { service: Box::new(service), with_peer_addr, filter }
    }

    fn call(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        match self.filter.judge(request.method(), request.uri(), request.headers()) {
            OriginVerdict::Pass => self.service.call(request),
            OriginVerdict::Answered(response) => Box::pin(std::future::ready(response)),
            OriginVerdict::PassFor(page) => {
                let answer = self.service.call(request);
                Box::pin(async move {
                    let mut response = answer.await;
                    origin::mark(&mut response, page);
                    response
                })
            }
        }
    }

    /// The handler of a connection.
    pub(super) fn of(&self, peer: SocketAddr) -> HttpHandler {
        let mut service = self.service.boxed_clone();
        if self.with_peer_addr {
            service = Box::new(PeerAddrHandler { service, peer: PeerAddr(peer) });
        }
        HttpHandler { service, with_peer_addr: false, filter: self.filter.clone() }
    }
}

/// hyper's view of the service: it counts what is open, and puts detached what lasts.
struct HyperService {
    handler: HttpHandler,
    monitor: IdleMonitor,
    detached: DetachedResponse,
}

impl hyper::service::Service<Request<Incoming>> for HyperService {
    type Response = Response<CountedBody>;
    type Error = Infallible;
    type Future = ServiceFuture;

    fn call(&self, request: Request<Incoming>) -> ServiceFuture {
        let (open, version) = (OpenRequest::new(&self.monitor), request.version());
        // A client that waits for 100 Continue sends no body once it sees a refusal.
        let is_sent = !request.headers().contains_key(EXPECT);
        let answer = self.handler.call(request.map(|body| Body::of_request(body, is_sent)));
        ServiceFuture { answer, open: Some(open), version, detached: self.detached.clone() }
    }
}

/// A request inside the service.
struct ServiceFuture {
    answer: BoxFuture<'static, Response<Body>>,
    /// There until it is answered.
    open: Option<OpenRequest>,
    version: Version,
    detached: DetachedResponse,
}

impl Future for ServiceFuture {
    type Output = Result<Response<CountedBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // What was put detached is no business of hyper's any more.
        if self.open.is_none() {
            return Poll::Pending;
        }
        let response = ready!(self.answer.as_mut().poll(cx));
        let Some(open) = self.open.take() else { return Poll::Pending };
        let response = response.map(|body| CountedBody::new(body, open));
        if DetachedResponse::wants(self.version, &response) {
            self.detached.put(response);
            return Poll::Pending;
        }
        Poll::Ready(Ok(response))
    }
}
