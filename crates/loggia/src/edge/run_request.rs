//! Runs one request: calls the service, catches its panics, and asks a legacy client for the input that the service
//! wants.
//!
//! A service may answer any call with "ask the client first" ([`InputRequired`]) in either era. A modern client gets that
//! answer as it is. A legacy revision has no such answer, so here the client is asked while its request runs, and the
//! service is called again.
//!
//! Invariant: no panic of a service leaves this module. A panic costs its own call or stream.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use loggia_wire::model::{InputRequest, InputRequired, InputResponses, ServerResult, SubscriptionFilter};
use loggia_wire::{ErrorCode, Method, RawJson, RawObject, RequestMeta, RpcError};

use super::capability;
use crate::changes::ChangeSubscription;
use crate::exchange::{ClientPeer, Exchange};
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::reference::correlation_id;
use crate::service::{Outcome, Principal, Reply, Request, Service};

/// Runs `request` to an outcome that can be sent to its client. Every edge calls this instead of the service itself. The
/// future is small: each call has one.
pub fn run_request<'s, S: Service + ?Sized>(
    service: &'s S,
    request: Request,
    exchange: Exchange,
    limits: &'s Limits,
) -> impl Future<Output = Outcome> + Send + 's {
    let (method, meta) = (request.method.clone(), request.meta.clone());
    let asks_live = method.may_require_input() && !meta.version.is_modern();
    let call = match asks_live {
        true => CallMode::Resolving(Box::pin(resolve_input(service, request, exchange, limits))),
        false => CallMode::Once(invoke(service, request, exchange)),
    };
    async move {
        match call {
            CallMode::Resolving(call) => call.await,
            CallMode::Once(call) => permitted(&method, &meta, call.await),
        }
    }
}

