//! One connection to a server as a machine without I/O: which requests wait for which answers and until
//! when, what the server asks back and on whose behalf, and the opening that comes before everything else.
//!
//! The driver feeds it with what happens ([`Engine::opened`], [`Engine::start`], [`Engine::handle`],
//! [`Engine::handle_timeout`] at [`Engine::deadline`] …) and carries out what [`Engine::poll`] and
//! [`Engine::poll_transmit`] give, until both are empty. Time is an argument everywhere.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use loggia_wire::jsonrpc::{self, Id};
use loggia_wire::model::{CancelledParams, ClientCapabilities, Implementation, LoggingLevel, Meta};
use loggia_wire::{ErrorCode, Message, Method, RawJson, RpcError, Version, codec};

use crate::client::era::Negotiation;
use crate::client::link::{Failure, Kind, LinkEvent, Outgoing};
use crate::client::negotiate::{Answer, Opening, Patience, ServerFacts, Step};
use crate::client::params::{self, ClientMeta, MetaPatch};
use crate::error::Error;

/// What an engine never changes.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub identity: Implementation,
    pub capabilities: ClientCapabilities,
    pub negotiation: Negotiation,
    pub patience: Patience,
    /// Whether each request has a stream of its own (Streamable HTTP): then closing it is cancelling, in
    /// the stateless era.
    pub own_streams: bool,
    /// Whether the HTTP+SSE transport may be tried.
    pub sse_allowed: bool,
    /// Most questions of the server's that are answered at once.
    pub most_asks: usize,
    /// Most malformed messages in a row before the connection is given up.
    pub most_malformed: usize,
}

/// The numbers of requests: never used twice in a client's life.
#[derive(Debug, Clone)]
pub(crate) struct Ids(Arc<AtomicI64>);

impl Ids {
    pub(crate) fn new() -> Ids {
        Ids(Arc::new(AtomicI64::new(1)))
    }

    pub(crate) fn next(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// One request of the program's.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub method: Method,
    pub params: RawJson,
    pub meta: Meta,
    /// Overrides what is declared, in the stateless era.
    pub capabilities: Option<ClientCapabilities>,
    pub log_level: Option<LoggingLevel>,
    /// Whether to ask for progress.
    pub progress: bool,
    /// Whether the server's questions during this request have a handler of their own.
    pub own_input: bool,
    pub timing: Timing,
    /// What HTTP repeats of the arguments, encoded.
    pub headers: Vec<(String, String)>,
}

/// How long a request may take.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timing {
    /// Between signs of life: the request itself, its progress, its questions.
    pub idle: Option<Duration>,
    /// In all, questions to the program not counted.
    pub total: Option<Duration>,
}

/// The answer to a request and the revision it is written in.
#[derive(Debug, Clone)]
pub struct RawReply {
    /// The revision of the connection that carried it.
    pub version: Version,
    /// The `result` member, exactly as the server wrote it.
    pub result: RawJson,
}

/// What the driver is to do.
#[derive(Debug)]
pub(crate) enum Output {
    /// A request ended.
    Finished { id: i64, outcome: Result<RawReply, Error> },
    /// The server told something, `call` being the request it belongs to where that is known.
    Notification { call: Option<i64>, method: Method, params: Option<RawJson> },
    /// The server asks something.
    Ask { id: Id, call: Option<i64>, method: Method, params: Option<RawJson> },
    /// The answer to that question is no longer wanted.
    DropAsk(Id),
    /// The opening succeeded; requests flow.
    Ready(Arc<ServerFacts>),
    /// The opening failed.
    Refused(Error),
    /// Close the connection and open it again: the opening goes on there.
    Reopen,
    /// The HTTP+SSE transport is to be opened.
    OpenSse,
    /// The stream of this request is no longer wanted (own streams only).
    Abandon(i64),
    /// The connection ended, or must be ended because the peer makes no sense.
    Lost(String),
}

/// The machine.
pub(crate) struct Engine {
    settings: Settings,
    ids: Ids,
    /// The identity and the capabilities as every stateless request carries them.
    info: RawJson,
    capabilities: RawJson,
    phase: Phase,
    /// What was agreed on last time.
    known: Option<Version>,
    pending: BTreeMap<i64, Pending>,
    deadlines: BTreeSet<(Instant, i64)>,
    /// The server's questions, and the request each belongs to.
    asks: HashMap<Id, Option<i64>>,
    transmits: VecDeque<Outgoing>,
    outputs: VecDeque<Output>,
    malformed: usize,
}

