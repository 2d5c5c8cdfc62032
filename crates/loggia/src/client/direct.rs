//! A request to a modern server over HTTP, made in the task of its caller. It does not need the client's task: it has
//! a connection of its own, dropping it cancels it, and the server asks no questions during it. All other requests go
//! through the client's task. So does a request to a server that has changed its revisions since the connection,
//! because the task negotiates.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use loggia_wire::jsonrpc::Id;
use loggia_wire::{ErrorCode, Message, Method, RawJson, RpcError, meta};
use tokio::time::{Instant, Sleep};

use crate::client::engine::{CallTiming, OutgoingCall, RawReply};
use crate::client::era::Negotiation;
use crate::client::http::{EventStream, HttpRemote, PostReply, RequestContext};
use crate::client::link_event::{self, RequestFailure};
use crate::client::negotiate::ServerFacts;
use crate::client::noise::{NoiseBudget, UnreadableMessage};
use crate::client::{Client, ClientState, NotificationSink};
use crate::clock::runtime_now;
use crate::error::{Error, Result};

/// A server to which requests can be made directly.
pub(crate) struct DirectServer {
    remote: Arc<HttpRemote>,
    facts: Arc<ServerFacts>,
}

impl ClientState {
    /// Records that the connection is ready.
    pub(crate) fn set_direct(&self, remote: Option<Arc<HttpRemote>>, facts: &Arc<ServerFacts>) {
        let modern = facts.version.is_modern();
        let direct = remote.filter(|_| modern).map(|remote| DirectServer { remote, facts: facts.clone() });
        *self.direct.write().unwrap_or_else(PoisonError::into_inner) = direct.map(Arc::new);
    }

    /// Records that the client's task is ending.
    pub(crate) fn end_direct(&self) {
        self.forget_direct();
        self.over.begin();
    }

