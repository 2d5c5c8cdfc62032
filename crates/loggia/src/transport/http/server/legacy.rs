//! The legacy form: POST, GET and DELETE of one session. What runs belongs to the session, not to the
//! connection that asked for it: a client that loses its connection finds the answer on a stream it takes up
//! again ("Disconnection SHOULD NOT be interpreted as the client cancelling its request").

use std::sync::Arc;

use http::request::Parts;
use http::{Response, StatusCode};
use loggia_wire::jsonrpc::{self, EnvelopeError, Frame, Id, Message};
use loggia_wire::model::CancelledParams;
use loggia_wire::{Era, Method, RawJson, RpcError, Version};

use super::accept::{Accepted, EVENT_STREAM, accepts};
use super::calls::{self, CallPlan, Incoming};
use super::endpoint::{Shared, principal};
use super::log::{EventId, STANDALONE};
use super::respond;
use super::session_state::SessionState;
use super::streams;
use super::validate::{LAST_EVENT_ID, SESSION_ID, VERSION, single};
use crate::edge::session::Session;
use crate::service::Principal;
use crate::transport::http::body::{Admission, Body};

type Answered = Result<Response<Body>, Response<Body>>;

/// Answers `initialize`: the one request without a session.
pub(super) fn initialize(
    shared: &Shared,
    parts: &Parts,
    id: &Id,
    params: Option<&RawJson>,
) -> Response<Body> {
    let server = shared.service.describe();
    let refuse = |error: RpcError| respond::error(StatusCode::BAD_REQUEST, Some(id), &error);
    let (session, result) = match Session::initialize(params, &server) {
        Ok(opened) => opened,
        Err(error) => return refuse(error),
    };
    let Some(name) = shared.sessions.mint(&session, principal(parts).as_deref()) else {
        return refuse(RpcError::invalid_params(
            "The client's capabilities are too long to keep in a session",
        ));
    };
    let message = calls::encode_result(id, result, session.version(), &server);
    let mut response = respond::json(StatusCode::OK, message);
    let name = name.try_into().expect("base64 is visible ASCII");
    response.headers_mut().insert(SESSION_ID, name);
    response
}

/// Answers a POST of a session.
pub(super) async fn post(
    shared: &Arc<Shared>,
    parts: &Parts,
    frame: Frame,
    permit: Admission,
    accepted: Accepted,
) -> Response<Body> {
    let id = match &frame {
        Frame::Single(Message::Request { id, .. }) => Some(id),
        _ => None,
    };
    let session = match session(shared, parts, id) {
        Ok(session) => session,
        Err(refusal) => return refusal,
    };
    let mut permit = Some(permit);
    match frame {
        Frame::Single(message) => match session.take(shared, Ok(message), &mut permit).await {
            None => respond::empty(StatusCode::ACCEPTED),
            Some(CallPlan::Answered(response)) => respond::json(StatusCode::OK, response),
            Some(CallPlan::Busy(id, why)) => respond::busy(Some(&id), &why),
            Some(CallPlan::Run(call)) => streams::answer(shared, &session.local, *call, accepted).await,
        },
        Frame::Batch(messages) => Box::pin(session.batch(shared, messages, permit, accepted)).await,
    }
}

/// Answers GET: a stream of what belongs to no request, or one that is taken up again.
pub(super) async fn get(shared: &Arc<Shared>, parts: &Parts) -> Response<Body> {
    if !accepts(&parts.headers, EVENT_STREAM) {
        return respond::refuse(StatusCode::NOT_ACCEPTABLE, "The Accept header must allow text/event-stream");
    }
    match session(shared, parts, None) {
        Ok(session) => open_stream(shared, parts, session).await.unwrap_or_else(|refusal| refusal),
        Err(refusal) => refusal,
    }
}

/// Answers DELETE: the session is over.
pub(super) fn delete(shared: &Shared, parts: &Parts) -> Response<Body> {
    match session(shared, parts, None) {
        Ok(session) => {
            shared.sessions.close(&session.local);
            respond::empty(StatusCode::NO_CONTENT)
        }
        Err(refusal) => refusal,
    }
}

