//! The requests of a legacy session: what is answered at once, and what runs until it has an outcome.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use loggia_wire::jsonrpc::{self, Id};
use loggia_wire::model::{ServerResult, SubscribeParams};
use loggia_wire::{Method, Params, RpcError, Version, codec};
use tokio::sync::Notify;

use super::session_state::{PostPeer, SessionState};
use crate::exchange::ClientPeer;
use crate::service::{Description, Outcome, Principal};
use crate::transport::http::body::Admission;
use crate::transport::http::server::admission::Overload;
use crate::transport::http::server::call::{CallEvent, CallRequest, EndpointCall};
use crate::transport::http::server::respond;
use crate::transport::http::server::state::EndpointState;

/// A request as it arrived.
pub(super) struct LegacyRequest {
    pub(super) id: Id,
    pub(super) method: Method,
    pub(super) params: Option<Params>,
    pub(super) principal: Option<Arc<Principal>>,
    /// The permit of the POST: its first call uses it.
    pub(super) permit: Option<Admission>,
}

/// The plan for the answer to a request.
pub(super) enum CallPlan {
    /// The response is here.
    Answered(Bytes),
    /// It has to run.
    Run(Box<LegacyCall>),
    /// Too much runs already.
    Busy(Id, Overload),
}

/// A request that is to run.
pub(super) struct LegacyCall {
    request: CallRequest,
    cancel: Arc<Notify>,
    running: RunningEntry,
}

/// Writes the response that carries `result`.
pub(super) fn encode_result(id: &Id, result: ServerResult, version: Version, server: &Description) -> Bytes {
    let result = codec::encode_result(result, version, Some(&server.identity));
    let mut out = Vec::with_capacity(256);
    jsonrpc::write_result(&mut out, id, result.as_bytes());
    out.into()
}

fn encode_error(id: &Id, error: RpcError, version: Version) -> Bytes {
    let mut out = Vec::with_capacity(192);
    jsonrpc::write_error(&mut out, Some(id), &error.for_version(version));
    out.into()
}

/// Decides how a request is answered.
pub(super) async fn plan(
    endpoint: &EndpointState,
    session: &Arc<SessionState>,
    request: LegacyRequest,
) -> CallPlan {
    let server = endpoint.service.describe();
    let version = session.version();
    let answer = {
        let session = &mut session.state().session;
        session.answer(&request.method, request.params.as_deref(), &server, &endpoint.limits)
    };
    let settled = match answer {
        Some(Ok(result)) => subscribe(endpoint, session, &request, &server).await.map(|()| result),
        Some(Err(error)) => Err(error),
        None => {
            let id = request.id.clone();
            return start(endpoint, session, request)
                .unwrap_or_else(|error| CallPlan::Answered(encode_error(&id, error, version)));
        }
    };
    CallPlan::Answered(match settled {
        Ok(result) => encode_result(&request.id, result, version, &server),
        Err(error) => encode_error(&request.id, error, version),
    })
}

/// Makes a change of the session's subscriptions effective, so that no change after the answer is missed.
async fn subscribe(
    endpoint: &EndpointState,
    session: &SessionState,
    request: &LegacyRequest,
    server: &Description,
) -> Result<(), RpcError> {
    if !matches!(request.method, Method::Subscribe | Method::Unsubscribe) {
        return Ok(());
    }
    let filter = || session.state().session.filter(&server.capabilities);
    let followed = session.watch.follow(&*endpoint.service, filter, request.principal.clone()).await;
    let uri = request.params.as_ref().and_then(|params| params.read::<SubscribeParams>().ok());
    let (Method::Subscribe, Some(SubscribeParams { uri, .. })) = (&request.method, uri) else {
        return followed.map(|_| ());
    };
    let refused = match followed {
        Ok(accepted) if accepted.resource_subscriptions.iter().flatten().any(|heard| *heard == uri) => {
            return Ok(());
        }
        Ok(_) => RpcError::resource_not_found(&uri),
        Err(error) => error,
    };
    session.state().session.forget(&uri);
    Err(refused)
}

