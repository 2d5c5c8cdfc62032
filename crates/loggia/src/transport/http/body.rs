//! One body type for requests and responses, so that a layer around the endpoint names no type of hyper's.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::request_body::RequestBody;
use crate::budget::Share;

/// Why a body could not be read to its end.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A request's or a response's body.
pub struct Body {
    inner: Inner,
    /// What the exchange occupies until its last byte was taken.
    permit: Option<Admission>,
}

/// Room for one request or stream of an endpoint, until it is dropped.
pub(super) struct Admission {
    pub(super) _room: OwnedSemaphorePermit,
    pub(super) _share: Option<Share>,
}

enum Inner {
    Full(Bytes),
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    Request(RequestBody),
    Boxed(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>),
}

/// Long contents are handed over in pieces of this size, so that a peer that does not read holds one piece in
/// the connection's buffers and the rest stays where it can be dropped.
const PIECE: usize = 64 << 10;

impl Body {
    /// No bytes.
    pub fn empty() -> Body {
        Body::full(Bytes::new())
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Body {
        Inner::Full(bytes.into()).into()
    }

    /// What `stream` yields, until it ends.
    pub(super) fn stream(stream: impl Stream<Item = Bytes> + Send + 'static) -> Body {
        Inner::Stream(Box::pin(stream)).into()
    }

    /// Another crate's body; one of ours stays as it is.
    pub fn new<B>(body: B) -> Body
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let mut body = Some(body);
        let own = (&mut body as &mut dyn Any).downcast_mut::<Option<Body>>().and_then(Option::take);
        let boxed = |body| Inner::Boxed(Box::pin(http_body_util::BodyExt::map_err(body, Into::into))).into();
        own.or_else(|| body.map(boxed)).unwrap_or_default()
    }

    /// The body of a request from the network.
    pub(super) fn of_request(body: RequestBody) -> Body {
        Inner::Request(body).into()
    }

    /// Takes out what the exchange occupies, for a body that is sent in the place of this one.
    pub(super) fn take_permit(&mut self) -> Option<Admission> {
        self.permit.take()
    }

    /// Holds `permit` until the body is sent or dropped.
    pub(super) fn holding(mut self, permit: Admission) -> Body {
        self.permit = Some(permit);
        self
    }
}

impl From<Inner> for Body {
    fn from(inner: Inner) -> Body {
        Body { inner, permit: None }
    }
}

impl Default for Body {
    fn default() -> Body {
        Body::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.inner {
            Inner::Full(_) => "Body(full)",
            Inner::Stream(_) => "Body(stream)",
            Inner::Request(_) => "Body(request)",
            Inner::Boxed(_) => "Body(boxed)",
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().inner {
            Inner::Full(rest) if rest.is_empty() => Poll::Ready(None),
            Inner::Full(rest) => Poll::Ready(Some(Ok(Frame::data(rest.split_to(rest.len().min(PIECE)))))),
            Inner::Stream(stream) => stream.as_mut().poll_next(cx).map(|item| item.map(Frame::data).map(Ok)),
            Inner::Request(body) => body.poll_frame(cx).map_err(Into::into),
            Inner::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Full(rest) => rest.is_empty(),
            Inner::Stream(_) => false,
            Inner::Request(body) => body.is_end_stream(),
            Inner::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Full(rest) => SizeHint::with_exact(rest.len() as u64),
            Inner::Stream(_) => SizeHint::default(),
            Inner::Request(body) => body.size_hint(),
            Inner::Boxed(body) => body.size_hint(),
        }
    }
}