/// A session and who uses it.
struct Caller {
    local: Arc<SessionState>,
    principal: Option<Arc<Principal>>,
}

/// The session that a request names. Its version is known, so a missing version header means nothing, but
/// one that names no revision we serve this way is an error.
fn session(shared: &Shared, parts: &Parts, id: Option<&Id>) -> Result<Caller, Response<Body>> {
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
    let local = shared.sessions.find(name, principal.as_deref()).ok_or_else(|| {
        let message = "There is no such session, or it has expired: start a new one with initialize";
        refuse(StatusCode::NOT_FOUND, message.to_owned())
    })?;
    Ok(Caller { local, principal })
}

impl Caller {
    async fn batch(
        &self,
        shared: &Arc<Shared>,
        messages: Vec<Result<Message, EnvelopeError>>,
        mut permit: Option<Admission>,
        accepted: Accepted,
    ) -> Response<Body> {
        if !self.local.version().has_batches() {
            let message = "This revision has no batches: send one message at a time";
            return respond::refuse(StatusCode::BAD_REQUEST, message);
        }
        let mut plans = Vec::new();
        for message in messages {
            if let Some(plan) = self.take(shared, message, &mut permit).await {
                plans.push(plan);
            }
        }
        match plans.as_slice() {
            [] => respond::empty(StatusCode::ACCEPTED),
            [CallPlan::Busy(id, why)] => respond::busy(Some(id), why),
            _ => streams::answer_all(shared, &self.local, plans, accepted).await,
        }
    }

    /// Handles one message; a plan where it is to be answered.
    async fn take(
        &self,
        shared: &Shared,
        message: Result<Message, EnvelopeError>,
        permit: &mut Option<Admission>,
    ) -> Option<CallPlan> {
        match message {
            Ok(Message::Request { id, method, params }) => {
                let (principal, permit) = (self.principal.clone(), permit.take());
                let incoming = Incoming { id, method, params, principal, permit };
                Some(calls::plan(shared, &self.local, incoming).await)
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
            Method::Initialized => self.local.state().session.initialized(),
            Method::Cancelled => match params.map(RawJson::read::<CancelledParams>) {
                Some(Ok(CancelledParams { request_id: Some(id), reason, .. })) => {
                    tracing::debug!(%id, reason, "cancelled by the client");
                    if let Some(cancel) = self.local.state().running.get(&id) {
                        cancel.notify_one();
                    }
                }
                _ => tracing::debug!("a notifications/cancelled without a readable requestId was ignored"),
            },
            other => tracing::trace!(method = %other, "a notification was ignored"),
        }
    }

    fn answered(&self, id: Option<&Id>, outcome: Result<RawJson, RpcError>) {
        let waiter = id.and_then(|id| self.local.state().asks.handle_response(id));
        match waiter {
            Some(waiter) => waiter.answer(outcome),
            None => tracing::debug!(?id, "a response to nothing that is open here was ignored"),
        }
    }
}

async fn open_stream(shared: &Arc<Shared>, parts: &Parts, session: Caller) -> Answered {
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
    let admitted = shared.streams.admit(session.principal.as_deref());
    let permit = admitted.map_err(|why| respond::busy(None, &why))?;
    let local = session.local;
    let carrier = match last {
        Some(id) if id.stream != STANDALONE => local.state().log.resume(id).ok_or_else(gone)?,
        last => {
            let filter = || local.state().session.filter(&shared.service.describe().capabilities);
            let followed = local.watch.follow(&*shared.service, filter, session.principal).await;
            if let Err(error) = followed {
                tracing::warn!(%error, "a session cannot be told of changes");
            }
            local.state().log.open_standalone(last)
        }
    };
    Ok(streams::taken_up(shared, &local, carrier).map(|body| body.holding(permit)))
}
