//! One body type for requests and responses, so that a layer around the endpoint names no type of hyper's.
//!
//! A response that is sent before the body of its request was read (a refusal) reaches most HTTP/1.1 clients only after
//! they sent the whole body. So the rest of a request's body is read and dropped in the background, within bounds.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;

use crate::budget::Share;
use crate::limits::Limits;

/// The reason why a body could not be read to its end.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A request's or a response's body.
pub struct Body {
    inner: BodyContent,
    /// The admission of the request, which is kept until the last byte was taken.
    permit: Option<Admission>,
}

/// The reason why the body of a request could not be read.
pub(super) enum BodyReadError {
    /// It is longer than this many bytes.
    TooLong(usize),
    /// The connection failed.
    Failed(BodyError),
    /// It took too long to arrive.
    TimedOut,
}

impl fmt::Display for BodyReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyReadError::TooLong(most) => write!(f, "The message is longer than {most} bytes"),
            BodyReadError::Failed(error) => write!(f, "The body could not be read: {error}"),
            BodyReadError::TimedOut => f.write_str("The body took too long to arrive"),
        }
    }
}

/// Room for one request or stream of an endpoint, until it is dropped.
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

    /// Returns the body of a request from the network. `is_sent`: whether the client sends it at all when the request is
    /// refused. One that expects `100 Continue` does not.
    pub(super) fn of_request(incoming: Incoming, is_sent: bool) -> Body {
        BodyContent::Request(RequestBody { incoming: Some(incoming), is_sent }).into()
    }

    /// Reads the whole body, within [`Limits::message_bytes`] and [`Limits::read_timeout`]. A body that came in one piece
    /// is not copied.
    pub(super) async fn read(self, limits: &Limits) -> Result<Bytes, BodyReadError> {
        if self.size_hint().lower() > limits.message_bytes as u64 {
            return Err(BodyReadError::TooLong(limits.message_bytes));
        }
        let mut reading = pin!(self.collect_within(limits.message_bytes));
        // Most bodies came with their head.
        if let Poll::Ready(read) = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await {
            return read;
        }
        let read = tokio::time::timeout(limits.read_timeout, reading).await;
        read.unwrap_or(Err(BodyReadError::TimedOut))
    }

    async fn collect_within(mut self, most: usize) -> Result<Bytes, BodyReadError> {
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame.map_err(BodyReadError::Failed)?.into_data() else { continue };
            if first.len() + whole.len() + data.len() > most {
                return Err(BodyReadError::TooLong(most));
            }
            if first.is_empty() && whole.is_empty() {
                first = data;
            } else {
                whole.extend_from_slice(&std::mem::take(&mut first));
                whole.extend_from_slice(&data);
            }
        }
        Ok(if whole.is_empty() { first } else { whole.freeze() })
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

/// Most bytes that are dropped.
const MAX_DROPPED: usize = 64 << 20;
/// The longest time for that.
const DROP_TIME: Duration = Duration::from_secs(10);

/// A body from the network.
struct RequestBody {
    /// There until the body ended.
    incoming: Option<Incoming>,
    /// True if the client sends the body at all when the request is refused. One that expects `100 Continue` does not.
    is_sent: bool,
}

impl RequestBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        self.is_sent = true;
        let polled = Pin::new(incoming).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.incoming = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(|incoming| incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or(SizeHint::with_exact(0), |incoming| incoming.size_hint())
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if self.is_end_stream() || !self.is_sent {
            return;
        }
        if let (Some(incoming), Ok(runtime)) = (self.incoming.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(DROP_TIME, read_and_drop(incoming)));
        }
    }
}

async fn read_and_drop(mut incoming: Incoming) {
    let mut left = MAX_DROPPED;
    while let Some(Ok(frame)) = incoming.frame().await {
        let read = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(read) else { return };
        left = rest;
    }
}
