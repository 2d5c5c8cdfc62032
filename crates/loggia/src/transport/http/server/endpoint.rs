//! The endpoint: one path, both eras. Here a request is let in (who asks, how much, in what form), read, and
//! given to the form it is written in: the one that needs no session, or its session's.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderValue, Method as HttpMethod, Request, Response, StatusCode, Version as HttpVersion};
use http_body::Body as _;
use http_body_util::BodyExt;
use loggia_wire::jsonrpc::{self, Frame, Message};
use loggia_wire::meta::{self, DeclaredVersion};
use loggia_wire::{Method, Params, RequestMeta, RpcError, Version};

use super::accept::{Accepted, accepted, is_json};
use super::admission::AdmissionControl;
use super::http_sse::HttpSse;
use super::meta_cache::MetaCache;
use super::origin::{self, OriginFilter, Verdict};
use super::sessions::Sessions;
use super::{json_only, legacy, modern, respond, validate};
use crate::edge::poll_once;
use crate::limits::Limits;
use crate::service::{BoxFuture, Principal, Service};
use crate::transport::Shutdown;
use crate::transport::http::body::{Admission, Body, BodyError};

/// An MCP endpoint as a [`tower_service::Service`], to be mounted in any HTTP stack. Cheap to clone.
///
/// A layer around it may put a [`Principal`], or an `Arc` of one, into a request's extensions: the service
/// sees it, and legacy sessions are bound to it.
#[derive(Clone)]
pub struct Endpoint(pub(super) Arc<Shared>);

/// What every request of an endpoint uses.
pub(super) struct Shared {
    pub(super) service: Arc<dyn Service>,
    pub(super) limits: Limits,
    pub(super) path: String,
    /// `None` where the listener has checked the request before the layers.
    pub(super) filter: Option<OriginFilter>,
    pub(super) sessions: Sessions,
    pub(super) requests: AdmissionControl,
    pub(super) streams: AdmissionControl,
    pub(super) memos: MetaCache,
    pub(super) shutdown: Shutdown,
    pub(super) http_sse: Option<HttpSse>,
}

impl Endpoint {
    /// Ends what is open: subscriptions get their graceful end, requests that run get [`Limits::drain`] to
    /// finish. For an endpoint that is served by [`Http`](super::Http) this happens by itself.
    pub async fn shut_down(&self) {
        let shared = &self.0;
        shared.shutdown.begin();
        if tokio::time::timeout(shared.limits.drain, shared.requests.drained()).await.is_err() {
            tracing::warn!("requests still ran when the time to drain was over");
        }
        shared.sessions.end_all();
    }
}

impl<B> tower_service::Service<Request<B>> for Endpoint
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        self.0.clone().answer(parts, Body::new(body))
    }
}

/// Who makes a request, where a layer established it.
pub(super) fn principal(parts: &Parts) -> Option<Arc<Principal>> {
    let shared = parts.extensions.get::<Arc<Principal>>().cloned();
    shared.or_else(|| parts.extensions.get::<Principal>().cloned().map(Arc::new))
}

