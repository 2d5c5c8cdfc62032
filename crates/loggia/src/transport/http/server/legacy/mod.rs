//! The legacy form: POST, GET and DELETE of one session. What runs belongs to the session, not to the
//! connection that asked for it: a client that loses its connection finds the answer on a stream it takes up
//! again ("Disconnection SHOULD NOT be interpreted as the client cancelling its request").

mod calls;
mod change_watch;
mod event_log;
mod http_sse;
mod initialize;
mod seal;
mod session_state;
mod sessions;
mod streams;

use std::sync::Arc;

use http::request::Parts;
use http::{Response, StatusCode};
use loggia_wire::jsonrpc::{self, EnvelopeError, Frame, Id, Message};
use loggia_wire::model::CancelledParams;
use loggia_wire::{Era, Method, RawJson, RpcError, Version};

use self::calls::{CallPlan, LegacyRequest};
use self::event_log::{EventId, STANDALONE};
use self::http_sse::HttpSse;
use self::session_state::SessionState;
use self::sessions::Sessions;
use super::admission::principal;
use super::headers::{AcceptedTypes, EVENT_STREAM, LAST_EVENT_ID, SESSION_ID, VERSION, accepts, single};
use super::respond::{self, ResponseResult};
use super::state::EndpointState;
use crate::clock::WallClock;
use crate::service::Principal;
use crate::transport::http::body::{Admission, Body};

pub(super) use self::initialize::initialize;
pub use self::seal::SessionKey;

/// State of the legacy era of one endpoint.
pub(super) struct LegacyState {
    endpoint: Arc<EndpointState>,
    sessions: Sessions,
    /// `None` if the HTTP+SSE transport is not served.
    http_sse: Option<HttpSse>,
}

impl LegacyState {
    /// Creates the state without any session. `with_http_sse`: also serve the HTTP+SSE transport.
    pub(super) fn new(
        endpoint: Arc<EndpointState>,
        key: SessionKey,
        clock: WallClock,
        with_http_sse: bool,
    ) -> LegacyState {
        let sessions = Sessions::new(key, clock, endpoint.limits.clone());
        LegacyState { endpoint, sessions, http_sse: with_http_sse.then(HttpSse::default) }
    }

    /// Ends what every session runs in this process. Their ids stay valid.
    pub(super) fn end_sessions(&self) {
        self.sessions.end_all();
    }

    /// Deletes what sessions have kept for long enough.
    pub(super) fn sweep_sessions(&self) {
        self.sessions.sweep();
    }

    /// Returns whether `path` is one of the HTTP+SSE transport's, if that is served.
    pub(super) fn serves_http_sse(&self, path: &str) -> bool {
        self.http_sse.as_ref().is_some_and(|http_sse| http_sse.serves(path))
    }

    /// Answers a request of the HTTP+SSE transport.
    pub(super) async fn http_sse(&self, parts: &Parts, body: Body) -> Response<Body> {
        let Some(http_sse) = &self.http_sse else { return respond::empty(StatusCode::NOT_FOUND) };
        http_sse.serve(&self.endpoint, parts, body).await.unwrap_or_else(|refusal| refusal)
    }
}

/// Answers a POST of a session.
pub(super) async fn post(
    legacy: &LegacyState,
    parts: &Parts,
    frame: Frame,
    permit: Admission,
    accepted: AcceptedTypes,
) -> Response<Body> {
    let id = match &frame {
        Frame::Single(Message::Request { id, .. }) => Some(id),
        _ => None,
    };
    let caller = match caller(legacy, parts, id) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let mut permit = Some(permit);
    match frame {
        Frame::Single(message) => match caller.take(legacy, Ok(message), &mut permit).await {
            None => respond::empty(StatusCode::ACCEPTED),
            Some(CallPlan::Answered(response)) => respond::json(StatusCode::OK, response),
            Some(CallPlan::Busy(id, why)) => respond::busy(Some(&id), &why),
            Some(CallPlan::Run(call)) => {
                streams::answer(&legacy.endpoint, &caller.session, *call, accepted).await
            }
        },
        Frame::Batch(messages) => Box::pin(caller.batch(legacy, messages, permit, accepted)).await,
    }
}

/// Answers GET: a stream of what belongs to no request, or one that is taken up again.
pub(super) async fn get(legacy: &LegacyState, parts: &Parts) -> Response<Body> {
    if !accepts(&parts.headers, EVENT_STREAM) {
        return respond::refuse(StatusCode::NOT_ACCEPTABLE, "The Accept header must allow text/event-stream");
    }
    match caller(legacy, parts, None) {
        Ok(caller) => open_stream(legacy, parts, caller).await.unwrap_or_else(|refusal| refusal),
        Err(refusal) => refusal,
    }
}

/// Answers DELETE: the session is over.
pub(super) fn delete(legacy: &LegacyState, parts: &Parts) -> Response<Body> {
    match caller(legacy, parts, None) {
        Ok(caller) => {
            legacy.sessions.close(&caller.session);
            respond::empty(StatusCode::NO_CONTENT)
        }
        Err(refusal) => refusal,
    }
}

/// A session and who uses it.
struct SessionCaller {
    session: Arc<SessionState>,
    principal: Option<Arc<Principal>>,
}

