//! Both ends of a connection in one process: whole messages over bounded channels, without framing and copying. Tests
//! and embedded servers use the same protocol as over a pipe.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::framing::{Frame, ReadFrames, WriteFrames};
use super::{Serve, Shutdown};
use crate::edge::duplex;
use crate::error::Result;
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::service::Service;

/// The maximum number of messages in flight in one direction.
const CAPACITY: usize = 64;

/// One end of an in-memory connection.
pub struct MemoryTransport {
    reader: MemoryReader,
    writer: MemoryWriter,
}

/// The reading half of a [`MemoryTransport`].
pub struct MemoryReader(mpsc::Receiver<Bytes>);

/// The writing half of a [`MemoryTransport`].
pub struct MemoryWriter {
    sender: mpsc::Sender<Bytes>,
    queue: std::collections::VecDeque<Bytes>,
    queued: usize,
}

/// Returns the two ends of a connection: each receives what the other sends.
pub fn pair() -> (MemoryTransport, MemoryTransport) {
    let (to_left, from_right) = mpsc::channel(CAPACITY);
    let (to_right, from_left) = mpsc::channel(CAPACITY);
    (MemoryTransport::new(to_right, from_right), MemoryTransport::new(to_left, from_left))
}

impl MemoryTransport {
    fn new(sender: mpsc::Sender<Bytes>, receiver: mpsc::Receiver<Bytes>) -> MemoryTransport {
        let writer = MemoryWriter { sender, queue: Default::default(), queued: 0 };
        MemoryTransport { reader: MemoryReader(receiver), writer }
    }

    /// Sends one message; waits if the other end is slow. Returns `false` if the other end is dropped.
    pub async fn send(&mut self, message: impl Into<Bytes>) -> bool {
        self.writer.sender.send(message.into()).await.is_ok()
    }

    /// Returns the next message; `None` if the other end is dropped.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.reader.0.recv().await
    }

    /// Returns the two halves.
    pub fn split(self) -> (MemoryReader, MemoryWriter) {
        (self.reader, self.writer)
    }
}

impl Serve for MemoryTransport {
    fn serve(
        self,
        service: Arc<dyn Service>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> BoxFuture<'static, Result<()>> {
        let (reader, writer) = self.split();
        Box::pin(duplex::serve(service, reader, writer, limits, shutdown))
    }
}

#[cfg(feature = "http-server")]
impl MemoryReader {
    /// Returns the next message; `None` if the other end is dropped.
    pub(crate) async fn recv(&mut self) -> Option<Bytes> {
        self.0.recv().await
    }
}

#[cfg(feature = "http-server")]
impl MemoryWriter {
    /// Returns the channel itself, for several senders.
    pub(crate) fn into_sender(self) -> mpsc::Sender<Bytes> {
        self.sender
    }
}

impl ReadFrames for MemoryReader {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Frame>>> {
        Box::pin(async { Ok(self.0.recv().await.map(Ok)) })
    }

    fn ready(&mut self) -> Option<Frame> {
        self.0.try_recv().ok().map(Ok)
    }
}

impl WriteFrames for MemoryWriter {
    fn queue(&mut self, message: Bytes) {
        self.queued += message.len();
        self.queue.push_back(message);
    }

    fn queued(&self) -> usize {
        self.queued
    }

    fn progress(&mut self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async {
            if self.queue.is_empty() {
                return Ok(());
            }
            let permit = self.sender.reserve().await.map_err(|_| io::ErrorKind::BrokenPipe)?;
            if let Some(message) = self.queue.pop_front() {
                self.queued -= message.len();
                permit.send(message);
            }
            Ok(())
        })
    }
}