impl Shared {
    /// Of one type of body and boxed here, so that it is not compiled again in the program of whoever serves.
    fn answer(
        self: Arc<Shared>,
        parts: Parts,
        body: Body,
    ) -> BoxFuture<'static, Result<Response<Body>, Infallible>> {
        let verdict =
            self.filter.as_ref().map(|filter| filter.judge(&parts.method, &parts.uri, &parts.headers));
        match verdict {
            None | Some(Verdict::Pass) => Box::pin(async move { Ok(self.serve(parts, body).await) }),
            Some(Verdict::Answered(response)) => Box::pin(std::future::ready(Ok(response))),
            Some(Verdict::PassFor(page)) => Box::pin(async move {
                let mut response = self.serve(parts, body).await;
                origin::mark(&mut response, page);
                Ok(response)
            }),
        }
    }

    /// What nearly every request is, a message in a POST, stays in this one small future; the rest is apart.
    async fn serve(self: Arc<Shared>, parts: Parts, body: Body) -> Response<Body> {
        let admitted = match self.admit(&parts) {
            Ok(Some((permit, Accepted::Both))) => self.read(&parts, body).await.map(|text| (text, permit)),
            Ok(Some((permit, Accepted::Json))) => {
                return Box::pin(self.serve_json(parts, body, permit)).await;
            }
            Ok(None) => return Box::pin(self.serve_other(&parts, body)).await,
            Err(refusal) => Err(refusal),
        };
        match admitted.and_then(|(text, permit)| self.route(parts, &text, permit, Accepted::Both)) {
            Ok(answer) => answer.response().await,
            Err(response) => response,
        }
    }

    /// Serves a message of a client that reads no event streams.
    async fn serve_json(self: Arc<Shared>, parts: Parts, body: Body, permit: Admission) -> Response<Body> {
        let text = match self.read(&parts, body).await {
            Ok(text) => text,
            Err(response) => return response,
        };
        match self.route(parts, &text, permit, Accepted::Json) {
            Ok(answer) => json_only::without_stream(answer.response().await, &text).await,
            Err(response) => response,
        }
    }

    /// Lets a message in; `None` for what is not a POST to the endpoint.
    fn admit(&self, parts: &Parts) -> Result<Option<(Admission, Accepted)>, Response<Body>> {
        if parts.uri.path().trim_end_matches('/') != self.path || parts.method != HttpMethod::POST {
            return Ok(None);
        }
        if !is_json(&parts.headers) {
            let message = "The Content-Type must be application/json";
            return Err(respond::refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let Some(accepted) = accepted(&parts.headers) else {
            let message = "The Accept header must allow application/json, and should allow text/event-stream";
            return Err(respond::refuse(StatusCode::NOT_ACCEPTABLE, message));
        };
        let caller = principal(parts);
        let admitted = self.requests.admit(caller.as_deref());
        admitted.map(|permit| Some((permit, accepted))).map_err(|why| respond::busy(None, &why))
    }

    async fn serve_other(self: &Arc<Shared>, parts: &Parts, body: Body) -> Response<Body> {
        let path = parts.uri.path();
        if let Some(http_sse) = self.http_sse.as_ref().filter(|http_sse| http_sse.serves(path)) {
            return http_sse.serve(self, parts, body).await.unwrap_or_else(|refusal| refusal);
        }
        if path.trim_end_matches('/') != self.path {
            return respond::empty(StatusCode::NOT_FOUND);
        }
        let has_session = parts.headers.contains_key(&validate::SESSION_ID) && !names_modern(parts);
        match parts.method {
            HttpMethod::GET if has_session => legacy::get(self, parts).await,
            HttpMethod::DELETE if has_session => legacy::delete(self, parts),
            _ if has_session => respond::method_not_allowed("GET, POST, DELETE"),
            _ => respond::method_not_allowed("POST"),
        }
    }

    /// Reads a body, within its bounds of size and time. A connection whose body was not read to its end is of
    /// no further use.
    pub(super) async fn read(&self, parts: &Parts, body: Body) -> Result<Bytes, Response<Body>> {
        let most = self.limits.message_bytes;
        let read = match body.size_hint().lower() > most as u64 {
            true => Ok(Ok(None)),
            false => {
                // Most bodies came with their head.
                let mut collecting = pin!(collect(body, most));
                match poll_once(collecting.as_mut()).await {
                    Some(read) => Ok(read),
                    None => tokio::time::timeout(self.limits.read_timeout, collecting).await,
                }
            }
        };
        let (status, message) = match read {
            Ok(Ok(Some(text))) => return Ok(text),
            Ok(Ok(None)) => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("The message is longer than {most} bytes"))
            }
            Ok(Err(error)) => (StatusCode::BAD_REQUEST, format!("The body could not be read: {error}")),
            Err(_) => (StatusCode::REQUEST_TIMEOUT, "The body took too long to arrive".to_owned()),
        };
        let mut response = respond::refuse(status, message);
        if parts.version < HttpVersion::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Err(response)
    }

    fn route(
        self: &Arc<Shared>,
        parts: Parts,
        text: &Bytes,
        permit: Admission,
        accepted: Accepted,
    ) -> Result<Answer, Response<Body>> {
        let frame = jsonrpc::decode_frame(text).map_err(|error| respond::undecodable(&error))?;
        match self.form(&parts, &frame)? {
            Dispatch::Modern(said) => match frame {
                Frame::Single(message) => Ok(modern::serve(self, &parts, said, message, permit)),
                Frame::Batch(_) => {
                    let message = "This revision has no batches: send one message at a time";
                    Err(respond::refuse(StatusCode::BAD_REQUEST, message))
                }
            },
            Dispatch::Initialize => match frame {
                Frame::Single(Message::Request { id, params, .. }) => {
                    Ok(Answer::Now(legacy::initialize(self, &parts, &id, params.as_deref())))
                }
                _ => Err(no_era(None)),
            },
            Dispatch::Session => {
                let shared = self.clone();
                let answer = async move { legacy::post(&shared, &parts, frame, permit, accepted).await };
                Ok(Answer::Later(Box::pin(answer)))
            }
        }
    }

    /// Which form a message has. A `_meta` that names a version decides; where there is none, the version
    /// header does; where that leaves it open, the message belongs to a session.
    fn form(&self, parts: &Parts, frame: &Frame) -> Result<Dispatch, Response<Body>> {
        let of_notification;
        let (id, method, params) = match frame {
            Frame::Single(Message::Request { id, method, params }) => {
                (Some(id), Some(method), params.as_ref())
            }
            Frame::Single(Message::Notification { method, params }) => {
                of_notification = params.clone().map(Params::from);
                (None, Some(method), of_notification.as_ref())
            }
            _ => (None, None, None),
        };
        let bad_request = |error: RpcError| respond::error(StatusCode::BAD_REQUEST, id, &error);
        let recalled = meta::text(params).and_then(|text| self.memos.recall(text));
        let declared = match &recalled {
            Some(meta) => DeclaredVersion::Known(meta.version),
            None => meta::declared_version(params).map_err(bad_request)?,
        };
        let initializes = method == Some(&Method::Initialize) && id.is_some();
        let modern = declared != DeclaredVersion::Nothing || (names_modern(parts) && !initializes);
        let versions = &self.service.describe().versions;
        if versions.iter().any(|version| version.is_modern()) && modern {
            Ok(Dispatch::Modern(RequestEra { declared, meta: recalled }))
        } else if initializes {
            Ok(Dispatch::Initialize)
        } else if parts.headers.contains_key(&validate::SESSION_ID) {
            Ok(Dispatch::Session)
        } else if versions.iter().all(|version| version.is_modern()) {
            Ok(Dispatch::Modern(RequestEra { declared, meta: recalled }))
        } else {
            Err(bad_request(without_form(parts, versions)))
        }
    }
}

