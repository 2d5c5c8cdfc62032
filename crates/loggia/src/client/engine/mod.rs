//! One connection to a server, as a state machine without I/O: the pending requests and their deadlines, the
//! questions of the server and their requests, and the opening before all of them.
//!
//! The driver reports events ([`Engine::opened`], [`Engine::start`], [`Engine::handle`], [`Engine::handle_timeout`]
//! at [`Engine::deadline`] …) and executes the results of [`Engine::poll`] and [`Engine::poll_transmit`], until both
//! return `None`. The time is always an argument.

mod messages;
mod opening;
mod pending;
mod session;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use loggia_wire::jsonrpc::Id;
use loggia_wire::model::{ClientCapabilities, Implementation, LoggingLevel, Meta};
use loggia_wire::{Method, Params, RawJson, RpcError, Version};

use crate::client::era::Negotiation;
use crate::client::link_event::{LinkEvent, Outgoing, RequestFailure, SessionRefusal};
use crate::client::negotiate::{Opening, OpeningAnswer, OpeningTimeouts, ServerFacts};
use crate::client::noise::{NoiseBudget, UnreadableMessage};
use crate::error::Error;
use crate::transport::child::StartClock;
use pending::PendingCall;

#[cfg_attr(not(feature = "http-client"), allow(unused_imports, reason = "only HTTP shares it"))]
pub(crate) use write::Composer;

/// Settings of an engine.
#[derive(Debug, Clone)]
pub(crate) struct EngineSettings {
    pub identity: Implementation,
    pub capabilities: ClientCapabilities,
    pub negotiation: Negotiation,
    pub patience: OpeningTimeouts,
    /// The longest time without a sign of work before the first message of a server that is started as a process;
    /// `None` if no process is started.
    pub start_limit: Option<Duration>,
    /// True if each request has a stream of its own (Streamable HTTP). In the modern era, closing the stream cancels
    /// the request.
    pub own_streams: bool,
    /// True if a lost connection can be opened again.
    pub reopens: bool,
    /// True if the HTTP+SSE transport may be tried.
    pub sse_allowed: bool,
    /// The maximum number of the server's questions that are answered at the same time.
    pub most_asks: usize,
    /// The maximum number of bytes that are not messages; above it the connection is closed, see [`NoiseBudget`].
    pub most_noise: usize,
    /// The span in which the client was created. It shows in the log to which server a line belongs.
    pub(crate) span: tracing::Span,
    /// The maximum length of an answer during the opening, in bytes.
    pub most_opening: usize,
}

/// The ids of requests. An id is never used twice by a client.
#[derive(Debug, Clone)]
pub(crate) struct RequestIds(Arc<AtomicI64>);

impl RequestIds {
    pub(crate) fn new() -> RequestIds {
        RequestIds(Arc::new(AtomicI64::new(1)))
    }

    pub(crate) fn next(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// One request of the program.
#[derive(Debug, Clone)]
pub(crate) struct OutgoingCall {
    pub method: Method,
    pub params: Params,
    pub meta: Meta,
    /// Replaces the declared capabilities, in the modern era.
    pub capabilities: Option<ClientCapabilities>,
    pub log_level: Option<LoggingLevel>,
    /// True if the request asks for progress.
    pub progress: bool,
    /// True if the request has a handler of its own for the server's questions.
    pub own_input: bool,
    pub timing: CallTiming,
    /// The arguments that are mirrored into HTTP headers, encoded.
    pub headers: Vec<(String, String)>,
}

/// The time limits of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CallTiming {
    /// The longest time after the request, its last progress or its last question.
    pub idle: Option<Duration>,
    /// The time of the whole request, without the time in which the program answers questions.
    pub total: Option<Duration>,
}

/// The answer to a request, and its revision.
#[derive(Debug, Clone)]
pub struct RawReply {
    /// The revision of the connection that carried it.
    pub version: Version,
    /// The `result` member, unchanged.
    pub result: RawJson,
}

/// An instruction to the driver.
#[derive(Debug)]
pub(crate) enum EngineOutput {
    /// A request ended.
    Finished { id: i64, outcome: Result<RawReply, Error> },
    /// A notification of the server. `call` is its request, if it is known.
    Notification { call: Option<i64>, method: Method, params: Option<RawJson> },
    /// A question of the server.
    Ask { id: Id, call: Option<i64>, method: Method, params: Option<RawJson> },
    /// The answer to this question is no longer needed.
    DropAsk(Id),
    /// The opening succeeded: requests can be sent.
    Ready(Arc<ServerFacts>),
    /// The opening failed.
    Refused(Error),
    /// Close the connection and open it again: the opening continues there.
    Reopen,
    /// Open the HTTP+SSE transport.
    OpenSse,
    /// The stream of this request is no longer needed (only with `own_streams`).
    Abandon(i64),
    /// The connection ended, or must be closed because the peer violates the protocol.
    Lost(String),
}

/// The state machine.
pub(crate) struct Engine {
    settings: EngineSettings,
    ids: RequestIds,
    composer: Arc<Composer>,
    phase: EnginePhase,
    /// The version of the last connection.
    known: Option<Version>,
    pending: BTreeMap<i64, PendingCall>,
    deadlines: BTreeSet<(Instant, i64)>,
    /// The server's questions, with the request of each.
    asks: HashMap<Id, Option<i64>>,
    transmits: VecDeque<Outgoing>,
    outputs: VecDeque<EngineOutput>,
    noise: NoiseBudget,
}

enum EnginePhase {
    Down,
    Opening {
        machine: Box<Opening>,
        asked: Option<OpeningRequest>,
        overdue: Option<i64>,
        closed: Option<String>,
        /// Runs until the first message of a server that was started as a process.
        start: Option<StartClock>,
    },
    Ready(Arc<ServerFacts>),
}

#[derive(Debug, Clone, Copy)]
struct OpeningRequest {
    id: i64,
    /// The start of the probe, or the first message of the server after it.
    since: Instant,
    limit: Duration,
    /// True if silence until the limit is an answer, too: that of a legacy server.
    is_probe: bool,
}

impl OpeningRequest {
    /// Returns the time at which the probe counts as unanswered.
    fn until(&self, start: Option<&StartClock>) -> Instant {
        match start {
            Some(clock) if self.is_probe => clock.silent_at(self.limit),
            Some(clock) => clock.give_up_at(),
            None => self.since + self.limit,
        }
    }
}

impl Engine {
    /// Creates an engine without a connection. `known` is the last revision of the server.
    pub(crate) fn new(settings: EngineSettings, ids: RequestIds, known: Option<Version>) -> Engine {
        let composer = Arc::new(Composer::new(&settings));
        let noise = NoiseBudget::new(settings.most_noise);
        Engine {
            settings,
            ids,
            composer,
            phase: EnginePhase::Down,
            known,
            pending: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            asks: HashMap::new(),
            transmits: VecDeque::new(),
            outputs: VecDeque::new(),
            noise,
        }
    }

