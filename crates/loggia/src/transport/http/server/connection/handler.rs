//! The endpoint in its layers, as the connections call it: the checks of [`OriginFilter`] first, then the service.
//!
//! The type of the layers is erased here, so that the HTTP stack below is compiled once, in this crate, and not again
//! in every program that serves.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};

use crate::future::BoxFuture;
use crate::transport::http::Body;
use crate::transport::http::server::origin::{self, OriginFilter, OriginVerdict};

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

    pub(super) fn call(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
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
