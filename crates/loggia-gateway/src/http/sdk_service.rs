//! A service of the SDK as a service of axum. Both have body types of their own, which are converted only here.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::body::Body as AxumBody;
use http::{Request, Response};
use loggia::service::BoxFuture;
use loggia::transport::http::Body;
use tower_service::Service;

/// A service of the SDK that axum can route to.
#[derive(Clone)]
pub(super) struct SdkService<S>(S);

impl<S> SdkService<S> {
    pub(super) fn new(service: S) -> SdkService<S> {
        SdkService(service)
    }

    pub(super) fn into_inner(self) -> S {
        self.0
    }
}

impl<S> Service<Request<AxumBody>> for SdkService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<AxumBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<AxumBody>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<AxumBody>) -> Self::Future {
        let answer = self.0.call(request.map(Body::new));
        Box::pin(async move { Ok(answer.await?.map(AxumBody::new)) })
    }
}
