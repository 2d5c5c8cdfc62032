//! One POST and its reply.

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use loggia_wire::jsonrpc::Id;
use loggia_wire::{Message, Method, RpcError, header};
use std::time::Duration;

use super::connect::RequestError;
use super::connector::with_sources;
use super::pool::PooledBody;
use super::request_context::RequestContext;
use super::session::SessionErrorResponse;
use super::stream::{EventStream, StreamPosition, is_event_stream, media_type};
use super::{HttpRemote, LONG_ANSWER, SESSION_ID, VERSION};
use crate::client::link_event::{self, LinkEvent, Outgoing, OutgoingKind, RequestFailure, SessionRefusal};
use crate::error::{Error, Result};

/// The maximum number of bytes of an error's body that are read.
const ERROR_BODY: usize = 64 << 10;
/// The time limit of the DELETE of a session.
const DELETE: Duration = Duration::from_secs(2);

const METHOD: HeaderName = HeaderName::from_static(header::MCP_METHOD);
const NAME: HeaderName = HeaderName::from_static(header::MCP_NAME);

/// The reply to a request.
pub(crate) enum PostReply {
    /// One JSON text.
    Text(Bytes),
    /// An event stream.
    Events(Box<EventStream>),
    /// A JSON-RPC error, which is the answer.
    Error(RpcError),
    /// The answer comes on the common stream instead (HTTP+SSE).
    Elsewhere,
}

impl HttpRemote {
    /// Sends a request and reports all its responses.
    pub(super) async fn exchange(&self, id: i64, method: &Method, outgoing: &Outgoing) {
        self.open_gate().await;
        if let Err(failure) = self.answer(id, method, outgoing).await {
            self.report(LinkEvent::Failed { id, failure }).await;
        }
    }

    async fn answer(&self, id: i64, method: &Method, outgoing: &Outgoing) -> Result<(), RequestFailure> {
        let request = RequestContext { id, session: self.session().id.clone() };
        match self.ask(&request, method, outgoing).await? {
            PostReply::Text(text) => match self.report_text(text, Some(&request)).await? {
                true => Ok(()),
                false => Err(without_answer()),
            },
            PostReply::Events(stream) => self.streamed(&request, outgoing, *stream).await,
            PostReply::Error(error) => {
                let message = Message::Response { id: Some(Id::Number(id)), outcome: Err(error) };
                self.report(LinkEvent::Message { stream: Some(id), message }).await;
                Ok(())
            }
            PostReply::Elsewhere => Ok(()),
        }
    }

    /// Sends a request, and reads the response until its kind is known.
    pub(crate) async fn ask(
        &self,
        request: &RequestContext,
        method: &Method,
        outgoing: &Outgoing,
    ) -> Result<PostReply, RequestFailure> {
        let response = match self.post(outgoing).await {
            Ok(response) => response,
            // Some servers answer 401 if they do not know the session.
            Err(RequestError { denied: Some(StatusCode::UNAUTHORIZED), error })
                if request.session.is_some() =>
            {
                return Err(self.session_refused(request, error, false));
            }
            Err(RequestError { error, .. }) => return Err(RequestFailure::Error(error)),
        };
        if !response.status().is_success() {
            return self.refused(request, method, response).await.map(PostReply::Error);
        }
        if *method == Method::Initialize {
            self.session().id = response.headers().get(SESSION_ID).cloned();
        }
        if is_event_stream(response.headers()) {
            return Ok(PostReply::Events(Box::new(self.event_stream(response))));
        }
        if self.session().post_address.is_some() {
            return Ok(PostReply::Elsewhere);
        }
        self.whole(response).await.map(PostReply::Text)
    }

