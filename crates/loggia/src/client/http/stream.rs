//! Event streams: reads them event by event, and opens them again after they broke off.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use loggia_wire::{Message, header, jsonrpc};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::connect::{EndpointAddress, RequestError};
use super::connector::with_sources;
use super::pool::PooledBody;
use super::request_context::RequestContext;
use super::session::{ends_stream, names_session};
use super::{HttpRemote, LONG_ANSWER};
use crate::client::link_event::{self, LinkEvent, RequestFailure};
use crate::error::{Error, Result};
use crate::transport::sse::{SseEvent, SseParser};

/// The media type of event streams.
pub(super) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
/// The pause before a stream is opened again, unless the server sends one.
const RETRY: Duration = Duration::from_secs(1);
/// The shortest pause, whatever the server says, so that a stream that ends immediately does not cause a busy loop.
const LEAST_RETRY: Duration = Duration::from_millis(100);
/// The time that the first requests of a session wait for the stream that belongs to no request.
const HEAD_START: Duration = Duration::from_millis(500);
/// The longest pause between failed attempts.
const MAX_RETRY: Duration = Duration::from_secs(60);
/// The number of failed attempts in a row after which a stream is not resumed.
const ATTEMPTS: u32 = 5;

/// An event stream that is open.
pub(crate) struct EventStream {
    body: PooledBody,
    parser: SseParser,
    long_answers: Arc<Semaphore>,
    /// Held while a long event is being received.
    room: Option<OwnedSemaphorePermit>,
}

/// A position in a stream, from which it can be resumed.
#[derive(Debug, Clone, Default)]
pub(super) struct StreamPosition {
    id: Option<String>,
    retry: Option<Duration>,
}

impl StreamPosition {
    /// Returns whether the server sent an id, which is the position in the stream.
    pub(super) fn is_known(&self) -> bool {
        self.id.is_some()
    }

    fn wait(&self, failures: u32) -> Duration {
        let base = self.retry.unwrap_or(RETRY).max(LEAST_RETRY);
        // The pause that the server asks for is used exactly; only failures make it longer.
        if failures == 0 {
            base
        } else {
            base.max(RETRY).saturating_mul(1 << failures.min(6)).min(base.max(MAX_RETRY))
        }
    }
}

impl EventStream {
    /// Waits for room if the event becomes long with `bytes` more.
    async fn make_room(&mut self, bytes: usize) {
        if self.room.is_none() && self.parser.buffered() + bytes > LONG_ANSWER {
            self.room = self.long_answers.clone().acquire_owned().await.ok();
        }
    }

    /// Returns the next event; `None` at the end of the stream, also if it broke off.
    pub(crate) async fn next(&mut self) -> Result<Option<SseEvent>> {
        loop {
            match self.parser.next_event() {
                Ok(Some(event)) => {
                    self.room = None;
                    return Ok(Some(event));
                }
                Ok(None) => {}
                Err(too_long) => return Err(Error::TooLarge(too_long.limit)),
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.make_room(data.len()).await;
                        self.parser.feed(data);
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(error = with_sources(&error), "an event stream broke");
                    return Ok(None);
                }
                None => return Ok(None),
            }
        }
    }

    /// Records the position in the stream.
    pub(super) fn note(&self, place: &mut StreamPosition) {
        if let Some(id) = self.parser.last_event_id() {
            place.id = Some(id.to_owned());
        }
        place.retry = self.parser.retry().or(place.retry);
    }
}

impl HttpRemote {
    pub(super) fn event_stream(&self, response: Response<PooledBody>) -> EventStream {
        EventStream {
            body: response.into_body(),
            parser: SseParser::new(self.most_bytes),
            long_answers: self.long_answers.clone(),
            room: None,
        }
    }

    /// Reports the messages of one event. Returns whether one of them is the answer to `request`.
    pub(super) async fn report_event(
        &self,
        event: SseEvent,
        request: Option<&RequestContext>,
    ) -> Result<bool, RequestFailure> {
        if event.data.is_empty() || event.name.is_some_and(|name| name != "message") {
            return Ok(false);
        }
        self.report_text(event.data.into(), request).await
    }

