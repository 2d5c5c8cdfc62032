//! The endpoint: one path, both eras. Here a request is let in (who asks, how much, in what form), read, and
//! given to the form it is written in: the one that needs no session, or its session's.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Method as HttpMethod, Request, Response, StatusCode};
use loggia_wire::jsonrpc::{self, Frame, Message};
use loggia_wire::meta::{self, DeclaredVersion};
use loggia_wire::{Method, Params, RpcError, Version};

use super::admission::principal;
use super::headers::{AcceptedTypes, MirrorHeaders, SESSION_ID, accepted, is_json};
use super::legacy::{self, LegacyState};
use super::modern::{self, EndpointResponse, RequestEra};
use super::origin::{self, OriginFilter, OriginVerdict};
use super::state::EndpointState;
use super::{json_only, respond};
use crate::future::BoxFuture;
use crate::service::Principal;
use crate::transport::http::body::{Admission, Body, BodyError};

/// An MCP endpoint as a [`tower_service::Service`], to be mounted in any HTTP stack. Cheap to clone.
///
/// A layer around it may put a [`Principal`](crate::service::Principal), or an `Arc` of one, into a request's
/// extensions: the service sees it, and legacy sessions are bound to it.
#[derive(Clone)]
pub struct Endpoint(pub(super) Arc<EndpointRouter>);

/// The endpoint's path and eras, over one [`EndpointState`].
pub(super) struct EndpointRouter {
    pub(super) state: Arc<EndpointState>,
    pub(super) legacy: Arc<LegacyState>,
    pub(super) path: String,
    /// `None` if the listener has checked the request before the layers.
    pub(super) filter: Option<OriginFilter>,
}

/// A POST that was admitted.
struct AdmittedPost {
    permit: Admission,
    principal: Option<Arc<Principal>>,
    accepted: AcceptedTypes,
}

impl Endpoint {
    /// Ends what is open: subscriptions get their graceful end, requests that run get
    /// [`Limits::drain`](crate::limits::Limits::drain) to finish. [`Http`](super::Http) does this for the endpoint that
    /// it serves.
    pub async fn shut_down(&self) {
        let state = &self.0.state;
        state.shutdown.begin();
        if tokio::time::timeout(state.limits.drain, state.requests.drained()).await.is_err() {
            tracing::warn!("requests still ran when the time to drain was over");
        }
        self.0.legacy.end_sessions();
    }

    pub(super) fn state(&self) -> &EndpointState {
        &self.0.state
    }

