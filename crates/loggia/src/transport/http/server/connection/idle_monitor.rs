//! Detects connections to close by the time limits: one that is idle, or whose peer does not read, is closed.
//! It counts without a clock and without a lock, because every request passes here several times. A task looks at the
//! counters from time to time.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use crate::limits::Limits;
use crate::transport::http::{Body, BodyError};

/// Counters of one connection.
#[derive(Clone, Default)]
pub(super) struct IdleMonitor(Arc<ConnectionCounts>);

#[derive(Default)]
struct ConnectionCounts {
    /// Requests whose response is not sent.
    open: AtomicUsize,
    /// Responses that have something to send and wait for the peer to take it.
    waiting: AtomicUsize,
    /// Number of events: a request began or ended, a peer read data, the head of a request began.
    events: AtomicUsize,
    /// True if some bytes of the next request came, but not all of its head.
    head_begun: AtomicBool,
}

impl ConnectionCounts {
    fn event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) enum InactivityKind {
    /// No request for too long.
    Idle,
    /// The peer does not read its responses.
    Stalled,
}

/// Looks at the monitor from time to time.
pub(super) struct IdleWatch {
    monitor: IdleMonitor,
    /// The events at the last look.
    events: usize,
    /// The time of the last event, or the time at which the connection was told to close.
    last: Instant,
}

impl IdleWatch {
    /// Watches a connection that was accepted at a time.
    pub(super) fn new(monitor: IdleMonitor, accepted: Instant) -> IdleWatch {
        IdleWatch { monitor, events: 0, last: accepted }
    }

    /// Waits until the connection has been quiet for longer than its limit, to within a quarter of the shortest limit. A
    /// connection that is told to close has the time that a peer may take to read.
    pub(super) async fn quiet(&mut self, limits: &Limits, closing: bool) -> InactivityKind {
        let between = limits.read_timeout.min(limits.write_timeout).min(limits.idle) / 4;
        if closing {
            self.last = Instant::now();
        }
        loop {
            let now = Instant::now();
            let events = self.monitor.0.events.load(Ordering::Relaxed);
            if std::mem::replace(&mut self.events, events) != events {
                self.last = now;
            }
            let next = now + between.max(TICK);
            let next = match self.judge(limits, closing) {
                Some((quiet, limit)) if self.last + limit <= now => return quiet,
                Some((_, limit)) => next.min(self.last + limit),
                None => next,
            };
            tokio::time::sleep_until(next).await;
        }
    }

    /// Returns the kind of inactivity of the connection, and its limit. `None` while a request runs.
    fn judge(&self, limits: &Limits, closing: bool) -> Option<(InactivityKind, Duration)> {
        let counts = &*self.monitor.0;
        match (counts.open.load(Ordering::Relaxed), counts.waiting.load(Ordering::Relaxed)) {
            (0, _) if closing => Some((InactivityKind::Idle, limits.write_timeout)),
            (0, _) if counts.head_begun.load(Ordering::Relaxed) => {
                Some((InactivityKind::Idle, limits.read_timeout))
            }
            (0, _) if self.events > 0 => Some((InactivityKind::Idle, limits.idle)),
            (0, _) => Some((InactivityKind::Idle, limits.read_timeout)),
            (_, 0) => None,
            _ => Some((InactivityKind::Stalled, limits.write_timeout)),
        }
    }
}

impl IdleMonitor {
    /// Notes that bytes came. Bytes that come while a request runs belong to its body.
    pub(super) fn received(&self) {
        let counts = &*self.0;
        if counts.events.load(Ordering::Relaxed) > 0
            && counts.open.load(Ordering::Relaxed) == 0
            && !counts.head_begun.load(Ordering::Relaxed)
        {
            counts.head_begun.store(true, Ordering::Relaxed);
            counts.event();
        }
    }
}

/// The least time between two looks.
const TICK: Duration = Duration::from_millis(1);

/// A request whose response is not sent yet.
pub(super) struct OpenRequest(IdleMonitor);

impl OpenRequest {
    pub(super) fn new(monitor: &IdleMonitor) -> OpenRequest {
        monitor.0.open.fetch_add(1, Ordering::Relaxed);
        monitor.0.head_begun.store(false, Ordering::Relaxed);
        monitor.0.event();
        OpenRequest(monitor.clone())
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.0.event();
    }
}

/// A response body that counts whether it waits for its peer, or the peer for it.
pub(super) struct CountedBody {
    body: Body,
    waiting: bool,
    open: OpenRequest,
}

impl CountedBody {
    pub(super) fn new(body: Body, open: OpenRequest) -> CountedBody {
        let mut counted = CountedBody { body, waiting: false, open };
        counted.set_waiting(true);
        counted
    }

    fn set_waiting(&mut self, waiting: bool) {
        let counts = &*self.open.0.0;
        match (std::mem::replace(&mut self.waiting, waiting), waiting) {
            (false, true) => drop(counts.waiting.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(counts.waiting.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
        counts.event();
    }
}

impl Drop for CountedBody {
    fn drop(&mut self) {
        self.set_waiting(false);
    }
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let counted = self.get_mut();
        let polled = Pin::new(&mut counted.body).poll_frame(cx);
        counted.set_waiting(matches!(polled, Poll::Ready(Some(Ok(_)))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Returns how long a connection stays open after the events on it.
    async fn lasts(age: Duration, happened: impl Fn(&IdleMonitor)) -> Duration {
        let limits = Limits { read_timeout: 30 * SECOND, idle: 120 * SECOND, ..Limits::default() };
        let (monitor, begun) = (IdleMonitor::default(), Instant::now());
        let mut watch = IdleWatch::new(monitor.clone(), begun - age);
        happened(&monitor);
        assert!(matches!(watch.quiet(&limits, false).await, InactivityKind::Idle));
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_a_request_has_its_time_and_an_idle_connection_another() {
        let request = |monitor: &IdleMonitor| drop(OpenRequest::new(monitor));
        assert_eq!(lasts(Duration::ZERO, |_| {}).await, 30 * SECOND);
        assert_eq!(lasts(29 * SECOND, |_| {}).await, SECOND, "counted from the accept");
        assert_eq!(lasts(29 * SECOND, |monitor| monitor.received()).await, SECOND, "bytes give no more time");
        assert_eq!(lasts(Duration::ZERO, request).await, 120 * SECOND);
        let begins_another = |monitor: &IdleMonitor| {
            request(monitor);
            monitor.received();
        };
        assert_eq!(lasts(Duration::ZERO, begins_another).await, 30 * SECOND);
        let sends_it = |monitor: &IdleMonitor| {
            begins_another(monitor);
            request(monitor);
        };
        assert_eq!(lasts(Duration::ZERO, sends_it).await, 120 * SECOND);
        let reads_a_body = |monitor: &IdleMonitor| {
            let open = OpenRequest::new(monitor);
            monitor.received();
            drop(open);
        };
        assert_eq!(lasts(Duration::ZERO, reads_a_body).await, 120 * SECOND);
    }
}
