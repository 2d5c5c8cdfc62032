//! A whole HTTP server as a service: its endpoint, its layers, and the `Host` and `Origin` checks before them. A program
//! with its own HTTP stack serves it beside its own paths. Invariant: no request reaches a layer unchecked.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};

use super::endpoint::Endpoint;
use super::origin::{self, OriginFilter, OriginVerdict};
use crate::service::BoxFuture;
use crate::transport::http::{Body, BodyError};

/// An HTTP server as a [`tower_service::Service`]; [`Http::into_service`](super::Http::into_service) makes it. `S` is the
/// endpoint in its layers.
#[derive(Clone)]
pub struct HttpService<S> {
    service: S,
    filter: Arc<OriginFilter>,
    endpoint: Endpoint,
}

impl<S> HttpService<S> {
    pub(super) fn new(service: S, filter: OriginFilter, endpoint: Endpoint) -> HttpService<S> {
        HttpService { service, filter: Arc::new(filter), endpoint }
    }

    /// Ends what is open, as [`Endpoint::shut_down`] does.
    pub async fn shut_down(&self) {
        self.endpoint.shut_down().await;
    }
}

impl<S, B> tower_service::Service<Request<B>> for HttpService<S>
where
    S: tower_service::Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let verdict = self.filter.judge(request.method(), request.uri(), request.headers());
        if let OriginVerdict::Answered(response) = verdict {
            return Box::pin(std::future::ready(Ok(response)));
        }
        let answer = self.service.call(request.map(Body::new));
        Box::pin(async move {
            let mut response = answer.await?;
            if let OriginVerdict::PassFor(page) = verdict {
                origin::mark(&mut response, page);
            }
            Ok(response)
        })
    }
}
