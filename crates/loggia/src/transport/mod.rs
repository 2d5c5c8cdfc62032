//! What carries the bytes. A server transport is anything that can [`Serve`] a service until it ends or is
//! told to stop by its [`Shutdown`]; it knows sockets and framing and leaves the protocol to [`crate::edge`].

#[cfg(feature = "client")]
pub mod child;
pub mod framing;
#[cfg(feature = "http-common")]
pub mod http;
pub mod memory;
mod signals;
#[cfg(feature = "http-common")]
pub mod sse;
pub mod stdio;
pub mod unix;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::error::Result;
use crate::limits::Limits;
use crate::service::{BoxFuture, Service};
pub use signals::TerminationSignals;

/// A transport that can serve a service: what `.serve(transport)` takes.
pub trait Serve {
    /// Serves `service` until the transport ends by itself (end of input, say) or `shutdown` begins. In
    /// either case requests that run are given [`Limits::drain`] to finish.
    fn serve(
        self,
        service: Arc<dyn Service>,
        limits: Limits,
        shutdown: Shutdown,
    ) -> BoxFuture<'static, Result<()>>;
}

/// The order to stop, given once and heard by everyone who holds a clone.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<Order>);

#[derive(Debug, Default)]
struct Order {
    given: AtomicBool,
    heard: Notify,
}

impl Shutdown {
    /// An order not yet given.
    pub fn new() -> Shutdown {
        Shutdown(Arc::default())
    }

    /// Gives the order. Serving transports stop accepting, let running requests finish within
    /// [`Limits::drain`], and return.
    pub fn begin(&self) {
        self.0.given.store(true, Ordering::Release);
        self.0.heard.notify_waiters();
    }

    /// Whether the order was given.
    pub fn is_begun(&self) -> bool {
        self.0.given.load(Ordering::Acquire)
    }

    /// Waits for the order.
    pub async fn begun(&self) {
        let mut heard = std::pin::pin!(self.0.heard.notified());
        // From here on an order is heard, even one that comes between the question and the wait.
        heard.as_mut().enable();
        if !self.is_begun() {
            heard.await;
        }
    }
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown::new()
    }
}
