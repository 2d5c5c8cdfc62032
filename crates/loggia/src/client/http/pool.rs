//! The open connections to one server. With HTTP/1.1 a request has a connection for itself and polls it in its own
//! task, so no other task must be woken to write the request or to deliver the answer. An idle connection is checked
//! when it is used again, and closed after it was idle for too long. With HTTP/2, if TLS negotiates it, all requests
//! share one connection, which has a task.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri, Version, header::HOST};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::client::legacy::connect::Connection;
use hyper_util::rt::TokioExecutor;
use tokio::time::Instant;
use tower_service::Service;
use url::{Position, Url};

use super::connector::{ConnectorStream, StreamConnector, with_sources};
use super::self_waker::SelfWaker;
use crate::error::BoxError;
use crate::error::{Error, Result};

/// The time that a connection may be idle.
const REST: Duration = Duration::from_secs(60);

type PoolRequest = Request<Full<Bytes>>;
type UnsentRequest = TrySendError<PoolRequest>;

/// The target of requests, in the forms that the two versions of HTTP need.
#[derive(Debug)]
pub(super) struct Origin {
    /// With scheme and authority.
    pub(super) absolute: Uri,
    /// Path and query.
    pub(super) path: Uri,
    pub(super) host: HeaderValue,
}

impl Origin {
    pub(super) fn new(url: &Url) -> Result<Origin, http::Error> {
        let absolute: Uri = url[..Position::AfterQuery].parse()?;
        let path = Uri::from(absolute.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        let host = HeaderValue::try_from(&url[Position::BeforeHost..Position::AfterPort])?;
        Ok(Origin { absolute, path, host })
    }
}

/// Connections to one origin.
#[derive(Clone)]
pub(super) struct Pool(Arc<PoolState>);

struct PoolState {
    connector: StreamConnector,
    connections: Mutex<PoolConnections>,
    /// Held while the first connection is opened to a server that may support HTTP/2, because one connection is
    /// enough.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct PoolConnections {
    at_rest: Vec<Http1ClientConnection>,
    /// True if a task is running that closes idle connections.
    swept: bool,
    http2: Option<http2::SendRequest<Full<Bytes>>>,
}

/// A connection that carries one request at a time.
struct Http1ClientConnection {
    self_waker: Arc<SelfWaker>,
    sender: http1::SendRequest<Full<Bytes>>,
    /// The connection, until it ends. Dropping it returns a request that was not sent.
    connection: Option<Box<http1::Connection<ConnectorStream, Full<Bytes>>>>,
    since: Instant,
}

enum PooledConnection {
    Http1(Http1ClientConnection),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Pool {
    pub(super) fn new(connector: StreamConnector) -> Pool {
        Pool(Arc::new(PoolState {
            connector,
            connections: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        }))
    }

    /// Makes a request. If it was not sent, because the server had closed the connection, it is sent on another one.
    pub(super) async fn request(
        &self,
        origin: &Origin,
        mut request: PoolRequest,
    ) -> Result<Response<PooledBody>> {
        loop {
            let used = self.0.take();
            let again = used.is_some();
            let opened = match used {
                Some(opened) => opened,
                // The future is large and rarely needed.
                None => Box::pin(self.0.open(origin)).await?,
            };
            let answered = match opened {
                PooledConnection::Http1(http1) => self.over_http1(http1, origin, request).await,
                PooledConnection::Http2(sender) => self.over_http2(sender, origin, request).await,
            };
            let mut failed = match answered {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            match failed.take_message() {
                Some(unsent) if again => request = unsent,
                _ => return Err(Error::Connection(with_sources(failed.error()))),
            }
        }
    }

    async fn over_http1(
        &self,
        mut http1: Http1ClientConnection,
        origin: &Origin,
        mut request: PoolRequest,
    ) -> Result<Response<PooledBody>, UnsentRequest> {
        *request.uri_mut() = origin.path.clone();
        request.headers_mut().insert(HOST, origin.host.clone());
        let response = http1.send(request).await?;
        let mut answer = response.map(|incoming| PooledBody {
            incoming,
            driver: Some(Http1Driver { http1, pool: self.0.clone() }),
        });
        if answer.body().is_end_stream() {
            answer.body_mut().release();
        }
        Ok(answer)
    }

    async fn over_http2(
        &self,
        mut sender: http2::SendRequest<Full<Bytes>>,
        origin: &Origin,
        mut request: PoolRequest,
    ) -> Result<Response<PooledBody>, UnsentRequest> {
        *request.uri_mut() = origin.absolute.clone();
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(HOST);
        let response = sender.try_send_request(request).await?;
        Ok(response.map(|incoming| PooledBody { incoming, driver: None }))
    }
}

impl PoolState {
    fn connections(&self) -> MutexGuard<'_, PoolConnections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a connection that is open and has room.
    fn take(&self) -> Option<PooledConnection> {
        if let Some(sender) = self.http2() {
            return Some(PooledConnection::Http2(sender));
        }
        loop {
            // The server has most probably not closed the latest one.
            let mut http1 = self.connections().at_rest.pop()?;
            http1.drive(&mut Context::from_waker(Waker::noop()));
            if http1.is_free() {
                return Some(PooledConnection::Http1(http1));
            }
        }
    }

    fn http2(&self) -> Option<http2::SendRequest<Full<Bytes>>> {
        let mut connections = self.connections();
        connections.http2.take_if(|sender| sender.is_closed());
        connections.http2.clone()
    }

    async fn open(&self, origin: &Origin) -> Result<PooledConnection> {
        let _opening = match origin.absolute.scheme_str() {
            Some("https") => Some(self.opening.lock().await),
            _ => None,
        };
        if let Some(opened) = self.take() {
            return Ok(opened);
        }
        let stream = self.connector.clone().call(origin.absolute.clone()).await;
        let stream = stream.map_err(|error| cannot_connect(origin, error))?;
        if !stream.connected().is_negotiated_h2() {
            let (sender, connection) =
                http1::handshake(stream).await.map_err(|error| cannot_connect(origin, error))?;
            return Ok(PooledConnection::Http1(Http1ClientConnection {
                self_waker: Arc::default(),
                sender,
                connection: Some(Box::new(connection)),
                since: Instant::now(),
            }));
        }
        let shaken = http2::handshake(TokioExecutor::new(), stream).await;
        let (sender, connection) = shaken.map_err(|error| cannot_connect(origin, error))?;
        tokio::spawn(connection.map(|ended| {
            if let Err(error) = ended {
                tracing::debug!(error = with_sources(&error), "a connection broke");
            }
        }));
        self.connections().http2 = Some(sender.clone());
        Ok(PooledConnection::Http2(sender))
    }

    /// Keeps a connection for the next request.
    fn keep(self: &Arc<PoolState>, mut http1: Http1ClientConnection) {
        http1.since = Instant::now();
        let mut connections = self.connections();
        connections.at_rest.push(http1);
        if !std::mem::replace(&mut connections.swept, true) {
            tokio::spawn(PoolState::sweep(Arc::downgrade(self)));
        }
    }

    /// Closes connections that were idle for too long, until there are none.
    async fn sweep(shared: Weak<PoolState>) {
        loop {
            tokio::time::sleep(REST).await;
            let Some(shared) = shared.upgrade() else { return };
            let mut connections = shared.connections();
            connections.at_rest.retain(|http1| http1.since.elapsed() < REST);
            if connections.at_rest.is_empty() {
                connections.swept = false;
                return;
            }
        }
    }
}

fn cannot_connect(origin: &Origin, error: impl Into<BoxError>) -> Error {
    Error::Connection(format!(
        "cannot connect to {}: {}",
        origin.host.to_str().unwrap_or_default(),
        with_sources(&*error.into())
    ))
}

impl Http1ClientConnection {
    /// Polls the connection.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(cx).is_ready()
        {
            self.connection = None;
        }
    }

    fn is_free(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its response.
    async fn send(&mut self, request: PoolRequest) -> Result<Response<Incoming>, UnsentRequest> {
        let mut response = std::pin::pin!(self.sender.try_send_request(request));
        let self_waker = self.self_waker.clone();
        let answered = std::future::poll_fn(|cx| {
            self_waker.poll(cx, |cx| {
                self.drive(cx);
                response.as_mut().poll(cx)
            })
        });
        answered.await
    }

    /// Polls the next frame of the response's body.
    fn poll_frame(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        self.self_waker.clone().poll(cx, |cx| {
            let frame = Pin::new(&mut *incoming).poll_frame(cx);
            if frame.is_ready() {
                return frame;
            }
            self.drive(cx);
            Pin::new(&mut *incoming).poll_frame(cx)
        })
    }
}

/// The body of a response. Over HTTP/1.1 it owns the connection.
pub(super) struct PooledBody {
    incoming: Incoming,
    driver: Option<Http1Driver>,
}

/// A connection in use, and the pool that it returns to.
struct Http1Driver {
    http1: Http1ClientConnection,
    pool: Arc<PoolState>,
}

impl PooledBody {
    /// Releases the connection after the end of the body, if it can take another request.
    fn release(&mut self) {
        if let Some(Http1Driver { mut http1, pool }) = self.driver.take() {
            http1.drive(&mut Context::from_waker(Waker::noop()));
            if http1.is_free() {
                pool.keep(http1);
            }
        }
    }
}

impl Body for PooledBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let frame = match &mut this.driver {
            Some(driver) => driver.http1.poll_frame(&mut this.incoming, cx),
            None => Pin::new(&mut this.incoming).poll_frame(cx),
        };
        let frame = ready!(frame);
        if frame.is_none() || this.incoming.is_end_stream() {
            this.release();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
