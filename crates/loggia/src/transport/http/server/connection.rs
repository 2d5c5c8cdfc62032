//! What a connection speaks: HTTP/1.1, of which the last stream may outlive hyper's part, or HTTP/2.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
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

use super::detached_stream::{DetachedResponse, DetachedStream, FlushMonitor};
use super::idle_monitor::{Counted, IdleMonitor, Open};
use super::listener::Handler;
use super::preface::{PrefacedStream, Protocol};
use crate::limits::Limits;
use crate::service::BoxFuture;
use crate::transport::http::request_body::RequestBody;
use crate::transport::http::{Body, BodyError};

/// How connections are served, in either version.
pub(super) struct Builders {
    one: http1::Builder,
    #[cfg(feature = "http2")]
    two: http2::Builder<TokioExecutor>,
}

impl Builders {
    pub(super) fn new(limits: &Limits) -> Builders {
        let mut one = http1::Builder::new();
        // The watch over each connection's traffic closes it: no timer for each request.
        one.header_read_timeout(None)
            // hyper wants at least its own first read.
            .max_buf_size(limits.header_bytes.max(8 << 10));
        Builders {
            one,
            #[cfg(feature = "http2")]
            two: Builders::two(limits),
        }
    }

    #[cfg(feature = "http2")]
    fn two(limits: &Limits) -> http2::Builder<TokioExecutor> {
        let bytes = u32::try_from(limits.header_bytes).unwrap_or(u32::MAX);
        let streams = u32::try_from(limits.requests_per_connection).unwrap_or(u32::MAX);
        let mut two = http2::Builder::new(TokioExecutor::new());
        two.timer(TokioTimer::new())
            .max_header_list_size(bytes)
            .max_concurrent_streams(streams)
            .max_send_buf_size(64 << 10)
            .keep_alive_interval(limits.idle)
            .keep_alive_timeout(limits.read_timeout);
        two
    }

    pub(super) fn connect<S: Stream>(
        &self,
        protocol: Protocol,
        stream: PrefacedStream<S>,
        handler: Handler,
        traffic: IdleMonitor,
    ) -> Pin<Box<dyn Connection>> {
        // Frames of HTTP/2 come between requests, too.
        let stream = if protocol == Protocol::Http1 { stream.counted(traffic.clone()) } else { stream };
        let stream = TokioIo::new(stream);
        let service = Adapter { handler, traffic, aside: DetachedResponse::default() };
        #[cfg(feature = "http2")]
        if protocol == Protocol::Http2 {
            return Box::pin(Two(self.two.serve_connection(stream, service)));
        }
        let aside = service.aside.clone();
        let connection = self.one.serve_connection(FlushMonitor::new(stream, aside.clone()), service);
        Box::pin(One { connection: Some(connection), aside })
    }
}

/// What a connection is made on.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// A connection. It ends when the peer closes it, or after what runs when it is told to; or it goes on as another.
pub(super) trait Connection: Future<Output = Result<Option<Next>, BodyError>> + Send {
    fn graceful_shutdown(self: Pin<&mut Self>);
}

/// What a connection goes on as.
pub(super) struct Next(pub(super) Pin<Box<dyn Connection>>);

/// HTTP/1.1, until a stream lasts.
struct One<S: Stream> {
    /// There until it is over.
    connection: Option<http1::Connection<FlushMonitor<TokioIo<S>>, Adapter>>,
    aside: DetachedResponse,
}

impl<S: Stream> Future for One<S> {
    type Output = Result<Option<Next>, BodyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let one = &mut *self;
        let Some(connection) = &mut one.connection else { return Poll::Ready(Ok(None)) };
        if let Poll::Ready(served) = Pin::new(connection).poll(cx) {
            return Poll::Ready(served.map(|()| None).map_err(Into::into));
        }
        let Some(response) = one.aside.take() else { return Poll::Pending };
        let connection = one.connection.take().expect("it was there a moment ago");
        let stream = connection.into_parts().io.into_inner().into_inner();
        Poll::Ready(Ok(Some(Next(Box::pin(Last(DetachedStream::new(stream, response)))))))
    }
}

impl<S: Stream> Connection for One<S> {
    fn graceful_shutdown(mut self: Pin<&mut Self>) {
        if let Some(connection) = &mut self.connection {
            Pin::new(connection).graceful_shutdown();
        }
    }
}

/// The last stream of a connection.
struct Last<S: Stream>(DetachedStream<S>);

impl<S: Stream> Future for Last<S> {
    type Output = Result<Option<Next>, BodyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_ok(|()| None)
    }
}

impl<S: Stream> Connection for Last<S> {
    /// The stream ends by itself.
    fn graceful_shutdown(self: Pin<&mut Self>) {}
}

#[cfg(feature = "http2")]
struct Two<S: Stream>(http2::Connection<TokioIo<S>, Adapter, TokioExecutor>);

#[cfg(feature = "http2")]
impl<S: Stream> Future for Two<S> {
    type Output = Result<Option<Next>, BodyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_ok(|()| None).map_err(Into::into)
    }
}

#[cfg(feature = "http2")]
impl<S: Stream> Connection for Two<S> {
    fn graceful_shutdown(mut self: Pin<&mut Self>) {
        Pin::new(&mut self.0).graceful_shutdown();
    }
}

/// hyper's view of the service: it counts what is open, and puts aside what lasts.
struct Adapter {
    handler: Handler,
    traffic: IdleMonitor,
    aside: DetachedResponse,
}

impl hyper::service::Service<Request<Incoming>> for Adapter {
    type Response = Response<Counted>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let (open, version) = (Open::new(&self.traffic), request.version());
        // A client that waits for 100 Continue sends no body once it sees a refusal.
        let is_sent = !request.headers().contains_key(EXPECT);
        let answer = self.handler.call(request.map(|body| Body::of_request(RequestBody::new(body, is_sent))));
        Answering { answer, open: Some(open), version, aside: self.aside.clone() }
    }
}

/// A request on its way through the service.
struct Answering {
    answer: BoxFuture<'static, Response<Body>>,
    /// There until it is answered.
    open: Option<Open>,
    version: Version,
    aside: DetachedResponse,
}

impl Future for Answering {
    type Output = Result<Response<Counted>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // What was put aside is no business of hyper's any more.
        if self.open.is_none() {
            return Poll::Pending;
        }
        let response = ready!(self.answer.as_mut().poll(cx));
        let Some(open) = self.open.take() else { return Poll::Pending };
        let response = response.map(|body| Counted::new(body, open));
        if DetachedResponse::wants(self.version, &response) {
            self.aside.put(response);
            return Poll::Pending;
        }
        Poll::Ready(Ok(response))
    }
}
