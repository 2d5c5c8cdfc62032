//! Messages on a byte stream: one JSON text on each line ("stdio": messages are delimited by newlines and must not
//! contain any). Reading is bounded and does not fail because of a peer's data: a line that is too long becomes a
//! [`BadFrame`], which can be answered, and the next line is read as usual. The decoder checks that the text is
//! UTF-8.

mod long_line;

use std::fmt;
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use loggia_wire::RpcError;
use loggia_wire::jsonrpc::PartialEnvelope;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::future::BoxFuture;
use long_line::LongLine;

/// The text of a message, or the reason why it is unreadable.
pub type Frame = Result<Bytes, BadFrame>;

/// A frame that cannot be a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadFrame {
    /// The line is too long. It is skipped to its end.
    TooLong {
        /// The maximum number of bytes.
        most: usize,
        /// The parts of the line that could be read.
        envelope: PartialEnvelope,
    },
}

impl BadFrame {
    /// Returns the error for the sender.
    pub fn to_rpc_error(&self) -> RpcError {
        RpcError::invalid_request(self.to_string())
    }
}

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadFrame::TooLong { most, .. } => {
                write!(f, "The message is longer than {most} bytes, the most accepted here")
            }
        }
    }
}

impl std::error::Error for BadFrame {}

/// The reading half of a connection that carries whole messages.
pub trait ReadFrames: Send + 'static {
    /// Returns the next frame; `None` at the end. Dropping the future loses nothing.
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Frame>>>;

    /// Returns a frame that was received already, without waiting.
    fn ready(&mut self) -> Option<Frame>;
}

/// The writing half of a connection that carries whole messages.
pub trait WriteFrames: Send + 'static {
    /// Queues one message, a complete JSON text.
    fn queue(&mut self, message: Bytes);

    /// Returns the number of bytes that are queued.
    fn queued(&self) -> usize;

    /// Writes a part of the queue. Returns immediately if the queue is empty. Dropping the future loses nothing. Call
    /// it until [`queued`](WriteFrames::queued) is 0.
    fn progress(&mut self) -> BoxFuture<'_, io::Result<()>>;
}

/// Reads lines from a byte stream.
pub struct LineReader<R> {
    source: R,
    buffer: BytesMut,
    /// The length of the part of the buffer that is known to have no newline.
    scanned: usize,
    /// The line that is too long, whose rest is being skipped.
    skipping: Option<LongLine>,
    most: usize,
}

/// The number of bytes of one read.
const CHUNK: usize = 16 << 10;

impl<R: AsyncRead + Unpin + Send + 'static> LineReader<R> {
    /// Reads lines of at most `most` bytes from `source`.
    pub fn new(source: R, most: usize) -> LineReader<R> {
        LineReader { source, buffer: BytesMut::new(), scanned: 0, skipping: None, most }
    }

    async fn read(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.buffered() {
                return Ok(Some(frame));
            }
            self.buffer.reserve(CHUNK);
            if self.source.read_buf(&mut self.buffer).await? == 0 {
                return Ok(self.rest());
            }
        }
    }

    /// Returns the next complete frame of the buffer.
    fn buffered(&mut self) -> Option<Frame> {
        loop {
            let Some(end) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) else {
                self.scanned = self.buffer.len();
                return self.give_up_on_long_line();
            };
            let line = self.buffer.split_to(self.scanned + end).freeze();
            self.buffer.advance(1);
            self.scanned = 0;
            let frame = match self.skipping.take() {
                Some(mut long) => long.end(&line).map(Err),
                None => self.frame(line),
            };
            if let Some(frame) = frame {
                return Some(frame);
            }
        }
    }

    /// Keeps the buffer within its bound if there is no newline.
    fn give_up_on_long_line(&mut self) -> Option<Frame> {
        // One byte more than the bound, because a line may end with a carriage return, which does not count.
        if self.scanned > self.most + 1 && self.skipping.is_none() {
            self.skipping = Some(LongLine::new(self.most));
        }
        let long = self.skipping.as_mut()?;
        let bad = long.push(&self.buffer);
        self.buffer.clear();
        self.scanned = 0;
        bad.map(Err)
    }

    /// Returns the rest of the stream, if it did not end with a newline.
    fn rest(&mut self) -> Option<Frame> {
        let line = self.buffer.split().freeze();
        self.scanned = 0;
        match self.skipping.take() {
            Some(mut long) => long.end(&line).map(Err),
            None => self.frame(line),
        }
    }

    /// Returns a line as a frame; `None` for a blank line.
    fn frame(&self, line: Bytes) -> Option<Frame> {
        let line = trimmed(line);
        if line.is_empty() {
            None
        } else if line.len() > self.most {
            LongLine::new(self.most).end(&line).map(Err)
        } else {
            Some(Ok(line))
        }
    }
}

fn trimmed(line: Bytes) -> Bytes {
    let text = line.trim_ascii();
    if text.len() == line.len() { line } else { line.slice_ref(text) }
}

impl<R: AsyncRead + Unpin + Send + 'static> ReadFrames for LineReader<R> {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Frame>>> {
        Box::pin(self.read())
    }

    fn ready(&mut self) -> Option<Frame> {
        self.buffered()
    }
}

/// Writes messages as lines to a byte stream.
pub struct LineWriter<W> {
    target: W,
    buffer: BytesMut,
    unflushed: bool,
}

impl<W: AsyncWrite + Unpin + Send + 'static> LineWriter<W> {
    /// Writes lines to `target`.
    pub fn new(target: W) -> LineWriter<W> {
        LineWriter { target, buffer: BytesMut::new(), unflushed: false }
    }

    async fn write(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.unflushed = true;
            if self.target.write_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        if self.buffer.is_empty() && self.unflushed {
            self.target.flush().await?;
            self.unflushed = false;
        }
        Ok(())
    }
}

