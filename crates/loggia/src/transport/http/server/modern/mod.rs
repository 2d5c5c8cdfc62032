//! The modern form: each POST stands alone. Its answer is one JSON text if the outcome comes before
//! anything else is said, an event stream otherwise. The call runs inside the response, so that a client
//! that goes away takes its call with it, and a client that does not read slows its own call down.
//!
//! Before it runs, a request is checked: what its `_meta` declares, the headers against the body ("Server Validation"),
//! and its method. A proxy that routed on the headers must have seen what the service will act on.

mod listen;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use loggia_wire::json::{plain_text, value_of};
use loggia_wire::jsonrpc::{self, Message};
use loggia_wire::meta::{self, DeclaredVersion};
use loggia_wire::{ErrorCode, Method, Params, RawJson, RawObject, RequestMeta, RpcError, codec, header};
use serde_json::{Map, Value};

use super::call::{CallEvent, CallRequest, EndpointCall, FinalMessages};
use super::headers::MirrorHeaders;
use super::respond::{self, keep_alive};
use super::state::EndpointState;
use super::unfold::unfold;
use crate::edge::discover;
use crate::future::BoxFuture;
use crate::service::{Description, Outcome, Principal};
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
    principal: Option<Arc<Principal>>,
    headers: &MirrorHeaders<'_>,
    era: RequestEra,
    message: Message,
    permit: Admission,
) -> EndpointResponse {
    match message {
        Message::Request { id, method, params } => {
            let checks = RequestChecks { endpoint, server: endpoint.service.describe(), headers };
            match checks.check(era, &method, params.as_ref()) {
                Ok(meta) => {
                    let request = CallRequest { id, method, params, meta, principal, permit };
                    answer(endpoint, request, checks.server)
                }
                Err(refusal) => {
                    EndpointResponse::Ready(respond::error(refusal.status, Some(&id), &refusal.error))
                }
            }
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

/// Answers a request that was checked.
fn answer(endpoint: &Arc<EndpointState>, request: CallRequest, server: Arc<Description>) -> EndpointResponse {
    match request.method {
        Method::Discover => EndpointResponse::Ready(discovered(&request, &server)),
        Method::Listen => {
            EndpointResponse::Deferred(Box::pin(listen::subscribe(endpoint.clone(), request, server)))
        }
        _ => EndpointResponse::Call(ModernCall {
            call: EndpointCall::start(endpoint, request, server, None),
            events: Vec::new(),
            keep_alive: endpoint.limits.keep_alive,
        }),
    }
}

fn discovered(request: &CallRequest, server: &Description) -> Response<Body> {
    let result = codec::encode_result(discover(server), request.meta.version, Some(&server.identity));
    let mut out = Vec::with_capacity(512);
    jsonrpc::write_result(&mut out, &request.id, result.as_bytes());
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

/// A call and the events of its response.
pub(super) struct ModernCall {
    call: EndpointCall,
    /// Notifications that are not sent yet, as events.
    events: Vec<u8>,
    keep_alive: Duration,
}

impl ModernCall {
    /// Runs the call to its answer: one text, or a stream from the moment the client is to hear something.
    async fn answer(mut self) -> Response<Body> {
        let Some(outcome) = self.outcome_before_events().await else { return self.into_stream() };
        let status = status_of(&outcome);
        let last = self.call.finish(outcome);
        let response = match last.notifications.is_empty() {
            true => respond::json(status, respond::guarded(last.response, last.guard)),
            false => respond::whole_event_stream(self.last_events(last)),
        };
        response.map(|body| body.holding(self.call.into_permit()))
    }

    /// Returns the outcome, if the client need not be told anything before it, and it comes soon.
    async fn outcome_before_events(&mut self) -> Option<Outcome> {
        if let Some(outcome) = self.call.outcome_at_once().await {
            return Some(outcome);
        }
        let silence = tokio::time::sleep(self.keep_alive);
        tokio::pin!(silence);
        while self.events.is_empty() {
            tokio::select! {
                biased;
                event = self.call.next_event() => match event {
                    CallEvent::Finished(outcome) => return Some(outcome),
                    CallEvent::Notified => self.write_notifications(),
                    CallEvent::Released => {}
                },
                () = &mut silence => return None,
            }
        }
        None
    }

    fn write_notifications(&mut self) {
        while let Some(message) = self.call.next_message() {
            sse::write_event(&mut self.events, None, None, &message);
        }
    }

    /// Returns the response as a stream. The call keeps its admission until its last event is taken.
    fn into_stream(self) -> Response<Body> {
        respond::event_stream(unfold((self, false), |(mut running, over)| async move {
            if over {
                return None;
            }
            let (events, over) = running.next_events().await;
            Some((events, (running, over)))
        }))
    }

    /// Returns the next events to send, and whether they are the last.
    async fn next_events(&mut self) -> (Bytes, bool) {
        loop {
            if !self.events.is_empty() {
                return (std::mem::take(&mut self.events).into(), false);
            }
            tokio::select! {
                biased;
                event = self.call.next_event() => match event {
                    CallEvent::Finished(outcome) => {
                        let last = self.call.finish(outcome);
                        return (self.last_events(last), true);
                    }
                    CallEvent::Notified => self.write_notifications(),
                    CallEvent::Released => {}
                },
                comment = keep_alive(self.keep_alive) => return (comment, false),
            }
        }
    }

    /// Returns the events that are not sent yet, up to the response.
    fn last_events(&mut self, last: FinalMessages) -> Bytes {
        let mut events = std::mem::take(&mut self.events);
        for message in last.notifications.iter().map(|message| &message[..]).chain([&last.response[..]]) {
            sse::write_event(&mut events, None, None, message);
        }
        respond::guarded(events, last.guard)
    }
}

/// Why a request is refused, and with which status.
#[derive(Debug)]
struct ValidationError {
    status: StatusCode,
    error: RpcError,
}

impl ValidationError {
    fn bad_request(error: RpcError) -> ValidationError {
        ValidationError { status: StatusCode::BAD_REQUEST, error }
    }

    fn mismatch(message: String) -> ValidationError {
        ValidationError::bad_request(RpcError::header_mismatch(message))
    }

    fn invalid_params(error: impl std::fmt::Display) -> ValidationError {
        ValidationError::bad_request(RpcError::invalid_params(format!("Invalid params: {error}")))
    }
}

/// The checks of a request before it runs.
struct RequestChecks<'r> {
    endpoint: &'r EndpointState,
    server: Arc<Description>,
    headers: &'r MirrorHeaders<'r>,
}

impl RequestChecks<'_> {
    /// Checks everything that a request states: what its `_meta` declares, the headers that mirror it, and whether
    /// the method exists. Returns its `_meta`.
    fn check(
        &self,
        era: RequestEra,
        method: &Method,
        params: Option<&Params>,
    ) -> Result<Arc<RequestMeta>, ValidationError> {
        self.check_version(&era.declared)?;
        let meta = match era.meta.filter(|meta| self.server.versions.contains(&meta.version)) {
            Some(meta) => meta,
            None => self.read_meta(params)?,
        };
        check_text("Mcp-Method", used(&self.headers.method)?, method.as_str())?;
        let target = RequestTarget::of(method, params)?;
        header::check_mirror("Mcp-Name", self.headers.names(), target.name.as_deref())
            .map_err(ValidationError::mismatch)?;
        if !method.is_client_request(meta.version) {
            let error = RpcError::method_not_found(method.as_str());
            return Err(ValidationError { status: StatusCode::NOT_FOUND, error });
        }
        self.check_mirrored_arguments(method, &target)?;
        Ok(meta)
    }

    fn read_meta(&self, params: Option<&Params>) -> Result<Arc<RequestMeta>, ValidationError> {
        let meta =
            RequestMeta::from_modern(params, &self.server.versions).map_err(ValidationError::bad_request)?;
        let meta = Arc::new(meta);
        if let Some(text) = meta::text(params) {
            self.endpoint.meta_cache.keep(text, &meta);
        }
        Ok(meta)
    }

    /// Leaves a declaration that is missing alone to [`RequestMeta::from_modern`]: its error has another code.
    fn check_version(&self, declared: &DeclaredVersion) -> Result<(), ValidationError> {
        let header = used(&self.headers.version)?;
        match declared.as_str() {
            Some(declared) => check_text("MCP-Protocol-Version", header, declared),
            None if header.is_some() => Ok(()),
            None => Err(ValidationError::mismatch(
                "Header mismatch: the MCP-Protocol-Version header is missing".to_owned(),
            )),
        }
    }

    fn check_mirrored_arguments(
        &self,
        method: &Method,
        target: &RequestTarget<'_>,
    ) -> Result<(), ValidationError> {
        let (Method::CallTool, Some(tool)) = (method, target.name.as_deref()) else { return Ok(()) };
        let Some(mirrored) = self.endpoint.service.param_headers(tool) else { return Ok(()) };
        let arguments = target.arguments()?;
        mirrored
            .check(|name| self.headers.argument(name), arguments.as_ref())
            .map_err(ValidationError::mismatch)
    }
}

/// Returns a header that can be used.
fn used<'h>(header: &Result<Option<&'h str>, String>) -> Result<Option<&'h str>, ValidationError> {
    header.clone().map_err(ValidationError::mismatch)
}

