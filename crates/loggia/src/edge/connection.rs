//! A whole duplex connection (stdio, a Unix socket, a pair in memory) as a machine: messages and events go
//! in, [`Action`]s come out. It does no I/O, spawns nothing and reads no clock, so tests drive it with times
//! of their own; [`super::duplex`] drives it with pipes.
//!
//! One connection serves both eras at once. A request whose `_meta` names a version is served in the modern era;
//! `initialize` opens the connection's legacy session, which serves every request that names none.
//!
//! After each call of a `handle_*` method, perform what [`DuplexConnection::poll_action`] returns until it returns
//! `None`, and look at [`DuplexConnection::poll_timeout`] again.

mod batch;
mod calls;
mod subscriptions;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use loggia_wire::jsonrpc::{self, EnvelopeError, Id, Message};
use loggia_wire::meta::{self, DeclaredVersion, MetaCacheEntry};
use loggia_wire::model::{CancelledParams, EmptyResult, InputRequest, ServerResult, SubscriptionFilter};
use loggia_wire::{Era, Method, Params, RawJson, RequestMeta, RpcError, Version};
use std::collections::BTreeMap;

use self::batch::{BatchKey, Batches};
use self::calls::CallSlot;
use self::subscriptions::SubscriptionWatch;
use super::client_requests::{self, PendingClientRequests};
use super::discover;
use super::session::Session;
use crate::framing::{BadFrame, Frame};
use crate::limits::Limits;
use crate::service::{Description, Request};

/// One connection's server side.
pub struct DuplexConnection {
    limits: Limits,
    session: Option<Session>,
    meta_cache: MetaCacheEntry,
    watch: SubscriptionWatch,
    slots: BTreeMap<CallKey, CallSlot>,
    ids: BTreeMap<Id, CallKey>,
    waiting: VecDeque<(CallKey, Request)>,
    running: usize,
    running_bytes: usize,
    batches: Batches,
    client_requests: PendingClientRequests<Asker>,
    actions: VecDeque<Action>,
    next_key: u64,
    closing: Option<Instant>,
    closed: bool,
}

/// Names a request that runs, or a subscription that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(u64);

/// Names a question; its owner numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskKey(pub u64);

/// The form of a request in its era; the metadata of a modern request, if it is known already.
enum RequestForm {
    Modern(Option<Arc<RequestMeta>>),
    Legacy,
}

/// A question that waits for its answer, and the call that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asker {
    ask: AskKey,
    call: CallKey,
}

/// An instruction to the driver.
#[derive(Debug)]
pub enum Action {
    /// Write this message. Messages are written in the order of their actions.
    Send(Bytes),
    /// Run this request and report its notifications, its questions and its outcome.
    Call {
        /// Names it in every report.
        key: CallKey,
        /// The request.
        request: Box<Request>,
        /// True if it may ask the client live ([`DuplexConnection::handle_ask`]).
        live: bool,
    },
    /// Drop this request: its client does not want it any more. Reports that come anyway are ignored.
    Abort(CallKey),
    /// Open a stream of changes and report it with [`DuplexConnection::handle_listening`]. For a key that is open
    /// already, open the new stream first, then report what the old one still held, then drop the old one.
    Listen {
        /// Names it in every report.
        key: CallKey,
        /// The changes to report.
        filter: SubscriptionFilter,
    },
    /// Drop this stream of changes.
    Unlisten(CallKey),
    /// Give this outcome to the call that asked.
    Answer {
        /// The question.
        ask: AskKey,
        /// The client's `result`, or why there is none.
        outcome: Result<RawJson, RpcError>,
    },
    /// Write what is queued and close. The last action.
    Close,
}

/// A request as it arrived.
struct IncomingRequest {
    id: Id,
    method: Method,
    params: Option<Params>,
    batch: Option<BatchKey>,
    bytes: usize,
}

impl DuplexConnection {
    /// Creates a connection before its first message.
    pub fn new(limits: Limits) -> DuplexConnection {
        DuplexConnection {
            session: None,
            meta_cache: MetaCacheEntry::default(),
            watch: SubscriptionWatch::default(),
            slots: BTreeMap::new(),
            ids: BTreeMap::new(),
            waiting: VecDeque::new(),
            running: 0,
            running_bytes: 0,
            batches: Batches::default(),
            client_requests: PendingClientRequests::new(&limits),
            actions: VecDeque::new(),
            next_key: 0,
            closing: None,
            closed: false,
            limits,
        }
    }

