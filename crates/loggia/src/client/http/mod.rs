//! Connections to servers over HTTP: Streamable HTTP in both eras, and the older HTTP+SSE transport.
//!
//! Each request is a POST, and its answer is a JSON text or an event stream. In the legacy era a broken stream is
//! resumed, and one more stream carries the messages that belong to no request. Each stream has a task that reports
//! to one queue; the engine interprets the reports.

mod connect;
mod connector;
mod exchange;
mod pool;
mod request_context;
mod self_waker;
mod session;
mod stream;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use loggia_wire::{Method, Version, header};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

use crate::client::link_event::{LinkEvent, Outgoing, OutgoingKind};
use crate::error::{Error, Result};
use crate::future::BoxFuture;
use crate::limits::Limits;
use connect::{EndpointAddress, HttpClient};
pub(crate) use exchange::PostReply;
pub(crate) use request_context::RequestContext;
pub(crate) use stream::EventStream;

/// Provides the authorization of HTTP requests.
pub trait Authorize: Send + Sync + 'static {
    /// Returns the headers that authorize one request.
    fn headers(&self, method: &http::Method, url: &Url) -> BoxFuture<'_, Result<HeaderMap>>;

    /// Handles a refusal (401, or 403 with a challenge). Returns `true` if the request should be sent again, with the
    /// headers that [`headers`](Authorize::headers) then returns.
    fn handle_challenge(&self, challenge: Challenge) -> BoxFuture<'_, Result<bool>>;

    /// Receives the headers that [`headers`](Authorize::headers) gave a request, and the status and the headers of its
    /// response. The client calls it for every response before it reads the body, so it must not block.
    fn observe_response(&self, sent: &HeaderMap, status: http::StatusCode, headers: &HeaderMap) {
        let _ = (sent, status, headers);
    }

    /// Returns a name for the current authorization. Private results are cached under this name.
    fn context(&self) -> Option<String> {
        None
    }
}

/// A refusal that asks for other authorization.
#[derive(Debug, Clone)]
pub struct Challenge {
    /// 401 or 403.
    pub status: http::StatusCode,
    /// The headers of the response, `WWW-Authenticate` among them.
    pub headers: HeaderMap,
    /// The headers that [`Authorize::headers`] returned for the request. They may have been renewed meanwhile.
    pub sent: HeaderMap,
}

/// Options of connections over HTTP.
#[derive(Clone)]
pub(crate) struct HttpOptions {
    pub headers: HeaderMap,
    pub authorize: Option<Arc<dyn Authorize>>,
    pub legacy_sse: bool,
    /// Trusted certificates, each in PEM.
    #[cfg(feature = "tls")]
    pub roots: Vec<Vec<u8>>,
}

impl Default for HttpOptions {
    fn default() -> HttpOptions {
        HttpOptions {
            headers: HeaderMap::new(),
            authorize: None,
            legacy_sse: true,
            #[cfg(feature = "tls")]
            roots: Vec::new(),
        }
    }
}

