//! Connections: accepted within a bound, read within a time, closed when nothing happens on them or when
//! their peer does not read, drained at a shutdown.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
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
use tokio::time::Instant;

use super::PeerAddr;
use super::endpoint::Endpoint;
use super::preface::{self, Begun, Protocol};
use super::tls::Acceptor;
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
        match protocol {
            Protocol::Http1 => Box::pin(self.one.serve_connection(stream, service)),
            #[cfg(feature = "http2")]
            Protocol::Http2 => Box::pin(self.two.serve_connection(stream, service)),
            // What the first version makes of the preface of the second is an error.
            #[cfg(not(feature = "http2"))]
            Protocol::Http2 => Box::pin(self.one.serve_connection(stream, service)),
        }
    }
}

/// What a connection is made on.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// A connection of either version. It ends when the peer closes it, or after what runs when it is told to.
trait Connection: Future<Output = hyper::Result<()>> + Send {
    fn graceful_shutdown(self: Pin<&mut Self>);
}

impl<S: Stream> Connection for http1::Connection<TokioIo<S>, Adapter> {
    fn graceful_shutdown(self: Pin<&mut Self>) {
        http1::Connection::graceful_shutdown(self);
    }
}

#[cfg(feature = "http2")]
impl<S: Stream> Connection for http2::Connection<TokioIo<S>, Adapter, TokioExecutor> {
    fn graceful_shutdown(self: Pin<&mut Self>) {
        http2::Connection::graceful_shutdown(self);
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
        let mut connection = self.http.connect(protocol, stream, Adapter { service, traffic });
        let mut closing = false;
        loop {
            tokio::select! {
                biased;
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "a connection ended with an error");
                    }
                    return;
                }
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

/// What happens on one connection, as far as time limits care. Counted without a clock and without a lock:
/// every request passes here several times.
#[derive(Clone, Default)]
struct Traffic(Arc<Counts>);

#[derive(Default)]
struct Counts {
    /// Requests whose response is not sent.
    open: AtomicUsize,
    /// Responses that have something to send and wait for the peer to take it.
    waiting: AtomicUsize,
    /// Whatever happened, counted: a request began or ended, a peer took something.
    events: AtomicUsize,
}

impl Counts {
    fn event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }
}

enum Quiet {
    /// No request for too long.
    Idle,
    /// The peer reads nothing of what it asked for.
    Stalled,
}

/// Looks at the traffic from time to time.
struct Watch {
    traffic: Traffic,
    /// The events at the last look.
    events: usize,
    /// When that was, or when the connection was told to close.
    last: Instant,
}

impl Watch {
    fn new(traffic: Traffic) -> Watch {
        Watch { traffic, events: 0, last: Instant::now() }
    }

    /// Waits until the connection is quiet for longer than it may be, to within a quarter of the shortest of
    /// the limits. One that is told to close has the time that a peer may take to read.
    async fn quiet(&mut self, limits: &Limits, closing: bool) -> Quiet {
        let between = limits.read_timeout.min(limits.write_timeout).min(limits.idle) / 4;
        if closing {
            self.last = Instant::now();
        }
        loop {
            let now = Instant::now();
            let events = self.traffic.0.events.load(Ordering::Relaxed);
            if std::mem::replace(&mut self.events, events) != events {
                self.last = now;
            }
            let next = now + between.max(TICK);
            let next = match self.judge(limits, closing) {
                Some((quiet, limit)) if self.last + limit <= now => return quiet,
                Some((_, limit)) => next.min(self.last + limit),
                None => next,
            };
            tokio::time::sleep_until(next).await;
        }
    }

    /// What the connection is if nothing happens, and for how long it may be. `None` while a request runs.
    fn judge(&self, limits: &Limits, closing: bool) -> Option<(Quiet, Duration)> {
        let counts = &*self.traffic.0;
        match (counts.open.load(Ordering::Relaxed), counts.waiting.load(Ordering::Relaxed)) {
            (0, _) if closing => Some((Quiet::Idle, limits.write_timeout)),
            (0, _) if self.events > 0 => Some((Quiet::Idle, limits.idle)),
            (0, _) => Some((Quiet::Idle, limits.read_timeout)),
            (_, 0) => None,
            _ => Some((Quiet::Stalled, limits.write_timeout)),
        }
    }
}

/// The least time between two looks.
const TICK: Duration = Duration::from_millis(1);

/// hyper's view of the service: it counts what is open.
struct Adapter {
    service: Handler,
    traffic: Traffic,
}

impl hyper::service::Service<Request<Incoming>> for Adapter {
    type Response = Response<Counted>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let open = Open::new(&self.traffic);
        Answering { answer: self.service.service.call(request.map(Body::from)), open: Some(open) }
    }
}

/// A request on its way through the service.
struct Answering {
    answer: BoxFuture<'static, Response<Body>>,
    open: Option<Open>,
}

impl Future for Answering {
    type Output = Result<Response<Counted>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.answer.as_mut().poll(cx));
        let open = self.open.take().expect("a future is not polled after it is ready");
        Poll::Ready(Ok(response.map(|body| Counted::new(body, open))))
    }
}

/// A request whose response is not sent yet.
struct Open(Traffic);

impl Open {
    fn new(traffic: &Traffic) -> Open {
        traffic.0.open.fetch_add(1, Ordering::Relaxed);
        traffic.0.event();
        Open(traffic.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.0.event();
    }
}

/// A response body that tells whether it waits for its peer or its peer for it.
struct Counted {
    body: Body,
    waiting: bool,
    open: Open,
}

impl Counted {
    fn new(body: Body, open: Open) -> Counted {
        let mut counted = Counted { body, waiting: false, open };
        counted.set_waiting(true);
        counted
    }

    fn set_waiting(&mut self, waiting: bool) {
        let counts = &*self.open.0.0;
        match (std::mem::replace(&mut self.waiting, waiting), waiting) {
            (false, true) => drop(counts.waiting.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(counts.waiting.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
        counts.event();
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.set_waiting(false);
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let counted = self.get_mut();
        let polled = Pin::new(&mut counted.body).poll_frame(cx);
        counted.set_waiting(matches!(polled, Poll::Ready(Some(Ok(_)))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