enum Phase {
    Down,
    Opening { machine: Box<Opening>, asked: Option<Asked>, overdue: Option<i64>, closed: Option<String> },
    Ready(Arc<ServerFacts>),
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    id: i64,
    until: Instant,
}

struct Pending {
    call: Call,
    /// The revision it was sent in; `None` while it waits to be sent.
    sent: Option<Version>,
    /// Whether it went back to waiting once.
    retried: bool,
    idle_at: Option<Instant>,
    total_at: Option<Instant>,
    open_asks: usize,
    paused_at: Option<Instant>,
}

impl Engine {
    /// An engine without a connection. `known` is what the server spoke last time.
    pub(crate) fn new(settings: Settings, ids: Ids, known: Option<Version>) -> Engine {
        let info = codec::encode_params(settings.identity.clone(), Version::LATEST);
        let capabilities = codec::encode_params(settings.capabilities.clone(), Version::LATEST);
        Engine {
            settings,
            ids,
            info,
            capabilities,
            phase: Phase::Down,
            known,
            pending: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            asks: HashMap::new(),
            transmits: VecDeque::new(),
            outputs: VecDeque::new(),
            malformed: 0,
        }
    }

    /// The next thing to do. Call until `None`.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next message to send. Call when the connection has room.
    pub(crate) fn poll_transmit(&mut self) -> Option<Outgoing> {
        self.transmits.pop_front()
    }

    /// How many messages wait to be sent.
    pub(crate) fn transmits(&self) -> usize {
        self.transmits.len()
    }