/// Returns the key of a server in the memory: its URL without parts that may be secret.
pub(crate) fn endpoint(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// A connection over HTTP: the requests to one endpoint.
pub(crate) struct HttpLink {
    remote: Arc<HttpRemote>,
    reports: mpsc::Receiver<LinkEvent>,
    /// Each task returns the id of its request.
    tasks: JoinSet<Option<i64>>,
    requests: HashMap<i64, AbortHandle>,
    /// The task of the stream that belongs to no request.
    listener: Option<AbortHandle>,
}

/// The length from which an answer counts as long, in bytes.
const LONG_ANSWER: usize = 1 << 20;
/// The number of long answers of one server that are received at the same time. The others wait at that length.
const LONG_ANSWERS: usize = 2;

/// The state that all tasks of a link share.
pub(crate) struct HttpRemote {
    http: HttpClient,
    address: Arc<EndpointAddress>,
    options: HttpOptions,
    session: Mutex<HttpSession>,
    reports: mpsc::Sender<LinkEvent>,
    /// False while `notifications/initialized` is being sent: requests wait.
    gate: watch::Sender<bool>,
    most_bytes: usize,
    /// Room for long answers that are being received.
    long_answers: Arc<Semaphore>,
    connect_timeout: Duration,
}

/// The id and version of a legacy session.
#[derive(Debug, Clone, Default)]
struct HttpSession {
    id: Option<HeaderValue>,
    version: Option<Version>,
    /// The address of POST requests, with the HTTP+SSE transport.
    post_address: Option<Arc<EndpointAddress>>,
}

impl HttpLink {
    /// The number of queued reports; above it the streams are not read.
    const REPORTS: usize = 64;
    /// The maximum number of messages other than requests (answers, notifications) that are being sent.
    const ANSWERS: usize = 64;

    pub(crate) fn new(
        url: Url,
        options: HttpOptions,
        limits: &Limits,
        connect_timeout: Duration,
    ) -> Result<HttpLink> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Configuration("put credentials into a header, not into the URL".to_owned()));
        }
        let http = HttpClient::new(&url, &options, connect_timeout)?;
        let address = Arc::new(EndpointAddress::new(url)?);
        let (sender, reports) = mpsc::channel(HttpLink::REPORTS);
        let remote = Arc::new(HttpRemote {
            http,
            address,
            options,
            session: Mutex::default(),
            reports: sender,
            gate: watch::Sender::new(true),
            most_bytes: limits.reply_bytes,
            long_answers: Arc::new(Semaphore::new(LONG_ANSWERS)),
            connect_timeout,
        });
        Ok(HttpLink { remote, reports, tasks: JoinSet::new(), requests: HashMap::new(), listener: None })
    }

    /// Returns the part of the link that makes requests without the link.
    pub(crate) fn remote(&self) -> Arc<HttpRemote> {
        self.remote.clone()
    }

    /// Sends a message in a task of its own.
    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        let remote = self.remote.clone();
        match outgoing.kind.clone() {
            OutgoingKind::Request { id, method } => {
                if method == Method::Initialize {
                    self.forget_session();
                }
                let task = self.tasks.spawn(async move {
                    remote.exchange(id, &method, &outgoing).await;
                    Some(id)
                });
                self.requests.insert(id, task);
            }
            OutgoingKind::Notification(Method::Initialized) => self.open_session(outgoing),
            OutgoingKind::Notification(_) | OutgoingKind::Response => {
                self.tasks.spawn(async move {
                    remote.open_gate().await;
                    remote.post_quietly(&outgoing).await;
                    None
                });
            }
        }
    }

    /// Returns whether more messages may be sent. A server may send many requests without reading the answers.
    pub(crate) fn has_room(&self) -> bool {
        self.tasks.len().saturating_sub(self.requests.len()) < HttpLink::ANSWERS
    }

    /// Waits for a report. If `read` is false or there is no room, waits only for room. Dropping the future loses
    /// nothing.
    pub(crate) async fn next(&mut self, read: bool) -> Option<LinkEvent> {
        let had_room = self.has_room();
        loop {
            tokio::select! {
                biased;
                report = self.reports.recv(), if read => return report,
                Some(done) = self.tasks.join_next() => {
                    if let Ok(Some(id)) = done {
                        self.requests.remove(&id);
                    }
                    if self.has_room() && !(read && had_room) {
                        return None;
                    }
                }
                else => std::future::pending().await,
            }
        }
    }

    /// Closes the stream of a request, which cancels the request in the modern era.
    pub(crate) fn abandon(&mut self, id: i64) {
        if let Some(task) = self.requests.remove(&id) {
            task.abort();
        }
    }

    /// Opens the HTTP+SSE transport instead of Streamable HTTP.
    pub(crate) fn open_sse(&mut self) {
        let remote = self.remote.clone();
        self.replace_listener(async move { remote.run_sse().await });
    }

    /// Ends the session, if there is one.
    pub(crate) async fn close(mut self) {
        self.tasks.abort_all();
        self.remote.delete_session().await;
    }

    /// Sends `notifications/initialized`, then keeps the stream open that belongs to no request. Other messages wait
    /// for both, because a question of the server may be lost without this stream.
    fn open_session(&mut self, initialized: Outgoing) {
        self.remote.gate.send_replace(false);
        let has_stream = {
            let mut session = self.remote.session();
            session.version = Some(initialized.version);
            session.post_address.is_some()
        };
        let remote = self.remote.clone();
        let opening = async move {
            remote.post_quietly(&initialized).await;
            if !has_stream {
                remote.run_listener().await;
            }
            remote.gate.send_replace(true);
        };
        if has_stream {
            self.tasks.spawn(async move {
                opening.await;
                None
            });
        } else {
            self.replace_listener(opening);
        }
    }

    fn replace_listener(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(async move {
            task.await;
            None
        });
        if let Some(old) = self.listener.replace(handle) {
            old.abort();
        }
    }

    fn forget_session(&mut self) {
        let mut session = self.remote.session();
        session.id = None;
        session.version = None;
        self.remote.gate.send_replace(true);
        if session.post_address.is_none()
            && let Some(listener) = self.listener.take()
        {
            listener.abort();
        }
    }
}

impl HttpRemote {
    fn session(&self) -> MutexGuard<'_, HttpSession> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link may be dropped; then no report is needed.
    async fn report(&self, event: LinkEvent) {
        let _ = self.reports.send(event).await;
    }

    async fn open_gate(&self) {
        // `self` has the sender, so the channel cannot be closed.
        let _ = self.gate.subscribe().wait_for(|open| *open).await;
    }

    /// Returns the headers of every request of the current session.
    fn session_headers(&self) -> HeaderMap {
        let mut headers = self.options.headers.clone();
        let session = self.session();
        if let Some(id) = &session.id {
            headers.insert(SESSION_ID, id.clone());
        }
        if let Some(version) = session.version {
            headers.insert(VERSION, HeaderValue::from_static(version.as_str()));
        }
        headers
    }
}

const SESSION_ID: HeaderName = HeaderName::from_static(header::MCP_SESSION_ID);
const VERSION: HeaderName = HeaderName::from_static(header::MCP_PROTOCOL_VERSION);
