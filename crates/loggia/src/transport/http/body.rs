//! One body type for requests and responses, so that a layer around the endpoint uses no type of hyper.

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

/// The reason why a body could not be read to its end.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A request's or a response's body.
pub struct Body {
    inner: BodyContent,
    /// The admission of the request, which is kept until the last byte was taken.
    permit: Option<Admission>,
}

/// The admission of one request or stream of an endpoint. Dropping it makes room.
pub(super) struct Admission {
    pub(super) _room: OwnedSemaphorePermit,
    pub(super) _share: Option<Share>,
}

enum BodyContent {
    Full(Bytes),
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    Request(RequestBody),
    Boxed(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>),
}

/// The size of the pieces of a long content, in bytes. If a peer does not read, the connection's buffers have only
/// one piece, and the rest can be dropped.
const PIECE: usize = 64 << 10;

impl Body {
    /// Creates an empty body.
    pub fn empty() -> Body {
        Body::full(Bytes::new())
    }

    /// Creates a body of these bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Body {
        BodyContent::Full(bytes.into()).into()
    }

    /// Returns a body of the chunks that `stream` yields.
    pub(super) fn stream(stream: impl Stream<Item = Bytes> + Send + 'static) -> Body {
        BodyContent::Stream(Box::pin(stream)).into()
    }

    /// Creates a body from one of another crate. A body of this type is returned unchanged.
    pub fn new<B>(body: B) -> Body
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let mut body = Some(body);
        let own = (&mut body as &mut dyn Any).downcast_mut::<Option<Body>>().and_then(Option::take);
        let boxed =
            |body| BodyContent::Boxed(Box::pin(http_body_util::BodyExt::map_err(body, Into::into))).into();
        own.or_else(|| body.map(boxed)).unwrap_or_default()
    }

    /// Returns the body of a request from the network.
    pub(super) fn of_request(body: RequestBody) -> Body {
        BodyContent::Request(body).into()
    }

    /// Takes the admission, for a body that is sent instead of this one.
    pub(super) fn take_permit(&mut self) -> Option<Admission> {
        self.permit.take()
    }

    /// Keeps `permit` until the body is sent or dropped.
    pub(super) fn holding(mut self, permit: Admission) -> Body {
        self.permit = Some(permit);
        self
    }
}

impl From<BodyContent> for Body {
    fn from(inner: BodyContent) -> Body {
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
            BodyContent::Full(_) => "Body(full)",
            BodyContent::Stream(_) => "Body(stream)",
            BodyContent::Request(_) => "Body(request)",
            BodyContent::Boxed(_) => "Body(boxed)",
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
            BodyContent::Full(rest) if rest.is_empty() => Poll::Ready(None),
            BodyContent::Full(rest) => {
                Poll::Ready(Some(Ok(Frame::data(rest.split_to(rest.len().min(PIECE))))))
            }
            BodyContent::Stream(stream) => {
                stream.as_mut().poll_next(cx).map(|item| item.map(Frame::data).map(Ok))
            }
            BodyContent::Request(body) => body.poll_frame(cx).map_err(Into::into),
            BodyContent::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            BodyContent::Full(rest) => rest.is_empty(),
            BodyContent::Stream(_) => false,
            BodyContent::Request(body) => body.is_end_stream(),
            BodyContent::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            BodyContent::Full(rest) => SizeHint::with_exact(rest.len() as u64),
            BodyContent::Stream(_) => SizeHint::default(),
            BodyContent::Request(body) => body.size_hint(),
            BodyContent::Boxed(body) => body.size_hint(),
        }
    }
}