fn start(
    endpoint: &EndpointState,
    session: &Arc<SessionState>,
    request: LegacyRequest,
) -> Result<CallPlan, RpcError> {
    let LegacyRequest { id, method, params, principal, permit } = request;
    if !method.is_client_request(session.version()) {
        return Err(RpcError::method_not_found(method.as_str()));
    }
    let mut state = session.state();
    let meta = state.session.request_meta(params.as_ref())?;
    if state.running.contains_key(&id) {
        return Err(RpcError::invalid_request(format!("A request with the id {id} is not answered yet")));
    }
    let permit = match permit.map_or_else(|| endpoint.requests.admit(principal.as_deref()), Ok) {
        Ok(permit) => permit,
        Err(why) => return Ok(CallPlan::Busy(id, why)),
    };
    let cancel = Arc::new(Notify::new());
    state.running.insert(id.clone(), cancel.clone());
    let running = RunningEntry { session: session.clone(), id: id.clone() };
    let request = CallRequest { id, method, params, meta, principal, permit };
    Ok(CallPlan::Run(Box::new(LegacyCall { request, cancel, running })))
}

impl LegacyCall {
    /// Starts the call; its client is `peer`.
    pub(super) fn begin(self, peer: Arc<PostPeer>) -> RunningCall {
        let LegacyCall { request, cancel, running } = self;
        let may_ask = peer.session.state().session.is_initialized();
        let client = may_ask.then(|| peer.clone() as Arc<dyn ClientPeer>);
        let server = peer.endpoint.service.describe();
        let call = EndpointCall::start(&peer.endpoint, request, server, client);
        RunningCall { call, peer, outcome: None, cancel, running }
    }
}

/// A call that runs.
pub(super) struct RunningCall {
    call: EndpointCall,
    peer: Arc<PostPeer>,
    /// The outcome, if there is one already.
    outcome: Option<Outcome>,
    cancel: Arc<Notify>,
    running: RunningEntry,
}

impl RunningCall {
    /// The response, where the call is over at once and has nothing else to say: most are, and no stream is
    /// opened for them.
    pub(super) async fn at_once(mut self) -> Result<Bytes, RunningCall> {
        match self.call.outcome_at_once().await {
            Some(outcome) if self.call.is_silent() && !self.peer.has_stream() => {
                Ok(RunningCall::response(&mut self.call, outcome))
            }
            outcome => Err(RunningCall { outcome, ..self }),
        }
    }

    /// Runs the call to its end; what it says and its response go to its POST's stream. A cancelled call says
    /// nothing more.
    pub(super) fn carry(mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let (cancel, peer) = (self.cancel.clone(), self.peer.clone());
            let stream = peer.carrier().stream;
            tokio::select! {
                biased;
                () = cancel.notified() => {}
                () = peer.session.ended() => {}
                outcome = self.listen(stream) => {
                    let RunningCall { mut call, running, .. } = self;
                    let response = RunningCall::response(&mut call, outcome);
                    // A client that has read the response may use its id again at once.
                    drop(running);
                    peer.session.push(stream, response, true);
                    drop(call);
                }
            }
        })
    }

    /// Writes the response. The notifications before it are sent already.
    fn response(call: &mut EndpointCall, outcome: Outcome) -> Bytes {
        let last = call.finish(outcome);
        respond::guarded(last.response, last.guard)
    }

    /// Waits for the outcome; passes on what is said meanwhile.
    async fn listen(&mut self, stream: u64) -> Outcome {
        loop {
            if let Some(outcome) = self.outcome.take() {
                self.say(stream);
                return outcome;
            }
            match self.call.next_event().await {
                CallEvent::Finished(outcome) => self.outcome = Some(outcome),
                CallEvent::Notified => self.say(stream),
                CallEvent::Released => self.peer.session.state().log.release(stream),
            }
        }
    }

    fn say(&mut self, stream: u64) {
        let session = &self.peer.session;
        self.call.set_log_level(session.state().session.meta().log_level);
        while let Some(message) = self.call.next_message() {
            // A call without a connection is not slowed down by the one that carries its stream now.
            if session.state().log.is_crowded(stream) {
                tracing::debug!("a notification was dropped: the client reads too slowly");
            } else {
                session.push(stream, message, false);
            }
        }
    }
}

/// A running request's place among its session's. Its id is free again when the request is over, however
/// that came.
struct RunningEntry {
    session: Arc<SessionState>,
    id: Id,
}

impl Drop for RunningEntry {
    fn drop(&mut self) {
        self.session.state().running.remove(&self.id);
        self.session.touch();
    }
}
