//! The HTTP+SSE transport of 2024-11-05: a GET that stays open carries the server's messages, POSTs carry the
//! client's. Together they are one duplex connection, and the machine for those serves it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use loggia_wire::RpcError;
use loggia_wire::jsonrpc::{self, Frame, Message};
use loggia_wire::model::SubscriptionFilter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::changes::ChangeSubscription;
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::random::random;
use crate::service::{Description, Outcome, Principal, Request, Service};
use crate::transport::http::Body;
use crate::transport::http::server::admission::{Overload, principal};
use crate::transport::http::server::headers::{EVENT_STREAM, accepts, is_json};
use crate::transport::http::server::respond::{self, ResponseResult, keep_alive};
use crate::transport::http::server::state::EndpointState;
use crate::transport::http::server::unfold::unfold;
use crate::transport::memory::{self, MemoryReader};
use crate::transport::{Serve, sse};

const SSE_PATH: &str = "/sse";
const MESSAGES_PATH: &str = "/messages";

/// The connections of the old transport.
#[derive(Default)]
pub(super) struct HttpSse {
    open: Arc<Mutex<HashMap<String, Inbox>>>,
}

/// Receiver of a connection's POSTs.
struct Inbox {
    messages: MessageSender,
    principal: Option<Arc<Principal>>,
}

/// The sender of messages to a connection.
#[derive(Clone)]
struct MessageSender {
    sender: mpsc::Sender<Bytes>,
    /// As many permits as there may be bytes of messages that wait or run.
    room: Arc<Semaphore>,
}

