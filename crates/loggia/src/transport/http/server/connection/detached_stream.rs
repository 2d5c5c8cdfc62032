//! Streams that last: what a client listens to may stay open for days, with nothing on it. hyper keeps two buffers of
//! 8 KiB for each connection; thousands who listen would pay for that in memory. So the connection of such a stream
//! is taken from hyper once the stream begins, the rest is written by hand, and nothing is kept between two events.
//! The connection closes with its stream. Only HTTP/1.1: an HTTP/2 connection has many streams.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{Response, Version};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::idle_monitor::CountedBody;
use crate::transport::http::BodyError;
use crate::transport::http::server::respond::DetachOnSend;

/// Hands a long-lived response from the service to the connection task, bypassing hyper.
#[derive(Clone, Default)]
pub(super) struct DetachedResponse(Arc<DetachedResponseState>);

#[derive(Default)]
struct DetachedResponseState {
    response: Mutex<Option<Response<CountedBody>>>,
    is_there: AtomicBool,
    /// True if hyper has written everything that it holds.
    flushed: AtomicBool,
}

impl DetachedResponse {
    /// Returns whether `response`, to a request of `version`, is one to put detached.
    pub(super) fn wants(version: Version, response: &Response<CountedBody>) -> bool {
        response.extensions().get::<DetachOnSend>().is_some() && version == Version::HTTP_11
    }

    /// Notes whether hyper has written everything that it holds: what it holds would be lost with it.
    pub(super) fn set_flushed(&self, flushed: bool) {
        self.0.flushed.store(flushed, Ordering::Relaxed);
    }

    pub(super) fn put(&self, response: Response<CountedBody>) {
        *self.0.response.lock().unwrap_or_else(PoisonError::into_inner) = Some(response);
        self.0.is_there.store(true, Ordering::Relaxed);
    }

    /// The response, once whatever went before it on the connection is written.
    pub(super) fn take(&self) -> Option<Response<CountedBody>> {
        if !self.0.is_there.load(Ordering::Relaxed) || !self.0.flushed.load(Ordering::Relaxed) {
            return None;
        }
        self.0.response.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A connection that carries one stream to its end.
pub(super) struct DetachedStream<S> {
    stream: S,
    body: CountedBody,
    /// Bytes that wait to be written, and the number of them that are written.
    out: Vec<u8>,
    written: usize,
    flushed: bool,
    over: bool,
}

impl<S> DetachedStream<S> {
    /// Writes `response` on `stream`, while it carries no other.
    pub(super) fn new(stream: S, response: Response<CountedBody>) -> DetachedStream<S> {
        let out = head(&response);
        DetachedStream { stream, body: response.into_body(), out, written: 0, flushed: false, over: false }
    }
}

/// Status and headers (RFC 9112, section 2.1).
fn head<B>(response: &Response<B>) -> Vec<u8> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in response.headers() {
        if !matches!(*name, CONNECTION | CONTENT_LENGTH | TRANSFER_ENCODING | DATE) {
            let line = [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"];
            line.iter().for_each(|part| out.extend_from_slice(part));
        }
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    let own = format!("transfer-encoding: chunked\r\nconnection: close\r\ndate: {date}\r\n\r\n");
    out.extend_from_slice(own.as_bytes());
    out
}

/// A piece of the body (RFC 9112, section 7.1). An empty one would end it.
fn chunk(data: &Bytes) -> Vec<u8> {
    match data.is_empty() {
        true => Vec::new(),
        false => [format!("{:X}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat(),
    }
}

/// Ends the body.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

impl<S: AsyncRead + AsyncWrite + Unpin> DetachedStream<S> {
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => self.written += more,
            }
        }
        if !self.flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.flushed = true;
        }
        // Nothing is held while nothing happens.
        self.out = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Waits until the client is gone. Further bytes of the client are dropped: the connection closes with the stream.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 256];
        loop {
            let mut into = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut into))?;
            if into.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn send(&mut self, out: Vec<u8>) {
        (self.out, self.written, self.flushed) = (out, 0, false);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for DetachedStream<S> {
    type Output = Result<(), BodyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let detached = &mut *self;
        loop {
            ready!(detached.poll_written(cx))?;
            if detached.over {
                return Pin::new(&mut detached.stream).poll_shutdown(cx).map_err(Into::into);
            }
            if let Poll::Ready(gone) = detached.poll_gone(cx) {
                return Poll::Ready(gone.map_err(Into::into));
            }
            match ready!(Pin::new(&mut detached.body).poll_frame(cx)).transpose()? {
                Some(frame) => detached.send(frame.into_data().map(|data| chunk(&data)).unwrap_or_default()),
                None => {
                    detached.over = true;
                    detached.send(LAST_CHUNK.to_vec());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use tokio::io::{AsyncReadExt, duplex};
    use tokio::sync::oneshot;

    use super::*;
    use crate::transport::http::Body;
    use crate::transport::http::server::connection::idle_monitor::{IdleMonitor, OpenRequest};

    fn response(body: Body) -> Response<CountedBody> {
        Response::new(CountedBody::new(body, OpenRequest::new(&IdleMonitor::default())))
    }

    #[tokio::test]
    async fn events_become_chunks() {
        let long = "y".repeat(300);
        let long_chunk = format!("12C\r\n{long}\r\n");
        let table: &[(&[&str], String)] = &[
            (&[], String::new()),
            (&["a"], "1\r\na\r\n".to_owned()),
            (&["a", "", "bc"], "1\r\na\r\n2\r\nbc\r\n".to_owned()),
            (&[&long, "z"], format!("{long_chunk}1\r\nz\r\n")),
        ];
        for (events, expected) in table {
            for room in [1, 7, 4096] {
                let events: Vec<Bytes> =
                    events.iter().map(|event| Bytes::copy_from_slice(event.as_bytes())).collect();
                let (mut client, server) = duplex(room);
                let writing = DetachedStream::new(server, response(Body::stream(stream::iter(events))));
                let mut text = String::new();
                let (written, read) = tokio::join!(writing, client.read_to_string(&mut text));
                assert!(written.is_ok() && read.is_ok(), "{room}");
                let (_, body) = text.split_once("\r\n\r\n").expect("a head");
                assert_eq!(body, format!("{expected}0\r\n\r\n"), "{room}");
            }
        }
    }

    #[tokio::test]
    async fn a_client_that_is_gone_ends_it() {
        let (held, dropped) = oneshot::channel::<()>();
        let (mut client, server) = duplex(1024);
        let silent = stream::pending::<Bytes>().map(move |event| {
            let _ = &held;
            event
        });
        let writing = tokio::spawn(DetachedStream::new(server, response(Body::stream(silent))));
        let mut head = [0; 17];
        client.read_exact(&mut head).await.expect("a head");
        assert_eq!(&head, b"HTTP/1.1 200 OK\r\n");
        drop(client);
        writing.await.expect("no panic").ok();
        assert!(dropped.await.is_err(), "the stream is dropped");
    }
}