    /// Returns the writer of its requests.
    #[cfg(feature = "http-client")]
    pub(crate) fn composer(&self) -> Arc<Composer> {
        self.composer.clone()
    }

    /// Returns the next output. Call it until it returns `None`.
    pub(crate) fn poll(&mut self) -> Option<EngineOutput> {
        self.outputs.pop_front()
    }

    /// Returns the next message to send. Call it when the connection has room.
    pub(crate) fn poll_transmit(&mut self) -> Option<Outgoing> {
        self.transmits.pop_front()
    }

    /// Returns the number of queued messages.
    pub(crate) fn transmits(&self) -> usize {
        self.transmits.len()
    }

    /// Returns the time at which [`Engine::handle_timeout`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let opening = match &self.phase {
            EnginePhase::Opening { asked: Some(asked), start, .. } => Some(asked.until(start.as_ref())),
            _ => None,
        };
        opening.into_iter().chain(self.deadlines.first().map(|(at, _)| *at)).min()
    }

    /// Handles an open connection: starts or continues the opening.
    pub(crate) fn opened(&mut self, now: Instant) {
        self.noise.reset();
        let clock = self.settings.start_limit.map(|limit| StartClock::new(now, limit));
        match &mut self.phase {
            EnginePhase::Opening { machine, closed, start, .. } if closed.is_some() => {
                *start = clock;
                let reason = closed.take().unwrap_or_default();
                let step = machine.answer(OpeningAnswer::Closed(reason));
                self.step(now, step);
            }
            _ => self.begin_opening(now, clock),
        }
    }

    /// Handles a connection that could not be opened: the requests that wait for one fail.
    pub(crate) fn unreachable(&mut self, error: &Error) {
        self.phase = EnginePhase::Down;
        self.fail_waiting(error);
    }

    /// Starts a request. It waits if the connection is not ready.
    pub(crate) fn start(&mut self, now: Instant, id: i64, call: OutgoingCall) {
        let pending = PendingCall::new(now, call);
        self.pending.insert(id, pending);
        self.schedule(id);
        if matches!(self.phase, EnginePhase::Ready(_)) {
            self.send_request(id);
        }
    }

    /// Cancels a request of the program.
    pub(crate) fn cancel(&mut self, id: i64) {
        if self.withdraw(id, "the caller no longer waits").is_some() {
            tracing::trace!(id, "request cancelled");
        }
    }

    /// Handles the program's answer to a question of the server.
    pub(crate) fn answer(&mut self, now: Instant, ask: &Id, outcome: Result<RawJson, RpcError>) {
        let Some(call) = self.asks.remove(ask) else { return };
        self.respond(ask, outcome);
        if let Some(call) = call {
            self.ask_ended(now, call);
        }
    }

    /// Sends a notification, if the connection is ready for it.
    pub(crate) fn notify(&mut self, method: Method, params: Option<&RawJson>) {
        if let EnginePhase::Ready(facts) = &self.phase
            && method.exists_in(facts.version)
        {
            let version = facts.version;
            self.transmit_notification(version, method, params);
        }
    }

    /// Handles a report of the connection.
    pub(crate) fn handle(&mut self, now: Instant, event: LinkEvent) {
        match event {
            LinkEvent::Message { stream, message } => {
                self.spoke(now);
                match self.message(now, stream, message) {
                    Ok(()) => self.noise.reset(),
                    Err(noise) => self.note_noise(now, &noise),
                }
            }
            LinkEvent::Unreadable { stream, noise } => self.unreadable(now, stream, noise),
            LinkEvent::Starting(sign) => {
                if let EnginePhase::Opening { start: Some(clock), .. } = &mut self.phase {
                    clock.handle_sign(now, &sign);
                }
            }
            LinkEvent::Failed { id, failure } => self.failed(now, id, failure),
            LinkEvent::SessionExpired => {
                if matches!(self.phase, EnginePhase::Ready(_)) {
                    self.begin_opening(now, None);
                }
            }
            LinkEvent::SseOpened(outcome) => {
                if let EnginePhase::Opening { machine, .. } = &mut self.phase {
                    let step = machine.sse_opened(outcome);
                    self.step(now, step);
                }
            }
            LinkEvent::Closed(reason) => self.closed(reason),
        }
    }

    /// Handles the timeouts that have expired at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.opening_timeout(now);
        while let Some((at, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, id));
            let Some(pending) = self.withdraw(id, "no answer in time") else { continue };
            let after = if pending.total_at == Some(at) {
                pending.call.timing.total
            } else {
                pending.call.timing.idle
            };
            self.outputs.push_back(EngineOutput::Finished {
                id,
                outcome: Err(Error::timeout(after.unwrap_or_default())),
            });
        }
    }

    fn failed(&mut self, now: Instant, id: i64, failure: RequestFailure) {
        let in_opening =
            matches!(&self.phase, EnginePhase::Opening { asked: Some(asked), .. } if asked.id == id);
        if in_opening {
            let answer = match failure {
                RequestFailure::Status { status, message } => OpeningAnswer::Status { status, message },
                RequestFailure::Session(SessionRefusal { error, .. }) => OpeningAnswer::Failed(error),
                RequestFailure::Ended => {
                    OpeningAnswer::Closed("the stream ended before the answer came".to_owned())
                }
                // The server answered, but not as a modern server would.
                RequestFailure::Error(Error::Protocol(message)) => {
                    OpeningAnswer::Status { status: 200, message }
                }
                RequestFailure::Error(error) => OpeningAnswer::Failed(error),
            };
            self.opening_answered(now, id, answer);
            return;
        }
        match failure {
            RequestFailure::Session(refusal) => self.session_refused(now, id, refusal),
            failure => self.finish(id, Err(failure.into_error())),
        }
    }

    fn closed(&mut self, reason: String) {
        for (id, _) in std::mem::take(&mut self.asks) {
            self.outputs.push_back(EngineOutput::DropAsk(id));
        }
        self.transmits.clear();
        if let EnginePhase::Opening { machine, asked, closed, .. } = &mut self.phase
            && self.settings.reopens
            && machine.survives_close()
        {
            *asked = None;
            *closed = Some(reason);
            return self.outputs.push_back(EngineOutput::Reopen);
        }
        let opening = matches!(self.phase, EnginePhase::Opening { .. });
        self.phase = EnginePhase::Down;
        let sent: Vec<i64> =
            self.pending.iter().filter(|(_, p)| p.sent.is_some()).map(|(id, _)| *id).collect();
        for id in sent {
            self.finish(id, Err(Error::Connection(reason.clone())));
        }
        if opening {
            let error = Error::Connection(reason);
            self.fail_waiting(&error);
            self.outputs.push_back(EngineOutput::Refused(error));
        } else {
            self.outputs.push_back(EngineOutput::Lost(reason));
        }
    }

    /// Handles an unreadable message. If it is the answer to a request, the request fails; otherwise it is skipped,
    /// up to a bound.
    fn unreadable(&mut self, now: Instant, stream: Option<i64>, noise: UnreadableMessage) {
        let answered = noise.answers(stream.or_else(|| self.only_request()));
        match answered.filter(|id| self.is_under_way(*id)) {
            Some(id) => self.failed(now, id, RequestFailure::Error(noise.into_error())),
            None => self.note_noise(now, &noise),
        }
    }

    fn is_under_way(&self, id: i64) -> bool {
        let asked = matches!(&self.phase, EnginePhase::Opening { asked: Some(asked), .. } if asked.id == id);
        asked || self.pending.get(&id).is_some_and(|pending| pending.sent.is_some())
    }

    fn note_noise(&mut self, now: Instant, noise: &UnreadableMessage) {
        let counted = self.settings.span.in_scope(|| self.noise.count(now, noise));
        if let Err(reason) = counted {
            self.closed(reason);
        }
    }
}

impl OutgoingCall {
    /// Creates a request with only a method.
    pub(crate) fn bare(method: Method) -> OutgoingCall {
        OutgoingCall {
            method,
            params: Params::empty(),
            meta: Meta::new(),
            capabilities: None,
            log_level: None,
            progress: false,
            own_input: false,
            timing: CallTiming::default(),
            headers: Vec::new(),
        }
    }
}
