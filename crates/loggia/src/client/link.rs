//! One open connection to a server, over any transport. It sends the messages of the engine and reports what it
//! receives.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::client::link_event::{LinkEvent, Outgoing, decode, trace};
use crate::client::noise::UnreadableMessage;
use crate::framing::{Frame, ReadFrames, WriteFrames};
use crate::transport::child::{Process, StartSign, StartWatch};

/// An open connection.
pub(crate) enum Link {
    /// A channel that carries whole messages: a pipe, a socket, memory.
    Frames(Box<FramesLink>),
    /// HTTP.
    #[cfg(feature = "http-client")]
    Http(Box<crate::client::http::HttpLink>),
}

impl Link {
    /// Takes a message to send; never waits.
    pub(crate) fn send(&mut self, outgoing: Outgoing) {
        trace(true, &outgoing.body);
        match self {
            Link::Frames(link) => link.writer.queue(outgoing.body),
            #[cfg(feature = "http-client")]
            Link::Http(link) => link.send(outgoing),
        }
    }

    /// Returns the sender of direct requests, which do not need the client's task.
    #[cfg(feature = "http-client")]
    pub(crate) fn remote(&self) -> Option<std::sync::Arc<crate::client::http::HttpRemote>> {
        match self {
            Link::Frames(_) => None,
            Link::Http(link) => Some(link.remote()),
        }
    }

    /// Returns whether more messages may be sent.
    pub(crate) fn has_room(&self) -> bool {
        match self {
            Link::Frames(link) => link.has_room(),
            #[cfg(feature = "http-client")]
            Link::Http(link) => link.has_room(),
        }
    }

    /// Waits for a report, or for room to send if there was none. With `read` off, waits only for room. Dropping the
    /// future loses nothing.
    pub(crate) async fn next(&mut self, read: bool) -> Option<LinkEvent> {
        match self {
            Link::Frames(link) => link.next(read).await,
            #[cfg(feature = "http-client")]
            Link::Http(link) => link.next(read).await,
        }
    }

    /// Returns the last lines that a server process wrote to its error output.
    pub(crate) fn server_output(&self) -> String {
        match self {
            Link::Frames(link) => link.process.as_ref().map(Process::error_output).unwrap_or_default(),
            #[cfg(feature = "http-client")]
            Link::Http(_) => String::new(),
        }
    }

    /// Closes the stream of a request that is no longer needed.
    pub(crate) fn abandon(&mut self, id: i64) {
        match self {
            Link::Frames(_) => {}
            #[cfg(feature = "http-client")]
            Link::Http(link) => link.abandon(id),
        }
        // Only HTTP has streams.
        let _ = id;
    }

    /// Opens the HTTP+SSE transport instead of Streamable HTTP.
    pub(crate) fn open_sse(&mut self) {
        match self {
            Link::Frames(_) => {}
            #[cfg(feature = "http-client")]
            Link::Http(link) => link.open_sse(),
        }
    }

    /// Closes the connection after sending its last messages.
    pub(crate) async fn close(self) {
        match self {
            Link::Frames(link) => link.close().await,
            #[cfg(feature = "http-client")]
            Link::Http(link) => link.close().await,
        }
    }
}

/// A link over frames.
pub(crate) struct FramesLink {
    reader: Box<dyn ReadFrames>,
    writer: Box<dyn WriteFrames>,
    process: Option<Process>,
    /// Observes the process until its first message.
    start: Option<StartWatch>,
    /// Messages of a batch that are not reported yet.
    batch: VecDeque<LinkEvent>,
    /// The time that the peer may not read.
    patience: Duration,
    stalled_at: Option<Instant>,
    /// The reason why writing failed. Messages that the peer sent before are still read.
    broken: Option<(String, Instant)>,
}

impl FramesLink {
    /// The number of unwritten bytes at which no more messages are taken.
    const ENOUGH: usize = 256 << 10;
    /// The time that this waits for the last output of a peer that does not read.
    const LAST_WORDS: Duration = Duration::from_secs(1);