    /// Records that the connection is lost.
    pub(crate) fn forget_direct(&self) {
        *self.direct.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn direct(&self) -> Option<Arc<DirectServer>> {
        self.direct.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Client {
    /// Makes a request in the task of its caller; `None` if it has to go through the client's task.
    pub(crate) async fn directly(
        &self,
        call: &OutgoingCall,
        sink: Option<&NotificationSink>,
    ) -> Option<Result<RawReply>> {
        // A request without time limits is a subscription, which needs the task.
        let direct = self.common().direct().filter(|_| call.timing != CallTiming::default())?;
        let common = self.common();
        let noise = NoiseBudget::new(common.options.limits.malformed);
        let exchange = DirectCall { common, direct: &direct, id: common.ids.next(), call, sink, noise };
        // The future is large and waits most of the time.
        let outcome = tokio::select! {
            biased;
            outcome = Box::pin(exchange.run()) => outcome,
            () = common.over.begun() => Err(self.gone()),
        };
        match outcome {
            Err(Error::Rpc(error)) if common.must_renegotiate(&error) => None,
            outcome => Some(outcome),
        }
    }
}

impl ClientState {
    /// Returns whether the server has changed its revisions. In that case it has not processed the request.
    fn must_renegotiate(&self, error: &RpcError) -> bool {
        error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION && self.options.negotiation == Negotiation::Auto
    }
}

/// One request and its responses.
struct DirectCall<'a> {
    common: &'a ClientState,
    direct: &'a DirectServer,
    id: i64,
    call: &'a OutgoingCall,
    sink: Option<&'a NotificationSink>,
    noise: NoiseBudget,
}

impl DirectCall<'_> {
    async fn run(mut self) -> Result<RawReply> {
        let version = self.direct.facts.version;
        if !self.call.method.exists_in(version) {
            return Err(Error::Rpc(RpcError::method_not_found(self.call.method.as_str())));
        }
        let outgoing = self.common.composer.request(self.call, version, self.id)?;
        link_event::trace(true, &outgoing.body);
        let mut clock = CallTimer::new(self.call.timing);
        let request = RequestContext::without_session(self.id);
        let asking = self.direct.remote.ask(&request, &self.call.method, &outgoing);
        match clock.limit(asking).await?.map_err(RequestFailure::into_error)? {
            PostReply::Text(text) => {
                let answer = self.read(&text, &mut clock)?;
                answer.ok_or_else(|| {
                    Error::Protocol("the body of the response does not hold the answer".to_owned())
                })
            }
            PostReply::Events(stream) => self.follow(*stream, &mut clock).await,
            PostReply::Error(error) => Err(Error::Rpc(error)),
            PostReply::Elsewhere => Err(RequestFailure::Ended.into_error()),
        }
    }

    /// Reads events until one contains the answer.
    async fn follow(&mut self, mut stream: EventStream, clock: &mut CallTimer) -> Result<RawReply> {
        loop {
            let event = clock.limit(stream.next()).await??;
            let event = event.ok_or_else(|| RequestFailure::Ended.into_error())?;
            if event.data.is_empty() || event.name.is_some_and(|name| name != "message") {
                continue;
            }
            if let Some(answer) = self.read(&event.data.into(), clock)? {
                return Ok(answer);
            }
        }
    }

    /// Reads the messages of one text.
    fn read(&mut self, text: &Bytes, clock: &mut CallTimer) -> Result<Option<RawReply>> {
        let mut answer = None;
        for message in link_event::decode(text) {
            match message {
                Ok(Message::Response { id, outcome }) => match id {
                    // On a request's own stream, an error without an id can only be its answer.
                    None => answer = Some(outcome),
                    Some(Id::Number(id)) if id == self.id => answer = Some(outcome),
                    Some(id) => tracing::debug!(%id, "an answer to a request that was not made here"),
                },
                Ok(Message::Notification { method, params }) => {
                    self.noise.reset();
                    self.notified(&method, params.as_ref(), clock);
                }
                Ok(Message::Request { method, .. }) => {
                    // There is no answer: in the modern era clients send no responses.
                    let what = format!("a request ({method}) from a server of the modern era");
                    self.note_noise(&UnreadableMessage::of_message(what))?;
                }
                Err(noise) if noise.answers(Some(self.id)) == Some(self.id) => return Err(noise.into_error()),
                Err(noise) => self.note_noise(&noise)?,
            }
        }
        let version = self.direct.facts.version;
        answer
            .map(|outcome| outcome.map(|result| RawReply { version, result }))
            .transpose()
            .map_err(Error::Rpc)
    }

    fn notified(&self, method: &Method, params: Option<&RawJson>, clock: &mut CallTimer) {
        if *method == Method::Progress {
            let token = params.and_then(|params| params.member(meta::PROGRESS_TOKEN));
            if token != Some(self.id.to_string().as_bytes()) {
                return tracing::debug!("progress of a request that is not pending");
            }
            clock.heard();
        }
        self.common.notified(self.sink, method, params);
    }

    fn note_noise(&mut self, noise: &UnreadableMessage) -> Result<()> {
        self.common.span.in_scope(|| self.noise.count(runtime_now(), noise)).map_err(Error::Protocol)
    }
}

/// The remaining time of a request.
struct CallTimer {
    timing: CallTiming,
    ends: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl CallTimer {
    fn new(timing: CallTiming) -> CallTimer {
        let now = Instant::now();
        let ends = timing.total.map(|total| now + total);
        let sleep = Box::pin(tokio::time::sleep_until(CallTimer::due(timing, now, ends)));
        CallTimer { timing, ends, sleep }
    }

    fn due(timing: CallTiming, now: Instant, ends: Option<Instant>) -> Instant {
        let idle = timing.idle.map(|idle| now + idle);
        // A request with neither limit is not made here.
        idle.into_iter().chain(ends).min().unwrap_or(now)
    }

    /// Waits for `work`, but at most for the remaining time.
    async fn limit<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        let (timing, ends) = (self.timing, self.ends);
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.sleep.as_mut() => {
                let in_all = ends.is_some_and(|ends| ends <= self.sleep.deadline());
                let after = if in_all { timing.total } else { timing.idle };
                Err(Error::timeout(after.unwrap_or_default()))
            }
        }
    }

    /// Starts the time of silence again.
    fn heard(&mut self) {
        let due = CallTimer::due(self.timing, Instant::now(), self.ends);
        self.sleep.as_mut().reset(due);
    }
}
