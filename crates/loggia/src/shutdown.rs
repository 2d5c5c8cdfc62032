//! The order to stop serving.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// An order to stop. It is given once, and all clones see it.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<ShutdownState>);

#[derive(Debug, Default)]
struct ShutdownState {
    given: AtomicBool,
    waiters: Notify,
}

impl Shutdown {
    /// Creates an order that is not given yet.
    pub fn new() -> Shutdown {
        Shutdown(Arc::default())
    }

    /// Orders the shutdown. Serving transports accept no more connections, let running requests finish within
    /// [`Limits::drain`](crate::limits::Limits::drain), and return.
    pub fn begin(&self) {
        self.0.given.store(true, Ordering::Release);
        self.0.waiters.notify_waiters();
    }

    /// Returns whether the order was given.
    pub fn is_begun(&self) -> bool {
        self.0.given.load(Ordering::Acquire)
    }

    /// Waits for the order.
    pub async fn begun(&self) {
        let mut waiters = std::pin::pin!(self.0.waiters.notified());
        // From now on the order is noticed, also one between the check and the wait.
        waiters.as_mut().enable();
        if !self.is_begun() {
            waiters.await;
        }
    }
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown::new()
    }
}