    /// Deletes what legacy sessions have kept for long enough.
    pub(super) fn sweep_sessions(&self) {
        self.0.legacy.sweep_sessions();
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

impl EndpointRouter {
    /// Answers a request. It has one type of body and is boxed here, so that it is not compiled again in each program
    /// that serves.
    fn answer(
        self: Arc<EndpointRouter>,
        parts: Parts,
        body: Body,
    ) -> BoxFuture<'static, Result<Response<Body>, Infallible>> {
        let verdict =
            self.filter.as_ref().map(|filter| filter.judge(&parts.method, &parts.uri, &parts.headers));
        match verdict {
            None | Some(OriginVerdict::Pass) => Box::pin(async move { Ok(self.serve(parts, body).await) }),
            Some(OriginVerdict::Answered(response)) => Box::pin(std::future::ready(Ok(response))),
            Some(OriginVerdict::PassFor(page)) => Box::pin(async move {
                let mut response = self.serve(parts, body).await;
                origin::mark(&mut response, page);
                Ok(response)
            }),
        }
    }

    /// Serves a request. A message in a POST, the usual case, stays in this small future; the other cases are boxed.
    async fn serve(self: Arc<EndpointRouter>, parts: Parts, body: Body) -> Response<Body> {
        let admitted = match self.admit(&parts) {
            Ok(Some(post)) if post.accepted == AcceptedTypes::Json => {
                return Box::pin(self.serve_json(parts, body, post)).await;
            }
            Ok(Some(post)) => {
                let read = body.read(&self.state.limits).await;
                read.map(|text| (text, post)).map_err(|error| respond::unread(&error, parts.version))
            }
            Ok(None) => return Box::pin(self.serve_other(&parts, body)).await,
            Err(refusal) => Err(refusal),
        };
        match admitted.and_then(|(text, post)| self.route(parts, &text, post)) {
            Ok(answer) => answer.response().await,
            Err(response) => response,
        }
    }

    /// Serves a message of a client that reads no event streams.
    async fn serve_json(
        self: Arc<EndpointRouter>,
        parts: Parts,
        body: Body,
        post: AdmittedPost,
    ) -> Response<Body> {
        let text = match body.read(&self.state.limits).await {
            Ok(text) => text,
            Err(error) => return respond::unread(&error, parts.version),
        };
        match self.route(parts, &text, post) {
            Ok(answer) => json_only::without_stream(answer.response().await, &text).await,
            Err(response) => response,
        }
    }

    /// Admits a message; `None` if the request is no POST to the endpoint.
    fn admit(&self, parts: &Parts) -> Result<Option<AdmittedPost>, Response<Body>> {
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
        let principal = principal(parts);
        let admitted = self.state.requests.admit(principal.as_deref());
        let permit = admitted.map_err(|why| respond::busy(None, &why))?;
        Ok(Some(AdmittedPost { permit, principal, accepted }))
    }

    async fn serve_other(self: &Arc<EndpointRouter>, parts: &Parts, body: Body) -> Response<Body> {
        let path = parts.uri.path();
        if self.legacy.serves_http_sse(path) {
            return self.legacy.http_sse(parts, body).await;
        }
        if path.trim_end_matches('/') != self.path {
            return respond::empty(StatusCode::NOT_FOUND);
        }
        let has_session =
            parts.headers.contains_key(&SESSION_ID) && !MirrorHeaders::read(&parts.headers).names_modern();
        match parts.method {
            HttpMethod::GET if has_session => legacy::get(&self.legacy, parts).await,
            HttpMethod::DELETE if has_session => legacy::delete(&self.legacy, parts),
            _ if has_session => respond::method_not_allowed("GET, POST, DELETE"),
            _ => respond::method_not_allowed("POST"),
        }
    }

    fn route(
        self: &Arc<EndpointRouter>,
        parts: Parts,
        text: &Bytes,
        post: AdmittedPost,
    ) -> Result<EndpointResponse, Response<Body>> {
        let frame = jsonrpc::decode_frame(text).map_err(|error| respond::undecodable(&error))?;
        let headers = MirrorHeaders::read(&parts.headers);
        let AdmittedPost { permit, principal, accepted } = post;
        match self.form(&parts, &headers, &frame)? {
            Dispatch::Modern(era) => match frame {
                Frame::Single(message) => {
                    Ok(modern::serve(&self.state, principal, &headers, era, message, permit))
                }
                Frame::Batch(_) => {
                    let message = "This revision has no batches: send one message at a time";
                    Err(respond::refuse(StatusCode::BAD_REQUEST, message))
                }
            },
            Dispatch::Initialize => match frame {
                Frame::Single(Message::Request { id, params, .. }) => Ok(EndpointResponse::Ready(
                    legacy::initialize(&self.legacy, &parts, &id, params.as_deref()),
                )),
                _ => Err(no_era(None)),
            },
            Dispatch::Session => {
                let legacy = self.legacy.clone();
                let answer = async move { legacy::post(&legacy, &parts, frame, permit, accepted).await };
                Ok(EndpointResponse::Deferred(Box::pin(answer)))
            }
        }
    }

    /// Returns the era of a message. A `_meta` that names a version decides; where there is none, the version
    /// header does; where that leaves it open, the message belongs to a session.
    fn form(
        &self,
        parts: &Parts,
        headers: &MirrorHeaders<'_>,
        frame: &Frame,
    ) -> Result<Dispatch, Response<Body>> {
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
        let recalled = meta::text(params).and_then(|text| self.state.meta_cache.recall(text));
        let declared = match &recalled {
            Some(meta) => DeclaredVersion::Known(meta.version),
            None => meta::declared_version(params).map_err(bad_request)?,
        };
        let initializes = method == Some(&Method::Initialize) && id.is_some();
        let modern = declared != DeclaredVersion::Nothing || (headers.names_modern() && !initializes);
        let versions = &self.state.service.describe().versions;
        if versions.iter().any(|version| version.is_modern()) && modern {
            Ok(Dispatch::Modern(RequestEra { declared, meta: recalled }))
        } else if initializes {
            Ok(Dispatch::Initialize)
        } else if parts.headers.contains_key(&SESSION_ID) {
            Ok(Dispatch::Session)
        } else if versions.iter().all(|version| version.is_modern()) {
            Ok(Dispatch::Modern(RequestEra { declared, meta: recalled }))
        } else {
            Err(bad_request(without_form(headers, versions)))
        }
    }
}

/// Why a message without a session and without a version of its own is refused. A server of the legacy era
/// alone must not answer with what only a modern one says.
fn without_form(headers: &MirrorHeaders<'_>, versions: &[Version]) -> RpcError {
    let key = meta::PROTOCOL_VERSION;
    let modern = versions.iter().any(|version| version.is_modern());
    match &headers.version {
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
        Err(message) => RpcError::invalid_request(message.clone()),
    }
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
