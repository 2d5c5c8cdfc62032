//! Connections: accepted within a bound, read within a time, closed when nothing happens on them or when
//! their peer does not read, drained at a shutdown.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
#[cfg(feature = "http2")]
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::PeerAddr;
use super::endpoint::Endpoint;
use super::lasting::{Aside, Flushing, Lasting};
use super::preface::{self, Begun, Protocol};
use super::tls::Acceptor;
use super::traffic::{Counted, Open, Quiet, Traffic, Watch};
use crate::error::Result;
use crate::limits::Limits;
use crate::service::BoxFuture;
use crate::transport::http::{Body, BodyError};

/// The endpoint in its layers, without its type: the HTTP stack below is compiled once, in this crate, and
/// not again in every program that serves.
pub(super) struct Handler {
    service: Box<dyn Handle>,
    names_peers: bool,
}

trait Handle: Send {
    fn call(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>>;
    fn boxed_clone(&self) -> Box<dyn Handle>;
}

impl<S> Handle for S
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

    fn boxed_clone(&self) -> Box<dyn Handle> {
        Box::new(self.clone())
    }
}

/// The handler of one connection, which says in each request who its peer is.
struct OfPeer {
    service: Box<dyn Handle>,
    peer: PeerAddr,
}

impl Handle for OfPeer {
    fn call(&self, mut request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        request.extensions_mut().insert(self.peer);
        self.service.call(request)
    }

    fn boxed_clone(&self) -> Box<dyn Handle> {
        Box::new(OfPeer { service: self.service.boxed_clone(), peer: self.peer })
    }
}

impl Handler {
    pub(super) fn new<S>(service: S, names_peers: bool) -> Handler
    where
        S: tower_service::Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
    {
        Handler { service: Box::new(service), names_peers }
    }

    /// The handler of a connection.
    fn of(&self, peer: SocketAddr) -> Handler {
        let service = self.service.boxed_clone();
        match self.names_peers {
            true => {
                Handler { service: Box::new(OfPeer { service, peer: PeerAddr(peer) }), names_peers: false }
            }
            false => Handler { service, names_peers: false },
        }
    }
}

/// Accepts and serves connections until the endpoint is told to stop. Boxed here, so that none of it is compiled
/// again in the program of whoever serves.
pub(super) fn run(
    listener: TcpListener,
    tls: Option<Acceptor>,
    service: Handler,
    endpoint: Endpoint,
) -> BoxFuture<'static, Result<()>> {
    Box::pin(accept_all(listener, tls, service, endpoint))
}