    /// When [`Engine::handle_timeout`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let opening = match &self.phase {
            Phase::Opening { asked: Some(asked), .. } => Some(asked.until),
            _ => None,
        };
        opening.into_iter().chain(self.deadlines.first().map(|(at, _)| *at)).min()
    }

    /// A connection is open: begin, or go on, with the opening.
    pub(crate) fn opened(&mut self, now: Instant) {
        self.malformed = 0;
        match &mut self.phase {
            Phase::Opening { machine, closed, .. } if closed.is_some() => {
                let reason = closed.take().unwrap_or_default();
                let step = machine.answer(Answer::Closed(reason));
                self.step(now, step);
            }
            _ => self.begin_opening(now),
        }
    }

    /// No connection could be opened: whatever waits for one fails.
    pub(crate) fn unreachable(&mut self, error: &Error) {
        self.phase = Phase::Down;
        self.fail_waiting(&error.to_string());
    }

    /// Starts a request. It waits where the connection is not ready.
    pub(crate) fn start(&mut self, now: Instant, id: i64, call: Call) {
        let pending = Pending {
            idle_at: call.timing.idle.map(|idle| now + idle),
            total_at: call.timing.total.map(|total| now + total),
            call,
            sent: None,
            retried: false,
            open_asks: 0,
            paused_at: None,
        };
        self.pending.insert(id, pending);
        self.schedule(id);
        if matches!(self.phase, Phase::Ready(_)) {
            self.send_request(id);
        }
    }

    /// The program no longer wants the request.
    pub(crate) fn cancel(&mut self, id: i64) {
        if self.withdraw(id, "the caller no longer waits").is_some() {
            tracing::trace!(id, "request cancelled");
        }
    }

    /// The program's answer to a question of the server's.
    pub(crate) fn answer(&mut self, now: Instant, ask: &Id, outcome: Result<RawJson, RpcError>) {
        let Some(call) = self.asks.remove(ask) else { return };
        self.respond(ask, outcome);
        if let Some(call) = call {
            self.ask_ended(now, call);
        }
    }

    /// Sends a notification, where the connection is ready for it.
    pub(crate) fn notify(&mut self, method: Method, params: Option<&RawJson>) {
        if let Phase::Ready(facts) = &self.phase
            && method.exists_in(facts.version)
        {
            let version = facts.version;
            self.transmit_notification(version, method, params);
        }
    }

    /// Takes what the connection reports.
    pub(crate) fn handle(&mut self, now: Instant, event: LinkEvent) {
        match event {
            LinkEvent::Message { stream, message } => {
                self.malformed = 0;
                self.message(now, stream, message);
            }
            LinkEvent::Malformed(error) => self.note_malformed(&error.to_string()),
            LinkEvent::Failed { id, failure } => self.failed(now, id, failure),
            LinkEvent::SessionExpired => {
                if matches!(self.phase, Phase::Ready(_)) {
                    self.begin_opening(now);
                }
            }
            LinkEvent::SseOpened(outcome) => {
                if let Phase::Opening { machine, .. } = &mut self.phase {
                    let step = machine.sse_opened(outcome);
                    self.step(now, step);
                }
            }
            LinkEvent::Closed(reason) => self.closed(reason),
        }
    }

    /// What is due at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Opening { machine, asked, overdue, .. } = &mut self.phase
            && let Some(late) = asked.filter(|asked| asked.until <= now)
        {
            *overdue = Some(late.id);
            *asked = None;
            let step = machine.answer(Answer::Silence);
            self.step(now, step);
        }
        while let Some((at, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, id));
            let Some(pending) = self.withdraw(id, "no answer in time") else { continue };
            let after = if pending.total_at == Some(at) {
                pending.call.timing.total
            } else {
                pending.call.timing.idle
            };
            self.outputs
                .push_back(Output::Finished { id, outcome: Err(Error::Timeout(after.unwrap_or_default())) });
        }
    }

    // Opening -------------------------------------------------------------------------------------------

    fn begin_opening(&mut self, now: Instant) {
        let Settings { negotiation, patience, sse_allowed, .. } = self.settings;
        let mut machine = Box::new(Opening::new(negotiation, patience, self.known, sse_allowed));
        let step = machine.start();
        self.phase = Phase::Opening { machine, asked: None, overdue: None, closed: None };
        self.step(now, step);
    }

    fn step(&mut self, now: Instant, step: Step) {
        match step {
            Step::Ask { method, version, limit } => self.ask_server(now, method, version, limit),
            Step::OpenSse => self.outputs.push_back(Output::OpenSse),
            Step::Done(facts) => self.ready(Arc::new(*facts)),
            Step::Failed(error) => {
                self.phase = Phase::Down;
                self.fail_waiting(&error.to_string());
                self.outputs.push_back(Output::Refused(error));
            }
        }
    }

    fn ask_server(&mut self, now: Instant, method: Method, version: Version, limit: Duration) {
        let id = self.ids.next();
        if let Phase::Opening { asked, .. } = &mut self.phase {
            *asked = Some(Asked { id, until: now + limit });
        }
        let params = match method {
            Method::Initialize => Ok(Some(self.initialize_params(version))),
            _ => self.compose(&Call::bare(method.clone()), version, id),
        };
        match params {
            Ok(params) => self.transmit_request(id, method, version, params, Vec::new()),
            // Our own parameters are objects: this cannot happen, and must not hang if it does.
            Err(error) => self.outputs.push_back(Output::Refused(error)),
        }
    }

    fn initialize_params(&self, version: Version) -> RawJson {
        // Each part is written as the revision has it; together they are the params.
        let part = |name, value| (name, Some(value));
        let parts = [
            part("protocolVersion", RawJson::from(&serde_json::Value::from(version.as_str()))),
            part("capabilities", codec::encode_params(self.settings.capabilities.clone(), version)),
            part("clientInfo", codec::encode_params(self.settings.identity.clone(), version)),
        ];
        params::with_members(&RawJson::empty_object(), &parts).unwrap_or(RawJson::empty_object())
    }

    fn ready(&mut self, facts: Arc<ServerFacts>) {
        self.known = Some(facts.version);
        if !facts.version.is_stateless() {
            self.transmit_notification(facts.version, Method::Initialized, None);
        }
        self.phase = Phase::Ready(facts.clone());
        self.outputs.push_back(Output::Ready(facts));
        let waiting: Vec<i64> =
            self.pending.iter().filter(|(_, p)| p.sent.is_none()).map(|(id, _)| *id).collect();
        for id in waiting {
            self.send_request(id);
        }
    }

    /// The part of the opening's questions that `id` answers, if any.
    fn opening_answered(&mut self, now: Instant, id: i64, answer: Answer) -> Option<Answer> {
        let Phase::Opening { machine, asked, overdue, .. } = &mut self.phase else { return Some(answer) };
        if asked.is_some_and(|asked| asked.id == id) {
            *asked = None;
            let step = machine.answer(answer);
            self.step(now, step);
            None
        } else if *overdue == Some(id) {
            *overdue = None;
            machine.late_answer(answer);
            None
        } else {
            Some(answer)
        }
    }

    // Requests ------------------------------------------------------------------------------------------

    fn send_request(&mut self, id: i64) {
        let Phase::Ready(facts) = &self.phase else { return };
        let version = facts.version;
        let Some(pending) = self.pending.get_mut(&id) else { return };
        pending.sent = Some(version);
        let call = pending.call.clone();
        if !call.method.exists_in(version) {
            let error = RpcError::method_not_found(call.method.as_str());
            return self.finish(id, Err(Error::Rpc(error)));
        }
        match self.compose(&call, version, id) {
            Ok(params) => self.transmit_request(id, call.method, version, params, call.headers),
            Err(error) => self.finish(id, Err(error)),
        }
    }

    fn compose(&self, call: &Call, version: Version, id: i64) -> Result<Option<RawJson>, Error> {
        let declared = call.capabilities.clone().map(|declared| codec::encode_params(declared, version));
        let client = version.is_stateless().then_some(ClientMeta {
            version,
            info: &self.info,
            capabilities: declared.as_ref().unwrap_or(&self.capabilities),
            log_level: call.log_level,
        });
        let patch =
            MetaPatch { client, progress_token: call.progress.then_some(id), extra: Some(&call.meta) };
        params::compose(&call.params, &patch)
    }

    /// Forgets a request without an answer, telling the server where that is possible.
    fn withdraw(&mut self, id: i64, reason: &str) -> Option<Pending> {
        let pending = self.forget(id)?;
        if let Some(version) = pending.sent {
            if !(self.settings.own_streams && version.is_stateless()) {
                let params = CancelledParams::new(Id::Number(id), Some(reason.to_owned()));
                // Numbers and strings: cannot fail to serialize.
                if let Ok(params) = RawJson::encode(&params) {
                    self.transmit_notification(version, Method::Cancelled, Some(&params));
                }
            }
            self.outputs.push_back(Output::Abandon(id));
        }
        self.drop_asks_of(id);
        Some(pending)
    }

    fn finish(&mut self, id: i64, outcome: Result<RawReply, Error>) {
        if self.forget(id).is_some() {
            self.outputs.push_back(Output::Finished { id, outcome });
        }
    }

    fn forget(&mut self, id: i64) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        if let Some(at) = pending.deadline() {
            self.deadlines.remove(&(at, id));
        }
        Some(pending)
    }

    fn schedule(&mut self, id: i64) {
        if let Some(at) = self.pending.get(&id).and_then(Pending::deadline) {
            self.deadlines.insert((at, id));
        }
    }

    /// Applies `change` to a request's clock.
    fn reschedule(&mut self, id: i64, change: impl FnOnce(&mut Pending)) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        if let Some(at) = pending.deadline() {
            self.deadlines.remove(&(at, id));
        }
        change(pending);
        self.schedule(id);
    }

    fn fail_waiting(&mut self, reason: &str) {
        let waiting: Vec<i64> = self.pending.keys().copied().collect();
        for id in waiting {
            self.finish(id, Err(Error::Connection(reason.to_owned())));
        }
    }

    // Messages ------------------------------------------------------------------------------------------

    fn message(&mut self, now: Instant, stream: Option<i64>, message: Message) {
        match message {
            Message::Response { id, outcome } => self.response(now, stream, id, outcome),
            Message::Notification { method, params } => self.notification(now, stream, method, params),
            Message::Request { id, method, params } => self.request(now, stream, id, method, params),
        }
    }

    fn response(
        &mut self,
        now: Instant,
        stream: Option<i64>,
        id: Option<Id>,
        outcome: Result<RawJson, RpcError>,
    ) {
        let id = match id {
            Some(Id::Number(id)) => id,
            Some(Id::String(id)) => return tracing::debug!(%id, "an answer to a request we never made"),
            // The server could not read an id. Where only one request can be meant, it is that one.
            None => match stream.or_else(|| self.only_request()) {
                Some(id) => id,
                None => return self.note_malformed("an error that answers no request in particular"),
            },
        };
        let answer = match outcome {
            Ok(result) => Answer::Result(result),
            Err(error) => Answer::Error(error),
        };
        let Some(answer) = self.opening_answered(now, id, answer) else { return };
        let Some(version) = self.pending.get(&id).and_then(|pending| pending.sent) else {
            return tracing::debug!(id, "an answer that nobody waits for");
        };
        match answer {
            Answer::Result(result) => self.finish(id, Ok(RawReply { version, result })),
            Answer::Error(error) if self.must_renegotiate(id, &error) => self.start_over(now, id),
            Answer::Error(error) => self.finish(id, Err(Error::Rpc(error))),
            _ => {}
        }
        if self.settings.own_streams && stream != Some(id) {
            self.outputs.push_back(Output::Abandon(id));
        }
    }

    /// The one request under way, where there is exactly one.
    fn only_request(&self) -> Option<i64> {
        if let Phase::Opening { asked: Some(asked), .. } = &self.phase {
            return Some(asked.id);
        }
        let mut sent = self.pending.iter().filter(|(_, pending)| pending.sent.is_some());
        let (id, _) = sent.next()?;
        sent.next().is_none().then_some(*id)
    }

    /// Whether the server has changed the revisions it speaks since the opening.
    fn must_renegotiate(&self, id: i64, error: &RpcError) -> bool {
        error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
            && self.settings.negotiation == Negotiation::Auto
            && self.pending.get(&id).is_some_and(|pending| !pending.retried)
    }

    /// Sends the request again once a new opening is through.
    fn start_over(&mut self, now: Instant, id: i64) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.retried = true;
            pending.sent = None;
        }
        if matches!(self.phase, Phase::Ready(_)) {
            self.begin_opening(now);
        }
    }

    fn notification(&mut self, now: Instant, stream: Option<i64>, method: Method, params: Option<RawJson>) {
        let call = match &method {
            Method::Cancelled => return self.server_cancelled(now, params.as_ref()),
            Method::Progress => match self.progress(now, params.as_ref()) {
                Some(call) => Some(call),
                None => return tracing::debug!("progress of a request that is not under way"),
            },
            Method::Log => stream.or_else(|| self.oldest(|pending| pending.call.log_level.is_some())),
            _ => self.subscription(params.as_ref()).or(stream),
        };
        self.outputs.push_back(Output::Notification { call, method, params });
    }

    /// The revision in use, once it is known.
    fn version(&self) -> Option<Version> {
        match &self.phase {
            Phase::Ready(facts) => Some(facts.version),
            _ => None,
        }
    }

    /// The request that progress belongs to, its clock set back.
    fn progress(&mut self, now: Instant, params: Option<&RawJson>) -> Option<i64> {
        let token = member_id(params?, "progressToken")?;
        self.pending.get(&token)?;
        self.reschedule(token, |pending| pending.idle_at = pending.call.timing.idle.map(|idle| now + idle));
        Some(token)
    }

    /// The `subscriptions/listen` request that a notification belongs to.
    fn subscription(&self, params: Option<&RawJson>) -> Option<i64> {
        let meta = params::member(params?, "_meta")?;
        let id = member_id(&meta, loggia_wire::meta::SUBSCRIPTION_ID)?;
        self.pending.contains_key(&id).then_some(id)
    }

    fn server_cancelled(&mut self, now: Instant, params: Option<&RawJson>) {
        let cancelled: Option<CancelledParams> = params.and_then(|params| params.decode().ok());
        let Some(id) = cancelled.and_then(|cancelled| cancelled.request_id) else { return };
        if let Some(call) = self.asks.remove(&id) {
            self.outputs.push_back(Output::DropAsk(id));
            if let Some(call) = call {
                self.ask_ended(now, call);
            }
        } else if let Id::Number(id) = id
            && self.pending.get(&id).is_some_and(|pending| pending.call.method == Method::Listen)
        {
            self.finish(id, Err(Error::Connection("the server ended the subscription".to_owned())));
            self.outputs.push_back(Output::Abandon(id));
        }
    }

    // The server's questions ----------------------------------------------------------------------------

    fn request(
        &mut self,
        now: Instant,
        stream: Option<i64>,
        id: Id,
        method: Method,
        params: Option<RawJson>,
    ) {
        let version = match &self.phase {
            Phase::Ready(facts) => facts.version,
            // Until the opening is through only a handshake server may ask, and only "are you there?".
            _ => Version::LATEST_HANDSHAKE,
        };
        if version.is_stateless() {
            // Nothing may be answered: in this era clients write no responses.
            return self.note_malformed(&format!("a request ({method}) from a server of the stateless era"));
        }
        match method {
            Method::Ping => self.respond(&id, Ok(RawJson::empty_object())),
            Method::Elicit | Method::CreateMessage | Method::ListRoots if method.exists_in(version) => {
                self.question(now, stream, id, method, params);
            }
            other => self.respond(&id, Err(RpcError::method_not_found(other.as_str()))),
        }
    }

    fn question(
        &mut self,
        now: Instant,
        stream: Option<i64>,
        id: Id,
        method: Method,
        params: Option<RawJson>,
    ) {
        if self.asks.contains_key(&id) {
            return self.respond(&id, Err(RpcError::invalid_request("This id is in use already")));
        }
        if self.asks.len() >= self.settings.most_asks {
            let error =
                RpcError::new(ErrorCode::INTERNAL_ERROR, "Too many questions at once: ask again later");
            return self.respond(&id, Err(error));
        }
        let call = self.asked_by(stream);
        self.asks.insert(id.clone(), call);
        if let Some(call) = call {
            self.reschedule(call, |pending| pending.pause(now));
        }
        self.outputs.push_back(Output::Ask { id, call, method, params });
    }

    /// The request on whose behalf the server asks: the one whose stream carried the question; on a shared
    /// channel the oldest that can answer, for there the protocol does not say.
    fn asked_by(&self, stream: Option<i64>) -> Option<i64> {
        stream
            .filter(|id| self.pending.contains_key(id))
            .or_else(|| self.oldest(|pending| pending.call.own_input))
            .or_else(|| self.oldest(|pending| pending.call.method.may_require_input()))
    }

    fn oldest(&self, wanted: impl Fn(&Pending) -> bool) -> Option<i64> {
        self.pending.iter().find(|(_, pending)| pending.sent.is_some() && wanted(pending)).map(|(id, _)| *id)
    }

    fn ask_ended(&mut self, now: Instant, call: i64) {
        self.reschedule(call, |pending| pending.resume(now));
    }

    fn drop_asks_of(&mut self, call: i64) {
        let asks: Vec<Id> =
            self.asks.iter().filter(|(_, owner)| **owner == Some(call)).map(|(id, _)| id.clone()).collect();
        for id in asks {
            self.asks.remove(&id);
            self.respond(&id, Err(RpcError::invalid_request("The request you asked for was cancelled")));
            self.outputs.push_back(Output::DropAsk(id));
        }
    }

    // Failures ------------------------------------------------------------------------------------------

    fn failed(&mut self, now: Instant, id: i64, failure: Failure) {
        let in_opening = matches!(&self.phase, Phase::Opening { asked: Some(asked), .. } if asked.id == id);
        if in_opening {
            let answer = match failure {
                Failure::Status { status, message } => Answer::Status { status, message },
                Failure::SessionExpired => Answer::Closed("the server forgot the session".to_owned()),
                Failure::Ended => Answer::Closed("the stream ended before the answer came".to_owned()),
                // It answered, though not with what a server of our era would.
                Failure::Error(Error::Protocol(message)) => Answer::Status { status: 200, message },
                Failure::Error(error) => Answer::Failed(error),
            };
            self.opening_answered(now, id, answer);
            return;
        }
        match failure {
            Failure::SessionExpired if self.pending.get(&id).is_some_and(|pending| !pending.retried) => {
                self.start_over(now, id);
            }
            Failure::SessionExpired => {
                self.finish(id, Err(Error::Connection("the server forgets its sessions at once".to_owned())));
            }
            Failure::Status { message, .. } => self.finish(id, Err(Error::Connection(message))),
            Failure::Ended => {
                let reason = "the stream ended before the answer came".to_owned();
                self.finish(id, Err(Error::Connection(reason)));
            }
            Failure::Error(error) => self.finish(id, Err(error)),
        }
    }

    fn closed(&mut self, reason: String) {
        for (id, _) in std::mem::take(&mut self.asks) {
            self.outputs.push_back(Output::DropAsk(id));
        }
        self.transmits.clear();
        if let Phase::Opening { machine, asked, closed, .. } = &mut self.phase
            && machine.survives_close()
        {
            *asked = None;
            *closed = Some(reason);
            return self.outputs.push_back(Output::Reopen);
        }
        let opening = matches!(self.phase, Phase::Opening { .. });
        self.phase = Phase::Down;
        let sent: Vec<i64> =
            self.pending.iter().filter(|(_, p)| p.sent.is_some()).map(|(id, _)| *id).collect();
        for id in sent {
            self.finish(id, Err(Error::Connection(reason.clone())));
        }
        if opening {
            self.fail_waiting(&reason);
            self.outputs.push_back(Output::Refused(Error::Connection(reason)));
        } else {
            self.outputs.push_back(Output::Lost(reason));
        }
    }

    fn note_malformed(&mut self, what: &str) {
        self.malformed += 1;
        tracing::warn!(what, in_a_row = self.malformed, "the server sent something that is not a message");
        if self.malformed >= self.settings.most_malformed {
            self.closed(format!("the server sends no messages of the protocol; the last: {what}"));
        }
    }

    // Writing -------------------------------------------------------------------------------------------

    fn transmit_request(
        &mut self,
        id: i64,
        method: Method,
        version: Version,
        params: Option<RawJson>,
        headers: Vec<(String, String)>,
    ) {
        let mut body = Vec::with_capacity(128 + params.as_ref().map_or(0, |params| params.as_bytes().len()));
        jsonrpc::write_request(&mut body, &Id::Number(id), &method, params.as_ref().map(RawJson::as_bytes));
        let name = method.name_member().and_then(|member| params::string_member(params.as_ref()?, member));
        self.transmits.push_back(Outgoing {
            kind: Kind::Request { id, method },
            body,
            version,
            name,
            headers,
        });
    }

    fn transmit_notification(&mut self, version: Version, method: Method, params: Option<&RawJson>) {
        let mut body = Vec::new();
        jsonrpc::write_notification(&mut body, &method, params.map(RawJson::as_bytes));
        let kind = Kind::Notification(method);
        self.transmits.push_back(Outgoing { kind, body, version, name: None, headers: Vec::new() });
    }

    fn respond(&mut self, id: &Id, outcome: Result<RawJson, RpcError>) {
        let mut body = Vec::new();
        match outcome {
            Ok(result) => jsonrpc::write_result(&mut body, id, result.as_bytes()),
            Err(error) => jsonrpc::write_error(&mut body, Some(id), &error),
        }
        let version = self.version().unwrap_or(Version::LATEST_HANDSHAKE);
        self.transmits.push_back(Outgoing {
            kind: Kind::Response,
            body,
            version,
            name: None,
            headers: Vec::new(),
        });
    }
}