/// The session that a request names. Its version is known, so a missing version header means nothing, but
/// one that names no revision we serve with sessions is an error.
fn caller(legacy: &LegacyState, parts: &Parts, id: Option<&Id>) -> Result<SessionCaller, Response<Body>> {
    let refuse = |status, message: String| respond::error(status, id, &RpcError::invalid_request(message));
    let bad_request = |message| refuse(StatusCode::BAD_REQUEST, message);
    let version = single(&parts.headers, &VERSION).map_err(bad_request)?;
    if let Some(version) = version
        && !version.parse().is_ok_and(|version: Version| version.era() == Era::Legacy)
    {
        return Err(bad_request(format!(
            "MCP-Protocol-Version {version:?} is no revision that a session can use"
        )));
    }
    let name = single(&parts.headers, &SESSION_ID).map_err(bad_request)?;
    let name = name.ok_or_else(|| bad_request("The Mcp-Session-Id header is missing".to_owned()))?;
    let principal = principal(parts);
    let session = legacy.sessions.find(name, principal.as_deref()).ok_or_else(|| {
        let message = "There is no such session, or it has expired: start a new one with initialize";
        refuse(StatusCode::NOT_FOUND, message.to_owned())
    })?;
    Ok(SessionCaller { session, principal })
}

impl SessionCaller {
    async fn batch(
        &self,
        legacy: &LegacyState,
        messages: Vec<Result<Message, EnvelopeError>>,
        mut permit: Option<Admission>,
        accepted: AcceptedTypes,
    ) -> Response<Body> {
        if !self.session.version().has_batches() {
            let message = "This revision has no batches: send one message at a time";
            return respond::refuse(StatusCode::BAD_REQUEST, message);
        }
        let mut plans = Vec::new();
        for message in messages {
            if let Some(plan) = self.take(legacy, message, &mut permit).await {
                plans.push(plan);
            }
        }
        match plans.as_slice() {
            [] => respond::empty(StatusCode::ACCEPTED),
            [CallPlan::Busy(id, why)] => respond::busy(Some(id), why),
            _ => streams::answer_all(&legacy.endpoint, &self.session, plans, accepted).await,
        }
    }

    /// Handles one message; a plan where it is to be answered.
    async fn take(
        &self,
        legacy: &LegacyState,
        message: Result<Message, EnvelopeError>,
        permit: &mut Option<Admission>,
    ) -> Option<CallPlan> {
        match message {
            Ok(Message::Request { id, method, params }) => {
                let (principal, permit) = (self.principal.clone(), permit.take());
                let request = LegacyRequest { id, method, params, principal, permit };
                Some(calls::plan(&legacy.endpoint, &self.session, request).await)
            }
            Ok(Message::Notification { method, params }) => {
                self.notified(&method, params.as_ref());
                None
            }
            Ok(Message::Response { id, outcome }) => {
                self.answered(id.as_ref(), outcome);
                None
            }
            Err(error) => {
                let mut out = Vec::new();
                jsonrpc::write_error(&mut out, error.id.as_ref(), &error.error);
                Some(CallPlan::Answered(out.into()))
            }
        }
    }

    fn notified(&self, method: &Method, params: Option<&RawJson>) {
        match method {
            Method::Initialized => self.session.state().session.initialized(),
            Method::Cancelled => match params.map(RawJson::read::<CancelledParams>) {
                Some(Ok(CancelledParams { request_id: Some(id), reason, .. })) => {
                    tracing::debug!(%id, reason, "cancelled by the client");
                    if let Some(cancel) = self.session.state().running.get(&id) {
                        cancel.notify_one();
                    }
                }
                _ => tracing::debug!("a notifications/cancelled without a readable requestId was ignored"),
            },
            other => tracing::trace!(method = %other, "a notification was ignored"),
        }
    }

    fn answered(&self, id: Option<&Id>, outcome: Result<RawJson, RpcError>) {
        let waiter = id.and_then(|id| self.session.state().pending.handle_response(id));
        match waiter {
            Some(waiter) => waiter.answer(outcome),
            None => tracing::debug!(?id, "a response to nothing that is open here was ignored"),
        }
    }
}

async fn open_stream(legacy: &LegacyState, parts: &Parts, caller: SessionCaller) -> ResponseResult {
    let last = single(&parts.headers, &LAST_EVENT_ID)
        .map_err(|message| respond::refuse(StatusCode::BAD_REQUEST, message))?
        .filter(|id| !id.is_empty());
    let gone = || {
        respond::refuse(
            StatusCode::BAD_REQUEST,
            "The stream of this Last-Event-ID is not kept any more: send the request again",
        )
    };
    let last = last.map(|id| EventId::parse(id).ok_or_else(gone)).transpose()?;
    let admitted = legacy.endpoint.streams.admit(caller.principal.as_deref());
    let permit = admitted.map_err(|why| respond::busy(None, &why))?;
    let session = caller.session;
    let carrier = match last {
        Some(id) if id.stream != STANDALONE => session.state().log.resume(id).ok_or_else(gone)?,
        last => {
            let filter = || session.state().session.filter(&legacy.endpoint.service.describe().capabilities);
            let followed = session.watch.follow(&*legacy.endpoint.service, filter, caller.principal).await;
            if let Err(error) = followed {
                tracing::warn!(%error, "a session cannot be told of changes");
            }
            session.state().log.open_standalone(last)
        }
    };
    Ok(streams::taken_up(&legacy.endpoint, &session, carrier).map(|body| body.holding(permit)))
}