    /// Reports the messages of one text. Returns whether one of them is the answer to `request`. If the answer says
    /// that the session is lost, it is returned as an error instead.
    pub(super) async fn report_text(
        &self,
        text: Bytes,
        request: Option<&RequestContext>,
    ) -> Result<bool, RequestFailure> {
        let stream = request.map(|request| request.id);
        let mut answered = false;
        for member in link_event::decode(&text) {
            match member {
                Ok(message) => {
                    let answer = answers(&message, stream);
                    if answer
                        && let Some(failure) = request.and_then(|sent| self.lost_session(sent, &message))
                    {
                        return Err(failure);
                    }
                    answered |= answer;
                    self.report(LinkEvent::Message { stream, message }).await;
                }
                Err(noise) => {
                    answered |= stream.is_some() && noise.answers(stream) == stream;
                    self.report(LinkEvent::Unreadable { stream, noise }).await;
                }
            }
        }
        Ok(answered)
    }

    /// Returns the failure if the answer to a request says that the session is lost.
    fn lost_session(&self, request: &RequestContext, answer: &Message) -> Option<RequestFailure> {
        let Message::Response { id, outcome: Err(error) } = answer else { return None };
        if request.session.is_none() || !names_session(error) {
            return None;
        }
        // If it has the id of the request, it may be about a session of the tool itself, after the tool ran.
        Some(self.session_refused(request, Error::Rpc(error.clone()), id.is_some()))
    }

    /// Reads the stream of a legacy session that belongs to no request. The server sends messages of its own on it.
    /// Runs as long as the session. A server without such a stream answers 405.
    pub(super) async fn run_listener(&self) {
        let mut place = StreamPosition::default();
        let mut failures = 0;
        let mut was_open = false;
        let mut taken = self.take_up_first().await;
        loop {
            match taken {
                Ok(StreamResponse::Open(mut stream)) => {
                    failures = 0;
                    was_open = true;
                    while let Ok(Some(event)) = stream.next().await {
                        stream.note(&mut place);
                        // Only a request's own stream can say that its session is lost.
                        let _ = self.report_event(event, None).await;
                    }
                    stream.note(&mut place);
                }
                Ok(StreamResponse::Refused(status, _)) if self.ends_session(status, was_open) => {
                    return self.report(LinkEvent::SessionExpired).await;
                }
                Ok(StreamResponse::Refused(status, _)) if status.is_client_error() => {
                    return tracing::debug!(%status, "the server has no stream for what belongs to no request");
                }
                Ok(StreamResponse::Refused(status, _)) => {
                    tracing::debug!(%status, "the server's stream cannot be opened now");
                    failures += 1;
                }
                Err(error) => {
                    tracing::debug!(%error, "the server's stream cannot be opened now");
                    failures += 1;
                }
            }
            sleep(place.wait(failures)).await;
            taken = self.take_up(&place).await;
        }
    }

    /// Returns whether a refusal of the stream that belongs to no request means that the session is lost. A server
    /// that never opened this stream may refuse it with any status.
    fn ends_session(&self, status: StatusCode, was_open: bool) -> bool {
        self.session().id.is_some() && (status == StatusCode::NOT_FOUND || (was_open && ends_stream(status)))
    }

    /// Opens the stream that belongs to no request. Other messages may be sent when it is open, when the server
    /// refuses it, or when it takes too long.
    async fn take_up_first(&self) -> Result<StreamResponse> {
        let place = StreamPosition::default();
        let mut attempt = std::pin::pin!(self.take_up(&place));
        let early = timeout(HEAD_START, &mut attempt).await;
        self.gate.send_replace(true);
        match early {
            Ok(taken) => taken,
            Err(_) => attempt.await,
        }
    }

    /// Resumes the stream of `request` until its answer has come.
    pub(super) async fn resume(
        &self,
        request: &RequestContext,
        mut place: StreamPosition,
    ) -> Result<(), RequestFailure> {
        let mut failures = 0;
        while failures < ATTEMPTS {
            sleep(place.wait(failures)).await;
            match self.take_up(&place).await {
                Ok(StreamResponse::Open(mut stream)) => {
                    failures = 0;
                    while let Some(event) = stream.next().await.map_err(RequestFailure::Error)? {
                        stream.note(&mut place);
                        if self.report_event(event, Some(request)).await? {
                            return Ok(());
                        }
                    }
                    stream.note(&mut place);
                }
                Ok(StreamResponse::Refused(status, denied)) if status.is_client_error() => {
                    return Err(self.not_resumed(request, status, denied));
                }
                Ok(StreamResponse::Refused(..)) | Err(Error::Connection(_)) => failures += 1,
                Err(error) => return Err(RequestFailure::Error(error)),
            }
        }
        let text = "the answer's stream broke off and could not be taken up again";
        Err(RequestFailure::Error(Error::Connection(text.to_owned())))
    }

