//! The modern form: each POST stands alone. Its answer is one JSON text if the outcome comes before
//! anything else is said, an event stream otherwise. The call runs inside the response, so that a client
//! that goes away takes its call with it, and a client that does not read slows its own call down.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use loggia_wire::jsonrpc::{self, Id, Message};
use loggia_wire::{ErrorCode, Method, Params, RequestMeta, RpcError, codec};

use super::endpoint::{Answer, RequestEra, Shared, principal};
use super::respond::{self, keep_alive};
use super::unfold::unfold;
use super::validate;
use crate::changes::ChangeSubscription;
use crate::edge::notification_filter::NotificationFilter;
use crate::edge::{self, discover, encode_outcome, listen, resolve_input};
use crate::exchange::{CancelGuard, Exchange, Outbox};
use crate::service::{Description, Outcome, Principal, Reply, Request, ResultGuard};
use crate::transport::http::body::{Admission, Body};
use crate::transport::sse;

/// Answers one message of the modern era.
pub(super) fn serve(
    shared: &Arc<Shared>,
    parts: &Parts,
    said: RequestEra,
    message: Message,
    permit: Admission,
) -> Answer {
    match message {
        Message::Request { id, method, params } => {
            let incoming = Incoming { id, method, params, permit };
            request(shared, parts, said, incoming)
        }
        // The core protocol has none for HTTP, and an extension's must not be an error.
        Message::Notification { method, .. } => {
            tracing::trace!(%method, "a notification was ignored");
            Answer::Now(respond::empty(StatusCode::ACCEPTED))
        }
        Message::Response { .. } => Answer::Now(respond::refuse(
            StatusCode::BAD_REQUEST,
            "This revision has no questions to answer with a response",
        )),
    }
}

/// A request as it arrived.
struct Incoming {
    id: Id,
    method: Method,
    params: Option<Params>,
    permit: Admission,
}

fn request(shared: &Arc<Shared>, parts: &Parts, said: RequestEra, incoming: Incoming) -> Answer {
    let server = shared.service.describe();
    let Incoming { id, method, params, .. } = &incoming;
    let meta = match validate::check(shared, &server, &parts.headers, said, method, params.as_ref()) {
        Ok(meta) => meta,
        Err(refusal) => return Answer::Now(respond::error(refusal.status, Some(id), &refusal.error)),
    };
    match method {
        Method::Discover => Answer::Now(discovered(id, &meta, &server)),
        Method::Listen => {
            Answer::Later(Box::pin(subscribe(shared.clone(), principal(parts), incoming, meta, server)))
        }
        _ => Answer::Running(Running::start(shared, principal(parts), incoming, meta, server)),
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
pub(super) struct Running {
    id: Id,
    method: Method,
    server: Arc<Description>,
    notices: NotificationFilter,
    version: loggia_wire::Version,
    call: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    outbox: Outbox,
    /// What was said and not sent yet, as events.
    said: Vec<u8>,
    keep_alive: Duration,
    permit: Admission,
    /// Tells work outside the call's future that the call is over.
    _guard: CancelGuard,
}

impl Running {
    fn start(
        shared: &Arc<Shared>,
        principal: Option<Arc<Principal>>,
        incoming: Incoming,
        meta: Arc<RequestMeta>,
        server: Arc<Description>,
    ) -> Running {
        let Incoming { id, method, params, permit } = incoming;
        let (exchange, outbox, guard) = Exchange::new(None);
        let (version, notices) = (meta.version, NotificationFilter::new(&meta));
        let request = Request { principal, ..edge::request(method.clone(), params, meta) };
        let (owner, keep_alive) = (shared.clone(), shared.limits.keep_alive);
        let call =
            Box::pin(
                async move { resolve_input::run(&*owner.service, request, exchange, &owner.limits).await },
            );
        Running {
            id,
            method,
            server,
            notices,
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
            if let Some(message) = self.notices.write(notification) {
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
    shared: Arc<Shared>,
    principal: Option<Arc<Principal>>,
    incoming: Incoming,
    meta: Arc<RequestMeta>,
    server: Arc<Description>,
) -> Response<Body> {
    let Incoming { id, params, .. } = incoming;
    let refuse = |error: RpcError| {
        let status = status_of(&Err(error.clone()));
        respond::error(status, Some(&id), &error.for_version(meta.version))
    };
    let filter = match listen::filter(params.as_deref(), &shared.limits) {
        Ok(filter) => filter,
        Err(error) => return refuse(error),
    };
    let permit = match shared.streams.admit(principal.as_deref()) {
        Ok(permit) => permit,
        Err(why) => return respond::busy(Some(&id), &why),
    };
    match edge::open_stream(&*shared.service, filter, principal).await {
        Ok(listening) => {
            let stream = Subscription { shared, id, meta, server, listening, state: State::Opening };
            respond::detached_event_stream(stream.events()).map(|body| body.holding(permit))
        }
        Err(error) => refuse(error),
    }
}

/// A `subscriptions/listen` request and its stream.
struct Subscription {
    shared: Arc<Shared>,
    id: Id,
    meta: Arc<RequestMeta>,
    server: Arc<Description>,
    listening: ChangeSubscription,
    state: State,
}

enum State {
    Opening,
    Open,
    Closed,
}

impl Subscription {
    fn events(self) -> impl futures_core::Stream<Item = Bytes> + Send {
        unfold(self, |mut subscription| async move {
            let event = subscription.next().await?;
            Some((event, subscription))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        let version = self.meta.version;
        let message = match self.state {
            State::Closed => return None,
            State::Opening => {
                self.state = State::Open;
                listen::acknowledged(&self.id, self.listening.accepted(), version)
            }
            State::Open => tokio::select! {
                biased;
                () = self.shared.shutdown.begun() => self.close(),
                change = self.listening.next() => match change {
                    Some(change) => listen::changed(change, Some(&self.id), version),
                    None => self.close(),
                },
                comment = keep_alive(self.shared.limits.keep_alive) => return Some(comment),
            },
        };
        let mut event = Vec::with_capacity(message.len() + 8);
        sse::write_event(&mut event, None, None, &message);
        Some(event.into())
    }

    fn close(&mut self) -> Bytes {
        self.state = State::Closed;
        listen::closed(&self.id, &self.server, self.meta.version)
    }
}