async fn accept_all(
    listener: TcpListener,
    tls: Option<Acceptor>,
    service: Handler,
    endpoint: Endpoint,
) -> Result<()> {
    let (limits, shutdown) = (endpoint.0.limits.clone(), endpoint.0.shutdown.clone());
    let server = Arc::new(Server { http: Builders::new(&limits), tls, endpoint: endpoint.clone() });
    let room = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let mut sweep = tokio::time::interval(limits.resume_window.max(Duration::from_secs(1)) / 2);
    loop {
        tokio::select! {
            () = shutdown.begun() => break,
            (stream, peer, place) = accept(&listener, &room) => {
                let (server, service) = (server.clone(), service.of(peer));
                connections.spawn(async move {
                    server.serve(service, stream).await;
                    drop(place);
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = sweep.tick() => endpoint.0.sessions.sweep(),
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let (_, timed_out) = tokio::join!(endpoint.shut_down(), tokio::time::timeout(limits.drain, drained));
    if timed_out.is_err() {
        tracing::warn!("connections were still open when the time to drain was over");
    }
    connections.shutdown().await;
    Ok(())
}

/// The next connection, when there is room for one.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    loop {
        let place = room.clone().acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            // The peer's doing: the next one may be fine.
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// How connections are served, in either version.
struct Builders {
    one: http1::Builder,
    #[cfg(feature = "http2")]
    two: http2::Builder<TokioExecutor>,
}

impl Builders {
    fn new(limits: &Limits) -> Builders {
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

    fn connect<S: Stream>(
        &self,
        protocol: Protocol,
        stream: Begun<S>,
        service: Adapter,
    ) -> Pin<Box<dyn Connection>> {
        let stream = TokioIo::new(stream);
        #[cfg(feature = "http2")]
        if protocol == Protocol::Http2 {
            return Box::pin(Two(self.two.serve_connection(stream, service)));
        }
        // What the first version makes of the preface of the second is an error.
        let _ = protocol;
        let aside = service.aside.clone();
        let connection = self.one.serve_connection(Flushing::new(stream, aside.clone()), service);
        Box::pin(One { connection: Some(connection), aside })
    }
}

/// What a connection is made on.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// A connection. It ends when the peer closes it, or after what runs when it is told to; or it goes on as another.
trait Connection: Future<Output = Result<Option<Next>, BodyError>> + Send {
    fn graceful_shutdown(self: Pin<&mut Self>);
}

/// What a connection goes on as.
struct Next(Pin<Box<dyn Connection>>);

/// HTTP/1.1, until a stream lasts.
struct One<S: Stream> {
    /// There until it is over.
    connection: Option<http1::Connection<Flushing<TokioIo<S>>, Adapter>>,
    aside: Aside,
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
        Poll::Ready(Ok(Some(Next(Box::pin(Last(Lasting::new(stream, response)))))))
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
struct Last<S: Stream>(Lasting<S>);

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

struct Server {
    http: Builders,
    tls: Option<Acceptor>,
    endpoint: Endpoint,
}

impl Server {
    /// There is one of these futures for every connection: what is large is apart, and only there while it is
    /// needed.
    async fn serve(self: Arc<Server>, service: Handler, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        match &self.tls {
            None => self.serve_http(service, stream).await,
            Some(tls) => Box::pin(self.serve_tls(tls, service, stream)).await,
        }
    }

    async fn serve_tls(&self, tls: &Acceptor, service: Handler, stream: TcpStream) {
        let limit = self.endpoint.0.limits.read_timeout;
        match tokio::time::timeout(limit, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_http(service, stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn serve_http(&self, service: Handler, stream: impl Stream) {
        let (limits, shutdown) = (&self.endpoint.0.limits, &self.endpoint.0.shutdown);
        let begun = tokio::select! {
            begun = tokio::time::timeout(limits.read_timeout, preface::begin(stream)) => begun,
            () = shutdown.begun() => return,
        };
        let Ok(Ok((protocol, stream))) = begun else {
            tracing::debug!("a connection ended before its first request");
            return;
        };
        let traffic = Traffic::default();
        let mut watch = Watch::new(traffic.clone());
        let adapter = Adapter { service, traffic, aside: Aside::default() };
        let mut connection = self.http.connect(protocol, stream, adapter);
        let mut closing = false;
        loop {
            tokio::select! {
                biased;
                served = connection.as_mut() => match served {
                    Ok(Some(Next(next))) => connection = next,
                    Ok(None) => return,
                    Err(error) => {
                        tracing::debug!(error, "a connection ended with an error");
                        return;
                    }
                },
                () = shutdown.begun(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                quiet = watch.quiet(limits, closing) => match quiet {
                    Quiet::Idle if !closing => {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    Quiet::Idle | Quiet::Stalled => return,
                },
            }
        }
    }
}

/// hyper's view of the service: it counts what is open, and puts aside what lasts.
struct Adapter {
    service: Handler,
    traffic: Traffic,
    aside: Aside,
}

impl hyper::service::Service<Request<Incoming>> for Adapter {
    type Response = Response<Counted>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let (open, version) = (Open::new(&self.traffic), request.version());
        let answer = self.service.service.call(request.map(Body::from));
        Answering { answer, open: Some(open), version, aside: self.aside.clone() }
    }
}

/// A request on its way through the service.
struct Answering {
    answer: BoxFuture<'static, Response<Body>>,
    /// There until it is answered.
    open: Option<Open>,
    version: Version,
    aside: Aside,
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
        if Aside::wants(self.version, &response) {
            self.aside.put(response);
            return Poll::Pending;
        }
        Poll::Ready(Ok(response))
    }
}
