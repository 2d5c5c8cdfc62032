//! The modern form: each POST stands alone. Its answer is one JSON text if the outcome comes before
//! anything else is said, an event stream otherwise. The call runs inside the response, so that a client
//! that goes away takes its call with it, and a client that does not read slows its own call down.

mod validate;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use loggia_wire::jsonrpc::{self, Id, Message};
use loggia_wire::meta::DeclaredVersion;
use loggia_wire::{ErrorCode, Method, Params, RequestMeta, RpcError, codec};

use super::respond::{self, keep_alive};
use super::state::{EndpointState, principal};
use super::unfold::unfold;
use crate::changes::ChangeSubscription;
use crate::edge::notification_filter::NotificationFilter;
use crate::edge::{self, discover, encode_outcome, listen, resolve_input};
use crate::exchange::{CancelGuard, Exchange, Outbox};
use crate::future::BoxFuture;
use crate::service::{Description, Outcome, Principal, Reply, Request, ResultGuard};
use crate::transport::http::body::{Admission, Body};
use crate::transport::sse;

/// A message's answer, as far as it is made without waiting.
pub(super) enum EndpointResponse {
    /// The response is complete.
    Ready(Response<Body>),
    /// A call has to run.
    Call(ModernCall),
    /// The response needs something else first.
    Deferred(BoxFuture<'static, Response<Body>>),
}

impl EndpointResponse {
    pub(super) async fn response(self) -> Response<Body> {
        match self {
            EndpointResponse::Ready(response) => response,
            EndpointResponse::Call(call) => call.answer().await,
            EndpointResponse::Deferred(response) => response.await,
        }
    }
}

/// The `_meta` of a message, as far as routing has read it.
pub(super) struct RequestEra {
    pub(super) declared: DeclaredVersion,
    pub(super) meta: Option<Arc<RequestMeta>>,
}

/// Answers one message of the modern era.
pub(super) fn serve(
    endpoint: &Arc<EndpointState>,
    parts: &Parts,
    era: RequestEra,
    message: Message,
    permit: Admission,
) -> EndpointResponse {
    match message {
        Message::Request { id, method, params } => {
            let incoming = ModernRequest { id, method, params, permit };
            request(endpoint, parts, era, incoming)
        }
        // The core protocol has none for HTTP, and an extension's must not be an error.
        Message::Notification { method, .. } => {
            tracing::trace!(%method, "a notification was ignored");
            EndpointResponse::Ready(respond::empty(StatusCode::ACCEPTED))
        }
        Message::Response { .. } => EndpointResponse::Ready(respond::refuse(
            StatusCode::BAD_REQUEST,
            "This revision has no questions to answer with a response",
        )),
    }
}

/// A request as it arrived.
struct ModernRequest {
    id: Id,
    method: Method,
    params: Option<Params>,
    permit: Admission,
}

fn request(
    endpoint: &Arc<EndpointState>,
    parts: &Parts,
    era: RequestEra,
    incoming: ModernRequest,
) -> EndpointResponse {
    let server = endpoint.service.describe();
    let ModernRequest { id, method, params, .. } = &incoming;
    let meta = match validate::check(endpoint, &server, &parts.headers, era, method, params.as_ref()) {
        Ok(meta) => meta,
        Err(refusal) => {
            return EndpointResponse::Ready(respond::error(refusal.status, Some(id), &refusal.error));
        }
    };
    match method {
        Method::Discover => EndpointResponse::Ready(discovered(id, &meta, &server)),
        Method::Listen => EndpointResponse::Deferred(Box::pin(subscribe(
            endpoint.clone(),
            principal(parts),
            incoming,
            meta,
            server,
        ))),
        _ => EndpointResponse::Call(ModernCall::start(endpoint, principal(parts), incoming, meta, server)),
    }
}

fn discovered(id: &Id, meta: &RequestMeta, server: &Description) -> Response<Body> {
    let result = codec::encode_result(discover(server), meta.version, Some(&server.identity));
    let mut out = Vec::with_capacity(512);
    jsonrpc::write_result(&mut out, id, result.as_bytes());
    respond::json(StatusCode::OK, out)
}

/// The status of a response: the specification ties some errors to one, and says nothing of the others.
fn status_of(outcome: &Outcome) -> StatusCode {
    match outcome {
        Err(error) if error.code == ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        Err(error) if error.code.is_modern() => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

fn guard(outcome: &Outcome) -> Option<ResultGuard> {
    outcome.as_ref().ok().and_then(Reply::guard)
}

fn with_permit(response: Response<Body>, permit: Admission) -> Response<Body> {
    response.map(|body| body.holding(permit))
}

/// One call and what it says while it runs.
pub(super) struct ModernCall {
    id: Id,
    method: Method,
    server: Arc<Description>,
    filter: NotificationFilter,
    version: loggia_wire::Version,
    call: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    outbox: Outbox,
    /// Notifications that are not sent yet, as events.
    said: Vec<u8>,
    keep_alive: Duration,
    permit: Admission,
    /// Tells work outside the call's future that the call is over.
    _guard: CancelGuard,
}

impl ModernCall {
    fn start(
        endpoint: &Arc<EndpointState>,
        principal: Option<Arc<Principal>>,
        incoming: ModernRequest,
        meta: Arc<RequestMeta>,
        server: Arc<Description>,
    ) -> ModernCall {
        let ModernRequest { id, method, params, permit } = incoming;
        let (exchange, outbox, guard) = Exchange::new(None);
        let (version, filter) = (meta.version, NotificationFilter::new(&meta));
        let request = Request { principal, ..edge::request(method.clone(), params, meta) };
        let (owner, keep_alive) = (endpoint.clone(), endpoint.limits.keep_alive);
        let call =
            Box::pin(
                async move { resolve_input::run(&*owner.service, request, exchange, &owner.limits).await },
            );
        ModernCall {
            id,
            method,
            server,
            filter,
            version,
            call,
            outbox,
            said: Vec::new(),
            keep_alive,
            permit,
            _guard: guard,
        }
    }

    /// Runs the call to its answer: one text, or a stream from the moment the client is to hear something.
    pub(super) async fn answer(mut self) -> Response<Body> {
        let Some(outcome) = self.outcome_before_anything().await else { return self.into_stream() };
        let status = status_of(&outcome);
        let guard = guard(&outcome);
        let message = self.encode(outcome);
        self.drain();
        if self.said.is_empty() {
            return with_permit(respond::json(status, respond::guarded(message, guard)), self.permit);
        }
        let mut events = self.said;
        sse::write_event(&mut events, None, None, &message);
        with_permit(respond::whole_event_stream(respond::guarded(events, guard)), self.permit)
    }

    /// The outcome, if the client need not be told anything before it, and soon.
    async fn outcome_before_anything(&mut self) -> Option<Outcome> {
        if let Some(outcome) = edge::poll_once(&mut self.call).await {
            return Some(outcome);
        }
        let silence = tokio::time::sleep(self.keep_alive);
        tokio::pin!(silence);
        while self.said.is_empty() {
            tokio::select! {
                biased;
                outcome = &mut self.call => return Some(outcome),
                () = self.outbox.ready() => self.drain(),
                () = &mut silence => return None,
            }
        }
        None
    }

    /// Takes what was said.
    fn drain(&mut self) {
        while let Some(notification) = self.outbox.try_next() {
            if let Some(message) = self.filter.write(notification) {
                sse::write_event(&mut self.said, None, None, &message);
            }
        }
    }

    fn encode(&self, outcome: Outcome) -> Vec<u8> {
        encode_outcome(&self.id, &self.method, outcome, self.version, &self.server.identity)
    }

    /// The call keeps its place until its last event is taken.
    fn into_stream(self) -> Response<Body> {
        respond::event_stream(unfold((self, false), |(mut running, over)| async move {
            if over {
                return None;
            }
            let (events, over) = running.next().await;
            Some((events, (running, over)))
        }))
    }

    /// The next events to send, and whether they are the last.
    async fn next(&mut self) -> (Bytes, bool) {
        loop {
            if !self.said.is_empty() {
                return (std::mem::take(&mut self.said).into(), false);
            }
            tokio::select! {
                biased;
                outcome = &mut self.call => {
                    self.drain();
                    let mut events = std::mem::take(&mut self.said);
                    let guard = guard(&outcome);
                    sse::write_event(&mut events, None, None, &self.encode(outcome));
                    return (respond::guarded(events, guard), true);
                }
                () = self.outbox.ready() => self.drain(),
                comment = keep_alive(self.keep_alive) => return (comment, false),
            }
        }
    }
}

async fn subscribe(
    endpoint: Arc<EndpointState>,
    principal: Option<Arc<Principal>>,
    incoming: ModernRequest,
    meta: Arc<RequestMeta>,
    server: Arc<Description>,
) -> Response<Body> {
    let ModernRequest { id, params, .. } = incoming;
    let refuse = |error: RpcError| {
        let status = status_of(&Err(error.clone()));
        respond::error(status, Some(&id), &error.for_version(meta.version))
    };
    let filter = match listen::filter(params.as_deref(), &endpoint.limits) {
        Ok(filter) => filter,
        Err(error) => return refuse(error),
    };
    let permit = match endpoint.streams.admit(principal.as_deref()) {
        Ok(permit) => permit,
        Err(why) => return respond::busy(Some(&id), &why),
    };
    match edge::open_stream(&*endpoint.service, filter, principal).await {
        Ok(listening) => {
            let stream = ListenStream { endpoint, id, meta, server, listening, state: ListenState::Opening };
            respond::detached_event_stream(stream.events()).map(|body| body.holding(permit))
        }
        Err(error) => refuse(error),
    }
}

/// A `subscriptions/listen` request and its stream.
struct ListenStream {
    endpoint: Arc<EndpointState>,
    id: Id,
    meta: Arc<RequestMeta>,
    server: Arc<Description>,
    listening: ChangeSubscription,
    state: ListenState,
}

enum ListenState {
    Opening,
    Open,
    Closed,
}

impl ListenStream {
    fn events(self) -> impl futures_core::Stream<Item = Bytes> + Send {
        unfold(self, |mut subscription| async move {
            let event = subscription.next().await?;
            Some((event, subscription))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        let version = self.meta.version;
        let message = match self.state {
            ListenState::Closed => return None,
            ListenState::Opening => {
                self.state = ListenState::Open;
                listen::acknowledged(&self.id, self.listening.accepted(), version)
            }
            ListenState::Open => tokio::select! {
                biased;
                () = self.endpoint.shutdown.begun() => self.close(),
                change = self.listening.next() => match change {
                    Some(change) => listen::changed(change, Some(&self.id), version),
                    None => self.close(),
                },
                comment = keep_alive(self.endpoint.limits.keep_alive) => return Some(comment),
            },
        };
        let mut event = Vec::with_capacity(message.len() + 8);
        sse::write_event(&mut event, None, None, &message);
        Some(event.into())
    }

    fn close(&mut self) -> Bytes {
        self.state = ListenState::Closed;
        listen::closed(&self.id, &self.server, self.meta.version)
    }
}