/// Compares a header that is not encoded with the text in the body that it mirrors.
fn check_text(name: &str, header: Option<&str>, body: &str) -> Result<(), ValidationError> {
    match header {
        Some(value) if value == body => Ok(()),
        Some(value) => Err(ValidationError::mismatch(format!(
            "Header mismatch: {name} header value {value:?} does not match body value {body:?}"
        ))),
        None => Err(ValidationError::mismatch(format!(
            "Header mismatch: the {name} header is missing, but the body has the value {body:?}"
        ))),
    }
}

/// The parts of a request's params that headers mirror.
#[derive(Default)]
struct RequestTarget<'p> {
    name: Option<Cow<'p, str>>,
    arguments: Option<&'p [u8]>,
}

impl<'p> RequestTarget<'p> {
    /// Only three methods have a target; what is not a string is for the service to refuse.
    fn of(method: &Method, params: Option<&'p Params>) -> Result<RequestTarget<'p>, ValidationError> {
        let (Some(member), Some(params)) = (method.name_member(), params) else {
            return Ok(RequestTarget::default());
        };
        if let Some(routing) = params.routing()
            && let Some(name) = if member == "uri" { routing.uri } else { routing.name }.and_then(plain_text)
        {
            return Ok(RequestTarget { name: Some(Cow::Borrowed(name)), arguments: routing.arguments });
        }
        let params = RawObject::of(params).map_err(ValidationError::invalid_params)?;
        // A member that is there twice is refused.
        for member in ["name", "uri", "arguments"] {
            params.get::<Option<RawJson>>(member).map_err(ValidationError::invalid_params)?;
        }
        let arguments = params.raw("arguments").filter(|text| *text != b"null");
        Ok(RequestTarget { name: params.string(member), arguments })
    }

    fn arguments(&self) -> Result<Option<Map<String, Value>>, ValidationError> {
        let Some(text) = self.arguments else { return Ok(None) };
        match value_of(text).map_err(ValidationError::invalid_params)? {
            Value::Object(arguments) => Ok(Some(arguments)),
            _ => Ok(None),
        }
    }
}
