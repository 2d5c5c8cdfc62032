//! The socket as hyper sees it. Its first bytes tell the HTTP version: HTTP/2 begins with a preface that no HTTP/1 request
//! begins with (RFC 9113, section 3.4). hyper reads these bytes again. Until its first byte a connection costs little more
//! than its socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::detached_stream::DetachedResponse;
use super::idle_monitor::IdleMonitor;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A version of HTTP, as far as connections differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// A connection whose first bytes were looked at.
pub(super) struct PrefacedStream<S> {
    stream: S,
    head: [u8; PREFACE.len()],
    read: u8,
    len: u8,
    watchers: Option<Http1Watchers>,
}

/// The objects that are told what happens on a connection of HTTP/1.1.
pub(super) struct Http1Watchers {
    /// Told of bytes that come.
    pub(super) monitor: IdleMonitor,
    /// Told whether hyper has written all that it holds: it flushes only then.
    pub(super) detached: DetachedResponse,
}

impl<S> PrefacedStream<S> {
    /// Tells `watchers` what happens from now on.
    pub(super) fn watched(self, watchers: Http1Watchers) -> PrefacedStream<S> {
        PrefacedStream { watchers: Some(watchers), ..self }
    }

    /// Returns the same stream without its watchers, for a stream that is detached from hyper.
    pub(super) fn unwatched(self) -> PrefacedStream<S> {
        PrefacedStream { watchers: None, ..self }
    }

    fn set_flushed(&self, flushed: bool) {
        if let Some(watchers) = &self.watchers {
            watchers.detached.set_flushed(flushed);
        }
    }
}

/// Waits for as much as shows what the connection speaks.
pub(super) async fn begin<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Protocol, PrefacedStream<S>)> {
    let mut head = [0; PREFACE.len()];
    let mut len = 0;
    while len < head.len() && head[..len] == PREFACE[..len] {
        match stream.read(&mut head[len..]).await? {
            0 => break,
            more => len += more,
        }
    }
    let protocol = if head == *PREFACE { Protocol::Http2 } else { Protocol::Http1 };
    let len = u8::try_from(len).expect("a preface is shorter than that");
    Ok((protocol, PrefacedStream { stream, head, read: 0, len, watchers: None }))
}

impl<S: AsyncRead + Unpin> AsyncRead for PrefacedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let begun = &mut *self;
        if begun.read == begun.len {
            let before = into.filled().len();
            let polled = Pin::new(&mut begun.stream).poll_read(cx, into);
            if let Some(watchers) = &begun.watchers
                && into.filled().len() > before
            {
                watchers.monitor.received();
            }
            return polled;
        }
        let left = &begun.head[usize::from(begun.read)..usize::from(begun.len)];
        let taken = left.len().min(into.remaining());
        into.put_slice(&left[..taken]);
        begun.read += u8::try_from(taken).expect("it is a part of the head");
        // With what follows, where it is there: a reader that got a few bytes alone makes room for more.
        match Pin::new(&mut begun.stream).poll_read(cx, into) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PrefacedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.set_flushed(false);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.set_flushed(false);
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.set_flushed(matches!(flushed, Poll::Ready(Ok(()))));
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn the_first_bytes_tell_and_are_not_lost() {
        use Protocol::{Http1, Http2};
        let with_more = [PREFACE.as_slice(), b"\0\0\x12\x04"].concat();
        for (sent, expected) in [
            (&b"POST /mcp HTTP/1.1\r\nhost: h\r\n\r\n"[..], Http1),
            (b"PUT / HTTP/1.1\r\n\r\n", Http1),
            (b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n", Http1),
            (b"P", Http1),
            (b"", Http1),
            (PREFACE, Http2),
            (&with_more, Http2),
        ] {
            for piece in [1, 5, sent.len().max(1)] {
                let (mut client, server) = duplex(256);
                let sending = async {
                    for part in sent.chunks(piece) {
                        client.write_all(part).await.expect("there is room");
                        tokio::task::yield_now().await;
                    }
                    drop(client);
                };
                let reading = async {
                    let (protocol, mut begun) = begin(server).await.expect("nothing fails");
                    let mut all = Vec::new();
                    begun.read_to_end(&mut all).await.expect("nothing fails");
                    (protocol, all)
                };
                let ((), (protocol, all)) = tokio::join!(sending, reading);
                assert_eq!((protocol, all.as_slice()), (expected, sent), "in pieces of {piece}");
            }
        }
    }
}
