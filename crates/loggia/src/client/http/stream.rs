//! Event streams: read event by event, and opened again where they broke off.

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
/// Wait before a stream is opened again, unless the server names one.
const RETRY: Duration = Duration::from_secs(1);
/// The shortest wait, whatever the server says: a stream that ends at once must not keep us busy.
const LEAST_RETRY: Duration = Duration::from_millis(100);
/// Time that the first requests of a session wait for the stream that belongs to none.
const HEAD_START: Duration = Duration::from_millis(500);
/// The longest wait between attempts that fail.
const MOST_RETRY: Duration = Duration::from_secs(60);
/// Attempts in a row to take up a stream before it is given up.
const ATTEMPTS: u32 = 5;

/// An event stream that is open.
pub(crate) struct EventStream {
    body: PooledBody,
    parser: SseParser,
    long_answers: Arc<Semaphore>,
    /// Held while the event that is being received is long.
    room: Option<OwnedSemaphorePermit>,
}

/// A place in a stream, from which it can be resumed.
#[derive(Debug, Clone, Default)]
pub(super) struct StreamPosition {
    id: Option<String>,
    retry: Option<Duration>,
}

impl StreamPosition {
    /// Returns whether the server said where the stream broke off.
    pub(super) fn is_known(&self) -> bool {
        self.id.is_some()
    }

    fn wait(&self, failures: u32) -> Duration {
        let base = self.retry.unwrap_or(RETRY).max(LEAST_RETRY);
        // What the server asks for is respected to the letter; only failures make it longer.
        if failures == 0 {
            base
        } else {
            base.max(RETRY).saturating_mul(1 << failures.min(6)).min(base.max(MOST_RETRY))
        }
    }
}

impl EventStream {
    /// Waits for room where the event that is being received gets long with `bytes` more.
    async fn make_room(&mut self, bytes: usize) {
        if self.room.is_none() && self.parser.buffered() + bytes > LONG_ANSWER {
            self.room = self.long_answers.clone().acquire_owned().await.ok();
        }
    }

    /// Returns the next event; `None` at the end of the stream, orderly or not.
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

    /// Notes how far the stream was read.
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

    /// Reports the messages of one event. Says whether the answer to `request` was among them.
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

    /// Reports the messages of one text. Says whether the answer to `request` was among them; an answer that says
    /// that the session is gone is not reported, it is the error.
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

    /// Returns the failure, where the answer to a request of a session says that the session is gone.
    fn lost_session(&self, request: &RequestContext, answer: &Message) -> Option<RequestFailure> {
        let Message::Response { id, outcome: Err(error) } = answer else { return None };
        if request.session.is_none() || !names_session(error) {
            return None;
        }
        // With the id of the request, it may be about a session of the tool's own, after it ran.
        Some(self.session_refused(request, Error::Rpc(error.clone()), id.is_some()))
    }

    /// The stream of a legacy session that belongs to no request: messages that the server sends unasked.
    /// Lasts as long as the session; a server that has no such stream answers 405.
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
                        // Only a request's own stream can say that its session is gone.
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

    /// Returns whether a refusal of the stream that belongs to no request means that the session is gone. A server
    /// that never opened that stream may refuse it with any status.
    fn ends_session(&self, status: StatusCode, was_open: bool) -> bool {
        self.session().id.is_some() && (status == StatusCode::NOT_FOUND || (was_open && ends_stream(status)))
    }

    /// Opens the stream that belongs to no request and lets other messages go out: once it is open, or is
    /// known not to be, or takes too long to find out.
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

    /// Goes on with the stream of `request` where it broke off, until its answer has come.
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

    /// Returns the failure of a request whose stream broke and whose server refuses to open it again. `denied` is the
    /// error where the server asked for other authorization.
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
        // An id may be any text, and goes back as UTF-8.
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
            // Something answers, but not with a stream: as good as having none.
            status if status.is_success() => {
                Ok(StreamResponse::Refused(StatusCode::METHOD_NOT_ALLOWED, None))
            }
            status => Ok(StreamResponse::Refused(status, None)),
        }
    }

    /// The HTTP+SSE transport: one stream for everything the server says, which begins by saying where to
    /// POST.
    pub(super) async fn run_sse(&self) {
        let opened = timeout(self.connect_timeout, self.open_sse_stream()).await;
        let mut stream = match opened.unwrap_or(Err(Error::timeout(self.connect_timeout))) {
            Ok(stream) => stream,
            Err(error) => return self.report(LinkEvent::SseOpened(Err(error))).await,
        };
        self.report(LinkEvent::SseOpened(Ok(()))).await;
        let reason = loop {
            match stream.next().await {
                // No request has this stream for itself.
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
    /// The status, and the error where the server asked for other authorization.
    Refused(StatusCode, Option<Error>),
}

/// Returns whether `message` answers the request with this id.
fn answers(message: &Message, request: Option<i64>) -> bool {
    match message {
        Message::Response { id: Some(jsonrpc::Id::Number(id)), .. } => Some(*id) == request,
        // An error without an id, on a request's own stream, can only be its answer.
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
