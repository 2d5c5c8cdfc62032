//! A bound on the running and waiting calls of one connector. Each call has bounds of its own, so together they bound
//! the memory and the threads of all calls.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Admits calls in the order of their arrival.
#[derive(Debug, Clone)]
pub(crate) struct CallLimiter {
    /// One permit for each running or waiting call.
    admitted: Arc<Semaphore>,
    /// One permit for each running call.
    running: Arc<Semaphore>,
}

/// The permit of a running call. It is moved with its work to another thread.
#[derive(Debug)]
pub(crate) struct CallPermit {
    _running: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

/// The maximum number of calls is waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyCalls;

impl fmt::Display for TooManyCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this server works on as many calls as it may, and as many wait; nothing was done, try again later")
    }
}

impl CallLimiter {
    pub(crate) fn new(running: usize, waiting: usize) -> CallLimiter {
        let running = running.max(1);
        CallLimiter {
            admitted: Arc::new(Semaphore::new(running.saturating_add(waiting).min(Semaphore::MAX_PERMITS))),
            running: Arc::new(Semaphore::new(running.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Waits until a call may run.
    pub(crate) async fn enter(&self) -> Result<CallPermit, TooManyCalls> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| TooManyCalls)?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| TooManyCalls)?;
        Ok(CallPermit { _running: running, _admitted: admitted })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn calls_run_wait_and_are_refused() {
        let limiter = CallLimiter::new(2, 1);
        let mut cx = Context::from_waker(Waker::noop());
        let mut calls: Vec<_> = (0..4).map(|_| Box::pin(limiter.enter())).collect();
        let mut polled: Vec<_> = calls.iter_mut().map(|call| call.as_mut().poll(&mut cx)).collect();
        assert!(matches!(
            polled[..],
            [Poll::Ready(Ok(_)), Poll::Ready(Ok(_)), Poll::Pending, Poll::Ready(Err(TooManyCalls))]
        ));
        drop(polled.remove(0));
        assert!(calls[2].as_mut().poll(&mut cx).is_ready(), "the one that waited runs");
        // A call that stops waiting makes room for another.
        drop((polled, calls));
        let held: Vec<_> = (0..2).map(|_| pin!(limiter.enter()).poll(&mut cx)).collect();
        drop(Box::pin(limiter.enter()).as_mut().poll(&mut cx));
        assert!(Box::pin(limiter.enter()).as_mut().poll(&mut cx).is_pending());
        assert_eq!(held.len(), 2);
    }
}