    /// Returns an answer that is one JSON text.
    async fn whole(&self, response: Response<PooledBody>) -> Result<Bytes, RequestFailure> {
        let status = response.status();
        let is_json = media_type(response.headers()).is_some_and(is_json);
        let kind = (!is_json).then(|| media_type(response.headers()).unwrap_or("nothing").to_owned());
        let body = self.body(response, self.most_bytes).await.map_err(RequestFailure::Error)?;
        if body.is_empty() {
            return Err(protocol(format!("the server answered a request with {status} and no body")));
        }
        if let Some(kind) = kind {
            return Err(protocol(format!(
                "the server answered with {kind}; only application/json and text/event-stream are answers"
            )));
        }
        Ok(body)
    }

    /// Returns an answer that is an event stream.
    async fn streamed(
        &self,
        request: &RequestContext,
        outgoing: &Outgoing,
        mut stream: EventStream,
    ) -> Result<(), RequestFailure> {
        let mut place = StreamPosition::default();
        while let Some(event) = stream.next().await.map_err(RequestFailure::Error)? {
            stream.note(&mut place);
            if self.report_event(event, Some(request)).await? {
                return Ok(());
            }
        }
        stream.note(&mut place);
        if outgoing.version.is_modern() || !place.is_known() {
            return Err(RequestFailure::Ended);
        }
        drop(stream);
        self.resume(request, place).await
    }

    /// Returns a refusal: if the body has a JSON-RPC error, it is the answer; otherwise the status.
    async fn refused(
        &self,
        request: &RequestContext,
        method: &Method,
        response: Response<PooledBody>,
    ) -> Result<RpcError, RequestFailure> {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.body(response, ERROR_BODY).await.unwrap_or_default();
        let found = link_event::decode(&body).into_iter().find_map(|message| match message {
            Ok(Message::Response { id, outcome: Err(error) }) => Some((id, error)),
            _ => None,
        });
        let id = Id::Number(request.id);
        let answers = found.as_ref().is_some_and(|(answered, _)| answered.as_ref() == Some(&id));
        let said = found.as_ref().map(|(_, error)| error);
        let loses = SessionErrorResponse { status, headers: &headers, error: said, answers }.loses_session();
        if let Some(may_have_run) = loses.filter(|_| self.has_session(request, method)) {
            let text = refusal_text(status, said, &body);
            if request.session.is_none() {
                // With HTTP+SSE the stream is the session, so a new session needs a new connection.
                self.report(LinkEvent::Closed(text)).await;
                return Err(RequestFailure::Ended);
            }
            return Err(self.session_refused(request, Error::Connection(text), may_have_run));
        }
        let error = found.filter(|(answered, _)| answers || answered.is_none()).map(|(_, error)| error);
        match error {
            // Only a modern server sends such an error, so the error is used instead of the status.
            Some(error) if error.code.is_modern() || *method != Method::Initialize => Ok(error),
            Some(error) => {
                Err(RequestFailure::Status { status: status.as_u16(), message: format!("{status}: {error}") })
            }
            None => {
                let message = refusal_text(status, None, &body);
                Err(RequestFailure::Status { status: status.as_u16(), message })
            }
        }
    }

    /// Returns whether the server keeps state between the opening and this request: a session, or with HTTP+SSE the
    /// stream that belongs to the POST address.
    fn has_session(&self, request: &RequestContext, method: &Method) -> bool {
        request.session.is_some() || (*method != Method::Initialize && self.session().post_address.is_some())
    }

    /// Returns the failure of a request whose session is lost.
    pub(super) fn session_refused(
        &self,
        request: &RequestContext,
        error: Error,
        may_have_run: bool,
    ) -> RequestFailure {
        let current = self.session().id == request.session;
        RequestFailure::Session(SessionRefusal { error, may_have_run, current })
    }

    /// Sends a message that has no answer.
    pub(super) async fn post_quietly(&self, outgoing: &Outgoing) {
        match tokio::time::timeout(self.connect_timeout, self.post(outgoing)).await {
            Ok(Ok(response)) if response.status().is_success() => {}
            Ok(Ok(response)) => {
                tracing::debug!(status = %response.status(), kind = ?outgoing.kind, "not accepted")
            }
            Ok(Err(_)) | Err(_) => tracing::debug!(kind = ?outgoing.kind, "not sent"),
        }
    }