    /// Returns the failure of a request whose stream broke off and which the server refuses to resume. `denied` is
    /// the error if the server asked for other authorization.
    fn not_resumed(
        &self,
        request: &RequestContext,
        status: StatusCode,
        denied: Option<Error>,
    ) -> RequestFailure {
        let error = denied.unwrap_or_else(|| {
            Error::Connection(format!(
                "the answer's stream broke off and cannot be taken up again: the server answered {status}"
            ))
        });
        match request.session.is_some() && ends_stream(status) {
            true => self.session_refused(request, error, true),
            false => RequestFailure::Error(error),
        }
    }

    async fn take_up(&self, place: &StreamPosition) -> Result<StreamResponse> {
        // An id may be any text, and is sent back as UTF-8.
        let last = place.id.as_deref().and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok());
        let headers = || {
            let mut headers = self.session_headers();
            headers.insert(ACCEPT, EVENT_STREAM);
            if let Some(id) = &last {
                headers.insert(header::LAST_EVENT_ID, id.clone());
            }
            headers
        };
        let response = match self.http.request(Method::GET, &self.address, &headers, &Bytes::new()).await {
            Ok(response) => response,
            Err(RequestError { denied: Some(status), error }) => {
                return Ok(StreamResponse::Refused(status, Some(error)));
            }
            Err(RequestError { error, .. }) => return Err(error),
        };
        match response.status() {
            status if status.is_success() && is_event_stream(response.headers()) => {
                Ok(StreamResponse::Open(Box::new(self.event_stream(response))))
            }
            // The response is not a stream, so the server has none.
            status if status.is_success() => {
                Ok(StreamResponse::Refused(StatusCode::METHOD_NOT_ALLOWED, None))
            }
            status => Ok(StreamResponse::Refused(status, None)),
        }
    }

    /// Reads the HTTP+SSE transport: one stream for all messages of the server. Its first event is the address for
    /// POST requests.
    pub(super) async fn run_sse(&self) {
        let opened = timeout(self.connect_timeout, self.open_sse_stream()).await;
        let mut stream = match opened.unwrap_or(Err(Error::timeout(self.connect_timeout))) {
            Ok(stream) => stream,
            Err(error) => return self.report(LinkEvent::SseOpened(Err(error))).await,
        };
        self.report(LinkEvent::SseOpened(Ok(()))).await;
        let reason = loop {
            match stream.next().await {
                // No request owns this stream.
                Ok(Some(event)) => drop(self.report_event(event, None).await),
                Ok(None) => break "the server closed its event stream".to_owned(),
                Err(error) => break error.to_string(),
            }
        };
        self.report(LinkEvent::Closed(reason)).await;
    }

    async fn open_sse_stream(&self) -> Result<Box<EventStream>> {
        let mut stream = match self.take_up(&StreamPosition::default()).await? {
            StreamResponse::Open(stream) => stream,
            StreamResponse::Refused(_, Some(error)) => return Err(error),
            StreamResponse::Refused(status, None) => {
                return Err(Error::Connection(format!(
                    "the server answered {status} to a GET for an event stream"
                )));
            }
        };
        while let Some(event) = stream.next().await? {
            if event.name.as_deref() == Some("endpoint") {
                let text = String::from_utf8_lossy(&event.data).into_owned();
                let ours = &self.address.url;
                let target = ours.join(text.trim()).ok().filter(|target| target.origin() == ours.origin());
                let Some(target) = target else {
                    return Err(Error::Protocol(format!(
                        "the endpoint {text:?} is not on the server that names it: nothing is sent there"
                    )));
                };
                self.session().post_address = Some(Arc::new(EndpointAddress::new(target)?));
                return Ok(stream);
            }
        }
        Err(Error::Protocol("the event stream ended before it said where to POST".to_owned()))
    }
}

enum StreamResponse {
    Open(Box<EventStream>),
    /// The status, and the error if the server asked for other authorization.
    Refused(StatusCode, Option<Error>),
}

/// Returns whether `message` answers the request with this id.
fn answers(message: &Message, request: Option<i64>) -> bool {
    match message {
        Message::Response { id: Some(jsonrpc::Id::Number(id)), .. } => Some(*id) == request,
        // On a request's own stream, an error without an id can only be its answer.
        Message::Response { id: None, .. } => request.is_some(),
        _ => false,
    }
}

/// Returns whether the body is an event stream.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}

/// Returns the media type of a body, without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}
