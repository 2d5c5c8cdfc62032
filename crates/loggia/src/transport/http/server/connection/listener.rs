//! Connections: accepted within a bound, read within a time, closed when nothing happens on them or when
//! their peer does not read, drained at a shutdown.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::idle_monitor::{IdleMonitor, IdleWatch, InactivityKind};
use super::preface;
use super::protocol::{ConnectionBuilders, ConnectionIo, HttpHandler, NextConnection};
use super::tls::Acceptor;
use crate::error::Result;
use crate::future::BoxFuture;
use crate::transport::http::server::endpoint::Endpoint;

/// Accepts and serves connections until the endpoint is told to stop. Boxed here, so that none of it is compiled
/// again in each program that serves.
pub(in crate::transport::http::server) fn run(
    listener: TcpListener,
    tls: Option<Acceptor>,
    service: HttpHandler,
    endpoint: Endpoint,
) -> BoxFuture<'static, Result<()>> {
    Box::pin(accept_all(listener, tls, service, endpoint))
}

async fn accept_all(
    listener: TcpListener,
    tls: Option<Acceptor>,
    service: HttpHandler,
    endpoint: Endpoint,
) -> Result<()> {
    let (limits, shutdown) = (endpoint.state().limits.clone(), endpoint.state().shutdown.clone());
    let server = Arc::new(ConnectionServer {
        http: ConnectionBuilders::new(&limits),
        tls,
        endpoint: endpoint.clone(),
    });
    let room = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let mut sweep = tokio::time::interval(limits.resume_window.max(Duration::from_secs(1)) / 2);
    loop {
        tokio::select! {
            () = shutdown.begun() => break,
            (stream, peer, place) = accept(&listener, &room) => {
                let (server, service, accepted) = (server.clone(), service.of(peer), Instant::now());
                connections.spawn(async move {
                    server.serve(service, stream, accepted).await;
                    drop(place);
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = sweep.tick() => endpoint.sweep_sessions(),
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

struct ConnectionServer {
    http: ConnectionBuilders,
    tls: Option<Acceptor>,
    endpoint: Endpoint,
}

impl ConnectionServer {
    /// There is one of these futures for every connection: what is large is apart, and only there while it is
    /// needed.
    async fn serve(self: Arc<ConnectionServer>, service: HttpHandler, stream: TcpStream, accepted: Instant) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        match &self.tls {
            None => self.serve_http(service, stream, accepted).await,
            Some(tls) => Box::pin(self.serve_tls(tls, service, stream, accepted)).await,
        }
    }

    async fn serve_tls(&self, tls: &Acceptor, service: HttpHandler, stream: TcpStream, accepted: Instant) {
        let deadline = accepted + self.endpoint.state().limits.read_timeout;
        match tokio::time::timeout_at(deadline, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_http(service, stream, accepted).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    /// The first request, with all of its headers and a TLS handshake before it, has [`Limits::read_timeout`] from the
    /// moment the connection was accepted.
    async fn serve_http(&self, service: HttpHandler, stream: impl ConnectionIo, accepted: Instant) {
        let (limits, shutdown) = (&self.endpoint.state().limits, &self.endpoint.state().shutdown);
        let begun = tokio::select! {
            begun = tokio::time::timeout_at(accepted + limits.read_timeout, preface::begin(stream)) => begun,
            () = shutdown.begun() => return,
        };
        let Ok(Ok((protocol, stream))) = begun else {
            tracing::debug!("a connection ended before its first request");
            return;
        };
        let monitor = IdleMonitor::default();
        let mut watch = IdleWatch::new(monitor.clone(), accepted);
        let mut connection = self.http.connect(protocol, stream, service, monitor);
        let mut closing = false;
        loop {
            tokio::select! {
                biased;
                served = connection.as_mut() => match served {
                    Ok(Some(NextConnection(next))) => connection = next,
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
                    InactivityKind::Idle if !closing => {
                        closing = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    InactivityKind::Idle | InactivityKind::Stalled => return,
                },
            }
        }
    }
}