impl<W: AsyncWrite + Unpin + Send + 'static> WriteFrames for LineWriter<W> {
    fn queue(&mut self, message: Bytes) {
        self.buffer.reserve(message.len() + 1);
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&message);
        blank_newlines(&mut self.buffer[start..]);
        self.buffer.extend_from_slice(b"\n");
    }

    fn queued(&self) -> usize {
        self.buffer.len() + usize::from(self.unflushed)
    }

    fn progress(&mut self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.write())
    }
}

/// Replaces line ends by spaces, because a relayed message keeps its white space. In JSON, a line end is only allowed
/// between tokens, where a space means the same.
fn blank_newlines(json: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', &json[from..]) {
        json[from + at] = b' ';
        from += at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(chunks: &[&[u8]], most: usize) -> Vec<Frame> {
        let source = chunks.iter().fold(tokio_test_reader(), |source, chunk| source.then(chunk));
        let mut reader = LineReader::new(source, most);
        let mut frames = Vec::new();
        while let Some(frame) = reader.next().await.expect("the source does not fail") {
            frames.push(frame);
        }
        frames
    }

    /// Gives its chunks one read at a time.
    struct Chunks(std::collections::VecDeque<Vec<u8>>);

    fn tokio_test_reader() -> Chunks {
        Chunks(Default::default())
    }

    impl Chunks {
        fn then(mut self, chunk: &[u8]) -> Chunks {
            self.0.push_back(chunk.to_vec());
            self
        }
    }

    impl AsyncRead for Chunks {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            out: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            if let Some(chunk) = self.0.pop_front() {
                out.put_slice(&chunk);
            }
            std::task::Poll::Ready(Ok(()))
        }
    }

    fn ok(text: &'static str) -> Frame {
        Ok(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn lines() {
        let long = || -> Frame { Err(BadFrame::TooLong { most: 8, envelope: PartialEnvelope::default() }) };
        let table: &[(&[&[u8]], Vec<Frame>)] = &[
            (&[b"{}\n[]\n"], vec![ok("{}"), ok("[]")]),
            (&[b"{", b"}", b"\n"], vec![ok("{}")]),
            (&[b"{}\r\n[]\r", b"\n"], vec![ok("{}"), ok("[]")]),
            (&[b"\n \r\n\t{} \n"], vec![ok("{}")]),
            (&[b"{}\n{\"a\":"], vec![ok("{}"), ok("{\"a\":")]),
            (&[b"12345678\r\n"], vec![ok("12345678")]),
            (&[b"123456789\n1\n"], vec![long(), ok("1")]),
            (&[b"1234567890", b"1234567890", b"12\n1\n"], vec![long(), ok("1")]),
            (&[b"1234567890", b"1234567890"], vec![long()]),
            (&[b"1234567890", b"\n", b"1\n"], vec![long(), ok("1")]),
            (&[b"\"\xe2\x82", b"\xac\"\n"], vec![ok("\"€\"")]),
            (&[], vec![]),
        ];
        for (chunks, expected) in table {
            assert_eq!(&read_all(chunks, 8).await, expected, "{chunks:?}");
        }
    }

    /// A line is given in parts, so that it is known to be too long before its end.
    #[tokio::test]
    async fn lines_that_are_too_long_tell_their_id() {
        let id = |id: i64| Some(loggia_wire::jsonrpc::Id::Number(id));
        let filler = "x".repeat(64 << 10);
        for (parts, expected, has_method) in [
            (vec![r#"{"jsonrpc":"2.0","id":7,"result":""#, &filler, "\"}\n"], id(7), false),
            (vec![r#"{"result":""#, &filler, "\",\"jsonrpc\":\"2.0\"", ",\"id\":7}\n"], id(7), false),
            (vec![r#"{"result":""#, &filler, "\",\"jsonrpc\":\"2.0\",\"id\":7}"], id(7), false),
            (vec![r#"{"method":"m","params":{"a":""#, &filler, "\"},\"id\":7}\n"], id(7), true),
            (vec![r#"{"jsonrpc":"2.0","method":"m","params":{"a":""#, &filler, "\"}}\n"], None, true),
            (vec![&filler, "\n"], None, false),
            // It does not end: once it is much too long, it is not waited for.
            (vec![&filler, &filler, &filler], None, false),
        ] {
            let whole = parts.concat();
            for size in [1000, 16_000] {
                let chunks: Vec<&[u8]> = whole.as_bytes().chunks(size).collect();
                let frames = read_all(&chunks, 8 << 10).await;
                let [Err(BadFrame::TooLong { envelope, .. })] = &frames[..] else {
                    panic!("one long line: {frames:?}")
                };
                assert_eq!((&envelope.id, envelope.has_method), (&expected, has_method), "{:.60}", whole);
            }
        }
    }

    #[tokio::test]
    async fn one_message_is_one_line() {
        let mut writer = LineWriter::new(io::Cursor::new(Vec::new()));
        writer.queue(Bytes::from_static(b"{\r\n  \"a\": \"b\\n\"\n}"));
        writer.queue(Bytes::from_static(b"{}"));
        while writer.queued() > 0 {
            writer.progress().await.expect("a Vec takes everything");
        }
        let text = String::from_utf8(writer.target.into_inner()).expect("we wrote UTF-8");
        assert_eq!(text, "{    \"a\": \"b\\n\" }\n{}\n");
    }
}
