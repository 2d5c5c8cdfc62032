//! Adapters between the eras and the core. An edge converts the requests and responses of a revision to and from those of
//! the core, so that a [`Service`] sees one kind of request and cannot tell which era it serves.
//!
//! * this module: what both eras share: reading a request, running it, writing its answer;
//! * [`resolve_input`]: running a request so that its client can be sent the outcome, in either era;
//! * [`session`] and [`client_requests`]: what a legacy session knows, does and has asked, as values without I/O;
//! * [`listen`]: the messages of a subscription;
//! * [`connection`]: a whole duplex connection (stdio, Unix socket, in memory), both eras at once, as a
//!   machine without I/O; [`duplex`] drives it with tasks and pipes.

pub mod capability;
pub mod client_requests;
pub mod connection;
pub mod duplex;
pub mod listen;
pub mod notification_filter;
pub mod resolve_input;
pub mod session;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use loggia_wire::jsonrpc::{self, Id};
use loggia_wire::method::MethodSender;
use loggia_wire::model::{
    CacheHints, CacheScope, DiscoverResult, Implementation, ServerResult, SubscriptionFilter,
};
use loggia_wire::{Method, Params, RequestMeta, RpcError, Version};

use crate::changes::ChangeSubscription;
use crate::exchange::Exchange;
use crate::future::BoxFuture;
pub use crate::reference::correlation_id;
use crate::service::{Description, Outcome, Principal, Request, Service};

/// Returns whether `method` is one that a client may ask a server in `version`: otherwise the answer is `-32601`.
pub fn admit(method: &Method, version: Version) -> Result<(), RpcError> {
    let asks_server = !matches!(method.sender(), Some(MethodSender::Server)) && !method.is_notification();
    if asks_server && method.exists_in(version) {
        Ok(())
    } else {
        Err(RpcError::method_not_found(method.as_str()))
    }
}

/// A request of the core from its parts.
pub fn request(method: Method, params: Option<Params>, meta: Arc<RequestMeta>) -> Request {
    Request { method, params: params.unwrap_or_else(Params::empty), meta, principal: None }
}

/// The answer to `server/discover`.
pub fn discover(server: &Description) -> ServerResult {
    ServerResult::from(DiscoverResult {
        supported_versions: server.versions.iter().map(ToString::to_string).collect(),
        capabilities: server.capabilities.clone(),
        instructions: server.instructions.clone(),
        cache: CacheHints::new(DISCOVER_TTL_MS, CacheScope::Public),
        ..DiscoverResult::default()
    })
}

/// Time for which a client may cache the result of `server/discover`. The result is the same for all clients.
const DISCOVER_TTL_MS: u64 = 5 * 60 * 1000;

/// Runs one request. A panic is caught, logged and answered as our fault; the next call works.
pub fn invoke<S: Service + ?Sized>(service: &S, request: Request, exchange: Exchange) -> Invocation<'_> {
    let method = request.method.clone();
    if let Err(error) = check_arguments(&request) {
        return Invocation { call: Box::pin(std::future::ready(Err(error))), method };
    }
    // The call itself may panic too, before there is a future.
    let call = catch_unwind(AssertUnwindSafe(|| service.call(request, exchange)));
    let call = call.unwrap_or_else(|panic| {
        let failed = panicked(&method, &*panic);
        Box::pin(std::future::ready(Err(failed)))
    });
    Invocation { call, method }
}

/// Checks that the arguments of a tool or a prompt are an object, as the schema of the request demands. Only what a
/// tool's own schema says of them is for the model to read ("Error Handling" of tools). `null` stands for none.
fn check_arguments(request: &Request) -> Result<(), RpcError> {
    if !matches!(request.method, Method::CallTool | Method::GetPrompt) {
        return Ok(());
    }
    let arguments = match request.params.routing() {
        Some(routing) => routing.arguments,
        None => request.params.member("arguments"),
    };
    match arguments {
        None | Some([b'{', ..] | b"null") => Ok(()),
        Some(_) => Err(RpcError::invalid_params("params.arguments must be an object")),
    }
}

/// See [`invoke`].
pub struct Invocation<'s> {
    call: BoxFuture<'s, Outcome>,
    method: Method,
}

impl Future for Invocation<'_> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.call.as_mut().poll(cx)));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(panicked(&self.method, &*panic))))
    }
}

fn panicked(method: &Method, panic: &(dyn std::any::Any + Send)) -> RpcError {
    let reference = correlation_id();
    tracing::error!(%method, reference, panic = panic_message(panic), "a handler panicked");
    RpcError::internal(&reference)
}

/// Polls `future` once: what is ready at once needs no timer, and no task of its own.
pub(crate) async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// Opens a stream of changes. A panic costs this stream alone, as one of a handler costs its call.
pub async fn open_stream<S: Service + ?Sized>(
    service: &S,
    filter: SubscriptionFilter,
    principal: Option<Arc<Principal>>,
) -> Result<ChangeSubscription, RpcError> {
    // The call itself may panic too, before there is a future.
    let mut opening = pin!(async { service.listen(filter, principal).await });
    let opened = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| opening.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    opened.await.unwrap_or_else(|panic| {
        let reference = correlation_id();
        tracing::error!(reference, panic = panic_message(&*panic), "opening a subscription panicked");
        Err(RpcError::internal(&reference))
    })
}

/// The response to `id` as `version` writes it.
pub fn encode_outcome(
    id: &Id,
    method: &Method,
    outcome: Outcome,
    version: Version,
    identity: &Implementation,
) -> Vec<u8> {
    outcome.and_then(|reply| reply.write(id, method, version, identity)).unwrap_or_else(|error| {
        let mut out = Vec::with_capacity(256);
        jsonrpc::write_error(&mut out, Some(id), &error.for_version(version));
        out
    })
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}