/// A message, and the room it takes until nothing of it is used any more.
struct AdmittedMessage {
    text: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for AdmittedMessage {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl MessageSender {
    /// Hands a message over when there is room for it. An answer to a question needs none: whatever takes
    /// the room may be waiting for it.
    async fn send(&self, text: Bytes, is_answer: bool) -> Option<()> {
        let text = if is_answer { text } else { self.hold(text).await? };
        self.sender.send(text).await.ok()
    }

    async fn hold(&self, text: Bytes) -> Option<Bytes> {
        let bytes = u32::try_from(text.len()).ok()?;
        let room = self.room.clone().acquire_many_owned(bytes).await.ok()?;
        Some(Bytes::from_owner(AdmittedMessage { text, _room: room }))
    }
}

impl HttpSse {
    /// Returns whether `path` is one of the two.
    pub(super) fn serves(&self, path: &str) -> bool {
        matches!(path, SSE_PATH | MESSAGES_PATH)
    }

    pub(super) async fn serve(&self, endpoint: &EndpointState, parts: &Parts, body: Body) -> ResponseResult {
        match (parts.uri.path(), &parts.method) {
            (SSE_PATH, &Method::GET) => self.connect(endpoint, parts),
            (MESSAGES_PATH, &Method::POST) => self.receive(endpoint, parts, body).await,
            (SSE_PATH, _) => Err(respond::method_not_allowed("GET")),
            _ => Err(respond::method_not_allowed("POST")),
        }
    }

    fn connect(&self, endpoint: &EndpointState, parts: &Parts) -> ResponseResult {
        if !accepts(&parts.headers, EVENT_STREAM) {
            let message = "The Accept header must allow text/event-stream";
            return Err(respond::refuse(StatusCode::NOT_ACCEPTABLE, message));
        }
        let principal = principal(parts);
        let admitted = endpoint.streams.admit(principal.as_deref());
        let permit = admitted.map_err(|why| respond::busy(None, &why))?;
        let (ours, theirs) = memory::pair();
        let service =
            Arc::new(PrincipalService { service: endpoint.service.clone(), principal: principal.clone() });
        let serving = theirs.serve(service, endpoint.limits.clone(), endpoint.shutdown.clone());
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::debug!(%error, "an HTTP+SSE connection failed");
            }
        });
        let (reader, writer) = ours.split();
        let id = URL_SAFE_NO_PAD.encode(random::<16>());
        let bytes = endpoint.limits.in_flight_bytes.max(endpoint.limits.message_bytes);
        let room = Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)));
        let inbox = Inbox { messages: MessageSender { sender: writer.into_sender(), room }, principal };
        self.lock().insert(id.clone(), inbox);
        let place = ConnectionEntry { id, open: self.open.clone() };
        let connection =
            HttpSseConnection { reader, place, announced: false, keep_alive: endpoint.limits.keep_alive };
        Ok(respond::detached_event_stream(connection.events()).map(|body| body.holding(permit)))
    }

    async fn receive(&self, endpoint: &EndpointState, parts: &Parts, body: Body) -> ResponseResult {
        if !is_json(&parts.headers) {
            let message = "The Content-Type must be application/json";
            return Err(respond::refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let messages = self.inbox(parts).ok_or_else(|| {
            respond::refuse(StatusCode::NOT_FOUND, "There is no such session: open a new one with GET /sse")
        })?;
        let admitted = endpoint.requests.admit(principal(parts).as_deref());
        let _permit = admitted.map_err(|why| respond::busy(None, &why))?;
        let text =
            body.read(&endpoint.limits).await.map_err(|error| respond::unread(&error, parts.version))?;
        let frame = jsonrpc::decode_frame(&text).map_err(|error| respond::undecodable(&error))?;
        let is_answer = matches!(frame, Frame::Single(Message::Response { .. }));
        drop(frame);
        let sent = tokio::time::timeout(endpoint.limits.write_timeout, messages.send(text, is_answer)).await;
        match sent {
            Ok(Some(())) => Ok(respond::empty(StatusCode::ACCEPTED)),
            _ => Err(respond::busy(None, &Overload::Backlog)),
        }
    }

    fn inbox(&self, parts: &Parts) -> Option<MessageSender> {
        let id = parts.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("session="))?;
        let open = self.lock();
        let inbox = open.get(id)?;
        let same = |a: &Principal, b: &Principal| (&a.issuer, &a.subject) == (&b.issuer, &b.subject);
        let allowed = match (&inbox.principal, principal(parts)) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => same(ours, &theirs),
            _ => false,
        };
        allowed.then(|| inbox.messages.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Inbox>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The GET of one connection.
struct HttpSseConnection {
    reader: MemoryReader,
    place: ConnectionEntry,
    announced: bool,
    keep_alive: std::time::Duration,
}

/// A connection's entry in the table, for as long as its GET is open.
struct ConnectionEntry {
    id: String,
    open: Arc<Mutex<HashMap<String, Inbox>>>,
}

impl Drop for ConnectionEntry {
    fn drop(&mut self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl HttpSseConnection {
    fn events(self) -> impl futures_core::Stream<Item = Bytes> + Send {
        unfold(self, |mut connection| async move {
            let event = connection.next().await?;
            Some((event, connection))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.announced, true) {
            let endpoint = format!("{MESSAGES_PATH}?session={}", self.place.id);
            sse::write_event(&mut out, Some("endpoint"), None, endpoint.as_bytes());
            return Some(out.into());
        }
        tokio::select! {
            biased;
            message = self.reader.recv() => {
                sse::write_event(&mut out, Some("message"), None, &message?);
                Some(out.into())
            }
            comment = keep_alive(self.keep_alive) => Some(comment),
        }
    }
}

/// A service as one principal sees it, for a connection that belongs to that principal as a whole.
struct PrincipalService {
    service: Arc<dyn Service>,
    principal: Option<Arc<Principal>>,
}

impl Service for PrincipalService {
    fn describe(&self) -> Arc<Description> {
        self.service.describe()
    }

    fn call(&self, mut request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        request.principal = self.principal.clone();
        self.service.call(request, exchange)
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        self.service.listen(filter, self.principal.clone())
    }
}