    /// Returns the next action. Call it until it returns `None`.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Returns the time at which to call [`handle_timeout`](DuplexConnection::handle_timeout), if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let closing = self.closing.filter(|_| !self.closed);
        [self.client_requests.poll_timeout(), closing].into_iter().flatten().min()
    }

    /// Returns whether to read the next message. `false` while too much runs and waits: the peer is slowed down. As
    /// long as a question is open it stays `true`, for its answer may be what everything waits for.
    pub fn wants_input(&self) -> bool {
        !self.closed
            && (self.waiting.len() < self.limits.requests_per_connection || !self.client_requests.is_empty())
    }

    /// Returns the revision of the legacy session, once `initialize` opened it.
    pub fn session_version(&self) -> Option<Version> {
        self.session.as_ref().map(Session::version)
    }

    /// Call it with every frame that arrives. `server` is the present description of the service.
    pub fn handle_frame(&mut self, frame: Frame, server: &Description) {
        if self.closed {
            return;
        }
        match frame {
            Ok(text) => self.handle_text(&text, server),
            Err(bad) => self.handle_bad_frame(bad),
        }
    }

    /// Call it when nothing more will arrive: the peer closed its sending side.
    pub fn handle_end(&mut self, now: Instant, server: &Description) {
        self.abandon_asks();
        self.close(now, server);
    }

    /// Call it to shut down: subscriptions end, requests that run get [`Limits::drain`] to finish, further
    /// ones are refused.
    pub fn close(&mut self, now: Instant, server: &Description) {
        if self.closing.is_none() {
            self.closing = Some(now + self.limits.drain);
            self.end_subscriptions(server);
            self.close_when_idle();
        }
    }

    /// Call it when the time of [`poll_timeout`](DuplexConnection::poll_timeout) has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        for (asker, notice) in self.client_requests.handle_timeout(now) {
            self.send(notice);
            self.answer(asker.ask, Err(client_requests::timed_out(self.limits.ask_timeout)));
        }
        if !self.closed && self.closing.is_some_and(|deadline| deadline <= now) {
            self.abandon_asks();
            self.give_up_calls();
            self.close_when_idle();
        }
    }

    /// Call it when a running request asks the client something. The outcome comes as [`Action::Answer`].
    pub fn handle_ask(&mut self, ask: AskKey, call: CallKey, request: InputRequest, now: Instant) {
        let legacy = self.slots.get(&call).is_some_and(|slot| !slot.version.is_modern());
        let opened = match &self.session {
            Some(session) if legacy && !session.is_initialized() => Err(RpcError::invalid_request(
                "The client has not sent notifications/initialized, so it cannot be asked anything yet",
            )),
            Some(session) if legacy && self.closing.is_none() => {
                self.client_requests.open(Asker { ask, call }, request, session.meta(), now)
            }
            _ => Err(client_requests::unanswerable()),
        };
        match opened {
            Ok(message) => self.send(message),
            Err(error) => self.answer(ask, Err(error)),
        }
    }

    /// Call it when the answer to a question is no longer wanted.
    pub fn handle_unask(&mut self, ask: AskKey) {
        self.withdraw_asks(|asker| asker.ask == ask);
    }

    /// Handles a frame that is too long to be a message: a response fails its question, anything else is refused.
    /// Nothing is sent for a response, because its id may also be that of a request of the client.
    fn handle_bad_frame(&mut self, bad: BadFrame) {
        let error = bad.to_rpc_error();
        let BadFrame::TooLong { envelope, .. } = bad;
        let is_response = envelope.has_outcome && !envelope.has_method;
        match envelope.id.as_ref().filter(|_| is_response) {
            Some(id) => self.handle_response(id, Err(error)),
            None => self.refuse(EnvelopeError { id: envelope.id, error }, None),
        }
    }

    fn handle_text(&mut self, text: &Bytes, server: &Description) {
        let version = self.session.as_ref().map(Session::version);
        if version.is_some_and(Version::has_batches) {
            match jsonrpc::decode_frame(text) {
                Ok(jsonrpc::Frame::Single(message)) => self.handle_message(message, None, text.len(), server),
                Ok(jsonrpc::Frame::Batch(members)) => self.handle_batch(members, text.len(), server),
                Err(error) => self.refuse(error, None),
            }
        } else {
            match jsonrpc::decode(text) {
                Ok(message) => self.handle_message(message, None, text.len(), server),
                Err(error) => self.refuse(error, None),
            }
        }
    }

    fn handle_batch(
        &mut self,
        members: Vec<Result<Message, EnvelopeError>>,
        bytes: usize,
        server: &Description,
    ) {
        let share = bytes / members.len().max(1);
        let batch = self.batches.open();
        for member in members {
            match member {
                Ok(message) => self.handle_message(message, Some(batch), share, server),
                Err(error) => {
                    self.batches.join(Some(batch));
                    self.refuse(error, Some(batch));
                }
            }
        }
        self.leave_batch(Some(batch));
    }

    fn handle_message(
        &mut self,
        message: Message,
        batch: Option<BatchKey>,
        bytes: usize,
        server: &Description,
    ) {
        match message {
            Message::Request { id, method, params } => {
                self.batches.join(batch);
                self.handle_request(IncomingRequest { id, method, params, batch, bytes }, server);
            }
            Message::Notification { method, params } => {
                self.handle_client_notification(&method, params.as_ref());
            }
            Message::Response { id: Some(id), outcome } => self.handle_response(&id, outcome),
            Message::Response { id: None, outcome } => {
                tracing::debug!(?outcome, "the client reports an error about a message it could not read");
            }
        }
    }

    fn handle_response(&mut self, id: &Id, outcome: Result<RawJson, RpcError>) {
        match self.client_requests.handle_response(id) {
            Some(asker) => self.answer(asker.ask, outcome),
            None => tracing::debug!(%id, "a response to nothing that is open was ignored"),
        }
    }

    fn handle_client_notification(&mut self, method: &Method, params: Option<&RawJson>) {
        match method {
            Method::Initialized => self.session.iter_mut().for_each(Session::initialized),
            Method::Cancelled => match params.map(RawJson::read::<CancelledParams>) {
                Some(Ok(CancelledParams { request_id: Some(id), reason, .. })) => {
                    self.cancel(&id, reason.as_deref())
                }
                _ => tracing::debug!("a notifications/cancelled without a readable requestId was ignored"),
            },
            // Nothing here depends on the others, and none of them is ever answered.
            other => tracing::trace!(method = %other, "a notification was ignored"),
        }
    }

    fn handle_request(&mut self, incoming: IncomingRequest, server: &Description) {
        let (id, batch) = (incoming.id.clone(), incoming.batch);
        let version = self.session.as_ref().map_or(Version::LATEST, Session::version);
        let (version, handled) = match self.check(&incoming, server) {
            Ok(RequestForm::Modern(meta)) => (Version::LATEST, self.serve_modern(incoming, meta, server)),
            Ok(RequestForm::Legacy) => (version, self.serve_legacy(incoming, server)),
            Err(error) => (version, Err(error)),
        };
        if let Err(error) = handled {
            self.respond_error(&id, error, version, batch);
        }
    }

    /// Returns the era of a request, or the reason to refuse it before it is read further.
    fn check(&self, incoming: &IncomingRequest, server: &Description) -> Result<RequestForm, RpcError> {
        if self.ids.contains_key(&incoming.id) {
            let id = &incoming.id;
            return Err(RpcError::invalid_request(format!("A request with the id {id} is not answered yet")));
        }
        if self.closing.is_some() {
            return Err(shutting_down());
        }
        // A server of the legacy era alone must not look like a modern one.
        if !server.versions.iter().any(|version| version.is_modern()) {
            return Ok(RequestForm::Legacy);
        }
        let params = incoming.params.as_ref();
        let recalled = meta::text(params).and_then(|text| self.meta_cache.recall(text));
        if let Some(meta) = recalled.filter(|meta| server.versions.contains(&meta.version)) {
            return Ok(RequestForm::Modern(Some(meta)));
        }
        Ok(match meta::declared_version(params)? {
            DeclaredVersion::Known(_) | DeclaredVersion::Unknown(_) => RequestForm::Modern(None),
            DeclaredVersion::Nothing => RequestForm::Legacy,
        })
    }

    fn serve_modern(
        &mut self,
        incoming: IncomingRequest,
        meta: Option<Arc<RequestMeta>>,
        server: &Description,
    ) -> Result<(), RpcError> {
        let meta = match meta {
            Some(meta) => meta,
            None => self.read_meta(incoming.params.as_ref(), &server.versions)?,
        };
        if !incoming.method.is_client_request(meta.version) {
            return Err(RpcError::method_not_found(incoming.method.as_str()));
        }
        match incoming.method {
            Method::Discover => {
                self.respond(incoming, discover(server), meta.version, server);
                Ok(())
            }
            Method::Listen => self.open_listen(incoming, meta.version),
            _ => self.start(incoming, meta),
        }
    }

    /// Reads the metadata of a modern request, and keeps it, because the next request will mostly have the same.
    fn read_meta(
        &mut self,
        params: Option<&Params>,
        versions: &[Version],
    ) -> Result<Arc<RequestMeta>, RpcError> {
        let meta = Arc::new(RequestMeta::from_modern(params, versions)?);
        if let Some(text) = meta::text(params) {
            self.meta_cache.keep(text, &meta);
        }
        Ok(meta)
    }

    fn serve_legacy(&mut self, incoming: IncomingRequest, server: &Description) -> Result<(), RpcError> {
        let Some(session) = &mut self.session else { return self.serve_before_session(incoming, server) };
        let version = session.version();
        let method = incoming.method.clone();
        if matches!(method, Method::Subscribe | Method::Unsubscribe) {
            self.watch.admit(self.limits.requests_per_connection)?;
        }
        match session.answer(&method, incoming.params.as_deref(), server, &self.limits) {
            Some(answer) => {
                let result = answer?;
                match method {
                    Method::Subscribe | Method::Unsubscribe => self.rewatch(incoming, server),
                    _ => {
                        self.respond(incoming, result, version, server);
                        Ok(())
                    }
                }
            }
            None => {
                if !method.is_client_request(version) {
                    return Err(RpcError::method_not_found(method.as_str()));
                }
                let meta = session.request_meta(incoming.params.as_ref())?;
                self.start(incoming, meta)
            }
        }
    }

    fn serve_before_session(
        &mut self,
        incoming: IncomingRequest,
        server: &Description,
    ) -> Result<(), RpcError> {
        match incoming.method {
            Method::Initialize => {
                let (session, result) = Session::initialize(incoming.params.as_deref(), server)?;
                let version = session.version();
                self.session = Some(session);
                self.watch_lists(server);
                self.respond(incoming, result, version, server);
                Ok(())
            }
            // "The client SHOULD NOT send requests other than pings before the server has responded".
            Method::Ping => {
                let pong = ServerResult::Empty(EmptyResult::default());
                self.respond(incoming, pong, Version::LATEST_LEGACY, server);
                Ok(())
            }
            _ => Err(without_era(server)),
        }
    }

    fn key(&mut self) -> CallKey {
        self.next_key += 1;
        CallKey(self.next_key)
    }

    fn send(&mut self, message: Bytes) {
        self.actions.push_back(Action::Send(message));
    }

    fn answer(&mut self, ask: AskKey, outcome: Result<RawJson, RpcError>) {
        self.actions.push_back(Action::Answer { ask, outcome });
    }

    fn withdraw_asks(&mut self, unwanted: impl Fn(&Asker) -> bool) {
        let notifications = self.client_requests.withdraw(unwanted);
        notifications.into_iter().for_each(|notice| self.send(notice));
    }

    fn abandon_asks(&mut self) {
        let askers = self.client_requests.abandon();
        askers.into_iter().for_each(|asker| self.answer(asker.ask, Err(client_requests::unanswerable())));
    }

    fn close_when_idle(&mut self) {
        if self.closing.is_some() && !self.closed && self.slots.is_empty() && self.watch.is_settled() {
            self.closed = true;
            self.actions.push_back(Action::Close);
        }
    }
}

fn shutting_down() -> RpcError {
    RpcError::new(loggia_wire::ErrorCode::INTERNAL_ERROR, "The server is shutting down")
}

/// Creates the error for a request that names no version while there is no session. It tells the client the next step.
fn without_era(server: &Description) -> RpcError {
    let has = |era| server.versions.iter().any(|version| version.era() == era);
    let key = meta::PROTOCOL_VERSION;
    let advice = match (has(Era::Legacy), has(Era::Modern)) {
        (true, true) => format!("name it in params._meta[{key:?}], or send initialize first"),
        (false, _) => format!("name it in params._meta[{key:?}]"),
        (true, false) => "send initialize first".to_owned(),
    };
    RpcError::invalid_params(format!(
        "The request does not say which protocol version it is written in: {advice}"
    ))
    .with_data(serde_json::json!({ "supported": server.versions }))
}