    pub(crate) fn new(
        reader: Box<dyn ReadFrames>,
        writer: Box<dyn WriteFrames>,
        process: Option<Process>,
        patience: Duration,
    ) -> FramesLink {
        FramesLink {
            reader,
            writer,
            process,
            start: None,
            batch: VecDeque::new(),
            patience,
            stalled_at: None,
            broken: None,
        }
    }

    /// Returns the link to a child process that has just been started.
    pub(crate) fn starting(mut self, watch: StartWatch) -> FramesLink {
        self.start = Some(watch);
        self
    }

    fn has_room(&self) -> bool {
        self.writer.queued() < FramesLink::ENOUGH
    }

    async fn next(&mut self, read: bool) -> Option<LinkEvent> {
        let had_room = self.has_room();
        loop {
            if let Some(event) = self.batch.pop_front() {
                return Some(event);
            }
            if read && let Some(frame) = self.reader.ready() {
                self.take(frame);
                continue;
            }
            let deadline = self.deadline();
            let writing = self.broken.is_none() && self.writer.queued() > 0;
            tokio::select! {
                biased;
                frame = self.reader.next(), if read || self.broken.is_some() => match frame {
                    Ok(Some(frame)) => self.take(frame),
                    Ok(None) => return Some(LinkEvent::Closed(self.last_words("the server closed the connection").await)),
                    Err(error) => return Some(LinkEvent::Closed(self.last_words(&error.to_string()).await)),
                },
                written = self.writer.progress(), if writing => {
                    self.written(written);
                    if !read || (!had_room && self.has_room()) {
                        return None;
                    }
                }
                sign = next_sign(&mut self.start), if read => return Some(LinkEvent::Starting(sign)),
                () = sleep_until(deadline) => {
                    let reason = self.broken.take().map_or("the server reads nothing".to_owned(), |(reason, _)| reason);
                    return Some(LinkEvent::Closed(self.last_words(&reason).await));
                }
            }
        }
    }

    fn take(&mut self, frame: Frame) {
        let events = match frame {
            Err(bad) => vec![Err(UnreadableMessage::of_frame(bad))],
            Ok(text) => decode(&text),
        };
        if events.iter().any(Result::is_ok) {
            self.start = None;
        }
        self.batch.extend(events.into_iter().map(|event| match event {
            Ok(message) => LinkEvent::Message { stream: None, message },
            Err(noise) => LinkEvent::Unreadable { stream: None, noise },
        }));
    }

    fn written(&mut self, outcome: std::io::Result<()>) {
        self.stalled_at = None;
        if let Err(error) = outcome {
            let reason = format!("the server no longer reads: {error}");
            self.broken = Some((reason, Instant::now() + FramesLink::LAST_WORDS));
        }
    }

    /// Returns the time at which the connection is given up in the current state.
    fn deadline(&mut self) -> Option<Instant> {
        match &self.broken {
            Some((_, until)) => Some(*until),
            None if self.writer.queued() > 0 => {
                Some(*self.stalled_at.get_or_insert_with(Instant::now) + self.patience)
            }
            None => {
                self.stalled_at = None;
                None
            }
        }
    }

    /// Returns the reason why the connection ended. For a process it is the exit, which is more precise than the end
    /// of its output.
    async fn last_words(&mut self, reason: &str) -> String {
        match &mut self.process {
            Some(process) => process.last_words(reason).await,
            None => reason.to_owned(),
        }
    }

    async fn close(self) {
        let FramesLink { reader, mut writer, process, start, .. } = self;
        // The watch holds the child's input open.
        drop(start);
        // Queued messages (a cancellation, for example) are still sent, if the peer reads them immediately.
        let _ = tokio::time::timeout(Duration::from_millis(200), async {
            while writer.queued() > 0 && writer.progress().await.is_ok() {}
        })
        .await;
        drop(writer);
        if let Some(process) = process {
            process.stop(reader).await;
        }
    }
}

async fn next_sign(start: &mut Option<StartWatch>) -> StartSign {
    match start {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