    async fn post(&self, outgoing: &Outgoing) -> Result<Response<PooledBody>, RequestError> {
        let headers = || self.headers_for(outgoing);
        let moved = self.session().post_address.clone();
        let address = moved.as_ref().unwrap_or(&self.address);
        self.http.request(http::Method::POST, address, &headers, &outgoing.body).await
    }

    fn headers_for(&self, outgoing: &Outgoing) -> HeaderMap {
        let mut headers = self.session_headers();
        headers.reserve(8 + outgoing.headers.len());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if outgoing.version.is_modern() {
            mirror(&mut headers, outgoing);
        }
        headers
    }

    async fn body(&self, response: Response<PooledBody>, most: usize) -> Result<Bytes> {
        let mut answer = response.into_body();
        let mut whole = Bytes::new();
        let mut room = None;
        while let Some(frame) = answer.frame().await {
            let frame = frame.map_err(|error| Error::Connection(with_sources(&error)))?;
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > most {
                return Err(Error::TooLarge(most));
            }
            if room.is_none() && whole.len() + data.len() > LONG_ANSWER {
                room = self.long_answers.acquire().await.ok();
            }
            // Most bodies are one chunk.
            whole = match whole.is_empty() {
                true => data,
                false => joined(whole, &data),
            };
        }
        Ok(whole)
    }

    /// Ends the session at the server.
    pub(super) async fn delete_session(&self) {
        if self.session().id.is_none() {
            return;
        }
        let headers = || self.session_headers();
        let body = Bytes::new();
        let deleted = self.http.request(http::Method::DELETE, &self.address, &headers, &body);
        match tokio::time::timeout(DELETE, deleted).await {
            Ok(Ok(response)) => tracing::debug!(status = %response.status(), "session ended"),
            Ok(Err(RequestError { error, .. })) => {
                tracing::debug!(%error, "the session's end could not be told")
            }
            Err(_) => tracing::debug!("the session's end was not acknowledged"),
        }
    }
}

/// Mirrors values of the body into headers ("Request Metadata"). A value that cannot be a header is left out; the
/// server then reports that it is missing.
fn mirror(headers: &mut HeaderMap, outgoing: &Outgoing) {
    let mut insert = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    if let OutgoingKind::Request { method, .. } | OutgoingKind::Notification(method) = &outgoing.kind {
        insert(METHOD, method.as_str());
    }
    if let Some(name) = &outgoing.name {
        insert(NAME, &header::encode_value(name));
    }
    for (name, value) in &outgoing.headers {
        if let Ok(name) = HeaderName::try_from(name) {
            insert(name, value);
        }
    }
    headers.insert(VERSION, HeaderValue::from_static(outgoing.version.as_str()));
}

/// Appends to bytes. They are copied only if they are shared.
fn joined(whole: Bytes, data: &[u8]) -> Bytes {
    let mut whole = BytesMut::from(whole);
    whole.extend_from_slice(data);
    whole.freeze()
}

/// Returns the refusal of a request, for a message: its status, and its error or the beginning of its body.
fn refusal_text(status: StatusCode, error: Option<&RpcError>, body: &[u8]) -> String {
    let said = match error {
        Some(error) => error.message.clone(),
        None => String::from_utf8_lossy(body),
    };
    let said: String = said.trim().chars().take(200).collect();
    format!("the server answered {status} {said}").trim_end().to_owned()
}

fn is_json(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("application/json")
}

fn without_answer() -> RequestFailure {
    protocol("the body of the response does not hold the answer".to_owned())
}

fn protocol(what: String) -> RequestFailure {
    RequestFailure::Error(Error::Protocol(what))
}