enum CallMode<'s> {
    Once(Invocation<'s>),
    Resolving(BoxFuture<'s, Outcome>),
}

/// Checks that an outcome may be sent: it may have questions only if the method may ask and the client can be asked.
fn permitted(method: &Method, meta: &RequestMeta, outcome: Outcome) -> Outcome {
    let Some(input) = outcome.as_ref().ok().and_then(|reply| reply.input_required()) else { return outcome };
    if method.may_require_input() {
        capability::check_all(input, meta.version, &meta.client_capabilities)?;
        return outcome;
    }
    // Only three methods may be answered with questions (MRTR, "Supported Requests").
    let reference = correlation_id();
    tracing::error!(%method, reference, "the service answered with input_required, which this method forbids");
    Err(RpcError::internal(&reference))
}

/// Runs one request. A panic is caught, logged and answered as our fault; the next call works.
fn invoke<S: Service + ?Sized>(service: &S, request: Request, exchange: Exchange) -> Invocation<'_> {
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

/// Checks that the arguments of a tool or a prompt are an object, as the schema of the request demands. `null` stands for
/// no arguments. A violation of the tool's own schema is found later, and is reported to the model ("Error Handling" of
/// tools).
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

/// A call of the service that runs; see [`invoke`].
struct Invocation<'s> {
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

/// Serves a legacy client: while the service asks for input, asks the client and calls the service again.
async fn resolve_input<S: Service + ?Sized>(
    service: &S,
    mut request: Request,
    exchange: Exchange,
    limits: &Limits,
) -> Outcome {
    for _ in 0..limits.input_rounds {
        let reply = invoke(service, request.clone(), exchange.clone()).await?;
        let mut input = match questions(&request, reply)? {
            ReplyKind::No(reply) => return Ok(reply),
            ReplyKind::Yes(input) => input,
        };
        let state = input.request_state.take();
        let answers = ask_all(input, &request, &exchange).await?;
        request.params = with_answers(&request.params, &answers, state.as_ref())?.into();
    }
    Err(RpcError::new(
        ErrorCode::INTERNAL_ERROR,
        format!("The server still asks for input after {} rounds", limits.input_rounds),
    ))
}

/// A reply that asks the client, or any other.
enum ReplyKind {
    Yes(InputRequired),
    No(Reply),
}

/// Returns the questions of `reply`, which may be relayed from a modern server.
fn questions(request: &Request, reply: Reply) -> Result<ReplyKind, RpcError> {
    let relayed = match reply {
        Reply::Result(ServerResult::InputRequired(input)) => return Ok(ReplyKind::Yes(input)),
        Reply::Raw(relayed) => relayed,
        other => return Ok(ReplyKind::No(other)),
    };
    let may_ask = || memchr::memmem::find(relayed.raw().as_bytes(), b"input_required").is_some();
    if !relayed.version().is_modern() || !may_ask() {
        return Ok(ReplyKind::No(Reply::Raw(relayed)));
    }
    match relayed.decode(&request.method) {
        Ok(ServerResult::InputRequired(input)) => Ok(ReplyKind::Yes(input)),
        Ok(_) => Ok(ReplyKind::No(Reply::Raw(relayed))),
        Err(error) => {
            let reference = correlation_id();
            tracing::warn!(%error, reference, "a relayed result could not be read");
            Err(RpcError::internal(&reference))
        }
    }
}

async fn ask_all(
    input: InputRequired,
    request: &Request,
    exchange: &Exchange,
) -> Result<InputResponses, RpcError> {
    capability::check_all(&input, request.meta.version, &request.meta.client_capabilities)?;
    let Some(requests) = input.input_requests else { return Ok(InputResponses::new()) };
    let live = exchange.client().ok_or_else(|| {
        RpcError::invalid_request(
            "This request needs the client's input, and this connection cannot carry questions",
        )
    })?;
    let asked = requests.into_iter().map(|(key, question)| ask(&**live, key, question));
    all(asked.map(|asking| Box::pin(asking) as BoxFuture<'_, _>).collect()).await
}

/// Waits for all answers at once. The first failure ends the other questions.
async fn all(
    asking: Vec<BoxFuture<'_, Result<(String, RawJson), RpcError>>>,
) -> Result<InputResponses, RpcError> {
    let mut asking: Vec<_> = asking.into_iter().map(Some).collect();
    let mut answers = InputResponses::new();
    poll_fn(|cx| {
        for place in &mut asking {
            match place.as_mut().map(|asking| asking.as_mut().poll(cx)) {
                Some(Poll::Ready(answered)) => {
                    let (key, answer) = answered?;
                    answers.insert(key, answer);
                    *place = None;
                }
                Some(Poll::Pending) | None => {}
            }
        }
        if asking.iter().all(Option::is_none) { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await?;
    Ok(answers)
}

async fn ask(
    live: &dyn ClientPeer,
    key: String,
    question: InputRequest,
) -> Result<(String, RawJson), RpcError> {
    let method = question.method();
    let answer = live.ask(question).await.map_err(|error| {
        RpcError::new(error.code, format!("The client did not answer {method} ({key:?}): {}", error.message))
    })?;
    Ok((key, answer))
}

/// Returns `params` as a modern client would send them in its retry.
fn with_answers(
    params: &RawJson,
    answers: &InputResponses,
    state: Option<&String>,
) -> Result<RawJson, RpcError> {
    let unreadable = |error: serde_json::Error| RpcError::invalid_params(format!("Invalid params: {error}"));
    let params = RawObject::of(params).map_err(unreadable)?.rewrite(&[], &["inputResponses", "requestState"]);
    let answers = RawJson::of(answers);
    let state = state.map(RawJson::of);
    let mut added = Vec::with_capacity(2);
    if answers != RawJson::empty_object() {
        added.push(("inputResponses", &answers));
    }
    added.extend(state.as_ref().map(|state| ("requestState", state)));
    Ok(RawObject::of(&params).map_err(unreadable)?.with(&added))
}

/// Opens a stream of changes. A panic costs this stream alone, as one of a handler costs its call.
pub(crate) async fn open_stream<S: Service + ?Sized>(
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

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}
