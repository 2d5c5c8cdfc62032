//! Middleware: any `tower` layer around everything the server answers.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use loggia_wire::RpcError;
use tower_layer::Layer;
use tower_service::Service;

use super::core::ServerCore;
use super::handlers;
use crate::edge::correlation_id;
use crate::error::BoxError;
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::service::{Outcome, Reply, Request};

/// One request that passes through the layers, with the channel to its client.
#[derive(Clone)]
pub struct ServerCall {
    /// The request. A layer may change it: set the principal, for example.
    pub request: Request,
    /// The channel to the client.
    pub exchange: Exchange,
}

/// The service inside a layer: further layers, then the server's handlers.
#[derive(Clone)]
pub struct Handlers(Arc<dyn AnswerCall>);

trait AnswerCall: Send + Sync {
    fn answer(&self, call: ServerCall) -> BoxFuture<'static, Outcome>;
}

/// The server's handlers.
struct CoreHandlers(Arc<ServerCore>);

impl AnswerCall for CoreHandlers {
    fn answer(&self, call: ServerCall) -> BoxFuture<'static, Outcome> {
        handlers::answer(self.0.clone(), call.request, call.exchange)
    }
}

/// A layer around something.
struct LayerHandlers<S>(S);

impl<S> AnswerCall for LayerHandlers<S>
where
    S: Service<ServerCall, Response = Reply> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    fn answer(&self, call: ServerCall) -> BoxFuture<'static, Outcome> {
        let mut service = self.0.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(into_rpc)?;
            service.call(call).await.map_err(into_rpc)
        })
    }
}

impl Handlers {
    pub(crate) fn new(core: Arc<ServerCore>) -> Handlers {
        Handlers(Arc::new(CoreHandlers(core)))
    }

    pub(crate) fn wrap<L>(self, layer: &L) -> Handlers
    where
        L: Layer<Handlers>,
        L::Service: Service<ServerCall, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<ServerCall>>::Error: Into<BoxError>,
        <L::Service as Service<ServerCall>>::Future: Send + 'static,
    {
        Handlers(Arc::new(LayerHandlers(layer.layer(self))))
    }
}

impl Service<ServerCall> for Handlers {
    type Response = Reply;
    type Error = RpcError;
    type Future = BoxFuture<'static, Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), RpcError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: ServerCall) -> BoxFuture<'static, Outcome> {
        self.0.answer(call)
    }
}

/// An [`RpcError`] goes to the client as it is; any other error of a layer is ours and goes to the log.
fn into_rpc(error: impl Into<BoxError>) -> RpcError {
    match error.into().downcast::<RpcError>() {
        Ok(error) => *error,
        Err(error) => {
            let reference = correlation_id();
            tracing::error!(reference, error, "a layer failed");
            RpcError::internal(&reference)
        }
    }
}
