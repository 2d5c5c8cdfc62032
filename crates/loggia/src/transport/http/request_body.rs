//! The body of a request that a server receives. If a response is sent before the body was read (a refusal), most
//! HTTP/1.1 clients read it only after they have sent the whole body. So the rest of the body is read and dropped in
//! the background, for a limited time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// The maximum number of bytes that are dropped.
const MOST_DROPPED: usize = 64 << 20;
/// The maximum time for dropping.
const DROP_TIME: Duration = Duration::from_secs(10);

/// A body from the network.
pub(super) struct RequestBody {
    /// Present until the body has ended.
    incoming: Option<Incoming>,
    /// True if the client sends the body even if the request is refused. A client that expects `100 Continue` does
    /// not.
    is_sent: bool,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, is_sent: bool) -> RequestBody {
        RequestBody { incoming: Some(incoming), is_sent }
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        self.is_sent = true;
        let polled = Pin::new(incoming).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.incoming = None;
        }
        polled
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(|incoming| incoming.is_end_stream())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
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
    let mut left = MOST_DROPPED;
    while let Some(Ok(frame)) = incoming.frame().await {
        let read = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(read) else { return };
        left = rest;
    }
}