impl Call {
    /// A request with nothing but its method.
    pub(crate) fn bare(method: Method) -> Call {
        Call {
            method,
            params: RawJson::empty_object(),
            meta: Meta::new(),
            capabilities: None,
            log_level: None,
            progress: false,
            own_input: false,
            timing: Timing::default(),
            headers: Vec::new(),
        }
    }
}

impl Pending {
    fn deadline(&self) -> Option<Instant> {
        match self.paused_at {
            Some(_) => None,
            None => self.idle_at.into_iter().chain(self.total_at).min(),
        }
    }

    /// While the program answers a question, the server is not slow.
    fn pause(&mut self, now: Instant) {
        self.open_asks += 1;
        self.paused_at.get_or_insert(now);
    }

    fn resume(&mut self, now: Instant) {
        self.open_asks = self.open_asks.saturating_sub(1);
        if self.open_asks == 0
            && let Some(paused_at) = self.paused_at.take()
        {
            let paused = now.saturating_duration_since(paused_at);
            self.total_at = self.total_at.map(|at| at + paused);
            self.idle_at = self.call.timing.idle.map(|idle| now + idle);
        }
    }
}

/// A member that holds one of our ids.
fn member_id(params: &RawJson, name: &str) -> Option<i64> {
    params::member(params, name)?.decode::<i64>().ok()
}
