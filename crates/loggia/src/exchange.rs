//! The channel from a running request to its client: notifications, live questions, cancellation. An edge
//! makes one for each request; the service only ever sees [`Exchange`].
//!
//! Nothing here blocks a handler and nothing grows without bound: progress replaces progress that was not
//! yet sent, and log messages beyond [`Outbox::CAPACITY`] are counted instead of kept.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loggia_wire::model::{InputRequest, ServerNotification};
use loggia_wire::{RawJson, RpcError};
use tokio::sync::Notify;

use crate::future::BoxFuture;

/// A running request's link to its client. Cheap to clone.
#[derive(Clone)]
pub struct Exchange {
    channel: Arc<ExchangeChannel>,
    live: Option<Arc<dyn ClientPeer>>,
}

/// State shared by the parts of one exchange: one allocation for each request.
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
    /// Returns a link for one request. The edge keeps the [`Outbox`], which it drains, and the [`CancelGuard`], which
    /// it drops when the request ends.
    pub fn new(live: Option<Arc<dyn ClientPeer>>) -> (Exchange, Outbox, CancelGuard) {
        let channel = Arc::new(ExchangeChannel::default());
        let (outbox, guard) = (Outbox(channel.clone()), CancelGuard(channel.clone()));
        (Exchange { channel, live }, outbox, guard)
    }

    /// Queues a notification for the client. Never waits.
    pub fn notify(&self, notification: ServerNotification) {
        self.channel.push(notification);
    }

    /// Returns the client, where it can be asked right now; `None` means: answer with
    /// [`InputRequired`](loggia_wire::model::InputRequired) instead.
    pub fn live(&self) -> Option<&Arc<dyn ClientPeer>> {
        self.live.as_ref()
    }

    /// Lets the client go: the answer will take long, and a client that can come back for it need not hold a
    /// connection open meanwhile. Where the client cannot come back, nothing happens.
    pub fn release(&self) {
        self.channel.release.notify_one();
    }

    /// Becomes true when the request is cancelled.
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

    /// Waits until it is.
    pub async fn wait(&mut self) {
        let mut cancel = std::pin::pin!(self.0.cancel.notified());
        // From here on a cancellation is heard, even one that comes between the question and the wait.
        cancel.as_mut().enable();
        if !self.is_cancelled() {
            cancel.await;
        }
    }
}

/// Cancels its request when dropped.
pub struct CancelGuard(Arc<ExchangeChannel>);

impl CancelGuard {
    /// Cancels now.
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

/// Notifications of one request that wait to be sent.
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
    /// Most notifications that wait; further ones are dropped and counted.
    pub const CAPACITY: usize = 256;

    /// Returns the next notification, if one waits.
    pub fn try_next(&self) -> Option<ServerNotification> {
        let mut queue = self.0.queue();
        let next = queue.waiting.pop_front();
        if next.is_none() && queue.dropped > 0 {
            tracing::warn!(count = queue.dropped, "notifications dropped: the client reads too slowly");
            queue.dropped = 0;
        }
        next
    }

    /// Returns whether nothing waits.
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

    /// Waits until a notification waits.
    pub async fn ready(&self) {
        while self.is_empty() {
            self.0.ready.notified().await;
        }
    }

    /// Waits until the request lets its client go (see [`Exchange::release`]).
    pub async fn released(&self) {
        self.0.release.notified().await;
    }
}
