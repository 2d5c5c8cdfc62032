//! The channel from a running request to its client: notifications, questions, cancellation. An edge creates one for
//! each request; the service sees only the [`Exchange`].
//!
//! A handler never waits here, and memory is bounded: new progress replaces progress that was not sent, and log
//! messages above [`Outbox::CAPACITY`] are counted and dropped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loggia_wire::model::{InputRequest, ServerNotification};
use loggia_wire::{RawJson, RpcError};
use tokio::sync::Notify;

use crate::future::BoxFuture;

/// The channel of a running request to its client. It is cheap to clone.
#[derive(Clone)]
pub struct Exchange {
    channel: Arc<ExchangeChannel>,
    live: Option<Arc<dyn ClientPeer>>,
}

/// The state that the parts of one exchange share: one allocation for each request.
#[derive(Default)]
struct ExchangeChannel {
    queue: Mutex<NotificationQueue>,
    ready: Notify,
    release: Notify,
    cancelled: AtomicBool,
    cancel: Notify,
}

/// A client that can be asked while its request runs (legacy revisions).
pub trait ClientPeer: Send + Sync {
    /// Sends `request` to the client and waits for its `result`. Dropping the future cancels the question.
    fn ask(&self, request: InputRequest) -> BoxFuture<'_, Result<RawJson, RpcError>>;
}

impl Exchange {
    /// Creates a channel for one request. The edge keeps the [`Outbox`], from which it sends, and the
    /// [`CancelGuard`], which it drops when the request ends.
    pub fn new(live: Option<Arc<dyn ClientPeer>>) -> (Exchange, Outbox, CancelGuard) {
        let channel = Arc::new(ExchangeChannel::default());
        let (outbox, guard) = (Outbox(channel.clone()), CancelGuard(channel.clone()));
        (Exchange { channel, live }, outbox, guard)
    }

    /// Queues a notification for the client. Never waits.
    pub fn notify(&self, notification: ServerNotification) {
        self.channel.push(notification);
    }

    /// Returns the client if it can be asked now. If it is `None`, the service returns
    /// [`InputRequired`](loggia_wire::model::InputRequired) instead.
    pub fn client(&self) -> Option<&Arc<dyn ClientPeer>> {
        self.live.as_ref()
    }

    /// Allows the client to close its connection while it waits, because the answer will take long. Has no effect if
    /// the client cannot get the answer later.
    pub fn release(&self) {
        self.channel.release.notify_one();
    }

    /// Returns a signal that tells when the request is cancelled.
    pub fn cancelled(&self) -> CancelSignal {
        CancelSignal(self.channel.clone())
    }
}

/// Tells work that outlives its future (a thread, a child process) that the request was cancelled.
#[derive(Clone)]
pub struct CancelSignal(Arc<ExchangeChannel>);

impl CancelSignal {
    /// Returns whether the request was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Waits until the request is cancelled.
    pub async fn wait(&mut self) {
        let mut cancel = std::pin::pin!(self.0.cancel.notified());
        // From now on a cancellation is noticed, also one between the check and the wait.
        cancel.as_mut().enable();
        if !self.is_cancelled() {
            cancel.await;
        }
    }
}

/// Cancels its request when dropped.
pub struct CancelGuard(Arc<ExchangeChannel>);

impl CancelGuard {
    /// Cancels the request.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        self.0.cancel.notify_waiters();
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// The notifications of one request that are not sent yet.
#[derive(Clone)]
pub struct Outbox(Arc<ExchangeChannel>);

#[derive(Default)]
struct NotificationQueue {
    waiting: VecDeque<ServerNotification>,
    dropped: usize,
}

impl ExchangeChannel {
    fn queue(&self) -> MutexGuard<'_, NotificationQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, notification: ServerNotification) {
        let mut queue = self.queue();
        let is_progress = |queued: &ServerNotification| matches!(queued, ServerNotification::Progress(_));
        if is_progress(&notification) && queue.waiting.back().is_some_and(is_progress) {
            queue.waiting.pop_back();
        }
        if queue.waiting.len() < Outbox::CAPACITY {
            queue.waiting.push_back(notification);
        } else {
            queue.dropped += 1;
        }
        drop(queue);
        self.ready.notify_one();
    }
}

impl Outbox {
    /// The maximum number of queued notifications; further ones are dropped and counted.
    pub const CAPACITY: usize = 256;

    /// Returns the next notification, if there is one.
    pub fn try_next(&self) -> Option<ServerNotification> {
        let mut queue = self.0.queue();
        let next = queue.waiting.pop_front();
        if next.is_none() && queue.dropped > 0 {
            tracing::warn!(count = queue.dropped, "notifications dropped: the client reads too slowly");
            queue.dropped = 0;
        }
        next
    }

    /// Returns whether it has no notifications.
    pub fn is_empty(&self) -> bool {
        self.0.queue().waiting.is_empty()
    }

    /// Waits for the next notification.
    pub async fn next(&self) -> ServerNotification {
        loop {
            if let Some(notification) = self.try_next() {
                return notification;
            }
            self.0.ready.notified().await;
        }
    }

    /// Waits until there is a notification.
    pub async fn ready(&self) {
        while self.is_empty() {
            self.0.ready.notified().await;
        }
    }

    /// Waits until the client may close its connection (see [`Exchange::release`]).
    pub async fn released(&self) {
        self.0.release.notified().await;
    }
}