/// Why a message without a session and without a version of its own is refused. A server of the legacy era
/// alone must not answer with what only a modern one says.
fn without_form(parts: &Parts, versions: &[Version]) -> RpcError {
    let key = meta::PROTOCOL_VERSION;
    let modern = versions.iter().any(|version| version.is_modern());
    match validate::single(&parts.headers, &validate::VERSION) {
        Ok(Some(version)) if modern && version.parse::<Version>().is_err() => {
            RpcError::unsupported_version(version, versions)
        }
        Ok(_) if modern => RpcError::invalid_request(format!(
            "The Mcp-Session-Id header is missing: start a session with initialize, or name the protocol version in \
             params._meta[{key:?}]"
        )),
        Ok(_) => {
            RpcError::invalid_request("The Mcp-Session-Id header is missing: start a session with initialize")
        }
        Err(message) => RpcError::invalid_request(message),
    }
}

/// How a message is answered.
pub(super) enum Answer {
    /// The response is here.
    Now(Response<Body>),
    /// It has to run.
    Running(modern::Running),
    /// Something else has to happen first.
    Later(BoxFuture<'static, Response<Body>>),
}

impl Answer {
    async fn response(self) -> Response<Body> {
        match self {
            Answer::Now(response) => response,
            Answer::Running(call) => call.answer().await,
            Answer::Later(response) => response.await,
        }
    }
}

/// What a request says about itself, as far as it is known yet.
pub(super) struct RequestEra {
    pub(super) declared: DeclaredVersion,
    pub(super) meta: Option<Arc<RequestMeta>>,
}

/// The two eras' forms of a message, and `initialize` itself.
enum Dispatch {
    Modern(RequestEra),
    Initialize,
    Session,
}

fn no_era(id: Option<&jsonrpc::Id>) -> Response<Body> {
    respond::error(
        StatusCode::BAD_REQUEST,
        id,
        &RpcError::invalid_request("initialize must be a single request"),
    )
}

/// Whether the version header names a revision without sessions.
fn names_modern(parts: &Parts) -> bool {
    let version = validate::single(&parts.headers, &validate::VERSION).ok().flatten();
    version.and_then(|version| version.parse::<Version>().ok()).is_some_and(Version::is_modern)
}

/// The whole body; `None` where it is longer than `most`. A body that came in one piece is not copied.
async fn collect(body: Body, most: usize) -> Result<Option<Bytes>, BodyError> {
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if first.len() + whole.len() + data.len() > most {
            return Ok(None);
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&data);
        }
    }
    Ok(Some(if whole.is_empty() { first } else { whole.freeze() }))
}
