//! The state that every request of an endpoint uses, in either era: the service, its limits, and what bounds the work.
//!
//! Both eras read it and neither is read by it: the sessions of the legacy era are in
//! [`LegacyState`](super::legacy::LegacyState), which refers to this.

use std::pin::pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Version as HttpVersion};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::admission::AdmissionControl;
use super::meta_cache::MetaCache;
use super::respond;
use crate::edge::poll_once;
use crate::limits::Limits;
use crate::service::{Principal, Service};
use crate::shutdown::Shutdown;
use crate::transport::http::body::{Body, BodyError};

/// State of one endpoint that all its requests share.
pub(super) struct EndpointState {
    pub(super) service: Arc<dyn Service>,
    pub(super) limits: Limits,
    /// Bounds the requests that run.
    pub(super) requests: AdmissionControl,
    /// Bounds the event streams that are open.
    pub(super) streams: AdmissionControl,
    pub(super) meta_cache: MetaCache,
    pub(super) shutdown: Shutdown,
}

/// Returns the principal of a request, if a layer established one.
pub(super) fn principal(parts: &Parts) -> Option<Arc<Principal>> {
    let shared = parts.extensions.get::<Arc<Principal>>().cloned();
    shared.or_else(|| parts.extensions.get::<Principal>().cloned().map(Arc::new))
}

impl EndpointState {
    /// Creates the state of an endpoint that has served nothing yet.
    pub(super) fn new(service: Arc<dyn Service>, limits: Limits, shutdown: Shutdown) -> EndpointState {
        EndpointState {
            service,
            requests: AdmissionControl::new("requests", "requests running", limits.requests),
            streams: AdmissionControl::new("streams", "streams open", limits.streams),
            limits,
            meta_cache: MetaCache::default(),
            shutdown,
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
